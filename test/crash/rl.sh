#!/usr/bin/env bash
# train_rl end to end: a run has one result, stopped, killed or not, whatever the threads; the first update of every step finds the
# log-probabilities that were sampled with, to the bit (or the program ends); what it cannot do is refused by name. The tiny model hardly ever
# answers right, so what is learned here is to be shorter: the soft overlong punishment.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/sft" --epochs 2 --export-dtype fp32
hard_problems
rules=(--data "$work/data/rl" --eval-data "$work/data/rl" "${rules[@]}" --eval-every 3 --eval-samples 2 --epochs 2 --prompts-per-step 4
    --prompts-per-update 2 --overlong-buffer 20 --save-every 2)

reinforce() {
    local out=$1
    shift
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}

# Times are the clock's, wherever they stand in a line.
bits_of_log() { sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"; }
same_rollouts() {
    diff -r "$1/rollouts" "$2/rollouts" >"$work/stderr" || failed "$3: other responses"
    [ ! -d "$1/evaluations" ] || diff -r "$1/evaluations" "$2/evaluations" >"$work/stderr" || failed "$3: other responses to held-out problems"
}

calm=$work/calm
begun=$(milliseconds)
wants 0 reinforce "$calm"
length=$(($(milliseconds) - begun))
[ "$(grep -c '"reward/mean"' "$calm/log.jsonl")" = 6 ] || failed "6 steps of 2 epochs are not all in the log"
[ "$(cat "$calm"/rollouts/*.jsonl | wc -l)" = 96 ] || failed "96 responses are not all in the rollouts"
[ "$(grep -c '"eval/acc/pass@2"' "$calm/log.jsonl")" = 3 ] || failed "held-out problems were not asked before, in the middle and after"
[ "$(wc -l "$calm"/evaluations/step-{0,3,6}.jsonl | awk '$1 == 24' | wc -l)" = 3 ] || failed "not every response to a held-out problem is written"
row=$(head -n 1 "$calm/evaluations/step-3.jsonl")
for field in '"step":3' '"id":"' '"prompt":"<|im_start|>user' '"prompt_ids":\[' '"ids":\[' '"reference":"' '"answer":"' '"verdict":"' '"accuracy":[01].0'; do
    grep -q "$field" <<<"$row" || failed "$field is not in the responses to held-out problems: $row"
done
! grep -q '"advantage"' <<<"$row" || failed "a response that is not learned from has an advantage"
grep -q '"ids":\[.*"advantage":' "$calm/rollouts/step-1.jsonl" || failed "rollouts lack ids or advantages"
build/check_answers "$calm/evaluations/step-6.jsonl" >"$work/stdout" 2>"$work/stderr" || failed "build/check_answers cannot read evaluations"
grep -q "^24 responses" "$work/stdout" || failed "build/check_answers does not count 24 responses"
[ "$(awk '/^all/ { print $3 + 0 }' "$work/stdout")" = "$(grep '"event": "eval"' "$calm/log.jsonl" | tail -n 1 |
    sed 's/.*"eval\/acc\/mean@2": \([^,]*\),.*/\1/' | awk '{ printf "%.4g", 100 * $1 }')" ] || failed "build/check_answers finds another avg@2 than the log has"
grep -q '"grad_norm": 0,' "$calm/log.jsonl" && failed "a step learned nothing"
cmp -s "$calm/model/model.safetensors" "$work/sft/model/model.safetensors" && failed "the weights are those it began with"
proved "six steps sample, judge and learn; every first update found the sampled log-probabilities to the bit"

same_bits_with() { # what, options
    local what=$1
    shift
    wants 0 reinforce "$work/other" "$@"
    same_rollouts "$calm" "$work/other" "$what"
    same_run "$calm" "$work/other" "$what"
    rm -rf "$work/other"
}

a_run_has_one_result() {
    same_bits_with "two threads give the bits of one" --threads 2
    same_bits_with "other batches of the sampler give the same bits" --sequences 3 --pass-tokens 7
    same_bits_with "recomputed layers give the same bits" --recompute layer --save-every 1
    if DEREASON_CPU=avx2 reinforce "$work/plan" --plan; then
        DEREASON_CPU=naive same_bits_with "the plain loops of kernels/naive.c give the bits of vectors"
    else
        skipped "plain loops against vectors: $(head -n 1 "$work/stderr")"
    fi
}

rows_are_prepared_where_shards_are_wanted() {
    local with=(./train_rl --model "$work/sft" "${rules[@]:4}" --out "$work/other" --instruction none)
    wants 0 "${with[@]}" --data "$work/hard.jsonl" --eval-data "$work/hard.jsonl" >"$work/stdout" 2>"$work/stderr"
    same_rollouts "$calm" "$work/other" "JSONL"
    same_run "$calm" "$work/other" "JSONL rows, prepared on the way, are the shards of ./prepare"
    rm -rf "$work/other"
    wants 1 "${with[@]}" --data "$work/data/rl" --eval-data "$work/hard.jsonl" --instruction "Think." >"$work/stdout" 2>"$work/stderr"
    says "--eval-data and --data end the user's turn differently; give the --instruction that $work/data/rl was prepared with"
    [ ! -d "$work/other/cache" ] || failed "a run that is refused leaves what it has prepared"
    printf '{"problem": "1+1?", "answer": "2"}\n{"problem": "2+2?"}\n{"problem": "1+1?", "answer": "3"}\n' >"$work/few.jsonl"
    wants 0 "${with[@]}" --data "$work/data/rl" --eval-data "$work/few.jsonl" --steps 1 >"$work/stdout" 2>"$work/stderr"
    grep -q -- "--eval-data: of 3 rows:" "$work/stdout" && grep -q "dropped: 1 are for rl/, but have no reference answer" "$work/stdout" &&
        grep -q "dropped: 1 have the prompt of an earlier row, but another reference answer" "$work/stdout" ||
        failed "rows that are left out are not counted"
    [ "$(wc -l <"$work/other/evaluations/step-1.jsonl")" = 2 ] || failed "a row without a difficulty is not asked"
    rm -rf "$work/other"
    echo '{"problem": "1+1?"}' >"$work/few.jsonl"
    wants 1 "${with[@]}" --data "$work/data/rl" --eval-data "$work/few.jsonl" >"$work/stdout" 2>"$work/stderr"
    says "1 are for rl/, but have no reference answer"
    rm -rf "$work/other"
}

to_be_killed() {
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$1" --save-every 1 >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}
kill_9_loses_nothing() {
    local kills=3
    [ "$mode" = short ] || kills=40
    kill_often to_be_killed "$kills" "$length" "$work/killed" "$calm"
    wants 0 reinforce "$work/killed" --save-every 1
    same_rollouts "$calm" "$work/killed" "killed"
    same_run "$calm" "$work/killed" "$kills times kill -9 (SEED=$seed), in rollouts and updates, and the run ends with the same bits"
}

every_objective_runs() {
    local loss advantage
    for loss in clip gspo cispo; do
        for advantage in grpo dr-grpo rloo reinforce++ reinforce++-baseline; do
            wants 0 reinforce "$work/$loss" --steps 1 --loss "$loss" --advantage "$advantage" --aggregation seq-mean-token-mean \
                --entropy-coef 0.01
            rm -rf "${work:?}/$loss"
        done
    done
    wants 0 reinforce "$work/cut" --steps 2 --max-new-tokens 2 --overlong-buffer 0 --mask-truncated
    grep -q '"response_length/clip_ratio": 1,' "$work/cut/log.jsonl" || failed "not every response was cut off"
    grep -q '"trained_tokens": 0,' "$work/cut/log.jsonl" || failed "responses that were cut off were trained on"
    proved "every loss with every advantage; a step of nothing but responses that were cut off"
}

# In a grader's loop of shell: prints $score as the answer to $line.
answers='q=${line#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": $score}"'

value() { sed -n "${3}s|.*\"$2\": \([^,}]*\).*|\1|p" "$1/log.jsonl"; } # folder, field, line

everything_else_has_its_say() {
    local grader="while read -r line; do score=\$((\${#line} % 5 == 0)); $answers; done"
    wants 0 reinforce "$work/kl" --kl-coef 0.1 --prompts-per-update 4 --steps 2
    [ "$(value "$work/kl" actor/kl_loss 2)" = 0 ] || failed "the first update is not at the reference"
    [ "$(value "$work/kl" actor/kl_loss 3)" != 0 ] || failed "the second update is at the reference"
    proved "the reference model is the start's, to the bit, and stays there"
    cp -r "$work/sft/model" "$work/judge" # a model that knows nothing ends never, as a judge: here most tokens end it
    echo "{\"eos_token_id\": [$(seq -s, 0 1100)]}" >"$work/judge/generation_config.json"
    local all=(--grader "$grader" --overlong-buffer 0 --reward accuracy=0.5 --reward format=0.1 --kl-coef 0.1 --kl-in reward --kl-target 0.01
        --kl-horizon 100 --dynamic-sampling --dynamic-batches 3 --update-epochs 2 --adapt --judge-model "$work/judge" --judge-tokens 8
        --judge-yes correct --judge-no ^ --judge-asks unequal --no-exact --top-k 50 --save-every 1)
    wants 0 reinforce "$work/all" "${all[@]}"
    for field in reward/grader/mean reward/format/mean dynamic/batches actor/kl_coef; do
        [ -n "$(value "$work/all" "$field" 2)" ] || failed "$field is not in the log"
    done
    [ "$(value "$work/all" frac_reward_zero_std 2)" = 0 ] || failed "a group without a signal was not replaced"
    awk "{ exit !($(value "$work/all" rollout_corr/rollout_is_mean 2) < 1) }" <<<x || failed "sampling by top-k has no weights"
    [ -s "$work/all/grader.jsonl" ] || failed "no verdicts were kept"
    grep -q '"aside":"not needed"\|"aside":"all wrong"\|"aside":"all cut off"\|"aside":"all the same"' "$work"/all/rollouts/*.jsonl ||
        failed "groups that were not learned from are not in the rollouts"
    to_be_killed() {
        ./train_rl --model "$work/sft" "${rules[@]}" --out "$1" "${all[@]}" >"$work/stdout" 2>"$work/stderr" &
        trainer=$!
    }
    local kills=2
    [ "$mode" = short ] || kills=20
    kill_often to_be_killed "$kills" "$length" "$work/often" "$work/all"
    wants 0 reinforce "$work/often" "${all[@]}"
    same_rollouts "$work/all" "$work/often" "graders, a judge, a reference and dynamic sampling, killed"
    same_run "$work/all" "$work/often" "graders, a judge, KL in the reward, dynamic sampling, several epochs, an adaptive curriculum: killed $kills times, and the same bits"
    wants 1 reinforce "$work/often" "${all[@]}" --grader cat
    says "--grader"
}

what_cannot_be_had_is_survived() {
    sed '1s/"answer": "[^"]*"/"answer": "\\\\frac{ \\\\"/' "$work/hard.jsonl" >"$work/unreadable.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/unreadable" \
        "$work/unreadable.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 reinforce "$work/out" --data "$work/unreadable/rl" --steps 1
    grep -q "1 problems are left out" "$work/stdout" || failed "a reference that no rule can read was not named"
    rm -rf "$work/out"
    # every verdict is missing: no reward, no advantage, no failure
    judge_begins down nobody 1
    wants 0 reinforce "$work/out" --steps 2 --judge-model nobody --endpoint "$judge" --judge-patience 0.5 --judge-asks unequal
    judge_ends
    grep -q "have no reward, and so no advantage; judge: " "$work/stdout" || failed "that the judge is down was not said"
    [ "$(value "$work/out" reward/unscored 2)" != 0 ] || failed "responses without a verdict were not counted"
    rm -rf "$work/out"
    wants 0 reinforce "$work/out" --steps 2 --overlong-buffer 0 --reward accuracy=0 # all rewards are equal
    [ "$(value "$work/out" frac_reward_zero_std 2)" = 1 ] || failed "groups without a signal were not counted"
    [ "$(value "$work/out" grad_norm 2)" = 0 ] || failed "something was learned from nothing"
    proved "a reference that cannot be read, a judge that is down, rewards that are all the same: named, counted, survived"
}

# A step that goes on over the end of an epoch has every prompt once at most: a second group would be the first one again.
no_step_samples_a_prompt_twice() {
    local more
    for more in "" --adapt "--adapt --adapt-by prompt"; do
        wants 0 reinforce "$work/many" --steps 3 --prompts-per-step 5 --dynamic-sampling --dynamic-batches 9 $more
        for rows in "$work"/many/rollouts/*.jsonl; do
            [ "$(sed 's/.*"id":"\([^"]*\)".*"sample":\([0-9]*\).*/\1 \2/' "$rows" | sort | uniq -d | wc -l)" = 0 ] ||
                failed "$rows: a prompt was sampled twice $more"
        done
        rm -rf "$work/many"
        wants 0 reinforce "$work/many" --steps 2 --prompts-per-step 40 $more
        [ "$(wc -l <"$work/many/rollouts/step-1.jsonl")" = $((4 * $(wc -l <"$work/hard.jsonl"))) ] ||
            failed "a step for more prompts than there are has not each once $more"
        grep -q ", 48 responses a step, " "$work/stdout" || failed "the size of a step is wrong"
        rm -rf "$work/many"
    done
    wants 0 reinforce "$work/many" --steps 1 --prompts-per-step 40 --temperature 2 --data "$work/data/rl" # each is seen twice, now
    ids=$(sed 's/.*"id":"\([^"]*\)".*/\1/' "$work/many/rollouts/step-1.jsonl" | sort | uniq -c | awk '$1 != 8' | wc -l)
    [ "$ids" = 0 ] || failed "not every prompt has two groups"
    [ "$(sed 's/.*"id":"\([^"]*\)".*"sample":\([0-9]*\).*"mean_logprob":\([^,]*\).*/\1 \2 \3/' "$work/many/rollouts/step-1.jsonl" |
        sort | uniq -d | wc -l)" -lt 24 ] || failed "the second group of a prompt is a copy of the first one"
    rm -rf "$work/many"
    wants 1 reinforce "$work/many" --steps 3 --overlong-buffer 0 --reward accuracy=0 --dynamic-sampling
    says "12 groups in 3 batches none has a signal"
    says "and there is no other prompt"
    rm -rf "$work/many"
    proved "no step samples a prompt twice, however few there are"
}

# The same with no data but what is named.
reinforce_with() {
    local out=$1
    shift
    ./train_rl --model "$work/sft" "${rules[@]:4}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}

asked() { cat "$work/$1.asked" 2>/dev/null | wc -l; }
takes_at_most() { # SECONDS, command...
    local most=$1 begin=$SECONDS
    shift
    "$@"
    [ $((SECONDS - begin)) -le "$most" ] || failed "$((SECONDS - begin)) seconds instead of $most: $*"
}

# Texts as references, and a model that knows nothing: what ends by itself is asked, and a judge that says no is believed.
gibberish_is_rewarded_by_nobody() {
    cat >"$work/texts.jsonl" <<-'END'
	{"id": "L0", "difficulty": 4, "source": "a \"b\"", "problem": "Why 0?", "answer": "The mitochondria produce most of the energy that the cell needs"}
	{"id": "L1", "difficulty": 4, "problem": "Why 1?", "answer": "It falls because the demand curve shifts to the left while supply stays"}
	{"id": "L2", "difficulty": 4, "problem": "Why 2?", "answer": "The treaty ended the war and divided the territory between both kings"}
	END
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/texts" \
        "$work/texts.jsonl" >"$work/stdout" 2>"$work/stderr"
    text_rules=(--prompts-per-step 3 --prompts-per-update 3 --samples-per-prompt 64
        --max-new-tokens 120 --overlong-buffer 0 --micro-batch-tokens 4096 --slots 1 --steps 1 --sequences 32 --save-every 0)
    wants 0 train "$work/random" --steps 2
    text_rules+=(--model "$work/random")
    judge_begins no no
    wants 0 reinforce_with "$work/judged" "${text_rules[@]}" --data "$work/texts/rl" --eval-data "$work/texts/rl" --judge-model j --endpoint "$judge"
    judge_ends
    local rows=$work/judged/rollouts/step-1.jsonl ended
    ended=$(grep -c '"finish_reason":"stop"' "$rows")
    [ "$ended" -gt 20 ] || failed "only $ended responses ended: the test shows nothing"
    [ "$(grep -c '"judge":"no"' "$rows")" -ge $((ended * 9 / 10)) ] || failed "the judge was not asked of all that ended" # but of empty ones
    [ "$(grep '"finish_reason":"stop"' "$rows" | grep -v '"judge":"no"' | grep -vc '"response":"[[:space:]]*"')" = 0 ] ||
        failed "a response that says something was not judged"
    [ "$(grep -c '"reward":0.0' "$rows")" = 192 ] || failed "a reward is not 0"
    [ "$(value "$work/judged" reward/mean 2)" = 0 ] && [ "$(value "$work/judged" reward/unscored 2)" = 0 ] || failed "not all is 0"
    [ "$(asked no)" -gt 0 ] || failed "nobody was asked"
    grep -q '"eval/acc/mean@2": 0,' "$work/judged/log.jsonl" || failed "held-out gibberish is right"
    grep -q "every reward is 0 .*judge said no to [1-9].*look at .*step-1.jsonl: L" "$work/stdout" || failed "that all is 0 was not said"
    for field in verdict/equal verdict/unknown verdict/no_answer verdict/judged verdict/judged_no judge/yes verdict/kind/text/judged_no; do
        [ -n "$(value "$work/judged" "$field" 2)" ] || failed "$field is not in the log"
    done
    for field in reference answer kind verdict rule judge reward accuracy; do
        grep -q "\"$field\":" "$rows" || failed "$field is not in the rollouts"
    done
    build/plot "$work/judged/log.jsonl" "$work/judged.svg" 2>"$work/stderr" || grep -q "a picture needs two" "$work/stderr" ||
        failed "its log cannot be drawn"
    wants 1 reinforce_with "$work/unjudged" "${text_rules[@]}" --data "$work/texts/rl"
    says "can a rule tell right answers from wrong ones (3 text: L"
    says "--judge-model"
    head -n 4 "$work/hard.jsonl" | cat - "$work/texts.jsonl" >"$work/both.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/both" \
        "$work/both.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 reinforce_with "$work/unjudged" "${text_rules[@]}" --data "$work/both/rl"
    grep -q '3 problems are left out: .*(3 text: L[0-2] ".*a --judge-model could' "$work/stdout" || failed "they are not named"
    proved "texts as references: a judge's no is 0 for all, each that ended was asked; without a judge they are named and left out"
}

what_failed_is_no_verdict() {
    local with=("${text_rules[@]}" --judge-model j --data "$work/texts/rl" --samples-per-prompt 8)
    judge_begins refuse refuse
    wants 1 reinforce_with "$work/later" "${with[@]}" --endpoint "$judge"
    says "OPENAI_API_KEY"
    judge_ends
    [ ! -e "$work/later/checkpoints" ] || failed "a step was made of nothing"
    judge_begins hang hang 1
    takes_at_most 20 wants 0 reinforce_with "$work/later" "${with[@]}" --endpoint "$judge" --judge-patience 1
    judge_ends
    grep -q "no reward, and so no advantage; judge: " "$work/stdout" || failed "that the judge hangs was not said"
    grep -q "| unscored " "$work/stdout" || failed "the step's line does not show it"
    grep -q '"judge":"http' "$work/later/rollouts/step-1.jsonl" || failed "a response does not say why it was not judged"
    rm -r "$work/later/checkpoints" "$work/later/log.jsonl" "$work/later/model"
    judge_begins yes well
    wants 0 reinforce_with "$work/later" "${with[@]}" --endpoint "$judge"
    judge_ends
    [ "$(asked well)" -gt 0 ] && [ "$(value "$work/later" reward/unscored 1)" = 0 ] || failed "an outage is remembered as a verdict"
    grep -q '"judge":"yes"' "$work/later/rollouts/step-1.jsonl" || failed "a judge that is well again is not believed"
    judge_begins no-end endless
    wants 0 reinforce_with "$work/endless" "${with[@]}" --endpoint "$judge"
    judge_ends
    grep -q "the judge at $judge/chat/completions gives no finish_reason" "$work/stdout" || failed "that was not said"
    grep -q '"judge":"yes"' "$work/endless/rollouts/step-1.jsonl" || failed "a judge without finish_reason is not usable"
    proved "a key that is refused ends the run; a judge that hangs takes its patience; and what failed is asked again"
}

a_judge_that_is_not_there_is_known_at_once() {
    local with=("${text_rules[@]}" --judge-model j --data "$work/texts/rl" --judge-patience 3)
    rm -rf "$work/none"
    judge_begins no-model nobody
    takes_at_most 5 wants 1 reinforce_with "$work/none" "${with[@]}" --endpoint "$judge" --judge-patience 900
    says "refuses the first question: http"
    says "a name that the server lists at /v1/models"
    judge_ends
    takes_at_most 10 wants 1 reinforce_with "$work/none" "${with[@]}" --endpoint http://127.0.0.1:9/v1
    says "no answer to the first question in 3 seconds"
    grep -q "waiting for the judge at http://127.0.0.1:9/v1/chat/completions: .*onnect" "$work/stdout" || failed "that it is waited for is not said"
    [ ! -e "$work/none/checkpoints" ] || failed "a run began without its judge"
    proved "a judge that is not there is known before the first step"
}

# All that they had done before is saved, and the same command gives the bits of a run whose judge or grader never failed.
who_ends_a_run_costs_no_step() {
    local with=(--steps 4 --judge-model j --judge-asks unequal --judge-patience 20) asked
    judge_begins yes never
    wants 0 reinforce "$work/never" "${with[@]}" --endpoint "$judge" --save-every 0
    judge_ends
    asked=$(asked never)
    rm -rf "$work/ended"
    judge_begins refuse ended $((asked * 3 / 4))
    wants 1 reinforce "$work/ended" "${with[@]}" --endpoint "$judge" --save-every 0
    says "check OPENAI_API_KEY"
    says "is saved, and --resume auto goes on from there"
    [ -n "$(ls "$work/ended/checkpoints")" ] || failed "what was learned is lost"
    judge_ends
    judge_begins yes again # at another port
    wants 0 reinforce "$work/ended" "${with[@]}" --endpoint "$judge" --save-every 0
    judge_ends
    same_rollouts "$work/never" "$work/ended" "a judge that refused in between"
    same_run "$work/never" "$work/ended" "a judge's refusal ends the run, what was learned is saved, and a judge at another address goes on with the same bits"
    local ceases="while read -r line; do [ -e '$work/ceases' ] && sleep 0.01 && echo x && exit; score=\$((\${#line} % 3)); $answers; done"
    rm -rf "$work/ended"
    (
        until [ -e "$work/ended/rollouts/step-2.jsonl" ]; do sleep 0.02; done
        touch "$work/ceases"
    ) &
    wants 1 reinforce "$work/ended" --steps 300 --grader "$ceases" --grader-sandbox none --save-every 0
    says "is saved, and --resume auto goes on from there"
    [ -n "$(ls "$work/ended/checkpoints")" ] || failed "what was learned is lost to a grader"
    rm "$work/ceases"
    proved "a grader that ceases costs no step"
}

a_judge_of_the_users_own() {
    local with=("${text_rules[@]}" --judge-model j --data "$work/texts/rl" --samples-per-prompt 8 --save-every 1)
    printf 'Q {question}\nR {reference}\nA {answer}\n' >"$work/question"
    judge_begins own own
    wants 0 reinforce_with "$work/own" "${with[@]}" --endpoint "$judge" --judge-prompt "$work/question" --judge-yes 'verdict: correct' --judge-no '^'
    grep -q '"content":"Q Why [0-2]?\\nR [^"]*\\nA ' "$work/own.asked" || failed "the question is not the user's"
    grep -q '"judge":"yes"' "$work/own/rollouts/step-1.jsonl" || failed "its yes was not understood"
    printf 'R {reference} A {answer}' >"$work/question"
    wants 1 reinforce_with "$work/own" "${with[@]}" --endpoint "$judge" --judge-prompt "$work/question" --judge-yes 'verdict: correct' --judge-no '^'
    says "was made with other judge_prompt"
    says "which is --judge-prompt, --judge-yes and --judge-no"
    wants 1 reinforce_with "$work/own" "${with[@]}" --endpoint "$judge" --judge-yes 'correct' --judge-no '^'
    says "--judge-yes"
    judge_ends
    echo '{question}{answer}' >"$work/question"
    wants 1 reinforce_with "$work/none" "${with[@]}" --endpoint "$judge" --judge-prompt "$work/question"
    says "{reference} is missing"
    wants 1 reinforce_with "$work/none" "${with[@]}" --endpoint "$judge" --judge-yes y
    says "give --judge-no, too"
    wants 0 reinforce_with "$work/cut-judge" "${with[@]:0:${#text_rules[@]}}" --data "$work/texts/rl" --samples-per-prompt 8 --judge-model "$work/sft" \
        --judge-tokens 2 --judge-yes correct --judge-no '^'
    grep -q '"judge":"what it said was cut off' "$work/cut-judge/rollouts/step-1.jsonl" || failed "a judge that was cut off is believed"
    grep -q '"judge":"no"' "$work/cut-judge/rollouts/step-1.jsonl" && failed "a judge that was cut off said no"
    proved "a judge's question and decision are the user's, and what a run is made of"
}

a_run_knows_its_references() {
    local with=(--data "$work/references/rl" --steps 2 --save-every 1)
    prepare_answers() {
        sed "s/\"answer\": \"[^\"]*\"/\"answer\": \"$1\"/" "$work/hard.jsonl" >"$work/references.jsonl"
        rm -rf "$work/references"
        wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/references" \
            "$work/references.jsonl" >"$work/stdout" 2>"$work/stderr"
    }
    prepare_answers 41
    wants 0 reinforce_with "$work/knows" "${with[@]}"
    prepare_answers 42
    wants 1 reinforce_with "$work/knows" "${with[@]}"
    says "was made with other documents"
    proved "a run does not go on with other reference answers"
}

what_rewards_were_made_of_is_seen() {
    local zero="while read -r line; do score=0; $answers; done"
    wants 0 reinforce "$work/zero" --steps 1 --grader "$zero"
    [ "$(grep -c '"grader":0.0' "$work/zero/rollouts/step-1.jsonl")" = 16 ] || failed "a grader's 0 is left out"
    grep -q '"length":' "$work/zero/rollouts/step-1.jsonl" && failed "a part that nobody asked for is written"
    rm -rf "$work/none"
    judge_begins down down 1
    wants 1 reinforce "$work/none" --steps 3 --dynamic-sampling --judge-model j --judge-asks unequal --judge-patience 0.3 \
        --endpoint "$judge" --overlong-buffer 0
    judge_ends
    says "; unscored: judge: http"
    rm -rf "$work/none"
    wants 1 reinforce "$work/none" --steps 3 --overlong-buffer 0 --reward accuracy=0 --dynamic-sampling --dynamic-batches 2
    says "step 1: of 8 groups in 2 batches none has a signal ("
    says "--samples-per-prompt"
    [ "$(wc -l <"$work/none/rollouts/step-1.jsonl")" = 32 ] || failed "what was sampled cannot be looked at"
    grep -q '"aside":"all ' "$work/none/rollouts/step-1.jsonl" || failed "why it is aside is not said"
    [ ! -e "$work/none/model" ] || failed "a model that learned nothing was exported"
    rm -rf "$work/none"
    sed '2s/}$/, "note": "a\\u0000b"}/' "$work/hard.jsonl" >"$work/nul.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/nul" "$work/nul.jsonl" \
        >"$work/stdout" 2>"$work/stderr"
    wants 0 reinforce_with "$work/nul-run" --data "$work/nul/rl" --epochs 1 --grader "while read -r line; do score=\${#line}; $answers; done"
    [ "$(value "$work/nul-run" reward/unscored 1)" = 0 ] || failed "a row with NUL has no reward"
    proved "a part that is 0 is written; groups without a signal are, too, and end the run if there are no others; NUL in a row is a character"
}

a_signal_does_not_wait_for_graders() {
    local slow=(--grader "while read -r line; do [ -e '$work/slow' ] && sleep 60; score=1; $answers; done" --grader-sandbox none
        --grader-seconds 100 --steps 1) status=0
    touch "$work/slow"
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$work/waits" "${slow[@]}" >"$work/stdout" 2>"$work/stderr" &
    local trainer=$!
    for _ in $(seq 100); do # until it waits for them
        grep -q graders "$work/stdout" && break
        sleep 0.1
    done
    sleep 1
    kill -TERM "$trainer"
    wait "$trainer" || status=$?
    [ "$status" = 75 ] || failed "exit status $status instead of 75"
    rm "$work/slow"
    wants 0 reinforce "$work/waits" "${slow[@]}"
    judge_begins hang waits
    ./train_rl --model "$work/sft" "${rules[@]}" --out "$work/waits-too" --judge-model j --endpoint "$judge" >"$work/stdout" 2>"$work/stderr" &
    trainer=$! status=0
    for _ in $(seq 100); do
        grep -q "waiting for the judge at $judge" "$work/stdout" && break
        sleep 0.1
    done
    kill -TERM "$trainer"
    wait "$trainer" || status=$?
    judge_ends
    [ "$status" = 75 ] || failed "exit status $status instead of 75 while the judge is waited for"
    proved "a signal while a judge or graders are waited for: stopped at once, and the same command goes on"
}

# Processes come and go while they are looked at: what grep found counts, not how it ended.
who_sleeps() { grep -laszx "3311\.$$" /proc/[0-9]*/cmdline || true; } # those with just that as an argument
children_of() { grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | tr -dc '0-9\n' || true; }

# With the trainer killed its graders end; in the sandbox also when all of the trainer's own processes are, at once.
a_killed_run_leaves_no_grader() {
    local sandbox trainer pool
    for sandbox in none auto; do
        rm -rf "$work/hung"
        ./train_rl --model "$work/sft" "${rules[@]}" --out "$work/hung" --steps 1 --grader-sandbox $sandbox --grader-seconds 100 \
            --grader "while read -r line; do sh -c 'sleep 3311.$$; true'; done" >"$work/stdout" 2>"$work/stderr" &
        trainer=$!
        for _ in $(seq 100); do
            [ -z "$(who_sleeps)" ] || break
            sleep 0.1
        done
        [ -n "$(who_sleeps)" ] || failed "the grader was not asked"
        pool=$(children_of $trainer)
        [ -n "$pool" ] || failed "the graders have no process of their own"
        grep -q "sandbox: bubblewrap" "$work/stdout" || pool= # auto finds none where it does not work, as in a chroot
        # shellcheck disable=SC2086
        kill -9 "$trainer" $pool
        wait "$trainer" || true
        for _ in $(seq 200); do # it sleeps for an hour otherwise
            [ -n "$(who_sleeps)" ] || break
            sleep 0.1
        done
        [ -z "$(who_sleeps)" ] || failed "a grader outlives its run"
    done
    proved "a run that is killed with -9 leaves no grader, nor what that has started"
}

a_grader_that_is_mistaken_is_named_and_mended() {
    wants 1 reinforce "$work/mistaken" --grader 'while read -r line; do echo 1; done' --steps 1
    says 'it printed something other than an answer: "1"; for each line that it reads it must print one'
    wants 1 reinforce "$work/mistaken" --grader "echo loading; while read -r line; do score=1; $answers; done" --steps 1
    says 'it printed something unasked: "loading"'
    rm -rf "$work/mistaken"
    local huge=(--grader "while read -r line; do score=1e308; [ ! -e '$work/mended' ] || score=\$((\${#line} % 3)); $answers; done"
        --grader-sandbox none --steps 2)
    wants 1 reinforce "$work/mistaken" "${huge[@]}"
    says "its score is beyond 1e6"
    touch "$work/mended"
    wants 0 reinforce "$work/mistaken" "${huge[@]}" # the same command, once the program is another
    [ "$(value "$work/mistaken" reward/unscored 2)" = 0 ] || failed "what had no score was not asked again"
    # one line too many before the third answer of each process
    local odd="i=0; while read -r line; do i=\$((i + 1)); score=\$((\${#line} % 3)); [ \$i != 3 ] || echo Warning; $answers; done"
    wants 0 reinforce "$work/odd" --grader "$odd" --grader-processes 1 --steps 2
    grep -q 'have no reward, and so no advantage; grader: it printed something other than an answer: "Warning"' "$work/stdout" ||
        failed "an extra line was not named"
    proved "a grader that answers without its question, prints a banner or scores of no use: named; mended, the same command goes on"
}

# One total for the policy, its optimizer and what it samples in; and for the reference and a judge beside it.
what_is_planned_is_taken() {
    local options planned before=0
    for options in "" "--moments bf16 --recompute layer --sequences 3"; do
        wants 0 reinforce "$work/planned" --plan $options
        planned=$(sed -n 's/^in all *\([0-9.]* MiB = .*)\) for .*/\1/p' "$work/stdout")
        grep -q '^keys and values: room for ' "$work/stdout" && grep -q '^fits: yes, ' "$work/stdout" || failed "--plan: $(cat "$work/stdout")"
        wants 0 reinforce "$work/taken" --steps 1 $options
        [ "$planned" = "$(sed -n 's/^memory of model and optimizer: //p' "$work/stdout")" ] || failed "$planned were planned, but: $(cat "$work/stdout")"
        rm -r "$work/taken"
    done
    for options in "" "--kl-coef 0.1" "--kl-coef 0.1 --judge-model $work/sft"; do
        wants 0 reinforce "$work/planned" --plan $options
        planned=$(sed -n 's/^in all *\([0-9]*\)\..*/\1/p' "$work/stdout")
        [ "$planned" -gt "$before" ] || failed "--plan $options: $planned MiB: $(cat "$work/stdout")"
        before=$planned
    done
    grep -q "^the reference model:" "$work/stdout" && grep -q "^the judge's model:" "$work/stdout" || failed "--plan: $(cat "$work/stdout")"
    wants 1 reinforce "$work/planned" --plan --kl-coef 0.1 --reference "$work/nowhere"
    says "nowhere"
    [ ! -e "$work/planned" ] || failed "--plan made a folder"
    proved "--plan has all models in one total, which is what a run takes"
}

# Judge, grader and rows of JSONL all have files in OUT.
nothing_is_made_in_a_folder_of_somebody_else() {
    local out=$work/theirs place before with
    mkdir -p "$out/log" "$out/model/model" "$out/file"
    echo "epoch 1" >"$out/log/log.jsonl"
    echo "{}" >"$out/model/model/config.json"
    echo "mine" >"$out/file/out"
    judge_begins yes unasked
    with=(--data "$work/hard.jsonl" --judge-model j --endpoint "$judge" --grader 'while read -r l; do echo "$l"; done')
    before=$(fingerprint "$out")
    for place in log model file/out; do
        wants 1 reinforce "$out/$place" "${with[@]}"
        says "take another --out"
        [ "$before" = "$(fingerprint "$out")" ] || failed "$place: something was made there"
    done
    judge_ends
    [ "$(asked unasked)" = 0 ] || failed "a judge was asked for a run that cannot be"
    proved "nothing is made in a folder of somebody else, and nobody is asked"
}

what_cannot_be_is_refused() {
    rm -rf "$work/none"
    wants 1 reinforce "$work/none" --data "$work/data/sft"
    says "rl"
    wants 2 reinforce "$work/none" --samples-per-prompt 1
    says "--samples-per-prompt"
    wants 1 reinforce "$work/none" --max-new-tokens 4096
    says "--max-prompt-tokens + --max-new-tokens, 4160: the model's max_position_embeddings is 512"
    local advice
    advice=$(sed -n 's/.*lower them, to \(--max-prompt-tokens [0-9]* --max-new-tokens [0-9]*\) for instance$/\1/p' "$work/stderr")
    # shellcheck disable=SC2086
    wants 0 reinforce "$work/none" --plan $advice
    : >"$work/empty.jsonl"
    wants 1 reinforce "$work/none" --eval-data "$work/empty.jsonl"
    says "--eval-data: $work/empty.jsonl: there is no row in it"
    wants 1 reinforce "$calm" --seed 7
    says "--seed"
    cp -r "$work/sft/model" "$work/bare" && rm "$work"/bare/tokenizer*
    wants 1 reinforce "$work/none" --model "$work/bare"
    says "answers are judged as text"
    wants 1 reinforce "$work/none" --top-k 5
    says "--no-exact"
    wants 1 reinforce "$work/none" --reward beauty=1
    says "NAME=WEIGHT"
    wants 2 reinforce "$work/none" --reward grader=1
    says "--grader"
    wants 2 reinforce "$work/none" --endpoint http://127.0.0.1:9
    says "--judge-model"
    wants 2 reinforce "$work/none" --grader ""
    says "--grader is empty: name one, or drop the option"
    wants 2 reinforce "$work/none" --judge-model ""
    says "--judge-model is empty"
    wants 2 reinforce "$work/none" --judge-asks unequal
    says "--judge-asks: give --judge-model"
    wants 2 reinforce "$work/none" --grader-start-seconds 3
    says "--grader-start-seconds: give --grader, a command"
    wants 1 reinforce "$work/none" --reward nosuch:accuracy=2
    says "--reward nosuch:...: no prompt has this source; theirs are: "
    wants 1 reinforce "$work/none" --grader /no/such/program
    says "exit code 127"
    wants 2 reinforce "$work/none" --adapt --adapt-low 0.9 --adapt-high 0.1
    says "--adapt-low"
    [ ! -e "$work/none/checkpoints" ] || failed "something was written"
    proved "shards of the other kind, a group of one, a context that is too long, another seed, no tokenizer: one line each"
}

a_run_has_one_result
rows_are_prepared_where_shards_are_wanted
kill_9_loses_nothing
every_objective_runs
everything_else_has_its_say
no_step_samples_a_prompt_twice
what_cannot_be_had_is_survived
gibberish_is_rewarded_by_nobody
what_failed_is_no_verdict
a_judge_that_is_not_there_is_known_at_once
who_ends_a_run_costs_no_step
a_judge_of_the_users_own
a_run_knows_its_references
what_rewards_were_made_of_is_seen
a_signal_does_not_wait_for_graders
a_killed_run_leaves_no_grader
a_grader_that_is_mistaken_is_named_and_mended
what_is_planned_is_taken
nothing_is_made_in_a_folder_of_somebody_else
what_cannot_be_is_refused
