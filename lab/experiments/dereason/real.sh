#!/usr/bin/env bash
# The recipe on a real language model, from difficulty to scores: it rates problems of GSM8K and MATH (beside MATH's own level), solves the
# easy ones itself, eight times each, of which the first right response is kept, learns from these (SFT), then from its right and wrong
# answers to the hard ones (GRPO), and is evaluated on GSM8K and MATH-500 before and after each.
#
#   lab/experiments/dereason/real.sh --model FOLDER --gsm8k-train F --gsm8k-test F --math-train F --math500 F --out OUT [--size smoke|gpu]
#       [--tau N]
#
# Data: JSONL with question or problem, answer, and, of MATH, level (1 to 5). smoke: small sizes for two cores, which show that every stage
# works and nothing about the method; gpu: larger ones, not run so far. Started again it continues. OUT/report.txt has the figures. --tau is 4,
# since a model of half a billion parameters calls nearly everything 4 or 5.
set -euo pipefail
cd "$(dirname "$0")/../../.."
size=smoke model="" out="" tau=4
declare -A file
while [ $# -gt 0 ]; do
    case $1 in
    --model) model=$2 ;;
    --out) out=$2 ;;
    --size) size=$2 ;;
    --tau) tau=$2 ;;
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
smoke) rows=48 solved=4 taught=24 tokens=384 epochs=2 batch=8 rl_steps=2 prompts=4 samples=8 questions=16 ;;
gpu) rows=1000 solved=8 taught=400 tokens=1024 epochs=2 batch=32 rl_steps=10 prompts=32 samples=8 questions=200 ;;
*) echo "real.sh: --size $size: smoke or gpu" >&2 && exit 2 ;;
esac
mkdir -p "$out"
stage() { # FILE that it makes, command: unless it is there
    local made=$1 begun=$SECONDS
    shift
    [ ! -e "$made" ] || return 0
    "$@" >>"$out/log.txt" 2>&1 || { echo "real.sh: failed: $*; its words are in $out/log.txt" >&2 && exit 1; }
    echo "$((SECONDS - begun)) s: $*" >>"$out/commands.txt"
}

# every N-th row, so that all levels are there
some() { awk -v most="$2" '{ row[NR] = $0 } END { for (i = 0; i < most && i < NR; i++) print row[1 + int(i * NR / most)] }' "$1"; }
[ -e "$out/problems.jsonl" ] || {
    some "${file[gsm8k-train]}" "$rows" | sed -E 's/"(solution|difficulty)": *"([^"\\]|\\.)*", *//g; s/^\{/{"source": "gsm8k", /'
    some "${file[math-train]}" "$rows" | sed -E 's/"(solution|difficulty)": *"([^"\\]|\\.)*", *//g; s/^\{/{"source": "math", /'
} >"$out/problems.jsonl"

# 1. difficulty, by the model's own probabilities of the digits 1 to 5; and, to compare, by how often it solves a problem
stage "$out/scored.jsonl" ./score --model "$model" --data "$out/problems.jsonl" --out "$out/scored.jsonl"
stage "$out/solved.jsonl" ./score --model "$model" --data "$out/problems.jsonl" --out "$out/solved.jsonl" --method pass-rate --samples "$solved" \
    --max-new-tokens "$tokens"

# 2. the easy part for SFT, the hard part for RL
stage "$out/data/split.json" ./prepare --tokenizer "$model" --tau "$tau" --out "$out/data" "$out/scored.jsonl"

# 3. its own solutions of the easy part: eight of each, the first right one is kept
[ -e "$out/easy.jsonl" ] || head -n "$taught" "$out/data/sft/prompts.jsonl" >"$out/easy.jsonl"
stage "$out/taught.jsonl" ./generate --model "$model" --prompts "$out/easy.jsonl" --samples 8 --max-new-tokens "$tokens" --out "$out/taught.jsonl"
stage "$out/taught/sft" ./prepare --tokenizer "$model" --verify best-of-k --out "$out/taught" "$out/taught.jsonl"

# 4. SFT, then GRPO
stage "$out/sft/model" ./train_sft --model "$model" --data "$out/taught/sft" --out "$out/sft" --epochs "$epochs" --global-batch "$batch" --slots 1 \
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
of_math() { # FILE, FIELD: MATH's level and this field, a line for each problem
    grep '"source": *"math"' "$1" | sed -nE "s/.*\"level\": *\"?[A-Za-z ]*([1-5]).*\"$2\": *([0-9.]+).*/\1 \2/p"
}
beside_levels() { # name, FILE, FIELD
    echo "$1 beside MATH's own level, $(of_math "$2" "$3" | wc -l) problems: rank correlation $(of_math "$2" "$3" | spearman)"
    of_math "$2" "$3" | sort -n | awk '{ n[$1]++; s[$1] += $2 } END { for (l = 1; l <= 5; l++) if (n[l]) printf "  level %d: %d problems, mean %.2f\n", l, n[l], s[l] / n[l] }'
}
{
    echo "$(date +%F), $(./train_sft --version | head -n 1), --size $size; commands and their seconds: commands.txt"
    beside_levels "difficulty (difficulty_expected)" "$out/scored.jsonl" difficulty_expected
    beside_levels "pass rate of $solved responses" "$out/solved.jsonl" pass_rate
    ./evaluate --compare "$out/bench-base" "$out/bench-sft" "$out/bench-rl"
} | tee "$out/report.txt"
