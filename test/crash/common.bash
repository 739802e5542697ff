# What the scripts of this folder share: a work folder that goes away at the end, a tiny model with tiny data, and ways to say
# what was proved. Sourced by them; test/run.sh starts each with one argument, `short` or `long`, which is $mode here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mode=${1:-short}
work=$(mktemp -d)
undo() { :; }                                                  # a script's own cleaning up
finish() {
    local child
    for child in $(jobs -p); do
        kill -9 "$child" 2>/dev/null || true
    done
    undo
    rm -rf "$work"
}
trap finish EXIT

proved() { echo "ok: $*"; }
skipped() { echo "skipped: $*"; }
exec 3>&1                                                      # a failure is seen even where the output is redirected
failed() {
    {
        echo "FAILED: $*"
        [ ! -s "$work/stderr" ] || sed 's/^/    stderr: /' "$work/stderr"
    } >&3
    exit 1
}

# A model of two layers, and fifteen worked problems: with four documents a step, the last batch of each epoch is short. It is too
# small for a GPU's kernels, so the device is named.
tiny_recipe() {
    cat >"$work/config.json" <<-END
	{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "num_hidden_layers": 2,
	 "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 64, "vocab_size": 1152,
	 "max_position_embeddings": 512, "rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
	 "tie_word_embeddings": true, "initializer_range": 0.05, "eos_token_id": 1130}
	END
    build/demo_problems train 1 3 5 >"$work/train.jsonl"
    build/demo_problems heldout 1 3 2 >"$work/heldout.jsonl"
    recipe=(--init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/train.jsonl"
        --eval-data "$work/heldout.jsonl" --epochs 6 --global-batch 4 --slots 2 --micro-batch-tokens 256 --seq-len 256
        --lr 1e-2 --save-every 2 --eval-every 3 --threads 1 --device cpu)
}

# After tiny_recipe, or a model of its own: hard problems in $work/data/rl, and in $rules what scripts on reinforcement learning share.
hard_problems() {
    build/demo_problems train 4 5 6 >"$work/hard.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/data" "$work/hard.jsonl" \
        >"$work/stdout" 2>"$work/stderr"
    rules=(--template chatml --samples-per-prompt 4 --max-prompt-tokens 64 --max-new-tokens 24 --micro-batch-tokens 256 --slots 2 --lr 1e-3
        --sequences 6 --pass-tokens 64 --threads 1 --device cpu --export-dtype fp32)
}

# VOCABULARY TIED ROWS: a model as small as the CUDA kernels take in $work/config.json, and rows of ids for it in $work/rows.jsonl.
cuda_model() {
    cat >"$work/config.json" <<END
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2,
 "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64, "intermediate_size": 96, "vocab_size": $1,
 "max_position_embeddings": 512, "rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
 "tie_word_embeddings": $2, "initializer_range": 0.1}
END
    awk -v rows="$3" 'BEGIN { for (line = 1; line <= rows; line++) {
        printf "{\"ids\": [%d", line
        for (i = 1; i < 9 + line * 7 % 30; i++) printf ", %d", (i * 3 + line * 5) % 300
        print "]}" } }' >"$work/rows.jsonl"
}

# OUT, then more options: what it says is in $work/stdout and $work/stderr, its exit status is the function's.
train() {
    local out=$1
    shift
    ./train_sft "${recipe[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr"
}

# STATUS, command...: runs it and wants this exit status.
wants() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" = "$wanted" ] || failed "exit status $status instead of $wanted: $*"
}

says() { grep -qF -- "$1" "$work/stderr" || failed "the error does not say '$1'"; }

sane() { ! grep -qE 'Sanitizer|runtime error' "$work/stderr" || failed "the sanitizers complain"; }

# Everything below a folder, names and contents; empty when it is not there.
fingerprint() { if [ -d "$1" ]; then (cd "$1" && find . -type f -exec md5sum {} + | sort -k2); fi; }

# A log without what comes from the clock and the machine (log/log.h).
bits_of_log() { sed 's/, "seconds".*//' "$1/log.jsonl"; }

same_run() {                                                   # EXPECTED OUT, OUT, what
    diff <(bits_of_log "$1") <(bits_of_log "$2") >"$work/stderr" || failed "$3: log.jsonl is another one"
    cmp "$1/model/model.safetensors" "$2/model/model.safetensors" >"$work/stderr" || failed "$3: the model has other bits"
    proved "$3"
}

# OUT: the hash of the named state of its newest checkpoint, and what it holds besides; the same for any number of ranks.
state_of() {
    local manifest
    manifest=$1/checkpoints/$(cat "$1/checkpoints/latest")/MANIFEST.json
    grep -o '"tensors_xxh3": "[0-9a-f]*"' "$manifest" && tr -d '\n' <"$manifest" | grep -o '"state": {.*' | sed 's/"xxh3": "[0-9a-f]*"//'
}

# WAY NAME [WELL]: a server that treats what it is asked this way (test/support/judge_server.c). Its address is in $judge, its process is
# $judge_process, its questions are lines of $work/NAME.asked.
judge_begins() {
    rm -f "$work/$2.address" # of an earlier one of this name
    build/test/support/judge_server "$1" "$work/$2.asked" "${3:-0}" >"$work/$2.address" 3>&- &
    judge_process=$!
    for _ in $(seq 1000); do
        [ ! -s "$work/$2.address" ] || break
        sleep 0.01
    done
    judge=$(cat "$work/$2.address")
    [ -n "$judge" ] || failed "the server of this test does not begin"
}
judge_ends() { kill "$judge_process" && wait "$judge_process" 2>/dev/null || true; }

# PROGRAM, options: a server of $model by the name tiny, its process in $server, its address in $url; at port $serve_port, or at a free one.
serve_begins() {
    local program=$1
    shift
    rm -f "$work/address"
    "$program" --model "$model" --name tiny --port "${serve_port:-0}" --device cpu "$@" >"$work/address" 2>"$work/stderr" 3>&- &
    server=$!
    for _ in $(seq 1000); do
        [ ! -s "$work/address" ] && kill -0 $server 2>/dev/null || break
        sleep 0.02
    done
    url=$(sed -n 's/^serving tiny at \(.*\)\/v1$/\1/p' "$work/address")
    [ -n "$url" ] || failed "$program does not begin"
}
serve_ends() {
    local status=0
    kill -TERM $server
    wait $server || status=$?
    sane
    [ $status = 0 ] || failed "exit status $status after SIGTERM"
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Waits until OUT's log holds this step; gives up after half a minute.
wait_for_step() {
    local end=$((SECONDS + 30))
    until grep -q "\"step\": $2," "$1/log.jsonl" 2>/dev/null; do
        [ "$SECONDS" -lt "$end" ] || failed "no step $2 in $1/log.jsonl after half a minute"
        sleep 0.005
    done
}

# OUT, more options: the process is $trainer.
train_in_background() {
    local out=$1
    shift
    ./train_sft "${recipe[@]}" --out "$out" "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}

# PID: its children, in the order of their ranks.
children_of() {
    local file line state parent rest
    for file in /proc/[0-9]*/stat; do # one may end while it is looked at
        { read -r line <"$file"; } 2>/dev/null || continue
        read -r state parent rest <<<"${line##*) }"
        [ "$parent" != "$1" ] || echo "${file//[!0-9]/}"
    done | sort -n
}

newest_step() { ls "$1/checkpoints" | sed -n 's/^step-\([0-9]*\)$/\1/p' | sort -n | tail -n 1; }

# OUT, more options: a run with several checkpoints, stopped by SIGTERM. On a busy machine the signal may come late: then once more.
stopped_run() {
    local status
    for _ in $(seq 20); do
        rm -rf "$1"
        train_in_background "$@"
        wait_for_step "$1" 9
        kill -TERM "$trainer" 2>/dev/null || true
        status=0
        wait "$trainer" || status=$?
        [ "$status" != 75 ] || [ "$(newest_step "$1")" -gt 16 ] || return 0
        [ "$status" = 75 ] || [ "$status" = 0 ] || break
    done
    failed "no run was stopped in its middle; exit status $status after SIGTERM"
}

# STARTER KILLS LENGTH OUT CALM: kills a run at random moments, most of them between two checkpoints, some of them within one, until
# it was killed so often; one that ends in between has the bits of CALM, and another begins. STARTER OUT N sets $trainer, N counting
# kills. A run takes some LENGTH milliseconds. What is left in OUT has been killed last.
kill_often() {
    local starter=$1 wanted=$2 length=$3 out=$4 calm=$5 kills=0 status runs=1
    RANDOM=$seed
    while [ "$kills" -lt "$wanted" ]; do
        "$starter" "$out" "$kills"
        sleep "$(printf '0.%03d' $((20 + RANDOM % (length < 900 ? length : 900))))"
        kill -9 "$trainer" 2>/dev/null || true
        status=0
        wait "$trainer" 2>/dev/null || status=$?
        case $status in
        137) kills=$((kills + 1)) ;;
        0)
            same_run "$calm" "$out" "kill -9, run $runs of SEED=$seed, done after $kills kills"
            rm -rf "$out"
            runs=$((runs + 1))
            ;;
        *) failed "exit status $status after $kills kills with SEED=$seed" ;;
        esac
    done
}

# STARTER SAME WANTED OUT CALM: kills a random rank, or what launched them, at a random moment, until that was done so often. STARTER OUT
# sets $trainer, and lets that moment pass. The others end by themselves, and the run goes on from the last checkpoint; one that ends in
# between is compared (SAME CALM OUT WHAT), and another begins. With --save-every 1 a kill costs the steps since the last save, and those
# that were made while it was written: at most two intervals. What is left in OUT has been killed last.
kill_ranks_often() {
    local starter=$1 same=$2 wanted=$3 out=$4 calm=$5 kills=0 runs=0 victim pids status last newest
    RANDOM=$seed
    while [ "$kills" -lt "$wanted" ]; do
        "$starter" "$out"
        mapfile -t pids < <(children_of "$trainer")
        pids+=("$trainer")
        victim=${pids[$((RANDOM % ${#pids[@]}))]}
        kill -9 "$victim" 2>/dev/null || true
        status=0
        wait "$trainer" 2>/dev/null || status=$?
        if [ "$status" = 0 ]; then
            runs=$((runs + 1))
            "$same" "$calm" "$out" "kill -9 of a rank, run $runs of SEED=$seed, done after $kills kills"
            rm -rf "$out"
            continue
        fi
        kills=$((kills + 1))
        last=$(sed -n 's/^{"step": \([0-9]*\),.*/\1/p' "$out/log.jsonl" 2>/dev/null | tail -n 1 || true)
        newest=$(newest_step "$out" 2>/dev/null || true)
        [ "${last:-0}" -le $((${newest:-0} + 2)) ] || failed "step $last was made, and ${newest:-none} is saved, SEED=$seed"
        for victim in "${pids[@]}"; do
            timeout 15 tail --pid="$victim" -f /dev/null || failed "process $victim outlives the run, SEED=$seed"
        done
    done
}
seed=${SEED:-$RANDOM}
