#!/usr/bin/env bash
# Pictures of runs: several over each other, what leaves a frame, panels by unit, names, and which files are refused.
. "$(dirname "$0")/common.bash"
program=build/asan/plot

# FOLDER FACTOR: a log of 50 steps of reinforcement learning; FACTOR is of the figures.
reinforced() {
    mkdir -p "$1"
    awk -v f="$2" 'BEGIN { for (i = 0; i <= 50; i++) {
        if (i % 20 == 0) printf "{\"event\": \"eval\", \"step\": %d, \"eval/acc/mean@2\": %g, \"eval/level_1/acc/mean@2\": %g, \"eval/level_3/acc/mean@2\": %g}\n", i, f * i / 100, f * 0.9, f * 0.3
        if (i > 0) printf "{\"step\": %d, \"loss\": -123456, \"reward/mean\": %g, \"grad_norm\": %s, \"lr\": 1e-5, \"response_length/mean\": %d}\n", i, f * i, i == 30 ? (f < 1 ? "null" : "5e7") : f * (1 + i % 3), 400 + i } }' >"$1/log.jsonl"
}
# FOLDER: likewise of supervised fine-tuning, with both kinds of evaluation.
supervised() {
    mkdir -p "$1"
    awk 'BEGIN { for (i = 1; i <= 50; i++) printf "{\"step\": %d, \"loss\": %g, \"lr\": 1e-3}\n", i, 9 - i / 10
        print "{\"event\": \"eval\", \"step\": 50, \"eval_loss\": 4, \"eval/acc/mean@1\": 0.5}" }' >"$1/log.jsonl"
}
draw() { wants 0 "$program" "$@" 2>"$work/stderr"; }
refused() { # PART OF ITS LINE, arguments
    local part=$1
    shift
    wants 1 "$program" "$@" 2>"$work/stderr"
    says "$part"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "not one line of error"
}
count() { grep -c -- "$1" "$work/$2" || true; }
shows() { grep -qF -- "$1" "$work/$2" || failed "$2 does not have $1"; }

reinforced "$work/a/rl" 1
reinforced "$work/b/rl" 0.5
supervised "$work/sft"

several_runs_share_panels() {
    draw "$work/a/rl" "$work/b/rl/log.jsonl" "$work/two.svg"
    shows '>a/rl</text>' two.svg
    shows '>b/rl</text>' two.svg
    # reward, accuracy, two levels, length, norm and rate: one panel and two lines for each
    [ "$(count '<clipPath id="panel' two.svg)" = 7 ] || failed "other panels: $(count '<clipPath id="panel' two.svg)"
    [ "$(count '<path class="[a-z]* run1" clip-path' two.svg)" = 7 ] && [ "$(count '<path class="[a-z]* run2" clip-path' two.svg)" = 7 ] ||
        failed "not a line of each run in each panel"
    shows '>held-out accuracy: level 3</text>' two.svg
    draw "$work/a/rl" "$work/sft/" "$work/two.svg"
    shows '>rl</text>' two.svg
    shows '>sft</text>' two.svg
    ! grep -qF 'a/rl' "$work/two.svg" || failed "a name is longer than it need be"
    [ "$(count '<path class="[a-z]* run1" clip-path' two.svg)" = 7 ] && [ "$(count '<path class="[a-z]* run2" clip-path' two.svg)" = 4 ] ||
        failed "a run has a line of what is not in its log"
    proved "several runs are drawn over each other, each in its colour and under a name of its own, levels in panels of theirs"
}

units_do_not_mix() {
    draw "$work/sft" "$work/one.svg"
    shows '>loss, nats a token</text>' one.svg
    shows '>held-out accuracy, last 50%</text>' one.svg
    shows '>held-out, last 4</text>' one.svg
    draw "$work/a/rl" "$work/one.svg"
    ! grep -q 'loss\|123456' "$work/one.svg" || failed "a loss of reinforcement learning is drawn as if it had a unit"
    shows '>level 3 30%</text>' one.svg
    proved "loss, reward, accuracy, length, norm and rate have panels and scales of their own; levels have names"
}

what_leaves_the_frame_is_marked() {
    draw "$work/a/rl" "$work/b/rl" "$work/two.svg"
    shows '<title>a/rl, step 30: 5e+07</title>' two.svg
    shows '<title>b/rl, step 30: not finite</title>' two.svg
    shows '>outside the frame: 1 above, 1 not finite</text>' two.svg
    [ "$(count 'class="mark' two.svg)" = 2 ] || failed "other marks"
    sed 's,level_3/acc/mean@2": [0-9.]*,level_3/acc/mean@2": -1,' "$work/a/rl/log.jsonl" >"$work/low.jsonl"
    draw "$work/low.jsonl" "$work/one.svg"
    shows '>outside the frame: 3 below</text>' one.svg
    draw "$work/sft" "$work/one.svg"
    ! grep -q 'class="mark\|outside' "$work/one.svg" || failed "something is marked where all is inside"
    proved "a value outside its frame, or not finite, has a mark that says step and value, and the panel says how many"
}

names_do_not_act() {
    local name=$'<script>&"\'' long
    long=$(printf 'é%.0s' $(seq 100))
    reinforced "$work/$name" 1
    reinforced "$work/${long}1" 1
    reinforced "$work/${long}2" 1
    draw "$work/$name" "$work/${long}1" "$work/${long}2" "$work/three.svg" --title '</svg>'
    ! grep -q '<script' "$work/three.svg" && [ "$(count '</svg>' three.svg)" = 1 ] || failed "a name acts"
    iconv -f UTF-8 -t UTF-8 "$work/three.svg" >"$work/stdout" || failed "a name is cut inside a character"
    [ "$(grep -c '>[23]: é*…é*[12]</text>' "$work/three.svg")" = 2 ] || failed "long names are not told apart"
    proved "names of folders are shown as they are, cut where they are too long, and do not act"
}

what_is_no_run_or_picture_is_refused() {
    mkdir "$work/empty"
    : >"$work/none.jsonl"
    refused "empty: no log.jsonl is in it" "$work/empty" "$work/new.svg"
    refused "nowhere: No such file" "$work/sft" "$work/nowhere" "$work/new.svg"
    refused "none.jsonl: lines with a step and its loss: 0" "$work/sft" "$work/none.jsonl" "$work/new.svg"
    refused "is the same log as" "$work/sft" "$work/a/../sft/log.jsonl" "$work/new.svg"
    refused "none.jsonl: is the log of a run" "$work/none.jsonl" "$work/none.jsonl"
    refused "rl: is a folder; behind the runs, name the picture" "$work/sft" "$work/a/rl"
    cp "$work/a/rl/log.jsonl" "$work/kept"
    refused "log.jsonl: is a log; behind the runs, name the picture" "$work/sft" "$work/a/rl/log.jsonl"
    refused "already exists" "$work/sft" "$work/kept"
    cmp "$work/a/rl/log.jsonl" "$work/kept" || failed "a log was replaced"
    [ ! -e "$work/new.svg" ] || failed "a refused call left a picture"
    wants 2 "$program" 1 2 3 4 5 6 7 8 9 "$work/new.svg" 2>"$work/stderr"
    says "9 runs"
    proved "no log, no steps, one log twice, and a picture's name that is a run's or somebody's: one line, and nothing is overwritten"
}

several_runs_share_panels
units_do_not_mix
what_leaves_the_frame_is_marked
names_do_not_act
what_is_no_run_or_picture_is_refused
