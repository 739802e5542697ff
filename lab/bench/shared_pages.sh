#!/usr/bin/env bash
# What it saves a rollout on the CPU that a prompt's pages are read once for all of its samples: sampled tokens a second, of this tree and
# of another one, built from a commit before, in turns; who goes first changes. Two prompts of 1,024 tokens (the demonstration's model takes
# 2,048), 8 samples of up to 512 each. Arguments: the other tree; turns (6); threads (0: all of them); a config.json (the demonstration's). Both trees need
# build/rl_bench. The last line has the median of the turns.
set -euo pipefail
cd "$(dirname "$0")/../.."
before=${1:?the other tree} turns=${2:-6} threads=${3:-0} config=${4:-dev/demo/config.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp dev/demo/tokenizer/* "$work"
cp "$config" "$work/config.json"

speed() { # of a tree: sampled tokens a second
    "$1/build/rl_bench" --model "$work" --device cpu --threads "$threads" --prompts 2 --samples 8 --prompt 1024 --new 512 --steps 1 --per-update 2 --micro-batch 4096 |
        sed -nE '$s/.*"generate_tokens_per_second": ([0-9.]+).*/\1/p'
}
for turn in $(seq "$turns"); do
    if [ $((turn % 2)) = 1 ]; then each=$(speed "$before") && once=$(speed .); else once=$(speed .) && each=$(speed "$before"); fi
    echo "$each $once" | awk '{ printf "for each sample: %.0f tokens/s; once: %.0f (%.2f)\n", $1, $2, $2 / $1 }'
done | tee "$work/turns"
sed -E 's/.*\((.*)\)/\1/' "$work/turns" | sort -n | awk '{ r[NR] = $1 } END { print "median: " (r[int((NR + 1) / 2)] + r[int(NR / 2) + 1]) / 2 " times as fast" }'
