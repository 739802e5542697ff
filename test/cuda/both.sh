#!/usr/bin/env bash
# Runs a program once for each precision of the CUDA backend, side by side; fails if one of them does.
set -uo pipefail
output=$(mktemp)
trap 'rm -f "$output"' EXIT
DEREASON_CUDA=fp32 "$@" >"$output" 2>&1 &
DEREASON_CUDA=bf16 "$@"
first=$?
wait $!
second=$?
cat "$output"
exit $((first > second ? first : second))
