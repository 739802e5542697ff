#!/usr/bin/env bash
# What is promised of the tree itself: sizes of files and rooms, lengths of lines, opening comments, includes that go down only, and pages
# that are true (files, tests, options, targets and links that they name are there; generated tables are those of the programs). Needs
# the built programs, and says everything that it finds before it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8                                          # lengths are of characters

columns=120 file_lines=700 room_lines=3500 readme_lines=190 sft_lines=175 rl_lines=283
# What a reader reads, and beside it the kernels for Hopper, which compute the same bits and may be left out. A bound falls with the lines,
# and rises by a change that says for what: 20,000 were for one process; ranks, saves beside the steps, ./evaluate, ends by an evaluation,
# prompts that rest, prompts once, a step's profile, pages that samples share, scalars for TensorBoard, ./serve and what it asks of the
# engine, the faster of a library and our own products, columns of wider tensors, pages that requests find again, adapters (LoRA) and their base, --watch,
# what a run was made by (starts.jsonl), pieces of a sequence that runs alone, kernels of a decoding pass that wait for those in front,
# cuDNN's attention, micro-batches that write their gradients, losses known before the head is run came since;
# Hopper's: decoding, few rows, pairs of blocks, attention that begins early, blocks of dS behind shared prompts.
core_lines=27012 hopper_lines=3688

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/complaints"
complain() { echo "$*" >>"$work/complaints"; }
complain_each() { while IFS= read -r line; do complain "$line"; done; }
said=0                                                         # complaints so far
checked() { # what is right, unless something new was found
    local now
    now=$(wc -l <"$work/complaints")
    [ "$now" != "$said" ] || echo "ok: $*"
    said=$now
}

if git rev-parse --is-inside-work-tree >"$work/git" 2>&1; then git ls-files; else find . -type f -not -path './build/*' | sed 's,^\./,,'; fi |
    while read -r file; do [ ! -f "$file" ] || echo "$file"; done | sort >"$work/files"
grep -vE '(^|/)fixtures/' "$work/files" | grep -E '\.(c|h|cu|cuh|cc)$' >"$work/sources"
grep -vE '(^|/)fixtures/' "$work/files" | grep -E '\.(sh|bash|py|mk)$|(^|/)Makefile$' >"$work/scripts"

# ---- files: how long, how wide, and how they open

cat "$work/sources" "$work/scripts" | xargs wc -l | awk '$2 != "total" { print $2, $1 }' >"$work/lengths"
awk -v limit=$file_lines '$2 > limit { print $1 ": " $2 " lines are more than " limit "; make two of it" }' "$work/lengths" | complain_each
# rows of option tables hold a help text, which has no place to break
xargs grep -nE ".{$((columns + 1))}" <"$work/sources" | grep -vE '^[^:]*\.h:[0-9]+: *ROW\(' |
    sed -E "s/^([^:]*:[0-9]+):.*/\1: more than $columns columns/" | complain_each || true
while read -r file; do
    case $(head -c 2 "$file") in //) ;; *) complain "$file: opens with no // comment that says what it is for" ;; esac
done <"$work/sources"
grep -nE '^[^/]*(__restrict__|__ldg|ld\.global\.nc)' kernels/cuda/* | sed -E 's,^([^:]*:[0-9]+):.*,\1: by __restrict__ or __ldg or ld.global.nc; may be read before the wait for kernels in front (kernels/cuda/device.cuh),' | complain_each || true
for file in test/crash/*.sh test/*.sh test/*/*.sh; do
    [ -x "$file" ] || complain "$file: cannot be started: chmod +x"
done
grep -vE '\.mk$|Makefile$' "$work/scripts" | while read -r file; do
    case $(head -c 2 "$file") in '#!') ;; *) [ ! -x "$file" ] || complain "$file: can be started, and opens without #!" ;; esac
done
checked "files have at most $file_lines lines and $columns columns, and open with what they are for"

# ---- rooms: how large, and includes that go down the house's list only

sed -n '/^## The house/,/^Includes go/p' README.md | sed -nE 's,^([a-z]+)/ .*,\1,p' >"$work/rooms"
[ "$(wc -l <"$work/rooms")" -ge 15 ] || complain "README.md: the house's list of rooms is not found"
library=$(grep -vxE 'lab|dev|test' "$work/rooms" | tr '\n' ' ')
awk -v rooms="$library" -v inner="compare formula chemistry units words" '
    # from top to bottom; the rooms of answers/ lie below it
    BEGIN {
        count = split(rooms, list, " "); place = 0
        for (i = 1; i <= count; i++) {
            floor[list[i]] = ++place
            if (list[i] == "answers") { parts = split(inner, part, " "); for (j = 1; j <= parts; j++) floor["answers/" part[j]] = ++place }
        }
    }
    function room(path, folder) {
        if (path !~ /\//) return path ~ /_options\.h$/ ? "program" : "";
        folder = path; sub(/\/[^\/]*$/, "", folder)
        if (folder ~ /^kernels\//) folder = "kernels"
        return folder
    }
    {
        file = $0; here = room(file)
        if (!(here in floor)) { if (file ~ /\// && file !~ /^(lab|dev|test)\//) print file ": its folder is not in the house of README.md"; next }
        lines = 0
        while ((getline text < file) > 0) {
            lines++
            if (text !~ /^ *# *include "/) continue
            split(text, quoted, "\""); there = room(quoted[2])
            if (there == "program" || there ~ /^(lab|dev|test)/ || (there in floor && floor[there] < floor[here]))
                print file ":" lines ": includes " quoted[2] ", which is above it in the house of README.md"
        }
        close(file); size[here] += lines
    }
    END { for (name in size) print name, size[name] > "'"$work"'/sizes" }' "$work/sources" | complain_each
awk -v limit=$room_lines '$1 != "kernels" && $2 > limit { print $1 "/: " $2 " lines are more than " limit "; it is two rooms" }' "$work/sizes" | complain_each
core=$(awk '/^(base|kernels|model|engine|data|rl|run|checkpoint) / { sum += $2 } END { print sum }' "$work/sizes")
core=$((core + $(grep -E '^[a-z_]+\.(c|cu|h)$' "$work/sources" | xargs cat | wc -l)))
hopper=$(grep -E '^kernels/cuda/(ptx_)?hopper' "$work/sources" | xargs cat | wc -l)
core=$((core - hopper))
[ "$hopper" -le $hopper_lines ] || complain "the kernels for Hopper have $hopper lines, more than the $hopper_lines of test/tidy.sh"
[ "$core" -le $core_lines ] || complain "the core (what a reader reads) has $core lines, more than the $core_lines of test/tidy.sh"
[ "$(wc -l <train_sft.cu)" -le $sft_lines ] || complain "train_sft.cu: more than $sft_lines lines; a recipe is read whole"
[ "$(wc -l <train_rl.cu)" -le $rl_lines ] || complain "train_rl.cu: more than $rl_lines lines; a recipe is read whole"
checked "no include runs up, no room but kernels/ has more than $room_lines lines, and the core has $core of $core_lines"

# ---- pages

pages=$(grep -E '^README\.md$|^docs/.*\.md$' "$work/files" | tr '\n' ' ') # the change log speaks of what is gone, too
[ "$(wc -l <README.md)" -le $readme_lines ] || complain "README.md: more than $readme_lines lines"
dev/docs.sh --check | complain_each || true

diff <(sed -n '/^# GSM8K, greedily/,/^```/p' docs/evaluate.md | sed '$d') tasks/gsm8k.task >/dev/null || complain "docs/evaluate.md: its example is not tasks/gsm8k.task"

# a source, script or page in backticks is there; without a folder, in some folder
# shellcheck disable=SC2086
grep -noE '`[A-Za-z0-9_./*-]+`' $pages | tr -d '`' | grep -E '[A-Za-z0-9_*]\.(c|h|cu|cuh|cc|sh|py|mk|md)$|:(lab|dev|test)/[A-Za-z0-9_]' |
    while IFS=: read -r page line name; do
        case $name in
        */*) [ -n "$(compgen -G "${name%/}")" ] ;;
        *) grep -qE "(^|/)${name//./\\.}$" "$work/files" ;;
        esac || complain "$page:$line: names $name, which is not there"
    done
# links lead to files, and to headings in them
slugs() { sed -nE 's/^#+ +//p' "$1" | tr 'A-Z' 'a-z' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }
# shellcheck disable=SC2086
grep -noE '\]\([^)]*\)' $pages | sed 's/\](//; s/)$//' | grep -v ':https\?://' | while IFS=: read -r page line target; do
    path=${target%%#*}
    [ -n "$path" ] && path=$(dirname "$page")/$path || path=$page
    [ -e "$path" ] || { complain "$page:$line: the link $target leads nowhere" && continue; }
    case $target in *'#'*) slugs "$path" | grep -qx -- "${target#*#}" || complain "$page:$line: there is no heading for $target" ;; esac
done
# every promise names its test
sed -nE '/^\| promise/,/^$/p' docs/promises.md | grep -vE '^\| promise|^\|---' | grep -nE '^\|' | grep -vE '\| `?(test|dev)/[^|]*\|$' |
    sed -E 's/^([0-9]+):(.{1,60}).*/docs\/promises.md: promise \1 names no test: \2/' | complain_each || true
# and a test that is named behind its file is in it
grep -oE '`test/[a-z_/0-9]+\.(c|cc|sh)`( `[a-z_0-9]+`,?)+' docs/promises.md | tr -d '`,' | while read -r file names; do
    for name in $names; do
        grep -qE "^(static void |static int )?$name\(" "$file" || complain "docs/promises.md: there is no test $name in $file"
    done
done
# options and targets that pages name
{
    for program in score prepare generate evaluate serve train_sft train_rl; do ./$program --help=markdown; done | sed -nE 's/^\| `--([a-z0-9-]+)`.*/\1/p' | sed 'p; s/^/no-/'
    # of every program, of our scripts and tools, of others' programs
    printf '%s\n' help version config print-config cuda check extract explain seeds size local-dir repo-type cap-add no-python nproc-per-node \
        ntasks nodes ntasks-per-node cpus-per-task signal requeue gpu-bind kill-on-bad-exit wait launchers logdir follow
} | sort -u >"$work/options"
# shellcheck disable=SC2086
grep -noE -- '(^|[ `(])--[a-z][a-z0-9-]+' $pages | sed 's/:[ `(]*--/:/' | grep -v '^docs/options/' |
    awk -F: -v known="$work/options" 'BEGIN { while ((getline name < known) > 0) is[name] = 1 } !($3 in is) { print $1 ":" $2 ": there is no option --" $3 }' |
    complain_each
# shellcheck disable=SC2086
grep -noE '(^|`)make [a-z][a-z-]*' $pages | sed -E 's/`?make //' | grep -v ':build$' | while IFS=: read -r page line target; do
    grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:( |\$)" Makefile dev/cuda.mk test/simt/simt.mk || complain "$page:$line: there is no target $target for make"
done
checked "pages: files, tests, links, options and targets that they name are there, and generated tables are the programs'"

if [ -s "$work/complaints" ]; then
    cat "$work/complaints"
    exit 1
fi
