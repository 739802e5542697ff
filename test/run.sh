#!/usr/bin/env bash
# Runs the built tests, two more at once than there are cores, and ends in the names of what failed and one line: N passed, N failed.
# `short` is what make test runs; `long` adds what takes longer; `simt` is the part of `short` that runs the CUDA kernels on the CPU.
set -uo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 DEREASON_TEST="$1"
# The bits, the memory and the times that users get: these run as release builds, in long tests with all that they have. `released` names
# them, for make. With the sanitizers, which look for wrong memory and not for wrong numbers, all run, and these in part.
released=()
for name in test_answers_properties test_answers_hostile test_answers_numbers test_answers_data test_engine test_bits test_naive \
    test_model_bits test_matmul test_sharded test_save test_reuse test_attention test_moments test_state test_sorter test_sample test_update test_probe; do
    released+=("build/test/unit/$name")
done
released+=(build/test/parity/test_model build/test/parity/test_generate)
if [ "$1" = released ]; then
    echo "${released[@]}"
    exit
fi
slots=$(($(nproc) + 2)) running=0 failed=0 # more than cores: some tests wait most of their time
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/passed"
: >"$work/failed"
export DEREASON_CACHE=$work/cache # nothing that an earlier run found out, and nothing in the user's own

# Its output is shown when it fails, and what it skipped always; one test's lines together. Seconds by the clock, and of processors.
run_one() {
    local output state=ok shown rc
    output=$(mktemp -p "$work")
    # test programs do not set up how threads wait, as the programs do for themselves
    case $* in build/* | *' build/asan/'*) local -x GOMP_SPINCOUNT=5000 ;; esac
    local TIMEFORMAT='%0R %0U %0S' took
    { time "$@" >"$output" 2>&1; } 2>"$output.took"
    rc=$?
    read -r -a took < <(tail -n 1 "$output.took")
    if [ $rc = 0 ]; then
        shown=$(grep -h '^skipped:' "$output" | sort -u | sed 's/^/                /')
        echo "$1" >>"$work/passed"
    else
        state=FAILED shown=$({ tail -n 60 "$output"; head -n -1 "$output.took"; } | sed 's/^/    /') # what bash says of a crash, too
        printf '%.120s\n' "$*" >>"$work/failed"
    fi
    flock "$work/passed" printf '%-6s  %4d s %5d s  %.120s\n%s' "$state" "${took[0]}" $((took[1] + took[2])) "$*" "${shown:+$shown
}"
    [ $state = ok ]
}
settle() { # until at most $1 tests run
    while [ $running -gt "$1" ]; do
        wait -n || failed=$((failed + 1))
        running=$((running - 1))
    done
}
run() {
    settle $((slots - 1))
    run_one "$@" &
    running=$((running + 1))
}
finish() {
    settle 0
    sed 's/^/failed: /' "$work/failed" # again, where a log that was cut still has them
    echo "$(wc -l <"$work/passed") passed, $failed failed"
    [ $failed = 0 ]
}

# The CUDA kernels: the runtime that they run on finds every planted fault; they agree with the CPU's kernels, and a training run too.
simt() {
    local source name
    local -x ASAN_OPTIONS=$ASAN_OPTIONS:detect_stack_use_after_return=0 # a fake stack for each fiber would double the time
    # fp32 is the same source: here its numbers; its bits in long tests, under AddressSanitizer. Long tests have more sizes here, and Hopper's
    # own rounding in the tensor core; the fast one they have under AddressSanitizer.
    local longer="" product=fast seed=1
    [ "$1" != long ] || longer=--long product=exact seed=2
    run env DEREASON_CUDA=bf16 SIMT_MMA=$product SIMT_SEED=$seed build/simt/race/test_cuda $longer
    run env DEREASON_CUDA=fp32 build/simt/race/test_cuda $longer --only 'agree|round|formula|within|merges|sums'
    # whole programs: their kernels' races are looked for above, and in long tests here, too
    local races=off
    [ "$1" != long ] || races=on
    run env SIMT_RACES=$races test/crash/device.sh short
    run env SIMT_RACES=$races test/crash/gpus.sh "$1"
    run env SIMT_RACES=$races test/crash/cudnn.sh "$1"
    run env SIMT_RACES=$races build/simt/race/test_link
    for source in test/simt/test_*.cc; do
        name=$(basename "${source%.cc}")
        run "build/simt/race/$name"
        [ "$1" != long ] || run "build/simt/asan/$name"
    done
    run build/simt/race/kernel_bench --smoke
    run build/simt/race/kernel_bench --smoke --in-graph
    run env SIMT_MMA=exact build/simt/race/chain_check --smoke
    run build/simt/race/ladder/ladder
    run dev/check_ptxas.sh --built
    run test/cuda/hgmma_lint.sh
    [ "$1" != long ] || run test/cuda/both.sh build/simt/asan/test_cuda
    [ "$1" != long ] || run test/simt/hopper_mutants.sh
}

if [ "$1" = simt ]; then
    simt short
    finish
    exit
fi
simt "$1" # what takes longest, first
for script in test/crash/*.sh; do
    case $script in */device.sh | */gpus.sh | */cudnn.sh) ;; *) run "$script" "$1" ;; esac
done
run test/tidy.sh
run dev/format.sh --check
run test/tour.sh
for test in "${released[@]}"; do
    run "$test"
done
for source in test/unit/test_*.c test/parity/test_*.c; do
    case " ${released[*]} " in
    *" build/${source%.c} "*) run env DEREASON_TEST=short "build/asan/${source%.c}" ;;
    *) run "build/asan/${source%.c}" ;;
    esac
done
mutations=1000
[ "$1" = long ] && mutations=50000
for source in test/fuzz/fuzz_*.c; do
    name=$(basename "${source%.c}")
    many=$mutations
    [ "$name" != fuzz_scoring ] || many=$((mutations < 8000 ? 8000 : mutations)) # each response goes to one of eighteen tasks
    run "build/asan/test/fuzz/$name" $many $(test/fuzz/corpus.sh "$name")
done
finish
