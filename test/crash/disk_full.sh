#!/usr/bin/env bash
# A disk without room, or a limit on the size of files, while a run saves, logs or exports: one error that names the
# file, the older checkpoint stays, and once there is room the same command ends with the bits of an undisturbed run.
. "$(dirname "$0")/common.bash"
tiny_recipe
calm=$work/calm
wants 0 train "$calm"
disk=$work/disk
mounted=no
undo() { [ "$mounted" = no ] || umount "$disk"; }

checkpoint_bytes=$(stat -c %s "$calm/checkpoints/step-24/shard-00000.safetensors")
tokenizer_bytes=$(stat -c %s "$calm/tokenizer/tokenizer.json")
model_bytes=$(stat -c %s "$calm/model/model.safetensors")
[ "$model_bytes" -gt $((tokenizer_bytes + 2048)) ] || failed "the model is too small for this test"

with_files_of_at_most() {                                      # bytes, OUT, options; core dumps are files as well
    local kilobytes=$(($1 / 1024))
    shift
    (
        ulimit -c 0
        ulimit -f "$kilobytes"
        train "$@"
    )
}

one_error() {                                                  # the file that it must name
    [ "$(wc -l <"$work/stderr")" = 1 ] && grep -q '^train_sft: ' "$work/stderr" || failed "not one line of error"
    says "$1"
}

no_leftovers() {
    local left
    left=$(find "$1" -name '*.tmp-*')
    [ -z "$left" ] || failed "left behind: $left"
}

steps_of() { (cd "$1/checkpoints" && ls -d step-*) | sort; }

a_checkpoint_beyond_the_limit() {
    local out=$work/limited before
    wants 1 with_files_of_at_most $((tokenizer_bytes + 2048)) "$out"
    one_error "shard-00000.safetensors"
    says "step 2"
    no_leftovers "$out"
    [ ! -e "$out/model" ] || failed "a run that could not save left a model"
    wants 0 train "$out"
    same_run "$calm" "$out" "ulimit -f: a first checkpoint that does not fit is one error; without the limit all is well"
    rm -rf "$out"

    stopped_run "$out"
    before=$(fingerprint "$out/checkpoints")
    wants 1 with_files_of_at_most $((tokenizer_bytes + 2048)) "$out"
    one_error "shard-00000.safetensors"
    no_leftovers "$out"
    [ "$before" = "$(fingerprint "$out/checkpoints")" ] || failed "the older checkpoints are not what they were"
    wants 0 train "$out"
    same_run "$calm" "$out" "ulimit -f: the older checkpoints stand, and the run goes on from them"
    rm -rf "$out"
}

an_export_beyond_the_limit() {
    local out=$work/limited before
    cp -r "$calm" "$out"
    before=$(fingerprint "$out/model")
    wants 1 with_files_of_at_most $((tokenizer_bytes + 2048)) "$out"
    one_error "model.safetensors"
    no_leftovers "$out"
    [ "$before" = "$(fingerprint "$out/model")" ] || failed "the model that was there is not what it was"
    wants 0 train "$out"
    same_run "$calm" "$out" "ulimit -f: an export that does not fit leaves the model that was there"
    wants 1 with_files_of_at_most $((tokenizer_bytes + 2048)) "$out" --export-dtype fp32
    rm -r "$out/model"
    wants 1 with_files_of_at_most $((tokenizer_bytes + 2048)) "$out"
    [ ! -e "$out/model" ] || failed "half a model was left under its final name"
    proved "ulimit -f: half a model never has the final name"
    rm -rf "$out"
}

# There is room when the run begins, and then another program takes it, all but half a checkpoint: a save does not fit.
a_disk_that_fills_up_while_saving() {
    local out=$disk/run before status
    mkdir -p "$disk"
    if ! mount -t tmpfs -o size=$((checkpoint_bytes * 6 + 2 * tokenizer_bytes + model_bytes + 100000)) none "$disk" 2>/dev/null; then
        skipped "a small file system that fills up: mounting one is not allowed here"
        return
    fi
    mounted=yes
    for _ in $(seq 20); do                                     # again if the run was done before it could be held
        rm -rf "$out" "$disk/filler"
        train_in_background "$out"
        wait_for_step "$out" 5
        kill -STOP "$trainer"
        head -c $(($(df -B1 --output=avail "$disk" | tail -n 1) - checkpoint_bytes / 2)) /dev/zero >"$disk/filler"
        kill -CONT "$trainer"
        status=0
        wait "$trainer" || status=$?
        [ "$status" = 0 ] || break
    done
    [ "$status" = 1 ] || failed "exit status $status where a checkpoint does not fit"
    one_error "$out/checkpoints/step-"
    says "make room"
    no_leftovers "$out"
    [ "$(newest_step "$out")" -ge 4 ] || failed "the older checkpoints are not there: $(steps_of "$out")"
    before=$(fingerprint "$out/checkpoints")
    wants 1 train "$out"
    says "make room"
    [ "$before" = "$(fingerprint "$out/checkpoints")" ] || failed "a second attempt changed the older checkpoints"
    proved "a full disk: the save is one error, and the older checkpoints stand"
    rm "$disk/filler"
    wants 0 train "$out"
    same_run "$calm" "$out" "a full disk: with room again the same command ends with the same bits"
    rm -rf "$out"
}

# Not a byte is left: the log, or what is written before it, must say so, and no step is lost from what was saved.
a_disk_without_a_byte_left() {
    local out=$disk/run before
    [ "$mounted" = yes ] || return 0
    mount -o remount,size=4m "$disk"
    stopped_run "$out"
    dd if=/dev/zero of="$disk/filler" bs=1k status=none 2>/dev/null || true
    before=$(fingerprint "$out/checkpoints")
    wants 1 train "$out"
    one_error "$out"
    says "free on this disk"
    [ "$before" = "$(fingerprint "$out/checkpoints")" ] || failed "the checkpoints are not what they were"
    rm "$disk/filler"
    wants 0 train "$out"
    same_run "$calm" "$out" "a disk without a byte left: one error, and with room again the same bits"
}

a_checkpoint_beyond_the_limit
an_export_beyond_the_limit
a_disk_that_fills_up_while_saving
a_disk_without_a_byte_left
