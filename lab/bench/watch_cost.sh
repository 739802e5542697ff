#!/usr/bin/env bash
# What --watch costs a step: tokens/s with a page that is open in a client (curl, which takes all events), beside tokens/s without one, in
# turns, by medians of each run's steps; and how long the page's thread ran, which a busy machine does not change much. A model of some
# 13 million parameters, one thread. Argument: turns (5).
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

# What the thread "live page" of process $1 has run, in nanoseconds, as long as there is one.
look_at_thread() {
    local comm
    for comm in /proc/"$1"/task/*/comm; do
        [ "$(cat "$comm" 2>/dev/null)" = "live page" ] || continue
        while cut -d ' ' -f 1 "${comm%comm}schedstat" >"$work/look" 2>/dev/null; do
            cp "$work/look" "$work/ran"
            sleep 0.1
        done
    done
}

rate() { # options: the median of its steps' tokens/s, and the thread's share of the time
    local trainer url='' began
    rm -rf "$work/out" "$work/told"
    echo 0 >"$work/ran"
    began=$(date +%s%N)
    ./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/rows.jsonl" --out "$work/out" \
        --steps 25 --global-batch 8 --micro-batch-tokens 2048 --seq-len 512 --device cpu --threads 1 --instruction none --save-every 0 "$@" \
        >"$work/said" 2>"$work/told" &
    trainer=$!
    if [ $# -gt 0 ]; then
        until [ -n "$url" ]; do
            sleep 0.01
            url=$(sed -nE 's/.*watch it at (http:[^ ]*)$/\1/p' "$work/told")
        done
        look_at_thread $trainer &
        curl -sN "${url}events" >"$work/events" || true
        wait $!
    fi
    wait $trainer
    sed -nE 's/.*"step": [0-9]+, .*"tokens_per_second": ([0-9.]+).*/\1/p' "$work/out/log.jsonl" | sort -n | sed -n 13p
    awk -v took=$(($(date +%s%N) - began)) '{ print $1 / took }' "$work/ran"
}

for turn in $(seq "$turns"); do
    echo "$(rate) $(rate --watch 0)" | tr '\n' ' '
    echo
done | awk '{ r[NR] = $3 / $1; if ($4 > most) most = $4; print "without " $1 " tokens/s, watched " $3 ", its thread ran " 100 * $4 "% of the time" }
    END { n = NR; for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (r[j] < r[i]) { t = r[i]; r[i] = r[j]; r[j] = t }; printf "watched / without: median %.4f of %d turns (%.4f to %.4f); the thread: at most %.3f%%\n", r[int((n + 1) / 2)], n, r[1], r[n], 100 * most }'
