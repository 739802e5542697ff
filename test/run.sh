#!/usr/bin/env bash
# Runs the built tests and ends in one line: N passed, N failed. `short` is what make test runs; `long` adds what takes longer;
# `simt` is the part of `short` that runs the CUDA kernels on the CPU.
set -uo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 DEREASON_TEST="$1"
passed=0 failed=0 output=$(mktemp)
trap 'rm -f "$output"' EXIT

# one test program or script; its output is shown when it fails, and what it skipped always
run() {
    local start=$SECONDS
    if "$@" >"$output" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %4d s  %s\n' $((SECONDS - start)) "$1"
        grep -h '^skipped:' "$output" | sort -u | sed 's/^/                /'
    else
        failed=$((failed + 1))
        printf 'FAILED  %4d s  %s\n' $((SECONDS - start)) "$*"
        tail -n 60 "$output" | sed 's/^/    /'
    fi
}

# The CUDA kernels: the runtime that they run on finds every planted fault; they agree with the CPU's kernels, and a training run too.
simt() {
    local ASAN_OPTIONS=$ASAN_OPTIONS:detect_stack_use_after_return=0 # a fake stack for each fiber would double the time
    run build/simt/race/test_faults
    run build/simt/asan/test_faults
    run test/cuda/both.sh build/simt/race/test_cuda
    run test/crash/device.sh short
    run build/simt/race/kernel_bench --smoke
    SIMT_MMA=exact run build/simt/race/chain_check --smoke
    run dev/check_ptxas.sh --built
    [ "$1" != long ] || run test/cuda/both.sh build/simt/asan/test_cuda
    [ "$1" != long ] || SIMT_MMA=exact SIMT_SEED=2 run test/cuda/both.sh build/simt/race/test_cuda --long
}

if [ "$1" = simt ]; then
    simt short
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
fi
for source in test/unit/test_*.c test/parity/test_*.c; do
    run "build/asan/${source%.c}"
done
for name in test_bits test_model_bits test_attention test_moments test_state test_sorter test_sample test_engine test_update \
    test_answers_properties test_answers_hostile test_answers_data; do # the bits, the memory and the times that users get: release builds
    run "build/test/unit/$name"
done
run build/test/parity/test_model
run build/test/parity/test_generate
mutations=2000
[ "$1" = long ] && mutations=200000
for source in test/fuzz/fuzz_*.c; do
    name=$(basename "${source%.c}")
    run "build/asan/test/fuzz/$name" $mutations $(test/fuzz/corpus.sh "$name")
done
run test/cxx.sh
for script in test/crash/*.sh; do
    [ "$script" = test/crash/device.sh ] || run "$script" "$1"
done
simt "$1"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
