#!/bin/bash
# SFT, then RL, started by torchrun: on one node as it is, on several by the same command on each of them, with torchrun's own options:
#
#     MODEL=Qwen3-4B-Base DATA=data OUT=run examples/torchrun.sh --nproc-per-node 8
#     ... examples/torchrun.sh --nproc-per-node 8 --nnodes 4 --rdzv-backend c10d --rdzv-endpoint node1:29400
#
# torchrun ends with 1 whatever its processes end with, so this looks at what they have left behind: while a start has brought a newer
# checkpoint, another is worth it. A file STOP in a run's folder ends it for good.
set -u
model=${MODEL:-Qwen3-4B-Base} data=${DATA:-data} out=${OUT:-run}
launch=("$@")

newest() { cat "$1/checkpoints/latest" 2>/dev/null; }

run() { # FOLDER PROGRAM OPTIONS
    local folder=$1 before
    shift
    until [ -d "$folder/model" ]; do
        before=$(newest "$folder")
        torchrun --no-python "${launch[@]}" "$@" --out "$folder" && return 0
        [ ! -e "$folder/STOPPED" ] || exit 75
        [ "$(newest "$folder")" != "$before" ] || exit 1
    done
}

# shellcheck disable=SC2086
run "$out/sft" ./train_sft --model "$model" --data "$data/sft" ${SFT:-}
# shellcheck disable=SC2086
[ "${RL:-}" = none ] || run "$out/rl" ./train_rl --model "$out/sft/model" --data "$data/rl" ${RL:-}
