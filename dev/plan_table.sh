#!/usr/bin/env bash
# Makes the table in docs/train.md of what fits which card, from `train_sft --plan` and `train_rl --plan` with their
# defaults, for Qwen3 of four sizes and cards of 24, 80 and 141 GB. Needs neither a GPU nor nvcc. Argument: the folder
# of the programs; default: this one.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${1:-.}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Documents of 8,192 tokens, more than a micro-batch holds: only their lengths matter here. And prompts.
awk 'BEGIN { for (row = 0; row < 4; row++) {
    printf "{\"ids\": ["; for (i = 0; i < 8192; i++) printf "%s%d", i ? ", " : "", (i + row) % 1000; print "]}" } }' >"$folder/sft.jsonl"
echo '{"problem": "1+1?", "answer": "2", "difficulty": 5}' >"$folder/problem.jsonl"
tokenizer=(--tokenizer dev/demo/tokenizer --template chatml)
"$programs/prepare" "${tokenizer[@]}" --tau 3 --out "$folder/data" "$folder/problem.jsonl" >"$folder/said"

plan() { # sft|rl SIZE CARD
    local model=$folder/$2
    mkdir -p "$model"
    cp "lab/bench/qwen3-$2.json" "$model/config.json"
    case $1 in
    sft) "$programs/train_sft" --init "$model/config.json" --data "$folder/sft.jsonl" --out "$folder/out" --plan --gpu "$3" ;;
    rl) "$programs/train_rl" --model "$model" "${tokenizer[@]}" --data "$folder/data/rl" --out "$folder/out" --plan --gpu "$3" ;;
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
