#!/usr/bin/env bash
# Compiles every CUDA source for three generations of cards (sm_80, sm_90a, sm_100) in both precisions and reads the
# assembler's output: a warning fails, so does a note that it serialises wgmma (C75nn), and so does a kernel of the bf16
# build that spills registers or keeps a stack frame in memory. (The fp32 build is for parity, its fragments take twice the registers, and it may spill. So may the
# benchmark's plain kernels.) Ends with a table of registers and shared memory. Where the build's assembler is not nvcc's own
# (dev/cuda.mk), both have to be content, the older one without the kernels with wgmma. Needs nvcc, no GPU; about a minute
# on two cores for each assembler. Arguments: files; default: all. --built reads what the build's assembler has said.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
eval "$(dev/cuda_paths.sh)"
if [ -z "$NVCC" ]; then
    echo "skipped: nvcc is not here"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
includes="-I. $(printf '%s' "$CUDA_INCLUDES" | tr ':' '\n' | sed 's/^/-I/' | tr '\n' ' ')"
[ -n "$HAVE_CUBLASLT" ] && includes="$includes -DHAVE_CUBLASLT"
targets="-gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90a,code=sm_90a -gencode=arch=compute_100,code=sm_100"
export folder includes targets

# compile SOURCE PRECISION: the compilers' output goes to a file; no object is kept
compile() {
    bits=16
    [ "$2" = fp32 ] && bits=32
    report=$folder/$(echo "$1" | tr '/' '-').$2
    # shellcheck disable=SC2086
    "$compiler" -std=c++17 $includes $wgmma -O3 -fmad=false -DPRECISION="$2" -DPRECISION_BITS=$bits $targets -Xptxas -v -fatbin \
        -o /dev/null "$1" >"$report" 2>&1 || echo "error: $1 ($2) does not compile" >>"$report"
}
export -f compile

cat >"$folder/table.awk" <<'AWK'
# The assembler's lines become one line per kernel: file, kernel, and per target registers/shared memory; faults go to
# stderr.
function fault(text) { print "ptxas: " FILENAME_SHORT ": " text > "/dev/stderr"; faults++ }
FNR == 1 { FILENAME_SHORT = FILENAME; sub(/.*\//, "", FILENAME_SHORT); lenient = FILENAME_SHORT ~ /fp32$|^lab-bench/ }
/[Ww]arning|error/ && !/Remark/ && !seen[$0]++ { fault($0) }
/\(C75[0-9][0-9]\)/ && !seen[$0]++ { fault($0) } # "info": asynchronous products that it serialises, waits that it puts in
/Compiling entry function/ { split($0, part, "'"); kernel = part[2]; target = part[4]; entry = 1 }
/Function properties for/ { inside = ($NF == kernel) }
/bytes stack frame/ {
    if ($1 + $5 + $9 > 0) {
        text = kernel " (" target "): " $1 " bytes of stack, " $5 " bytes spilled, " $9 " bytes read back"
        if (lenient) spilled[FILENAME_SHORT " " kernel] = ", " $1 + $5 " B in local memory"
        else fault(text)
    }
}
/Used [0-9]+ registers/ {
    shared = 0
    if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
    match($0, /Used [0-9]+/)
    key = FILENAME_SHORT " " kernel
    if (!(key in facts)) order[++count] = key
    facts[key] = facts[key] sprintf("  %s %3d", target, substr($0, RSTART + 5, RLENGTH - 5))
    memory[key] = shared
}
END {
    for (i = 1; i <= count; i++) {
        split(order[i], part, " ")
        printf "%-44s%s  %6d B%s  %s\n", part[1], facts[order[i]], memory[order[i]], spilled[order[i]], part[2]
    }
    printf "%d kernels, %d faults\n", count, faults
    exit faults > 0
}
AWK

# What is in the folder as a table; false if there is a fault
judge() {
    local status demangle=cat
    command -v c++filt >/dev/null && demangle=c++filt
    echo "file                                          registers by target                  static shared memory, kernel"
    awk -f "$folder/table.awk" "$folder"/*.cu.* >"$folder/table" 2>"$folder/faults"
    status=$?
    $demangle <"$folder/table" | sed -E 's/\(.*\)$//'
    $demangle <"$folder/faults" >&2
    return $status
}

if [ "${1:-}" = --built ]; then
    compgen -G 'build/cuda/*_bf16.log' >/dev/null || { echo "skipped: this build has no CUDA backend" && exit 0; }
    for report in build/cuda/*_bf16.log build/cuda/*_fp32.log; do
        name=$(basename "$report" .log)
        cp "$report" "$folder/kernels-cuda-${name%_*}.cu.${name##*_}"
    done
    for target in sm_80 sm_90a sm_100; do
        grep -q "for '$target'" build/cuda/*_bf16.log || echo "skipped: $target, for which build/cuda was not made: CUDA_ARCHS was set"
    done
    judge
    exit
fi

sources=("$@")
[ $# = 0 ] && sources=(kernels/cuda/*.cu lab/bench/*.cu)
# round COMPILER [FLAG]: all sources
round() {
    export compiler=$1 wgmma=${2:-}
    "$(dirname "$1")/ptxas" --version | sed -n 's/^Cuda.*, V/ptxas /p'
    for source in "${sources[@]}"; do
        for precision in bf16 fp32; do
            [ $precision = fp32 ] && ! grep -q PRECISION "$source" && continue # only once
            printf '%s %s\n' "$source" "$precision"
        done
    done | xargs -r -P 2 -L 1 bash -c 'compile "$0" "$1"'
    judge
}
case $PTXAS in
'') round "$NVCC" ;;
"$CUDA_HOME"/*) round "$NVCC" -DHAVE_WGMMA ;;
*)
    round "$NVCC"
    status=$?
    make -s build/cuda-toolkit/bin/nvcc && round build/cuda-toolkit/bin/nvcc -DHAVE_WGMMA && exit $status
    ;;
esac
