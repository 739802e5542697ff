#!/usr/bin/env bash
# What --watch costs: processor time of train_sft with a page that is open in a client (curl, which takes all events), beside the same
# without one, in turns; the median of a run's tokens/s, which is for quiet machines; and how long the page's thread ran. A model of some
# 13 million parameters, one thread. Argument: turns (5).
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/demo_problems train 1 5 300 >"$work/rows.jsonl"

# What the thread "live page" of process $1 has run, in nanoseconds, as long as there is one.
look_at_thread() {
    local comm ran rest
    for comm in /proc/"$1"/task/*/comm; do
        [ "$(cat "$comm" 2>/dev/null)" = "live page" ] || continue
        while { read -r ran rest <"${comm%comm}schedstat"; } 2>/dev/null; do
            echo "$ran" >"$work/ran"
            sleep 0.5
        done
    done
}
follow() { # train_sft, once it has told its address
    local url=
    until [ -n "$url" ]; do
        sleep 0.05
        url=$(sed -nE 's/.*watch it at (http:[^ ]*)$/\1/p' "$work/told")
    done
    look_at_thread "$(cat "$work/pid")" &
    curl -sN "${url}events" >"$work/events" || true
    wait
}

measure() { # options: seconds of processor time, median tokens/s, the thread's seconds
    local TIMEFORMAT='%U %S' follower=
    rm -rf "$work/out"
    : >"$work/told"
    echo 0 >"$work/ran"
    if [ $# -gt 0 ]; then
        follow &
        follower=$!
    fi
    # shellcheck disable=SC2016
    { time bash -c 'echo $$ >"$0" && exec "$@"' "$work/pid" ./train_sft --init lab/bench/qwen3-13m.json --tokenizer dev/demo/tokenizer --template chatml --data "$work/rows.jsonl" --out "$work/out" \
        --steps 15 --global-batch 8 --micro-batch-tokens 2048 --seq-len 512 --device cpu --threads 1 --instruction none --save-every 0 "$@" \
        >"$work/said" 2>"$work/told"; } 2>"$work/time"
    [ -z "$follower" ] || wait "$follower"
    awk -v tokens="$(sed -nE 's/.*"step": [0-9]+, .*"tokens_per_second": ([0-9.]+).*/\1/p' "$work/out/log.jsonl" | sort -n | sed -n 8p)" \
        -v ran="$(cat "$work/ran")" '{ print $1 + $2, tokens, ran / 1e9 }' "$work/time" >>"$work/measured"
}

for turn in $(seq "$turns"); do
    measure
    measure --watch 0
done
awk 'NR % 2 == 1 { without = $1; tokens = $2; next }
    { r[++n] = $1 / without; share = $3 / $1; if (share > most) most = share
      printf "without %.2f s of processor time, watched %.2f (%.4f), of these its thread %.4f; tokens/s %.0f and %.0f\n", without, $1, r[n], $3, tokens, $2 }
    END { for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (r[j] < r[i]) { t = r[i]; r[i] = r[j]; r[j] = t }
      printf "watched / without: median %.4f of %d turns (%.4f to %.4f); the thread: at most %.3f%% of the processor time\n", r[int((n + 1) / 2)], n, r[1], r[n], 100 * most }' "$work/measured"
