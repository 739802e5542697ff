#!/usr/bin/env bash
# The small tools as a user chains them: a checkpoint is exported, scored, trained on; text goes to ids and back; what --plan and
# --print-config say is what a run would do.
. "$(dirname "$0")/common.bash"
tiny_recipe
calm=$work/calm
wants 0 train "$calm"
models=test/fixtures/models

# Seven lines of ids below 200; the third is a single id.
awk 'BEGIN { for (line = 1; line <= 7; line++) {
    printf "{\"ids\": [%d", line
    for (i = 1; i < (line == 3 ? 1 : 5 * line); i++) printf ", %d", (i * i * 7 + line * 31) % 200
    print "]}" } }' >"$work/ids.jsonl"

logprobs() { wants 0 build/logprobs "$@" --device cpu 2>"$work/stderr"; }

lines_do_not_see_each_other() {
    logprobs $models/tied <"$work/ids.jsonl" >"$work/together"
    while IFS= read -r line; do
        logprobs $models/tied <<<"$line"
    done <"$work/ids.jsonl" >"$work/alone"
    tac "$work/ids.jsonl" | logprobs $models/tied | tac >"$work/backwards"
    [ "$(wc -l <"$work/together")" = 7 ] || failed "not one line of logprobs for each line of ids"
    cmp "$work/together" "$work/alone" >"$work/stderr" || failed "a line's logprobs depend on the lines with it"
    cmp "$work/together" "$work/backwards" >"$work/stderr" || failed "a line's logprobs depend on its place"
    [ "$(sed -n 3p "$work/together")" = '{"logprobs": [], "entropy": []}' ] || failed "one id does not give empty lists"
    proved "logprobs: a line has the same bytes alone, among others and backwards; one id gives empty lists"
}

live_columns_and_temperature() {
    logprobs $models/tied <"$work/ids.jsonl" >"$work/all"
    logprobs $models/tied --n-live 211 --temperature 1 <"$work/ids.jsonl" | cmp - "$work/all" >"$work/stderr" ||
        failed "all columns and temperature 1 are not the defaults"
    logprobs $models/tied --n-live 200 <"$work/ids.jsonl" >"$work/live"
    cmp -s "$work/all" "$work/live" && failed "--n-live changes nothing"
    logprobs $models/tied --temperature 1000000 --n-live 200 <"$work/ids.jsonl" | sed -n 2p >"$work/hot"
    # 200 columns that are all alike: ln 200 = 5.2983174. The fixture's logits are below 100 in size, so over 1e6 they move a
    # logprob by less than 2e-4, and the entropy by less than that.
    tr -d '{}"[]:a-z' <"$work/hot" | tr ',' '\n' | awk 'NF { n++; x = $1 < 0 ? -$1 : $1; if (x < 5.2980 || x > 5.2986) bad = 1 }
        END { exit n == 18 && !bad ? 0 : 1 }' || failed "at a temperature of a million not every logprob is -ln 200"
    proved "logprobs: --n-live and --temperature do what they say"
    wants 1 build/logprobs $models/tied --n-live 212 <"$work/ids.jsonl" 2>"$work/stderr" >"$work/stdout"
    says "211 vocabulary rows"
    wants 1 build/logprobs $models/tied --device cpu --n-live 150 <"$work/ids.jsonl" 2>"$work/stderr" >"$work/stdout"
    says "150"
    wants 1 build/logprobs $models/tied --device cpu <<<'{"ids": [1, 211]}' 2>"$work/stderr" >"$work/stdout"
    says "211"
    wants 2 build/logprobs $models/tied --temperature 0 <"$work/ids.jsonl" 2>"$work/stderr" >"$work/stdout"
    says "usage: "
    wants 1 build/logprobs $models/tied --device tpu <"$work/ids.jsonl" 2>"$work/stderr" >"$work/stdout"
    says "--device tpu: not a device"
    proved "logprobs: ids that are not among the live columns are refused"
}

text_goes_to_ids_and_back() {
    local folder=test/fixtures/tokenizer/tiny
    wants 0 build/tokenize $folder <test/fixtures/tokenizer/tiny.texts.jsonl >"$work/tokens" 2>"$work/stderr"
    cmp "$work/tokens" test/fixtures/tokenizer/tiny.ids.jsonl >"$work/stderr" || failed "tokenize gives other ids"
    wants 0 build/tokenize $folder --decode <"$work/tokens" >"$work/texts" 2>"$work/stderr"
    wants 0 build/tokenize $folder <"$work/texts" >"$work/tokens_again" 2>"$work/stderr"
    cmp "$work/tokens" "$work/tokens_again" >"$work/stderr" || failed "text that came from ids gives other ids"
    wants 1 build/tokenize $folder <<<'{"text": 1}' >"$work/stdout" 2>"$work/stderr"
    says "line 1"
    wants 1 build/tokenize $folder --decode <<<'{"ids": [358]}' >"$work/stdout" 2>"$work/stderr"
    says "358"
    proved "tokenize: text goes to the known ids, and there and back again to the same; a bad line is named"
}

export_equals_the_run() {
    wants 0 build/export "$calm/checkpoints/step-24" "$work/exported" 2>"$work/stderr"
    diff -r "$calm/model" "$work/exported" >"$work/stderr" || failed "the exported checkpoint is not the run's model"
    proved "export: the last checkpoint gives the very folder that the run wrote"
    wants 0 build/export "$calm/checkpoints/step-24" "$work/exported" --dtype fp32 2>"$work/stderr"
    logprobs "$work/exported" <"$work/ids.jsonl" >"$work/exact"
    logprobs "$calm" <"$work/ids.jsonl" >"$work/rounded"
    cmp -s "$work/exact" "$work/rounded" && failed "fp32 and bf16 exports have the same logprobs"
    proved "export: --dtype fp32 over an older export; logprobs takes OUT for OUT/model"
    mkdir "$work/mine"
    echo precious >"$work/mine/notes.txt"
    wants 1 build/export "$calm/checkpoints/step-24" "$work/mine" 2>"$work/stderr"
    says "not a model"
    [ "$(cat "$work/mine/notes.txt")" = precious ] && [ "$(ls "$work/mine")" = notes.txt ] ||
        failed "export wrote into a folder of mine"
    wants 1 build/export "$calm/model" "$work/nothing" 2>"$work/stderr"
    says "MANIFEST.json"
    wants 1 build/export "$calm/checkpoints/step-1" "$work/nothing" 2>"$work/stderr"
    [ ! -e "$work/nothing" ] || failed "export of no checkpoint made a folder"
    proved "export: somebody's other folder and what is no checkpoint are refused"
}

# The chain that the help promises: the model of one run is the --model of the next, its tokenizer and template come with it.
a_model_is_the_next_ones_beginning() {
    local base=(./train_sft --data "$work/train.jsonl" --global-batch 4 --seq-len 256 --threads 1 --steps 2 --slots 2
        --micro-batch-tokens 256 --device cpu)
    wants 0 build/export "$calm/checkpoints/step-24" "$work/begin" --dtype fp32 2>"$work/stderr"
    wants 0 "${base[@]}" --model "$work/begin" --out "$work/next" >"$work/stdout" 2>"$work/stderr"
    grep -q '"step": 2,' "$work/next/log.jsonl" || failed "the next run has no second step"
    for name in tokenizer.json tokenizer_config.json chat_template.jinja; do
        cmp "$work/begin/$name" "$work/next/model/$name" >"$work/stderr" || failed "$name did not come along"
    done
    wants 0 "${base[@]}" --model "$work/next" --out "$work/third" >"$work/stdout" 2>"$work/stderr"
    proved "the exported model is the beginning of the next run, and OUT of a run is, too"
}

# The other family goes the same way: from a configuration through checkpoints to a folder, and on from there.
a_qwen2_is_trained_resumed_exported_and_trained_again() {
    local out=$work/qwen2 resumed=$work/qwen2-resumed names
    sed 's/Qwen3For/Qwen2For/; s/"qwen3"/"qwen2"/; s/ "head_dim": 16,//' "$work/config.json" >"$work/qwen2.json"
    wants 0 train "$out" --init "$work/qwen2.json" --epochs 1
    cp -r "$out" "$resumed"
    rm -r "$resumed/model" "$resumed/checkpoints/step-4"
    wants 0 train "$resumed" --init "$work/qwen2.json" --epochs 1
    same_run "$out" "$resumed" "a Qwen2 that is gone on with in its middle has the bits of one that never stopped"
    wants 0 build/export "$out/checkpoints/step-4" "$work/qwen2-exported" 2>"$work/stderr"
    diff -r "$out/model" "$work/qwen2-exported" >"$work/stderr" || failed "the exported Qwen2 is not the run's model"
    grep -q '"model_type": "qwen2"' "$out/model/config.json" && ! grep -q head_dim "$out/model/config.json" ||
        failed "this is not the configuration of a Qwen2: $(cat "$out/model/config.json")"
    names=$(grep -ao '"model\.layers\.1\.self_attn\.[a-z_.]*"' "$out/model/model.safetensors" |
        cut -d. -f5- | tr -d '"' | sort | xargs)
    [ "$names" = "k_proj.bias k_proj.weight o_proj.weight q_proj.bias q_proj.weight v_proj.bias v_proj.weight" ] ||
        failed "the attention of an exported Qwen2 has $names"
    wants 0 ./train_sft "${recipe[@]:2}" --model "$out" --out "$work/qwen2-next" --epochs 1 >"$work/stdout" 2>"$work/stderr"
    logprobs "$work/qwen2-next" <"$work/ids.jsonl" >"$work/all"
    [ "$(wc -l <"$work/all")" = 7 ] || failed "the next Qwen2 gives no logprobs"
    proved "a Qwen2 is trained, exported under its own names, and trained again"
    cp -r "$calm" "$work/other-family"
    cp "$work/config.json" "$work/qwen3.json"
    cp "$work/qwen2.json" "$work/config.json"
    wants 1 train "$work/other-family"
    says "another model_type in config.json"
    cp "$work/qwen3.json" "$work/config.json"
    proved "a run of one family is not gone on with in the other"
}

plan_writes_nothing() {
    wants 0 train "$work/planned" --plan
    [ ! -e "$work/planned" ] || failed "--plan made a folder"
    grep -q '^15 documents, .* 24 steps$' "$work/stdout" || failed "--plan says: $(head -n 1 "$work/stdout")"
    grep -q '^in all .* MiB = .* GB (.* GiB) for cpu-' "$work/stdout" || failed "--plan has no sum: $(cat "$work/stdout")"
    proved "--plan prints documents, steps and memory, and writes nothing"
    sum_of() { sed -n 's/^in all *\([0-9.]*\) MiB.*/\1/p' "$work/stdout"; }
    local before
    before=$(sum_of)
    wants 0 train "$work/planned" --plan --moments bf16
    awk -v a="$before" -v b="$(sum_of)" 'BEGIN { exit b < a ? 0 : 1 }' || failed "--moments bf16 does not take less memory"
    proved "--plan --moments bf16 takes less memory"
}

# What is planned is what a run then takes.
planned_memory() { sed -n 's/^in all *\([0-9.]* MiB = .*)\) for .*/\1/p' "$work/stdout"; }
taken_memory() { sed -n 's/^memory of model and optimizer: //p' "$work/stdout"; }
a_run_takes_what_was_planned() {
    local options planned
    for options in "" "--moments bf16 --recompute layer" "--micro-batch-tokens 512 --recompute none"; do
        wants 0 train "$work/planned" --plan $options
        grep -q '^fits: yes, .* (this machine, .* GiB free)$' "$work/stdout" || failed "--plan has no verdict: $(cat "$work/stdout")"
        planned=$(planned_memory)
        wants 0 train "$work/taken" --epochs 1 $options
        [ -n "$planned" ] && [ "$planned" = "$(taken_memory)" ] || failed "'$planned' were planned, '$(taken_memory)' were taken ($options)"
        rm -r "$work/taken"
    done
    proved "a run takes the memory that --plan says"
}

# Neither a GPU nor nvcc is needed to plan for a GPU.
plan_for_a_gpu() {
    local program
    sed 's/"head_dim": 16/"head_dim": 64/' "$work/config.json" >"$work/for_gpu.json"
    for program in ./train_sft build/asan/train_sft; do        # the sanitizers' build has no CUDA backend
        wants 0 $program "${recipe[@]}" --out "$work/planned" --plan --device cuda --gpu 80G --init "$work/for_gpu.json" \
            >"$work/plan-of-$(dirname $program | tr -d ./)" 2>"$work/stderr"
    done
    cp "$work/plan-of-" "$work/stdout"
    grep -q '^in all .* for cuda-bf16' "$work/stdout" || failed "--plan --device cuda is not for it: $(cat "$work/stdout")"
    grep -q 'master weights' "$work/stdout" || failed "--plan --device cuda has no master weights"
    grep -q '^fits: yes, .* (a GPU of 80G, 78.80 GiB)$' "$work/stdout" || failed "--gpu 80G has no verdict: $(cat "$work/stdout")"
    cmp "$work/plan-of-" "$work/plan-of-buildasan" || failed "a build without CUDA plans otherwise"
    wants 1 train "$work/planned" --plan --device cuda
    says "config.json: head_dim is 16, and cuda-bf16 has attention for 64, 128 only; use --device cpu"
    [ ! -e "$work/planned" ] || failed "--plan made a folder"
    proved "--plan --device cuda needs neither a GPU nor a build for one, and refuses a model that has no kernels there"
    wants 2 train "$work/planned" --gpu 80G
    says "with --plan"
    wants 2 train "$work/planned" --plan --device auto --gpu 80x
    says "--gpu 80x: give a card's memory, as 80G or 79.1GiB, or one of"
    [ ! -e "$work/planned" ] || failed "a wrong --gpu made a folder"
    proved "--gpu is for plans, and names a card or its memory"
}

# The defaults are for a card of 80 GB and a model of 4B; where it does not fit, the options that are named make it fit.
verdict() { sed -n 's/^fits: //p' "$work/stdout"; }
plan_of() {                                                    # SIZE CARD, more options
    local size=$1 card=$2
    shift 2
    wants 0 ./train_sft --init "lab/bench/qwen3-$size.json" --data "$work/long.jsonl" --out "$work/planned" --plan --seq-len 8192 --gpu "$card" \
        "$@" >"$work/stdout" 2>"$work/stderr"
}
the_plan_says_what_fits() {
    local advice
    awk 'BEGIN { for (row = 0; row < 4; row++) {
        printf "{\"ids\": ["; for (i = 0; i < 8192; i++) printf "%s%d", i ? ", " : "", (i + row) % 1000; print "]}" } }' >"$work/long.jsonl"
    plan_of 4b h100
    [[ $(verdict) == yes* && $(verdict) == *"layers are recomputed"* ]] || failed "the defaults, 4B, an H100: $(verdict)"
    plan_of 0.6b 24G
    [[ $(verdict) == yes* ]] || failed "the defaults, 0.6B, 24 GB: $(verdict)"
    for card in 64GiB 70GiB 61GiB; do
        plan_of 4b $card --recompute none
        advice=$(verdict | sed -n 's/.*it fits with \(.*\) (.*/\1/p')
        [[ $(verdict) == no* && -n $advice ]] || failed "4B, $card: $(verdict)"
        plan_of 4b $card --recompute none $advice
        [[ $(verdict) == yes* ]] || failed "4B, $card with $advice: $(verdict)"
    done
    plan_of 4b 24G
    [[ $(verdict) == *"no option makes it fit"* ]] || failed "4B, 24 GB: $(verdict)"
    proved "--plan: 4B fits 80 GB by default; the options that it names make it fit; what cannot be is said"
}

# Of each size, SFT and GRPO, on up to eight cards; in short of one size.
the_table_of_cards_is_what_plans_say() {
    local sizes=(0.6b)
    [ "$mode" != long ] || sizes=()
    dev/plan_table.sh cards . "${sizes[@]}" >"$work/table" 2>"$work/stderr" || failed "the table of cards is not made"
    [ "$(wc -l <"$work/table")" -ge 4 ] || failed "the table of cards is $(cat "$work/table")"
    grep -vxFf docs/train.md "$work/table" >"$work/stderr" || { proved "docs/train.md says of cards what --plan says" && return; }
    failed "these rows are others in docs/train.md"
}

config_comes_back() {
    wants 0 train "$work/printed" --print-config --lr 0.0001234567890123 --instruction $'two\nlines with "quotes", a \\ and a #' \
        --no-train-turn-newline --eval-data "$work/a file, with a comma]"
    cp "$work/stdout" "$work/printed.conf"
    [ ! -e "$work/printed" ] || failed "--print-config made a folder"
    wants 0 ./train_sft --config "$work/printed.conf" --print-config >"$work/stdout" 2>"$work/stderr"
    cmp "$work/stdout" "$work/printed.conf" >"$work/stderr" || failed "--config of --print-config prints another configuration"
    proved "--print-config fed back by --config prints itself"
    wants 0 ./train_sft --config "$calm/options.conf" --out "$work/from_conf" >"$work/stdout" 2>"$work/stderr"
    same_run "$calm" "$work/from_conf" "OUT/options.conf given as --config makes the same run"
}

lines_do_not_see_each_other
live_columns_and_temperature
text_goes_to_ids_and_back
export_equals_the_run
a_model_is_the_next_ones_beginning
a_qwen2_is_trained_resumed_exported_and_trained_again
plan_writes_nothing
a_run_takes_what_was_planned
plan_for_a_gpu
the_plan_says_what_fits
the_table_of_cards_is_what_plans_say
config_comes_back
