#!/usr/bin/env bash
# ./evaluate on benchmarks as they are, whole: MMLU-Pro (12,032 questions), BBEH's mini set, MATH-500, GSM8K, by a tiny model with Qwen3's own
# tokenizer. Every question is asked, scored and counted, a run that is killed again and again ends with the same files, and MMLU-Pro
# is prepared within 30 s and 300 MB. Needs the data beside the repository; without them, it says so.
. "$(dirname "$0")/common.bash"
data=${DEREASON_DATA:-../shared/data}
for file in bench/mmlu_pro/test.jsonl bench/bbeh/mini.jsonl math/math500.jsonl gsm8k/test.jsonl qwen3-tokenizer/tokenizer.json; do
    [ -e "$data/$file" ] || { skipped "there is no $data/$file" && exit 0; }
done
[ "$mode" = long ] || { skipped "whole benchmarks by a tiny model: long tests" && exit 0; }

cat >"$work/config.json" <<END
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 16, "num_hidden_layers": 1,
 "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 16, "vocab_size": 151936,
 "max_position_embeddings": 32768, "rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
 "tie_word_embeddings": true, "initializer_range": 0.05, "eos_token_id": 151645}
END
head -n 4 "$data/gsm8k/test.jsonl" >"$work/some.jsonl"
wants 0 ./train_sft --init "$work/config.json" --tokenizer "$data/qwen3-tokenizer" --data "$work/some.jsonl" --out "$work/run" --steps 1 \
    --global-batch 4 --device cpu >"$work/stdout" 2>"$work/stderr"

declare -A rows=([mmlu_pro]=12032 [bbeh]=460 [math500]=500 [gsm8k]=1319)
tasks=(--tasks mmlu_pro,bbeh,math500,gsm8k --data mmlu_pro="$data/bench/mmlu_pro/test.jsonl" --data bbeh="$data/bench/bbeh/mini.jsonl"
    --data math500="$data/math/math500.jsonl" --data gsm8k="$data/gsm8k/test.jsonl" --max-new-tokens 8)
evaluate() { ./evaluate --model "$work/run" --device cpu "${tasks[@]}" "$@" >"$work/stdout" 2>"$work/stderr"; }
figures_of() { (cd "$1" && md5sum ./*.jsonl summary.json page.html); }

begun=$(milliseconds)
wants 0 evaluate --out "$work/calm"
took=$(($(milliseconds) - begun))
for task in "${!rows[@]}"; do
    n=${rows[$task]}
    [ "$(wc -l <"$work/calm/$task.jsonl")" = "$n" ] || failed "$task: not every question has its verdict"
    # summary.json: the count of the task, and of its categories, which add up to it
    awk -v task="\"$task\"" -v n="$n" '
        /^  "/ { here = $1 == task ":" }
        /^    "/ { of_categories = $1 == "\"by_category\":" }
        here && /^    "count":/ { count = $2 + 0 }
        here && of_categories && /^        "count":/ { sum += $2 + 0 }
        here && /^    "by_category": \{$/ { divided = 1 }
        END { exit !(count == n && (sum == n || !divided)) }' "$work/calm/summary.json" || failed "$task: summary.json does not count $n questions, in all and by category"
done
proved "14,311 questions of four benchmarks: asked, answered, scored and counted ($((took / 1000)) s)"

kills=0
for ((i = 0; i < 8; i++)); do
    ./evaluate --model "$work/run" --device cpu "${tasks[@]}" --out "$work/killed" >"$work/stdout" 2>"$work/stderr" &
    sleep "$(awk -v t="$took" -v r="$RANDOM" 'BEGIN { print t / 1000 / 8 * (0.5 + r / 32768) }')"
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || [ $? != 137 ] || kills=$((kills + 1)) # 137: it had not ended by itself
done
[ $kills -gt 3 ] || failed "only $kills kills"
wants 0 evaluate --out "$work/killed"
diff <(figures_of "$work/calm") <(figures_of "$work/killed") >"$work/stderr" || failed "other files after $kills kills"
proved "killed $kills times in one run: the same responses, verdicts, figures and page"

begun=$(milliseconds)
wants 0 ./evaluate --tasks mmlu_pro --data mmlu_pro="$data/bench/mmlu_pro/test.jsonl" --tokenizer "$data/qwen3-tokenizer" --prompts --out "$work/asked" \
    >"$work/stdout" 2>"$work/stderr"
took=$(($(milliseconds) - begun))
[ "$took" -lt 30000 ] || failed "12,032 questions took $took ms to prepare"
(ulimit -v 307200 && exec ./evaluate --tasks mmlu_pro --data mmlu_pro="$data/bench/mmlu_pro/test.jsonl" --tokenizer "$data/qwen3-tokenizer" --prompts \
    --out "$work/small") >"$work/stdout" 2>"$work/stderr" || failed "they do not fit into 300 MB"
proved "MMLU-Pro's prompts: $took ms, within 300 MB"
