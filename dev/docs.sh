#!/usr/bin/env bash
# Writes the generated pages, docs/options/PROGRAM.md, from the option tables of the programs (./PROGRAM --help=markdown). With --check
# writes nothing and says which pages differ; `make docs` writes, test/tidy.sh checks.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=docs/options
if [ "${1:-}" = --check ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"
for program in score prepare generate evaluate serve train_sft train_rl; do
    {
        printf '# Options of %s\n\n' $program
        # shellcheck disable=SC2016
        printf '`./%s --help=markdown` writes this table, and `make docs` this page.\n\n' $program
        ./$program --help=markdown
    } >"$folder/$program.md"
    if [ "${1:-}" = --check ] && ! cmp -s "docs/options/$program.md" "$folder/$program.md"; then
        echo "docs/options/$program.md is not what ./$program --help=markdown writes: run make docs"
        differs=yes
    fi
done
[ -z "${differs:-}" ]
