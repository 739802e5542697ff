#!/usr/bin/env bash
# Every exit code of docs/exit_codes.md, of every program, provoked; and none that the page does not have.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/sft" --epochs 1
build/demo_problems train 4 5 6 >"$work/hard.jsonl"
./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/data" "$work/hard.jsonl" >"$work/stdout" 2>&1
mkfifo "$work/pipe"
judge_begins hang server

# A command of each that takes long: its data do not end, its server does not answer, its steps are many.
long_command() { # PROGRAM
    case $1 in
    prepare) command=(./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/prepare.out" -) ;;
    score) command=(./score --endpoint "$judge" --model a --data "$work/hard.jsonl" --out "$work/score.out") ;;
    generate) command=(./generate --endpoint "$judge" --model a --prompts "$work/hard.jsonl" --out "$work/generate.out") ;;
    evaluate) command=(./evaluate --endpoint "$judge" --model a --tasks questions --data questions="$work/hard.jsonl" --out "$work/evaluate.out") ;;
    train_sft) command=(./train_sft "${recipe[@]}" --epochs 100000 --out "$work/train_sft.out") ;;
    train_rl) command=(./train_rl --model "$work/sft/model" --data "$work/data/rl" --template chatml --steps 100000 --prompts-per-step 4
        --prompts-per-update 4 --samples-per-prompt 4 --max-prompt-tokens 64 --max-new-tokens 24 --micro-batch-tokens 256 --slots 2
        --sequences 6 --pass-tokens 64 --threads 1 --device cpu --out "$work/train_rl.out") ;;
    esac
}
# Whether process $1 has a handler for SIGTERM: a request that is seen may still be one of the process before it.
catches_term() {
    local caught
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [ $((16#${caught:-0} & 1 << 14)) != 0 ]
}
at_work() { # PROGRAM: starts it, and waits until it is in the middle of something; the process is $trainer
    rm -rf "$work/$1".out*
    : >"$work/server.asked"
    long_command "$1"
    "${command[@]}" <"$work/pipe" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
    exec 9>"$work/pipe"
    cat "$work/hard.jsonl" >&9
    until catches_term $trainer || ! kill -0 $trainer 2>/dev/null; do sleep 0.01; done
    case $1 in
    prepare) sleep 0.3 ;;
    train_*) wait_for_step "$work/$1.out" 2 ;;
    *) until [ -s "$work/server.asked" ]; do sleep 0.01; done ;;
    esac
}
ended() { # PROGRAM STATUS
    local status=0
    wait $trainer 2>/dev/null || status=$?
    exec 9>&-
    [ $status = "$2" ] || failed "$1: exit status $status instead of $2"
    echo "$2 $1" >>"$work/provoked"
}

for program in prepare score generate evaluate train_sft train_rl; do
    wants 0 "./$program" --help >"$work/stdout"
    echo "0 $program" >>"$work/provoked"
    long_command $program
    printf '{"prompt": ' >"$work/broken"
    wants 1 "${command[@]}" --out /dev/null/out <"$work/broken" >"$work/stdout" 2>"$work/stderr"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "$program: not one line of error"
    echo "1 $program" >>"$work/provoked"
    wants 2 "${command[@]}" --there-is-none <"$work/broken" >"$work/stdout" 2>"$work/stderr"
    echo "2 $program" >>"$work/provoked"

    at_work $program
    kill -TERM $trainer
    if [ $program = prepare ]; then ended $program 1; else ended $program 75; fi
    at_work $program
    kill -STOP $trainer && kill -INT $trainer && kill -TERM $trainer && kill -CONT $trainer # both at once
    ended $program 130
    at_work $program
    kill -9 $trainer
    ended $program 137
done
for rank in 0 1; do
    rm -rf "$work/ranks"
    train_in_background "$work/ranks" --epochs 100000 --ranks 2
    wait_for_step "$work/ranks" 3
    kill -9 "$(children_of $trainer | sed -n $((rank + 1))p)"
    ended train_sft 137
done

grep -E '^\| [0-9]+ \|' docs/exit_codes.md | awk -F'|' '{ split("prepare score generate evaluate train_sft train_rl", name, " "); for (i = 1; i <= 6; i++) if ($(i + 3) ~ /yes/) print $2 + 0, name[i] }' |
    sort -u >"$work/promised"
sort -u "$work/provoked" | diff "$work/promised" - >"$work/stderr" || failed "docs/exit_codes.md has others than those that were provoked"
proved "exit codes 0, 1, 2, 75, 130 and 137 of every program are those of docs/exit_codes.md"
