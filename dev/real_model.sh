#!/usr/bin/env bash
# Every program on a real model, in a few steps each: does this folder work, from answers to an exported model that
# transformers loads? Half an hour on two cores for 0.5B parameters; nothing here is a measurement.
#   dev/real_model.sh MODEL GSM8K_TRAIN.jsonl OUT
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?a folder of weights} rows=${2:?rows with question and answer} out=${3:?a folder}
python=${PYTHON:-python3}
mkdir -p "$out"
say() { echo; echo "== $*"; }

say "generate: 16 problems, greedy"
head -n 16 "$rows" >"$out/asked.jsonl"
./generate --model "$model" --prompts "$out/asked.jsonl" --temperature 0 --max-new-tokens 320 --out "$out/answers.jsonl"
build/check_answers "$out/answers.jsonl"

say "score: 6 problems"
sed -n 17,22p "$rows" >"$out/unscored.jsonl"
./score --model "$model" --data "$out/unscored.jsonl" --max-new-tokens 256 --out "$out/scored.jsonl"
grep -o '"difficulty": *[0-9.]*' "$out/scored.jsonl" || true

say "train_sft: 4 steps of 8 worked problems"
sed -n 101,164p "$rows" >"$out/sft.jsonl"
./train_sft --model "$model" --data "$out/sft.jsonl" --eval-data "$out/asked.jsonl" --eval-every 4 --steps 4 --global-batch 8 --seq-len 512 \
    --micro-batch-tokens 1024 --lr 1e-5 --out "$out/sft"

say "train_rl: 2 steps of 3 problems, 4 responses each"
sed -n 201,212p "$rows" >"$out/rl.jsonl"
./train_rl --model "$out/sft" --data "$out/rl.jsonl" --steps 2 --prompts-per-step 3 --prompts-per-update 3 --samples-per-prompt 4 \
    --max-prompt-tokens 256 --max-new-tokens 200 --micro-batch-tokens 1024 --out "$out/rl"
build/check_answers "$out"/rl/rollouts/*.jsonl

say "chat with what was trained"
printf '%s\n' "What is 17 + 25? Answer with the number alone." "And twice that?" | ./generate --model "$out/rl" --chat --temperature 0 --max-new-tokens 40

say "export: the last checkpoint as a folder, and transformers on it"
build/export "$(ls -d "$out"/rl/checkpoints/step-* | tail -n 1)" "$out/exported"
cmp "$out/exported/model.safetensors" "$out/rl/model/model.safetensors"
head -n 3 "$out/asked.jsonl" | "$python" -c 'import json, sys
for row in map(json.loads, sys.stdin): print(json.dumps({"text": row["question"] + "\n" + row["answer"]}))' >"$out/texts.jsonl"
build/tokenize "$out/exported" <"$out/texts.jsonl" >"$out/ids.jsonl"
build/logprobs "$out/exported" <"$out/ids.jsonl" >"$out/logprobs.jsonl"
"$python" lab/reference/check_export.py "$out/exported" "$out/ids.jsonl" "$out/logprobs.jsonl"
