#!/usr/bin/env bash
# lab/experiments/dereason: what it prints is what the programs take; a run of it that is cut to nothing has a figure for every setting, goes on
# where it was, and names what failed.
. "$(dirname "$0")/common.bash"
experiment=lab/experiments/dereason/run.sh
out=$work/out

# Every option of every command, of both sizes, is one of the program that it is given to.
printed_commands_are_the_programs() {
    local program size
    for size in laptop gpu; do
        $experiment --size $size --seeds 1 --print --out "$out" >"$work/stdout" 2>"$work/stderr" || failed "--size $size --print fails"
        [ "$(grep -cE '^\./train_(sft|rl) ' "$work/stdout")" -ge 12 ] || failed "--size $size has not the commands of all settings"
        for program in prepare train_sft train_rl evaluate; do
            ./$program --help=markdown | sed -nE 's/^\| `--([a-z0-9-]+)`.*/--\1\n--no-\1/p' | sort >"$work/known"
            grep "^\./$program " "$work/stdout" | grep -oE ' --[a-z0-9-]+' | tr -d ' ' | sort -u | comm -23 - "$work/known" >"$work/stderr"
            [ ! -s "$work/stderr" ] || failed "--size $size gives ./$program options that it does not have"
        done
    done
    [ ! -e "$out" ] || failed "--print makes a folder"
    proved "the commands of both sizes have only options that the programs have, and nothing runs while they are printed"
}
wrong_words_are_refused() {
    local words
    for words in "--size huge" "--seeds" "--seeds x" "--jobs 0" "--what"; do
        # shellcheck disable=SC2086
        wants 2 $experiment $words >"$work/stdout" 2>"$work/stderr"
    done
    proved "what it does not take is answered with its usage"
}

commands() { cat "$out"/*/*.commands | wc -l; }
it_runs_goes_on_and_names_what_failed() {
    local name done_before
    $experiment --seeds 2 --scale 80 --out "$out" >"$work/stdout" 2>"$work/stderr" || failed "the experiment fails"
    ! grep -q FAILED "$out/table.txt" || failed "a setting failed: $(grep FAILED "$out/table.txt")"
    [ "$(grep -cE ' ± .* ± .* ± ' "$out/table.txt")" = 13 ] || failed "not nine settings and four beginnings have figures"
    grep -q "p 1.0000, Holm 1.0000" "$out/table.txt" || failed "nothing is compared over questions"
    for name in base rl sft_easy sft_all easy_hard random_rl both_rl inverted_rl dereason; do
        grep -q "<details id=\"$name\">" "$out/report.html" || failed "the page has no commands of $name"
    done
    ! grep -qE 'https?://[^w]|src=' "$out/report.html" || failed "the page needs another file"
    proved "two seeds of nine settings: a table, a page of its own, differences over seeds and questions"
    done_before=$(commands)
    $experiment --seeds 2 --scale 80 --out "$out" >"$work/stdout" 2>"$work/stderr" || failed "it does not run again"
    [ "$(commands)" = "$done_before" ] || failed "finished runs are repeated"
    wants 1 $experiment --seeds 2 --scale 79 --out "$out" >"$work/stdout" 2>"$work/stderr"
    proved "started again, it repeats nothing; another scale in the same folder is refused"
    rm -rf "$out/2/easy" "$out/2/dereason" "$out/2/split/sft"  # as if seed 2 had not come so far, and cannot
    $experiment --seeds 2 --scale 80 --out "$out" >"$work/stdout" 2>"$work/stderr" || failed "a failed run stops the others"
    grep -q "^DeReason.*(seeds 2 FAILED)" "$out/table.txt" || failed "the table does not name the failed seed"
    grep -q "not run: easy failed" "$out/2/dereason.failed" || failed "what could not begin does not say why"
    [ "$(cat "$out/1/dereason.commands" "$out/1/easy.commands" | wc -l)" = 4 ] || failed "the other seed is repeated"
    proved "a failed run is named, with what could not begin without it, and the others have their figures"
}

printed_commands_are_the_programs
wrong_words_are_refused
if [ "$mode" = long ]; then it_runs_goes_on_and_names_what_failed; else skipped "the experiment itself, cut to a minute: long tests"; fi
