#!/usr/bin/env bash
# One thing fails, at some point of each of the five programs: an allocation, or all from one on; a call of the file system, of the network
# or for another process; in long, in the pool of graders too, and beside a judge and a teacher at a server. Each time the
# program ends with one clear error, or it did not matter and the result has the same bits; never by a signal, never with another result;
# and where it ended, the same command without the fault comes to the same end. What can fail is listed by who calls (test/faults/faults.c);
# of these places some are tried, other ones each time (SEED=N: those of a failure again); `long` tries many. FAULTS=N tries about N of a kind.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
faults=$PWD/build/test/faults/faults.so
[ -e "$faults" ] || failed "$faults is not built"
places=${FAULTS:-$([ "$mode" = short ] && echo 1 || echo 10)}
RANDOM=$seed
tiny_recipe
wants 0 train "$work/sft" --epochs 1 --export-dtype fp32
build/demo_problems train 4 5 3 >"$work/hard.jsonl"
head -n 3 "$work/heldout.jsonl" >"$work/few.jsonl"
preparing=(--tokenizer dev/demo/tokenizer --template chatml --threads 1)
wants 0 ./prepare "${preparing[@]}" --instruction none --tau 3 --out "$work/data" "$work/hard.jsonl" >"$work/stdout" 2>"$work/stderr"

# ---- the programs: NAME OUT runs one, result_of_NAME OUT is what has to be the same

prepare() { ./prepare "${preparing[@]}" --tau 3 --holdout 2 --decontaminate "$work/few.jsonl" --out "$1" "$work/train.jsonl" "$work/hard.jsonl"; }
result_of_prepare() { fingerprint "$1"; }

# The newest one, and no leftovers. An older one may be missing: where a save fails just before the last step, that one is saved instead.
checkpoints_of() { (cd "$1/checkpoints" && cat latest && ls | grep -v '^step-[0-9]*$'); }

train_sft() {
    ./train_sft "${recipe[@]}" --epochs 1 --save-every 1 --keep-checkpoints 2 --out "$1"
}
result_of_train_sft() {
    bits_of_log "$1"
    fingerprint "$1/model"
    checkpoints_of "$1"
}

grading='while read -r l; do q=${l#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": $((${#l} % 3))}"; done'
train_rl() {
    ./train_rl --model "$work/sft" --data "$work/data/rl" --template chatml --steps 2 --prompts-per-step 4 --prompts-per-update 2 \
        --samples-per-prompt 3 --max-prompt-tokens 64 --max-new-tokens 8 --micro-batch-tokens 256 --slots 2 --lr 1e-3 --save-every 1 \
        --threads 1 --device cpu --grader "$grading" --grader-processes 1 --out "$@"
}
result_of_train_rl() {
    sed 's/, "timing_s.*//; s/, "seconds".*//' "$1/log.jsonl"
    fingerprint "$1/model"
    fingerprint "$1/rollouts"
    checkpoints_of "$1"
}

score() { ./score --model "$work/sft" --data "$work/few.jsonl" --threads 1 --device cpu --out "$1"; }
result_of_score() { cat "$1" && ls "$1"* | sed 's/.*\.//'; }
generate() { ./generate --model "$work/sft" --prompts "$work/few.jsonl" --max-new-tokens 4 --samples 2 --threads 1 --device cpu --out "$1"; }
result_of_generate() { result_of_score "$1"; }

# The same in other company, for `long`: what a name has behind its - says which. The pool of graders is a process of its own.
train_rl-pool() { FAULT_FORK=1 train_rl "$1" --grader-sandbox none; }
train_rl-judge() {
    train_rl "$1" --max-new-tokens 16 --judge-model j --endpoint "$judge" --judge-asks unequal --judge-patience 20
}
result_of_train_rl-pool() { result_of_train_rl "$1"; }
result_of_train_rl-judge() { result_of_train_rl "$1"; }

score-server() { ./score --endpoint "$teacher" --model m --data "$work/few.jsonl" --out "$1"; }
result_of_score-server() { result_of_score "$1"; }
generate-server() { ./generate --endpoint "$teacher" --model m --prompts "$work/few.jsonl" --samples 2 --out "$1"; }
result_of_generate-server() { result_of_score "$1"; }

servers_begin() {
    judge_begins teach teacher
    teacher=$judge servers=$judge_process
    judge_begins yes judge
    servers+=" $judge_process"
}

# ---- one fault

# A program, a fault: with it, and where it ended by it, once more without.
meets() {
    local program=$1 fault=$2 status=0 out=$work/out.$1 unscored=0
    rm -rf "$out" "$out".*
    FAULT=$fault FAULT_WHERE=$work/where LD_PRELOAD=$faults "$program" "$out" >"$work/stdout" 2>"$work/stderr" || status=$?
    case $status in
    0) ;;
    1 | 2 | 75) grep -q "^${program%-*}: .\|^libgomp: " "$work/stderr" || wrong "exit status $status, and not a word" ;;
    *) wrong "exit status $status" ;;
    esac
    cp "$work/stderr" "$work/said"
    unscored=$(grep -c 'of .* responses have no reward, and so no advantage\|: no response has a reward' "$work/stdout" || true)
    if [ $status != 0 ]; then
        "$program" "$out" >"$work/stdout" 2>"$work/stderr" || wrong "the same command does not go on: exit status $?"
    fi
    "result_of_$program" "$out" >"$work/result" 2>&1
    # what a grader or judge could not say is told, and the run learns without it
    cmp -s "$work/result" "$work/calm.$program" || [ "$unscored" != 0 ] || wrong "exit status $status, and in the end another result"
    tried=$((tried + 1))
}
wrong() {
    [ -z "${KEEP_GOING:-}" ] || {
        echo "WRONG: $program with FAULT=$fault: $* | $(tail -n 1 "$work/stderr")"
        return 0
    }
    cat "$work/where" >&3
    failed "$program with FAULT=$fault (SEED=$seed): $*"
}

# Of lines "KIND N CALLERS" the first with each CALLERS, and of those N at random.
choose() { awk -v kind="$1" '$1 == kind && !seen[$3]++ { print $2 }' "$work/calls" | shuf --random-source=<(yes "$RANDOM") -n "$2"; }

EIO=5 ENOMEM=12 EACCES=13 ENOSPC=28 EINTR=4 ENOLCK=37 ESTALE=116 EAGAIN=11 EMFILE=24
errors_of() {
    case $1 in
    open) echo $EACCES $ESTALE ;;
    stat) echo $EACCES $ESTALE $EIO ;;
    read | net) echo $EIO $EINTR short ;;
    poll) echo $EINTR $ENOMEM ;;
    fork) echo $EAGAIN ;;
    pipe) echo $EMFILE ;;
    write) echo $ENOSPC $EINTR short ;;
    mkdir | cut) echo $ENOSPC ;;
    mmap) echo $ENOMEM ;;
    lock) echo $ENOLCK ;;
    *) echo $EIO ;;
    esac
}

meets_everything() {
    local program=$1 tried=0 kind error number
    FAULT_LIST=$work/calls LD_PRELOAD=$faults "$program" "$work/out.$program" >"$work/stdout" 2>"$work/stderr" || failed "$program"
    "result_of_$program" "$work/out.$program" >"$work/calm.$program"
    case $program in
    *-judge) [ -s "$work/judge.asked" ] || failed "the judge was not asked" ;;
    *-server) [ -s "$work/teacher.asked" ] || failed "the teacher was not asked" ;;
    esac
    for number in $(choose memory $((places * 5))); do
        meets "$program" "memory:$number"
    done
    for number in $(choose memory "$places"); do
        meets "$program" "memory-on:$number"
    done
    for kind in open read write sync rename stat mkdir unlink mmap list close cut lock fork pipe net poll; do
        for error in $(errors_of $kind); do
            for number in $(choose $kind $(((places + 1) / 2))); do
                meets "$program" "$kind:$number:$error"
            done
        done
    done
    proved "$program: $tried faults, of $(awk '!seen[$1 $3]++' "$work/calls" | wc -l) places where one can be (SEED=$seed)"
}

programs="prepare train_sft train_rl score generate"
[ "$mode" = short ] || programs+=" train_rl-pool train_rl-judge score-server generate-server"
programs=${PROGRAMS:-$programs} servers=
case $programs in *-judge* | *-server*) servers_begin ;; esac
for program in $programs; do
    meets_everything "$program"
done
[ -z "$servers" ] || { kill $servers && wait $servers 2>/dev/null; } || true
