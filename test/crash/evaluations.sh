#!/usr/bin/env bash
# Evaluations while training: train_sft answers held-out problems with the model that trains, and nothing of the run changes by a bit; what it
# counts is what ./generate and build/check_answers count of the exported model; what it cannot do is refused by name.
. "$(dirname "$0")/common.bash"
tiny_recipe
calm=$work/calm
wants 0 train "$calm"

# `eval` lines of a log without what the clock decides, and the figure NAME of each
evaluations() { grep '"event": "eval"' "$1/log.jsonl" | sed 's/, "timing_s.*//; s/, "seconds".*//'; }
figures() { evaluations "$1" | sed -n "s|.*\"$2\": \([^,}]*\).*|\1|p"; }
bits_of_log() { grep -v '"event"' "$1/log.jsonl" | sed 's/, "seconds".*//'; }
same_responses() { diff -qr "$1/evaluations" "$2/evaluations" >"$work/stderr" || failed "$3: other responses to held-out problems"; }
same_evaluations() {
    diff <(evaluations "$1") <(evaluations "$2") >"$work/stderr" || failed "$3: other figures"
    same_responses "$1" "$2" "$3"
}

asked=$work/asked
sampling=(--eval-samples 3 --eval-new-tokens 24)
wants 0 train "$asked" "${sampling[@]}"
same_run "$calm" "$asked" "held-out problems that are answered change no bit of a run"
[ "$(diff <(evaluations "$calm" | sed 's/.*"eval_loss": //') <(evaluations "$asked" | sed 's/.*"eval_loss": //; s/, "eval\/acc.*//') | wc -l)" = 0 ] ||
    failed "the loss on held-out documents is another one where problems are answered"
[ "$(figures "$asked" eval/acc/pass@3 | wc -l)" = 9 ] || failed "pass@3 is not in each of 9 evaluations"
[ "$(wc -l "$asked"/evaluations/step-*.jsonl | awk '$1 == 18' | wc -l)" = 9 ] || failed "not every response to a held-out problem is written"

other_ways_same_answers() {
    wants 0 train "$work/ways" "${sampling[@]}" --sequences 2 --pass-tokens 7 --threads 2
    same_evaluations "$asked" "$work/ways" "other batches of the engine"
    wants 0 train "$work/ranks" "${sampling[@]}" --ranks 3
    same_evaluations "$asked" "$work/ranks" "ranks"
    same_run "$calm" "$work/ranks" "problems are dealt to three ranks, and figures, responses and weights are those of one"
    stopped_run "$work/stopped" "${sampling[@]}"
    rm -f "$work/stopped/evaluations/step-9.jsonl"             # not made again: it is in the log
    wants 0 train "$work/stopped" "${sampling[@]}"
    cp "$asked/evaluations/step-9.jsonl" "$work/stopped/evaluations"
    same_evaluations "$asked" "$work/stopped" "stopped"
    same_run "$calm" "$work/stopped" "a run that was stopped goes on to the same responses, figures and weights"
    rm -rf "$work/ways" "$work/ranks" "$work/stopped"
}

# Two rows until they are known by heart: one with options, whose response has an option's text, which is right only where the
# options are known; one of a chat with a turn before.
the_figures_are_those_of_the_exported_model() {
    printf '%s\n' '{"id": "color", "problem": "Which?", "options": ["red", "green"], "answer": "B", "response": "The answer is green."}' \
        >"$work/heart.jsonl"
    printf '%s\n' '{"id": "sum", "messages": [{"role": "user", "content": "3+4?"}, {"role": "assistant", "content": "7"},' \
        ' {"role": "user", "content": "And 5 more?"}, {"role": "assistant", "content": "That is #### 12"}], "answer": "12"}' | tr -d '\n' \
        >>"$work/heart.jsonl"
    echo >>"$work/heart.jsonl"
    local heart=("${recipe[@]:0:6}" --instruction none --data "$work/heart.jsonl" --eval-data "$work/heart.jsonl" --global-batch 2 --lr 1e-2 --seq-len 128
        --slots 1 --threads 1 --device cpu --export-dtype fp32 --steps 80 --eval-samples 1)
    wants 0 ./train_sft "${heart[@]}" --out "$work/heart" >"$work/stdout" 2>"$work/stderr"
    [ "$(figures "$work/heart" eval/acc/mean@1 | tr '\n' ' ')" = "0 1 " ] || failed "two rows known by heart are not answered right: $(figures "$work/heart" eval/acc/mean@1)"
    wants 0 ./generate --model "$work/heart" --prompts "$work/heart.jsonl" --instruction none --temperature 0 --max-new-tokens 80 --threads 1 \
        --device cpu --out "$work/heart.out" >"$work/stdout" 2>"$work/stderr"
    diff <(sed -n 's/.*"response":"\([^"]*\)".*/\1/p' "$work/heart/evaluations/step-80.jsonl" | sort) \
        <(sed -n 's/.*"text": *"\([^"]*\)".*/\1/p' "$work/heart.out" | sort) >"$work/stderr" || failed "./generate answers otherwise"
    proved "a greedy evaluation has the responses of ./generate, and knows options and earlier turns"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --out "$work/shards" "$work/heart.jsonl" "$work/heart.jsonl" \
        --keep-duplicates >"$work/stdout" 2>"$work/stderr"
    wants 0 ./train_sft "${heart[@]}" --eval-data "$work/shards/sft" --out "$work/mixed" >"$work/stdout" 2>"$work/stderr"
    grep -q "held-out problems: 2 with a reference answer, 1 greedy response to each" "$work/stdout" || failed "a problem in rows and in shards is not answered once"
    proved "a problem that is there twice, in rows and in shards, is answered once"
}

asked_for() { sed -n 's/.*"id":"\([^"]*\)".*"prompt_ids":\(\[[^]]*\]\).*"reference":"\([^"]*\)".*/\1 \2 \3/p' "$1/evaluations/step-24.jsonl" | sort; }

problems_without_responses_are_answered() {
    sed 's/, "solution.*", "answer"/, "answer"/' "$work/heldout.jsonl" >"$work/unsolved.jsonl"
    local without=("${recipe[@]:0:8}" "${recipe[@]:10}")
    head -n 3 "$work/heldout.jsonl" >"$work/half.jsonl"
    tail -n 3 "$work/unsolved.jsonl" >>"$work/half.jsonl"
    wants 0 ./train_sft "${without[@]}" "${sampling[@]}" --eval-data "$work/unsolved.jsonl" --out "$work/unsolved" >"$work/stdout" 2>"$work/stderr"
    [ "$(asked_for "$work/unsolved")" = "$(asked_for "$asked")" ] || failed "without responses: other problems are answered"
    ! grep -q eval_loss "$work/unsolved/log.jsonl" || failed "there is a loss of rows without a response"
    wants 0 ./train_sft "${without[@]}" "${sampling[@]}" --eval-data "$work/half.jsonl" --out "$work/half" >"$work/stdout" 2>"$work/stderr"
    [ "$(asked_for "$work/half")" = "$(asked_for "$asked")" ] || failed "half of them without responses: other problems are answered"
    grep -q '"event": "eval".*"eval_loss"' "$work/half/log.jsonl" || failed "there is no loss of the rows with a response"
    wants 1 ./train_sft "${without[@]}" --eval-data "$work/half.jsonl" --out "$work/half" >"$work/stdout" 2>"$work/stderr"
    wants 1 ./train_sft "${without[@]}" --eval-data "$work/half.jsonl" --out "$work/new" >"$work/stdout" 2>"$work/stderr"
    says "half.jsonl:4: the row has no response to train on"
    proved "rows of --eval-data without a response are answered, and those with one are in the loss"
    sed 's/, "answer": .*/}/' "$work/heldout.jsonl" >"$work/no_answers.jsonl"
    wants 1 ./train_sft "${without[@]}" "${sampling[@]}" --eval-data "$work/no_answers.jsonl" --out "$work/new" >"$work/stdout" 2>"$work/stderr"
    says "6 are for rl/, but have no reference answer; answers are judged by a reference: give rows with an answer, or --eval-samples 0"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/prepared" "$work/no_answers.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 1 ./train_sft "${without[@]}" "${sampling[@]}" --eval-data "$work/prepared/sft" --out "$work/new" >"$work/stdout" 2>"$work/stderr"
    says "no row has a reference answer"
    [ ! -e "$work/new" ] || [ -z "$(find "$work/new" -type f)" ] || failed "a run that is refused leaves files"
}

what_cannot_be_is_refused() {
    local without=("${recipe[@]:0:8}" "${recipe[@]:10}")
    wants 2 train "$work/no" --eval-new-tokens 9
    says "--eval-new-tokens: nothing is sampled; give --eval-samples, or leave it out"
    wants 2 train "$work/no" --cache 1M
    says "--cache: nothing is sampled"
    wants 2 ./train_sft "${without[@]}" --eval-samples 2 --out "$work/no" >"$work/stdout" 2>"$work/stderr"
    says "--eval-samples: there are no held-out problems; give --eval-data"
    wants 2 train "$work/no" "${sampling[@]}" --ranks 2 --shard weights
    says "--shard weights: an evaluation samples with whole weights on every rank; give --shard state, or neither --eval-samples nor --eval-tasks"
    wants 1 train "$work/no" --eval-samples 2 --eval-new-tokens 500
    local most
    most=$(grep -o 'give at most [0-9]*' "$work/stderr" | grep -o '[0-9]*')
    wants 0 train "$work/most" --eval-samples 1 --eval-new-tokens "$most" --steps 1 --eval-every 0
    proved "what cannot be sampled is refused, and what the error tells to give is taken"
    wants 0 train "$work/plan" "${sampling[@]}" --plan
    grep -q "generation: keys and values in pages" "$work/stdout" && grep -q "^keys and values: room for" "$work/stdout" ||
        failed "--plan does not show what the engine takes"
    wants 1 train "$work/plan" "${sampling[@]}" --plan --cache 1k
    wants 0 train "$work/plan" "${sampling[@]}" --plan --cache "$(sed -n 's/.* take \([0-9]*\) bytes; give at least that.*/\1/p' "$work/stderr")"
    wants 0 train "$work/plan" --plan
    ! grep -q "keys and values" "$work/stdout" || failed "--plan shows keys and values where nothing is sampled"
    proved "--plan shows the memory of the engine where there is one"
}

other_ways_same_answers
the_figures_are_those_of_the_exported_model
problems_without_responses_are_answered
what_cannot_be_is_refused
