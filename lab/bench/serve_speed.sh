#!/usr/bin/env bash
# What ./serve costs beside ./generate: 64 clients ask at once for what ./generate answers to the same prompts and seed, by the clock, with
# the start of both programs, in turns; who goes first changes with every turn, and the tokens of both are compared. Arguments: a model's
# folder ("": one of some 13 million parameters, made here), turns (6), tokens of an answer (192), "stream" for streams, options of both.
# The last line is the median of the turns, by the clock and by the processors' time of the two programs, which other work on the machine
# disturbs less.
set -euo pipefail
cd "$(dirname "$0")/../.."
TIMEFORMAT='%U %S' # of `time`: processors' seconds
model=${1:-} turns=${2:-6} tokens=${3:-192} kind=${4:-whole} options=("${@:5}") clients=64
work=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
build/demo_problems heldout 1 5 $((clients / 5 + 1)) | head -n $clients >"$work/questions.jsonl"
if [ -z "$model" ]; then
    model=$work/run
    ./train_sft --init lab/bench/qwen3-13m.json --tokenizer dev/demo/tokenizer --template chatml --instruction none --data "$work/questions.jsonl" \
        --out "$model" --steps 1 --lr 1e-9 --global-batch 8 --device cpu >"$work/said"
fi
sed -E 's/.*"problem": ?("([^"\\]|\\.)*").*/{"messages":[{"role":"user","content":\1}]}/' "$work/questions.jsonl" >"$work/prompts.jsonl"

generate() {
    rm -f "$work/out.jsonl"
    local begun
    begun=$(date +%s%N)
    { time ./generate --model "$model" --prompts "$work/prompts.jsonl" --out "$work/out.jsonl" --seed 1 --max-new-tokens "$tokens" --ignore-eos \
        --device cpu "${options[@]}" >"$work/said" 2>&1; } 2>"$work/time"
    there=$((($(date +%s%N) - begun) / 1000000)) there_busy=$(cat "$work/time")
    sed -nE 's/.*"ids":\[([0-9,]*)\],"text".*/\1/p' "$work/out.jsonl" >"$work/wanted"
    [ "$(wc -l <"$work/wanted")" = $clients ]
}
# ids of an answer, whole or in pieces
ids_of() { grep -oE '"token_ids":\[[0-9,]*\]' "$1" | sed -E 's/.*\[(.*)\]/\1/' | sed '/^$/d' | paste -sd,; }
serve() {
    local begun url n server
    rm -f "$work/address" "$work"/answer-*
    begun=$(date +%s%N)
    ./serve --model "$model" --name m --port 0 --device cpu "${options[@]}" >"$work/address" 2>"$work/said" &
    server=$!
    until [ -s "$work/address" ]; do kill -0 $server && sleep 0.01; done
    url=$(sed -n 's/^serving m at //p' "$work/address")
    for n in $(seq $clients); do
        { printf '{"model":"m","seed":1,"max_tokens":%s,"ignore_eos":true,"return_token_ids":true,"request_id":"%s",' "$tokens" "$n"
          [ "$kind" = whole ] || printf '"stream":true,'
          sed -n "${n}s/^{//p" "$work/prompts.jsonl"; } >"$work/body-$n"
        printf 'next\nurl = "%s/chat/completions"\nheader = "Content-Type: application/json"\ndata-binary = "@%s"\noutput = "%s"\n' \
            "$url" "$work/body-$n" "$work/answer-$n"
    done | sed 1d >"$work/all"
    curl -s --no-progress-meter -Z --parallel-immediate --parallel-max $clients -K "$work/all"
    here_busy=$(awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hertz }' "/proc/$server/stat")
    kill $server
    wait $server
    here=$((($(date +%s%N) - begun) / 1000000))
    for n in $(seq $clients); do ids_of "$work/answer-$n"; done >"$work/served"
}

generate # unmeasured: it warms what both read
for turn in $(seq "$turns"); do
    if [ $((turn % 2)) = 1 ]; then serve && generate; else generate && serve; fi
    cmp "$work/served" "$work/wanted"
    echo "$((clients * tokens)) $here $there $here_busy $there_busy" | awk '{
        printf "%d tokens: serve %.0f tokens/s, generate %.0f (%.3f); %.2f and %.2f s of processors (%.3f)\n",
            $1, 1000 * $1 / $2, 1000 * $1 / $3, $3 / $2, $4, $5 + $6, ($5 + $6) / $4 }'
done | tee "$work/turns"
median() { sort -n | awk '{ r[NR] = $1 } END { printf "%.3f", (r[int((NR + 1) / 2)] + r[int(NR / 2) + 1]) / 2 }'; }
echo "median $(sed -E 's/[^(]*\(([^)]*)\).*/\1/' "$work/turns" | median), by processors $(sed -E 's/.*\((.*)\)/\1/' "$work/turns" | median)"
