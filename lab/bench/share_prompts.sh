#!/usr/bin/env bash
# What --share-prompts saves of a GRPO step on the CPU: the demonstration's model, 16 prompts of 64 tokens, 8 responses of 63 on average, with
# and without, in turns, who goes first changes. Argument: turns (6). The last line has the medians of the turns.
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-6}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp dev/demo/config.json dev/demo/tokenizer/* "$work"

seconds() { # 0 or 1: of a step, and of its update
    build/rl_bench --model "$work" --device cpu --prompts 16 --samples 8 --prompt 64 --new 112 --steps 4 --per-update 16 --micro-batch 4096 --share-prompts "$1" |
        sed -nE '$s/.*"step_seconds": ([0-9.]+).*"update_seconds": ([0-9.]+).*/\1 \2/p'
}
for turn in $(seq "$turns"); do
    if [ $((turn % 2)) = 1 ]; then copies=$(seconds 0) && once=$(seconds 1); else once=$(seconds 1) && copies=$(seconds 0); fi
    echo "$copies $once" | awk '{ printf "copies: step %.3f s, update %.3f; once: %.3f, %.3f (%.2f, %.2f)\n", $1, $2, $3, $4, $1 / $3, $2 / $4 }'
done | tee "$work/turns"
median() { sed -E "s/.*\(([0-9.]+), ([0-9.]+)\)/\\$1/" "$work/turns" | sort -n | awk '{ r[NR] = $1 } END { print (r[int((NR + 1) / 2)] + r[int(NR / 2) + 1]) / 2 }'; }
echo "median: a step $(median 1) times as fast, its update $(median 2)"
