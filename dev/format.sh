#!/usr/bin/env bash
# Formats the C, CUDA and C++ sources with clang-format 14, by .clang-format; with --check changes nothing and names the
# files that it would change. Other versions format differently, so they are not used. $CLANG_FORMAT, else
# clang-format-14, else clang-format.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in ${CLANG_FORMAT:-clang-format-14 clang-format}; do
    version=$("$tool" --version 2>&1) || continue
    case $version in *"clang-format version 14."*) formatter=$tool && break ;; esac
done
if [ -z "${formatter:-}" ]; then
    message="clang-format 14 is not here (Debian and Ubuntu: clang-format-14; or name it in CLANG_FORMAT)"
    [ "${1:-}" != --check ] || { echo "skipped: the format of sources: $message" && exit 0; }
    echo "format: $message" >&2
    exit 1
fi
mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cc')
if [ "${1:-}" != --check ]; then
    "$formatter" -i "${sources[@]}"
    exit
fi
differing=$("$formatter" --dry-run --Werror "${sources[@]}" 2>&1 | sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error.*/\1/p' | sort -u) || true
[ -z "$differing" ] || { printf '%s\n' "not formatted; run make format:" "$differing" >&2 && exit 1; }
echo "ok: ${#sources[@]} sources have the format of .clang-format"
