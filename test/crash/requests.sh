#!/usr/bin/env bash
# What a user asks of a run by files in its folder: SAVE, a checkpoint at once; STOP, an end with one. Of both trainers, on one rank and
# on several.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
wants 0 train "$work/sft" --epochs 2 --export-dtype fp32
hard_problems
rules=(--model "$work/sft/model" --data "$work/data/rl" "${rules[@]}" --steps 12 --prompts-per-step 2 --prompts-per-update 2)
out=$work/out

tune() { ./train_sft "${recipe[@]}" --epochs 20 --save-every 1000 --out "$@" >"$work/stdout" 2>"$work/stderr"; }
reinforce() { ./train_rl "${rules[@]}" --save-every 1000 --out "$@" >"$work/stdout" 2>"$work/stderr"; }

waits_until() { # command...
    local end=$((SECONDS + 30))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || failed "in vain for half a minute: $*"
        kill -0 "$trainer" 2>/dev/null || return 0
        sleep 0.005
    done
}

# PROGRAM, CALM OUT, options: SAVE, then STOP, then to the end. On a busy machine the run may end before it is asked.
asked() {
    local program=$1 calm=$2 status step
    shift 2
    for _ in $(seq 20); do
        rm -rf "$out"
        $program "$out" "$@" &
        trainer=$!
        wait_for_step "$out" 2
        touch "$out/SAVE"
        waits_until [ ! -e "$out/SAVE" ]
        if kill -0 $trainer 2>/dev/null; then
            [ -n "$(newest_step "$out")" ] || failed "SAVE is gone, and there is no checkpoint"
            grep -qE "^saved after step [0-9]+, as $out/SAVE asked for" "$work/stdout" || failed "that it has saved is not said"
        fi
        touch "$out/STOP"
        status=0
        wait $trainer || status=$?
        [ $status = 0 ] || break
    done
    [ $status = 75 ] || failed "exit status $status after STOP"
    [ ! -e "$out/STOP" ] && [ -e "$out/STOPPED" ] || failed "STOP has not become STOPPED"
    grep -q "^stopped by STOP in its folder, which is STOPPED now, and saved after step" "$work/stdout" || failed "that it was stopped is not said"
    wants 0 $program "$out" "$@"
    [ ! -e "$out/STOPPED" ] || failed "STOPPED is there after the next start"
    same_run "$calm" "$out" "$program ${*:-}: saved for SAVE, stopped for STOP, and the same bits"
    rm -rf "$out"
}

# One that is there at the start holds, too: it may have come while the run was prepared.
a_run_that_is_to_stop_does_not_begin() {
    mkdir "$out"
    touch "$out/STOP"
    wants 75 tune "$out"
    ! grep -q '"step": 1' "$out/log.jsonl" || failed "a step was made"
    [ ! -e "$out/STOP" ] || failed "STOP is still there"
    wants 0 tune "$out"
    proved "STOP before the first step ends the run there, once"
    rm -rf "$out"
}

wants 0 tune "$work/calm"
wants 0 reinforce "$work/calm-rl"
asked tune "$work/calm"
asked tune "$work/calm" --ranks 3
asked reinforce "$work/calm-rl"
asked reinforce "$work/calm-rl" --ranks 2
a_run_that_is_to_stop_does_not_begin
