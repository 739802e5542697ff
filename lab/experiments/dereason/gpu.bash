# The same settings with Qwen3-0.6B-Base or Qwen3-4B-Base and real problems, sourced by run.sh: a plan of commands, which are printed and
# have not been run. README.md says what has to be there before, and what it would cost on one H200.
#
#   MODEL   folder of the model (qwen3-0.6b)
#   DATA    folder of taught.jsonl and the benchmarks, each by its task's name (data): problems with difficulty, reference answer and one response of the teacher, in random order
print=yes
model=${MODEL:-qwen3-0.6b} from_data=${DATA:-data}
every=40 whole=800 first=480 patience=3   # steps of SFT: between evaluations, a whole budget, of it the first stage at most; evaluations without a better one
sft_batch=128 rl_batch=1024     # sequences of a step, the paper's SFT batch, and 128 prompts of 8
rows=102400                     # of train.jsonl: one epoch of SFT on everything is a whole budget
tasks=(mmlu_pro gpqa_diamond supergpqa bbeh math500 gsm8k) # the paper's four, and mathematics
benchmark() { echo "$from_data/$1.$([ "$1" = gpqa_diamond ] && echo csv || echo jsonl)"; } # TASK: its file

heldout() { # 500 problems to stop by; the benchmarks are the final figures
    run_to "$out/stop.jsonl" head -n 500 "$from_data/taught.jsonl"
    run_to "$out/train.jsonl" sed -n "501,$((rows + 500))p" "$from_data/taught.jsonl"
}
data() { # SEED: of the random split and the order; the rows are the same
    local split files=()
    for split in "${tasks[@]}"; do files+=("$(benchmark "$split")"); done
    for split in difficulty random both inverted; do
        run ./prepare --tokenizer "$model" --template chatml --tau 3 --split "$split" --seed "$1" --decontaminate "${files[@]}" \
            --out "$at/${split/difficulty/split}" "$out/train.jsonl"
    done
}

beginning() { run ln -s "$(realpath -m "$model")" "$at/base"; }
supervised() { # NAME, `new` or a run to begin with, data, steps, more
    local from=$at/$2
    [ "$2" != new ] || from=$model
    run ./train_sft --model "$from" --template chatml --data "$at/$3/sft" --out "$at/$1" --steps "$4" --global-batch $sft_batch --seq-len 4096 --over-length cut \
        --lr 1e-5 --warmup-steps 40 --seed "$seed" --eval-data "$out/stop.jsonl" --eval-samples 4 --eval-new-tokens 4096 \
        --eval-every $every --keep-checkpoints 1 "${@:5}"
}
reinforced() { # NAME, a run to begin with, data, steps
    run ./train_rl --model "$at/$2" --template chatml --data "$at/$3/rl" --out "$at/$1" --epochs 100 --steps "$4" --prompts-per-step 128 --prompts-per-update 64 \
        --samples-per-prompt 8 --max-new-tokens 4096 --lr 1e-6 --seed "$seed" --eval-data "$out/stop.jsonl" --eval-every 10 --keep-checkpoints 1 \
        --judge-model general-verifier
}
evaluated() { # NAME
    local task given=()
    for task in "${tasks[@]}"; do
        [ "$task" = gpqa_diamond ] || given+=(--data "$task=$(benchmark "$task")")
    done
    run ./evaluate --model "$at/$1" --template chatml --tasks "${tasks[@]/gpqa_diamond/}" "${given[@]}" --max-new-tokens 4096 --judge-model general-verifier \
        --judge-form general-verifier --out "$at/$1/final"
    run ./evaluate --model "$at/$1" --template chatml --tasks gpqa_diamond --data "gpqa_diamond=$(benchmark gpqa_diamond)" --samples 8 --max-new-tokens 4096 \
        --out "$at/$1/final-gpqa"
}
