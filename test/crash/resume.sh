#!/usr/bin/env bash
# A run that was stopped, killed or moved to other threads has the bits of the run that never was: log.jsonl up to its
# clock, and the exported model, byte for byte. And a run that must not be continued is refused by name, with nothing
# changed.
. "$(dirname "$0")/common.bash"
tiny_recipe
calm=$work/calm
begun=$(milliseconds)
wants 0 train "$calm"
length=$(($(milliseconds) - begun))
[ "$(grep -c '"loss"' "$calm/log.jsonl")" = 24 ] || failed "24 steps of 6 epochs are not all in the log"

same_bits_with_other() {                                       # what, environment or none, options
    local what=$1 setting=$2
    shift 2
    wants 0 env ${setting:+"$setting"} ./train_sft "${recipe[@]}" --out "$work/other" "$@" >"$work/stdout" 2>"$work/stderr"
    same_run "$calm" "$work/other" "$what"
    rm -rf "$work/other"
}

a_run_has_one_result() {
    same_bits_with_other "the same command twice gives the same bits" ""
    same_bits_with_other "two threads give the bits of one" "" --threads 2
    same_bits_with_other "recomputed layers give the same bits" "" --recompute layer
    same_bits_with_other "other times to save give the same bits" "" --save-every 5 --keep-checkpoints 1
    if DEREASON_CPU=avx2 train "$work/plan" --plan; then
        same_bits_with_other "the plain loops of kernels/naive.c give the bits of vectors" DEREASON_CPU=naive
    else
        skipped "plain loops against vectors: $(head -n 1 "$work/stderr")"
    fi
    if ! DEREASON_CPU=avx512 train "$work/plan" --plan; then
        skipped "AVX-512 against AVX2: $(head -n 1 "$work/stderr")"
        return
    fi
    same_bits_with_other "AVX-512 gives the bits of this machine's best" DEREASON_CPU=avx512
    same_bits_with_other "AVX2 gives the bits of AVX-512" DEREASON_CPU=avx2
}

# Step 3 has two micro-batches through two layers of four products, one of them with SwiGLU; calls on the CPU come one after the other.
a_step_is_timed() {
    local out=$work/timed
    wants 0 train "$out" --profile-step 3
    same_run "$calm" "$out" "a step that is timed keeps its bits"
    [ "$(grep -c ' by its kernels:$' "$work/stdout")" = 1 ] || failed "not one table is shown"
    grep -qE '^  matmul_forward +12 ' "$work/stdout" && grep -qE '^  matmul_swiglu_forward +4 ' "$work/stdout" ||
        failed "not 12 products forward and 4 with SwiGLU are shown"
    grep -qE '^  sum of the kernels .* not in any kernel ' "$work/stdout" || failed "what is in no kernel is not said"
    [ "$(grep -c '"step": 3,' "$out/profile.json")" = 1 ] || failed "profile.json is not of step 3"
    awk '/^  "seconds"/ { step = $2 + 0 } /^  "kernel_seconds"/ { kernels = $2 + 0 } /^      "seconds"/ { sum += $2 }
        END { exit !(step >= kernels && kernels > 0 && (sum - kernels) ^ 2 < (1e-9 * kernels) ^ 2) }' "$out/profile.json" ||
        failed "operations, their sum and the step do not fit: $(head -n 4 "$out/profile.json")"
    wants 0 train "$out" --profile-step 3
    grep -q '^--profile-step 3: that step is made already' "$work/stdout" || failed "a step that was made is passed over in silence"
    wants 2 train "$work/none" --profile-step 25
    says "--profile-step 25: the run has 24 steps"
    rm -rf "$out" "$work/none"
    proved "--profile-step: one table, whose operations add up to no more than the step; a step that never comes is refused"
}

# Leaves $work/stopped, a run with several checkpoints and steps before it, for what follows.
sigterm_stops_with_75() {
    stopped_run "$work/stopped"
    [ ! -e "$work/stopped/model" ] || failed "a stopped run left a model"
    cp -r "$work/stopped" "$work/again"
    wants 0 train "$work/again"
    same_run "$calm" "$work/again" "SIGTERM: exit status 75, and the same command ends with the same bits"
    wants 0 train "$work/again"
    same_run "$calm" "$work/again" "a finished run started once more changes nothing"
    rm -rf "$work/again"
}

to_be_killed() { train_in_background "$1" --save-every $((1 + $2 % 2)); }
kill_9_loses_nothing() {
    local kills=4
    [ "$mode" = short ] || kills=80
    kill_often to_be_killed "$kills" "$length" "$work/killed" "$calm"
    wants 0 train "$work/killed"
    same_run "$calm" "$work/killed" "$kills times kill -9 (SEED=$seed), and the run ends with the same bits"
    compgen -G "$work/killed/model.tmp-*" >/dev/null && failed "an export that was killed left its folder behind"
    rm -rf "$work/killed"
}

# Both signals are pending when the stopped process goes on, so its handler runs twice before the next step.
second_signal_ends_at_once() {
    local status
    for _ in $(seq 20); do                                     # again if the run was done before the signals came
        rm -rf "$work/twice"
        cp -r "$work/stopped" "$work/twice"
        train_in_background "$work/twice" --keep-checkpoints 100 # also where many are saved before the signals come
        wait_for_step "$work/twice" $(($(newest_step "$work/stopped") + 1))
        kill -STOP "$trainer" && kill -TERM "$trainer" && kill -USR1 "$trainer" && kill -CONT "$trainer" || true
        status=0
        wait "$trainer" || status=$?
        [ "$status" = 0 ] || break
    done
    [ "$status" = 130 ] || failed "exit status $status after a second signal instead of 130"
    [ -d "$work/twice/checkpoints/step-$(newest_step "$work/stopped")" ] || failed "the checkpoint from before is gone"
    wants 0 train "$work/twice"
    same_run "$calm" "$work/twice" "a second signal ends the run at once with 130, and the same command goes on"
    rm -rf "$work/twice"
}

refused() {                                                    # what the error must say, options
    local saying=$1 before
    shift
    before=$(fingerprint "$work/stopped")
    wants 1 train "$work/stopped" "$@"
    says "$saying"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "more than one line of error for $*"
    [ "$before" = "$(fingerprint "$work/stopped")" ] || failed "refusing $* changed the run's folder"
    proved "refused by name, with nothing changed: $saying"
}

another_run_is_refused() {
    head -n 1 "$work/heldout.jsonl" >"$work/more.jsonl"
    refused "--lr" --lr 2e-2
    refused "--seed" --seed 1
    refused "--slots" --slots 1
    refused "--moments" --moments bf16
    refused "--micro-batch-tokens" --micro-batch-tokens 512
    refused "documents" --data "$work/more.jsonl"              # one row besides the recipe's
    refused "--instruction" --instruction none
    refused "holds a run already" --resume none
    refused "step-7" --resume "$work/stopped/checkpoints/step-7"
    sed 's/"num_hidden_layers": 2/"num_hidden_layers": 1/' "$work/config.json" >"$work/other.json"
    refused "num_hidden_layers" --init "$work/other.json"
    sed 's/"rope_theta": 10000.0/"rope_theta": 20000.0/' "$work/config.json" >"$work/other.json"
    refused "rope_theta" --init "$work/other.json"
}

moved_data_and_another_name_of_the_device_go_on() {
    local device=auto
    cp -r "$work/stopped" "$work/moved"
    cp "$work/train.jsonl" "$work/elsewhere.jsonl"
    (
        recipe=("${recipe[@]/train.jsonl/elsewhere.jsonl}")
        train "$work/plan" --plan --device auto || device=cpu  # auto is a GPU, which has no kernels for this model
        wants 0 train "$work/moved" --device $device
    )
    same_run "$calm" "$work/moved" "the same rows in another file, and --device auto for cpu, go on with the same bits"
    rm -rf "$work/moved"
}

# Stochastic rounding is a function of seed, tensor, element and step, so it is the same after a stop.
bf16_moments_go_on() {
    local older
    wants 0 train "$work/half" --moments bf16
    ! cmp -s "$calm/model/model.safetensors" "$work/half/model/model.safetensors" || failed "--moments bf16 changes nothing"
    cp -r "$work/half" "$work/half_again"
    older=$(find "$work/half/checkpoints" -maxdepth 1 -name 'step-[0-9]*' | sort -t- -k2 -V | head -n 1)
    wants 0 train "$work/half_again" --moments bf16 --threads 2 --resume "$work/half_again/checkpoints/$(basename "$older")"
    same_run "$work/half" "$work/half_again" "with --moments bf16 an older checkpoint and other threads end with the same bits"
    rm -rf "$work/half" "$work/half_again"
}

an_older_checkpoint_goes_on() {
    local older
    older=$(find "$work/stopped/checkpoints" -maxdepth 1 -name 'step-[0-9]*' | sort -t- -k2 -V | head -n 1)
    cp -r "$work/stopped" "$work/older"
    wants 0 train "$work/older" --resume "$work/older/checkpoints/$(basename "$older")"
    same_run "$calm" "$work/older" "from an older checkpoint, with steps after it in the log, the run ends with the same bits"
    rm -rf "$work/older"
}

one_process_at_a_time() {
    local status
    for _ in $(seq 20); do                                     # again if the first was done before it could be held
        rm -rf "$work/shared"
        train_in_background "$work/shared"
        wait_for_step "$work/shared" 1
        kill -STOP "$trainer"
        status=0
        train "$work/shared" || status=$?
        kill -CONT "$trainer"
        [ "$status" != 1 ] || says "another process"
        wants 0 wait "$trainer"
        [ "$status" = 0 ] || break
    done
    [ "$status" = 1 ] || failed "a second process in the same folder ends with exit status $status"
    same_run "$calm" "$work/shared" "a second process in the same folder is refused, and the first one's bits are right"
    rm -rf "$work/shared"
}

a_damaged_checkpoint_is_noticed() {
    local newest shard before
    newest=$work/stopped/checkpoints/step-$(newest_step "$work/stopped")
    shard=$newest/shard-00000.safetensors
    cp "$shard" "$work/whole"
    printf '\xa5\x5a' | dd of="$shard" bs=1 seek=$(($(stat -c %s "$shard") / 2)) conv=notrunc status=none
    before=$(fingerprint "$work/stopped")
    wants 1 train "$work/stopped" --resume "$newest"
    says "$shard"
    says "checksum"
    [ "$before" = "$(fingerprint "$work/stopped")" ] || failed "a damaged checkpoint made the run change its folder"
    proved "flipped bytes in a shard are named, with the tensor that they are in"
    cp -r "$work/stopped" "$work/damaged"
    wants 0 train "$work/damaged"
    grep -q "is not whole and is passed over.*checksum" "$work/stdout" || failed "no warning about the damaged checkpoint"
    same_run "$calm" "$work/damaged" "with flipped bytes in the newest checkpoint the run goes on from the one before"
    rm -rf "$work/damaged"
    cp "$work/whole" "$shard"
    rm "$newest/MANIFEST.json"
    wants 0 train "$work/stopped"
    grep -q "$newest is not whole and is passed over" "$work/stdout" || failed "no warning about $newest"
    same_run "$calm" "$work/stopped" "without its manifest the newest checkpoint is passed over with a warning"
}

a_run_has_one_result
a_step_is_timed
sigterm_stops_with_75
kill_9_loses_nothing
second_signal_ends_at_once
another_run_is_refused
moved_data_and_another_name_of_the_device_go_on
bf16_moments_go_on
an_older_checkpoint_goes_on
one_process_at_a_time
a_damaged_checkpoint_is_noticed
