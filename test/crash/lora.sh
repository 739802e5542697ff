#!/usr/bin/env bash
# Adapters end to end, in train_sft and train_rl: a run learns and has one result, killed or not, on one rank or two; its model is
# what its adapters and their base make; samples have the trainer's log-probabilities, to the bit; the reference model is the base,
# for nothing; and what does not fit together is refused by name.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/base" --epochs 12 --export-dtype fp32 --eval-every 0
lora=(--lora 4 --lora-alpha 6 --lr 2e-2 --export-dtype fp32)
recipe=(--model "$work/base" "${recipe[@]:4}") # without --init and --tokenizer
recipe+=("${lora[@]}")

calm=$work/calm
begun=$(milliseconds)
wants 0 train "$calm"
length=$(($(milliseconds) - begun))

last_loss() { sed -n 's/.*"eval_loss": \([^,}]*\).*/\1/p' "$1/log.jsonl" | sed -n "$2p"; }

it_learns() {
    grep -q '^LoRA of rank 4, alpha 6: [0-9]* parameters learn, and the model.s own lie still' "$work/stdout" || failed "adapters are not announced"
    # 0.043 with the bits of every CPU that has fused multiply-add; nothing where adapters stay as they began
    awk -v first="$(last_loss "$calm" 1)" -v last="$(last_loss "$calm" '$')" 'BEGIN { exit !(last < first - 0.03) }' ||
        failed "held-out loss went from $(last_loss "$calm" 1) to $(last_loss "$calm" '$')"
    for name in lm_head embed_tokens layernorm; do # of one layer
        ! grep -q "$name" "$calm/adapter/adapter_config.json" || failed "$name has an adapter"
    done
    proved "adapters of rank 4 take more than 0.03 nats off the held-out loss"
}

a_run_has_one_result() {
    wants 0 train "$work/other" --threads 2 --recompute layer --save-every 5
    same_run "$calm" "$work/other" "threads, recomputation and saves change no bit"
    cmp "$calm/adapter/adapter_model.safetensors" "$work/other/adapter/adapter_model.safetensors" || failed "other adapters"
    rm -rf "$work/other"
    wants 0 train "$work/ranks" --ranks 2
    diff <(bits_of_log "$calm" | sed 's/, "sent_bytes".*//') <(bits_of_log "$work/ranks" | sed 's/, "sent_bytes".*//') || failed "two ranks: another log"
    cmp "$calm/model/model.safetensors" "$work/ranks/model/model.safetensors" || failed "two ranks: another model"
    rm -rf "$work/ranks"
    proved "two ranks give the bits of one"
}

to_be_killed() { train_in_background "$1" --save-every 1; }
kill_9_loses_nothing() {
    local kills=2
    [ "$mode" = short ] || kills=40
    kill_often to_be_killed "$kills" "$length" "$work/killed" "$calm"
    wants 0 train "$work/killed"
    same_run "$calm" "$work/killed" "$kills times kill -9 (SEED=$seed), and the run ends with the same bits"
    rm -rf "$work/killed"
}

# What is left of a run that was made has checkpoints of adapters alone.
a_checkpoint_is_exported_with_its_base() {
    local checkpoint
    checkpoint=$calm/checkpoints/$(cat "$calm/checkpoints/latest")
    [ "$(du -sb "$checkpoint" | cut -f1)" -lt "$(stat -c %s "$calm/model/model.safetensors")" ] || failed "a checkpoint of adapters is as large as the model"
    wants 0 build/export "$checkpoint" "$work/exported" --dtype fp32 >"$work/stdout" 2>"$work/stderr"
    cmp "$work/exported/model.safetensors" "$calm/model/model.safetensors" || failed "the last checkpoint's model is not the run's"
    mv "$work/base" "$work/moved"
    wants 1 build/export "$checkpoint" "$work/none" >"$work/stdout" 2>"$work/stderr"
    says "a checkpoint of --lora holds adapters alone, and needs the model that they were trained for"
    mv "$work/moved" "$work/base"
    wants 1 build/export "$checkpoint" "$work/base/model" >"$work/stdout" 2>"$work/stderr"
    says "is the model that the adapters were trained for, and is needed; take another folder"
    wants 0 ./generate --model "$calm" --device cpu --temperature 0 --max-new-tokens 4 --sequences 2 --prompts "$work/heldout.jsonl" --out "$work/answers.jsonl" \
        >"$work/stdout" 2>"$work/stderr"
    [ -s "$work/answers.jsonl" ] || failed "the model of a run with adapters does not answer"
    proved "a checkpoint is exported as the run's own model is, and that model answers"
}

# Once a run has begun it has all that it needs of its base, and its checkpoints say where that was then.
a_base_may_go_while_a_run_works() {
    local name
    name=$(printf 'not\377UTF-8')
    cp -r "$work/base/model" "$work/$name"
    ln -s "$name" "$work/link"
    wants 1 train "$work/none" --model "$work/link"
    says "leads to a folder whose name is not UTF-8"
    ln -sfn base/model "$work/link"
    train_in_background "$work/orphan" --model "$work/link"
    wait_for_step "$work/orphan" 1
    ln -sfn "$name" "$work/link" # another folder
    mv "$work/base" "$work/moved"
    wait "$trainer" || failed "a run whose base was moved did not end well"
    mv "$work/moved" "$work/base"
    same_run "$calm" "$work/orphan" "a run whose base is moved while it works has the same bits, and writes its model"
    wants 0 build/export "$work/orphan/checkpoints/$(cat "$work/orphan/checkpoints/latest")" "$work/again" --dtype fp32 >"$work/stdout" 2>"$work/stderr"
    cmp "$work/again/model.safetensors" "$calm/model/model.safetensors" || failed "a link that leads elsewhere now has another model exported"
    rm -rf "${work:?}/$name" "$work/link" "$work/orphan" "$work/again"
    proved "checkpoints know the folder of their base, whatever becomes of a link to it"
}

what_does_not_fit_together_is_refused() {
    cp -r "$calm" "$work/again"
    rm -rf "$work/again/model"
    local options
    for options in "--lora 8" "--lora-alpha 4" "--lora-targets q,v"; do
        wants 1 train "$work/again" $options
        says "was made with ${options% *} "
    done
    wants 1 ./train_sft "${recipe[@]}" --model "$work/exported" --out "$work/again" >"$work/stdout" 2>"$work/stderr"
    says "which is --model; train with the same"
    cp -r "$work/base/model" "$work/again/model"
    wants 1 train "$work/again" --model "$work/again/model"
    says "lies where this run's own model is to be written"
    rm -rf "$work/again/model"
    touch "$work/again/adapter/notes"
    wants 1 train "$work/again"
    says "adapter/notes: not written with the adapters"
    wants 2 train "$work/none" --lora-targets q,w
    says '"w" is no matrix of a layer'
    wants 2 ./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer "${recipe[@]:2}" --out "$work/none" >"$work/stdout" 2>"$work/stderr"
    says "--lora: adapters are for a model that has learned something"
    wants 1 train "$work/none" --shard weights
    says "give --shard state"
    rm -rf "$work/again" "$work/none"
    proved "other adapters, another base, somebody's files, a model without a base, divided weights are refused by name"
}

# ---- reinforcement learning

reinforce() {
    local out=$1
    shift
    ./train_rl --model "$work/base" "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}
rl_log() { sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"; }

the_sampler_and_the_reference_are_the_trainers_own() {
    hard_problems
    rules=(--data "$work/data/rl" "${rules[@]}" "${lora[@]}" --prompts-per-step 4 --prompts-per-update 2 --overlong-buffer 20 --kl-coef 0.1 --steps 3)
    wants 0 reinforce "$work/rl"
    grep -q '"grad_norm": 0,' "$work/rl/log.jsonl" && failed "a step learned nothing"
    cp -r "$work/base/model" "$work/twin"
    wants 0 reinforce "$work/second" --reference "$work/twin" # a model of its own
    diff <(rl_log "$work/rl") <(rl_log "$work/second") >"$work/stderr" || failed "a reference model of its own gives another log"
    cmp "$work/rl/model/model.safetensors" "$work/second/model/model.safetensors" || failed "a reference model of its own gives another model"
    reinforce "$work/plan" --plan
    ! grep -q "reference" "$work/stdout" || failed "memory is planned for a second model"
    reinforce "$work/plan" --plan --reference "$work/twin"
    grep -q "the reference model:" "$work/stdout" || failed "the second model is not planned for"
    proved "every first update found the sampled log-probabilities to the bit; the base is the reference model, with the bits of a second one"
    rm -rf "$work/rl/model" "$work/rl/checkpoints/step-3"
    wants 0 reinforce "$work/again" --save-every 1 --steps 2 --lr-schedule constant
    wants 0 reinforce "$work/again" --save-every 1 --lr-schedule constant
    cmp "$work/second/model/model.safetensors" "$work/again/model/model.safetensors" || failed "a run that goes on gives another model"
    proved "train_rl goes on from a checkpoint of adapters with the same bits"
}

it_learns
a_run_has_one_result
kill_9_loses_nothing
a_checkpoint_is_exported_with_its_base
a_base_may_go_while_a_run_works
what_does_not_fit_together_is_refused
the_sampler_and_the_reference_are_the_trainers_own
