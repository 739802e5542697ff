#!/usr/bin/env bash
# The scripts of examples/, as they are, with a tiny model on CPUs: under mpirun, torchrun and a Slurm of its own (a controller and four
# node daemons on this machine, which believe in eight GPUs each), where these are installed. Each is stopped in its middle and goes on,
# and the bits are those of one rank.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
mkdir "$work/data"
build/demo_problems train 4 5 6 >"$work/hard.jsonl"
wants 0 train "$work/base" --epochs 1 --export-dtype fp32
wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --tau 3 --out "$work/data" "$work/train.jsonl" "$work/hard.jsonl" \
    >"$work/stdout" 2>"$work/stderr"
export MODEL=$work/base/model DATA=$work/data
export SFT="--template chatml --device cpu --threads 1 --epochs 16 --global-batch 4 --slots 2 --micro-batch-tokens 256 --seq-len 256 --lr 1e-2 --save-every 20 --stuck-after 60"
export RL="--template chatml --device cpu --threads 1 --steps 2 --prompts-per-step 2 --prompts-per-update 2 --samples-per-prompt 4 --max-prompt-tokens 64
    --max-new-tokens 24 --micro-batch-tokens 256 --slots 2 --sequences 6 --pass-tokens 64"
./train_rl --help | grep -q -- "--ranks" || export RL=none            # it has no ranks

# shellcheck disable=SC2086
./train_sft --model "$MODEL" --data "$DATA/sft" $SFT --out "$work/calm/sft" >"$work/stdout" 2>"$work/stderr" || failed "the run of one rank"
# shellcheck disable=SC2086
[ "$RL" = none ] || ./train_rl --model "$work/calm/sft/model" --data "$DATA/rl" $RL --out "$work/calm/rl" >"$work/stdout" 2>"$work/stderr" || failed "the run of one rank"

same() { # what
    same_run "$work/calm/sft" "$OUT/sft" "$1"
    [ "$RL" = none ] || cmp "$work/calm/rl/model/model.safetensors" "$OUT/rl/model/model.safetensors" || failed "$1: RL has other bits"
    rm -rf "$OUT"
}
wants_stop() { # what, command...: it is stopped by a file, and a second start goes on to the end
    local what=$1 status=0
    shift
    "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
    wait_for_step "$OUT/sft" 3
    touch "$OUT/sft/STOP"
    wait $trainer || status=$?
    [ $status = 75 ] || [ -d "$OUT/sft/model" ] || failed "$what: exit status $status after STOP"
    [ $status != 75 ] || [ -e "$OUT/sft/STOPPED" ] || failed "$what: STOPPED is not there"
    wants 0 "$@" >"$work/stdout" 2>"$work/stderr"
    same "$what: stopped by STOP, started again, and the bits are one rank's"
}

by_mpirun() {
    local status=0 starts
    export OUT=$work/mpirun
    if ! timeout 20 mpirun --allow-run-as-root --oversubscribe -n 2 true >"$work/launcher" 2>&1; then
        skipped "examples/mpirun.sh: mpirun is not here"
        return
    fi
    wants_stop "examples/mpirun.sh" examples/mpirun.sh --allow-run-as-root --oversubscribe -n 3
    for starts in 1 2 3 4 5; do                                # whoever starts it again after 75
        examples/mpirun.sh --allow-run-as-root --oversubscribe -n 2 >"$work/stdout" 2>"$work/stderr" &
        trainer=$!
        [ $starts != 1 ] || wait_for_step "$OUT/sft" 3
        [ $starts != 1 ] || kill -USR1 $trainer
        status=0
        wait $trainer || status=$?
        [ $status = 75 ] || break
    done
    [ $status = 0 ] && [ $starts -gt 1 ] || failed "examples/mpirun.sh: exit status $status after USR1, start $starts"
    same "examples/mpirun.sh: USR1 is passed on, all ranks save and end with 75, and the next start goes on"
}

by_torchrun() {
    export OUT=$work/torchrun
    if ! timeout 60 torchrun --no-python --nproc-per-node 1 true >"$work/launcher" 2>&1; then
        skipped "examples/torchrun.sh: torchrun is not here"
        return
    fi
    wants_stop "examples/torchrun.sh" examples/torchrun.sh --nproc-per-node 2
}

# ---- Slurm: keys, state and ports of its own

slurm_begins() {
    local port=$((20000 + RANDOM % 10000)) node
    export SLURM_CONF=$work/slurm/slurm.conf MASTER_ADDR=127.0.0.1
    mkdir -p "$work/slurm/state"
    cat >"$SLURM_CONF" <<-END
	ClusterName=test
	SlurmctldHost=$(hostname)(127.0.0.1)
	SlurmctldPort=$port
	SlurmUser=$(id -un)
	SlurmdUser=$(id -un)
	AuthType=auth/none
	AuthInfo=cred_expire=2
	CredType=cred/none
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	SelectType=select/cons_tres
	GresTypes=gpu
	StateSaveLocation=$work/slurm/state
	SlurmdSpoolDir=$work/slurm/spool-%n
	SlurmctldPidFile=$work/slurm/slurmctld.pid
	SlurmdPidFile=$work/slurm/%n.pid
	SlurmctldLogFile=$work/slurm/slurmctld.log
	SlurmdLogFile=$work/slurm/%n.log
	SlurmdParameters=config_overrides
	ReturnToService=2
	MpiDefault=none
	NodeName=node[1-4] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 4))] CPUs=128 RealMemory=100 Gres=gpu:8 State=UNKNOWN
	PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
    for node in 0 1 2 3 4 5 6 7; do
        : >"$work/slurm/gpu$node"
    done
    echo "NodeName=node[1-4] Name=gpu File=$work/slurm/gpu[0-7]" >"$work/slurm/gres.conf"
    slurmctld -D >"$work/slurm/out" 2>&1 &
    daemons=($!)
    for node in 1 2 3 4; do
        mkdir -p "$work/slurm/spool-node$node"
        slurmd -D -N node$node >"$work/slurm/out$node" 2>&1 &
        daemons+=($!)
    done
    timeout 60 bash -c 'until [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 4 ]; do sleep 0.2; done' ||
        failed "Slurm does not come up: $(sinfo 2>&1; tail -n 5 "$work/slurm/"*.log "$work/slurm/out"*)"
}

slurm_ends() {
    kill "${daemons[@]}"
    wait "${daemons[@]}" || true
}

submitted() { # SCRIPT, more options: the job is $job
    job=$(sbatch --parsable --output "$work/job" "$@") || failed "sbatch $*"
}
job_is() { [ "$(squeue -h -j "$job" -o %T 2>/dev/null)" = "$1" ]; }
waits() { # SECONDS, command...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || failed "in vain: $*; $(squeue 2>&1); $(tail -n 20 "$work/job")"
        sleep 0.1
    done
}
is_over() { ! squeue -h -j "$job" -o %T 2>/dev/null | grep -qE 'PENDING|CONFIGURING|RUNNING|COMPLETING|SUSPENDED|REQUEUED'; }

by_slurm() {
    local script
    if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null || ! command -v sbatch >/dev/null; then
        skipped "the Slurm scripts of examples/: Slurm is not installed"
        return
    fi
    slurm_begins
    for script in slurm_1x8 slurm_4x8; do
        export OUT=$work/$script
        submitted examples/$script.sbatch
        waits 120 [ -s "$OUT/sft/log.jsonl" ]
        scancel --signal=USR1 "$job"                           # what Slurm does itself when its time is nearly up
        waits 60 grep -q "^stopped by a signal\|the model is in" "$work/job"
        waits 240 is_over
        [ -d "$OUT/sft/model" ] || failed "$script: there is no model: $(cat "$work/job")"
        grep -q "going on from" "$work/job" || failed "$script: was not stopped in between: $(cat "$work/job")"
        same "examples/$script.sbatch, as it is: stopped by USR1, requeued by itself, finished, and the bits are one rank's"
        submitted examples/$script.sbatch
        waits 120 [ -s "$OUT/sft/log.jsonl" ]
        touch "$OUT/sft/STOP"
        waits 120 is_over
        [ -e "$OUT/sft/STOPPED" ] || [ -d "$OUT/sft/model" ] || failed "$script: STOP was not seen"
        rm -rf "$OUT"
        proved "examples/$script.sbatch is not queued again after STOP"
    done
    slurm_ends
}

by_mpirun
by_torchrun
[ "$mode" = short ] || by_slurm
