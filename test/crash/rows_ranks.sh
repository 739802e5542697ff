#!/usr/bin/env bash
# ./generate and ./score on several ranks: the file of one process, whatever their number and launcher, killed or stopped in the middle;
# what another number of ranks, another run or a user of --part has begun is not mixed in.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
out=$work/out.jsonl
build/demo_problems train 1 5 12 >"$work/rows.jsonl"
generate=(build/asan/generate --model "$work/run" --prompts "$work/rows.jsonl" --out "$out" --max-new-tokens 24 --samples 2 --device cpu)
score=(build/asan/score --model "$work/run" --data "$work/rows.jsonl" --out "$out" --device cpu)
run() { "$@" >"$work/stdout" 2>"$work/stderr"; }
nothing_else_is_left() { [ "$(ls "$out"*)" = "$out" ] || failed "what is left: $(ls "$out"*)"; }
wants 0 run "${generate[@]}" && mv "$out" "$work/generated"
wants 0 run "${score[@]}" && mv "$out" "$work/scored"
levels=$(grep '^difficulty 1: ' "$work/stderr")
wants 0 run "${score[@]}" --method generate --max-new-tokens 8 --unusable-share 1 && mv "$out" "$work/written"

every_number_of_ranks_writes_the_file_of_one() {
    local ranks part
    for ranks in 2 3 5; do
        wants 0 run "${generate[@]}" --ranks $ranks
        sane
        cmp "$out" "$work/generated" && nothing_else_is_left && rm "$out" || failed "generate with $ranks ranks: another file"
        wants 0 run "${score[@]}" --ranks $ranks
        cmp "$out" "$work/scored" && nothing_else_is_left && rm "$out" || failed "score with $ranks ranks: another file"
        [ "$(grep '^difficulty 1: ' "$work/stderr")" = "$levels" ] || failed "score with $ranks ranks counts other levels"
    done
    wants 0 run "${score[@]}" --method generate --max-new-tokens 8 --unusable-share 1 --ranks 2
    cmp "$out" "$work/written" && rm "$out" || failed "score by written answers: another file"
    head -n 1 "$work/rows.jsonl" >"$work/one.jsonl" # fewer rows than ranks
    wants 0 run build/asan/score --model "$work/run" --data "$work/one.jsonl" --out "$out" --device cpu --ranks 3
    cmp "$out" <(head -n 1 "$work/scored") && rm "$out" || failed "one row for three ranks"
    for part in 0 1 2; do wants 0 run "${generate[@]}" --part $part/3; done
    touch "$out.2-of-3.partial" # as a kill leaves it that comes when the part is made
    wants 0 run "${generate[@]}" --ranks 3
    cmp "$out" "$work/generated" && nothing_else_is_left && rm "$out" || failed "what a finished rank had left is left still"
    proved "generate and score: 2, 3 and 5 ranks write the bytes of one process, and leave nothing else"
    if [ -n "$(command -v mpirun)" ]; then
        wants 0 run mpirun --allow-run-as-root --oversubscribe -n 2 "${generate[@]}"
        cmp "$out" "$work/generated" && nothing_else_is_left && rm "$out" || failed "mpirun: another file"
        proved "generate: mpirun -n 2 writes the bytes of one process"
    else
        skipped "mpirun is not installed"
    fi
}

# The launching process, with all its ranks; or SIGTERM to it.
what_is_interrupted_goes_on() {
    local kills=0 stops=0 status signal
    RANDOM=$seed
    while [ $kills -lt "$1" ] || [ $stops -lt "$1" ]; do
        if [ -e "$out" ] && [ "$(ls "$out"*)" = "$out" ]; then # it was done when it was killed
            cmp "$out" "$work/generated" && rm "$out" || failed "SEED=$seed: another file"
        fi
        "${generate[@]}" --ranks 3 --threads 1 --sequences 1 >"$work/stdout" 2>"$work/stderr" &
        sleep "$(printf '0.%03d' $((50 + RANDOM % 900)))"
        signal=$([ $((RANDOM % 2)) = 0 ] && echo KILL || echo TERM)
        kill -$signal $! 2>/dev/null || true
        status=0
        wait $! 2>/dev/null || status=$?
        case $status in
        137 | 143) kills=$((kills + 1)) ;; # 143: before it took signals
        75) stops=$((stops + 1)) ;;
        0) cmp "$out" "$work/generated" && nothing_else_is_left && rm "$out" || failed "SEED=$seed: another file" ;;
        *) failed "exit status $status after SIG$signal with SEED=$seed" ;;
        esac
    done
    [ "$(ls "$out"* 2>/dev/null)" = "$out" ] || wants 0 run "${generate[@]}" --ranks 3
    cmp "$out" "$work/generated" && nothing_else_is_left && rm "$out" || failed "SEED=$seed: another file"
    proved "generate on 3 ranks: killed $kills times and stopped $stops times, it wrote the bytes of one process"
}

# What one process refuses several refuse, too; and a signal to one rank stops the others in the middle of their share.
ranks_are_one_run() {
    local pids launcher status=0
    { head -n 5 "$work/rows.jsonl"; echo '{"x": 1}'; echo none; echo '{"y": 2}'; } >"$work/bad.jsonl"
    bad=(build/asan/generate --model "$work/run" --prompts "$work/bad.jsonl" --out "$out" --max-new-tokens 8 --device cpu)
    for given in "" "--ranks 3"; do
        # shellcheck disable=SC2086
        wants 1 run "${bad[@]}" --skip-bad-rows 2 $given
        says "more than 2 rows are refused"
        [ ! -e "$out" ] || failed "three bad rows of two were let through: $given"
        # shellcheck disable=SC2086
        rm -f "$out"* && wants 0 run "${bad[@]}" --skip-bad-rows 3 $given
        [ "$(wc -l <"$out")" = 5 ] && rm -f "$out"* || failed "$given: $(wc -l <"$out") rows"
    done
    "${generate[@]}" --ranks 2 --threads 1 --samples 20000 >"$work/stdout" 2>"$work/stderr" &
    launcher=$!
    until [ -s "$out.0-of-2.partial" ] && [ -s "$out.1-of-2.partial" ]; do sleep 0.02; done
    mapfile -t pids < <(children_of $launcher)
    kill -TERM "${pids[1]}"
    wait $launcher || status=$?
    [ $status = 75 ] || failed "a signal to one rank: exit status $status"
    grep -q ' the same command goes on\|going on' "$work/stderr" && [ ! -e "$out" ] || failed "a rank went on to its end after another one's signal"
    rm -f "$out"*
    proved "generate: ranks count what they refuse together, and a signal to one stops all"
}

nothing_of_others_is_mixed_in() {
    wants 2 run "${generate[@]}" --ranks 2 --part 0/2
    says "several ranks share the rows by themselves"
    wants 2 run build/asan/generate --model "$work/run" --chat --ranks 2
    says "one process talks"
    wants 0 run "${generate[@]}" --part 1/3
    for given in "--ranks 2" ""; do
        # shellcheck disable=SC2086
        wants 1 run "${generate[@]}" $given
        says "is shared by 3 processes; the same command with --ranks 3 goes on"
    done
    wants 1 run "${generate[@]}" --ranks 3 --seed 5
    says "$out.1-of-3: was made with other seed"
    [ -e "$out.1-of-3" ] || failed "a part is lost"
    wants 0 run "${generate[@]}" --ranks 3 # and a part that somebody made with --part is what a rank makes
    cmp "$out" "$work/generated" && nothing_else_is_left || failed "another file"
    wants 1 run "${generate[@]}" --ranks 3
    says "already exists"
    rm "$out"
    head -c 300 "$work/generated" >"$out.partial"
    wants 1 run "${generate[@]}" --ranks 2
    says "out.jsonl.partial: is of one process; the same command without --ranks 2 goes on with it"
    rm "$out.partial"
    printf '{"nothing": 1}\n' | cat - "$work/rows.jsonl" >"$work/bad.jsonl"
    wants 1 run build/asan/generate --model "$work/run" --prompts "$work/bad.jsonl" --out "$out" --device cpu --ranks 2
    says "bad.jsonl:1"
    rm -f "$out"*
    proved "generate: another number of ranks, another run's parts and a bad row are refused by name, and nothing is lost"
}

every_number_of_ranks_writes_the_file_of_one
what_is_interrupted_goes_on "$([ "$mode" = long ] && echo 40 || echo 3)"
ranks_are_one_run
nothing_of_others_is_mixed_in
