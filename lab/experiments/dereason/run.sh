#!/usr/bin/env bash
# The comparison of the DeReason paper, with what its critics ask for: nine settings, equal sequences for all, five seeds, a teacher of
# moderate quality, and SFT that ends where held-out pass@k no longer rises. README.md beside this says what is compared and how.
#
#   lab/experiments/dereason/run.sh [--size laptop|gpu] [--seeds N] [--jobs N] [--out FOLDER] [--print] [--scale N]
#
#   --size laptop   the miniature: a new model of 0.7 million parameters, generated problems; under an hour on two cores. The default
#   --size gpu      Qwen3-0.6B-Base or 4B-Base and real data, see gpu.bash: has not been run, and its commands are only printed
#   --seeds, --jobs how many seeds (5), how many runs at once (2)
#   --print         print the commands instead of running them; always so with --size gpu
#   --scale N       an N-th of every budget and pool, to try the script
#
# Started again it continues: runs that are finished are not repeated, and one that was killed goes on where it was. A run that failed is
# named in the table, and does not stop the others. FOLDER (out/dereason) gets the runs, table.txt and report.html.
set -uo pipefail
here=lab/experiments/dereason
cd "$(dirname "$0")/../../.." || exit
size=laptop seeds=5 jobs=2 out='' scale=1 print=no

# ---- the settings: what the reports call them (report.py reads these lines), and how each is made

settings() {
    cat <<-'END'
	base|base model
	rl|RL only, on all problems
	sft_easy|SFT only, on easy
	sft_all|SFT on everything
	easy_hard|SFT on easy, then SFT on hard
	random_rl|random split: SFT, then RL
	both_rl|both stages on all data
	inverted_rl|inverted: SFT on hard, then RL on easy
	dereason|DeReason: SFT on easy, then RL on hard
	END
}
# Where the second stages begin. They end by pass@k; those of `easy` and `all` go on to be sft_easy and sft_all.
starts() {
    cat <<-'END'
	easy|SFT on easy, ended by pass@k
	random|SFT on a random part, ended by pass@k
	all|SFT on everything, ended by pass@k
	hard|SFT on hard, ended by pass@k
	END
}
# Longest first, and what others wait for before them.
order=(hard all easy random base rl sft_all sft_easy both_rl random_rl dereason inverted_rl easy_hard)

made() { # NAME: its run, in $at
    local left
    case $1 in
    base) beginning ;;
    easy) supervised easy new split "$whole" --stop-when "pass@k:$patience" ;;
    random) supervised random new random "$whole" --stop-when "pass@k:$patience" ;;
    all) supervised all new both "$whole" --stop-when "pass@k:$patience" ;;
    hard) supervised hard new inverted "$whole" --stop-when "pass@k:$patience" ;;
    sft_easy) continued easy sft_easy && supervised sft_easy new split "$whole" ;;
    sft_all) continued all sft_all && supervised sft_all new both "$whole" ;;
    easy_hard) left=$(rest easy 1) && supervised easy_hard easy inverted "$left" ;;
    rl) reinforced rl base both $((whole * sft_batch / rl_batch)) ;;
    random_rl) left=$(rest random rl) && reinforced random_rl random random "$left" ;;
    both_rl) left=$(rest all rl) && reinforced both_rl all both "$left" ;;
    inverted_rl) left=$(rest hard rl) && reinforced inverted_rl hard inverted "$left" ;;
    dereason) left=$(rest easy rl) && reinforced dereason easy split "$left" ;;
    esac
}
needs() { # NAME: the run that it begins with
    case $1 in
    rl) echo base ;;
    sft_easy | easy_hard | dereason) echo easy ;;
    random_rl) echo random ;;
    sft_all | both_rl) echo all ;;
    inverted_rl) echo hard ;;
    esac
}

# ---- how a run is made

# Every command is written down before it runs, in SEED/NAME.commands, of which the report quotes; with --print it is only shown.
run_to() { # FILE (- where it does not matter), command...
    local to=$1 line word
    shift
    line=$(for word in "$@"; do case $word in *[!A-Za-z0-9_./:=,+@-]*) printf '%q ' "$word" ;; *) printf '%s ' "$word" ;; esac done)
    line=${line% }$([ "$to" = - ] || echo " >$to")
    if [ "$print" = yes ]; then
        echo "$line"
        return
    fi
    echo "$line" >>"$at/$task.commands"
    if [ "$to" = - ]; then "$@"; else "$@" >"$to"; fi
}
run() { run_to - "$@"; }
last_step() { sed -n 's/^{"step": \([0-9]*\),.*/\1/p' "$at/$1/log.jsonl" | tail -n 1; }
rest() { # START UNIT: the steps that are left of the budget after a start; of SFT, or with `rl` of RL
    local left
    if [ "$print" = yes ]; then left=$((whole / 2)); else left=$((whole - $(last_step "$1"))); fi # printed: as if it ended half-way
    [ "$2" != rl ] || left=$((left * sft_batch / rl_batch))
    if [ "$left" -lt 1 ]; then
        echo "$1 has used the whole budget, and nothing is left for a second stage" >&2
        return 1
    fi
    echo "$left"
}
# The long SFT runs are the starts that go on, without --stop-when: the same steps to the bit, made once.
continued() { # START NAME
    if [ "$print" = yes ] || [ ! -d "$at/$2" ]; then
        run cp -r "$at/$1" "$at/$2.copy" && run rm -rf "$at/$2.copy/trained" "$at/$2.copy/final" && run mv "$at/$2.copy" "$at/$2"
    fi
}
task() { # SEED NAME: the run and its final figures; what the programs say is in SEED/NAME.txt
    local at=$out/$1 task=$2 seed=$1 first
    first=$(needs "$2")
    if [ "$print" = yes ]; then
        made "$2" && evaluated "$2"
        return
    fi
    while [ -n "$first" ] && [ ! -e "$at/$first/trained" ]; do
        if [ -e "$at/$first.failed" ]; then
            echo "not run: $first failed" | tee "$at/$2.failed" >"$at/$2.txt"
            return
        fi
        sleep 1
    done
    [ -e "$at/$2/trained" ] || { made "$2" && touch "$at/$2/trained"; } >>"$at/$2.txt" 2>&1 </dev/null || echo "see $at/$2.txt" >"$at/$2.failed"
    [ -e "$at/$2.failed" ] || [ -s "$at/$2/final/summary.json" ] || evaluated "$2" >>"$at/$2.txt" 2>&1 </dev/null || echo "see $at/$2.txt" >"$at/$2.failed"
}

# ---- over questions: the greedy responses of all seeds to a question, a setting's against DeReason's

pooled() { # NAME: of those seeds that all settings have
    local part=$out/pooled/$1
    rm -rf "$part"
    mkdir -p "$part"
    for seed in $complete; do grep -h '^{"id":"greedy/' "$out/$seed/$1/final/responses.jsonl"; done |
        sed -E 's/,"evaluate":\{.*\},"text"/,"text"/' >"$part/responses.jsonl"
    for levels in all hard; do
        ./evaluate --responses "$part/responses.jsonl" --tasks $here/greedy.task --data "greedy=$out/final-$levels.jsonl" --samples "$(wc -w <<<"$complete")" \
            --out "$part/$levels" || return
    done >"$part/said.txt" 2>&1
}
compared() { # writes compare-all.txt and compare-hard.txt
    local name levels folders
    complete=''
    for seed in $(seq "$seeds"); do
        for name in $(settings | cut -d '|' -f 1); do [ -s "$out/$seed/$name/final/summary.json" ] || continue 2; done
        complete="$complete $seed"
    done
    rm -f "$out"/compare-*.txt
    [ -n "$complete" ] || return
    for name in $(settings | cut -d '|' -f 1); do pooled "$name" || return; done
    for levels in all hard; do
        folders=("$out/pooled/dereason/$levels")
        for name in $(settings | cut -d '|' -f 1); do [ "$name" = dereason ] || folders+=("$out/pooled/$name/$levels"); done
        {
            echo "./evaluate --compare ${folders[*]}"
            ./evaluate --compare "${folders[@]}" | sed -n '/^greedy: [0-9]* questions that all have/,$p' | grep -v 'responses differs'
        } >"$out/compare-$levels.txt"
    done
}

# ---- everything

if [ "${1:-}" = --task ]; then
    read -r size scale out print <<<"$2"
    . "$here/$size.bash"
    task "$3" "$4"
    exit 0
fi
usage() { sed -n '2,/^set -uo/{/^#/s/^# \{0,1\}//p}' "$0"; }
while [ $# -gt 0 ]; do
    case $1 in
    --size | --seeds | --jobs | --out | --scale) [ $# -gt 1 ] && printf -v "${1#--}" %s "$2" && shift ;;
    --print) print=yes ;;
    *) usage && exit 2 ;;
    esac || { usage && exit 2; }
    shift
done
case $size:$seeds:$jobs:$scale in
laptop:[1-9]*:[1-9]*:[1-9]* | gpu:[1-9]*:[1-9]*:[1-9]*) ;;
*) usage && exit 2 ;;
esac
[ -n "$out" ] || out=out/dereason$([ "$size" = laptop ] || echo "-$size")
. "$here/$size.bash"
export OMP_NUM_THREADS=1
[ "$print" = yes ] || {
    mkdir -p "$out"
    [ ! -e "$out/size" ] || [ "$(cat "$out/size")" = "$size $scale" ] || { echo "$out holds runs of --size and --scale $(cat "$out/size"); give --out another folder" && exit 1; }
    echo "$size $scale" >"$out/size"
    rm -f "$out"/*/*.failed "$out/heldout.commands"
}
at=$out task=heldout
heldout || exit
for seed in $(seq "$seeds"); do
    at=$out/$seed task=data
    [ "$print" = yes ] || mkdir -p "$at"
    data "$seed" || exit
done
begun=$SECONDS
for seed in $(seq "$seeds"); do for name in "${order[@]}"; do printf '%s\0%s\0%s\0' "$size $scale $out $print" "$seed" "$name"; done; done |
    xargs -0 -r -P "$([ "$print" = yes ] && echo 1 || echo "$jobs")" -n 3 "$0" --task
[ "$print" = no ] || exit 0
echo "$(((SECONDS - begun + 59) / 60)) minutes, $jobs runs at once" >>"$out/minutes.txt"
compared
python3 $here/report.py "$out" --seeds "$seeds" --run "$here/run.sh --size $size --seeds $seeds$([ "$scale" = 1 ] || echo " --scale $scale")" && cat "$out/table.txt"
