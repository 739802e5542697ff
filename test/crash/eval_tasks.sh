#!/usr/bin/env bash
# Benchmarks while a model trains: --eval-tasks has the files and figures of ./evaluate with the exported model, in train_sft and train_rl, for
# any number of ranks, stopped or not, and changes no bit of the training; what it cannot ask is refused before anything is made.
. "$(dirname "$0")/common.bash"
tiny_recipe
for i in $(seq 7); do echo "{\"id\": \"q$i\", \"question\": \"What is $i + $i?\", \"answer\": \"worked\\n#### $((2 * i))\"}"; done >"$work/gsm8k.jsonl"
for i in $(seq 5); do echo "{\"question\": \"Which is $i?\", \"answer\": \"$i\", \"source\": \"a\"}"; done >"$work/numbers.jsonl"
sed 's/Which is/Which was/' "$work/numbers.jsonl" >"$work/examples.jsonl"
# a task of one's own: three samples, a stop text, a prompt that is gone on with, and a worked example
cat >"$work/mine.task" <<'END'
about = "digits"
source = "this test"
data = "question and answer"
question = question
worked = answer
answer = answer
completion = true
shots = 1
shot = "{question} {worked}\n"
prompt = "{shots}{question}"
samples = 3
temperature = 1
max_new_tokens = 9
stop = ";"
extract = 'last (\d)'
END
files() { # PREFIX: as the options of a program whose names begin so
    printf '%s\n' "--$1data" gsm8k="$work/gsm8k.jsonl" "--$1data" questions="$work/numbers.jsonl" "--$1data" mine="$work/numbers.jsonl" \
        "--$1shots" mine="$work/examples.jsonl"
}
names=(gsm8k,questions "$work/mine.task")
mapfile -t while_training < <(files eval-task-)
mapfile -t alone < <(files '')
tasks=(--eval-tasks "${names[@]}" "${while_training[@]}" --eval-task-new-tokens 12)

evaluations() { grep '"event": "eval"' "$1/log.jsonl" | sed 's/, "timing_s.*//; s/, "seconds".*//'; }
figures() { evaluations "$1" | sed -n "s|.*\"$2\": \([^,}]*\).*|\1|p"; }
bits_of_log() { grep -v '"event"' "$1/log.jsonl" | sed 's/, "seconds".*//; s/, "timing_s.*//'; }
same_evaluations() {
    diff <(evaluations "$1") <(evaluations "$2") >"$work/stderr" || failed "$3: other figures"
    diff -rq "$1/evaluations" "$2/evaluations" >"$work/stderr" || failed "$3: other responses"
}
# MODEL EVALUATIONS WHAT, options
as_evaluate_says() {
    local model=$1 step=$2 what=$3 task
    shift 3
    rm -rf "$work/evaluated"
    wants 0 ./evaluate --model "$model" --tasks "${names[@]}" "${alone[@]}" --max-new-tokens 12 --device cpu --threads 1 --out "$work/evaluated" "$@" \
        >"$work/stdout" 2>"$work/stderr"
    for task in gsm8k questions mine; do
        cmp "$step/$task.jsonl" "$work/evaluated/$task.jsonl" >"$work/stderr" || failed "$what: $task has other responses than ./evaluate's"
    done
    proved "$what: responses, verdicts and so figures are those of ./evaluate with the exported model"
}

calm=$work/calm
asked=$work/asked
wants 0 train "$calm" --export-dtype fp32
wants 0 train "$asked" "${tasks[@]}" --export-dtype fp32
same_run "$calm" "$asked" "benchmarks in the evaluations change no bit of a run"
[ "$(figures "$asked" val-core/mine/pass@3 | wc -l)" = 9 ] && [ "$(figures "$asked" val-core/gsm8k/score | wc -l)" = 9 ] &&
    [ "$(figures "$asked" val-core/questions/strict | wc -l)" = 9 ] || failed "not every evaluation has the benchmarks' figures"
[ "$(cat "$asked/evaluations/step-24/mine.jsonl" "$asked/evaluations/step-24/gsm8k.jsonl" | wc -l)" = 22 ] || failed "not every response is written"
as_evaluate_says "$asked/model" "$asked/evaluations/step-24" "train_sft"
wants 0 ./evaluate --compare "$asked/evaluations/step-0" "$asked/evaluations/step-24" >"$work/stdout" 2>"$work/stderr"
grep -q "^mine: 5 questions that all have" "$work/stdout" || failed "./evaluate --compare does not take the folders of evaluations"

other_ways_same_figures() {
    wants 0 train "$work/ranks" "${tasks[@]}" --ranks 3 --export-dtype fp32
    same_evaluations "$asked" "$work/ranks" "ranks"
    same_run "$calm" "$work/ranks" "three ranks share the questions, and figures, responses and weights are those of one"
    stopped_run "$work/stopped" "${tasks[@]}" --export-dtype fp32
    mkdir -p "$work/stopped/evaluations/step-99"               # what a killed run has made after its last checkpoint
    echo '{}' >"$work/stopped/evaluations/step-99/gsm8k.jsonl"
    wants 0 train "$work/stopped" "${tasks[@]}" --export-dtype fp32 --sequences 2 --pass-tokens 7
    same_evaluations "$asked" "$work/stopped" "stopped"
    same_run "$calm" "$work/stopped" "a run that was stopped goes on to the same figures and responses"
    rm -rf "$work/ranks" "$work/stopped"
}

# Known by heart: the score rises, and a run may end by it. No --eval-data is needed.
scores_are_those_of_what_is_written() {
    local i prompt='\n\nPlease reason step by step, and put your final answer within \\boxed{}.'
    for i in 1 2; do
        printf '{"messages": [{"role": "user", "content": "Which is %d?%s"}, {"role": "assistant", "content": "\\\\boxed{%d}"}]}\n' "$i" "$prompt" "$i"
    done >"$work/heart.jsonl"
    local heart=("${recipe[@]:0:6}" --data "$work/heart.jsonl" --global-batch 2 --lr 1e-2 --seq-len 128 --slots 1 --threads 1 --device cpu --steps 400
        --lr-schedule constant --warmup-steps 1 --eval-every 40 --eval-tasks questions --eval-task-data questions="$work/numbers.jsonl" --eval-task-limit 2 --eval-task-new-tokens 12)
    wants 0 ./train_sft "${heart[@]}" --stop-when val-core/questions/strict:2 --out "$work/heart" >"$work/stdout" 2>"$work/stderr"
    [ "$(figures "$work/heart" val-core/questions/score | tail -n 1)" = 1 ] && [ "$(figures "$work/heart" val-core/questions/strict | tail -n 1)" = 1 ] &&
        [ "$(figures "$work/heart" val-core/questions/score | head -n 1)" = 0 ] || failed "what is known by heart is not right: $(evaluations "$work/heart")"
    grep -q "^the run ends here, after step [0-9]*, by --stop-when val-core/questions/strict:2: val-core/questions/strict was best after step" "$work/stdout" ||
        failed "a run does not end by a benchmark's score"
    grep -q '"right":true.*"strict":true' "$work/heart"/evaluations/step-120/questions.jsonl || failed "a right response is not marked so"
    proved "what is known by heart is scored right, and a run ends when a score no longer rises"
}

reinforcement_has_them_too() {
    hard_problems
    local rl=(./train_rl --model "$calm" "${rules[@]}" --data "$work/data/rl" --prompts-per-step 4 --prompts-per-update 4 --eval-every 2 --steps 3 --overlong-buffer 20)
    wants 0 "${rl[@]}" --out "$work/rl_calm" >"$work/stdout" 2>"$work/stderr"
    wants 0 "${rl[@]}" "${tasks[@]}" --out "$work/rl" >"$work/stdout" 2>"$work/stderr"
    same_run "$work/rl_calm" "$work/rl" "train_rl: benchmarks change no bit of a run"
    as_evaluate_says "$work/rl/model" "$work/rl/evaluations/step-3" "train_rl"
    wants 0 "${rl[@]}" "${tasks[@]}" --ranks 2 --out "$work/rl_ranks" >"$work/stdout" 2>"$work/stderr"
    same_evaluations "$work/rl" "$work/rl_ranks" "train_rl on two ranks"
    # questions that are longer than the run's prompts and responses
    wants 0 "${rl[@]}" "${tasks[@]}" --max-prompt-tokens 40 --max-new-tokens 8 --overlong-buffer 4 --eval-task-new-tokens 60 --out "$work/rl_long" \
        >"$work/stdout" 2>"$work/stderr"
    grep -q '"tokens":60,' "$work/rl_long"/evaluations/step-3/gsm8k.jsonl || failed "a response to a benchmark is cut at the run's own length"
    proved "train_rl: the same on two ranks, and for questions that are longer than the run's own"
}

what_cannot_be_asked_is_refused() {
    refused() { # STATUS, what is said, options
        local status=$1 said=$2
        shift 2
        wants "$status" train "$work/no" "$@"
        says "$said"
        [ ! -e "$work/no" ] || [ -z "$(find "$work/no" -type f)" ] || failed "$said: files are left"
    }
    refused 2 "--eval-task-data: there is no benchmark; give --eval-tasks, or leave it out" --eval-task-data gsm8k="$work/gsm8k.jsonl"
    refused 2 "gsm8k: its questions are missing" --eval-tasks gsm8k
    says "give --eval-task-data gsm8k=FILE"
    refused 2 "--eval-tasks: gsm8k is named twice" --eval-tasks gsm8k gsm8k --eval-task-data gsm8k="$work/gsm8k.jsonl"
    refused 2 "--eval-task-data questions=$work/numbers.jsonl: --eval-tasks does not name questions" --eval-tasks gsm8k --eval-task-data gsm8k="$work/gsm8k.jsonl" \
        --eval-task-data questions="$work/numbers.jsonl"
    refused 2 "give --eval-task-shots mine=FILE" --eval-tasks "$work/mine.task" --eval-task-data mine="$work/numbers.jsonl"
    refused 1 "gsm8k.jsonl:1" --eval-tasks mmlu_pro --eval-task-data mmlu_pro="$work/gsm8k.jsonl"
    refused 1 "no/such/file" --eval-tasks gsm8k --eval-task-data gsm8k=no/such/file
    refused 2 "give --shard state, or neither --eval-samples nor --eval-tasks" "${tasks[@]}" --ranks 2 --shard weights
    printf '{"question": "%s", "answer": "1"}\n' "$(seq -s ' ' 400)" >"$work/long.jsonl"
    refused 1 "the prompt of questions/0 has" --eval-tasks questions --eval-task-data questions="$work/long.jsonl"
    says "and the model takes 512 with the response"
    wants 2 train "$work/no" "${tasks[@]}" --eval-new-tokens 9
    says "--eval-new-tokens: nothing is sampled; give --eval-samples"
    wants 0 train "$work/plan" "${tasks[@]}" --plan
    grep -q "generation: keys and values in pages" "$work/stdout" || failed "--plan does not show what the engine takes"
    [ ! -e "$work/plan" ] || failed "--plan makes a folder"
    proved "tasks without data, data without a task, rows that do not fit and prompts that are too long are refused, with nothing left behind"
}

# What --keep-best and --stop-when compare is measured with the same questions, in all processes of a run.
other_questions_are_not_compared() {
    local first=$work/first task=$work/own.task figure=val-core/own/score
    sed 's/^samples = 3/samples = 1/' "$work/mine.task" >"$task"
    head -n 4 "$work/numbers.jsonl" >"$work/own.jsonl"
    sed 's/Which/What/' "$work/own.jsonl" >"$work/changed.jsonl"
    local own=(--eval-tasks "$task" gsm8k --eval-task-data own="$work/own.jsonl" --eval-task-data gsm8k="$work/gsm8k.jsonl"
        --eval-task-shots own="$work/examples.jsonl" --eval-task-new-tokens 8)
    wants 0 train "$first" "${own[@]}" --keep-best "$figure" --stop-when "$figure:90" --epochs 2 --lr-schedule constant
    resumed() { # STATUS, options: the run goes on for an epoch
        local status=$1
        shift
        rm -rf "$work/more"
        cp -r "$first" "$work/more"
        wants "$status" train "$work/more" "${own[@]}" --epochs 3 --lr-schedule constant "$@"
    }
    refused_for() { # WHAT, options
        local what=$1
        shift
        resumed 1 --keep-best "$figure" "$@"
        says "val-core/own: was measured with $what"
        says "give the same file or option again, drop --keep-best, or begin in another --out"
        diff -r "$first/checkpoints" "$work/more/checkpoints" >"$work/stderr" || failed "a refused run has changed its checkpoints"
    }
    resumed 0 --keep-best "$figure" --stop-when "$figure:90"
    ! grep -q "measured with" "$work/stdout" || failed "the same questions are called others"
    refused_for "1 samples, and would be with 3 samples now" --eval-task-samples 3 --eval-task-temperature 1
    refused_for "4 questions, and would be with 2 questions now" --eval-task-limit 2
    refused_for "8 new tokens at most, and would be with 9 new tokens at most now" --eval-task-new-tokens 9
    refused_for "temperature 1, and would be with temperature 0.5 now" --eval-task-temperature 0.5
    cp "$work/changed.jsonl" "$work/own.jsonl"
    refused_for "data of hash"
    refused_for "data of hash" --ranks 2
    resumed 1 --stop-when "$figure:90"
    says "drop --stop-when, or begin"
    resumed 1 --stop-when "$figure:90" --keep-best "$figure"
    says "drop --keep-best and --stop-when, or begin"
    # another figure is compared: the run says so, once
    resumed 0 --keep-best val-core/gsm8k/score --stop-when loss:90
    [ "$(grep -c "^val-core/own: from here on measured with data of hash .*, before with data of hash" "$work/stdout")" = 1 ] ||
        failed "that questions are others is not said"
    wants 0 train "$work/more" "${own[@]}" --epochs 4 --lr-schedule constant --keep-best val-core/gsm8k/score
    ! grep -q "measured with" "$work/stdout" || failed "that questions are others is said twice"
    wants 1 train "$work/more" "${own[@]}" --epochs 5 --lr-schedule constant --keep-best "$figure"
    says "cannot be compared; drop --keep-best, or begin in another --out"
    head -n 4 "$work/numbers.jsonl" >"$work/own.jsonl"
    wants 1 train "$work/more" "${own[@]}" --epochs 5 --lr-schedule constant --keep-best "$figure" # figures of both are in its log
    says "cannot be compared; drop --keep-best, or begin in another --out"
    sed -i 's/digits/figures/' "$task"
    refused_for "a task text of hash"
    sed -i 's/figures/digits/' "$task"
    # a task more or less; and checkpoints that do not say
    rm -rf "$work/more"
    cp -r "$first" "$work/more"
    wants 0 train "$work/more" --eval-tasks gsm8k questions --eval-task-data gsm8k="$work/gsm8k.jsonl" --eval-task-data questions="$work/numbers.jsonl" \
        --eval-task-new-tokens 8 --epochs 3 --lr-schedule constant --keep-best val-core/gsm8k/score
    ! grep -q "measured with" "$work/stdout" || failed "a task more, and one less, is called another"
    # and what they were is beside the figures
    tr -d '\n' <"$first/evaluations/step-0/summary.json" >"$work/summary"
    for said in '"about": "digits"' '"source": "this test"' '"data_hash": "' '"samples": 1' '"max_new_tokens": 8' '"as_the_task_says": false' '"template": "chatml"'; do
        grep -qF -- "$said" "$work/summary" || failed "summary.json does not have $said"
    done
    proved "a resumed run with other questions is refused where they are compared, by what differs, and else says so once"
}

samples_of_a_greedy_task_are_drawn() {
    local greedy=(--eval-tasks gsm8k --eval-task-data gsm8k="$work/gsm8k.jsonl" --eval-task-new-tokens 6 --eval-task-samples 3 --steps 1)
    wants 2 train "$work/no" "${greedy[@]}"
    says "gsm8k: 3 samples at temperature 0 are one and the same; give a --eval-task-temperature"
    wants 2 train "$work/no" "${greedy[@]}" --eval-task-temperature -0.5
    says "--eval-task-temperature -0.5: 0 is greedy, and -1 as the task says"
    wants 2 train "$work/no" --eval-task-temperature 1
    says "--eval-task-temperature: there is no benchmark"
    wants 0 train "$work/drawn" "${greedy[@]}" --eval-task-temperature 1
    [ "$(sed 's/.*"text":"\([^"]*\)".*/\1/' "$work/drawn/evaluations/step-1/gsm8k.jsonl" | sort -u | wc -l)" -gt 7 ] || failed "samples are not drawn"
    proved "--eval-task-temperature draws several samples of a greedy task"
}

other_questions_are_not_compared
samples_of_a_greedy_task_are_drawn
other_ways_same_figures
scores_are_those_of_what_is_written
reinforcement_has_them_too
what_cannot_be_asked_is_refused
