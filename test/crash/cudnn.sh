#!/usr/bin/env bash
# --attention cudnn, with the CUDA kernels under SIMT and the stand-in for cuDNN (test/simt/cudnn.c): a run learns what it learns with
# our own attention, and says in its log, in its checkpoints and in --plan that it is another kind of run; where cuDNN has nothing to
# give there is one line.
. "$(dirname "$0")/common.bash"

cuda_model 1152 true 8
recipe=(--init "$work/config.json" --data "$work/rows.jsonl" --steps 2 --global-batch 4 --slots 1 --micro-batch-tokens 128 --lr 1e-3)

on_simt() { build/simt/race/train_sft "${recipe[@]}" --device cuda "$@" >"$work/stdout" 2>"$work/stderr"; }
losses() { sed -n 's/.*"loss": \([0-9.]*\),.*/\1/p' "$1/log.jsonl"; }

# One line, and nothing left behind.
refused() {
    says "$1"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "not one line"
    [ ! -e "$work/none" ] || failed "something was written"
}

# bf16 keeps 8 bits: a mean over some hundred tokens of errors of either sign stays well below one of them.
it_learns_what_ours_learns() {
    wants 0 on_simt --out "$work/own"
    wants 0 on_simt --out "$work/cudnn" --attention cudnn --save-every 1
    grep -q "attention by cuDNN 9.28.1, exact = false" "$work/stdout" || failed "the log does not say whose attention it is"
    grep -q "^exact = false: attention in training is cuDNN's" "$work/stdout" || failed "the log does not say what exact = false means"
    for manifest in "$work/cudnn"/checkpoints/step-*/MANIFEST.json "$work/cudnn/starts.jsonl"; do
        grep -q "attention by cuDNN 9.28.1, exact = false" "$manifest" || failed "$manifest does not say that the run is not exact"
    done
    grep -q '"attention": .*cudnn' "$work/cudnn/checkpoints/step-1/MANIFEST.json" || failed "the option is not in the run's identity"
    ! grep -rq "exact = false" "$work/own/starts.jsonl" "$work/own/checkpoints" || failed "a run of our own calls itself inexact"
    paste <(losses "$work/own") <(losses "$work/cudnn") |
        awk '{ n++; if (($1 - $2) ^ 2 > (2 ^ -8) ^ 2) bad = 1 } END { exit n != 2 || bad }' ||
        failed "losses differ: $(paste <(losses "$work/own") <(losses "$work/cudnn") | tr '\n\t' ';/')"
    ! cmp -s "$work/own/model/model.safetensors" "$work/cudnn/model/model.safetensors" || failed "cuDNN was not asked at all"
    [ -s "$work/own/model/model.safetensors" ] && [ -s "$work/cudnn/model/model.safetensors" ] || failed "a model was not written"
    wants 1 on_simt --out "$work/cudnn" --steps 3
    says "--attention"
    wants 1 on_simt --out "$work/own" --steps 3 --attention cudnn
    says "--attention"
    CUDNN_STANDIN_VERSION=92900 wants 1 on_simt --out "$work/cudnn" --steps 3 --attention cudnn
    says "attention by cuDNN 9.29.0"
    proved "with cuDNN's attention losses are ours within 2^-8; log and identity say exact = false, and it is not gone on with ours"
}

its_workspace_is_planned() {
    wants 0 on_simt --out "$work/none" --plan --attention cudnn
    grep -q "^  attention: its library's workspace" "$work/stdout" || failed "the plan has no workspace: $(cat "$work/stdout")"
    planned=$(sed -n 's/^in all *\([0-9.]*\) MiB .*/\1/p' "$work/stdout")
    wants 0 ./train_sft "${recipe[@]}" --out "$work/none" --device cuda --plan --attention cudnn >"$work/stdout" 2>"$work/stderr"
    [ "$(sed -n 's/^in all *\([0-9.]*\) MiB .*/\1/p' "$work/stdout")" = "$planned" ] || failed "a machine without a GPU plans otherwise"
    CUDNN_STANDIN_VERSION=91900 wants 0 build/simt/race/train_sft "${recipe[@]}" --out "$work/none" --plan --attention cudnn >"$work/stdout" 2>"$work/stderr"
    [ "$(sed -n 's/^in all *\([0-9.]*\) MiB .*/\1/p' "$work/stdout")" = "$planned" ] || failed "a machine without the library plans otherwise"
    proved "cuDNN's workspace is in the plan, with a GPU and without, with the library and without"
}

what_it_lacks_is_said() {
    CUDNN_STANDIN_VERSION=91900 wants 1 on_simt --out "$work/none" --attention cudnn
    refused "libcudnn.so.9 is version 9.19.0, and 9.28 or newer is needed"
    CUDNN_STANDIN_ENGINES=0 wants 1 on_simt --out "$work/none" --attention cudnn
    refused "cuDNN 9.28.1: there is no forward pass on this card"
    says "or give --attention own"
    CUDNN_STANDIN_PLANS=2 wants 1 on_simt --out "$work/begun" --attention cudnn # of the look before a run begins
    says "cuDNN 9.28.1: there is no forward pass on this card for up to "
    says "no more plans (2)); nothing computed since is kept, and the last checkpoint stands"
    ! grep -q 'the GPU reported' "$work/stderr" || failed "a library's refusal is called the GPU's"
    DEREASON_CUDA=fp32 wants 2 on_simt --out "$work/none" --attention cudnn
    refused "cuDNN's attention is for bf16"
    wants 2 ./train_sft "${recipe[@]}" --out "$work/none" --device cpu --attention cudnn >"$work/stdout" 2>"$work/stderr"
    refused "cuDNN computes on GPUs alone"
    wants 2 build/asan/train_sft "${recipe[@]}" --out "$work/none" --attention cudnn >"$work/stdout" 2>"$work/stderr"
    refused "cuDNN computes on GPUs alone"
    proved "an old version, a card that it has nothing for, a shape that it has nothing for in the middle of a run, fp32, the CPU, a build without CUDA: one line each"
}

# The sampler's attention is ours, so that log-probabilities are near each other and no longer the same.
it_reinforces_without_the_check_of_ratios() {
    hard_problems
    wants 0 ./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/hard.jsonl" \
        --out "$work/begun" --steps 1 --device cpu >"$work/stdout" 2>"$work/stderr"
    rules+=(--model "$work/begun" --data "$work/data/rl" --steps 1 --prompts-per-step 2 --prompts-per-update 2 --samples-per-prompt 2
        --max-new-tokens 6 --overlong-buffer 5 --device cuda --attention cudnn)
    wants 2 build/simt/race/train_rl "${rules[@]}" --out "$work/none" >"$work/stdout" 2>"$work/stderr"
    refused "give --no-share-prompts, too"
    wants 0 build/simt/race/train_rl "${rules[@]}" --out "$work/rl" --no-share-prompts >"$work/stdout" 2>"$work/stderr"
    grep -q "^exact = false: " "$work/stdout" || failed "the log does not say that ratios are no longer exactly 1"
    proved "reinforcement learning with cuDNN's attention: shared prompts are refused, and no ratio has to be exactly 1"
}

a_benchmark_does_without_it() {
    CUDNN_STANDIN_PLANS=2 wants 0 build/simt/race/kernel_bench --smoke --only attention_ --json "$work/bench.jsonl" >"$work/stdout" 2>"$work/stderr"
    grep -q '"attention_backward"' "$work/bench.jsonl" && ! grep -q '"cudnn"' "$work/bench.jsonl" || failed "a peer that refuses: $(cat "$work/stdout")"
    wants 0 build/simt/race/kernel_bench --smoke --only attention_ --json "$work/bench.jsonl" >"$work/stdout" 2>"$work/stderr"
    [ "$(grep -c '"attention_[a-z]*ward".*"cudnn": ' "$work/bench.jsonl")" -ge 4 ] || failed "cuDNN is no peer: $(cat "$work/bench.jsonl")"
    proved "kernel_bench has cuDNN beside our attention, and goes on where it refuses a shape"
}

# What the library itself says of our graphs, for an H100 that is not here: only where dev/setup.sh --cuda has brought it.
the_library_takes_our_graphs() {
    local folder real=""
    eval "$(dev/cuda_paths.sh)"
    for folder in ${CUDA_LIBRARIES//:/ }; do
        [ ! -e "$folder/libcudnn.so.9" ] || real=$folder
    done
    [ -n "$real" ] && [ -n "$HAVE_CUDNN" ] || { skipped "the library's own plans: there is no cuDNN of 9.28 or newer here (dev/setup.sh --cuda)" && return; }
    SIMT_DEVICES=0 LD_LIBRARY_PATH=$real:$CUDA_LIBRARIES:build/simt wants 0 build/simt/race/cudnn_plans ${1:+"$1"} >"$work/stdout" 2>"$work/stderr"
    [ "$(grep -c "works in" "$work/stdout")" -ge 4 ] || failed "not every plan was made: $(cat "$work/stdout")"
    proved "cuDNN itself makes a plan of each of our graphs for an H100, and works in no more than is planned"
}

it_learns_what_ours_learns
its_workspace_is_planned
what_it_lacks_is_said
it_reinforces_without_the_check_of_ratios
a_benchmark_does_without_it
the_library_takes_our_graphs "$([ "$mode" != long ] || echo --all)"
