#!/usr/bin/env bash
# Reinforcement learning on several ranks has the bits of one, in logs, rollouts, evaluations, checkpoints and model, with all that a
# step can have; whatever stops or kills a rank, it goes on with any other number of them; and no verdict is asked for twice.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
wants 0 train "$work/sft" --epochs 2 --export-dtype fp32
hard_problems
cp -r "$work/sft/model" "$work/judge" # a model that knows nothing ends never, as a judge: here most tokens end it
echo "{\"eos_token_id\": [$(seq -s, 0 1100)]}" >"$work/judge/generation_config.json"
rules=(--data "$work/data/rl" --eval-data "$work/data/rl" "${rules[@]}" --eval-every 3 --eval-samples 2 --epochs 2 --prompts-per-step 4
    --prompts-per-update 2 --overlong-buffer 20 --save-every 2)

# In a grader's loop of shell: the score follows from the line.
grader='while read -r line; do q=${line#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": $((${#line} % 5 == 0))}"; done'
everything=(--grader "$grader" --grader-sandbox none --grader-processes 2 --overlong-buffer 0 --reward accuracy=0.5 --reward format=0.1 --kl-coef 0.1
    --kl-in reward --kl-target 0.01 --kl-horizon 100 --dynamic-sampling --dynamic-batches 3 --update-epochs 2 --adapt --judge-model "$work/judge"
    --judge-tokens 8 --judge-yes correct --judge-no ^ --judge-asks unequal --no-exact --top-k 50 --moments bf16 --save-every 1)

reinforce() { # OUT, options
    local out=$1
    shift
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}
in_background() {
    local out=$1
    shift
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}

# Times are the clock's, wherever they stand in a line.
bits_of_log() { sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"; }
same_run_of_rl() { # EXPECTED OUT, OUT, what
    local part
    for part in rollouts evaluations; do
        diff -qr "$1/$part" "$2/$part" >"$work/stderr" || failed "$3: other $part"
    done
    diff <(state_of "$1") <(state_of "$2") >"$work/stderr" || failed "$3: another named state"
    same_run "$@"
}

calm=$work/calm all=$work/all
wants 0 reinforce "$calm"
begun=$(milliseconds)
wants 0 reinforce "$all" "${everything[@]}"
length=$(($(milliseconds) - begun))

every_number_of_ranks_has_the_bits_of_one() {
    local ranks calm_numbers=2 all_numbers=3
    [ "$mode" = short ] || calm_numbers="2 3 4 7" all_numbers="2 3 4 7"
    for ranks in $calm_numbers; do
        wants 0 reinforce "$work/ranks" --ranks "$ranks"
        grep -q "^$ranks ranks (--ranks), on " "$work/stdout" || failed "that there are $ranks ranks is not said"
        [ "$(grep -c "step 1/" "$work/stdout")" = 1 ] || failed "more than one rank writes to the terminal"
        same_run_of_rl "$calm" "$work/ranks" "$ranks ranks have the bits of one: log, rollouts, evaluations, checkpoints, model"
        rm -rf "$work/ranks"
    done
    for ranks in $all_numbers; do
        wants 0 reinforce "$work/ranks" --ranks "$ranks" "${everything[@]}"
        same_run_of_rl "$all" "$work/ranks" "$ranks ranks: likewise with graders, a judge, KL in the reward, dynamic sampling, epochs, --adapt, bf16"
        [ -s "$work/ranks/grader-1.jsonl" ] || failed "rank 1 keeps no journal"
        rm -rf "$work/ranks"
    done
    [ "$mode" = long ] || return 0
    wants 0 reinforce "$work/one" --kl-coef 0.1 --prompts-per-update 4 --entropy-coef 0.01 --loss gspo --advantage reinforce++
    wants 0 reinforce "$work/ranks" --kl-coef 0.1 --prompts-per-update 4 --entropy-coef 0.01 --loss gspo --advantage reinforce++ --ranks 3
    same_run_of_rl "$work/one" "$work/ranks" "3 ranks: likewise with KL in the loss, an entropy bonus, and advantages of the whole batch"
    rm -rf "$work/one" "$work/ranks"
}

rows_are_prepared_once() {
    local with=(./train_rl --model "$work/sft" "${rules[@]:4}" --ranks 3 --out "$work/ranks" --instruction none
        --data "$work/hard.jsonl" --eval-data "$work/hard.jsonl")
    wants 0 "${with[@]}" >"$work/stdout" 2>"$work/stderr"
    same_run_of_rl "$calm" "$work/ranks" "JSONL, prepared by rank 0, gives three ranks the same prompts"
    rm -rf "$work/ranks"
}

moment() { sleep "$(printf '%d.%03d' $((RANDOM % length / 1000)) $((RANDOM % length % 1000)))"; }

# In the sampling of a step or an evaluation, among verdicts, among updates: a signal to the launcher, or to one rank.
a_run_goes_on_with_another_number_of_ranks() {
    local out=$work/other i ranks status pids stops=0 tries=4
    [ "$mode" = short ] || tries=40
    RANDOM=$seed
    for ((i = 0; i < tries; i++)); do
        ranks=$((1 + (i + 1) % 4))
        in_background "$out" "${everything[@]}" --ranks $ranks --stop-within $((i % 2 * 25))
        moment
        mapfile -t pids < <(children_of $trainer)
        [ $((i % 3)) = 0 ] && [ ${#pids[@]} = $ranks ] || pids=("$trainer")
        kill -TERM "${pids[$((${#pids[@]} - 1))]}" 2>/dev/null || true
        status=0
        wait $trainer 2>/dev/null || status=$?
        case $status in
        0) rm -rf "$out" ;;
        75) stops=$((stops + 1)) ;;
        143) ;; # before the first line of the program was reached
        *) [ $((i % 3)) = 0 ] && grep -q "was ended by signal 15\|has ended" "$work/stderr" || failed "exit status $status after SIGTERM with SEED=$seed" ;;
        esac
    done
    [ $stops -gt 0 ] || failed "no run was stopped, with SEED=$seed"
    wants 0 reinforce "$out" "${everything[@]}" --ranks 2
    same_run_of_rl "$all" "$out" "stopped by $stops signals (SEED=$seed) and resumed with other numbers of ranks: the same bits"
    rm -rf "$out"
}

start_some() {
    in_background "$1" "${everything[@]}" --ranks $((2 + RANDOM % 3))
    moment
}

a_killed_rank_costs_an_interval() {
    local out=$work/killed
    kill_ranks_often start_some same_run_of_rl "$1" "$out" "$all"
    wants 0 reinforce "$out" "${everything[@]}" --ranks 2
    same_run_of_rl "$all" "$out" "$1 times kill -9 of one of some ranks or their launcher (SEED=$seed): the others end, and the bits are the same"
    rm -rf "$out"
}

# OUT: once its log is there, $pids are the three ranks of $trainer. A process that ends while /proc is read spoils the list.
three_ranks_of() {
    until [ -e "$1/log.jsonl" ]; do
        kill -0 $trainer || failed "no run has begun"
        sleep 0.01
    done
    until mapfile -t pids < <(children_of $trainer) && [ ${#pids[@]} = 3 ]; do
        kill -0 $trainer || failed "the run has ended"
    done
}

# A reward of chance, so that some prompts are always solved in a rollout, some never, and others at times.
resting=(--adapt --adapt-by prompt --adapt-rest 1 --epochs 6 --samples-per-prompt 2 --temperature 2 --save-every 1)
start_resting() {
    in_background "$1" "${resting[@]}" --ranks $((1 + RANDOM % 3))
    moment
}
prompts_rest_as_on_one_rank_that_was_never_killed() {
    local rest=$work/rest rested=$work/rested prompts
    prompts=$(wc -l <"$work/hard.jsonl")
    wants 0 reinforce "$rest" "${resting[@]}"
    sed -n 's|.*"curriculum/active": \([0-9]*\), "curriculum/resting_solved": \([0-9]*\), "curriculum/resting_unsolved": \([0-9]*\).*|\1 \2 \3|p' "$rest/log.jsonl" |
        awk -v all="$prompts" '$1 + $2 + $3 != all { exit 1 } { rested += $2 + $3; back += NR > 1 && $1 > before; before = $1; rows++ } END { exit !(rows > 5 && rested > 0 && back > 0) }' ||
        failed "how many prompts rest: $(grep -o '"curriculum/[^,]*' "$rest/log.jsonl" | tr '\n' ' ')"
    kill_ranks_often start_resting same_run_of_rl "$1" "$rested" "$rest"
    wants 0 reinforce "$rested" --ranks 2 "${resting[@]}"
    same_run_of_rl "$rest" "$rested" "prompts that rest, on changing numbers of ranks, killed with -9 (SEED=$seed): the bits of one rank that was not"
    wants 2 reinforce "$work/none" --adapt-by prompt
    says "--adapt-by prompt: give --adapt, too"
    rm -rf "$rest" "$rested"
}

# The first evaluation takes longer than anybody waits, and the signal comes to one rank alone.
a_signal_to_one_rank_ends_the_sampling_of_all() {
    local out=$work/long status=0 pids
    in_background "$out" --eval-samples 8000 --ranks 3
    three_ranks_of "$out"
    kill -INT "${pids[2]}"
    wait $trainer || status=$?
    [ $status = 75 ] || failed "exit status $status after SIGINT to a rank in an evaluation"
    grep -q "before the end of the first step; the same command begins again" "$work/stdout" || failed "what to do is not said"
    wants 0 reinforce "$out" --ranks 2
    same_run_of_rl "$calm" "$out" "a signal to one of three ranks ends the sampling of all, and it is made again"
    rm -rf "$out"
}

# The same, but it stands still, for longer than the others wait. They meet more often than that.
a_rank_that_stands_still_is_named() {
    local out=$work/still status=0 pids
    in_background "$out" --eval-samples 8000 --ranks 3 --stuck-after 2
    three_ranks_of "$out"
    kill -STOP "${pids[1]}"
    wait $trainer || status=$?
    [ $status = 1 ] || failed "exit status $status where a rank stood still"
    grep -q "nothing was heard for 2 seconds from rank 1 on " "$work/stderr" || failed "rank 1 is not named"
    ! kill -0 "${pids[1]}" 2>/dev/null || failed "the rank that stood still is still there"
    proved "a rank that stands still while all sample is named, and ended with the others"
    rm -rf "$out"
}

ranks_save_by_one_clock() {
    wants 0 reinforce "$work/clock" --ranks 3 --save-every 0 --save-minutes 0.00001 --keep-checkpoints 100
    [ "$(ls "$work/clock/checkpoints" | grep -c '^step-')" = 6 ] || failed "not every step is saved"
    same_run_of_rl "$calm" "$work/clock" "all ranks save when rank 0's clock says so"
    rm -rf "$work/clock"
}

# OUT: what its log says of rule and judge.
verdicts_of() { grep -oE '"(verdict|judge)/[^"]*": [^,}]*' "$1/log.jsonl"; }

# At so low a temperature and rate a prompt has the same responses in every epoch, and another rank has them then. The model has learned
# some sums, and ends where a semicolon would follow.
no_verdict_is_asked_for_twice() {
    wants 0 train "$work/taught" --epochs 100 --lr 3e-3 --eval-every 0 --save-every 0
    echo '{"eos_token_id": [1130, 26]}' >"$work/taught/model/generation_config.json"
    local log="${grader/do /do echo \"\$line\" >>\"$work/graded\"; }"
    local same=(--grader "$log" --grader-sandbox none --model "$work/taught/model" --temperature 0.001 --lr 1e-12 --lr-schedule constant --judge-model j --judge-asks all --overlong-buffer 0 --eval-every 0)
    judge_begins no judge
    wants 0 reinforce "$work/one" "${same[@]}" --endpoint "$judge" --epochs 3
    sort "$work/judge.asked" >"$work/by_one"
    [ "$(wc -l <"$work/by_one")" -gt 5 ] || failed "nothing was asked"
    sort -u "$work/graded" >"$work/graded_by_one"
    : >"$work/judge.asked"
    : >"$work/graded"
    wants 0 reinforce "$work/ranks" "${same[@]}" --endpoint "$judge" --epochs 2 --ranks 3
    wants 0 reinforce "$work/ranks" "${same[@]}" --endpoint "$judge" --epochs 3 --ranks 2
    judge_ends
    diff -qr "$work/one/rollouts" "$work/ranks/rollouts" >"$work/stderr" || failed "the judge has said something else to ranks"
    cmp "$work/one/model/model.safetensors" "$work/ranks/model/model.safetensors" || failed "the model has other bits"
    grep -q '"judge/yes_to_different": 0' "$work/one/log.jsonl" || failed "rule and judge were not compared"
    diff <(verdicts_of "$work/one") <(verdicts_of "$work/ranks") >"$work/stderr" || failed "ranks log other verdicts than one"
    [ -s "$work/ranks/judge-2.jsonl" ] || failed "rank 2 has asked nothing"
    # each rank of each start greets the judge
    diff <(uniq "$work/by_one") <(sort -u "$work/judge.asked") >"$work/stderr" || failed "other questions than one rank's"
    [ "$(sort "$work/judge.asked" | uniq -d | grep -vc "What is 1 + 1?")" = 0 ] || failed "a question was asked twice"
    diff "$work/graded_by_one" <(sort -u "$work/graded") >"$work/stderr" || failed "graders had other questions than one rank's"
    [ "$(sort "$work/graded" | uniq -d | wc -l)" = 1 ] || failed "a grader had a question twice" # but for the greeting
    proved "no verdict is asked for twice: not by another rank, an epoch later, nor by another number of ranks after a resume"
    rm -rf "$work/one" "$work/ranks" "$work/judge.asked" "$work/graded"
}

# Some rank is refused first. What was learned before is saved by all.
an_error_of_one_rank_is_all_ranks() {
    local with=(--judge-model j --judge-asks unequal --save-every 0 --eval-every 0) asked
    judge_begins no judge
    wants 0 reinforce "$work/one" "${with[@]}" --endpoint "$judge" --steps 1 --lr-schedule constant
    judge_ends
    asked=$(wc -l <"$work/judge.asked")
    rm -rf "$work/one"
    judge_begins refuse judge $((asked + 2)) # three greet it instead of one
    wants 1 reinforce "$work/ranks" "${with[@]}" --endpoint "$judge" --ranks 3 --lr-schedule constant
    judge_ends
    says "--endpoint: the judge's server rejects the key"
    says "step 1 is saved, and --resume auto goes on from there"
    ! grep -q "do not do the same\|has ended" "$work/stderr" || failed "the ranks have lost each other"
    [ "$(newest_step "$work/ranks")" = 1 ] || failed "the last finished step is not saved"
    proved "a judge that refuses a rank ends all of them, and the last finished step is saved"
    rm -rf "$work/ranks"
}

# Every rank knows it; rank 0 writes what it has sampled before any of them ends.
nothing_to_learn_is_shown() {
    wants 1 reinforce "$work/ranks" --overlong-buffer 0 --reward accuracy=0 --dynamic-sampling --ranks 3
    says "12 groups in 3 batches none has a signal"
    [ "$(wc -l <"$work/ranks/rollouts/step-1.jsonl")" = 48 ] || failed "what was sampled is not there to be looked at"
    proved "a step without a signal ends all ranks, and its responses are written"
    rm -rf "$work/ranks"
}

a_plan_is_one_rank_s() {
    local one two
    wants 0 reinforce "$work/no" --plan
    one=$(grep "gradients" "$work/stdout" | head -n 1)
    wants 0 reinforce "$work/no" --plan --ranks 2
    two=$(grep "gradients: sums" "$work/stdout" | head -n 1)
    [ -n "$one" ] && [ -n "$two" ] || failed "the plan of two ranks has no divided sums"
    grep -q "^2 ranks: an update has 2 micro-batches, in 1 rounds" "$work/stdout" || failed "the plan does not say what is sent"
    wants 2 reinforce "$work/no" --plan --ranks 2 --shard weights
    says "--shard weights: every rank samples with whole weights"
    [ ! -e "$work/no" ] || failed "a plan makes a folder"
    wants 0 reinforce "$work/one" --micro-batch-tokens 64 --steps 2
    wants 0 reinforce "$work/fast" --micro-batch-tokens 64 --steps 2 --fast-reduce --ranks 2
    cmp "$work/one/rollouts/step-1.jsonl" "$work/fast/rollouts/step-1.jsonl" || failed "--fast-reduce samples otherwise"
    ! cmp -s "$work/one/model/model.safetensors" "$work/fast/model/model.safetensors" || failed "--fast-reduce has no effect"
    rm -rf "$work/one" "$work/fast"
    proved "--plan --ranks shows one rank's memory and what it sends; --shard weights is refused, --fast-reduce is not"
}

every_number_of_ranks_has_the_bits_of_one
rows_are_prepared_once
a_run_goes_on_with_another_number_of_ranks
a_killed_rank_costs_an_interval $([ "$mode" = long ] && echo 100 || echo 3)
prompts_rest_as_on_one_rank_that_was_never_killed $([ "$mode" = long ] && echo 10 || echo 2)
a_signal_to_one_rank_ends_the_sampling_of_all
a_rank_that_stands_still_is_named
[ "$mode" = short ] || ranks_save_by_one_clock
no_verdict_is_asked_for_twice
an_error_of_one_rank_is_all_ranks
nothing_to_learn_is_shown
a_plan_is_one_rank_s
