#!/usr/bin/env bash
# train_rl end to end: a run has one result, stopped, killed or not, whatever the threads; the first update of every step finds the
# log-probabilities that were sampled with, to the bit (or the program ends); what it cannot do is refused by name. The tiny model hardly ever
# answers right, so what is learned here is to be shorter: the soft overlong punishment.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/sft" --epochs 2 --export-dtype fp32
build/demo_problems train 4 5 6 >"$work/hard.jsonl"
wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/data" "$work/hard.jsonl" \
    >"$work/stdout" 2>"$work/stderr"
rules=(--data "$work/data/rl" --eval-data "$work/data/rl" --eval-every 3 --eval-samples 2 --template chatml --epochs 2 --prompts-per-step 4 --prompts-per-update 2
    --samples-per-prompt 4 --max-prompt-tokens 64 --max-new-tokens 24 --overlong-buffer 20 --micro-batch-tokens 256 --slots 2 --lr 1e-3
    --sequences 6 --pass-tokens 64 --save-every 2 --threads 1 --device cpu --export-dtype fp32)

reinforce() {
    local out=$1
    shift
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}

# Times are the clock's, wherever they stand in a line.
bits_of_log() { sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"; }
same_rollouts() { diff -r "$1/rollouts" "$2/rollouts" >"$work/stderr" || failed "$3: other responses"; }

calm=$work/calm
begun=$(milliseconds)
wants 0 reinforce "$calm"
length=$(($(milliseconds) - begun))
[ "$(grep -c '"reward/mean"' "$calm/log.jsonl")" = 6 ] || failed "6 steps of 2 epochs are not all in the log"
[ "$(cat "$calm"/rollouts/*.jsonl | wc -l)" = 96 ] || failed "96 responses are not all in the rollouts"
[ "$(grep -c '"eval/acc/pass@2"' "$calm/log.jsonl")" = 3 ] || failed "held-out problems were not asked before, in the middle and after"
grep -q '"grad_norm": 0,' "$calm/log.jsonl" && failed "a step learned nothing"
cmp -s "$calm/model/model.safetensors" "$work/sft/model/model.safetensors" && failed "the weights are those it began with"
proved "six steps sample, judge and learn; every first update found the sampled log-probabilities to the bit"

same_bits_with() { # what, options
    local what=$1
    shift
    wants 0 reinforce "$work/other" "$@"
    same_rollouts "$calm" "$work/other" "$what"
    same_run "$calm" "$work/other" "$what"
    rm -rf "$work/other"
}

a_run_has_one_result() {
    same_bits_with "two threads give the bits of one" --threads 2
    same_bits_with "other batches of the sampler give the same bits" --sequences 3 --pass-tokens 7
    same_bits_with "recomputed layers give the same bits" --recompute layer --save-every 1
}

to_be_killed() {
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$1" --save-every 1 >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}
kill_9_loses_nothing() {
    local kills=3
    [ "$mode" = short ] || kills=40
    kill_often to_be_killed "$kills" "$length" "$work/killed" "$calm"
    wants 0 reinforce "$work/killed" --save-every 1
    same_rollouts "$calm" "$work/killed" "killed"
    same_run "$calm" "$work/killed" "$kills times kill -9 (SEED=$seed), in rollouts and updates, and the run ends with the same bits"
}

every_objective_runs() {
    local loss advantage
    for loss in clip gspo cispo; do
        for advantage in grpo dr-grpo rloo reinforce++ reinforce++-baseline; do
            wants 0 reinforce "$work/$loss" --steps 1 --loss "$loss" --advantage "$advantage" --aggregation seq-mean-token-mean \
                --entropy-coef 0.01
            rm -rf "${work:?}/$loss"
        done
    done
    wants 0 reinforce "$work/cut" --steps 2 --max-new-tokens 2 --overlong-buffer 0 --mask-truncated
    grep -q '"response_length/clip_ratio": 1,' "$work/cut/log.jsonl" || failed "not every response was cut off"
    grep -q '"trained_tokens": 0,' "$work/cut/log.jsonl" || failed "responses that were cut off were trained on"
    proved "every loss with every advantage; a step of nothing but responses that were cut off"
}

what_cannot_be_is_refused() {
    wants 1 reinforce "$work/none" --data "$work/data/sft"
    says "rl"
    wants 2 reinforce "$work/none" --samples-per-prompt 1
    says "--samples-per-prompt"
    wants 1 reinforce "$work/none" --max-new-tokens 4096
    says "max_position_embeddings"
    wants 1 reinforce "$calm" --seed 7
    says "--seed"
    cp -r "$work/sft/model" "$work/bare" && rm "$work"/bare/tokenizer*
    wants 1 reinforce "$work/none" --model "$work/bare"
    says "answers are judged as text"
    [ ! -e "$work/none/checkpoints" ] || failed "something was written"
    proved "shards of the other kind, a group of one, a context that is too long, another seed, no tokenizer: one line each"
}

a_run_has_one_result
kill_9_loses_nothing
every_objective_runs
what_cannot_be_is_refused
