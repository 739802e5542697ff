#!/usr/bin/env bash
# What --watch costs a step: tokens/s with a page that is open in a client (curl, which takes all events), beside tokens/s without one, in
# turns, by medians of each run's steps. A model of some 13 million parameters, steps of a second or less. Argument: turns (5).
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/config.json" <<END
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 384, "num_hidden_layers": 8,
 "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 64, "intermediate_size": 1024, "vocab_size": 1152,
 "max_position_embeddings": 512, "rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
 "tie_word_embeddings": true, "initializer_range": 0.02, "eos_token_id": 1130}
END
build/demo_problems train 1 5 300 >"$work/rows.jsonl"

rate() { # options: the median of its steps' tokens/s
    rm -rf "$work/out"
    ./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/rows.jsonl" --out "$work/out" \
        --steps 24 --global-batch 32 --micro-batch-tokens 2048 --seq-len 512 --device cpu --instruction none --save-every 0 "$@" >"$work/said" 2>"$work/told" &
    local trainer=$! url=
    if [ $# -gt 0 ]; then
        until [ -n "$url" ]; do
            url=$(sed -nE 's/.*watch it at (http:[^ ]*)$/\1/p' "$work/told")
            sleep 0.01
        done
        curl -sN "${url}events" >"$work/events" || true
    fi
    wait $trainer
    sed -nE 's/.*"step": [0-9]+, .*"tokens_per_second": ([0-9.]+).*/\1/p' "$work/out/log.jsonl" | sort -n | sed -n 12p
}

for turn in $(seq "$turns"); do
    without=$(rate)
    with=$(rate --watch 0)
    echo "$without $with"
    echo "without $without tokens/s, watched $with" >&2
done | awk '{ print $2 / $1 }' | sort -n | awk '{ r[NR] = $1 } END { printf "watched / without: median %.4f of %d turns (%.4f to %.4f)\n", r[int((NR + 1) / 2)], NR, r[1], r[NR] }'
