#!/usr/bin/env bash
# Several ranks on one GPU: a few steps of fine-tuning with 1, 2 and 4 ranks, whose logs and models must have the same bits. NCCL takes
# ranks with different NCCL_HOSTID for ranks on different hosts, and so lets them share a card.
#
#   dev/gpu_ranks.sh TRAIN_SFT CONFIG.json FOLDER
set -euo pipefail
program=$1 config=$2 folder=$3 port=$((20000 + RANDOM % 10000))
rm -rf "$folder" && mkdir -p "$folder"
awk 'BEGIN { for (line = 1; line <= 16; line++) {
    printf "{\"ids\": [%d", line
    for (i = 1; i < 60 + line * 7 % 30; i++) printf ", %d", (i * 3 + line * 5) % 300
    print "]}" } }' >"$folder/rows.jsonl"
recipe=(--init "$config" --data "$folder/rows.jsonl" --steps 2 --global-batch 8 --slots 4 --micro-batch-tokens 256 --seq-len 128
    --save-every 0 --save-minutes 0 --device cuda --stuck-after 60)

# RANKS: each a process that is started by hand, as they share a card
train() {
    local ranks=$1 rank pids=() pid
    for ((rank = 1; rank < ranks; rank++)); do
        DEREASON_LINK=nccl NCCL_HOSTID=host$rank "$program" "${recipe[@]}" --out "$folder/$ranks" --ranks "$ranks" --rank $rank \
            --rendezvous 127.0.0.1:$port >"$folder/rank$rank.txt" 2>&1 &
        pids+=($!)
    done
    if [ "$ranks" = 1 ]; then
        "$program" "${recipe[@]}" --out "$folder/1" --ranks 1
    else
        DEREASON_LINK=nccl NCCL_HOSTID=host0 "$program" "${recipe[@]}" --out "$folder/$ranks" --ranks "$ranks" --rank 0 --rendezvous 127.0.0.1:$port
    fi
    for pid in "${pids[@]}"; do wait "$pid" || { cat "$folder"/rank*.txt && return 1; }; done
}

for ranks in 1 2 4; do
    train $ranks
    diff <(sed 's/, "seconds".*//' "$folder/1/log.jsonl") <(sed 's/, "seconds".*//' "$folder/$ranks/log.jsonl")
    cmp "$folder/1/model/model.safetensors" "$folder/$ranks/model/model.safetensors"
    [ $ranks = 1 ] || rm -rf "${folder:?}/$ranks"
done
echo "1, 2 and 4 ranks on one GPU, by NCCL: the same log and the same model"
