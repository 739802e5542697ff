#!/bin/sh
# Installs what is missing to build (and, with "test", to test): Debian and Ubuntu packages, by apt, when root or sudo can.
# Otherwise says in one line what to install. Does nothing, quickly, when everything is there.
set -eu

packages="gcc libc6-dev make libjansson-dev libpcre2-dev libutf8proc-dev libxxhash-dev"
headers="jansson.h pcre2.h utf8proc.h xxhash.h omp.h"
if [ "${1:-build}" = test ]; then
    packages="$packages libcmocka-dev"
    headers="$headers cmocka.h"
fi

complete() {
    command -v "${CC:-gcc}" >/dev/null 2>&1 || return 1
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
echo "setup: something is still missing; install by hand a C compiler with OpenMP and the headers $headers" >&2
exit 1
