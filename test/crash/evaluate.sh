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
{ cat "$work/mmlu.jsonl" && sed -E 's/"question_id": 7([0-9])/"question_id": 9\1/; s/physics/law/' "$work/mmlu.jsonl"; } |
    sed 's/Which is/Which one is/' >"$work/examples.jsonl"
tasks=(--tasks gsm8k,mmlu_pro mmlu_pro_5shot --data gsm8k="$work/gsm8k.jsonl" --data mmlu_pro="$work/mmlu.jsonl" --data mmlu_pro_5shot="$work/mmlu.jsonl"
    --shots mmlu_pro_5shot="$work/examples.jsonl")
with_model=(--model "$work/run" --device cpu --max-new-tokens 12)

evaluate() { "$program" "${tasks[@]}" "${with_model[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"; }
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

# What somebody has changed is named, and nothing is made of it; removed, it is made again.
responses_that_were_changed_are_refused() {
    local said change before
    while IFS='|' read -r change said; do
        rm -rf "$out"
        cp -r "$work/calm" "$out"
        eval "$change" <"$work/calm/responses.jsonl" >"$out/responses.jsonl"
        before=$(fingerprint "$out")
        wants 1 evaluate
        sane
        says "$out/responses.jsonl$said"
        says "put back the file that was written, or remove it, and the same command asks all prompts anew"
        [ "$(wc -l <"$work/stderr")" = 1 ] || failed "$change: more than one line is said"
        [ "$(fingerprint "$out")" = "$before" ] || failed "$change: something is written"
    done <<-'END'
	sed '4p'|:5: is out of order, or there twice
	sed '17{h;d};19G'|:19: is out of order, or there twice
	sed '2s/.*/{}/'|:2: is no response
	sed '30s/"question":[0-9]*/"question":99/'|:30: is out of order, or there twice, or answers no prompt of
	sed '30p'|:31: is out of order
	sed '5,7d'|: 3 of 30 prompts have no response there, and --skip-bad-rows allows 0
	head -n 29|: 1 of 30 prompts have no response there
	head -c -40|:30:
	:|: 30 of 30 prompts have no response there
	END
    sed '5,7d' "$work/calm/responses.jsonl" >"$out/responses.jsonl"
    wants 1 evaluate --skip-bad-rows 2
    wants 0 evaluate --skip-bad-rows 3
    grep -q '"responses_left_out": 3' "$out/summary.json" || failed "how many are left out is not in the summary"
    rm "$out/responses.jsonl"
    wants 0 evaluate
    diff <(figures_of "$work/calm") <(figures_of "$out") >"$work/stderr" || failed "made again, the responses are others"
    proved "evaluate: responses that are there twice, in another order, of no prompt, torn or lost are refused by their line before anything is written"
}

a_killed_run_goes_on() {
    local i kills=0 tries=4
    [ "$mode" = short ] || tries=40
    for ((i = 0; i < tries || (kills == 0 && i < 60); i++)); do
        rm -rf "$out"
        "$program" "${tasks[@]}" "${with_model[@]}" --out "$out" --sequences 1 --threads 1 >"$work/stdout" 2>"$work/stderr" &
        sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || [ $? != 137 ] || kills=$((kills + 1)) # 137: it had not ended by itself
        wants 0 evaluate
        sane
        diff <(figures_of "$work/calm") <(figures_of "$out") >"$work/stderr" || failed "other figures after a kill"
    done
    [ $kills -gt 0 ] || failed "none of $i runs was killed before its end"
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
    tail -n +2 "$work/unnamed.jsonl" >"$work/few.jsonl"
    refused 1 "has no response to the prompt #11" "${one[@]}" --responses "$work/few.jsonl"
    { cat "$work/unnamed.jsonl" && head -n 1 "$work/unnamed.jsonl"; } >"$work/more.jsonl"
    refused 1 "has 13 responses without ids to 12 prompts; --samples K takes K of them to each question" "${one[@]}" --responses "$work/more.jsonl"
    sed 'p' "$work/unnamed.jsonl" >"$work/twice.jsonl" # two to each, at the task's temperature of 0
    rm -rf "$out"
    wants 0 "$program" "${one[@]}" --samples 2 --responses "$work/twice.jsonl" --out "$out" >"$work/stdout" 2>"$work/stderr"
    grep -q '"score": 0.75' "$out/summary.json" && grep -q '"as_the_task_says": false' "$out/summary.json" || failed "two samples to a question are scored otherwise"
    for i in $(seq 9 -1 1); do echo "{\"question_id\": $((70 + i)), \"text\": \"\\\\boxed{$([ "$i" -gt 6 ] && echo B || echo A)}\"}"; done >"$work/choices.jsonl"
    rm -rf "$out"
    wants 0 "$program" --tasks mmlu_pro --data mmlu_pro="$work/mmlu.jsonl" --responses "$work/choices.jsonl" --out "$out" >"$work/stdout" 2>"$work/stderr"
    [ "$(sed -n '7,9p' "$out/mmlu_pro.jsonl" | grep -c '"letter":"B"')" = 3 ] || failed "responses are not matched by the name that the task's data have"
    sed '1s/}$/, "finish_reason": "length"}/' "$theirs" >"$work/known.jsonl"
    rm -rf "$out"
    wants 0 "$program" "${one[@]}" --responses "$work/known.jsonl" --out "$out" >"$work/stdout" 2>"$work/stderr"
    grep -q "cut off 100.00% of the 8.33% of which it is known" "$work/stdout" || failed "cut off: a share of what is not known"
    proved "evaluate --responses: by id or by order, scored alike; one that is missing is named"
}

# A server answers: each task by its own sampling, each sample with a seed of its own, and what is scored is its answer without the thought.
# The teacher of test/support/judge_server.c is wrong where the seed is a multiple of four.
a_server_answers() {
    local theirs i right
    for i in 1 2 3 4; do
        echo "{\"id\": \"s$i\", \"question\": \"$i+$i?\", \"answer\": \"so\\n#### $((2 * i))\"}" >&4
        echo "{\"id\": $i, \"problem\": \"$i+1?\", \"answer\": \"$((i + 1))\"}" >&5
    done 4>"$work/sums.jsonl" 5>"$work/aime_sums.jsonl"
    judge_begins teach teacher
    theirs=("$program" --endpoint "$judge" --model Big/Teacher --tasks gsm8k,aime24 --data gsm8k="$work/sums.jsonl" --data aime24="$work/aime_sums.jsonl")
    wants 0 "${theirs[@]}" --out "$work/served" >"$work/stdout" 2>"$work/stderr"
    sane
    [ "$(grep -c '"content":"You are a helpful assistant."},{"role":"user","content":"[0-9]+[0-9]?\\n\\nPlease reason' "$work/teacher.asked")" = 132 ] ||
        failed "the server is asked otherwise than a model here"
    [ "$(grep -c '"temperature":0,"max_tokens":8192,"seed":' "$work/teacher.asked")" = 4 ] || failed "gsm8k is not sampled greedily"
    [ "$(grep '"temperature":1,"max_tokens":8192,"seed":' "$work/teacher.asked" | grep -o '"seed":[0-9]*' | sort -u | wc -l)" = 128 ] ||
        failed "32 samples to each of 4 questions have no 128 seeds"
    right=$(grep -o '"seed":[0-9]*' "$work/teacher.asked" | awk -F: '$2 % 4 != 0' | wc -l)
    [ "$(cat "$work/served/gsm8k.jsonl" "$work/served/aime24.jsonl" | grep -c '"right":true')" = "$right" ] && [ "$right" -gt 60 ] ||
        failed "not the $right responses are right that the teacher gave rightly"
    [ "$(grep -cF '"text":"\n\nSo it is \\boxed{' "$work/served/aime24.jsonl")" = 128 ] && [ "$(grep -cF '"thought":"\nIt is\nseed ' "$work/served/aime24.jsonl")" = 128 ] ||
        failed "the thought is not kept apart from what is scored"
    grep -q "  avg@32 .*, pass@32 " "$work/stdout" || failed "no avg@32 and pass@32"
    # killed with -9: it goes on, and ends with the same files
    "${theirs[@]}" --in-flight 1 --out "$work/cut" >"$work/stdout" 2>"$work/stderr" &
    until [ "$(wc -l 2>/dev/null <"$work/cut/responses.jsonl.partial")" -gt 20 ] 2>/dev/null; do sleep 0.005; done
    kill -9 $! && wait $! 2>/dev/null || true
    [ ! -e "$work/cut/summary.json" ] || failed "it had ended before it was killed"
    wants 0 "${theirs[@]}" --out "$work/cut" >"$work/stdout" 2>"$work/stderr"
    diff <(figures_of "$work/served") <(figures_of "$work/cut") >"$work/stderr" || failed "other figures after a kill"
    judge_ends
    proved "evaluate --endpoint: each task's sampling, a seed for each sample, the answer without its thought; killed with -9, the same figures"
}

# A protocol of mathematics asks whether two answers are equal; one that says yes to everything that was found.
a_judge_decides_where_a_protocol_has_one() {
    local one=(--tasks gsm8k --data gsm8k="$work/gsm8k.jsonl") by_judge
    rm -rf "$out"
    judge_begins yes judge
    by_judge=(--judge-model j --judge-endpoint "$judge" --judge-form general-verifier)
    sed '1s/.*/{"id": "q12", "text": "I do not know."}/' "$work/theirs.jsonl" >"$work/judged.jsonl"
    wants 0 "$program" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr"
    sane
    grep -q '"judge": "j"' "$out/summary.json" && grep -q '"judge_form": "general-verifier"' "$out/summary.json" ||
        failed "the summary does not name the judge and how it was asked"
    [ "$(grep -c '"judge":true' "$out/gsm8k.jsonl")" = 11 ] && [ "$(grep -c '"right":true' "$out/gsm8k.jsonl")" = 11 ] ||
        failed "a yes does not count, or what found no answer was asked about"
    [ "$(grep -c '"strict":true' "$out/gsm8k.jsonl")" = 9 ] || failed "the judge changes the strict verdict"
    cp -r "$out" "$work/by_judge"
    : >"$work/judge.asked"
    wants 0 "$program" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr"
    diff <(figures_of "$work/by_judge") <(figures_of "$out") >"$work/stderr" || failed "other figures when judged again"
    [ "$(grep -c "grade school\|User:" "$work/judge.asked")" -le 1 ] || failed "the judge was asked again" # but for the greeting
    judge_ends
    rm "$out/summary.json" "$out/gsm8k.jsonl" "$out/page.html"
    wants 0 "$program" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr"
    diff <(figures_of "$work/by_judge") <(figures_of "$out") >"$work/stderr" || failed "other figures without the server, which has nothing to be asked"
    rm -rf "$work/undecided"
    judge_begins own own 1
    by_judge[3]=$judge
    wants 1 "$program" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --out "$work/undecided" >"$work/stdout" 2>"$work/stderr"
    says "gsm8k: the judge decided nothing about 11 answers (it said neither yes nor no; it said: \"VERDICT: correct\"); is --judge-form the one it knows?"
    [ ! -e "$work/undecided/summary.json" ] || failed "a score by a judge that decided nothing"
    judge_ends
    rm -rf "$work/undecided"
    judge_begins own own 3
    by_judge[3]=$judge
    wants 0 "$program" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --out "$work/undecided" >"$work/stdout" 2>"$work/stderr"
    says "gsm8k: the judge decided 2 of 11 answers, and the others go by rule"
    grep -q "judged: 2 of 11 answers; the others' verdicts are the rules'" "$work/stdout" || failed "the table does not say what was judged"
    [ "$(grep -c '"judge":null' "$work/undecided/gsm8k.jsonl")" = 9 ] || failed "rows do not say that nothing was decided"
    judge_ends
    by_judge[3]=http://127.0.0.1:9/v1
    refused 1 "--judge-endpoint: no answer to the first question" "${one[@]}" --responses "$work/judged.jsonl" "${by_judge[@]}" --judge-patience 0.2
    refused 2 "--judge-endpoint: is for a judge; give --judge-model" "${one[@]}" --responses "$work/theirs.jsonl" --judge-endpoint http://127.0.0.1:1/v1
    refused 2 "--judge-tokens: is for a judge; give --judge-model" "${one[@]}" --responses "$work/theirs.jsonl" --judge-tokens 9
    refused 2 "--judge-patience: is for a server" "${one[@]}" --responses "$work/theirs.jsonl" --judge-model "$work/run" --judge-patience 9
    refused 2 "--judge-model: compares answers, and no task here is scored by answers" --tasks mmlu_pro --data mmlu_pro="$work/mmlu.jsonl" \
        --responses "$work/theirs.jsonl" --judge-model "$work/run"
    refused 2 "--prompts asks no model; drop --judge-model" "${one[@]}" --prompts --judge-model "$work/run"
    refused 2 "--responses asks no model; drop --skip-bad-rows" "${one[@]}" --responses "$work/theirs.jsonl" --skip-bad-rows 1
    proved "evaluate --judge-model: a judge's verdict is the protocol's, the strict one stays; it is asked once"
}

# MMLU-Pro's script leaves out the last of its five examples until the prompt has fewer than 2,048 tokens. Here a digit is a token.
examples_are_left_out_where_a_prompt_is_too_long() {
    local long shown
    long=$(printf '1 %.0s' $(seq 300)) # and a blank another one
    sed "s/The answer is (A)/$long/" "$work/examples.jsonl" >"$work/long.jsonl"
    wants 0 "$program" --tasks mmlu_pro_5shot --data mmlu_pro_5shot="$work/mmlu.jsonl" --shots mmlu_pro_5shot="$work/long.jsonl" --prompts \
        --tokenizer dev/demo/tokenizer --out "$work/long" >"$work/stdout" 2>"$work/stderr"
    sane
    grep -q "9 questions have fewer examples" "$work/stdout" "$work/stderr" || failed "that examples are left out is not said: $(cat "$work/stdout")"
    shown=$(head -n 1 "$work/long/prompts.jsonl" | grep -o "$long" | wc -l)
    [ "$shown" = 3 ] || [ "$shown" = 2 ] || failed "$shown examples of some 650 tokens each are in a prompt of fewer than 2,048"
    refused 1 "mmlu.jsonl:1: is one of the worked examples in" --tasks mmlu_pro_5shot --data mmlu_pro_5shot="$work/mmlu.jsonl" --shots mmlu_pro_5shot="$work/mmlu.jsonl" --prompts
    sed 's/"cot_content": "[^"]*"/"cot_content": ""/' "$work/examples.jsonl" >"$work/unworked.jsonl"
    refused 1 "unworked.jsonl:1: cot_content is empty, and an example needs its worked answer" --tasks mmlu_pro_5shot --data mmlu_pro_5shot="$work/mmlu.jsonl" \
        --shots mmlu_pro_5shot="$work/unworked.jsonl" --prompts
    proved "evaluate: five examples become as many as fit into 2,048 tokens ($shown), and it is said"
}

# Nothing that is not this run's own is replaced.
what_is_there_is_not_lost() {
    local one=(--tasks gsm8k --data) own=$work/own
    mkdir -p "$own" && cp "$work/gsm8k.jsonl" "$own/gsm8k.jsonl"
    wants 2 "$program" "${one[@]}" gsm8k="$own/gsm8k.jsonl" --responses "$work/theirs.jsonl" --out "$own" >"$work/stdout" 2>"$work/stderr"
    says "own/gsm8k.jsonl: is an input of this run, and would be replaced"
    mv "$own/gsm8k.jsonl" "$own/data.jsonl" && ln -s data.jsonl "$own/gsm8k.jsonl"
    wants 2 "$program" "${one[@]}" gsm8k="$own/data.jsonl" --responses "$work/theirs.jsonl" --out "$own" >"$work/stdout" 2>"$work/stderr"
    cmp "$own/data.jsonl" "$work/gsm8k.jsonl" || failed "the data were overwritten"
    wants 1 "$program" "${one[@]}" gsm8k="$work/gsm8k.jsonl" --responses "$work/theirs.jsonl" --out "$work/run" >"$work/stdout" 2>"$work/stderr"
    says "holds other files; give another --out"
    cp "$work/mine.task" "$work/prompts.task" 2>/dev/null || ./evaluate --show questions >"$work/prompts.task"
    wants 2 "$program" --tasks "$work/prompts.task" --data prompts="$work/gsm8k.jsonl" --prompts --out "$work/no3" >"$work/stdout" 2>"$work/stderr"
    says "a run has a file prompts.jsonl of its own"
    cp -r "$work/calm" "$work/model_s"
    local before
    before=$(figures_of "$work/model_s" && md5sum "$work/model_s/run.json")
    wants 1 "$program" "${tasks[@]}" --responses "$work/calm/responses.jsonl" --tokenizer dev/demo/tokenizer --out "$work/model_s" >"$work/stdout" 2>"$work/stderr"
    says "holds other responses than"
    [ "$before" = "$(figures_of "$work/model_s" && md5sum "$work/model_s/run.json")" ] || failed "a model's responses were replaced"
    cp "$work/run/model/model.safetensors" "$work/weights"
    wants 0 train "$work/other" --epochs 2
    cp "$work/other/model/model.safetensors" "$work/run/model/model.safetensors"
    wants 1 "$program" "${tasks[@]}" "${with_model[@]}" --out "$work/model_s" >"$work/stdout" 2>"$work/stderr"
    says "other weights of this model"
    mv "$work/weights" "$work/run/model/model.safetensors"
    proved "evaluate: inputs, other folders, a model's responses and scores of other weights are not replaced"
}

# ./generate draws what ./evaluate would, of several samples too, by the sampling that --prompts tells.
generate_answers_its_prompts() {
    local sampled=(--tasks aime24 --data aime24="$work/aime.jsonl" --samples 3)
    for i in 1 2 3 4; do echo "{\"id\": $i, \"problem\": \"$i + $i?\", \"answer\": \"$((2 * i))\"}"; done >"$work/aime.jsonl"
    rm -rf "$out" "$work/there" "$work/generated.jsonl"
    wants 0 "$program" "${sampled[@]}" "${with_model[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr"
    wants 0 "$program" "${sampled[@]}" --prompts --out "$work/there" >"$work/stdout" 2>"$work/stderr"
    grep -q "aime24: --temperature 1 --max-new-tokens 8192" "$work/stdout" || failed "the sampling is not told"
    wants 0 ./generate "${with_model[@]}" --prompts "$work/there/prompts.jsonl" --temperature 1 --out "$work/generated.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 "$program" "${sampled[@]}" --responses "$work/generated.jsonl" --out "$work/there" >"$work/stdout" 2>"$work/stderr"
    sane
    diff <(sed 's/"tokens":[0-9]*,//' "$out/aime24.jsonl") <(sed 's/"tokens":[0-9]*,//' "$work/there/aime24.jsonl") >"$work/stderr" || failed "other responses"
    [ "$(sed -E 's/.*"text":"(([^"\\]|\\.)*)".*/\1/' "$out/aime24.jsonl" | head -n 3 | sort -u | wc -l)" = 3 ] || failed "samples are not drawn anew"
    grep -q '"sampling": "unknown' "$work/there/summary.json" || failed "it claims to know how others have sampled"
    wants 2 "$program" --tasks gsm8k --data gsm8k="$work/gsm8k.jsonl" --samples 4 --prompts --out "$work/no4" >"$work/stdout" 2>"$work/stderr"
    says "4 samples at temperature 0 are one and the same"
    echo '{"Question": "a?", "Correct Answer": "1", "Incorrect Answer 1": "2", "Incorrect Answer 2": "3", "Incorrect Answer 3": "4"}' >"$work/gpqa.jsonl"
    wants 0 "$program" --tasks gpqa_diamond --data gpqa_diamond="$work/gpqa.jsonl" --samples 8 --prompts --out "$work/shuffled" >"$work/stdout" 2>"$work/stderr"
    [ "$(sed 's/.*"content":"//; s/"}.*//' "$work/shuffled/prompts.jsonl" | sort -u | wc -l)" -gt 4 ] || failed "8 samples of shuffled options are alike"
    proved "evaluate --prompts, generate, evaluate --responses: the responses of evaluate, several samples too"
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
    printf 'about = x\nsource = y\ndata = z\nprompt = "{question}{nothing}"\nextract = "last a"\n' >"$work/mine.task"
    refused 1 "{nothing}: there is no such place" --tasks "$work/mine.task" --data mine="$work/one.jsonl" --prompts
    sed -i 's/{nothing}//; s/^source.*/sauce = y/' "$work/mine.task"
    refused 1 "sauce" --tasks "$work/mine.task" --data mine="$work/one.jsonl"
    sed -i 's/^sauce/source/; s/"last a"/"last (a"/' "$work/mine.task"
    refused 1 "extract" --tasks "$work/mine.task" --data mine="$work/one.jsonl"
    sed -i 's/"last (a"/"last (\\\\w+\\\\s*)+= ([0-9])"/; 1s/^/\xEF\xBB\xBF/' "$work/mine.task"
    echo "{\"text\": \"$(printf 'we add %.0s' $(seq 40)): x = 1\"}" >"$work/slow.jsonl"
    wants 0 "$program" --tasks "$work/mine.task" --data mine="$work/one.jsonl" --responses "$work/slow.jsonl" --out "$work/slow" >"$work/stdout" 2>"$work/stderr"
    grep -q "gave up: on 1 responses a pattern of extract took too many steps" "$work/stdout" && grep -q '"gave_up": 1' "$work/slow/summary.json" ||
        failed "that a pattern gave up is not said"
    refused 2 "--compare takes no other options; drop --limit" --compare "$work/calm" "$work/calm" --limit 3
    printf 'question,answer\ra?,1\r' >"$work/mac.csv"
    refused 1 "mac.csv:1: a line ends in a carriage return alone" "${tasks[@]}" --data gsm8k="$work/mac.csv" --prompts
    printf 'question;answer\na?;1\n' >"$work/semicolons.csv"
    refused 1 "semicolons.csv:1: has no comma" "${tasks[@]}" --data gsm8k="$work/semicolons.csv" --prompts
    cp "$work/one.jsonl" "$work/rows.csv"
    refused 1 "rows.csv:1: looks like JSONL" "${tasks[@]}" --data gsm8k="$work/rows.csv" --prompts
    gzip -c "$work/mac.csv" >"$work/packed.csv"
    refused 1 "packed.csv: is compressed by gzip" "${tasks[@]}" --data gsm8k="$work/packed.csv" --prompts
    wants 0 "$program" --tasks gsm8k --data gsm8k="$work/gsm8k.jsonl" "${with_model[@]:0:4}" --context 150 --out "$work/short" >"$work/stdout" 2>"$work/stderr"
    grep -q "context: cut off responses after as few as" "$work/stdout" && grep -q '"as_the_task_says": false' "$work/short/summary.json" ||
        failed "that the context cut responses off is not said"
    proved "evaluate: tasks, files, rows and patterns that do not fit are refused in a line"
}

a_run_has_its_files
repeated_it_scores_anew
responses_that_were_changed_are_refused
a_killed_run_goes_on
others_responses_are_scored_alike
a_server_answers
a_judge_decides_where_a_protocol_has_one
examples_are_left_out_where_a_prompt_is_too_long
what_is_there_is_not_lost
generate_answers_its_prompts
data_that_do_not_fit_are_refused
