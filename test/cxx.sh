#!/usr/bin/env bash
# The programs are in the common subset of C11 and C++, so that the same source builds with nvcc: a C++ compiler reads them.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v g++ >/dev/null || { echo "skipped: no g++"; exit 0; }
for program in *.cu; do
    g++ -std=c++20 -I. -fopenmp -x c++ -fsyntax-only "$program"
    echo "$program is C++ too"
done
