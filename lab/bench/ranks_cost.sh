#!/usr/bin/env bash
# What several ranks cost on CPUs: tokens/s of two ranks of one thread beside one process of two threads, in turns, by medians of each
# run's steps. A model of some 13 million parameters: 8 steps of 128 documents; then 2 steps of reinforcement learning, of 128
# responses of up to 96 tokens. Needs build/demo_problems; argument: turns (3).
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/demo_problems train 1 5 300 >"$work/rows.jsonl"

rate() { # name, options: the median of its steps' tokens/s
    rm -rf "$work/out"
    ./train_sft --init lab/bench/qwen3-13m.json --tokenizer dev/demo/tokenizer --template chatml --data "$work/rows.jsonl" --out "$work/out" \
        --steps 8 --global-batch 128 --micro-batch-tokens 2048 --seq-len 512 --device cpu --instruction none --save-every 0 "$@" >"$work/said"
    sed -nE 's/.*"step": [0-9]+, .*"tokens_per_second": ([0-9.]+).*/\1/p' "$work/out/log.jsonl" | sort -n | sed -n 4p
}

rl() { # options: responses' and prompts' tokens/s in all steps; of these the updates' seconds
    rm -rf "$work/rl"
    ./train_rl --model "$work/model" --template chatml --data "$work/hard/rl" --out "$work/rl" --steps 2 --prompts-per-step 16 \
        --prompts-per-update 8 --samples-per-prompt 8 --max-prompt-tokens 64 --max-new-tokens 96 --micro-batch-tokens 2048 --sequences 64 --device cpu --save-every 0 "$@" >"$work/said"
    sed -nE 's/.*"timing_s\/update_actor": ([0-9.e-]+).*"perf\/total_num_tokens": ([0-9]+), "perf\/time_per_step": ([0-9.e-]+).*/\1 \2 \3/p' "$work/rl/log.jsonl" |
        awk '{ updates += $1; tokens += $2; seconds += $3 } END { print tokens / seconds, updates }'
}

for turn in $(seq "$turns"); do
    one=$(rate --threads 2)
    two=$(rate --ranks 2 --threads 1)
    divided=$(rate --ranks 2 --threads 1 --shard weights)
    echo "$one $two $divided" | awk '{ printf "one process of two threads %.0f tokens/s; two ranks of one thread %.0f (%.2f); with --shard weights %.0f (%.2f)\n", $1, $2, $2 / $1, $3, $3 / $1 }'
done

rate --threads 2 >"$work/unused"
mv "$work/out/model" "$work/model"
./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/hard" "$work/rows.jsonl" >"$work/said"
for turn in $(seq "$turns"); do
    one=$(rl --threads 2)
    two=$(rl --ranks 2 --threads 1)
    echo "$one $two" | awk '{ printf "reinforcement learning: %.0f tokens/s; two ranks of one thread %.0f (%.2f); updates %.2f s and %.2f s (%.2f)\n", $1, $3, $3 / $1, $2, $4, $4 / $2 }'
done
