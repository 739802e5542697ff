#!/usr/bin/env bash
# ./score with a model folder: its scores follow from build/logprobs on the same prompts; rows keep their order and
# fields; a run that is killed goes on; and the chain goes on with ./prepare. Asking a server is tested in
# test/unit/test_score.c.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
program=build/asan/score
[ -x $program ] || failed "$program is not built"
model=$work/run
out=$work/out.jsonl
build/demo_problems train 1 5 10 | head -n 40 >"$work/rows.jsonl"
cat >>"$work/rows.jsonl" <<'END'
{"id": "chat", "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
{"question": "Which? ü", "options": ["a", "b"], "difficulty": "University", "answer_type": "Integer"}
{"prompt": "1?", "scorer": "another", "scorer_prompt": "0123456789abcdef", "difficulty": 2, "source_difficulty": "PhD"}
{"prompt": "4?", "scorer": {"by": "hand"}, "difficulty": 2.50, "source_difficulty": "MSc", "difficulty_probs": [0.10], "scorer_prompt": "p"}
{"input": "2?", "difficulty": 0.50, "share": 0.1}
END
command=("$program" --model "$model" --data "$work/rows.jsonl" --map prompt=input --out "$out" --device cpu)
score() { rm -f "$out" "$out.partial"; more "$@"; }
more() { "${command[@]}" "$@" >"$work/stdout" 2>"$work/stderr"; }

rows_come_out_in_order() {
    wants 0 score
    sane
    [ "$(wc -l <"$out")" = 45 ] || failed "$(wc -l <"$out") of 45 rows"
    grep -o '"problem":"[^"]*"' "$out" >"$work/order"
    sed -n 's/.*"problem": \("[^"]*"\).*/"problem":\1/p' "$work/rows.jsonl" | cmp - "$work/order" || failed "the order is another one"
    grep -q '"answer_type":"Integer","source_difficulty":"University","difficulty":[1-5],' "$out" || failed "a difficulty that was there"
    grep -q '{"share":0.1,"prompt":"2?","source_difficulty":0.50,' "$out" || failed "--map and the spelling of numbers: $(tail -n 1 "$out")"
    grep -q '"prompt":"1?","source_difficulty":"PhD","difficulty":[1-5],' "$out" || failed "the source's difficulty of a row that is scored again"
    ! grep -q '"scorer":"another"\|source_scorer":"another' "$out" || failed "an earlier score's fields are still there"
    grep -q '"prompt":"4?","source_difficulty":"MSc","source_source_difficulty":2.50,"source_difficulty_probs":\[0.10\],"source_scorer":{"by":"hand"},"source_scorer_prompt":"p","difficulty":[1-5],' "$out" ||
        failed "a row's own fields are lost: $(grep '"4?"' "$out")"
    wants 0 "$program" --model "$model" --data "$out" --out "$work/again.jsonl" --device cpu 2>"$work/stderr"
    cmp "$out" "$work/again.jsonl" || failed "rows that are scored again by the same model are other rows"
    [ "$(grep -cE '"difficulty":[1-5],"difficulty_expected":[1-5][.0-9]*,"difficulty_probs":\[[^]]*\],"scorer":"run/model","scorer_weights":"[0-9a-f]{16}","scorer_prompt":"[0-9a-f]{16}"}$' "$out")" = 45 ] ||
        failed "not every row has all that a score adds"
    grep -q '^difficulty 1: [0-9]* | .* | no usable score: 0$' "$work/stderr" || failed "how many of each difficulty there are is not said"
    cp "$out" "$work/calm.jsonl"
    for options in "--sequences 1" "--pass-tokens 9 --sequences 4" "--cache 200k" "--threads 1"; do
        # shellcheck disable=SC2086
        wants 0 score $options
        cmp "$out" "$work/calm.jsonl" || failed "$options changes a score"
    done
    rm -f "$out"
    for part in 1/2 0/2; do
        wants 0 more --part "$part"
    done
    wants 0 "$program" --out "$out" --join 2>"$work/stderr"
    cmp "$out" "$work/calm.jsonl" || failed "two parts are not the whole"
    rm -f "$out" "$out".*-of-2*
    proved "score: rows in order with their fields; sequences, pieces, pages and threads change nothing; nor does --part"
}

# The prompt by hand, each digit behind it, to build/logprobs: its last number is that digit's.
probabilities_are_those_of_build_logprobs() {
    local problem rubric
    $program --print-rubric >"$work/rubric"
    for line in 1 17 40; do
        problem=$(sed -n "${line}s/.*\"problem\": \"\([^\"]*\)\".*/\1/p" "$work/rows.jsonl")
        rubric=$(sed "s|{question}|$problem|" "$work/rubric" | sed ':a;N;$!ba;s/\n/\\n/g')
        printf '{"text": "<|im_start|>user\\n%s<|im_end|>\\n<|im_start|>assistant\\n"}\n' "$rubric" |
            build/tokenize dev/demo/tokenizer | sed 's/]}//' >"$work/prompt"
        for digit in 1 2 3 4 5; do
            id=$(printf '{"text": "%s"}\n' "$digit" | build/tokenize dev/demo/tokenizer | tr -dc 0-9)
            printf '%s, %s]}\n' "$(cat "$work/prompt")" "$id"
        done >"$work/asked.jsonl"
        build/logprobs "$model/model" --n-live 1133 --device cpu <"$work/asked.jsonl" | sed 's/.*, \(-[^]]*\)\], "ent.*/\1/' >"$work/five"
        sed -n "${line}s/.*\"difficulty_probs\":\[\([^]]*\)\].*/\1/p" "$work/calm.jsonl" | tr ',' '\n' >"$work/probs"
        # fp32 of a probability: 6e-8 of it; the exponential of a number that was printed with nine digits: 1e-8
        paste "$work/five" "$work/probs" | awk '{ e[NR] = exp($1); sum += e[NR]; p[NR] = $2 }
            END { for (i = 1; i <= 5; i++) { d = e[i] / sum - p[i]; if (d > 2e-7 || d < -2e-7) exit 1 }; exit NR == 5 ? 0 : 1 }' ||
            failed "row $line: the probabilities are not those of build/logprobs"
    done
    proved "score: difficulty_probs are build/logprobs' of the five digits behind the prompt"
}

a_killed_run_goes_on() {
    local i
    for i in 1 2 3; do
        rm -f "$out" "$out.partial"
        "${command[@]}" --sequences 1 --threads 1 >"$work/stdout" 2>"$work/stderr" &
        sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        [ -e "$out" ] || wants 0 more
        cmp "$out" "$work/calm.jsonl" || failed "a run that was killed does not end as one that was not"
    done
    printf '{"identity"' >"$out.partial" && rm -f "$out" # a first line that was never finished is none
    wants 0 more
    cmp "$out" "$work/calm.jsonl" || failed "half a first line changes something"
    proved "score: killed with -9 and started again: the same bytes"
}

written_scores() {
    wants 1 score --method generate --max-new-tokens 6
    sane
    says "of 45 rows have no usable score so far, and --unusable-share 0.05 allows no more than 2; the first unusable answer ends in"
    [ ! -e "$out" ] || failed "a file without scores was written"
    wants 0 more --method generate --max-new-tokens 6 --unusable-share 1
    says "no usable score: 45 (3 stands in"
    [ "$(grep -cE '"difficulty":3,.*"difficulty_default":true,"difficulty_answer":".* \(cut off\)","scorer"' "$out")" = 45 ] ||
        failed "rows without a score do not say so"
    # a model that has learned to say a level and stop
    awk '{ printf "{\"problem\": \"%d?\", \"solution\": \"Score: %d\"}\n", NR, NR % 5 + 1 }' "$work/rows.jsonl" >"$work/train.jsonl"
    wants 0 train "$work/rater" --epochs 8 --eval-every 1000
    wants 0 score --model "$work/rater" --method generate --max-new-tokens 40 --samples 5 --temperature 1 --unusable-share 0.5
    grep -qE '"difficulty_probs":\[[^]]*0\.[1-9]' "$out" || failed "five answers are no votes"
    for level in 1 2 3 4 5; do
        printf '%s: %s | ' "$level" "$(grep -v difficulty_default "$out" | grep -c "\"difficulty\":$level,")"
    done >"$work/levels"
    says "difficulty $(cat "$work/levels")no usable score: $(grep -c difficulty_default "$out")"
    wants 2 score --samples 3
    says "several answers are for --method generate"
    proved "score: --method generate, with one answer and with votes; what became of all rows is said; too many without a score are an error"
}

# A model that answers every problem with one of five numbers: what is right is chance, and is what ./generate and --verify find.
by_the_pass_rate() {
    local options i
    awk '{ printf "{\"problem\": \"%d?\", \"solution\": \"\\\\boxed{%d}\"}\n", NR, NR % 5 + 1 }' "$work/rows.jsonl" >"$work/train.jsonl"
    wants 0 train "$work/guesser" --epochs 8 --eval-every 1000
    awk 'BEGIN { for (i = 1; i <= 12; i++) printf "{\"id\": \"p%d\", \"problem\": \"%d?\", \"answer\": \"%d\", \"difficulty\": 2}\n", i, i, i % 3 + 1 }' >"$work/asked.jsonl"
    echo '{"id": "choice", "question": "7?", "options": ["4", "2"], "answer": "B"}' >>"$work/asked.jsonl"
    command=("$program" --model "$work/guesser" --data "$work/asked.jsonl" --out "$out" --device cpu --method pass-rate --samples 6
        --max-new-tokens 24 --instruction none --seed 3 --unusable-share 1)
    wants 0 score
    sane
    [ "$(grep -cE '"source_difficulty":2,"difficulty":[1-5],"pass_rate":[01][.0-9]*,"pass_right":[0-6],"pass_wrong":[0-6],"pass_unknown":[0-6],"pass_cut_off":[0-6],"scorer":"guesser/model","scorer_weights":"[0-9a-f]{16}","scorer_prompt":"[0-9a-f]{16}"}$' "$out")" = 12 ] ||
        failed "not every row has its pass rate: $(cat "$out")"
    cp "$out" "$work/passed.jsonl"
    wants 0 ./generate --model "$work/guesser" --prompts "$work/asked.jsonl" --out "$work/drawn.jsonl" --device cpu --samples 6 --max-new-tokens 24 \
        --instruction none --seed 3 2>"$work/said"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --verify all --out "$work/drawn" "$work/drawn.jsonl" >"$work/stdout" 2>"$work/said"
    awk '/^  all +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+$/ { printf "responses: %d right | %d wrong | %d unknown", $2, $3 + $6, $4 }' "$work/stdout" >"$work/counts"
    says "$(cat "$work/counts")"
    grep -q '"pass_rate":0\.[1-9]' "$out" || failed "chance is all or nothing: $(cat "$work/counts")"
    for options in "--sequences 1" "--threads 1 --pass-tokens 9 --sequences 4"; do
        # shellcheck disable=SC2086
        wants 0 score $options
        cmp "$out" "$work/passed.jsonl" || failed "$options changes a pass rate"
    done
    rm -f "$out"
    for i in 1/2 0/2; do wants 0 more --part $i; done
    wants 0 "$program" --out "$out" --join 2>"$work/stderr"
    cmp "$out" "$work/passed.jsonl" && rm -f "$out".*-of-2* || failed "two parts are not the whole"
    wants 0 score --ranks 2
    cmp "$out" "$work/passed.jsonl" || failed "two ranks write other rows"
    says "$(cat "$work/counts")"
    for i in 1 2 3; do
        rm -f "$out" "$out.partial"
        "${command[@]}" --sequences 2 --threads 1 >"$work/stdout" 2>"$work/stderr" &
        until [ -s "$out.partial" ] || [ -e "$out" ]; do sleep 0.02; done
        sleep "0.0$((RANDOM % 10))"
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        [ -e "$out" ] || wants 0 more
        cmp "$out" "$work/passed.jsonl" || failed "a run that was killed does not end as one that was not"
    done
    echo '{"id": "none", "problem": "3?"}' >>"$work/asked.jsonl"
    wants 1 score
    says "asked.jsonl:14: it has no reference answer"
    wants 0 score --skip-bad-rows 1
    cmp "$out" "$work/passed.jsonl" || failed "a row that is left out changes the others"
    proved "score: --method pass-rate counts the responses of ./generate as --verify does; parts, ranks, kills and refused rows change no byte"
}

bad_input_is_one_line() {
    wants 1 $program --data "$work/rows.jsonl" --out "$out" 2>"$work/stderr"
    says "give --model"
    wants 2 $program --model "$model" 2>"$work/stderr"
    says "give --data and --out"
    echo 'no place' >"$work/rubric"
    wants 1 score --rubric "$work/rubric"
    says "{question}"
    wants 1 score --map solution=response
    says "--map solution=response: no row has a field \"response\""
    [ ! -e "$out.partial" ] || failed "a run was begun though --map finds nothing"
    echo '{"ids": [1, 2]}' >"$work/bad.jsonl"
    wants 1 $program --model "$model" --data "$work/bad.jsonl" --out "$out" --device cpu 2>"$work/stderr"
    says "bad.jsonl:1: a row of ids"
    wants 1 $program --model test/fixtures/models/tied --data "$work/rows.jsonl" --out "$out" --device cpu 2>"$work/stderr"
    says "has no tokenizer"
    wants 1 $program --endpoint ftp://host --model a --data "$work/rows.jsonl" --out "$out" 2>"$work/stderr"
    says "ftp://host"
    wants 2 $program --model name --endpoint http://127.0.0.1:9 --plan 2>"$work/stderr"
    says "--plan: the model is behind --endpoint"
    wants 2 $program --model name --endpoint http://127.0.0.1:9 --data "$work/rows.jsonl" --out "$out" --template qwen3 2>"$work/stderr"
    says "--template: is for a model that runs here, and --endpoint asks a server; drop one of the two"
    wants 2 $program --model name --endpoint http://127.0.0.1:9 --data "$work/rows.jsonl" --out "$out" --pass-tokens 9 2>"$work/stderr"
    says "--pass-tokens: is for a model that runs here"
    wants 2 score --timeout 5
    says "--timeout: is for a server; give --endpoint URL, or drop the option"
    wants 2 score --answers "$work/answers.jsonl"
    says "--answers: is for a server"
    proved "score: what is missing or wrong is said"
    wants 0 $program --model "$model" --plan --device cpu >"$work/stdout" 2>"$work/stderr"
    grep -q '^fits: yes, .* (this machine, .* GiB free)$' "$work/stdout" || failed "--plan has no verdict: $(cat "$work/stdout")"
    proved "score --plan: the memory, and whether it fits"
}

the_chain_goes_on() {
    sed 's/"solution":"[^"]*",//' "$work/calm.jsonl" >"$work/scored.jsonl" # a teacher is to solve them
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/data" "$work/scored.jsonl" >"$work/stdout" 2>"$work/stderr"
    [ -s "$work/data/sft/prompts.jsonl" ] || failed "nobody has anything to solve"
    # a random model does not end by itself: digits end it
    wants 0 ./generate --model "$model" --prompts "$work/data/sft/prompts.jsonl" --out "$work/taught.jsonl" --max-new-tokens 60 \
        --stop 7 --stop 8 --stop 9 --device cpu 2>"$work/stderr"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/taught" "$work/taught.jsonl" >"$work/stdout" 2>"$work/stderr"
    grep -q 'taught/sft: [1-9]' "$work/stdout" || failed "no response became a record"
    proved "score, prepare, generate, prepare: what one writes the next one reads"
}

rows_come_out_in_order
probabilities_are_those_of_build_logprobs
a_killed_run_goes_on
written_scores
bad_input_is_one_line
the_chain_goes_on
by_the_pass_rate
