#!/usr/bin/env bash
# A run survives what happens to runs: a kill before the first save, a signal in the middle of anything, a disk that is
# too small or fills up, a file system that is unavailable for a moment, deleted files. And it can be extended.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
calm=$work/calm
wants 0 train "$calm"

unchanged() { # what, OUT, STATUS, command...: it ends with this status and changes nothing below OUT
    local what=$1 out=$2 status=$3 before
    shift 3
    before=$(fingerprint "$out")
    wants "$status" "$@"
    [ "$before" = "$(fingerprint "$out")" ] || failed "$what: $out was changed"
}

# ---- without being asked

a_run_is_saved_unasked() {
    local out=$work/unasked
    ./train_sft --print-config >"$work/stdout"
    grep -qx 'save-minutes = 20' "$work/stdout" && grep -qx 'save-every = 500' "$work/stdout" || failed "other defaults"
    train_in_background "$out" --save-every 500 --save-minutes 1e-6 # after each step, that is
    wait_for_step "$out" 9
    kill -9 $trainer 2>/dev/null || true
    wait $trainer 2>/dev/null || true
    [ "$(newest_step "$out")" -ge 8 ] || failed "step 9 was made, and $(newest_step "$out") is saved"
    wants 0 train "$out"
    same_run "$calm" "$out" "kill -9 with default options loses an interval of --save-minutes, and no bit"
    rm -rf "$out"
}

# There would be time for thousands of steps until --stop-within is over.
a_signal_is_the_end_of_the_step() {
    local out=$work/prompt status=0 begun
    train_in_background "$out" --epochs 100000 --eval-every 0
    wait_for_step "$out" 5
    kill -TERM $trainer
    begun=$SECONDS
    wait $trainer || status=$?
    [ $status = 75 ] || failed "exit status $status after SIGTERM"
    [ $((SECONDS - begun)) -lt 12 ] || failed "it went on for $((SECONDS - begun)) seconds"
    proved "after a signal no further step begins, whatever --stop-within leaves"
    rm -rf "$out"
}

what_begins_again_says_so() {
    local out=$work/lost
    train_in_background "$out" --save-every 0
    wait_for_step "$out" 3
    kill -9 $trainer 2>/dev/null || true
    wait $trainer 2>/dev/null || true
    [ ! -e "$out/checkpoints" ] || return 0 # it was done before
    local steps
    steps=$(grep -c '"loss"' "$out/log.jsonl")
    wants 0 train "$out"
    grep -qx "no checkpoint here: the $steps steps of the log are begun again" "$work/stdout" || failed "that $steps steps begin again is not said"
    same_run "$calm" "$out" "a run without a checkpoint says that the steps of its log are begun again"
    rm -rf "$out"
}

# ---- signals

stop_in() { # OUT, signal, when the log has this step, then options; the status is in $status
    local out=$1 signal=$2 step=$3
    shift 3
    train_in_background "$out" "$@"
    wait_for_step "$out" "$step"
    kill "-$signal" $trainer 2>/dev/null || true
    status=0
    wait $trainer || status=$?
}

a_step_is_given_up() {
    local out=$work/given_up status signal
    for signal in INT TERM USR1; do
        rm -rf "$out"
        stop_in "$out" $signal 5 --stop-within 0 --save-every 0
        [ $status = 75 ] || [ $status = 0 ] || failed "exit status $status after SIG$signal"
        says "stopping: a step that is not done within 0 seconds is given up"
        [ $status = 0 ] || grep -q "stopped by a signal and saved after step $(newest_step "$out")" "$work/stdout" || failed "not said to be saved"
        wants 0 train "$out"
        same_run "$calm" "$out" "SIG$signal with --stop-within 0: a step is given up, what was whole is saved, and the bits are the same"
    done
    rm -rf "$out"
}

# Both are pending when the process goes on.
both_signals_are_answered() {
    local out=$work/both status=0
    train_in_background "$out"
    wait_for_step "$out" 1
    kill -STOP $trainer && kill -INT $trainer && kill -TERM $trainer && kill -CONT $trainer || true
    wait $trainer || status=$?
    [ $status = 130 ] || { [ $status = 0 ] && return 0; } || failed "exit status $status after two signals"
    says "stopping: "
    says "stopped at once; what was saved before is whole"
    proved "the first signal is answered, and the second"
    rm -rf "$out"
}

# ---- what is not taken for absent

finished_without_checkpoints() {
    local out=$work/tidy
    cp -r "$calm" "$out"
    rm -r "$out/checkpoints"
    unchanged "a finished run without checkpoints" "$out" 1 train "$out"
    says "holds a finished run whose checkpoints are gone"
    rm "$out/log.jsonl"
    unchanged "a model of somebody's" "$out" 1 train "$out"
    says "holds no run that could have written it"
    proved "a finished run whose checkpoints were removed is not overwritten"
    rm -rf "$out" && cp -r "$calm" "$out"
    echo "# what I found" >"$out/model/README.md"
    unchanged "a model with somebody's file in it" "$out" 1 train "$out"
    says "$out/model/README.md: not written by an export, and would be deleted"
    rm "$out/model/README.md"
    cp "$out/model/config.json" "$work/config-before"
    sed -i 's/"use_cache": true/"use_cache": false/' "$out/model/config.json"
    unchanged "a model that somebody has changed" "$out" 1 train "$out"
    says "its config.json was changed"
    cp "$work/config-before" "$out/model/config.json"
    echo "an older one" >"$out/model/model.safetensors"
    wants 0 train "$out"
    same_run "$calm" "$out" "the model of a run is replaced by that run, and what somebody has put beside it is not"
    rm -rf "$out"
}

a_stat_that_fails_is_an_error() {
    local out=$work/away path call before status injected=0
    wants 0 train "$out"
    if ! strace -o "$work/trace" -e inject=getppid:error=ESTALE:when=1 true 2>/dev/null; then
        skipped "a file system that is away for a moment: no strace here"
        return
    fi
    for path in checkpoints checkpoints/step-24/shard-00000.safetensors checkpoints/step-24/MANIFEST.json log.jsonl model; do
        for call in newfstatat:error=ESTALE newfstatat:error=EACCES newfstatat:error=EIO openat:error=ESTALE; do
            before=$(fingerprint "$out")
            status=0
            strace -f -o "$work/trace" -P "$out/$path" -e inject="$call:when=1" \
                ./train_sft "${recipe[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr" || status=$?
            diff <(echo "$before") <(fingerprint "$out") >>"$work/stderr" || failed "$call of $path: $out was changed"
            grep -q INJECTED "$work/trace" || continue # it is not called
            injected=$((injected + 1))
            [ $status = 1 ] && [ "$(grep -c '^train_sft: ' "$work/stderr")" = 1 ] || failed "$call of $path is not one error, but $status"
        done
    done
    path=dev/demo/tokenizer/tokenizer.json # a model is not written without it
    for call in 1 2 3 4 5 6 7 8; do
        status=0
        strace -f -o "$work/trace" -P $path -e inject="newfstatat:error=EIO:when=$call" \
            ./train_sft "${recipe[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr" || status=$?
        diff <(echo "$before") <(fingerprint "$out") >>"$work/stderr" || failed "stat $call of $path: $out was changed"
        grep -q INJECTED "$work/trace" || break
        injected=$((injected + 1))
        [ $status = 1 ] || failed "stat $call of $path ends with $status"
    done
    [ $injected -gt 8 ] || failed "only $injected calls could be made to fail"
    proved "$injected times a stat or open fails: one error, with nothing changed"
    rm -rf "$out"
}

a_manifest_that_was_changed() {
    local out=$work/digit manifest
    stopped_run "$out"
    manifest=$out/checkpoints/step-$(newest_step "$out")/MANIFEST.json
    sed -i 's/"optimizer_step": \([0-9]*\)/"optimizer_step": 1\1/' "$manifest"
    wants 0 train "$out"
    grep -q "MANIFEST.json: it does not match its checksum" "$work/stdout" || failed "a digit of the state is not noticed"
    same_run "$calm" "$out" "a manifest with another digit in its state is passed over, and the bits are the same"
    rm -rf "$out"
}

# ---- longer

longer_is() { # LONG OUT: the same but for the evaluation at what was the end
    diff <(bits_of_log "$1") <(bits_of_log "$2" | grep -v '"event": "eval", "step": 14,') >"$work/stderr" || failed "another log"
    cmp "$1/model/model.safetensors" "$2/model/model.safetensors" >"$work/stderr" || failed "another model"
    grep -q "it had 14 steps and has 24 now" "$work/stdout" || failed "that it is longer is not said"
}

a_run_is_made_longer() {
    local out=$work/longer long=$work/long constant="--lr-schedule constant --warmup-steps 2"
    local wsd="--lr-schedule wsd --wsd-decay 0.4 --warmup-steps 2 --keep-checkpoints 20"
    # shellcheck disable=SC2086
    {
        wants 0 train "$long" --steps 24 $constant
        wants 0 train "$out" --steps 14 $constant
        wants 0 train "$out" --steps 24 $constant
        longer_is "$long" "$out"
        rm -r "$out" "$long"
        wants 0 train "$long" --steps 24 $wsd
        wants 0 train "$out" --steps 14 $wsd # its decay begins at 8.4
        unchanged "wsd in its decay" "$out" 1 train "$out" --steps 24 $wsd
        says "the learning rate of step 10 is another one; give --steps 14"
        wants 0 train "$out" --steps 24 $wsd --resume "$out/checkpoints/step-8"
        longer_is "$long" "$out"
        rm -r "$out"
    }
    wants 0 train "$out" --steps 14 --lr-schedule constant # a warm-up that is a tenth of the steps stays what it was
    wants 0 train "$out" --steps 24 --lr-schedule constant
    grep -q '"step": 2, .*"lr": 0.01,' "$out/log.jsonl" && [ -d "$out/checkpoints/step-24" ] || failed "a warm-up was made anew"
    unchanged "a cosine that has bent" "$calm" 1 train "$calm" --steps 48
    says "only --lr-schedule constant, and wsd before its decay, can be made longer"
    says "give --steps 24"
    unchanged "fewer steps than there are" "$calm" 1 train "$calm" --steps 3
    says "has 24 steps already"
    proved "a constant rate goes on with more --steps, and wsd before its decay, to the bit; a cosine does not, and says why"
    rm -rf "$out" "$long"
}

# ---- room

disk=$work/disk
mounted=no
undo() { [ "$mounted" = no ] || umount "$disk"; }
checkpoint_bytes=$(stat -c %s "$calm/checkpoints/step-24/shard-00000.safetensors")
tokenizer_bytes=$(du -sb "$calm/tokenizer" | cut -f 1)
model_bytes=$(du -sb "$calm/model" | cut -f 1)

a_disk_of() { # bytes; false: there cannot be one
    mkdir -p "$disk"
    [ "$mounted" = no ] || umount "$disk"
    mounted=no
    mount -t tmpfs -o size=$(($1 + 200000)) none "$disk" 2>/dev/null || return 1
    mounted=yes
}

room_is_looked_for_first() {
    a_disk_of $((2 * checkpoint_bytes + tokenizer_bytes + model_bytes)) || {
        skipped "a disk that is too small: mounting one is not allowed here"
        return
    }
    wants 1 train "$disk/run" --save-every 2
    says "and the run may need"
    says "checkpoints of $(awk "BEGIN { printf \"%.1f\", $checkpoint_bytes / 1e6 }") MB"
    [ ! -s "$disk/run/log.jsonl" ] || failed "a step was made"
    [[ "$(cat "$work/stderr")" =~ or\ (--keep-checkpoints\ [0-9]+), ]] || failed "no remedy is named"
    # shellcheck disable=SC2086
    wants 0 train "$disk/run" --save-every 2 ${BASH_REMATCH[1]}
    same_run "$calm" "$disk/run" "a disk for two checkpoints: refused before the first step, and the advice that is given works"
    rm -r "$disk/run"
    wants 0 train "$disk/run" --save-every 0 # one at the end fits; one each 20 minutes would not
    grep -q "saving by the clock may fill the disk: .*make room" "$work/stdout" || failed "that the disk may fill up is not said"
    same_run "$calm" "$disk/run" "where only a run that takes long would need more, that is said"
    a_disk_of $((checkpoint_bytes / 2 + tokenizer_bytes)) || return 0
    wants 1 train "$disk/run" --save-every 0
    says "make room"
    proved "a disk on which not one checkpoint fits is refused before the first step"
}

# The disk fills up while the run is at work: what fits is the model.
the_model_is_written_where_the_checkpoint_does_not_fit() {
    a_disk_of $((3 * checkpoint_bytes + tokenizer_bytes + model_bytes)) || return 0
    local status=0 left
    train_in_background "$disk/run" --save-every 0 --epochs 60
    wait_for_step "$disk/run" 1
    kill -STOP $trainer
    left=$(($(df -B1 --output=avail "$disk" | tail -n 1) - model_bytes - 150000))
    head -c $left /dev/zero >"$disk/filler"
    kill -CONT $trainer
    wait $trainer || status=$?
    [ $status = 1 ] || failed "exit status $status where the last checkpoint does not fit"
    says "but the model after all 240 steps is in $disk/run/model"
    [ -s "$disk/run/model/model.safetensors" ] || failed "and it is not there"
    [ ! -e "$disk/run/checkpoints/step-240" ] || failed "the checkpoint was to have no room"
    proved "a last checkpoint that has no room does not cost what was learned: the model is written"
}

a_run_is_saved_unasked
a_signal_is_the_end_of_the_step
what_begins_again_says_so
a_step_is_given_up
both_signals_are_answered
finished_without_checkpoints
a_stat_that_fails_is_an_error
a_manifest_that_was_changed
a_run_is_made_longer
room_is_looked_for_first
the_model_is_written_where_the_checkpoint_does_not_fit
