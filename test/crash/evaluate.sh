#!/usr/bin/env bash
# ./evaluate as a user meets it: questions become prompts, responses, verdicts and scores; a run that is killed goes on and ends with
# the same figures, on any number of ranks; others' responses are scored alike; data that do not fit are refused by their line.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
program=build/asan/evaluate
[ -x $program ] || failed "$program is not built"
out=$work/out

# What a tiny model answers is nothing; the questions are made so that their numbers can be told apart.
for i in $(seq 12); do
    echo "{\"id\": \"q$i\", \"question\": \"What is $i + $i?\", \"answer\": \"worked\\n#### $((2 * i))\", \"solution\": \"\"}"
done >"$work/gsm8k.jsonl"
for i in $(seq 9); do
    category=$([ $((i % 3)) = 0 ] && echo law || echo physics)
    echo "{\"question_id\": $((70 + i)), \"question\": \"Which is $i?\", \"options\": [\"$i\", \" $((i + 1))\", \"N/A\"], \"answer\": \"A\", \"category\": \"$category\", \"cot_content\": \"A: Let's think step by step. The answer is (A).\"}"
done >"$work/mmlu.jsonl"
tasks=(--tasks gsm8k,mmlu_pro mmlu_pro_5shot --data gsm8k="$work/gsm8k.jsonl" --data mmlu_pro="$work/mmlu.jsonl" --data mmlu_pro_5shot="$work/mmlu.jsonl"
    --shots mmlu_pro_5shot="$work/mmlu.jsonl" --max-new-tokens 12)
with_model=(--model "$work/run" --device cpu)

evaluate() { "$program" "${tasks[@]}" "${with_model[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"; }
sane() { ! grep -qE 'Sanitizer|runtime error' "$work/stderr" || failed "the sanitizers complain"; }
refused() { # STATUS, what is said, more options
    local status=$1 said=$2
    shift 2
    rm -rf "$work/no"
    wants "$status" "$program" --out "$work/no" "$@" >"$work/stdout" 2>"$work/stderr"
    sane
    says "$said"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "more than one line: $said"
    [ ! -e "$work/no/summary.json" ] || failed "there is a summary"
}
# The figures: all files of a run that are not about how it was made.
figures_of() { (cd "$1" && md5sum ./*.jsonl summary.json page.html); }

a_run_has_its_files() {
    wants 0 evaluate
    sane
    [ "$(wc -l <"$out/gsm8k.jsonl")" = 12 ] && [ "$(wc -l <"$out/mmlu_pro.jsonl")" = 9 ] && [ "$(wc -l <"$out/responses.jsonl")" = 30 ] ||
        failed "not every question has its response"
    grep -q '"role":"user","content":"What is 3 + 3?\\n\\nPlease reason step by step, and put your final answer within \\\\boxed{}."' "$out/prompts.jsonl" ||
        failed "gsm8k is asked otherwise"
    grep -q '"count": 12' "$out/summary.json" || failed "the summary does not count 12 questions"
    grep -q "gsm8k" "$work/stdout" || failed "no table"
    grep -q "9 of 12032 questions: not the whole test set" "$work/stdout" || failed "that the data are a part of the test set is not said"
    cp -r "$out" "$work/calm"
    proved "evaluate: every question of three tasks is asked, scored, counted and written"
}

# Again: no model is asked, and nothing changes.
repeated_it_scores_anew() {
    mv "$work/run/model/model.safetensors" "$work/weights"
    rm "$out/summary.json" "$out/gsm8k.jsonl" "$out/page.html"
    wants 0 evaluate
    mv "$work/weights" "$work/run/model/model.safetensors"
    diff <(figures_of "$work/calm") <(figures_of "$out") >"$work/stderr" || failed "other figures when scored again"
    wants 1 evaluate --seed 3
    says "seed"
    wants 1 evaluate --limit 2
    says "limit"
    proved "evaluate: repeated, it scores what is there, without a model; with other options it is refused by name"
}

a_killed_run_goes_on() {
    local i kills=0 tries=4
    [ "$mode" = short ] || tries=40
    for ((i = 0; i < tries; i++)); do
        rm -rf "$out"
        "$program" "${tasks[@]}" "${with_model[@]}" --out "$out" --sequences 1 --threads 1 >"$work/stdout" 2>"$work/stderr" &
        sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
        kill -9 $! 2>/dev/null && kills=$((kills + 1))
        wait $! 2>/dev/null || true
        wants 0 evaluate
        sane
        diff <(figures_of "$work/calm") <(figures_of "$out") >"$work/stderr" || failed "other figures after a kill"
    done
    proved "evaluate: killed $kills times, the figures are the same"
    rm -rf "$out"
    wants 0 evaluate --ranks 3
    diff <(figures_of "$work/calm") <(figures_of "$out") >"$work/stderr" || failed "other figures by three ranks"
    proved "evaluate --ranks 3: the files of one process"
}

others_responses_are_scored_alike() {
    local theirs=$work/theirs.jsonl
    rm -rf "$work/asked" "$out"
    wants 0 "$program" "${tasks[@]}" --prompts --tokenizer dev/demo/tokenizer --out "$work/asked" >"$work/stdout" 2>"$work/stderr"
    cmp "$work/asked/prompts.jsonl" "$work/calm/prompts.jsonl" || failed "--prompts writes others than are asked"
    wants 0 "$program" "${tasks[@]}" --responses "$work/calm/responses.jsonl" --tokenizer dev/demo/tokenizer --out "$out" >"$work/stdout" 2>"$work/stderr"
    cmp "$out/gsm8k.jsonl" "$work/calm/gsm8k.jsonl" || failed "responses of our own are scored otherwise"
    local one=(--tasks gsm8k --data gsm8k="$work/gsm8k.jsonl")
    for i in $(seq 12 -1 1); do echo "{\"id\": \"q$i\", \"response\": \"It is \\\\boxed{$((i % 4 == 0 ? 1 : 2 * i))}.\"}"; done >"$theirs"
    rm -rf "$out"
    wants 0 "$program" "${one[@]}" --responses "$theirs" --out "$out" >"$work/stdout" 2>"$work/stderr"
    sane
    [ "$(grep -c '"right":true' "$out/gsm8k.jsonl")" = 9 ] || failed "not nine of twelve are right"
    grep -q '"score": 0.75' "$out/summary.json" || failed "the score is not 0.75"
    tac "$theirs" | sed 's/"id": "[^"]*", //' >"$work/unnamed.jsonl"
    rm -rf "$out"
    wants 0 "$program" "${one[@]}" --responses "$work/unnamed.jsonl" --out "$out" >"$work/stdout" 2>"$work/stderr"
    grep -q '"score": 0.75' "$out/summary.json" || failed "by order the score is another one"
    head -n 11 "$theirs" >"$work/few.jsonl"
    refused 1 "has no response to the prompt gsm8k/q1#0" "${one[@]}" --responses "$work/few.jsonl"
    { cat "$theirs" && head -n 1 "$theirs"; } >"$work/more.jsonl"
    wants 0 "$program" "${one[@]}" --responses "$work/more.jsonl" --out "$work/no2" >"$work/stdout" 2>"$work/stderr"
    says "1 of its responses belong to no prompt of this run"
    proved "evaluate --responses: by id or by order, scored alike; one that is missing is named"
}

data_that_do_not_fit_are_refused() {
    local tasks=(--tasks gsm8k)
    echo '{"question": "a?", "answer": "1"}' >"$work/one.jsonl"
    echo '{"problem": "a?", "answer": "1"}' >"$work/two.jsonl"
    refused 2 "give --tasks"
    refused 2 "--responses asks no model; drop --model" "${tasks[@]}" --data gsm8k="$work/one.jsonl" --responses "$work/one.jsonl" --model "$work/run"
    refused 1 "give --model, a Hugging Face folder" "${tasks[@]}" --data gsm8k="$work/one.jsonl"
    refused 2 "there is no such task, only " --tasks gsm9k
    refused 2 "gsm8k: its questions are missing (" "${tasks[@]}"
    refused 2 "must be TASK=FILE" "${tasks[@]}" --data "$work/one.jsonl"
    refused 2 "--tasks does not name math500" "${tasks[@]}" --data math500="$work/one.jsonl"
    refused 1 "two.jsonl:1: there is no field question, which the task gsm8k reads" "${tasks[@]}" --data gsm8k="$work/two.jsonl" --prompts
    { cat "$work/gsm8k.jsonl" && head -n 1 "$work/gsm8k.jsonl"; } >"$work/twice.jsonl"
    sed 's/"id"/"question_id"/; s/"answer": "[^"]*"/"answer": "A", "options": ["1", "2"], "category": "law"/' "$work/twice.jsonl" >"$work/twice2.jsonl"
    refused 1 "twice2.jsonl:13: another row has its name, q1" --tasks mmlu_pro --data mmlu_pro="$work/twice2.jsonl" --prompts
    echo '{"question": "a?", "answer": "C", "options": ["1", "2"], "category": "law"}' >"$work/letter.jsonl"
    refused 1 'letter.jsonl:1: answer is "C", which names none of the 2 options' --tasks mmlu_pro --data mmlu_pro="$work/letter.jsonl" --prompts
    refused 2 "needs worked examples" --tasks mmlu_pro_5shot --data mmlu_pro_5shot="$work/mmlu.jsonl" --prompts
    : >"$work/empty.jsonl"
    refused 1 "empty.jsonl: holds no questions" "${tasks[@]}" --data gsm8k="$work/empty.jsonl" --prompts
    printf 'about = x\nsource = y\ndata = z\nprompt = "{nothing}"\nextract = "last a"\n' >"$work/mine.task"
    refused 1 "{nothing}: there is no such place" --tasks "$work/mine.task" --data mine="$work/one.jsonl" --prompts
    sed -i 's/{nothing}/{question}/; s/^source.*/sauce = y/' "$work/mine.task"
    refused 1 "sauce" --tasks "$work/mine.task" --data mine="$work/one.jsonl"
    sed -i 's/^sauce/source/; s/"last a"/"last (a"/' "$work/mine.task"
    refused 1 "extract" --tasks "$work/mine.task" --data mine="$work/one.jsonl"
    proved "evaluate: tasks, files, rows and patterns that do not fit are refused in a line"
}

a_run_has_its_files
repeated_it_scores_anew
a_killed_run_goes_on
others_responses_are_scored_alike
data_that_do_not_fit_are_refused
