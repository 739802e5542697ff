#!/usr/bin/env bash
# Several ranks have the bits of one, and lose no more: whatever their number, how they were started, and what kills one of them.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
calm=$work/calm
wants 0 train "$calm"

every_number_of_ranks_has_the_bits_of_one() {
    local ranks
    for ranks in 2 3 4; do
        wants 0 train "$work/ranks" --ranks $ranks --shard $([ $ranks = 3 ] && echo weights || echo state)
        grep -q "^$ranks ranks (--ranks), on " "$work/stdout" || failed "that there are $ranks ranks is not said"
        [ "$(grep -c "going on\|step 1/" "$work/stdout")" = 1 ] || failed "more than one rank writes to the terminal"
        same_run "$calm" "$work/ranks" "$ranks ranks$([ $ranks != 3 ] || echo ", layers divided,") have the bits of one: log, checkpoints, model"
        diff <(state_of "$calm") <(state_of "$work/ranks") || failed "another named state"
        rm -rf "$work/ranks"
    done
}

# The log counts what rank 0 has sent in a step; beside gradients and weights that is little: losses, and whether anybody has had a signal.
what_is_sent_is_what_was_planned() {
    local shard planned sent
    for shard in state weights; do
        wants 0 train "$work/ranks" --ranks 3 --slots 3 --eval-every 0 --shard $shard
        sent=$(sed -nE 's/.*"step": 2,.*"sent_bytes": ([0-9]*).*/\1/p' "$work/ranks/log.jsonl")
        wants 0 train "$work/unused" --ranks 3 --slots 3 --shard $shard --plan
        planned=$(sed -nE 's/^  a step: ([0-9]*) bytes in all.*/\1/p' "$work/stdout")
        [ "$sent" -ge "$planned" ] && [ "$sent" -le $((planned + planned / 50)) ] || failed "--shard $shard: $sent bytes are sent, $planned planned"
        rm -rf "$work/ranks"
    done
    proved "what rank 0 of three sends in a step is what --plan says, to within 2% of small messages, with layers divided or not"
}

a_run_goes_on_with_another_number_of_ranks() {
    local out=$work/other ranks
    for ranks in 3 1 4 2; do # each is stopped in the middle of something
        train_in_background "$out" --save-every 1 --ranks $ranks --shard $([ $ranks -lt 4 ] && echo weights || echo state)
        sleep "0.$((RANDOM % 5 + 2))"
        kill -TERM $trainer 2>/dev/null || true
        local status=0
        wait $trainer 2>/dev/null || status=$?
        [ $status = 0 ] || [ $status = 75 ] || failed "exit status $status after SIGTERM to $ranks ranks"
    done
    wants 0 train "$out" --save-every 1 --ranks 2
    same_run "$calm" "$out" "stopped by SIGTERM and resumed with 3, 1, 4 and 2 ranks: the same bits"
    rm -rf "$out"
}

start_three() {
    train_in_background "$1" --save-every 1 --ranks 3
    sleep "$(printf '0.%03d' $((20 + RANDOM % 400)))"
}

a_killed_rank_costs_an_interval() {
    local out=$work/killed
    kill_ranks_often start_three same_run "$1" "$out" "$calm"
    wants 0 train "$out" --save-every 1 --ranks 2
    same_run "$calm" "$out" "$1 times kill -9 of one of three ranks or their launcher (SEED=$seed): the others end, and the bits are the same"
    rm -rf "$out"
}

a_rank_that_stands_still_is_named() {
    local out=$work/still pids status=0 begun
    train_in_background "$out" --ranks 3 --stuck-after 2 --save-every 1 --epochs 1000
    wait_for_step "$out" 3
    mapfile -t pids < <(children_of $trainer)
    kill -STOP "${pids[1]}"
    begun=$SECONDS
    wait $trainer || status=$?
    [ $status = 1 ] || failed "exit status $status where a rank stood still"
    # 2 of --stuck-after and a heartbeat of 1; up to 5 until the others have ended (TO_END in ranks/watch.c), and 10 that the launcher
    # leaves to one that does not end by itself (GRACE in ranks/fork.c)
    [ $((SECONDS - begun)) -le 18 ] || failed "it took $((SECONDS - begun)) seconds"
    grep -qE "nothing was heard for 2 seconds from rank 1 on " "$work/stderr" || failed "rank 1 is not named"
    ! kill -0 "${pids[1]}" 2>/dev/null || failed "the rank that stood still is still there"
    proved "a rank that stands still is named, and ended with the others"
    rm -rf "$out"
}

# N, RANK, PORT: what torchrun would say to this one.
by_hand() { echo "RANK=$2 WORLD_SIZE=$1 LOCAL_RANK=$2 LOCAL_WORLD_SIZE=$1 MASTER_ADDR=127.0.0.1 MASTER_PORT=$3"; }

# A disk that does not answer: rank 0's thread finds that its own main thread does not get on, ends its process, and the other says why.
a_save_that_hangs_is_named() {
    local out=$work/hangs port=$((20000 + RANDOM % 10000)) status=0 begun=$SECONDS
    # shellcheck disable=SC2046
    env $(by_hand 2 0 $port) LD_PRELOAD="$PWD/build/test/faults/faults.so" FAULT=sync:40:hang ./train_sft "${recipe[@]}" --out "$out" \
        --stuck-after 2 --save-every 1 >"$work/stdout" 2>"$work/other" &
    # shellcheck disable=SC2046
    wants 1 env $(by_hand 2 1 $port) ./train_sft "${recipe[@]}" --out "$out" --stuck-after 2 --save-every 1 >"$work/stdout" 2>"$work/stderr"
    wait $! || status=$?
    [ $status = 1 ] || failed "rank 0 has ended with $status"
    [ $((SECONDS - begun)) -lt 30 ] || failed "it took $((SECONDS - begun)) seconds"
    says "rank 0 on $(hostname) has made no progress for 2 seconds; last it was in saving the checkpoint of step"
    grep -q "rank 0 on .* has made no progress for 2 seconds; last it was in saving" "$work/other" || failed "rank 0 does not say it: $(cat "$work/other")"
    wants 0 train "$out" --save-every 1 --ranks 2
    same_run "$calm" "$out" "a save that hangs is named with its rank and step, and ends the run; the same command goes on"
    rm -rf "$out"
}

# An error of one rank is on the terminal of rank 0, which may be the only one that somebody reads.
the_error_of_another_rank_is_told_by_rank_0() {
    local out=$work/error port=$((20000 + RANDOM % 10000)) status=0
    # shellcheck disable=SC2046
    env $(by_hand 2 1 $port) LD_PRELOAD="$PWD/build/test/faults/faults.so" FAULT=mmap:1:5 ./train_sft "${recipe[@]}" --out "$out" >"$work/stdout" 2>"$work/other" &
    # shellcheck disable=SC2046
    wants 1 env $(by_hand 2 0 $port) ./train_sft "${recipe[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr"
    wait $! || status=$?
    [ $status = 1 ] || failed "rank 1 has ended with $status"
    says "ends because rank 1 on $(hostname) failed: $(sed 's/^train_sft: rank 1: //' "$work/other")"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "rank 0 says more than that"
    proved "an error of rank 1 is rank 0's last line, too"
    rm -rf "$out"
}

# Another program listens at rank 0's port, and says nothing, or something of its own.
a_port_that_is_taken() {
    local out=$work/taken port status=0 begun=$SECONDS
    judge_begins hang taker
    port=$(sed -E 's,.*:([0-9]+).*,\1,' <<<"$judge")
    launched "$out" "$(by_hand 2 0 "$port")" "$(by_hand 2 1 "$port")"
    same_run "$calm" "$out" "rank 0's port is taken: all ranks come to the next one by themselves"
    rm -rf "$out"
    ./train_sft "${recipe[@]}" --out "$out" --ranks 2 --rank 1 --rendezvous 127.0.0.1:"$port" >"$work/stdout" 2>"$work/other" &
    wants 1 train "$out" --ranks 2 --rank 0 --rendezvous 127.0.0.1:"$port"
    says "rank 0 cannot listen at port $port"
    wait $! || status=$?
    [ $status = 1 ] && [ $((SECONDS - begun)) -lt 60 ] || failed "rank 1 has ended with $status after $((SECONDS - begun)) seconds"
    grep -q "what answers at 127.0.0.1:$port is not rank 0 of this run" "$work/other" || failed "rank 1 does not say it: $(cat "$work/other")"
    judge_ends
    proved "with --rendezvous both ranks say that its port is taken, and neither waits for long"
}

# As torchrun, mpirun and srun start them: by the environment, each process for itself.
launched() { # OUT, then for each rank its variables, in one word
    local out=$1 said children=() child
    shift
    for said in "$@"; do
        # shellcheck disable=SC2086
        env $said ./train_sft "${recipe[@]}" --out "$out" >>"$work/stdout" 2>>"$work/stderr" &
        children+=($!)
    done
    for child in "${children[@]}"; do
        wait "$child" || failed "a rank failed"
    done
}

launchers_are_understood() {
    local port=$((20000 + RANDOM % 10000)) out=$work/launched
    : >"$work/stdout"
    launched "$out" "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port" \
        "RANK=1 WORLD_SIZE=2 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port"
    same_run "$calm" "$out" "started by torchrun's variables: the bits of one"
    rm -rf "$out"
    launched "$out" "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3 PMIX_NAMESPACE=$$.$port" \
        "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3 PMIX_NAMESPACE=$$.$port" \
        "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3 PMIX_NAMESPACE=$$.$port"
    same_run "$calm" "$out" "started by Open MPI's variables: the bits of one"
    rm -rf "$out"
    local node="SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=localhost SLURM_JOB_ID=$$$port"
    launched "$out" "SLURM_PROCID=0 SLURM_LOCALID=0 $node" "SLURM_PROCID=1 SLURM_LOCALID=1 $node"
    same_run "$calm" "$out" "started by the variables of a Slurm step: the bits of one"
    rm -rf "$out"
}

# The launchers themselves, where they are.
a_launcher_that_is_here_starts_a_run() {
    local out=$work/real launcher
    for launcher in "mpirun --allow-run-as-root --oversubscribe -n 3" "torchrun --no-python --nproc-per-node 2" "srun --overcommit -n 2"; do
        if ! command -v "${launcher%% *}" >/dev/null || ! timeout 20 $launcher true >/dev/null 2>&1; then
            skipped "a run by ${launcher%% *}, which is not here"
            continue
        fi
        $launcher ./train_sft "${recipe[@]}" --out "$out" >"$work/stdout" 2>"$work/stderr" || failed "$launcher: exit status $?"
        same_run "$calm" "$out" "started by $launcher: the bits of one"
        rm -rf "$out"
    done
}

ranks_that_do_not_want_the_same_are_told_apart() {
    local port=$((20000 + RANDOM % 10000)) status=0
    ./train_sft "${recipe[@]}" --out "$work/no" --ranks 2 --rank 1 --rendezvous 127.0.0.1:$port --lr 1e-3 >"$work/other" 2>&1 &
    wants 1 train "$work/no" --ranks 2 --rank 0 --rendezvous 127.0.0.1:$port
    wait $! || status=$?
    [ $status = 1 ] || failed "rank 1 has ended with $status"
    grep -q 'rank 0 on .* has "lr = 0.01", and rank 1 "lr = 0.001"' "$work/other" || failed "what differs is not said: $(cat "$work/other")"
    [ ! -e "$work/no" ] || failed "a run has begun whose ranks want different things"
    proved "ranks with different options do not begin: the first that differs is named"
}

# A terminal sends Ctrl-C to all of its group, the launching process and the ranks.
an_interrupt_of_all_is_one_signal() {
    local out=$work/interrupted status=0
    setsid ./train_sft "${recipe[@]}" --out "$out" --ranks 3 --epochs 1000 >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
    wait_for_step "$out" 5
    kill -INT -- -$trainer
    wait $trainer || status=$?
    [ $status = 75 ] || failed "exit status $status after Ctrl-C"
    grep -q "stopped by a signal and saved after step" "$work/stdout" || failed "nothing is saved"
    proved "Ctrl-C stops all ranks, and saves"
    rm -rf "$out"
}


# As torchrun and mpirun do who are killed with -9: nobody is left to end what they have started.
ranks_do_not_outlive_their_launcher() {
    local port=$((20000 + RANDOM % 10000)) out=$work/orphans pids pid
    cat >"$work/launch.sh" <<-'END'
	for rank in 0 1; do
	    RANK=$rank WORLD_SIZE=2 LOCAL_RANK=$rank LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port ./train_sft "$@" &
	done
	wait
	END
    port=$port bash "$work/launch.sh" "${recipe[@]}" --out "$out" --epochs 100000 >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
    wait_for_step "$out" 5
    mapfile -t pids < <(children_of $trainer)
    [ ${#pids[@]} = 2 ] || failed "${#pids[@]} ranks instead of two"
    kill -9 $trainer
    wait $trainer 2>/dev/null || true
    for pid in "${pids[@]}"; do
        timeout 20 tail --pid="$pid" -f /dev/null || failed "rank $pid goes on without its launcher"
    done
    says "the process that started this rank has ended"
    proved "ranks end when their launcher is killed"
    rm -rf "$out"
}

what_does_not_fit_together_is_refused() {
    wants 2 train "$work/no" --ranks 2 --rank 2 --rendezvous 127.0.0.1:2000
    says "of --ranks 2 the last is 1"
    wants 2 train "$work/no" --ranks 2 --rank 1
    says "give --ranks N, --rank 0 to N - 1"
    RANK=0 WORLD_SIZE=2 wants 2 train "$work/no" --ranks 2
    says "torchrun has started 2 processes already"
    wants 2 train "$work/no" --ranks 2 --rank 0
    wants 2 train "$work/no" --ranks 2 --rank 0 --rendezvous here
    says "HOST:PORT is wanted"
    wants 1 train "$work/no" --ranks 2 --rank 0 --rendezvous 127.0.0.1:$((20000 + RANDOM % 10000)) --stuck-after 1
    says "of 2 ranks, 1 has not come to 127.0.0.1:"
    [ ! -e "$work/no" ] || failed "a run without its ranks has begun"
    wants 2 train "$work/no" --ranks 2 --rendezvous 127.0.0.1:2000
    says "--ranks starts its processes on this machine"
    RANK=1 wants 1 train "$work/no"
    says "RANK is 1, but WORLD_SIZE is missing"
    wants 0 train "$work/no" --ranks 4 --plan
    grep -q "gradients: sums" "$work/stdout" || failed "the plan of four ranks has no divided sums"
    proved "ranks that are missing or named twice, and addresses that are none, are refused; a plan starts none"
}

every_number_of_ranks_has_the_bits_of_one
what_is_sent_is_what_was_planned
a_run_goes_on_with_another_number_of_ranks
a_killed_rank_costs_an_interval $([ "$mode" = long ] && echo 300 || echo 4)
a_rank_that_stands_still_is_named
a_save_that_hangs_is_named
the_error_of_another_rank_is_told_by_rank_0
a_port_that_is_taken
launchers_are_understood
[ "$mode" = short ] || a_launcher_that_is_here_starts_a_run
ranks_that_do_not_want_the_same_are_told_apart
an_interrupt_of_all_is_one_signal
ranks_do_not_outlive_their_launcher
what_does_not_fit_together_is_refused
