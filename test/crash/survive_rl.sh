#!/usr/bin/env bash
# train_rl's part of survive.sh: evaluations and rollouts that are abandoned and repeated, a stop among several
# updates, a step that fails while a signal is pending, the user's files among the rollouts.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
wants 0 train "$work/sft" --epochs 2 --export-dtype fp32
hard_problems
rules=(--model "$work/sft" --data "$work/data/rl" --eval-data "$work/data/rl" "${rules[@]}" --eval-every 1 --eval-samples 2 --steps 5
    --prompts-per-step 4 --prompts-per-update 1 --overlong-buffer 20)

reinforce() { # OUT, options
    local out=$1
    shift
    ./train_rl "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}
in_background() {
    local out=$1
    shift
    ./train_rl "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}
bits_of_log() { sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"; }
same_rollouts() { diff -r "$1/rollouts" "$2/rollouts" >"$work/stderr" || failed "$3: other responses"; }

calm=$work/calm
begun=$(milliseconds)
wants 0 reinforce "$calm"
length=$(($(milliseconds) - begun))

# Wherever a signal comes, in the sampling of an evaluation or a step, among updates or between, the bits are those of a run without one.
a_signal_anywhere() {
    local out=$work/anywhere tries=6 i status stops=0 within saved steps
    [ "$mode" = short ] || tries=60
    RANDOM=$seed
    for ((i = 0; i < tries; i++)); do
        within=$((i % 2 * 25))
        in_background "$out" --stop-within $within --save-every $((i % 3))
        sleep "$(printf '%d.%03d' $((RANDOM % length / 1000)) $((RANDOM % length % 1000)))"
        kill -TERM $trainer 2>/dev/null || true
        status=0
        wait $trainer || status=$?
        [ $status != 0 ] || { rm -rf "$out" && continue; }
        [ $status = 143 ] && continue # before the first line of the program was reached
        [ $status = 75 ] || failed "exit status $status after SIGTERM with SEED=$seed"
        says "stopping: a step that is not done within $within seconds is given up"
        grep -q "^stopped by a signal" "$work/stdout" || failed "that it was stopped is not said"
        stops=$((stops + 1))
        saved=$([ ! -d "$out/checkpoints" ] && echo 0 || newest_step "$out")
        steps=$(grep -c '"reward/mean"' "$out/log.jsonl" || true)
        [ "$saved" = "$steps" ] || grep -q "in the middle of step $((steps + 1))'s updates" "$work/stdout" ||
            failed "$steps steps were finished and $saved are saved, with SEED=$seed"
    done
    [ $stops -gt 0 ] || failed "no run was stopped"
    wants 0 reinforce "$out"
    same_rollouts "$calm" "$out" "stopped"
    same_run "$calm" "$out" "$stops times SIGTERM anywhere (SEED=$seed): what is finished is saved, and the bits are the same"
    rm -rf "$out"
}

# The first evaluation takes longer than anybody waits.
an_evaluation_is_given_up() {
    local out=$work/long status=0
    in_background "$out" --eval-samples 4000
    until [ -e "$out/log.jsonl" ] || ! kill -0 $trainer; do sleep 0.01; done
    kill -INT $trainer
    wait $trainer || status=$?
    [ $status = 75 ] || failed "exit status $status after SIGINT in an evaluation"
    ! grep -q '"event": "eval"' "$out/log.jsonl" || failed "the evaluation was made"
    grep -q "before the end of the first step; the same command begins again" "$work/stdout" || failed "what to do is not said"
    wants 0 reinforce "$out"
    same_run "$calm" "$out" "an evaluation is given up on a signal, and made again"
    rm -rf "$out"
}

# The second of a step's updates finds what the first, at this rate, has made of the weights. The signal comes with the last of the
# grader's answers, when sampling is over: it waits while the step fails, and is no reason to hide that.
a_failure_is_told_in_spite_of_a_signal() {
    local out=$work/fails status=0 answers
    local grader='while read -r line; do q=${line#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": $((${#line} % 7))}"; done'
    local with=(--eval-every 0 --grader "$grader" --grader-sandbox none --grader-processes 1 --overlong-buffer 0)
    wants 1 reinforce "$out" "${with[@]}" --lr 1e30
    says "step 1: the gradient is not finite; lower --lr; there is no checkpoint yet"
    answers=$(wc -l <"$out/grader.jsonl")
    rm -rf "$out"
    strace -o "$work/trace" -e inject=getppid:error=ESTALE:when=1 true 2>/dev/null || {
        skipped "a signal in a step that fails: no strace here"
        return
    }
    strace -f -o "$work/trace" -P "$out/grader.jsonl" -e inject="write:signal=TERM:when=$answers" \
        ./train_rl "${rules[@]}" --out "$out" "${with[@]}" --lr 1e30 >"$work/stdout" 2>"$work/stderr" || status=$?
    says "stopping: "
    [ $status = 1 ] || failed "exit status $status where a step failed and a signal had come"
    says "step 1: the gradient is not finite"
    [ ! -e "$out/checkpoints" ] || failed "half a step was saved"
    rm -rf "$out"
    status=0
    strace -f -o "$work/trace" -P "$out/grader.jsonl" -e inject="write:signal=TERM:when=$answers" \
        ./train_rl "${rules[@]}" --out "$out" "${with[@]}" --stop-within 0 >"$work/stdout" 2>"$work/stderr" || status=$?
    [ $status = 75 ] || failed "exit status $status after a signal before the updates"
    grep -q "stopped by a signal before the end of the first step" "$work/stdout" || failed "the updates were not given up"
    proved "a step that fails while a signal waits ends with 1 and its error; one that does not is given up before its updates"
}

what_others_keep_there() {
    local out=$work/shared
    mkdir -p "$out/rollouts"
    for name in step-1.jsonl.gz step-notes.txt step-01.jsonl step-9.json notes step-2.jsonl.old; do
        echo mine >"$out/rollouts/$name"
    done
    echo half >"$out/rollouts/step-3.jsonl.tmp-123"
    wants 0 reinforce "$out" --steps 2 --lr-schedule constant
    echo later >"$out/rollouts/step-7.jsonl"
    wants 0 reinforce "$out" --steps 3 --lr-schedule constant
    grep -q "it had 2 steps and has 3 now" "$work/stdout" || failed "a run with more --steps does not say so"
    [ "$(cat "$out"/rollouts/{step-1.jsonl.gz,step-notes.txt,step-01.jsonl,step-9.json,notes,step-2.jsonl.old} | sort | uniq -c)" = "      6 mine" ] ||
        failed "somebody's files among the rollouts are gone"
    [ ! -e "$out/rollouts/step-7.jsonl" ] && [ ! -e "$out/rollouts/step-3.jsonl.tmp-123" ] || failed "what a killed run leaves was left"
    [ -e "$out/rollouts/step-1.jsonl" ] && [ -e "$out/rollouts/step-3.jsonl" ] || failed "the run's own are not there"
    proved "rollouts: what a run has not written is not removed"
}

# A grader that does not work, and options of this program in its advice: before the first step.
what_is_known_before_the_first_step() {
    wants 1 reinforce "$work/none" --grader "while read -r line; do exit 3; done" --grader-sandbox none
    says "its first question has no answer"
    [ ! -e "$work/none/log.jsonl" ] || failed "a run began with a grader that does not work"
    wants 1 reinforce "$work/none" --max-prompt-tokens 5
    says "longer than --max-prompt-tokens 5"
    wants 1 reinforce "$work/none" --max-new-tokens 4096
    says "--max-prompt-tokens + --max-new-tokens, 4160: the model's max_position_embeddings is 512"
    proved "a grader that does not work is known before the first step; advice names this program's options"
}

# Higher is better; each evaluation is of a saved step, so that there is something to keep.
the_best_checkpoint_stays() {
    local out=$work/best best
    wants 0 reinforce "$out" --keep-best eval/acc/mean@2 --keep-checkpoints 1 --save-every 0 --lr 3e-2
    best=$(sed -n 's,^{"event": "eval"\, "step": \([1-9][0-9]*\)\, .*"eval/acc/mean@2": \([0-9.e-]*\).*,\1 \2,p' "$out/log.jsonl" | sort -s -gr -k2,2 | head -n 1)
    [ -n "$best" ] && [ "$(tr '\n' ' ' <"$out/checkpoints/best")" = "step-${best% *} eval/acc/mean@2 ${best#* } " ] ||
        failed "the best is step $best, and named is $(cat "$out/checkpoints/best")"
    [ -e "$out/checkpoints/step-${best% *}/MANIFEST.json" ] && [ -e "$out/checkpoints/step-5/MANIFEST.json" ] || failed "the best or the newest is gone"
    wants 1 reinforce "$work/none" --keep-best eval_loss
    says "this run's evaluations have no such figure; they have eval/acc/mean@2, eval/acc/pass@2, "
    proved "the best checkpoint by eval/acc/mean@2 stays"
    rm -rf "$out" "$work/none"
}

a_signal_anywhere
an_evaluation_is_given_up
a_failure_is_told_in_spite_of_a_signal
what_others_keep_there
what_is_known_before_the_first_step
the_best_checkpoint_stays
