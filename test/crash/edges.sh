#!/usr/bin/env bash
# Options at the ends of their ranges, and long runs in miniature: the model goes on learning. And a run does not end
# when the reader of its output does.
. "$(dirname "$0")/common.bash"
for i in 1 2 3 4; do
    echo "{\"ids\": [$i, 11, 12, 13, 14, 15]}"
done >"$work/ids.jsonl"
recipe=(--model test/fixtures/models/tied --data "$work/ids.jsonl" --global-batch 4 --slots 1 --threads 1 --warmup-steps 0
    --lr-schedule constant --device cpu)

loss_of() { sed -n 's/.*"step": '"$2"', "loss": \([^,]*\),.*/\1/p' "$1/log.jsonl"; }

# Every step sees the same four rows, so a step that changes the weights changes the loss.
learns() {                                                     # options
    local out=$work/edge
    wants 0 train "$out" --steps 3 --lr 1e-3 "$@"
    awk -v a="$(loss_of "$out" 1)" -v b="$(loss_of "$out" 3)" 'BEGIN { exit b < a - 1e-4 ? 0 : 1 }' ||
        failed "with $* the loss goes from $(loss_of "$out" 1) to $(loss_of "$out" 3)"
    rm -rf "$out"
    proved "the loss falls with $*"
}

# 1e-2^155 is below the smallest normal double, as 0.9^6,735 is: the bias correction must be 1 by then, and not something else.
learns_for_long() {
    local out=$work/long
    wants 0 train "$out" --steps 170 --lr 1e-4 --beta1 1e-2
    awk -v a="$(loss_of "$out" 160)" -v b="$(loss_of "$out" 170)" 'BEGIN { exit a > 0 && b < a ? 0 : 1 }' ||
        failed "the loss stays at $(loss_of "$out" 160) once beta1^step is no longer a number of its own: $(loss_of "$out" 170)"
    proved "a run of many steps goes on learning when beta1^step is too small to be a number"
}

a_reader_that_leaves_ends_nothing() {
    local status
    set +e
    ./train_sft "${recipe[@]}" --steps 20 --out "$work/piped" 2>"$work/stderr" | head -n 1 >"$work/stdout"
    status=${PIPESTATUS[0]}
    set -e
    [ "$status" = 0 ] || failed "exit status $status when the reader of the output left"
    [ "$(grep -c '"loss"' "$work/piped/log.jsonl")" = 20 ] || failed "steps are missing in the log"
    proved "a run whose output is no longer read goes on to its end"
    wants 0 train "$work/full" --steps 2
    wants 0 ./train_sft "${recipe[@]}" --steps 2 --out "$work/again" >/dev/full 2>"$work/stderr"
    same_run "$work/full" "$work/again" "a full terminal changes nothing"
    wants 1 ./train_sft "${recipe[@]}" --plan --out "$work/planned" >/dev/full 2>"$work/stderr"
    says "No space left"
    proved "a plan that could not be printed is an error"
}

learns --beta1 0
learns --beta2 0
learns --beta1 0 --beta2 0
learns --grad-clip 0
learns --grad-clip 1e-6
learns --eps 1e-12 --weight-decay 0.1
learns --moments bf16
learns --micro-batch-tokens 1
learns --slots 4096 --steps 3
learns_for_long
a_reader_that_leaves_ends_nothing
