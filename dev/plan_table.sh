#!/usr/bin/env bash
# Makes the tables of docs/train.md (what fits which card) and docs/ranks.md (what a GPU of several holds and sends), from
# `train_sft --plan` and `train_rl --plan` with their defaults, which are the paper's settings. Needs neither a GPU nor
# nvcc. Arguments: cards or ranks; the folder of the programs, default: this one.
set -euo pipefail
cd "$(dirname "$0")/.."
table=${1:-cards}
programs=${2:-.}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Documents of 8,192 tokens, more than a micro-batch holds: only their lengths matter here. And prompts.
awk 'BEGIN { for (row = 0; row < 4; row++) {
    printf "{\"ids\": ["; for (i = 0; i < 8192; i++) printf "%s%d", i ? ", " : "", (i + row) % 1000; print "]}" } }' >"$folder/sft.jsonl"
# For ranks: a step's 128 documents of 4,096 tokens, and problems for an update.
awk 'BEGIN { for (row = 0; row < 160; row++) {
    printf "{\"ids\": ["; for (i = 0; i < 4096; i++) printf "%s%d", i ? ", " : "", (i + row) % 1000; print "]}" } }' >"$folder/step.jsonl"
for i in $(seq 128); do echo '{"problem": "'"$i"'+1?", "answer": "'$((i + 1))'", "difficulty": 5}'; done >"$folder/problem.jsonl"
tokenizer=(--tokenizer dev/demo/tokenizer --template chatml)
"$programs/prepare" "${tokenizer[@]}" --tau 3 --out "$folder/data" "$folder/problem.jsonl" >"$folder/said"

plan() { # sft|rl SIZE CARD [options]
    local program=$1 card=$3 model=$folder/$2 data=$folder/sft.jsonl
    mkdir -p "$model"
    cp "lab/bench/qwen3-$2.json" "$model/config.json"
    shift 3
    [ $# = 0 ] || data=$folder/step.jsonl
    case $program in
    sft) "$programs/train_sft" --init "$model/config.json" --data "$data" --out "$folder/out" --plan --gpu "$card" "$@" ;;
    rl) "$programs/train_rl" --model "$model" "${tokenizer[@]}" --data "$folder/data/rl" --out "$folder/out" --plan --gpu "$card" "$@" ;;
    esac
}

# A table cell from the verdict: what the plan takes.
cell() {
    plan "$@" >"$folder/said"
    sed -nE 's/^keys and values: room for .* at once for ([0-9]*) of .*/at once \1/p; s/^fits: //p' "$folder/said" | awk '
        /^at once/ { sequences = ", " $3 " at once"; next }
        /^yes/ { print (/recomputed/ ? "layers recomputed" : "yes") (sequences == "" ? ", " $2 " GiB" : sequences) }
        /it fits with/ { match($0, /it fits with [^(]*/); print "with `" substr($0, RSTART + 13, RLENGTH - 14) "`" }
        /no option/ { match($0, /\([0-9.]* GiB\);/); print "no: at least " substr($0, RSTART + 1, RLENGTH - 3) }'
}

cards() {
    echo "| model | program | 24 GB | 80 GB | 141 GB |"
    echo "|---|---|---|---|---|"
    for size in 0.6b 1.7b 4b 8b; do
        for program in sft rl; do
            printf '| Qwen3-%s | train_%s |' "$(echo $size | tr b B)" $program
            for card in 24G 80G 141G; do
                verdict=$(cell $program $size $card)
                [ -n "$verdict" ] || { echo "plan_table: no verdict for $size on $card" >&2; exit 1; }
                printf ' %s |' "$verdict"
            done
            echo
        done
    done
}

# Cells of a row: what a GPU holds; what it sends for an update; seconds of sending, of it beside nothing, and of computing.
wire() { # sft|rl SIZE CARD GPUS
    local options=(--ranks "$4")
    [ "$4" -le 8 ] || options+=(--slots "$4") # as many micro-batches as ranks
    plan "$1" "$2" "$3" "${options[@]}" >"$folder/said"
    awk -v gpus="$4" '
        /^fits: yes/ { match($0, /[0-9.]+ of/); memory = substr($0, RSTART, RLENGTH - 3) " GiB" (/recomputed/ ? ", layers recomputed" : "") }
        /it fits with/ { match($0, /it fits with [^(]*/); memory = "with `" substr($0, RSTART + 13, RLENGTH - 14) "`" }
        /no option/ { memory = "no" }
        /^keys and values: / && /at once for/ { match($0, /at once for [0-9]+/); at_once = ", " substr($0, RSTART + 12, RLENGTH - 12) " at once" }
        / rounds\. A rank sends/ { match($0, /in [0-9]+ rounds/); rounds = substr($0, RSTART + 3, RLENGTH - 10) }
        /^  a round: / { match($0, /[0-9.]+ GiB/); sent += rounds * substr($0, RSTART, RLENGTH - 4) }
        /^  an update: (weights|gradients)/ { match($0, /[0-9.]+ GiB/); sent += substr($0, RSTART, RLENGTH - 4) }
        / of computing at / { match($0, /[0-9.]+ s of computing/); computing = substr($0, RSTART, RLENGTH - 15)
            match($0, /[0-9.]+ s of sending/); sending = substr($0, RSTART, RLENGTH - 13)
            match($0, /[0-9.]+ s of it beside nothing/); open = substr($0, RSTART, RLENGTH - 23) }
        /has no micro-batch/ { idle = $1 }
        END {
            memory = memory at_once
            if (gpus == 1) print memory " | - | -"
            else printf "%s | %.0f GiB | %s s, of it %s s beside nothing; %s s%s\n", memory, sent, sending, open, computing,
                (idle > 0 ? ", " idle " without work" : "") }' "$folder/said"
}

ranks() {
    echo "| model | program | GPUs | each holds | sends in an update | sending; computing |"
    echo "|---|---|---|---|---|---|"
    for size in 0.6b 1.7b 4b 8b 14b 32b; do
        for program in sft rl; do
            for gpus in 1 8 64 512; do
                cells=$(wire $program $size 141G $gpus)
                case $cells in ' |'*) echo "plan_table: no verdict for $size on $gpus" >&2 && exit 1 ;; esac
                echo "| Qwen3-$(echo $size | tr b B) | train_$program | $gpus | $cells |"
            done
        done
    done
}

case $table in
cards | ranks) $table ;;
*) echo "plan_table: cards or ranks, not $table" >&2 && exit 2 ;;
esac
