#!/usr/bin/env bash
# docs/tour.md is true: each `path:first-last` (`anchor`) begins with a line that has its anchor, and each command of a block that is
# marked `console` prints what stands below it, where a line `...` stands for any lines. `test/tour.sh mend` moves the references to
# where their anchors have gone; `test/tour.sh print` shows what the commands print.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/tour.md mode=${1:-check}
# shellcheck disable=SC2016
references=$(grep -oE '`[a-zA-Z0-9_./]+:[0-9]+-[0-9]+` \(`[^`]+`\)' "$page" | sed 's/^`\(.*\):\(.*\)-\(.*\)` (`\(.*\)`)$/\1\t\2\t\3\t\4/')

# The line of FILE with the text ANCHOR that is nearest to line FIRST.
nearest() {
    grep -nF -- "$2" "$1" | cut -d: -f1 | awk -v first="$3" 'function far(x) { return x < first ? first - x : x - first }
        NR == 1 || far($1) < far(best) { best = $1 } END { print best }'
}

# The last line of what begins in FILE at line FIRST: of a function or struct its closing brace, of a declaration its semicolon, else as
# many lines as there were.
end_of() {
    awk -v first="$2" -v length_was="$3" 'NR == first && /^[ \t\/]/ { print first + length_was; exit }
        NR >= first && /^\{|\{$/ { body = 1 }
        NR >= first && (body ? /^}/ : /;$/) { print NR; exit }' "$1"
}

if [ "$mode" = mend ]; then
    while IFS=$'\t' read -r path first last anchor; do
        line=$(nearest "$path" "$anchor" "$first")
        [ -n "$line" ] || { echo "$path: nothing there says '$anchor'" >&2; exit 1; }
        end=$(end_of "$path" "$line" $((last - first)))
        [ "$line-$end" = "$first-$last" ] || echo "$path:$first-$last is $path:$line-$end now"
        sed -i "s|\`$path:$first-$last\` (|\`$path:$line-$end\` (|" "$page"
    done <<<"$references"
    exit
fi

wrong=0
say() { echo "$page: $*"; wrong=1; }
[ "$(wc -l <<<"$references")" -ge 24 ] || say "there are fewer than two references a stop"
# shellcheck disable=SC2016
[ "$(grep -oE '`[a-zA-Z0-9_./]+:[0-9]' "$page" | wc -l)" = "$(wc -l <<<"$references")" ] || say "a reference is not \`file:first-last\` (\`anchor\`)"
while IFS=$'\t' read -r path first last anchor; do
    if [ ! -f "$path" ] || [ "$last" -gt "$(wc -l <"$path")" ] || [ "$first" -gt "$last" ]; then
        say "$path has no lines $first-$last"
    elif ! sed -n "${first}p" "$path" | grep -qF -- "$anchor"; then
        say "$path:$first does not say '$anchor'; test/tour.sh mend finds it"
    elif [ "$(end_of "$path" "$first" $((last - first)))" != "$last" ]; then
        say "$path: what begins at line $first does not end at line $last; test/tour.sh mend finds where"
    fi
done <<<"$references"
stops=$(grep -c '^## [0-9]*\. ' "$page")
[ "$stops" = 12 ] || say "$stops stops instead of 12"

# The commands, in their order, in a folder that stands for out/tour.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/out/tour"
grep -qw avx2 /proc/cpuinfo || { echo "skipped: the page's figures are those of machines with AVX2"; exit $wrong; }
unset DEREASON_CPU

# stdin: what was printed; $1: what should be, with `...` for any lines
matches() {
    EXPECTED=$1 awk 'BEGIN { wanted = split(ENVIRON["EXPECTED"], line, "\n"); at = 1 }
        { while (at <= wanted && line[at] == "...") { any = 1; at++ }
          if (at <= wanted && $0 == line[at]) { at++; any = 0 } else if (!any) { print "printed, but not expected: " $0; bad = 1; exit } }
        END { while (at <= wanted && line[at] == "...") at++
              if (!bad && at <= wanted) { print "not printed: " line[at]; bad = 1 }
              exit bad }'
}

command='' expected=''
try() {
    [ -n "$command" ] || return 0
    local printed
    printed=$(bash -c "${command//out\/tour/$work/out/tour}" 2>&1 </dev/null | sed "s|$work/||g") || true
    [ "$mode" != print ] || printf '$ %s\n%s\n' "$command" "$printed"
    printf '%s' "${printed:+$printed$'\n'}" | matches "$expected" || { echo "    $command"; wrong=1; }
    command='' expected=''
}
while IFS= read -r line; do
    case $line in
    '```console') in_block=yes ;;
    '```') [ -z "${in_block:-}" ] || { in_block='' && try; } ;;
    '$ '*) [ -z "${in_block:-}" ] || { try && command=${line#??}; } ;;
    '> '*) [ -z "${in_block:-}" ] || command+=$'\n'${line#??} ;;
    *) [ -z "${in_block:-}" ] || expected+=${expected:+$'\n'}$line ;;
    esac
done <"$page"
[ "$wrong" = 0 ] && echo "the tour is true"
exit "$wrong"
