#!/usr/bin/env bash
# Every program reads a row alike: each refuses a tokenizer that lacks a template's tokens, and a multiple choice is
# prepared, answered and checked as one, by a letter or by an index.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/model" --epochs 1
model=$work/model

program() { wants "$1" "build/asan/$2" "${@:3}" >"$work/stdout" 2>"$work/stderr"; }

marks_are_tokens() {
    local lacking mark common
    build/demo_problems train 1 2 3 | sed 's/"problem"/"question"/' >"$work/questions.jsonl"
    for mark in im_start im_end; do
        lacking=$work/without-$mark
        mkdir "$lacking"
        sed "s/<|$mark|>/<|${mark}_|>/" "$model/model/tokenizer.json" >"$lacking/tokenizer.json"
        common=(--tokenizer "$lacking" --template chatml)
        program 1 prepare "${common[@]}" --skip-bad-rows 9 --out "$work/refused" "$work/questions.jsonl"
        says "$lacking: its tokenizer has no token <|$mark|>"
        ! grep -q -- --skip-bad-rows "$work/stderr" || failed "no row is at fault"
        program 1 train_sft --init "$work/config.json" "${common[@]}" --data "$work/train.jsonl" --device cpu \
            --out "$work/refused"
        says "$lacking: its tokenizer has no token <|$mark|>"
        program 1 generate --model "$model" "${common[@]}" --prompts "$work/questions.jsonl" --device cpu --skip-bad-rows 9 \
            --out "$work/refused-$mark.jsonl"
        says "$lacking: its tokenizer has no token <|$mark|>"
        program 1 score --model "$model" --tokenizer "$lacking" --data "$work/questions.jsonl" --device cpu --skip-bad-rows 9 \
            --out "$work/refused-$mark.jsonl"
        says "$lacking: its tokenizer has no token <|$mark|>"
        program 1 train_rl --model "$model" "${common[@]}" --data "$work/train.jsonl" --device cpu \
            --max-prompt-tokens 64 --max-new-tokens 16 --out "$work/refused"
        says "$lacking: its tokenizer has no token <|$mark|>"
        sane
    done
    ! ls "$work"/refused*.jsonl >"$work/stdout" 2>&1 || failed "rows were answered in spite of it"
    sed 's/.*/{"ids": [5, 6, 7, 8]}/' "$work/questions.jsonl" >"$work/ids.jsonl" # nothing is rendered of these
    program 0 prepare "${common[@]}" --out "$work/ids" "$work/ids.jsonl"
    proved "a tokenizer without <|im_start|> or <|im_end|> is refused by five programs, where text is rendered"
}

a_choice_is_one_everywhere() {
    echo '{"question": "Which is even?", "choices": ["3", "2", "1", "5"], "answer": 1}' >"$work/places.jsonl"
    local common=(--tokenizer "$model/model" --template chatml)
    program 1 prepare "${common[@]}" --out "$work/choices" "$work/places.jsonl"
    says 'which may be (C) by its text, or (B) by its place'
    program 0 prepare "${common[@]}" --tau 1 --missing-difficulty 5 --map answer_index=answer --out "$work/choices" "$work/places.jsonl"
    grep -qE '^  choice +1 ' "$work/stdout" || failed "the answer is no choice"
    program 0 generate --model "$model" --template chatml --prompts "$work/places.jsonl" --map answer_index=answer --device cpu \
        --max-new-tokens 4 --out "$work/chosen.jsonl"
    sane
    local letter
    for letter in A B C; do
        sed 's/"text":"\([^"\\]\|\\.\)*"/"text":"\\\\boxed{'$letter'}"/; s/"finish_reason":"length"/"finish_reason":"stop"/' "$work/chosen.jsonl"
    done >"$work/boxed.jsonl"
    wants 0 build/check_answers "$work/boxed.jsonl" --explain >"$work/stdout" 2>"$work/stderr"
    [ "$(cut -f 1 "$work/stdout" | paste -sd ' ')" = 'different equal different' ] || failed "(B) is not what is right: $(cat "$work/stdout")"
    proved "an index is a place for prepare, generate and check_answers"

    # what the error says for a text is followed
    jq -c '.answer as $a | .answer_index = (.choices | index($a | tostring))' "$work/places.jsonl" >"$work/texts.jsonl"
    program 0 prepare "${common[@]}" --tau 1 --missing-difficulty 5 --out "$work/choices" "$work/texts.jsonl"
    echo '{"question": "q", "context": "It rained.", "answer": "4"}' >"$work/context.jsonl"
    program 1 prepare "${common[@]}" --out "$work/choices" "$work/context.jsonl"
    local line
    line=$(sed -n "s/.*jq -c '\(.*\)' puts it.*/\1/p" "$work/stderr")
    jq -c "$line" "$work/context.jsonl" >"$work/asked.jsonl"
    program 0 prepare "${common[@]}" --out "$work/choices" "$work/asked.jsonl"
    grep -qF '"question":"It rained.\n\nq"' "$work/choices/sft/prompts.jsonl" || failed "the context is not before the question"
    echo '{"messages": [{"role": "user", "content": "q"}], "cot": "hmm"}' >"$work/chat.jsonl"
    program 0 prepare "${common[@]}" --out "$work/choices" "$work/chat.jsonl"
    line=$(sed -n "s/.*jq -c '\(.*\)' would.*/\1/p" "$work/stdout")
    jq -c "$line" "$work/chat.jsonl" >"$work/chats.jsonl"
    program 0 prepare "${common[@]}" --out "$work/choices" "$work/chats.jsonl"
    grep -q 'sft: 1 records' "$work/stdout" || failed "the cot is not trained: $(cat "$work/stdout")"
    proved "the jq lines of errors and notes do what they say"
}

marks_are_tokens
if command -v jq >"$work/jq"; then a_choice_is_one_everywhere; else skipped "no jq here"; fi
