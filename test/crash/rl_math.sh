#!/usr/bin/env bash
# Reinforcement learning on real text: MATH's hard problems, Qwen3's own tokenizer (151,936 vocabulary rows) and a small model of
# Qwen3's shape, from a few steps of SFT on the easy ones to a folder that samples again. So young a model is never right, so a grader's
# score (short responses) gives the signal. Needs the data beside the repository; without it, it says so.
. "$(dirname "$0")/common.bash"
data=${DEREASON_DATA:-../shared/data}
if [ ! -e "$data/math/train.jsonl" ] || [ ! -e "$data/qwen3-tokenizer/tokenizer.json" ]; then
    skipped "MATH and Qwen3's tokenizer are not in $data"
    exit 0
fi
awk "NR % 19 == 0" "$data/math/train.jsonl" >"$work/train.jsonl"
wants 0 ./prepare --tokenizer "$data/qwen3-tokenizer" --map difficulty=level --missing-difficulty 3 --tau 3 --out "$work/data" \
    "$work/train.jsonl" >"$work/stdout" 2>"$work/stderr"
wants 0 ./train_sft --init dev/demo/math_config.json --tokenizer "$data/qwen3-tokenizer" --data "$work/data/sft" --out "$work/sft" \
    --steps 6 --global-batch 4 --slots 1 --micro-batch-tokens 2048 --seq-len 1024 --lr 2e-3 --device cpu >"$work/stdout" 2>"$work/stderr"

grader='while read -r line; do q=${line#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": $((${#line} % 7))}"; done'
reinforce() {
    wants 0 ./train_rl --model "$work/sft" --data "$work/data/rl" --out "$1" --steps 3 --prompts-per-step 4 \
        --prompts-per-update 2 --samples-per-prompt 4 --max-prompt-tokens 256 --max-new-tokens 24 --micro-batch-tokens 2048 --slots 1 \
        --lr 1e-4 --device cpu --save-every 1 --grader "$grader" \
        >"$work/stdout" 2>"$work/stderr"
}

reinforce "$work/rl"
[ "$(grep -c '"timing_s/old_log_prob": 0, ' "$work/rl/log.jsonl")" = 3 ] || failed "three steps are not in the log"
grep -q '"grad_norm": 0,' "$work/rl/log.jsonl" && failed "a step learned nothing"
[ "$(cat "$work"/rl/rollouts/*.jsonl | wc -l)" = 48 ] || failed "48 responses are not all in the rollouts"
head -n 2 "$work/train.jsonl" >"$work/asked.jsonl"
wants 0 ./generate --model "$work/rl" --prompts "$work/asked.jsonl" --out "$work/answers.jsonl" --max-new-tokens 8 --device cpu \
    >"$work/stdout" 2>"$work/stderr"
[ "$(wc -l <"$work/answers.jsonl")" = 2 ] || failed "the model does not answer"
proved "MATH's problems, Qwen3's tokenizer: prepared, SFT, three GRPO steps of exact on-policy updates, and a model that answers"
cp -r "$work/rl" "$work/again"
rm -rf "$work/again/checkpoints/step-3" "$work/again/checkpoints/latest" "$work/again/model"
reinforce "$work/again"
cmp "$work/rl/model/model.safetensors" "$work/again/model/model.safetensors" >"$work/stderr" || failed "gone on with after step 2: other weights"
proved "gone on with after its second step: the same weights"
