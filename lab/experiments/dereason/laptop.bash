# The miniature, sourced by run.sh: generated problems, levels 1 to 3 easy, 4 and 5 hard, and a teacher that forgets the carry or borrow of
# the last hard operation in 60 of 100 hard solutions; the reward and the held-out answers are exact. README.md says how the budgets were
# fixed. Pools are multiples of the batches: every step of SFT has 32 documents, and every step of RL 16 prompts.
every=$((80 / scale))                                    # steps of SFT between evaluations
[ "$every" -gt 1 ] || every=2
whole=$((19 * every)) first=$((12 * every)) patience=3   # steps of SFT: a whole budget, of it the first stage at most; evaluations without a better one
sft_batch=32 rl_batch=128                                # sequences of a step
easy=$((160 / scale)) hard=$((304 / scale)) errors=60    # problems of each level; wrong ones of 100 hard solutions
stopping=$((60 / scale)) final=$((200 / scale))          # held-out problems of each level: for stopping and curves; for the final figures
[ "$stopping" -gt 0 ] || stopping=1
common=(--template chatml --device cpu --threads 1)

# The same for all seeds. What SFT is stopped by, and what the curves show, is never what the final figures are of.
heldout() {
    run_to "$out/final-all.jsonl" build/demo_problems heldout 1 5 "$final" 2000 && run_to "$out/final-hard.jsonl" grep -E '"difficulty": [45]' "$out/final-all.jsonl" &&
        run_to "$out/stop-all.jsonl" build/demo_problems heldout 1 5 "$stopping" 1000 || return
    if [ "$print" = no ]; then grep -o '"problem": "[^"]*"' "$out/final-all.jsonl" | grep -vFf - "$out/stop-all.jsonl" >"$out/stop.jsonl"; fi
    prepared "$out/stop" "$out/stop.jsonl" --split rl-only
}
data() { # SEED
    [ "$print" = yes ] || [ ! -d "$at/inverted/rl" ] || return 0
    run_to "$at/easy.jsonl" build/demo_problems train 1 3 "$easy" "$1" && run_to "$at/hard.jsonl" build/demo_problems train 4 5 "$hard" "$1" "$errors" || return
    local split
    for split in difficulty random both inverted; do
        prepared "$at/${split/difficulty/split}" "$at/easy.jsonl" "$at/hard.jsonl" --tau 3 --split "$split" --seed "$1" || return
    done
}
prepared() { # OUT, more
    run_to "$1.txt" ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --out "$@"
}

beginning() { # base: one step that changes nothing makes a folder of the new model
    supervised base new both 1 --lr 1e-12 --lr-schedule constant
}
supervised() { # NAME, `new` or a run to begin with, data, steps, more
    local from=(--model "$at/$2")
    [ "$2" != new ] || from=(--init dev/demo/config.json --tokenizer dev/demo/tokenizer)
    run ./train_sft "${common[@]}" "${from[@]}" --instruction none --data "$at/$3/sft" --out "$at/$1" --steps "$4" --global-batch $sft_batch --slots 1 \
        --micro-batch-tokens 4096 --seq-len 256 --lr 1e-3 --lr-end 0.1 --warmup-steps 30 --beta2 0.98 --weight-decay 0.1 \
        --seed "$seed" --eval-data "$out/stop.jsonl" --eval-samples 4 --eval-new-tokens 64 --eval-every "$every" --save-every 400 --keep-checkpoints 1 \
        --export-dtype fp32 "${@:5}"
}
reinforced() { # NAME, a run to begin with, data, steps. With a copy of the prompt for each response, as the figures in results/ were made
    run ./train_rl "${common[@]}" --model "$at/$2" --data "$at/$3/rl" --out "$at/$1" --no-share-prompts --epochs 1000 --steps "$4" --prompts-per-step 16 --prompts-per-update 16 \
        --samples-per-prompt 8 --max-prompt-tokens 64 --max-new-tokens 64 --slots 1 --micro-batch-tokens 4096 --lr 1e-4 --warmup-steps 5 --beta2 0.98 \
        --weight-decay 0 --seed "$seed" --eval-data "$out/stop/rl" --eval-every $((every / 4 + 1)) --save-every 100 --keep-checkpoints 1 --export-dtype fp32
}
evaluated() { # NAME
    run ./evaluate --model "$at/$1" --template chatml --device cpu --threads 1 --tasks $here/greedy.task $here/sampled.task \
        --data "greedy=$out/final-all.jsonl" --data "sampled=$out/final-all.jsonl" --seed "$seed" --out "$at/$1/final"
    [ "$print" = yes ] || rm "$at/$1/final/page.html" # 2 MB each; the same command makes it again
}
