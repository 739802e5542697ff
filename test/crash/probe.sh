#!/usr/bin/env bash
# A judge is asked about the patterns by which verifiers are fooled, before a run trusts it: build/probe_judge.
. "$(dirname "$0")/common.bash"
probe=build/asan/probe_judge

asks() { # STATUS NAME options...
    wants "$1" "$probe" --judge-model j --endpoint "$judge" --out "$work/$2" "${@:3}" >"$work/$2.table" 2>"$work/stderr"
}
line_of() { grep -E "^$2 +[0-9]" "$work/$1.table" | grep -oE '[0-9]+( +[0-9]+){3}$' | tr -s ' '; } # NAME PATTERN

a_judge_that_says_yes_is_found_out() {
    judge_begins yes yes
    asks 3 yes --judge-asks all
    local name responses asked accepted undecided
    while read -r name; do
        read -r responses asked accepted undecided <<<"$(line_of yes "$name")"
        [ "$responses" -ge 110 ] && [ "$asked" -gt 0 ] && [ "$accepted" = "$asked" ] && [ "$undecided" = 0 ] ||
            failed "$name: $responses responses, $asked asked, $accepted accepted, $undecided without a verdict"
    done < <(sed '/^const ProbeProblem/,$d' judges/probe.c | grep -oE '^    \{"[^"]*"' | cut -d '"' -f 2)
    [ "$(sed -n '2,14p' "$work/yes.table" | grep -cE ' [0-9]+ +[0-9]+ +[0-9]+ +[0-9]+$')" = 13 ] || failed "not thirteen patterns"
    read -r responses asked accepted undecided <<<"$(line_of yes all)"
    [ "$(grep -c '"by": "judge"' "$work/yes.table")" = "$accepted" ] || failed "not every accepted response is listed"
    [ "$(line_of yes 'the reference itself, which is right')" = "22 22 22 0" ] || failed "the references were not asked about"
    judge_ends
    judge_begins down down                                     # its replies are kept
    cp -r "$work/yes" "$work/down"
    wants 1 "$probe" --judge-model j --endpoint "$judge" --out "$work/down" --judge-patience 1 >"$work/stdout" 2>"$work/stderr"
    says "no answer to the first question in 1 seconds"
    judge_ends
    judge_begins no again
    asks 3 yes --judge-asks all
    [ "$(wc -l <"$work/again.asked")" = 1 ] || failed "the same questions were asked twice" # but for the greeting
    judge_ends
    proved "probe_judge: a judge that says yes to all accepts thirteen patterns, which are listed; its replies are kept"
}

a_judge_that_says_no_passes() {
    judge_begins no no
    asks 0 no --judge-asks unequal
    [ "$(line_of no all | cut -d ' ' -f 3,4)" = "0 0" ] || failed "something was accepted"
    [ "$(line_of no 'the reference itself, which is right')" = "22 0 22 0" ] || failed "what rules call equal is right without a judge"
    grep -q '"by"' "$work/no.table" && failed "something is listed"
    local all unknown
    all=$(line_of no all | cut -d ' ' -f 2)
    asks 0 fewer
    unknown=$(line_of fewer all | cut -d ' ' -f 2)
    [ "$unknown" -gt 0 ] && [ "$unknown" -lt "$all" ] || failed "--judge-asks makes no difference: $unknown and $all are asked"
    judge_ends
    proved "probe_judge: a judge that says no passes, and is asked what train_rl would ask it"
}

what_gives_no_verdict_is_no_pass() {
    judge_begins own own
    asks 1 own
    says "the judge has decided nothing"
    says "VERDICT: correct"
    asks 3 own --judge-yes '\bcorrect\b' --judge-no '^'
    judge_ends
    wants 2 "$probe" --out "$work/none" >"$work/stdout" 2>"$work/stderr"
    says "--judge-model"
    wants 2 "$probe" --judge-model j --out "$work/none" --grader cat >"$work/stdout" 2>"$work/stderr"
    says "--grader"
    proved "probe_judge: a judge whose replies cannot be read fails, and its question's patterns are train_rl's"
}

a_judge_that_says_yes_is_found_out
a_judge_that_says_no_passes
what_gives_no_verdict_is_no_pass
