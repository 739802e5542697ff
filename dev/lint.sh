#!/usr/bin/env bash
# clang-tidy over the C sources of the library and the programs, by .clang-tidy: every finding is an error. Arguments:
# sources; default: all. $CLANG_TIDY (with its own options, if needed), else clang-tidy; skipped where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=${CLANG_TIDY:-clang-tidy}
$tidy --version >/dev/null 2>&1 || { echo "skipped: clang-tidy is not here (Debian and Ubuntu: clang-tidy; or name it in CLANG_TIDY)" && exit 0; }
sources=("$@")
# a CPU backend is one source, which includes the others
[ $# -gt 0 ] || mapfile -t sources < <(git ls-files '*.c' '*.cu' | grep -vE '^(lab|test|dev/ladder)/|^kernels/(cpu|cuda|naive)/' && echo kernels/cpu/backend.c)
headers=$(mktemp -d) # of gcc's, omp.h alone: clang has the others itself
trap 'rm -rf "$headers"' EXIT
cp "$("${CC:-gcc}" -print-file-name=include)/omp.h" "$headers"
export tidy headers
# __malloc__(omp_free): gcc's omp.h has an attribute that clang does not know
check() {
    $tidy --quiet --warnings-as-errors='*' "$@" -- -x c -std=c11 -D_GNU_SOURCE -DCPU_VARIANT=plain -DVERSION='""' '-D__malloc__(...)=' \
        -I. -Ibuild/generated -fopenmp -idirafter "$headers" 2>&1
}
export -f check
said=$(printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'check "$@"' check) && found=no || found=yes
! grep -q '^Error' <<<"$said" || found=yes # its own, of a profile that it cannot read, say: it goes on with another, and ends with 0
grep -vE '^[0-9]+ warnings? |^Suppressed|^Use -header-filter|^$' <<<"$said" || true
[ $found = no ] || { echo "lint: clang-tidy finds what is above" >&2 && exit 1; }
echo "ok: ${#sources[@]} sources have nothing that clang-tidy finds"
