#!/usr/bin/env bash
# The comparison of the DeReason paper, with what its critics ask for: nine settings, equal sequences for all, five seeds, a teacher of
# moderate quality, and SFT that ends where held-out pass@k no longer rises. README.md beside this says what is compared and how.
#
#   lab/experiments/dereason/run.sh [--size laptop|gpu] [--seeds N] [--jobs N] [--out FOLDER] [--print] [--scale N]
#
#   --size laptop   the miniature: a new model of 0.7 million parameters, generated problems; 45 minutes on two cores. The default
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
# The first stages of two. Each ends by pass@k, at the latest after $first steps, and what is left of the budget goes to the second.
starts() {
    cat <<-'END'
	easy|SFT on easy, the first stage
	random|SFT on a random part, the first stage
	all|SFT on everything, the first stage
	hard|SFT on hard, the first stage
	END
}
# Longest first, and what others wait for before them.
order=(hard all easy random base rl both_rl random_rl dereason inverted_rl sft_all sft_easy easy_hard)

made() { # NAME: its run, in $at
    local ends=(--lr-schedule constant --stop-when "pass@k:$patience") falls=(--lr-schedule wsd)
    case $1 in
    base) beginning ;;
    easy) supervised easy new split "$first" "${ends[@]}" ;;
    random) supervised random new random "$first" "${ends[@]}" ;;
    all) supervised all new both "$first" "${ends[@]}" ;;
    hard) supervised hard new inverted "$first" "${ends[@]}" ;;
    sft_easy) supervised sft_easy easy split "$(rest easy sft)" "${falls[@]}" ;;
    sft_all) supervised sft_all all both "$(rest all sft)" "${falls[@]}" ;;
    easy_hard) supervised easy_hard easy inverted "$(rest easy sft)" "${falls[@]}" ;;
    rl) reinforced rl base both $((whole * sft_batch / rl_batch)) ;;
    random_rl) reinforced random_rl random random "$(rest random rl)" ;;
    both_rl) reinforced both_rl all both "$(rest all rl)" ;;
    inverted_rl) reinforced inverted_rl hard inverted "$(rest hard rl)" ;;
    dereason) reinforced dereason easy split "$(rest easy rl)" ;;
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
rest() { # START sft|rl: the steps that are left of the budget after a first stage; printed, as if that had ended where it must
    local left
    if [ "$print" = yes ]; then left=$((whole - first)); else left=$((whole - $(last_step "$1"))); fi
    [ "$2" = sft ] || left=$((left * sft_batch / rl_batch))
    echo "$left"
}
task() { # SEED NAME: the run and its final figures; what the programs say is in SEED/NAME.txt
    local at=$out/$1 task=$2 seed=$1 begins
    begins=$(needs "$2")
    if [ "$print" = yes ]; then
        made "$2" && evaluated "$2"
        return
    fi
    while [ -n "$begins" ] && [ ! -e "$at/$begins/trained" ]; do
        if [ -e "$at/$begins.failed" ]; then
            echo "not run: $begins failed" | tee "$at/$2.failed" >"$at/$2.txt"
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
        sed -E 's/^\{"id":"greedy\//{"id":"/; s/,"evaluate":\{.*\},"text"/,"text"/' >"$part/responses.jsonl"
    for levels in all hard; do
        ./evaluate --responses "$part/responses.jsonl" --tasks $here/pooled.task --data "pooled=$out/final-$levels.jsonl" --samples "$(wc -w <<<"$complete")" \
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
    for name in $(settings | cut -d '|' -f 1); do pooled "$name" || { echo "nothing is compared over questions: see $out/pooled/$name/said.txt" >&2 && return; }; done
    for levels in all hard; do
        folders=("$out/pooled/dereason/$levels")
        for name in $(settings | cut -d '|' -f 1); do [ "$name" = dereason ] || folders+=("$out/pooled/$name/$levels"); done
        {
            echo "./evaluate --compare ${folders[*]}"
            ./evaluate --compare "${folders[@]}" | sed -n '/^pooled: [0-9]* questions that all have/,$p' | grep -v 'responses differs'
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
[ $((SECONDS - begun)) -lt 10 ] || echo "$(((SECONDS - begun + 59) / 60)) minutes, $jobs runs at once" >>"$out/minutes.txt" # else all were finished before
compared
python3 $here/report.py "$out" --seeds "$seeds" --run "$here/run.sh --size $size --seeds $seeds$([ "$scale" = 1 ] || echo " --scale $scale")" && cat "$out/table.txt"
