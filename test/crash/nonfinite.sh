#!/usr/bin/env bash
# A loss or a gradient that is not finite, planted into a micro-batch: by default an end that names it, with --on-nonfinite skip:N an
# update that no rank makes, whatever their number. The planted programs are test/support/planted_sft.c and planted_rl.c.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
planted=build/test/support/planted_sft
[ -x $planted ] || failed "$planted is not built"
out=$work/out

plant() { # WHAT OUT, more options
    local what=$1 into=$2
    shift 2
    PLANT=$what $planted "${recipe[@]}" --out "$into" "$@" >"$work/stdout" 2>"$work/stderr"
}

# Micro-batches that come once: early, and late in a longer run.
plant list "$work/list" --epochs 40
once=$(sed -n 's/^micro-batch //p' "$work/stderr" | awk '{ count[$1]++; at[$1] = NR } END { for (name in count) if (count[name] == 1) print at[name], name }' | sort -n)
name=$(awk '$1 > 8 { print $2; exit }' <<<"$once") late=$(tail -n 1 <<<"$once" | cut -d' ' -f2)
: >"$work/stderr"
plant none:1 "$work/healthy"

skips() { sed -n 's/.*the update is left out (\([0-9]*\) of at most.*/\1/p' "$work/stdout"; }

a_run_stops_and_says_where() {
    local what
    for what in loss gradient; do
        wants 1 plant $what:"$name" "$out"
        says "the $what is not finite; lower --lr"
        says "step "
        [ "$(wc -l <"$out/nonfinite.jsonl")" = 1 ] || failed "not one line in nonfinite.jsonl"
        grep -q "\"not_finite\":\"$what\",\"left_out\":false,\"documents\":\[{\"document\":" "$out/nonfinite.jsonl" || failed "what was not finite is not written"
        wants 1 plant $what:"$name" "$out"
        [ "$(wc -l <"$out/nonfinite.jsonl")" = 1 ] || failed "a step that is made again has two lines"
        wants 0 plant none:1 "$out" # a fault that was of the machine, and is gone
        [ ! -s "$out/nonfinite.jsonl" ] || grep -q '"step"' "$out/nonfinite.jsonl" || failed "nonfinite.jsonl is damaged"
        rm -rf "$out"
    done
    proved "a loss or gradient that is not finite ends the run by default, with its step and documents; the same command goes on"
}

every_number_of_ranks_leaves_out_the_same() {
    local what ranks
    for what in loss gradient; do
        wants 0 plant $what:"$name" "$work/one" --on-nonfinite skip:1
        [ "$(skips)" = 1 ] || failed "it is not said that an update was left out"
        grep -q '"grad_norm": null' "$work/one/log.jsonl" || failed "the step's line does not show it"
        [ $what = gradient ] || [ "$(grep -o '"loss_is_finite":false' "$work/one/nonfinite.jsonl" | wc -l)" = 1 ] || failed "the document is not named"
        ! cmp -s "$work/one/model/model.safetensors" "$work/healthy/model/model.safetensors" || failed "nothing was left out"
        for ranks in 2 3; do
            wants 0 plant $what:"$name" "$out" --on-nonfinite skip:1 --ranks $ranks
            same_run "$work/one" "$out" "a $what that is not finite on one of $ranks ranks: none of them makes the update, and the bits are one rank's"
            sed "s,$out/,$work/one/,g" "$out/nonfinite.jsonl" | cmp - "$work/one/nonfinite.jsonl" || failed "other documents are named by $ranks ranks"
            rm -rf "$out"
        done
        rm -rf "$work/one"
    done
}

# A step that is left out has the weights and moments of the one before it.
nothing_changes_in_a_step_that_is_left_out() {
    local step file
    wants 0 plant gradient:"$name" "$out" --on-nonfinite skip:1 --save-every 1 --keep-checkpoints 100 --ranks 2
    step=$(grep -o '"step":[0-9]*' "$out/nonfinite.jsonl" | cut -d: -f2)
    [ "$step" -gt 1 ] || failed "the first step tells nothing"
    for file in "$out/checkpoints/step-$step"/*.safetensors; do
        cmp "$file" "$out/checkpoints/step-$((step - 1))/${file##*/}" || failed "a step that is left out has changed the state"
        ! cmp -s "$file" "$out/checkpoints/step-$((step + 1))/${file##*/}" || failed "the next one changes nothing, too"
    done
    grep -q "\"optimizer_step\": $((step - 1))" "$out/checkpoints/step-$step/MANIFEST.json" || failed "the optimizer has counted it"
    proved "an update that is left out changes neither weights nor moments, nor the optimizer's count"
    rm -rf "$out"
}

# The count is of the run, and not of the process.
what_was_left_out_is_counted_across_a_stop() {
    local status
    for _ in $(seq 20); do
        rm -rf "$out"
        PLANT=loss:$name,$late $planted "${recipe[@]}" --out "$out" --epochs 40 --on-nonfinite skip:1 --ranks 2 >"$work/stdout" 2>"$work/stderr" &
        trainer=$!
        until [ -s "$out/nonfinite.jsonl" ] || ! kill -0 $trainer 2>/dev/null; do sleep 0.005; done
        kill -TERM $trainer 2>/dev/null || true
        status=0
        wait $trainer || status=$?
        [ $status != 75 ] || break
    done
    [ $status = 75 ] || failed "no run was stopped after what it left out"
    wants 1 plant loss:"$name,$late" "$out" --epochs 40 --on-nonfinite skip:1
    says "--on-nonfinite skip:1 has left out as many updates already"
    proved "what was left out before a stop counts after it, too"
    rm -rf "$out"
}

what_is_no_way_to_go_on_is_refused() {
    local text
    for text in skip skip: skip:0 skip:-1 skip:2x skip:1e9 go ''; do
        wants 2 train "$out" --on-nonfinite "$text"
        says "stop is wanted, or skip:N"
    done
    [ ! -e "$out" ] || failed "a run has begun"
    proved "--on-nonfinite takes stop or skip:N"
}

# Of several updates in a step of reinforcement learning, one.
an_update_of_reinforcement_learning_is_left_out() {
    local run
    hard_problems
    rules=(--model "$work/healthy/model" --data "$work/data/rl" "${rules[@]}" --steps 4 --prompts-per-step 4 --prompts-per-update 1)
    reinforce() { PLANT=$1 build/test/support/planted_rl "${rules[@]}" --out "$2" "${@:3}" >"$work/stdout" 2>"$work/stderr"; }
    wants 1 reinforce 6 "$work/rl"
    says "step 2: the gradient is not finite"
    rm -rf "$work/rl"
    wants 0 reinforce none "$work/rl"
    for run in 1 2 3; do                                        # with so many ranks
        wants 0 reinforce 6 "$work/rl-$run" --on-nonfinite skip:3 --ranks $run
        [ "$(grep -c '"step":2,"not_finite":"gradient","left_out":true,"documents":\[{[^{}]*}\]' "$work/rl-$run/nonfinite.jsonl")" = 1 ] ||
            failed "its one prompt is not named"
    done
    ! cmp -s "$work/rl/model/model.safetensors" "$work/rl-1/model/model.safetensors" || failed "nothing was left out"
    for run in 2 3; do
        cmp "$work/rl-1/model/model.safetensors" "$work/rl-$run/model/model.safetensors" || failed "$run ranks have other bits"
        cmp "$work/rl-1/nonfinite.jsonl" "$work/rl-$run/nonfinite.jsonl" || failed "$run ranks name other prompts"
    done
    proved "train_rl leaves out an update whose gradient is not finite on one rank, names its prompts, and goes on; 1, 2 and 3 ranks alike"
}

a_run_stops_and_says_where
nothing_changes_in_a_step_that_is_left_out
an_update_of_reinforcement_learning_is_left_out
every_number_of_ranks_leaves_out_the_same
what_was_left_out_is_counted_across_a_stop
what_is_no_way_to_go_on_is_refused
