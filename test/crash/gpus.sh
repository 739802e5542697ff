#!/usr/bin/env bash
# --gpus: a run on several GPUs has the bits of one, whatever their number and however memory travels between them, also when either
# changes after a stop; and a rank that is killed or stands still is named. Under SIMT with stand-ins for NCCL and the driver
# (test/simt/nccl.c, driver.c); on a machine with GPUs the same commands run there.
. "$(dirname "$0")/common.bash"
simt=build/simt/race/train_sft
export SIMT_DEVICES=4 TMPDIR=$work OMP_WAIT_POLICY=passive

cuda_model 304 false 12
head -n 3 "$work/rows.jsonl" >"$work/heldout.jsonl"
recipe=(--init "$work/config.json" --data "$work/rows.jsonl" --eval-data "$work/heldout.jsonl" --steps 3 --global-batch 6 --slots 2
    --micro-batch-tokens 64 --lr 1e-3 --save-every 1 --stuck-after 30)

on_gpus() { "$simt" "${recipe[@]}" "$@" >"$work/stdout" 2>"$work/stderr"; }
notes() { grep -qF -- "$1" "$work/stdout" || failed "it is not said that: $1"; }

calm=$work/calm
wants 0 on_gpus --device cuda --out "$calm"

every_number_of_gpus_has_the_bits_of_one() {
    local order gpus out=$work/some
    for order in late early; do
        for gpus in 2 4; do
            [ "$mode" = long ] || [ $order$gpus = late2 ] || [ $order$gpus = early4 ] || continue
            SIMT_STREAMS=$order wants 0 on_gpus --gpus $gpus --out "$out"
            notes "$gpus ranks (--gpus), on "
            notes "NCCL 2.28.9 between GPUs"
            same_run "$calm" "$out" "$gpus GPUs have the bits of one, streams $order"
            diff <(state_of "$calm") <(state_of "$out") >"$work/stderr" || failed "another named state in the checkpoint"
            rm -rf "$out"
        done
    done
    SIMT_DEVICES=3 wants 0 on_gpus --gpus all --recompute layer --out "$out"
    notes "3 ranks (--gpus), on "
    same_run "$calm" "$out" "--gpus all: all three, layers recomputed"
    rm -rf "$out"
    wants 0 on_gpus --gpus 2 --shard weights --out "$out"
    same_run "$calm" "$out" "--shard weights: two GPUs that divide the layers' weights, too"
    rm -rf "$out"
}

adapters_too() {
    local gpus adapted=(--model "$calm" "${recipe[@]:2}" --lora 8 --export-dtype fp32)
    for gpus in 1 2 4; do
        wants 0 "$simt" "${adapted[@]}" --gpus $gpus --out "$work/lora$gpus" >"$work/stdout" 2>"$work/stderr"
        same_run "$work/lora1" "$work/lora$gpus" "$gpus GPUs with adapters have the bits of one"
    done
}

fp32_too_and_what_is_exported_in_fp32() {
    local -x DEREASON_CUDA=fp32
    wants 0 on_gpus --device cuda --export-dtype fp32 --out "$work/parity"
    wants 0 on_gpus --gpus 2 --export-dtype fp32 --out "$work/parity2"
    same_run "$work/parity" "$work/parity2" "in fp32, where weights are their own masters"
    [ "$mode" = long ] || return 0
    DEREASON_CUDA=bf16 wants 0 on_gpus --device cuda --export-dtype fp32 --out "$work/masters"
    DEREASON_CUDA=bf16 wants 0 on_gpus --gpus 2 --export-dtype fp32 --out "$work/masters2"
    same_run "$work/masters" "$work/masters2" "masters that two ranks own are exported by one"
}

# SIMT's devices are processes of one machine: here each claims to be on another host, as two ranks on one card have to.
memory_travels_as_it_can() {
    local out=$work/way port=$((20000 + RANDOM % 10000)) other
    DEREASON_LINK=host wants 0 on_gpus --gpus 2 --out "$out"
    notes "through memory of the host (rank 0: DEREASON_LINK=host)"
    same_run "$calm" "$out" "through memory of the host"
    rm -rf "$out"
    mkdir -p "$work/alone/bin" && cp $simt "$work/alone/bin" # no libraries beside it
    wants 0 "$work/alone/bin/train_sft" "${recipe[@]}" --device cuda --ranks 2 --out "$out" >"$work/stdout" 2>"$work/stderr"
    notes "through memory of the host (rank 0: libnccl.so.2 was not found"
    same_run "$calm" "$out" "without NCCL"
    rm -rf "$out"
    wants 1 "$work/alone/bin/train_sft" "${recipe[@]}" --gpus 2 --out "$work/no" >"$work/stdout" 2>"$work/stderr"
    says "there is no NVIDIA driver on this machine"
    DEREASON_LINK=nccl wants 1 "$work/alone/bin/train_sft" "${recipe[@]}" --ranks 2 --device cuda --out "$work/no" >"$work/stdout" 2>"$work/stderr"
    says "DEREASON_LINK=nccl: libnccl.so.2 was not found"
    SIMT_DEVICES=1 NCCL_HOSTID=second $simt "${recipe[@]}" --out "$out" --ranks 2 --rank 1 --rendezvous 127.0.0.1:$port >"$work/other" 2>&1 &
    other=$!
    SIMT_DEVICES=1 NCCL_HOSTID=first wants 0 on_gpus --out "$out" --ranks 2 --rank 0 --rendezvous 127.0.0.1:$port
    wait $other || failed "rank 1: $(cat "$work/other")"
    notes "NCCL 2.28.9 between GPUs"
    same_run "$calm" "$out" "two ranks on one GPU, each with an NCCL_HOSTID of its own"
    rm -rf "$out"
}

a_run_goes_on_with_another_number_of_gpus() { # and with layers' weights divided (ZeRO-3) or whole (ZeRO-2)
    local out=$work/changing gpus step=1
    for gpus in 2 4 3; do
        DEREASON_LINK=$([ $gpus = 4 ] && echo host || echo auto) wants 0 on_gpus --gpus $gpus --out "$out" \
            --shard $([ "$1" = weights ] && [ $gpus != 4 ] && echo weights || echo state)
        [ $step = 3 ] || rm -rf "$out/model" "$out"/checkpoints/step-{$((step + 1)),3}
        step=$((step + 1))
    done
    same_run "$calm" "$out" "begun on 2 GPUs, gone on with on 4 and 3$([ "$1" = state ] || echo ", layers divided by 2, whole on 4, divided by 3"): the same bits"
    diff <(state_of "$calm") <(state_of "$out") >"$work/stderr" || failed "another named state in the checkpoint"
    rm -rf "$out"
}

# The entropy's part of the loss gives every response a gradient, whatever its reward.
reinforcement_and_answers_too() {
    local common=(--template chatml) rl=$work/rl gpus
    sed 's/"vocab_size": 304/"vocab_size": 1152/' "$work/config.json" >"$work/wide.json"
    build/demo_problems train 4 4 4 >"$work/hard.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer "${common[@]}" --tau 3 --out "$work/rl-data" "$work/hard.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 ./train_sft --tokenizer dev/demo/tokenizer "${common[@]}" --init "$work/wide.json" --data "$work/hard.jsonl" --out "$work/begun" \
        --steps 1 --device cpu >"$work/stdout" 2>"$work/stderr"
    common+=(--model "$work/begun" --data "$work/rl-data/rl" --steps 2 --prompts-per-step 4 --prompts-per-update 2 --samples-per-prompt 3
        --max-prompt-tokens 96 --max-new-tokens 12 --overlong-buffer 10 --micro-batch-tokens 256 --slots 2 --lr 1e-3 --entropy-coef 0.01 --save-every 1)
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$rl" --device cuda >"$work/stdout" 2>"$work/stderr"
    ! grep -q '"actor/grad_norm": 0,' "$rl/log.jsonl" || failed "a step has no gradient"
    for gpus in 2 4; do
        wants 0 build/simt/race/train_rl "${common[@]}" --out "$rl-$gpus" --gpus $gpus >"$work/stdout" 2>"$work/stderr"
        diff -r "$rl/rollouts" "$rl-$gpus/rollouts" >"$work/stderr" || failed "other responses with $gpus GPUs"
        same_run "$rl" "$rl-$gpus" "reinforcement learning on $gpus GPUs has the bits of one"
    done
    rm -rf "$rl-2/model" "$rl-2/checkpoints/step-2"
    wants 0 build/simt/race/train_rl "${common[@]}" --out "$rl-2" --gpus 4 >"$work/stdout" 2>"$work/stderr"
    notes "going on from $rl-2/checkpoints/step-1, after step 1"
    diff -r "$rl/rollouts" "$rl-2/rollouts" >"$work/stderr" || failed "other responses after a step on 2 GPUs and one on 4"
    same_run "$rl" "$rl-2" "reinforcement learning, a step on 2 GPUs and one on 4, has the bits of one"
    wants 0 build/simt/race/generate --model "$calm/model" --prompts "$work/heldout.jsonl" --max-new-tokens 5 --context 64 --device cuda \
        --out "$work/answers" >"$work/stdout" 2>"$work/stderr"
    wants 0 build/simt/race/generate --model "$calm/model" --prompts "$work/heldout.jsonl" --max-new-tokens 5 --context 64 --gpus 2 \
        --out "$work/answers-2" >"$work/stdout" 2>"$work/stderr"
    cmp "$work/answers" "$work/answers-2" || failed "other answers with two GPUs"
    proved "./generate on two GPUs writes the file of one"
}


gpus_in_background() {
    $simt "${recipe[@]}" --steps 10000 --save-every 20 --keep-checkpoints 1 --eval-every 100000 "$@" >"$work/stdout" 2>"$work/stderr" &
    trainer=$!
}

a_rank_that_is_lost_is_named_and_ends_the_others() {
    local out=$work/lost signal pids pid status
    for signal in KILL STOP; do
        gpus_in_background --gpus 3 --out "$out" --stuck-after 3
        wait_for_step "$out" 5
        mapfile -t pids < <(children_of $trainer)
        kill -$signal "${pids[1]}"
        status=0
        wait $trainer || status=$?
        [ $status = 137 ] || [ $status = 1 ] || failed "exit status $status after SIG$signal of a rank"
        grep -qE "rank 1 on .* has ended|rank 1 was ended by signal 9|from rank 1 on |has waited for 3 seconds" "$work/stderr" || failed "what is wrong is not said"
        for pid in "${pids[@]}"; do
            timeout 15 tail --pid="$pid" -f /dev/null || failed "process $pid outlives the run"
        done
        rm -rf "$out"
        proved "SIG$signal of a rank on a GPU is said, and ends the others"
    done
}

a_signal_saves() {
    local out=$work/signal status=0
    gpus_in_background --gpus 2 --out "$out"
    wait_for_step "$out" 5
    kill -TERM $trainer
    wait $trainer || status=$?
    [ $status = 75 ] || failed "exit status $status after SIGTERM"
    notes "stopped by a signal and saved after step"
    proved "SIGTERM to a run on GPUs saves, and ends with 75"
    rm -rf "$out"
}

what_does_not_fit_is_refused() {
    SIMT_DEVICES=2 wants 2 on_gpus --gpus 3 --out "$work/no"
    says "--gpus 3: 2 are visible here"
    wants 2 on_gpus --gpus 2 --device cpu --out "$work/no"
    says "--device cpu uses none"
    wants 2 on_gpus --gpus two --out "$work/no"
    says "--gpus two: a number from 1 to 64 is wanted, or all"
    wants 2 on_gpus --gpus 2 --ranks 2 --out "$work/no"
    says "drop --ranks"
    ! SIMT_DEVICES=2 on_gpus --ranks 3 --out "$work/no" || failed "three ranks run on two GPUs" # 2 of that rank, or 1 of one that lost it
    says "is number 2 of the run on its host, counted from 0, and sees 2 GPUs"
    SIMT_DEVICES=1 wants 2 on_gpus --ranks 2 --out "$work/no"
    says "ranks 0 and 1, on"
    says "have the same GPU"
    SIMT_DEVICES=0 wants 1 on_gpus --gpus all --out "$work/no"
    says "--gpus: the NVIDIA driver gives no answer"
    DEREASON_LINK=wire wants 1 on_gpus --gpus 2 --out "$work/no"
    says "DEREASON_LINK=wire: take auto, host or nccl"
    [ ! -e "$work/no/checkpoints" ] || failed "a run has begun"
    wants 0 on_gpus --gpus 4 --plan --out "$work/no"
    grep -q "gradients: in transfer" "$work/stdout" || failed "the plan has no gradients in transfer"
    proved "more ranks than GPUs, a GPU for two, and options that contradict each other are refused; a plan starts none"
}

every_number_of_gpus_has_the_bits_of_one
fp32_too_and_what_is_exported_in_fp32
memory_travels_as_it_can
[ "$mode" = short ] || adapters_too
[ "$mode" = short ] || a_run_goes_on_with_another_number_of_gpus state
a_run_goes_on_with_another_number_of_gpus weights
reinforcement_and_answers_too
a_rank_that_is_lost_is_named_and_ends_the_others
a_signal_saves
what_does_not_fit_is_refused
[ "$mode" = short ] || test/simt/mutants.sh
