#!/usr/bin/env bash
# Checkpoints that several ranks write together, beside the next steps: loaded by any number of ranks; whole or absent whatever fails, on
# whichever rank; read by Python; and the best one stays. Faults at every single call of a save: test/unit/test_save.c.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
faults=$PWD/build/test/faults/faults.so
tiny_recipe
calm=$work/calm
wants 0 train "$calm"

saved_by_four_goes_on_with_any_number() {
    local out=$work/four ranks
    wants 0 train "$out" --ranks 4 --steps 14 --lr-schedule constant --warmup-steps 2
    [ "$(ls "$out/checkpoints/step-14" | grep -c '^shard-')" = 4 ] || failed "four ranks have not written four shards"
    for ranks in 1 2 3 8; do
        cp -r "$out" "$work/on-$ranks"
        wants 0 train "$work/on-$ranks" --ranks $ranks --steps 24 --lr-schedule constant --warmup-steps 2
        [ $ranks = 1 ] && continue
        same_run "$work/on-1" "$work/on-$ranks" "saved by 4 ranks, gone on with by $ranks: the bits of 1"
        diff <(state_of "$work/on-1") <(state_of "$work/on-$ranks") >"$work/stderr" || failed "another named state"
        rm -rf "$work/on-$ranks"
    done
    rm -rf "$work/on-1" "$out"
}

# ---- a fault of one rank's system, in a whole run

launched() { # OUT, the rank with a fault, what it is: three ranks, each started by itself; $status is the worst
    local out=$1 hit=$2 fault=$3 rank children=() child code port=$((20000 + RANDOM % 10000))
    status=0
    for rank in 0 1 2; do
        local said="RANK=$rank WORLD_SIZE=3 LOCAL_RANK=$rank LOCAL_WORLD_SIZE=3 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port"
        [ "$rank" != "$hit" ] || said+=" $fault"
        # shellcheck disable=SC2086
        env $said ./train_sft "${recipe[@]}" --out "$out" --save-every 4 --keep-checkpoints 1 --stuck-after 60 >"$work/stdout.$rank" 2>"$work/stderr.$rank" &
        children+=($!)
    done
    for child in "${children[@]}"; do
        code=0
        wait "$child" || code=$?
        [ $code -le $status ] || status=$code
    done
    cat "$work"/stderr.? >"$work/stderr"
}

whole_or_absent() { # OUT, what: every step-N is whole, and no more is lost than an interval of 4 and what was made while it was written
    local last newest step
    ! compgen -G "$1/checkpoints/step-*" >/dev/null || for step in "$1"/checkpoints/step-*; do
        case $step in *.tmp-* | *.abandoned) continue ;; esac
        [ -s "$step/MANIFEST.json" ] && [ "$(ls "$step" | grep -c '^shard-')" = 3 ] || failed "$2: half of $step"
    done
    last=$(sed -n 's/^{"step": \([0-9]*\),.*/\1/p' "$1/log.jsonl" 2>/dev/null | tail -n 1 || true)
    newest=$(newest_step "$1" 2>/dev/null || true)
    [ "${last:-0}" -le $((${newest:-0} + 8)) ] || failed "$2: step $last was made, and ${newest:-none} is saved"
}

a_fault_of_one_rank_costs_an_interval() {
    local out=$work/fault rank kind number tried=0 lines status error
    [ -e "$faults" ] || { skipped "faults of one rank: $faults is not built" && return; }
    for rank in 0 1; do
        launched "$work/listed" $rank "FAULT_LIST=$work/calls.$rank LD_PRELOAD=$faults"
        [ $status = 0 ] || failed "three ranks, started by hand, end with $status"
        rm -rf "$work/listed"
        for kind in write sync rename unlink cut mkdir; do
            lines=$(awk -v kind=$kind '$1 == kind && !seen[$3]++ { print $2 }' "$work/calls.$rank")
            [ "$mode" = long ] || lines=$(shuf -n 1 --random-source=<(yes "$RANDOM") <<<"$lines")
            for number in $lines; do
                for error in 28 5; do # ENOSPC, EIO
                    launched "$out" $rank "FAULT=$kind:$number:$error LD_PRELOAD=$faults"
                    [ $status -le 1 ] || failed "exit status $status after $kind:$number:$error of rank $rank"
                    ! grep -q "do not do the same" "$work/stderr" || failed "the ranks have lost each other after $kind:$number of rank $rank"
                    whole_or_absent "$out" "$kind:$number:$error of rank $rank"
                    wants 0 train "$out" --save-every 4 --keep-checkpoints 1 --ranks 2
                    same_run "$calm" "$out" "$kind:$number:$error of rank $rank" >"$work/said"
                    rm -rf "$out"
                    tried=$((tried + 1))
                done
            done
        done
    done
    proved "$tried faults of one of three ranks (SEED=$seed): whole or absent, at most an interval and what was made while it was written is lost, and the same command ends with the same bits"
}

# Its shard alone has no room.
a_full_disk_of_one_rank_is_everybodys_error() {
    local out=$work/full status
    printf '#!/bin/bash\nulimit -f 64\nexec "$@"\n' >"$work/limited"
    chmod +x "$work/limited"
    for rank in 0 2; do
        launched "$out" $rank "$work/limited"
        [ $status = 1 ] || failed "exit status $status where a shard has no room"
        grep -q "shard-0000$rank.safetensors.*make room" "$work/stderr.$rank" || failed "rank $rank does not name its shard"
        grep -q "rank $rank on .*shard-0000$rank.safetensors" "$work/stderr.1" || failed "rank 1 does not say whose error it is"
        [ ! -e "$out/checkpoints/step-4" ] && ! compgen -G "$out/checkpoints/*.tmp-*" >/dev/null || failed "half a checkpoint is there"
        wants 0 train "$out" --ranks 2
        same_run "$calm" "$out" "a full disk of rank $rank is everybody's error, with nothing half written"
        rm -rf "$out"
    done
}

# ---- beside the next steps: a disk that takes long to give a shard its room

slow=
undo() { [ -z "$slow" ] || kill -9 $slow 2>/dev/null || true; }
slowly() { # OUT, options: strace is $trainer
    local out=$1
    shift
    strace -f -o "$work/trace" -e trace=fallocate -e inject=fallocate:delay_enter=1500000 \
        ./train_sft "${recipe[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}

steps_go_on_while_a_save_is_written() {
    local out=$work/slow status=0
    if ! strace -f -o "$work/trace" -e inject=getppid:error=ESTALE:when=1 true 2>/dev/null; then
        skipped "a slow disk: no strace here"
        return
    fi
    slowly "$out" --save-every 8 --epochs 1000
    wait_for_step "$out" 12
    slow=$(children_of $trainer)
    [ ! -e "$out/checkpoints/step-8" ] || failed "step 8 is saved, and was to take seconds"
    kill -TERM $slow
    wait $trainer || status=$?
    slow=
    [ $status = 75 ] || failed "exit status $status after SIGTERM in the middle of a save"
    [ -e "$out/checkpoints/step-8" ] || failed "the save that was under way is not there"
    ! compgen -G "$out/checkpoints/*.tmp-*" >/dev/null || failed "half a checkpoint is there"
    grep -q "stopped by a signal and saved after step $(newest_step "$out")" "$work/stdout" || failed "and not the step at which it was stopped"
    proved "steps go on while a save is written; a signal waits for it, and saves again"
    rm -rf "$out"
}

# The thread that writes ends with the process; what it leaves is removed by the next save.
an_end_at_once_leaves_the_checkpoint_before() {
    local out=$work/at_once status how
    strace -f -o "$work/trace" -e inject=getppid:error=ESTALE:when=1 true 2>/dev/null || return 0
    for how in TERM KILL; do
        status=0
        slowly "$out" --save-every 8 --epochs 1000
        wait_for_step "$out" 20
        slow=$(children_of $trainer)
        kill -$how $slow
        until [ $how = KILL ] || grep -q "stopping: " "$work/stderr"; do sleep 0.01; done
        kill -$how $slow 2>/dev/null || true
        wait $trainer || status=$?
        slow=
        [ $status = 130 ] || [ $status = 137 ] || failed "exit status $status after SIG$how twice in the middle of a save"
        [ "$(newest_step "$out")" = 8 ] || failed "step 8 was saved, and the newest is $(newest_step "$out")"
        compgen -G "$out/checkpoints/step-16.tmp-*" >/dev/null || failed "no save was under way"
        train_in_background "$out" --save-every 8 --epochs 1000
        until [ -e "$out/checkpoints/step-16" ] || ! kill -0 $trainer; do sleep 0.01; done
        kill -TERM $trainer
        wait $trainer || true
        ! compgen -G "$out/checkpoints/*.tmp-*" >/dev/null || failed "after SIG$how there is still $(compgen -G "$out/checkpoints/*.tmp-*")"
        rm -rf "$out"
    done
    proved "a second signal, or kill -9, in the middle of a save: the checkpoint before it stays, and the next save removes what is left"
}

# ---- the best

best_of() { # LOG: the step above 0 with the lowest eval_loss, the first of equals
    sed -n 's/^{"event": "eval", "step": \([0-9]*\), "eval_loss": \([0-9.e-]*\),.*/\1 \2/p' "$1" | awk '$1 > 0' | sort -s -g -k2,2 | head -n 1 | cut -d' ' -f1
}

best_is_kept() { # OUT
    local best
    best=$(best_of "$1/log.jsonl")
    [ "$(head -n 1 "$1/checkpoints/best")" = "step-$best" ] || failed "best is step-$best, and $(head -n 1 "$1/checkpoints/best") is named"
    [ "$(ls -d "$1"/checkpoints/step-* | wc -l)" -le 2 ] || failed "more than the newest and the best are there"
    [ -s "$1/checkpoints/step-$best/MANIFEST.json" ] || failed "step-$best is not there"
}

the_best_checkpoint_stays() {
    local out=$work/best options=(--keep-best eval_loss --keep-checkpoints 1 --eval-every 3 --save-every 7 --lr 0.3 --lr-schedule constant)
    wants 0 train "$out" "${options[@]}"
    best_is_kept "$out"
    [ "$(best_of "$out/log.jsonl")" -lt 24 ] || failed "the last is the best: the test shows nothing"
    grep -q "the best checkpoint so far is step-$(best_of "$out/log.jsonl"): eval_loss " "$work/stdout" || failed "which is the best is not said"
    for ranks in 1 3; do
        train_in_background "$work/again" "${options[@]}" --ranks $ranks
        wait_for_step "$work/again" $((10 + 2 * ranks))
        kill -9 $trainer 2>/dev/null || true
        wait $trainer 2>/dev/null || true
        wants 0 train "$work/again" "${options[@]}"
        best_is_kept "$work/again"
        same_run "$out" "$work/again" "the best checkpoint by eval_loss stays beside the newest, after kill -9 of $ranks too"
        rm -rf "$work/again"
    done
    rm -rf "$out"
    wants 2 train "$out" --keep-best accuracy
    says "not a figure of an evaluation that can be best"
    [ ! -e "$out" ] || failed "a run has begun"
    wants 1 train "$out" --keep-best eval/acc/mean@4
    says "this run's evaluations have no such figure; they have eval_loss, eval_exact, eval_loss_1"
    ! grep -q '"loss"' "$out/log.jsonl" || failed "a step was made"
    proved "what is no figure of this run's evaluations is refused, and those that are named"
    rm -rf "$out"
}

# ---- another reader

python_reads_what_three_ranks_wrote() {
    local out=$work/python newest
    if ! python3 -c 'import numpy' 2>/dev/null; then
        skipped "dev/read_checkpoint.py against OUT/model: no numpy here"
        return
    fi
    wants 0 train "$out" --ranks 3 --export-dtype fp32
    newest=$out/checkpoints/$(cat "$out/checkpoints/latest")
    python3 - "$newest" "$out/model/model.safetensors" <<-'END' || failed "Python reads another state"
	import json, struct, sys
	import numpy
	sys.path.append("dev")
	from read_checkpoint import read_checkpoint, state_hash
	tensors, state = read_checkpoint(sys.argv[1])
	with open(sys.argv[2], "rb") as file:
	    data = file.read()
	size = struct.unpack_from("<Q", data)[0]
	header = json.loads(data[8 : 8 + size])
	header.pop("__metadata__", None)
	assert len(header) > 20 and len(tensors) == 3 * len(header)
	for name, entry in header.items():
	    begin, end = (8 + size + at for at in entry["data_offsets"])
	    assert tensors[name].tobytes() == data[begin:end], name
	    assert tensors["optim.v." + name].shape == tensors[name].shape and (tensors["optim.v." + name] >= 0).all(), name
	assert state["step"] == 24 and abs(tensors["optim.m.model.norm.weight"]).max() > 0
	manifest = json.load(open(sys.argv[1] + "/MANIFEST.json"))
	assert state_hash(tensors) in (None, manifest["tensors_xxh3"])
	END
    dev/read_checkpoint.py "$newest" >"$work/stdout" 2>"$work/stderr"
    head -n 1 "$work/stdout" | grep -q "^step 24, " && grep -q "^optim.v.model.norm.weight 32 " "$work/stdout" || failed "it does not list the tensors"
    truncate -s -4 "$newest/shard-00001.safetensors"
    wants 1 dev/read_checkpoint.py "$newest" >"$work/stdout" 2>"$work/stderr"
    says "shard-00001.safetensors: it has "
    proved "dev/read_checkpoint.py reads what three ranks wrote: the weights are those of the exported model$(python3 -c 'import xxhash' 2>/dev/null || echo '; checksums were not compared')"
    rm -rf "$out"
}

# The lock is on a file, and files are written by name: another run may have begun where OUT was.
a_folder_that_was_moved_is_noticed() {
    local out=$work/moved
    train_in_background "$out" --epochs 100000 --save-every 40 --ranks 2
    wait_for_step "$out" 3
    mv "$out" "$work/elsewhere"
    wants 0 train "$out" --epochs 1
    local before status=0
    before=$(fingerprint "$out")
    wait $trainer || status=$?
    [ $status = 1 ] || failed "a run whose folder was moved ends with $status"
    [ "$(fingerprint "$out")" = "$before" ] || failed "it has written into another run's folder"
    rm -rf "$out" "$work/elsewhere"
    proved "a run whose folder was moved, where another one has begun, ends at its next save and writes nothing there"
}

# A user has moved a checkpoint to another disk, and left a link.
a_link_is_no_obstacle() {
    local out=$work/linked
    wants 0 train "$out" --steps 8 --lr-schedule constant
    mv "$out/checkpoints/step-4" "$work/kept"
    ln -s "$work/kept" "$out/checkpoints/step-4"
    ln -s step-8 "$out/checkpoints/step-10" # not whole: it is that of another step
    wants 0 train "$out" --steps 16 --lr-schedule constant
    [ -d "$work/kept" ] && [ -e "$work/kept/MANIFEST.json" ] || failed "what the link led to is gone"
    [ -d "$out/checkpoints/step-16" ] && [ ! -e "$out/checkpoints/step-4" ] || failed "the run did not save and prune"
    rm -rf "$out" "$work/kept"
    proved "links in the place of checkpoints are pruned and replaced as links; what they lead to stays"
}

RANDOM=$seed
saved_by_four_goes_on_with_any_number
a_fault_of_one_rank_costs_an_interval
a_full_disk_of_one_rank_is_everybodys_error
steps_go_on_while_a_save_is_written
an_end_at_once_leaves_the_checkpoint_before
the_best_checkpoint_stays
python_reads_what_three_ranks_wrote
a_folder_that_was_moved_is_noticed
a_link_is_no_obstacle
