#!/bin/bash
# SFT, then RL, started by Open MPI's mpirun, of which only the launching is used; its options are this script's:
#
#     MODEL=Qwen3-4B-Base DATA=data OUT=run examples/mpirun.sh -n 8
#     ... RENDEZVOUS=node1:29500 examples/mpirun.sh -n 32 --host node1:8,node2:8,node3:8,node4:8
#
# On several hosts mpirun does not say where rank 0 is: RENDEZVOUS is its host and a free port there. mpirun passes SIGUSR1 on to all ranks,
# which save and end with 75; what has started this (Slurm, a cron job) may start it again then. After SIGTERM mpirun ends them itself, in
# a moment, so send USR1.
set -u
model=${MODEL:-Qwen3-4B-Base} data=${DATA:-data} out=${OUT:-run}
launch=("$@")

run() { # FOLDER PROGRAM OPTIONS
    local folder=$1
    shift
    [ ! -d "$folder/model" ] || return 0
    mpirun "${launch[@]}" "$@" --out "$folder" ${RENDEZVOUS:+--rendezvous "$RENDEZVOUS"} &
    trap "kill -USR1 $!" USR1
    until wait $!; do
        local status=$?
        [ $status -gt 128 ] && kill -0 $! 2>/dev/null || exit $status # else this script's own signal has ended the wait
    done
}

# shellcheck disable=SC2086
run "$out/sft" ./train_sft --model "$model" --data "$data/sft" ${SFT:-}
# shellcheck disable=SC2086
[ "${RL:-}" = none ] || run "$out/rl" ./train_rl --model "$out/sft/model" --data "$data/rl" ${RL:-}
