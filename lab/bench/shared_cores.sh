#!/usr/bin/env bash
# A training run that shares its cores: the demonstration's fine-tuning alone, and beside a busy loop on every core. The fair share
# of the loaded machine is half of what the run makes alone. Beside it in the same run: OpenMP's own way to wait (spinning), and
# sleeping at once. Two or three minutes; a quiet machine matters.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5} steps=${2:-80}
work=$(mktemp -d)
loops=()
finish() {
    [ ${#loops[@]} = 0 ] || kill "${loops[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
build/demo_problems train 1 3 400 >"$work/problems.jsonl"

# the environment's settings, as words: seconds of one run
seconds() {
    local begun=$EPOCHREALTIME
    env "$@" ./train_sft --init dev/demo/config.json --tokenizer dev/demo/tokenizer --template chatml --instruction none \
        --data "$work/problems.jsonl" --out "$work/out" --steps "$steps" --global-batch 32 --slots 1 --micro-batch-tokens 4096 --seq-len 256 \
        --device cpu --lr 2e-3 >/dev/null
    echo "$begun $EPOCHREALTIME" | awk '{ printf "%.3f\n", $2 - $1 }'
    rm -rf "$work/out"
}
ways=(X=ours GOMP_SPINCOUNT=300000 OMP_WAIT_POLICY=passive)
measure() { # $1: a file for each way's seconds
    local round way
    for ((round = 0; round < rounds; round++)); do
        for way in "${ways[@]}"; do
            seconds "$way" >>"$work/$1-$way"
        done
    done
}
median() { sort -n "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

seconds X=warm >/dev/null
measure alone
for ((core = 0; core < $(nproc); core++)); do
    while :; do :; done &
    loops+=($!)
done
measure loaded
best=$(median "$work/alone-GOMP_SPINCOUNT=300000")
echo "way to wait                alone, s   of spinning's speed   beside loops, s   of the fair share"
for way in "${ways[@]}"; do
    name=${way/X=ours/ours}
    echo "$(median "$work/alone-$way") $(median "$work/loaded-$way") $best" |
        awk -v name="$name" '{ printf "%-25s %9.2f %21.2f %17.2f %19.2f\n", name, $1, $3 / $1, $2, 2 * $3 / $2 }'
done
