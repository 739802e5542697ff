#!/usr/bin/env bash
# The recipe of the README, every command of it in its order, read from there: at a small size, from Parquet to an evaluated model. What
# stands for the rest of the world: downloads are a tiny model and made-up problems, the servers are build/test/support/judge_server.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/base" --epochs 1
root=$PWD
PYTHON=${PYTHON:-python3}
has_parquet=$("$PYTHON" -c 'import pyarrow' 2>/dev/null && echo yes || echo no)
[ "$has_parquet" = yes ] || skipped "reading Parquet: pyarrow is not installed; its rows are taken as JSONL"

undo() { # by the shell's own kill: a bare machine has no other
    local server
    [ ! -e "$work/servers" ] || while read -r server; do kill "$server" 2>/dev/null || true; done <"$work/servers"
}
serve() {                                                      # what it does: its address
    "$root/build/test/support/judge_server" "$1" "$work/$1.log" >"$work/$1.url" 3>&- &
    echo $! >>"$work/servers"                                  # of a subshell: finish does not know it
    for _ in $(seq 1000); do
        [ ! -s "$work/$1.url" ] || break
        sleep 0.02
    done
    [ -s "$work/$1.url" ] || failed "the server of this test does not start"
    cat "$work/$1.url"
}

# Rows as these data sets have them: WebInstruct-verified's difficulty is a word; MMLU-Pro's have options, and a letter as the answer.
problems() {
    "$root/build/demo_problems" train 1 5 12 |
        sed 's/"difficulty": [0-9]*, "problem"/"difficulty": "University", "category": "Physics", "answer_type": "Integer", "question"/; s/"solution": "[^"]*", //'
}
benchmark() {
    "$root/build/demo_problems" heldout 1 3 2 |
        sed 's/.*"problem": "\([^"]*\)".*"answer": "\([^"]*\)"}/{"question": "\1", "options": ["\2", "none", "all"], "answer": "A", "answer_index": 0, "category": "math"}/' |
        awk '{ sub(/^{/, "{\"question_id\": " NR ", "); print }'
}

parquet() {                                                    # FILE, from JSONL
    mkdir -p "$(dirname "$1")"
    if [ "$has_parquet" = yes ]; then
        "$PYTHON" -c 'import json, sys, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.Table.from_pylist([json.loads(line) for line in sys.stdin]), sys.argv[1])' "$1"
    else
        cat >"$1"
    fi
}

hf() {                                                         # download NAME [--repo-type dataset] --local-dir FOLDER
    local name=$2 folder=${*: -1}
    case $name in
    */WebInstruct-verified) problems | parquet "$folder/data/train-00000-of-00001.parquet" ;;
    */MMLU-Pro) benchmark | parquet "$folder/data/test-00000-of-00001.parquet" ;;
    *) cp -r "$work/base/model" "$folder" ;;
    esac
}
dev/parquet_to_jsonl.py() { if [ "$has_parquet" = yes ]; then "$PYTHON" "$root/dev/parquet_to_jsonl.py" "$@"; else cat "$@"; fi; }

# Each program with what makes it small, behind the README's options: what is given later wins.
teacher=$(serve teach) judge=$(serve yes)
small=(--device cpu --threads 1)
at_teacher() { case " $* " in *" --endpoint "*) echo "--endpoint $teacher" ;; *) echo "${small[*]} --max-new-tokens 16 --context 256" ;; esac; }
# shellcheck disable=SC2046
./score() { "$root/score" "$@" $(at_teacher "$@" | sed 's/--max-new-tokens 16//'); }
# shellcheck disable=SC2046
./generate() { "$root/generate" "$@" --instruction none $(at_teacher "$@"); }
./prepare() { "$root/prepare" "$@" --instruction none $(case " $* " in *" --holdout "*) echo --holdout 5 ;; esac); }
./train_sft() { "$root/train_sft" "$@" "${small[@]}" --seq-len 256 --global-batch 4 --micro-batch-tokens 256 --slots 1 --steps 3; }
./train_rl() {
    "$root/train_rl" "$@" "${small[@]}" --endpoint "$judge" --judge-asks unequal --instruction none --prompts-per-step 4 --prompts-per-update 2 \
        --samples-per-prompt 3 --max-prompt-tokens 128 --max-new-tokens 12 --micro-batch-tokens 256 --slots 1 --steps 2
}
./evaluate() {
    case " $* " in
    *" --model "*) "$root/evaluate" "$@" "${small[@]}" --max-new-tokens 16 --context 512 ;;
    *) "$root/evaluate" "$@" ;;
    esac
}

sed -n '/^<!-- recipe -->$/,/^<!-- end -->$/p' README.md | sed '/^<!--/d; /^```/d; /^#/d; /^$/d' >"$work/recipe"
[ "$(wc -l <"$work/recipe")" -ge 12 ] || failed "the README has no recipe"
mkdir "$work/user"
cd "$work/user"
while read -r line; do
    eval "$line" >"$work/stdout" 2>"$work/stderr" </dev/null || failed "the README's line fails: $line"
    case $line in ./evaluate*) grep -q 'mmlu_pro' "$work/stdout" || failed "no table of scores: $line" ;; esac
done <"$work/recipe"
proved "the README's recipe, from Parquet to an evaluated model: $(wc -l <"$work/recipe") commands"

[ "$(wc -l <scored.jsonl)" = 60 ] || failed "problems got lost on the way to their difficulty"
for folder in sft rl; do
    [ -s $folder/model/model.safetensors ] || failed "there is no model in $folder"
done
[ -s rl/judge.jsonl ] || failed "no judge was asked"
grep -q '"event": "eval"' rl/log.jsonl || failed "nothing was evaluated"
! grep -qF '"answer": "A"' data/sft/prompts.jsonl || failed "the benchmark's rows are trained on"
proved "each step's result is the next one's input"
