#!/usr/bin/env bash
# The demonstration: generated problems are sorted by difficulty and split at tau; a small random Qwen3 learns the easy part by
# supervised fine-tuning, on two cores in minutes. Leaves out/demo/run/model (a Hugging Face folder) and two pictures, of the split
# (out/demo/data/split.svg) and of the run (out/demo/run.svg).
set -euo pipefail
cd "$(dirname "$0")/../.."
out=out/demo
rm -rf "$out"
mkdir -p "$out"

echo "Problems: a start and five operations, modulo 100; their level is how many operations carry, borrow or multiply."
build/demo_problems train 1 5 1500 > "$out/problems.jsonl"
build/demo_problems heldout 1 3 67 > "$out/heldout.jsonl"
head -n 1 "$out/problems.jsonl"
echo

./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$out/data" "$out/problems.jsonl"
./prepare --inspect "$out/data/sft" --tokenizer dev/demo/tokenizer
echo

./train_sft --init dev/demo/config.json --tokenizer dev/demo/tokenizer --template chatml --instruction none \
    --data "$out/data/sft" --eval-data "$out/heldout.jsonl" --out "$out/run" \
    --steps 1200 --global-batch 32 --slots 1 --micro-batch-tokens 4096 --seq-len 256 \
    --device cpu --lr 2e-3 --warmup-steps 50 --lr-end 0.1 --beta2 0.98 --weight-decay 0.1 --eval-every 200 --log-every 50 --export-dtype fp32

build/plot "$out/run/log.jsonl" "$out/run.svg" --title "A small Qwen3 learns to calculate"

field() { sed -n "s/.*\"event\": \"eval\".*\"$1\": \([^,}]*\).*/\1/p" "$out/run/log.jsonl"; }
share() { awk '{ printf "%.1f%%", 100 * $1 }'; }
echo
echo "                                                     before    after"
printf 'held-out loss (nats per token)                     %8.4f %8.4f\n' "$(field eval_loss | head -n 1)" "$(field eval_loss | tail -n 1)"
printf 'answers whose every token is the arg-max           %8s %8s\n' "$(field eval_exact | head -n 1 | share)" \
    "$(field eval_exact | tail -n 1 | share)"
echo
echo "The model: $out/run/model   The pictures: $out/data/split.svg, $out/run.svg   The log: $out/run/log.jsonl"
echo "The hard part waits in $out/data/rl for reinforcement learning."
