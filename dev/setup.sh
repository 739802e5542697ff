#!/bin/sh
# Installs what is missing to build (and, with "test", to test): Debian and Ubuntu packages, by apt, when root or sudo
# can. Otherwise prints one line with what to install; with "check" only that. Does nothing, quickly, when everything is
# installed. (ca-certificates: for checking servers at https:// addresses.)
#
# With --cuda instead: what a toolkit of CUDA may lack (cuBLASLt, NCCL, cuDNN, an assembler that is right about wgmma, and cuobjdump
# with nvdisasm, by which the tests read what it made; 1.6 GB), from the Python packages, into build/cuda-packages, where
# dev/cuda_paths.sh finds them. No build and no test needs them.
#
# With --launchers: mpirun, Slurm and ip, with which test/crash/ranks.sh, examples.sh and hosts.sh test what they skip without them.
set -eu

if [ "${1:-}" = --cuda ]; then
    cd "$(dirname "$0")/.."
    if [ "$(dev/cuda_paths.sh | grep -cE '^(HAVE_CUBLASLT|HAVE_NCCL|HAVE_CUDNN|PTXAS|CUOBJDUMP)=.')" = 5 ]; then
        echo "setup: cuBLASLt, NCCL, cuDNN of 9.28 or newer, ptxas of 13.3 or newer, cuobjdump and nvdisasm are there"
        exit 0
    fi
    exec "${PYTHON:-python3}" -m pip install --quiet --no-deps --target build/cuda-packages --upgrade \
        nvidia-cublas==13.1.0.3 nvidia-nccl-cu13==2.28.9 nvidia-cudnn-cu13==9.28.1.4 \
        nvidia-cuda-nvcc==13.5.37 nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37
fi

if [ "${1:-}" = --launchers ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openmpi-bin slurmctld slurmd slurm-client iproute2 >/dev/null
    exit
fi

packages="gcc libc6-dev make libjansson-dev libpcre2-dev libutf8proc-dev libxxhash-dev libcurl4-openssl-dev libmicrohttpd-dev libedit-dev ca-certificates libmpc-dev libprotobuf-c-dev protobuf-c-compiler zlib1g-dev"
headers="jansson.h pcre2.h utf8proc.h xxhash.h curl/curl.h microhttpd.h histedit.h mpc.h omp.h protobuf-c/protobuf-c.h zlib.h"
if [ "${1:-build}" = test ]; then
    packages="$packages g++ libcmocka-dev curl"
    headers="$headers cmocka.h"
fi

complete() {
    command -v "${CC:-gcc}" >/dev/null 2>&1 && command -v protoc-c >/dev/null 2>&1 || return 1
    case $packages in *g++*) command -v "${CXX:-g++}" >/dev/null 2>&1 && command -v curl >/dev/null 2>&1 || return 1 ;; esac
    for header in $headers; do
        prelude="#define PCRE2_CODE_UNIT_WIDTH 8
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>"
        printf '%s\n#include <%s>\n' "$prelude" "$header" | "${CC:-gcc}" -fopenmp -E -x c - >/dev/null 2>&1 || return 1
    done
}

complete && exit 0
if [ "${1:-}" = check ]; then
    echo "what this is built with is not all there: run dev/setup.sh, or as root apt-get install $packages" >&2
    exit 1
fi
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "setup: missing packages; as root, run: apt-get install $packages" >&2
        exit 1
    fi
    echo "setup: installing $packages"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
    complete && exit 0
fi
echo "setup: something is still missing; install by hand C and C++ compilers with OpenMP and the headers $headers" >&2
exit 1
