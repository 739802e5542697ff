#!/usr/bin/env bash
# What ./evaluate costs beside ./generate: the same greedy responses to the same prompts, in turns, by the clock, with the start of the
# programs, reading, scoring and the page; who goes first changes with every turn. A model of some 13 million parameters, 1,024 questions,
# 96 tokens each. Argument: turns (8). The last line is the median of the turns.
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-8} questions=1024 tokens=96
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/demo_problems heldout 1 5 $((questions / 5 + 1)) | head -n $questions >"$work/questions.jsonl"
./train_sft --init lab/bench/qwen3-13m.json --tokenizer dev/demo/tokenizer --template chatml --instruction none --data "$work/questions.jsonl" \
    --out "$work/run" --steps 1 --lr 1e-9 --global-batch 8 --device cpu >"$work/said"

seconds() { # command
    local begun
    begun=$(date +%s%N)
    "$@" >"$work/said" 2>"$work/progress"
    echo $((($(date +%s%N) - begun) / 1000000))
}
sampled() { sed -E 's/.*"tokens":([0-9]+).*/\1/' "$work/out/responses.jsonl" | awk '{ n += $1 } END { print n }'; }

evaluate() {
    rm -rf "$work/out"
    here=$(seconds ./evaluate --model "$work/run" --tasks questions --data questions="$work/questions.jsonl" --max-new-tokens $tokens --device cpu --out "$work/out")
}
generate() {
    rm -rf "$work/generated"
    there=$(seconds ./generate --model "$work/run" --prompts "$work/prompts.jsonl" --max-new-tokens $tokens --temperature 0 --device cpu --out "$work/generated")
}

evaluate # once unmeasured: it makes the prompts that generate reads, and warms what is read by both
cp "$work/out/prompts.jsonl" "$work/prompts.jsonl"
for turn in $(seq "$turns"); do
    if [ $((turn % 2)) = 1 ]; then evaluate && generate; else generate && evaluate; fi
    echo "$(sampled) $here $there" | awk '{ printf "%d tokens: evaluate %.0f tokens/s, generate %.0f (%.3f)\n", $1, 1000 * $1 / $2, 1000 * $1 / $3, $3 / $2 }'
done | tee "$work/turns"
sed -E 's/.*\((.*)\)/\1/' "$work/turns" | sort -n | awk '{ r[NR] = $1 } END { printf "median %.3f\n", (r[int((NR + 1) / 2)] + r[int(NR / 2) + 1]) / 2 }'
