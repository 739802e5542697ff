#!/usr/bin/env bash
# --stop-when: a run ends where a figure of its evaluations has not improved for as many of them as were asked for, as after its last step; at
# the same step when it was killed, begun from a checkpoint in another folder, or made by several ranks; with other words it goes on.
. "$(dirname "$0")/common.bash"
tiny_recipe
recipe+=(--warmup-steps 2 --lr 0.1 --lr-schedule constant --epochs 25 --eval-every 2)

eval_losses() { sed -n 's/.*"event": "eval", "step": \([0-9]*\), "eval_loss": \([^,]*\),.*/\1 \2/p' "$1/log.jsonl"; }
last_step() { sed -n 's/^{"step": \([0-9]*\),.*/\1/p' "$1/log.jsonl" | tail -n 1; }
# OUT N: the step at which N evaluations were no better than the best before
wanted_end() {
    eval_losses "$1" | awk -v patience="$2" 'NR == 1 || $2 < best { best = $2; since = 0; next } ++since == patience { print $1; exit }'
}

whole=$work/whole
wants 0 train "$whole"
end=$(wanted_end "$whole" 2)
[ -n "$end" ] && [ "$end" -lt 90 ] || failed "the loss of the recipe never stops falling: $(eval_losses "$whole" | tr '\n' ' ')"
calm=$work/calm
begun=$(milliseconds)
wants 0 train "$calm" --stop-when loss:2 --keep-best loss
length=$(($(milliseconds) - begun))
[ "$(last_step "$calm")" = "$end" ] || failed "the run ends after step $(last_step "$calm"), not $end"
[ "$(newest_step "$calm")" = "$end" ] || failed "the last checkpoint is not that of the last step"
grep -q "^the run ends here, after step $end, by --stop-when loss:2: eval_loss was best after step $(sed -n 's/^step-//p' "$calm/checkpoints/best")," "$work/stdout" ||
    failed "the run does not say why it ends, or not what --keep-best says: $(grep 'ends here' "$work/stdout")"
wants 0 train "$work/short" --steps "$end"
cmp "$work/short/model/model.safetensors" "$calm/model/model.safetensors" >"$work/stderr" || failed "its model is not that of a run of $end steps"
proved "a run ends when its loss on held-out documents has not improved for two evaluations, with the model of its last step"

it_goes_on_when_it_is_told_to() {
    cp -r "$calm" "$work/again"
    wants 0 train "$work/again" --stop-when loss:2
    grep -q "^the run ends here, after step $end" "$work/stdout" || failed "a run that has ended does not say so again"
    same_run "$calm" "$work/again" "the same command again makes no further step"
    wants 0 train "$work/again" --stop-when eval_loss:1000
    diff <(bits_of_log "$whole") <(bits_of_log "$work/again") >"$work/stderr" || failed "a run that goes on is another one"
    cmp "$whole/model/model.safetensors" "$work/again/model/model.safetensors" >"$work/stderr" || failed "a run that goes on has other bits"
    proved "with more patience it goes on to the bits of a run that never ended"
    rm -rf "$work/again"
}

to_be_killed() {
    ./train_sft "${recipe[@]}" --out "$1" --stop-when loss:2 --save-every 1 >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}
however_it_came_there() {
    local kills=4 middle
    [ "$mode" = short ] || kills=40
    kill_often to_be_killed "$kills" "$length" "$work/killed" "$calm"
    wants 0 train "$work/killed" --stop-when loss:2 --save-every 1
    same_run "$calm" "$work/killed" "$kills times kill -9 (SEED=$seed), and it ends at the same step"
    wants 0 train "$work/first" --stop-when loss:2 --keep-checkpoints 100
    middle=$((end - 2))                                        # one evaluation of two without a better figure is not in its checkpoint's log
    wants 0 train "$work/second" --stop-when loss:2 --resume "$work/first/checkpoints/step-$middle"
    [ "$(last_step "$work/second")" = "$end" ] || failed "in another folder it ends after step $(last_step "$work/second"), not $end"
    cmp "$work/second/model/model.safetensors" "$calm/model/model.safetensors" >"$work/stderr" || failed "in another folder it ends with other bits"
    wants 0 train "$work/ranks" --stop-when loss:2 --ranks 2 --eval-samples 1 --eval-new-tokens 4
    [ "$(last_step "$work/ranks")" = "$end" ] || failed "two ranks end after step $(last_step "$work/ranks"), not $end"
    cmp "$work/ranks/model/model.safetensors" "$calm/model/model.safetensors" >"$work/stderr" || failed "two ranks end with other bits"
    proved "a checkpoint in another folder, and two ranks, end at the same step with the same bits"
}

reinforcement_ends_too() {
    hard_problems
    wants 0 ./train_rl --model "$calm" "${rules[@]}" --data "$work/data/rl" --eval-data "$work/data/rl" --prompts-per-step 4 --prompts-per-update 4 \
        --eval-every 1 --eval-samples 2 --epochs 4 --stop-when pass@k:2 --out "$work/rl" >"$work/stdout" 2>"$work/stderr"
    grep -q "^the run ends here, after step [0-9]*, by --stop-when pass@k:2: eval/acc/pass@2 was best after step" "$work/stdout" ||
        failed "train_rl does not end by --stop-when"
    [ "$(newest_step "$work/rl")" = "$(last_step "$work/rl")" ] && [ -f "$work/rl/model/config.json" ] || failed "train_rl does not end as after its last step"
    proved "train_rl ends by pass@k, with a checkpoint and a model"
}

other_held_out_rows_are_not_compared() {
    local figure
    for figure in "--stop-when loss:90" "--keep-best eval_exact" "--keep-best loss"; do
        rm -rf "$work/other"
        # shellcheck disable=SC2086
        wants 0 train "$work/other" $figure --steps 6
        sed -i '1d' "$work/heldout.jsonl"
        # shellcheck disable=SC2086
        wants 1 train "$work/other" $figure --steps 8
        says "eval_loss: was measured with held-out documents"
        says "give the same file or option again, drop ${figure% *}, or begin in another --out"
        cp "$work/heldout.jsonl" "$work/fewer.jsonl"
        build/demo_problems heldout 1 3 2 >"$work/heldout.jsonl"
        # shellcheck disable=SC2086
        wants 0 train "$work/other" $figure --steps 8
    done
    cp "$work/fewer.jsonl" "$work/heldout.jsonl"
    wants 0 train "$work/other" --steps 10
    grep -q "^eval_loss: from here on measured with held-out documents" "$work/stdout" || failed "that held-out rows are others is not said"
    hard_problems
    local rl=(./train_rl --model "$calm" "${rules[@]}" --data "$work/data/rl" --prompts-per-step 4 --prompts-per-update 4 --eval-every 1 --eval-samples 2
        --out "$work/other_rl")
    wants 0 "${rl[@]}" --eval-data "$work/data/rl" --steps 2 --stop-when pass@k:9 >"$work/stdout" 2>"$work/stderr"
    wants 1 "${rl[@]}" --eval-data "$work/data/rl" --steps 3 --keep-best pass@k --eval-samples 3 >"$work/stdout" 2>"$work/stderr"
    says "eval/acc: was measured with 2 samples to each, and would be with 3 samples to each now"
    wants 0 "${rl[@]}" --eval-data "$work/data/rl" --steps 3 --keep-best pass@k >"$work/stdout" 2>"$work/stderr"
    proved "figures of other held-out rows are not compared: a run that is resumed with them is refused, or says so"
}

what_says_nothing_is_refused() {
    local word
    for word in loss loss:0 loss:x :3 lr:3 loss:-1 "loss: 2" loss:2.5 loss:99999999999; do
        wants 2 train "$work/no" --stop-when "$word"
        says "--stop-when $word: give FIGURE:N"
    done
    wants 2 train "$work/no" --stop-when loss:2 --eval-every 0
    says "there are evaluations only at the start and at the end; give --eval-every"
    wants 2 ./train_sft "${recipe[@]:0:8}" "${recipe[@]:10}" --stop-when loss:2 --out "$work/no" >"$work/stdout" 2>"$work/stderr"
    says "nothing is held out to evaluate; give --eval-data or --eval-tasks, or leave it out"
    [ ! -e "$work/no" ] || failed "a run that is refused makes its folder"
    wants 1 train "$work/no" --stop-when pass@k:2
    says "--stop-when pass@k: this run's evaluations have no such figure; they have eval_loss, eval_exact, eval_loss_1"
    proved "figures that no evaluation has, and evaluations that never come, are refused"
}

it_goes_on_when_it_is_told_to
however_it_came_there
reinforcement_ends_too
other_held_out_rows_are_not_compared
what_says_nothing_is_refused
