#!/usr/bin/env bash
# --device: what a machine without a GPU, with one that is too old or too small, is told; and that a training run on the CUDA kernels
# (under SIMT, see test/simt/) learns what the CPU learns, goes on from where it was stopped, and keeps its bits when layers are
# recomputed; and that ./generate on them gives what the CPU gives, whatever runs beside it, and
# ./train_rl the same bits however it samples. On a machine with a GPU the same commands run there.
. "$(dirname "$0")/common.bash"
simt=build/simt/race/train_sft

cuda_model 304 true 8
recipe=(--init "$work/config.json" --data "$work/rows.jsonl" --steps 3 --global-batch 4 --slots 1 --micro-batch-tokens 128 --lr 1e-3)

on_simt() { "$simt" "${recipe[@]}" --device cuda "$@" >"$work/stdout" 2>"$work/stderr"; }

# One line, and nothing left behind.
refused() {
    says "$1"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "not one line"
    [ ! -e "$work/none/checkpoints" ] || failed "something was written"
}

what_is_missing_is_said() {
    if [ ! -e /dev/nvidiactl ]; then
        wants 1 ./train_sft "${recipe[@]}" --out "$work/none" --device cuda >"$work/stdout" 2>"$work/stderr"
        refused "use --device cpu"
        wants 0 ./train_sft "${recipe[@]}" --out "$work/auto" --steps 1 >"$work/stdout" 2>"$work/stderr"
        grep -q "^cpu-" "$work/stdout" || failed "auto does not say that it took the CPU"
    fi
    wants 1 build/asan/train_sft "${recipe[@]}" --out "$work/none" --device cuda >"$work/stdout" 2>"$work/stderr"
    refused "this build has no CUDA backend"
    SIMT_DEVICES=0 wants 1 on_simt --out "$work/none"
    refused "no NVIDIA driver"
    SIMT_DEVICES=-1 wants 1 on_simt --out "$work/none"
    refused "update the driver"
    SIMT_CAPABILITY=7.5 wants 1 on_simt --out "$work/none"
    refused "compute capability 7.5"
    SIMT_SHARED=99 wants 1 on_simt --out "$work/none"
    refused "99 KiB of shared memory"
    DEREASON_CUDA=fp32 SIMT_SHARED=163 wants 1 on_simt --out "$work/none"
    refused "163 KiB of shared memory"
    SIMT_MEMORY=1000000 wants 1 on_simt --out "$work/none"
    refused "can't be had: the GPU has 0.00 of its 0.00 GiB free"
    says "no option makes it fit, not even --moments bf16"
    DEREASON_CUDA=fp8 wants 1 on_simt --out "$work/none"
    refused "DEREASON_CUDA=fp8"
    DEREASON_MATMUL=fast wants 1 on_simt --out "$work/none"
    refused "DEREASON_MATMUL=fast: take auto, own, mma or cublaslt"
    DEREASON_ATTENTION=cudnn wants 1 on_simt --out "$work/none"
    refused "DEREASON_ATTENTION=cudnn: take auto or mma"
    sed 's/"head_dim": 64/"head_dim": 32/' "$work/config.json" >"$work/narrow.json"
    wants 1 on_simt --out "$work/none" --init "$work/narrow.json"
    refused "--device cpu"
    proved "no GPU, an old one, an old driver, too little memory of either kind, a head width that no kernel knows: one line each"
}

losses() { sed -n 's/.*"loss": \([0-9.]*\),.*/\1/p' "$1/log.jsonl"; }

# bf16 keeps 8 bits, so a logit of size 1 is off by up to 2^-8 for every rounding on its way; the mean over some hundred tokens of
# errors of either sign stays well below one of them. fp32 adds the same numbers in another order.
cuda_learns_what_the_cpu_learns() {
    wants 0 ./train_sft "${recipe[@]}" --out "$work/cpu" --device cpu >"$work/stdout" 2>"$work/stderr"
    wants 0 on_simt --out "$work/bf16"
    DEREASON_CUDA=fp32 wants 0 on_simt --out "$work/fp32"
    paste <(losses "$work/cpu") <(losses "$work/bf16") <(losses "$work/fp32") |
        awk '{ n++; if (($1 - $2) ^ 2 > (2 ^ -8) ^ 2 || ($1 - $3) ^ 2 > (2e-6 * $1) ^ 2) bad = 1 } END { exit n != 3 || bad }' ||
        failed "losses differ: $(paste <(losses "$work/cpu") <(losses "$work/bf16") <(losses "$work/fp32") | tr '\n\t' ';/')"
    proved "the losses of three steps are the CPU's: within 2^-8 in bf16, 2e-6 in fp32"
}

# OUT, STEP: of two layers, each micro-batch asks for four gradients of weights and four of inputs.
counts_products() {
    grep -qx '  "step": '"$2"',' "$1/profile.json" || failed "profile.json is not of step $2"
    awk '/"operation"/ { name = $2 } /"calls"/ { calls[name] += $2 }
        END { w = calls["\"matmul_backward_weight\","]; exit !(w > 0 && w % 8 == 0 && calls["\"matmul_backward_input\","] == w) }' \
        "$1/profile.json" || failed "other numbers of products than the layers ask for: $(cat "$1/profile.json")"
}

a_run_on_cuda_has_one_result() {
    wants 0 on_simt --out "$work/layer" --recompute layer --profile-step 2
    counts_products "$work/layer" 2
    same_run "$work/bf16" "$work/layer" "CUDA: recomputed layers give the same bits"
    SIMT_SEED=7 wants 0 on_simt --out "$work/order" --save-every 1
    same_run "$work/bf16" "$work/order" "CUDA: threads in another order give the same bits"
    cp -r "$work/order" "$work/resumed"
    rm -rf "$work/resumed/model" "$work/resumed/checkpoints/step-2" "$work/resumed/checkpoints/step-3"
    wants 0 on_simt --out "$work/resumed"
    same_run "$work/bf16" "$work/resumed" "CUDA: a resumed run gives the same bits"
    wants 1 ./train_sft "${recipe[@]}" --out "$work/resumed" --device cpu >"$work/stdout" 2>"$work/stderr"
    says "arithmetic"
    proved "a run of one arithmetic is not gone on with in another"
}

bf16_moments_resume_too() {
    wants 0 on_simt --out "$work/moments" --moments bf16 --save-every 1
    cp -r "$work/moments" "$work/resumed-moments"
    rm -rf "$work/resumed-moments/model" "$work/resumed-moments/checkpoints/step-2" "$work/resumed-moments/checkpoints/step-3"
    wants 0 on_simt --out "$work/resumed-moments" --moments bf16
    same_run "$work/moments" "$work/resumed-moments" "CUDA: bf16 moments, saved and resumed, give the same bits"
}

# The greedy answers of the trained model are the CPU's as long as no two logits are closer than the rounding; in fp32 they are not.
logprobs() { sed -n 's/.*"logprobs":\[\([^]]*\)\].*/\1/p' "$1" | tr ',' '\n'; }
cuda_generates_what_the_cpu_generates() {
    local common=(--model "$work/cpu" --prompts "$work/few.jsonl" --max-new-tokens 5 --context 64)
    head -n 5 "$work/rows.jsonl" >"$work/few.jsonl"
    wants 0 ./generate "${common[@]}" --temperature 0 --out "$work/greedy-cpu.jsonl" --device cpu >"$work/stdout" 2>"$work/stderr"
    DEREASON_CUDA=fp32 wants 0 build/simt/race/generate "${common[@]}" --temperature 0 --out "$work/greedy-cuda.jsonl" --device cuda \
        >"$work/stdout" 2>"$work/stderr"
    diff <(sed 's/"logprobs.*//' "$work/greedy-cpu.jsonl") <(sed 's/"logprobs.*//' "$work/greedy-cuda.jsonl") >"$work/stderr" ||
        failed "greedy answers differ"
    paste <(logprobs "$work/greedy-cpu.jsonl") <(logprobs "$work/greedy-cuda.jsonl") |
        awk '{ n++; if (($1 - $2) ^ 2 > 2e-5 ^ 2) bad = 1 } END { exit n != 25 || bad }' || failed "log-probabilities differ"
    proved "CUDA: greedy answers are the CPU's, their log-probabilities within 2e-5"
    wants 0 build/simt/race/generate "${common[@]}" --samples 2 --out "$work/all.jsonl" --device cuda >"$work/stdout" 2>"$work/stderr"
    wants 0 build/simt/race/generate "${common[@]}" --samples 2 --out "$work/few-at-once.jsonl" --device cuda --sequences 3 --pass-tokens 7 \
        >"$work/stdout" 2>"$work/stderr"
    cmp "$work/all.jsonl" "$work/few-at-once.jsonl" || failed "what runs beside it changes a response"
    proved "CUDA: responses in bf16 are the same ones whatever runs beside them"
}

# The check of every ratio of a first update is the program's own: it ends where one is not exactly 1.
cuda_reinforces_on_policy() {
    sed 's/"vocab_size": 304/"vocab_size": 1152/' "$work/config.json" >"$work/wide.json"
    build/demo_problems train 1 3 4 >"$work/problems.jsonl"
    build/demo_problems train 4 4 4 >"$work/hard.jsonl"
    local common=(--tokenizer dev/demo/tokenizer --template chatml)
    wants 0 ./prepare "${common[@]}" --tau 3 --out "$work/rl-data" "$work/hard.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 ./train_sft "${common[@]}" --init "$work/wide.json" --data "$work/problems.jsonl" --out "$work/begun" --steps 2 --device cpu \
        >"$work/stdout" 2>"$work/stderr"
    common=(--template chatml --model "$work/begun" --data "$work/rl-data/rl" --steps 2 --prompts-per-step 2 --prompts-per-update 1
        --samples-per-prompt 3 --max-prompt-tokens 96 --max-new-tokens 6 --overlong-buffer 5 --micro-batch-tokens 128 --slots 1 --lr 1e-3)
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$work/rl" --device cuda >"$work/stdout" 2>"$work/stderr"
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$work/rl-few" --device cuda --sequences 2 --pass-tokens 9 --profile-step 1 \
        >"$work/stdout" 2>"$work/stderr"
    counts_products "$work/rl-few" 1
    grep -q '"graph_launch"' "$work/rl-few/profile.json" || failed "no graph is among the operations"
    diff -r "$work/rl/rollouts" "$work/rl-few/rollouts" >"$work/stderr" || failed "other batches give other responses"
    cmp "$work/rl/model/model.safetensors" "$work/rl-few/model/model.safetensors" || failed "other batches give other weights"
    proved "CUDA: two steps of reinforcement learning in bf16, every ratio of their first updates exactly 1"
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$work/rl-lora" --device cuda --lora 8 --kl-coef 0.1 --entropy-coef 0.1 --sequences 3 --pass-tokens 9 \
        >"$work/stdout" 2>"$work/stderr"
    [ "$(grep -c '"actor/kl_loss": ' "$work/rl-lora/log.jsonl")" = 2 ] || failed "there is no KL in the log"
    [ "$(grep -c '"actor/kl_loss": 0, ' "$work/rl-lora/log.jsonl")" = 0 ] || failed "the second update of a step is at the reference"
    proved "CUDA: adapters, whose base is the reference; every ratio of the first updates exactly 1"
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$work/rl-kl" --device cuda --steps 1 --prompts-per-update 2 --kl-coef 0.1 \
        --judge-model "$work/begun" --judge-tokens 2 --judge-asks unequal >"$work/stdout" 2>"$work/stderr"
    grep -q '"actor/kl_loss": 0, ' "$work/rl-kl/log.jsonl" || failed "the reference's log-probabilities are not the policy's at the start"
    proved "CUDA: policy, reference and judge side by side; the reference has the policy's bits at the start"
    SIMT_MEMORY=12000000 wants 0 build/simt/race/train_rl --template chatml --model "$work/begun" --data "$work/rl-data/rl" --steps 1 --prompts-per-step 2 \
        --prompts-per-update 1 --samples-per-prompt 2 --max-prompt-tokens 96 --max-new-tokens 400 --micro-batch-tokens 128 --slots 1 --sequences 64 \
        --pass-tokens 64 --out "$work/rl-tight" --device cuda >"$work/stdout" 2>"$work/stderr"
    proved "CUDA: keys and values take the memory that there is, and leave AdamW its part"
}

total_of() { sed -n 's/^in all *\([0-9.]*\) MiB .*/\1/p' "$work/stdout"; }

a_plan_needs_no_gpu() {
    local planned
    SIMT_DEVICES=0 wants 0 on_simt --out "$work/none" --plan
    grep -q "master" "$work/stdout" || failed "the plan has no master weights"
    grep -q "^fits: there is no GPU here to ask" "$work/stdout" || failed "the plan asks a GPU that is not there"
    planned=$(total_of)
    wants 0 on_simt --out "$work/none" --plan
    grep -q "^fits: yes, .* (this GPU, 74.51 GiB free)" "$work/stdout" || failed "the plan does not ask the GPU: $(cat "$work/stdout")"
    [ "$(total_of)" = "$planned" ] || failed "a GPU that is there is planned for otherwise"
    wants 0 build/asan/train_sft "${recipe[@]}" --out "$work/none" --device cuda --plan >"$work/stdout" 2>"$work/stderr"
    [ "$(total_of)" = "$planned" ] || failed "a build without CUDA plans otherwise"
    proved "--plan --device cuda needs no GPU"
}

# What is planned is what is taken; where it is too much, layers are recomputed, and nothing else changes.
memory_decides_whether_layers_are_recomputed() {
    local whole less
    wants 0 on_simt --out "$work/none" --plan --recompute layer
    less=$(total_of)
    wants 0 on_simt --out "$work/none" --plan --recompute none
    whole=$(total_of)
    between=$(awk -v a="$whole" -v b="$less" 'BEGIN { printf "%d", (a + b) / 2 / 0.95 * 1048576 }') # 5% are left alone
    SIMT_MEMORY=$between wants 0 on_simt --out "$work/chosen"
    grep -q "^memory of model and optimizer: $less MiB" "$work/stdout" || failed "not the $less MiB of recomputed layers were taken: $(cat "$work/stdout")"
    grep -q "^memory: layers are recomputed in the backward pass" "$work/stdout" || failed "it is not said that layers are recomputed"
    same_run "$work/bf16" "$work/chosen" "CUDA: --recompute auto gives the same bits"
    wants 0 on_simt --out "$work/not-chosen"
    grep -q "^memory of model and optimizer: $whole MiB" "$work/stdout" || failed "not the $whole MiB of all layers were taken: $(cat "$work/stdout")"
    grep -q "^memory: layers are not recomputed in the backward pass, as all of it fits: .* (this GPU, " "$work/stdout" || failed "it is not said why no layer is recomputed"
    SIMT_MEMORY=$((between * 95 / 100)) wants 1 on_simt --out "$work/none" --recompute none
    refused "it fits with --recompute layer ("
    proved "CUDA: layers are recomputed where they have to be; an error of memory names what helps"
}

generating_too_much_is_refused_with_its_own_options() {
    head -n 2 "$work/rows.jsonl" >"$work/few.jsonl"
    SIMT_MEMORY=$((4 << 20)) wants 1 build/simt/race/generate --model "$work/cpu" --prompts "$work/few.jsonl" --out "$work/none.jsonl" --device cuda \
        >"$work/stdout" 2>"$work/stderr"
    says "it fits with "
    ! grep -q -e "--recompute" -e "--moments" -e "gradients" "$work/stderr" || failed "generate names options that it lacks"
    SIMT_MEMORY=$((4 << 20)) wants 0 build/simt/race/generate --model "$work/cpu" --prompts "$work/few.jsonl" --out "$work/few-out.jsonl" --device cuda \
        --max-new-tokens 2 $(sed 's/.*it fits with \(.*\) (.*/\1/' "$work/stderr") >"$work/stdout" 2>"$work/stderr.2"
    proved "CUDA: generate without memory names its own options, and they help"
}

what_is_missing_is_said
a_plan_needs_no_gpu
cuda_learns_what_the_cpu_learns
a_run_on_cuda_has_one_result
memory_decides_whether_layers_are_recomputed
bf16_moments_resume_too
generating_too_much_is_refused_with_its_own_options
cuda_generates_what_the_cpu_generates
cuda_reinforces_on_policy
