#!/usr/bin/env bash
# The recipe on a real language model, from difficulty to scores: it rates problems of GSM8K and MATH (beside MATH's own level), solves the
# easy ones itself, eight times each, of which the first right response is kept, learns from these (SFT), then from its right and wrong
# answers to the hard ones (GRPO), and is evaluated on GSM8K and MATH-500 before and after each.
#
#   lab/experiments/dereason/real.sh --model FOLDER --gsm8k-train F --gsm8k-test F --math-train F --math500 F --out OUT [--size smoke|gpu]
#
# Data: JSONL with question or problem, answer, and, of MATH, level (1 to 5). smoke: small sizes for two cores, which show that every stage
# works and nothing about the method; gpu: larger ones, not run so far. Started again it continues. OUT/report.txt has the figures.
set -euo pipefail
cd "$(dirname "$0")/../../.."
size=smoke model="" out=""
declare -A file
while [ $# -gt 0 ]; do
    case $1 in
    --model) model=$2 ;;
    --out) out=$2 ;;
    --size) size=$2 ;;
    --gsm8k-train | --gsm8k-test | --math-train | --math500) file[${1#--}]=$2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" && exit 2 ;;
    esac
    shift 2
done
for wanted in gsm8k-train gsm8k-test math-train math500; do
    [ -n "${file[$wanted]:-}" ] || { echo "real.sh: give --$wanted FILE" >&2 && exit 2; }
done
[ -n "$model" ] && [ -n "$out" ] || { echo "real.sh: give --model and --out" >&2 && exit 2; }
case $size in
smoke) rows=24 taught=6 tokens=192 sft_steps=2 rl_steps=1 prompts=2 samples=4 questions=8 ;;
gpu) rows=1000 taught=200 tokens=1024 sft_steps=20 rl_steps=10 prompts=32 samples=8 questions=200 ;;
*) echo "real.sh: --size $size: smoke or gpu" >&2 && exit 2 ;;
esac
mkdir -p "$out"
stage() { # FILE that it makes, command: unless it is there
    local made=$1
    shift
    [ -e "$made" ] || { echo "$*" >>"$out/commands.txt" && "$@" >>"$out/log.txt" 2>&1; } ||
        { echo "real.sh: failed: $*; its words are in $out/log.txt" >&2 && exit 1; }
}

# every N-th row, so that all levels are there
some() { awk -v most="$2" '{ row[NR] = $0 } END { for (i = 0; i < most && i < NR; i++) print row[1 + int(i * NR / most)] }' "$1"; }
[ -e "$out/problems.jsonl" ] || {
    some "${file[gsm8k-train]}" "$rows" | sed -E 's/"(solution|difficulty)": *"([^"\\]|\\.)*", *//g; s/^\{/{"source": "gsm8k", /'
    some "${file[math-train]}" "$rows" | sed -E 's/"(solution|difficulty)": *"([^"\\]|\\.)*", *//g; s/^\{/{"source": "math", /'
} >"$out/problems.jsonl"

# 1. difficulty, by the model's own probabilities of the digits 1 to 5
stage "$out/scored.jsonl" ./score --model "$model" --data "$out/problems.jsonl" --out "$out/scored.jsonl"

# 2. the easy part for SFT, the hard part for RL
stage "$out/data/split.json" ./prepare --tokenizer "$model" --tau 3 --out "$out/data" "$out/scored.jsonl"

# 3. its own solutions of the easy part: eight of each, the first right one is kept
[ -e "$out/easy.jsonl" ] || head -n "$taught" "$out/data/sft/prompts.jsonl" >"$out/easy.jsonl"
stage "$out/taught.jsonl" ./generate --model "$model" --prompts "$out/easy.jsonl" --samples 8 --max-new-tokens "$tokens" --out "$out/taught.jsonl"
stage "$out/taught/sft" ./prepare --tokenizer "$model" --verify best-of-k --out "$out/taught" "$out/taught.jsonl"

# 4. SFT, then GRPO
stage "$out/sft/model" ./train_sft --model "$model" --data "$out/taught/sft" --out "$out/sft" --steps "$sft_steps" --global-batch 4 --slots 1 \
    --micro-batch-tokens 1024 --seq-len 1024 --over-length drop --save-every 0
stage "$out/rl/model" ./train_rl --model "$out/sft" --data "$out/data/rl" --out "$out/rl" --steps "$rl_steps" --prompts-per-step "$prompts" \
    --prompts-per-update "$prompts" --samples-per-prompt "$samples" --max-prompt-tokens 512 --max-new-tokens "$tokens" --slots 1 \
    --micro-batch-tokens 1024 --save-every 0

# 5. GSM8K and MATH-500, before and after
for at in base sft rl; do
    from=$out/$at
    [ $at != base ] || from=$model
    stage "$out/bench-$at/summary.json" ./evaluate --model "$from" --tasks gsm8k math500 --data gsm8k="${file[gsm8k-test]}" \
        --data math500="${file[math500]}" --limit "$questions" --max-new-tokens "$tokens" --out "$out/bench-$at"
done

# Spearman's rank correlation of two columns, ties at their mean rank
spearman() {
    awk '{ x[NR] = $1; y[NR] = $2 }
        function rank(v, r,  i, j, below, same) {
            for (i = 1; i <= NR; i++) { below = same = 0
                for (j = 1; j <= NR; j++) { below += v[j] < v[i]; same += v[j] == v[i] }
                r[i] = below + (same + 1) / 2 } }
        function mean(v,  i, s) { for (i = 1; i <= NR; i++) s += v[i] / NR; return s }
        END { rank(x, a); rank(y, b); m = mean(a); n = mean(b)
            for (i = 1; i <= NR; i++) { ab += (a[i] - m) * (b[i] - n); aa += (a[i] - m) ^ 2; bb += (b[i] - n) ^ 2 }
            if (aa > 0 && bb > 0) printf "%.2f", ab / sqrt(aa * bb); else printf "none (no spread)" }'
}
{
    echo "$(date +%F), $(./train_sft --version | head -n 1), --size $size; commands: commands.txt"
    grep '"source": *"math"' "$out/scored.jsonl" | sed -nE 's/.*"level": *"?[A-Za-z ]*([1-5]).*"difficulty_expected": *([0-9.]+).*/\1 \2/p' >"$out/levels.txt"
    echo "difficulty beside MATH's own level, $(wc -l <"$out/levels.txt") problems: rank correlation $(spearman <"$out/levels.txt")"
    ./evaluate --compare "$out/bench-base" "$out/bench-sft" "$out/bench-rl"
} | tee "$out/report.txt"
