#!/usr/bin/env bash
# Makes the tables of docs/train.md (which cards hold it) and docs/ranks.md (what a GPU of several holds and sends), from
# `train_sft --plan` and `train_rl --plan` with their defaults, which are the paper's settings. Needs neither a GPU nor
# nvcc. Arguments: cards or ranks; the folder of the programs, default: this one; sizes, default: 0.6b to 32b.
set -euo pipefail
cd "$(dirname "$0")/.."
table=${1:-cards}
programs=${2:-.}
sizes=("${@:3}")
[ ${#sizes[@]} != 0 ] || sizes=(0.6b 1.7b 4b 8b 14b 32b)
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

plan() { # sft|rl SIZE DATA [options]: DATA is of train_sft
    local program=$1 model=$folder/$2 data=$folder/$3.jsonl
    mkdir -p "$model"
    cp "lab/bench/qwen3-$2.json" "$model/config.json"
    shift 3
    case $program in
    sft) "$programs/train_sft" --model "$model" --data "$data" --out "$folder/out" --plan "$@" ;;
    rl) "$programs/train_rl" --model "$model" "${tokenizer[@]}" --data "$folder/data/rl" --out "$folder/out" --plan "$@" ;;
    esac
}

# The table of cards has a row for each size and each of these: a name, sft or rl, options. Add a line for a method.
methods=(
    "SFT|sft|"
    "GRPO|rl|"
    "SFT, LoRA|sft|--lora 16"
    "GRPO, LoRA|rl|--lora 16"
)
columns=(24G 48G 80G 141G)

# GPUS, card, yes, the rest of the verdict; a line for each card, of one plan for all of them.
verdicts() { # sft|rl SIZE GPUS options
    local program=$1 size=$2 gpus=$3
    shift 3
    [ "$gpus" = 1 ] || set -- "$@" --ranks "$gpus"
    plan "$program" "$size" sft --gpu all "$@" >"$folder/said"
    sed -nE "s/^ +([0-9]+G)B  (yes|no), (.*)/$gpus|\\1|\\2|\\3/p" "$folder/said"
}

# A cell: the fewest GPUs of this size that hold it as it is, and fewer with options, where there are such.
cell() { # CARD, verdicts on stdin
    awk -F'|' -v card="$1" '
        $2 != card { next }
        $3 == "yes" && !gpus {
            gpus = $1; match($4, /^[0-9.]+/); how = substr($4, 1, RLENGTH) " GiB"
            if (match($4, /[0-9]+ of [0-9]+ tokens each at once/)) { split(substr($4, RSTART), word, " "); how = word[1] " at once" }
            if ($4 ~ /are recomputed/) how = how ", recomputed"
        }
        $3 == "no" && !gpus && !fewer && match($4, /it fits with [^(]*/) { fewer = $1; options = substr($4, RSTART + 13, RLENGTH - 14) }
        END {
            if (gpus) printf "%d: %s", gpus, how
            if (fewer) printf "%s%d with `%s`", gpus ? "; " : "", fewer, options
            if (!gpus && !fewer) printf "-"
        }'
}

cards() {
    local method name program options gpus size card
    printf '| model | |'
    printf ' %sB |' "${columns[@]}" | sed 's/\([0-9]\)G/\1 G/g'
    printf '\n|---|---|'
    printf '%0.s---|' "${columns[@]}"
    echo
    for size in "${sizes[@]}"; do
        for method in "${methods[@]}"; do
            IFS='|' read -r name program options <<<"$method"
            # shellcheck disable=SC2086
            for gpus in 1 2 4 8; do verdicts "$program" "$size" "$gpus" $options; done >"$folder/verdicts"
            [ "$(wc -l <"$folder/verdicts")" -ge $((4 * ${#columns[@]})) ] || { echo "plan_table: no verdicts for $name of $size" >&2; exit 1; }
            printf '| Qwen3-%s | %s |' "${size^^}" "$name"
            for card in "${columns[@]}"; do printf ' %s |' "$(cell "$card" <"$folder/verdicts")"; done
            echo
        done
    done
}

# Cells of a row: what a GPU holds; what it sends for an update; seconds of sending, of it beside nothing, and of computing.
wire() { # sft|rl SIZE CARD GPUS
    local options=(--ranks "$4")
    [ "$4" -le 8 ] || options+=(--slots "$4") # as many micro-batches as ranks
    plan "$1" "$2" step --gpu "$3" "${options[@]}" >"$folder/said"
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
    for size in "${sizes[@]}"; do
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
