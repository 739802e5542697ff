#!/usr/bin/env bash
# make install: the programs, their manual pages, and completion in bash, in a folder of the user's choice.
. "$(dirname "$0")/common.bash"
wants 0 make --no-print-directory -s -o all install DESTDIR="$work/root" PREFIX=/opt/dereason >"$work/stdout" 2>"$work/stderr"
installed=$work/root/opt/dereason
programs="prepare train_sft train_rl score generate serve"
for program in $programs; do
    [ "$("$installed/bin/$program" --version)" = "$("./$program" --version)" ] || failed "$program is not the one that was built"
done
proved "the programs are there and start"

if command -v groff >/dev/null; then
    for program in $programs; do
        groff -K utf8 -man -Tutf8 -ww "$installed/share/man/man1/$program.1" >"$work/page" 2>"$work/stderr"
        [ ! -s "$work/stderr" ] || failed "groff warns of the manual page of $program"
        LC_ALL=C.UTF-8 sed -E 's/\x1b\[[0-9;]*m//g; s/.\x08//g' "$work/page" | tr '\n' ' ' | tr -s ' ' >"$work/text"
        ./$program --help=markdown | sed -nE 's/^\| `(--[a-z0-9-]+)`.*/\1/p' | while read -r option; do
            grep -qF -- " $option " "$work/text" || failed "the manual page of $program does not have $option"
        done
    done
    proved "a manual page has every option, and groff nothing to say against it"
else
    skipped "how manual pages look: groff is not installed"
fi

completed() { # words of a command line, the last one to be completed: what bash offers, in one line
    (
        . "$installed/share/bash-completion/completions/$1"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        "_$1"
        echo "${COMPREPLY[*]}"
    )
}
offers() { # EXPECTED, words
    local expected=$1 given
    shift
    given=$(completed "$@")
    [ "$given" = "$expected" ] || failed "after '$*' bash offers '$given', not '$expected'"
}
offers "--lr --lr-schedule --lr-end" train_sft --lr
offers "wsd" train_sft --lr-schedule w
offers "linear" train_rl --lr-schedule = li    # --lr-schedule=li, as bash cuts it
offers "constant linear cosine wsd" train_rl --lr-schedule =
offers "--keep-duplicates" prepare --out data --keep
offers "--no-chat" generate --no-c
offers "" train_sft --data sc                  # files: bash's own
mkdir "$work/models" "$work/models/qwen" && touch "$work/models/notes"
offers "$work/models/qwen" train_sft --model "$work/models/"
proved "options, their choices and folders are completed"
