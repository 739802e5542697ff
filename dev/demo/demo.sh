#!/usr/bin/env bash
# The demonstration: generated problems are sorted by difficulty and split at tau; a small random Qwen3 learns the easy part by
# supervised fine-tuning, then the hard part by reinforcement learning, on two cores in minutes. Leaves out/demo/rl/model (a Hugging Face
# folder) and three pictures, of the split (out/demo/data/split.svg) and of the two runs (out/demo/sft.svg, out/demo/rl.svg).
# Arguments go to train_rl: `dev/demo/demo.sh --lora 8 --lr 3e-4` has adapters learn the hard part.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=out/demo
rm -rf "$out"
mkdir -p "$out"

echo "Problems: a start and five operations, modulo 100; their level is how many operations carry, borrow or multiply."
{ build/demo_problems train 1 3 400; build/demo_problems train 4 5 300; } > "$out/problems.jsonl"
build/demo_problems heldout 1 3 67 > "$out/heldout.jsonl"
build/demo_problems heldout 1 5 100 > "$out/heldout-all.jsonl"
head -n 1 "$out/problems.jsonl"
echo

./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$out/data" "$out/problems.jsonl"
./prepare --inspect "$out/data/sft" --tokenizer dev/demo/tokenizer
echo

./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --split rl-only --out "$out/heldout" "$out/heldout-all.jsonl" \
    > /dev/null

./train_sft --init dev/demo/config.json --tokenizer dev/demo/tokenizer --template chatml --instruction none \
    --data "$out/data/sft" --eval-data "$out/heldout.jsonl" --out "$out/sft" \
    --steps 1200 --global-batch 32 --slots 1 --micro-batch-tokens 4096 --seq-len 256 \
    --device cpu --lr 2e-3 --warmup-steps 30 --lr-end 0.1 --beta2 0.98 --weight-decay 0.1 --eval-every 200 --log-every 100 --export-dtype fp32
echo

./train_rl --model "$out/sft" --template chatml --data "$out/data/rl" --eval-data "$out/heldout/rl" --out "$out/rl" \
    --epochs 8 --steps 200 --prompts-per-step 16 --prompts-per-update 16 --samples-per-prompt 8 --max-prompt-tokens 64 --max-new-tokens 64 \
    --slots 1 --micro-batch-tokens 4096 --device cpu --lr 3e-5 --warmup-steps 5 --beta2 0.98 --weight-decay 0 \
    --eval-every 50 --log-every 20 --export-dtype fp32 "$@"

build/plot "$out/sft" "$out/sft.svg" --title "A small Qwen3 learns the easy part"
build/plot "$out/rl" "$out/rl.svg" --title "and then the hard part, from which of its answers are right"

# the first or the last evaluation of a level
accuracy() { grep '"event": "eval"' "$out/rl/log.jsonl" | "$1" -n 1 | sed -n "s/.*\"eval\/level_$2\/acc\/mean@1\": \([^,}]*\).*/\1/p"; }
share() { awk '{ printf "%.1f%%", 100 * $1 }'; }
echo
echo "held-out problems answered right       after SFT on levels 1-3    after RL on levels 4-5"
for level in 1 2 3 4 5; do
    printf '  level %d%30s%26s\n' "$level" "$(accuracy head "$level" | share)" "$(accuracy tail "$level" | share)"
done
printf '  hard (4 and 5)%22s%26s\n' "$({ accuracy head 4; accuracy head 5; } | awk '{ s += $1 / 2 } END { print s }' | share)" \
    "$({ accuracy tail 4; accuracy tail 5; } | awk '{ s += $1 / 2 } END { print s }' | share)"
echo
echo "The model: $out/rl/model   The pictures: $out/data/split.svg, $out/sft.svg, $out/rl.svg   The logs: $out/sft/log.jsonl, $out/rl/log.jsonl"
