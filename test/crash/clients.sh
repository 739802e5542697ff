#!/usr/bin/env bash
# ./generate, ./evaluate and ./score asking ./serve: what they get is what the model's folder gives them, texts, verdicts and scores; and a
# server that ends, or is killed, while it is asked, and begins again, costs its clients nothing but time.
. "$(dirname "$0")/common.bash"
tiny_recipe
# A model that has learned five answers in a box, and five levels as a digit: texts and scores that can be told apart.
awk 'BEGIN { for (i = 0; i < 60; i++) { k = i % 5 + 1
    if (i % 2) printf "{\"prompt\": \"Rate %d!\", \"completion\": \"%d\"}\n", k, k
    else printf "{\"problem\": \"%d?\", \"solution\": \"It is \\\\boxed{%d}.\"}\n", k, k % 3 + 4 } }' >"$work/train.jsonl"
wants 0 train "$work/run" --epochs 60 --eval-every 1000 --save-every 1000
model=$work/run
here=(--model "$model" --device cpu)
awk 'BEGIN { for (i = 1; i <= 12; i++) { k = i % 5 + 1
    printf "{\"id\": \"p%d\", \"problem\": \"%d?\"}\n{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief, ü.\"}, {\"role\": \"user\", \"content\": \"Rate %d!\"}]}\n", i, k, k } }' \
    >"$work/prompts.jsonl"
awk 'BEGIN { for (i = 1; i <= 12; i++) printf "{\"id\": \"q%d\", \"question\": \"%d?\", \"answer\": \"so\\n#### %d\"}\n", i, i % 5 + 1, i % 3 + 4 }' >"$work/gsm8k.jsonl"
awk 'BEGIN { for (i = 1; i <= 12; i++) printf "{\"id\": \"r%d\", \"problem\": \"%d\"}\n", i, i % 5 + 1 }' >"$work/rows.jsonl"
echo 'Rate {question}!' >"$work/rubric"

# What only a model's folder tells is left out: ids, their log-probabilities, counts of tokens, the weights; and by what name it was asked.
told_by_both() {
    sed -E 's/,"(prompt_ids|ids|logprobs)":\[[^]]*\]//g; s/,"tokens":[0-9]+//; s/,"scorer":"[^"]*"(,"scorer_weights":"[0-9a-f]{16}")?//' "$1"
}
same_rows() { # FOLDER'S, SERVER'S, what
    diff <(told_by_both "$1") "$2" >"$work/stderr" || failed "$3: the server's rows are others than the folder's"
}
asks() { # PROGRAM, options: asking the server
    local program=$1
    shift
    wants 0 "$program" --endpoint "$url/v1" --model tiny "$@" >"$work/stdout" 2>"$work/stderr"
}

texts_are_the_same() {
    wants 0 ./generate "${here[@]}" --prompts "$work/prompts.jsonl" --out "$work/here.jsonl" --temperature 0 --max-new-tokens 24 2>"$work/stderr"
    [ "$(grep -o '"text":"[^"]*"' "$work/here.jsonl" | sort -u | wc -l)" -ge 6 ] || failed "the model answers everything alike"
    asks ./generate --prompts "$work/prompts.jsonl" --out "$work/there.jsonl" --temperature 0 --max-new-tokens 24
    same_rows "$work/here.jsonl" "$work/there.jsonl" "generate"
    proved "generate --endpoint: ./serve's greedy rows are those of the folder"
}

verdicts_are_the_same() {
    local asked=(--tasks gsm8k --data gsm8k="$work/gsm8k.jsonl" --max-new-tokens 24) right
    wants 0 ./evaluate "${here[@]}" "${asked[@]}" --out "$work/here" >"$work/stdout" 2>"$work/stderr"
    right=$(grep -c '"right":true' "$work/here/gsm8k.jsonl") || true
    [ "$right" -gt 0 ] && [ "$right" -lt 12 ] || failed "$right of 12 answers are right, which tells nothing"
    asks ./evaluate "${asked[@]}" --out "$work/there"
    same_rows "$work/here/gsm8k.jsonl" "$work/there/gsm8k.jsonl" "evaluate"
    diff <(grep '"score"\|"strict"' "$work/here/summary.json") <(grep '"score"\|"strict"' "$work/there/summary.json") >"$work/stderr" ||
        failed "evaluate: other figures"
    proved "evaluate --endpoint: ./serve's texts, verdicts and scores are those of the folder"
}

# A server tells its 20 likeliest tokens, as logits in fp32 on a CPU: a digit that is not among them counts nothing, and the others' shares are
# the folder's up to the last bits of a logit below 32 (2e-6 each).
probabilities() { sed -E 's/.*"difficulty_probs":\[([^]]*)\].*/\1/' "$1"; }
scores_are_the_same() {
    local asked=(--data "$work/rows.jsonl" --rubric "$work/rubric")
    wants 0 ./score "${here[@]}" "${asked[@]}" --out "$work/scored-here.jsonl" 2>"$work/stderr"
    asks ./score "${asked[@]}" --out "$work/scored-there.jsonl"
    [ "$(grep -o '"difficulty":[1-5]' "$work/scored-here.jsonl" | sort -u | wc -l)" = 5 ] || failed "not all levels are given"
    diff <(grep -o '.*"difficulty":[1-5]' "$work/scored-here.jsonl") <(grep -o '.*"difficulty":[1-5]' "$work/scored-there.jsonl") >"$work/stderr" ||
        failed "score: other levels"
    paste -d, <(probabilities "$work/scored-here.jsonl") <(probabilities "$work/scored-there.jsonl") | awk -F, '
        NF != 10 { exit 1 }
        { sum = 0; for (i = 1; i <= 5; i++) if ($(i + 5) > 0) { sum += $i; told++ }
          for (i = 1; i <= 5; i++) { d = $(i + 5) > 0 ? $i / sum / $(i + 5) - 1 : 0; if (d > 1e-5 || d < -1e-5) exit 1 } }
        END { exit NR == 12 && told >= 24 ? 0 : 1 }' || failed "score: the probabilities of the digits are others"
    asked+=(--method generate --max-new-tokens 5)
    wants 0 ./score "${here[@]}" "${asked[@]}" --out "$work/written-here.jsonl" 2>"$work/stderr"
    asks ./score "${asked[@]}" --out "$work/written-there.jsonl"
    same_rows "$work/written-here.jsonl" <(told_by_both "$work/written-there.jsonl") "score --method generate"
    proved "score --endpoint: ./serve gives the levels and probabilities of the folder, and its written answers"
}

# The bytes of a run that nothing interrupted: draws are named by the seeds that the client sends.
a_restart_costs_time_alone() {
    local signal asked=(--prompts "$work/prompts.jsonl" --samples 20 --max-new-tokens 24 --seed 3 --in-flight 4) client out=$work/again.jsonl
    local serve_port=${url##*:}
    asks ./generate "${asked[@]}" --out "$work/calm.jsonl"
    [ "$(grep -o '"text":"[^"]*"' "$work/calm.jsonl" | sort -u | wc -l)" -gt 10 ] || failed "all samples are alike"
    for signal in KILL $([ "$mode" = short ] || echo TERM); do
        for _ in $(seq 20); do
            rm -f "$out"
            ./generate --endpoint "$url/v1" --model tiny "${asked[@]}" --out "$out" >"$work/stdout" 2>"$work/client" &
            client=$!
            until [ "$(wc -l 2>/dev/null <"$out.partial")" -gt 20 ] 2>/dev/null || [ -e "$out" ] || ! kill -0 $client 2>/dev/null; do sleep 0.002; done
            kill -$signal $server
            wait $server 2>/dev/null || true
            [ -e "$out" ] || break                             # on a busy machine the signal may come late: then once more
            wait $client
            serve_begins ./serve
        done
        [ ! -e "$out" ] || failed "no server ended in the middle of its client's work"
        serve_begins ./serve
        wait $client || failed "a server that ended by $signal and began again: $(cat "$work/client")"
        cmp "$out" "$work/calm.jsonl" || failed "a server that ended by $signal changes what its client writes"
    done
    proved "generate --endpoint: ./serve ends by kill -9 in its middle, or by SIGTERM (long), and begins again: the same bytes"
}

serve_begins ./serve
texts_are_the_same
verdicts_are_the_same
scores_are_the_same
a_restart_costs_time_alone
serve_ends
