#!/usr/bin/env bash
# Files that others change, and paths that are not plain files: files truncated while a program has them mapped, closed
# standard descriptors, devices, pipes and links in place of results, and leftovers of a killed program beside them.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
wants 0 train "$work/sft" --epochs 1 --export-dtype fp32
build/demo_problems train 4 5 6 >"$work/hard.jsonl"
prepare_rl() {
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$1" "$work/hard.jsonl" \
        >"$work/stdout" 2>"$work/stderr"
}
prepare_rl "$work/data"
ask=(./generate --model "$work/sft" --prompts "$work/heldout.jsonl" --max-new-tokens 6 --threads 1 --device cpu)
judge=(./score --model "$work/sft" --data "$work/heldout.jsonl" --threads 1 --device cpu)
reinforce=(./train_rl --model "$work/sft" --data "$work/data/rl" --template chatml --steps 2 --prompts-per-step 4 --prompts-per-update 2
    --samples-per-prompt 3 --max-prompt-tokens 64 --max-new-tokens 12 --micro-batch-tokens 256 --slots 2 --lr 1e-3 --save-every 1
    --threads 1 --device cpu)
quietly() { "$@" >"$work/stdout" 2>"$work/stderr"; }

# FILE, command...: truncates FILE while the command runs. One line of error, or success if the lost part was not needed.
cut_while_it_runs() {
    local file=$1 size program status=0
    shift
    size=$(stat -c %s "$file")
    cp "$file" "$work/whole"
    "$@" >"$work/stdout" 2>"$work/stderr" &
    program=$!
    sleep "$cut_after"
    truncate -s 100 "$file"
    wait $program || status=$?
    cat "$work/whole" >"$file"
    [ "$(stat -c %s "$file")" = "$size" ]
    [ $status != 0 ] || return 0
    [ $status = 1 ] || failed "exit status $status when $file is cut short: $*"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "not one line of error"
    says "$(basename "$file")"
    cuts=$((cuts + 1))
}

# The documents of a step are read when it comes: a run of many steps meets the cut for sure.
a_mapped_file_that_is_cut_short_is_named() {
    local cuts=0 cut_after out=$work/cut before
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --split sft-only --out "$work/shards" "$work/train.jsonl" >"$work/stdout" 2>"$work/stderr"
    local shard
    shard=$(echo "$work"/shards/sft/shard-*)
    cut_after=1
    cut_while_it_runs "$shard" ./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/shards/sft" \
        --steps 100000 --global-batch 4 --slots 1 --seq-len 256 --threads 1 --device cpu --save-every 50 --out "$out"
    [ $cuts = 1 ] || failed "a run went on without its data"
    says "was cut short while it was in use"
    before=$(newest_step "$out")
    [ "$before" -ge 50 ] || failed "no checkpoint of the run that lost its data"
    wants 0 quietly build/export "$out/checkpoints/step-$before" "$work/exported"
    for cut_after in 0.02 0.05 0.1 0.2 0.4; do
        cut_while_it_runs "$work/sft/model/model.safetensors" "${ask[@]}" --samples 50 --out "$work/cut.jsonl"
        rm -f "$work"/cut.jsonl*
    done
    proved "a shard and a model that are cut short while they are read: one line that names the file, and the checkpoints stand"
}

closed_descriptors_get_no_file() {
    local closed out=$work/closed
    for closed in '<&-' '>&-' '2>&-' '<&- >&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        rm -rf "$out"* "$work/stdout" "$work/stderr"
        : >"$work/stdout" >"$work/stderr"
        wants 0 with_closed "$closed" "${reinforce[@]}" --out "$out" --grader 'while read -r line; do q=${line#*:?}; echo "{\"question\": \"${q%%[!0-9a-f]*}\", \"score\": ${#line}}"; done'
        ! grep -v '^{"' "$out/log.jsonl" || failed "with $closed log.jsonl holds something else than JSON"
        wants 0 with_closed "$closed" ./train_sft "${recipe[@]}" --out "$out.sft" --epochs 1
        ! grep -v '^{"' "$out.sft/log.jsonl" || failed "with $closed log.jsonl holds something else than JSON"
        wants 0 with_closed "$closed" "${ask[@]}" --out "$out.rows"
        ! grep -v '^{"' "$out.rows" || failed "with $closed the rows hold something else"
        wants 0 with_closed "$closed" "${judge[@]}" --out "$out.scores"
        ! grep -v '^{"' "$out.scores" || failed "with $closed the scores hold something else"
    done
    wants 1 with_closed '>&-' ./train_sft "${recipe[@]}" --out "$out.plan" --plan
    wants 1 with_closed '<&-' "${ask[@]/"$work/heldout.jsonl"/-}" --out "$work/none"
    proved "descriptors 0 to 2 that are closed get no file of ours; what should be read from or written to them is an error"
}
with_closed() { # REDIRECTIONS command...
    local how=$1
    shift
    eval '"$@"' '>"$work/stdout"' '2>"$work/stderr"' "$how"
}

# NAME WHAT, at each place where a result goes: refused with one line, and still the same thing.
refused_as_output() {
    local name=$1 what=$2 before
    before=$(stat -c '%F %t:%T' "$name")
    wants 1 quietly "${ask[@]}" --out "$name"
    says "$what"
    wants 1 quietly "${judge[@]}" --out "$name"
    says "$what"
    wants 1 quietly ./prepare --inspect --html "$name" --tokenizer dev/demo/tokenizer --template chatml "$work/train.jsonl"
    says "$what"
    wants 1 quietly ./prepare --out "$name" --tokenizer dev/demo/tokenizer --template chatml "$work/train.jsonl"
    says "$name"
    wants 1 quietly ./train_sft "${recipe[@]}" --out "$name"
    says "$name"
    wants 1 quietly build/plot "$work/sft/log.jsonl" "$name"
    says "$what"
    [ "$before" = "$(stat -c '%F %t:%T' "$name")" ] || failed "$name is something else now: $(stat -c %F "$name")"
    [ -z "$(find "$work" -maxdepth 1 -name "$(basename "$name").*")" ] || failed "something is left beside $name"
}

what_is_no_file_is_not_replaced() {
    local null=$work/null
    if mknod "$null" c 1 3 2>/dev/null; then
        refused_as_output "$null" "is a device"
    else
        skipped "a device where a result should go: making one is not allowed here"
    fi
    mkfifo "$work/pipe"
    refused_as_output "$work/pipe" "is a pipe"
    ln -s "$work/nowhere" "$work/dangling"
    wants 1 quietly "${ask[@]}" --out "$work/dangling"
    says "following the link"
    [ -L "$work/dangling" ] && [ ! -e "$work/nowhere" ] || failed "a link to nothing was followed"
    proved "a device, a pipe or a link to nothing is not replaced by a result"
    : >"$work/page.html"
    ln -s page.html "$work/link.html"
    wants 0 quietly ./prepare --inspect --html "$work/link.html" --tokenizer dev/demo/tokenizer --template chatml "$work/train.jsonl"
    [ -L "$work/link.html" ] && grep -q '<html' "$work/page.html" || failed "a link was replaced"
    proved "a link stays where it leads, and the file there is the new one"
}

# A page or picture replaces an earlier one of ours, and nothing else.
somebodys_file_is_not_replaced() {
    local page=$work/notes.html picture=$work/drawing.svg file
    local view=(./prepare --inspect --tokenizer dev/demo/tokenizer --template chatml "$work/train.jsonl" --html)
    local draw=(build/plot "$work/sft/log.jsonl")
    printf '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<title>mine</title>' >"$page"
    printf '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>\n' >"$picture"
    cp "$page" "$page.kept"
    cp "$picture" "$picture.kept"
    for file in "$page" "$picture" "$work/train.jsonl" "$work/sft/model/config.json"; do
        cp "$file" "$work/before"
        wants 1 quietly "${view[@]}" "$file"
        says "$file: already exists, and is not from an earlier run of this program; remove it, or name another file"
        wants 1 quietly "${draw[@]}" "$file"
        says "$file: already exists"
        cmp "$file" "$work/before" || failed "$file was replaced"
    done
    rm "$page" "$picture"
    for file in first again; do
        wants 0 quietly "${view[@]}" "$page"
        wants 0 quietly "${draw[@]}" "$picture"
    done
    wants 1 quietly "${view[@]}" "$picture"
    wants 1 quietly "${draw[@]}" "$page"
    cp "$work/sft/log.jsonl" "$work/"$'caf\xe9.jsonl'           # a title that is not UTF-8
    wants 0 quietly build/plot "$work/"$'caf\xe9.jsonl' "$picture"
    grep -qF 'caf\xE9.jsonl</text>' "$picture" && iconv -f UTF-8 -t UTF-8 "$picture" >"$work/stdout" || failed "the picture is not UTF-8"
    proved "prepare --html and plot replace their own earlier page or picture, and no other file"
}

# Every predictable temporary name, as a link to a file of the user.
temporary_names_follow_no_link() {
    local out=$work/planted.jsonl number
    echo mine >"$work/victim"
    ln -s "$work/victim" "$out.partial"
    wants 1 quietly "${ask[@]}" --out "$out"
    rm "$out.partial"
    for number in $(seq $$ $(($$ + 400))); do
        ln -s "$work/victim" "$out.tmp-$number"
    done
    wants 0 quietly "${ask[@]}" --out "$out"
    [ "$(cat "$work/victim")" = mine ] && [ ! -L "$out" ] || failed "a planted link was followed"
    rm "$out".tmp-*
    proved "temporary names follow no link"
}

what_a_killed_one_leaves_goes() {
    local out=$work/killed program left length i
    for i in $(seq 12); do
        ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$out" "$work/hard.jsonl" \
            >"$work/stdout" 2>"$work/stderr" &
        program=$!
        until [ -n "$(find "$work" -maxdepth 1 -name 'killed.tmp-*')" ] || ! kill -0 $program 2>/dev/null; do :; done
        kill -9 $program 2>/dev/null || true
        wait $program || true
        [ -z "$(find "$work" -maxdepth 1 -name 'killed.tmp-*')" ] || break
    done
    left=$(find "$work" -maxdepth 1 -name 'killed.tmp-*')
    [ -n "$left" ] || failed "nothing was left in twelve attempts"
    mkdir "$out.tmp-notes"
    prepare_rl "$out"
    [ "$(find "$work" -maxdepth 1 -name 'killed.tmp-*')" = "$out.tmp-notes" ] || failed "not just what was left is gone"
    diff -r "$work/data" "$out" || failed "another preparation"
    : >"$out.rows.tmp-0123456789ab"
    (
        flock 9
        : >"$out.rows.tmp-ba9876543210"
        exec sleep 100
    ) 9>"$out.rows.tmp-ba9876543210" &
    program=$!
    until flock -n "$out.rows.tmp-0123456789ab" true && ! flock -n "$out.rows.tmp-ba9876543210" true; do sleep 0.02; done
    wants 0 quietly "${ask[@]}" --out "$out.rows"
    [ "$(cd "$work" && echo killed.rows*)" = "killed.rows killed.rows.tmp-ba9876543210" ] || failed "left: $(cd "$work" && echo killed.rows*)"
    kill $program
    proved "what a killed program leaves is removed by the next one; what somebody works on, and what is not ours, stays"
}

a_mapped_file_that_is_cut_short_is_named
closed_descriptors_get_no_file
what_is_no_file_is_not_replaced
somebodys_file_is_not_replaced
temporary_names_follow_no_link
what_a_killed_one_leaves_goes
