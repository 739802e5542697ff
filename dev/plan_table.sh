#!/usr/bin/env bash
# Makes the README's table of what a training step needs of a GPU's memory: what `train_sft --plan --device cuda` says for Qwen3
# of four sizes with documents and micro-batches of 4,096 and 16,384 tokens, layers computed again going back, and both types of
# moments. No GPU is needed. A card counts as large enough when 1 GiB of what nvidia-smi shows is left for CUDA itself: 81,559 MiB
# on an H100, 143,771 MiB on an H200. The program is ./train_sft, or the argument.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-./train_sft}
h100=$((81559 - 1024)) h200=$((143771 - 1024))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# One document of so many tokens: only its length matters here.
row() {
    awk -v n="$1" 'BEGIN { printf "{\"ids\": ["; for (i = 0; i < n; i++) printf "%s%d", i ? ", " : "", i % 1000; print "]}" }'
}
for tokens in 4096 16384; do row $tokens >"$folder/$tokens.jsonl"; done

# planned CONFIG TOKENS MOMENTS: MiB
planned() {
    "$program" --init "$1" --data "$folder/$2.jsonl" --out "$folder/out" --device cuda --plan --seq-len "$2" \
        --micro-batch-tokens "$2" --slots 1 --recompute layer --moments "$3" --steps 1 |
        sed -n 's/^in all  *\([0-9.]*\) MiB.*/\1/p'
}

echo "| model | moments | micro-batch | memory | one H100 (80 GB) | one H200 (141 GB) |"
echo "|---|---|---|---|---|---|"
for size in 0.6B 1.7B 4B 8B; do
    config=dev/bench/qwen3-$(echo $size | tr B b).json
    for moments in fp32 bf16; do
        for tokens in 4096 16384; do
            mebibytes=$(planned "$config" $tokens $moments)
            [ -n "$mebibytes" ] || { echo "plan_table: $program --plan gave no total for $config" >&2; exit 1; }
            awk -v m="$mebibytes" -v h100=$h100 -v h200=$h200 -v size=$size -v moments=$moments -v tokens=$tokens 'BEGIN {
                printf "| Qwen3-%s | %s | %d | %.1f GB | %s | %s |\n", size, moments, tokens, m * 1048576 / 1e9,
                       m <= h100 ? "yes" : "no", m <= h200 ? "yes" : "no" }'
        done
    done
done
