#!/usr/bin/env bash
# Everything to check on a GPU, in one command of less than eight minutes (with the programs built): each kernel against
# the CPU oracle, memory errors and races, which implementations of a product share their bits, the benchmarks beside
# PyTorch's, a step of Qwen3-4B from random weights, generation with it, and PyTorch's own. A part that fails or times
# out does not stop the others. The report, <gpu>-<date>.md, .json, .svg and .log, is rewritten after every part in
# $OUT, or else lab/results/.
#
#   dev/gpu_check.sh [--part NAME,NAME...] [--minutes N] [--programs FOLDER] [--dry-run] [--smoke]
#
# Parts: environment, correctness, sanitizer, chains, ranks, benchmarks, generate, step, rl, torch. The programs (test_cuda, chain_check,
# kernel_bench, generate_bench, rl_bench, train_sft) are those of build/cuda, which make cuda-check makes, statically linked but for CUDA's libraries, so that they may
# come from another machine; where they are not there, they are made first. PyTorch's side is skipped where PyTorch is not.
# --dry-run prints the commands. --smoke: tiny shapes, no GPU asked for; for programs that were linked with test/simt/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

parts=environment,correctness,sanitizer,chains,ranks,benchmarks,generate,step,rl,torch
minutes=8 programs=build/cuda dry="" smoke=""
usage() { sed -n '2,/^set -uo/{/^#/s/^# \{0,1\}//p}' "$0"; }
while [ $# -gt 0 ]; do
    case $1 in
    --part) parts=$2 && shift ;;
    --minutes) minutes=$2 && shift ;;
    --programs) programs=$2 && shift ;;
    --dry-run) dry=1 ;;
    --smoke) smoke=1 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift || { usage >&2; exit 2; }
done

python=${PYTHON:-python3}
eval "$(PYTHON=$python dev/cuda_paths.sh)"
deadline=$((SECONDS + minutes * 60 - 10)) # the last ten seconds are for the report
folder=build/gpu_check results=${OUT:-lab/results}
rm -rf "$folder" && mkdir -p "$folder"
# environment of our programs; PyTorch runs without it, since it brings its own libraries
ours=(env "LD_LIBRARY_PATH=$CUDA_LIBRARIES${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
if [ -z "$smoke" ]; then
    ranks_config=lab/bench/qwen3-0.6b.json
    torch_device=cuda models=4B,0.6B,8B config=lab/bench/qwen3-4b.json lengths="4096 16384" step_tokens=65536
    workload=(--workload 256 --prompt 100 --new 1024) prefill=(--batch 16 --prompt 512 --new 1)
    batch=(--batch 64 --prompt 1024 --new 128) rl=(--prompts 32 --samples 8 --prompt 1024 --new 2048)
else
    ranks_config=$folder/tiny.json
    torch_device=cpu models=tiny config=$folder/tiny.json lengths=64 step_tokens=256
    workload=(--workload 4 --prompt 3 --new 8) prefill=(--batch 2 --prompt 70 --new 1) batch=(--batch 2 --prompt 8 --new 4)
    rl=(--prompts 2 --samples 2 --prompt 5 --new 9 --per-update 1 --micro-batch 30)
    sed -E 's/("(hidden|intermediate)_size"): [0-9]+/\1: 64/; s/("num_(hidden_layers|attention_heads)"): [0-9]+/\1: 2/
            s/("(num_key_value_heads|[be]os_token_id)"): [0-9]+/\1: 1/; s/("head_dim"): [0-9]+/\1: 64/
            s/("vocab_size"): [0-9]+/\1: 304/' \
        lab/bench/qwen3-4b.json >"$config"
fi

# ---- running

note() { # PART NAME STATUS SECONDS TEXT
    printf '%-12s %-32s %-9s %4s s  %s\n' "$1" "$2" "$3" "$4" "$5"
    printf '{"part": "%s", "name": "%s", "status": "%s", "seconds": %s, "note": "%s"}\n' "$1" "$2" "$3" "$4" \
        "$(printf '%s' "$5" | tr -d '\\' | tr '"\t' "' ")" >>"$folder/parts.jsonl"
}

# Why a job cannot run here at all; empty if it can.
obstacle() {
    local word
    for word in "$@"; do
        case $word in "$programs"/*) [ -x "$word" ] || { echo "$word is not here"; return; } ;; esac
    done
    command -v "$1" >/dev/null || echo "$1 is not here"
}

# job PART NAME LIMIT COMMAND...: its output goes to a log named after it, its last line into the report.
job() {
    local part=$1 name=$2 limit=$3 log start=$SECONDS left=$((deadline - SECONDS)) why
    shift 3
    log=$folder/$(printf '%s' "$part-$name" | tr ' /,' '---').txt
    [ "$left" -lt "$limit" ] && limit=$left
    if [ -n "$dry" ]; then
        printf '%-12s %-32s at most %4s s  %s\n' "$part" "$name" "$limit" "$*"
        return
    fi
    why=$(obstacle "$@")
    [ "$limit" -lt 5 ] && why="no time is left"
    if [ -n "$why" ]; then
        note "$part" "$name" skipped 0 "$why"
        return
    fi
    timeout -k 5 "$limit" "$@" >"$log" 2>&1
    judge "$part" "$name" $? $((SECONDS - start)) "$log"
}

# The result of a finished job: its exit code, except where the machine refuses the tool.
judge() {
    local part=$1 name=$2 rc=$3 took=$4 log=$5 status=ok last refused
    local refusals='Device not supported|Failed to initialize|No attachable process|sees no GPU|No module named|attention cudnn: lib|cuDNN needs lib'
    last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | tr -s ' ' | cut -c 1-160)
    refused=$(grep -m 1 -E "$refusals" "$log" | cut -c 1-160)
    case $rc in
    0) ;;
    124 | 137) status="timed out" ;;
    *) status=FAILED ;;
    esac
    [ -n "$refused" ] && [ "$status" != ok ] && status=skipped last=$refused
    if [ "$part-$status" = "sanitizer-timed out" ] && ! grep -qE '^=+ +(Invalid|Error|Race|Program hit)' "$log"; then
        status="cut short" last="no finding in the $(grep -c '^ok' "$log") tests that were reached"
    fi
    note "$part" "$name" "$status" "$took" "$last"
}

# Beside what runs between the two, every 100 ms: the card's clock, its power, and what holds the clock down.
clocks="" # the process
clocks_begin() { # NAME
    if [ -z "$dry" ] && command -v nvidia-smi >/dev/null; then
        nvidia-smi -i 0 --query-gpu=clocks.sm,power.draw,clocks_event_reasons.active --format=csv -lms 100 >"$folder/clocks-$1.csv" 2>&1 &
        clocks=$!
    fi
}
clocks_end() {
    [ -z "$clocks" ] || { kill "$clocks"; wait "$clocks"; } 2>/dev/null
    clocks=""
}
trap clocks_end EXIT

# ---- the parts

part_environment() {
    local card
    {
        date -u +'date %Y-%m-%d %H:%M UTC'
        echo "commit $(cat "$programs/commit" 2>/dev/null || git describe --always --dirty 2>/dev/null || echo unknown)"
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null |
            head -n 1 | sed 's/^/card /'
        [ -n "$NVCC" ] && "$NVCC" --version | sed -n 's/^Cuda compilation tools, /nvcc /p'
        echo "cores $(nproc), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
        "$python" -c 'import torch; print("torch", torch.__version__)' 2>/dev/null
        "$python" -c 'import transformers; print("transformers", transformers.__version__)' 2>/dev/null
    } >"$folder/environment.txt"
    card=$(sed -n 's/^card //p' "$folder/environment.txt")
    if [ -n "$card" ]; then
        note environment card ok 0 "$card"
    elif [ -n "$smoke$dry" ]; then
        note environment card skipped 0 "no GPU is asked for"
    else
        echo "gpu_check: nvidia-smi shows no GPU; --dry-run prints what would be run" >&2
        exit 1
    fi
}

# The programs come prebuilt; missing ones are built here.
part_build() {
    local program
    for program in test_cuda chain_check kernel_bench generate_bench rl_bench train_sft; do
        if [ ! -x "$programs/$program" ] && [ -n "$NVCC" ] && [ -z "$smoke" ]; then
            job build programs 400 make "-j$(nproc)" cuda-check
            return
        fi
    done
}

# Both precisions at once, each with half of the cores for the oracle. --gpu: real widths, 1,000 repeats of the attention's
# backward pass, rows among up to 8,192, and a tiny model's training.
part_correctness() {
    local precision what=(--gpu) threads=$((($(nproc) + 1) / 2))
    [ -n "$smoke" ] && what=(--only rmsnorm)
    for precision in bf16 fp32; do
        job correctness "kernels $precision" 150 "${ours[@]}" DEREASON_CUDA=$precision OMP_NUM_THREADS=$threads \
            "$programs/test_cuda" "${what[@]}" &
    done
    wait
}

# Small shapes, and our own products only: a library's kernels are not ours to check.
part_sanitizer() {
    local tool checker=compute-sanitizer
    command -v $checker >/dev/null || checker=$CUDA_HOME/bin/compute-sanitizer
    for tool in memcheck racecheck; do
        if [ ! -x "$(command -v "$checker")" ] && [ -z "$dry" ]; then
            note sanitizer $tool skipped 0 "compute-sanitizer is not here"
            continue
        fi
        job sanitizer $tool 45 "${ours[@]}" DEREASON_CUDA=bf16 DEREASON_MATMUL=own OMP_NUM_THREADS=4 \
            "$checker" --tool $tool --error-exitcode 9 --print-limit 20 "$programs/test_cuda" &
    done
    wait
}

part_chains() {
    job chains "bits of products" 45 "${ours[@]}" "$programs/chain_check" --json "$folder/chains.jsonl" ${smoke:+--smoke}
}

# 1, 2 and 4 ranks of a small Qwen3 (0.6B; --smoke: tiny) on one card, by NCCL. It refuses two ranks on one GPU of one host, so each has an
# NCCL_HOSTID of its own and they reach each other over sockets. Waits for a card; if NCCL refuses this too, the report has what it says.
part_ranks() {
    job ranks "1, 2 and 4 ranks on one GPU" 120 "${ours[@]}" dev/gpu_ranks.sh "$programs/train_sft" "$ranks_config" "$folder/ranks"
}

# PyTorch's ceilings first: shares are of the best that any program reached here. Then everything, with cuBLASLt beside our own
# products and inside the head; then the head over our own.
part_benchmarks() {
    local bench=("$programs/kernel_bench" ${smoke:+--smoke})
    local ceilings=$folder/ceilings.jsonl
    job benchmarks "ceilings, PyTorch" 30 "$python" lab/bench/peers.py --device $torch_device --ceilings --json "$ceilings"
    if [ -s "$ceilings" ] && [ -z "$smoke" ]; then # two words, not quoted
        bench+=(--ceilings $(sed -n 's/.*"copy_gbps": \([0-9.]*\), "product_tflops": \([0-9.]*\).*/\1 \2/p' "$ceilings"))
    fi
    clocks_begin kernels-alone
    job benchmarks kernels 75 "${ours[@]}" "${bench[@]}" --json "$folder/bench.jsonl"
    clocks_end
    job benchmarks "kernels in a graph" 30 "${ours[@]}" "${bench[@]}" --in-graph --model 4B --json "$folder/bench-graph.jsonl"
    job benchmarks "head over our own products" 20 "${ours[@]}" DEREASON_MATMUL=own "${bench[@]}" --only head_ \
        --model 4B --json "$folder/bench-own.jsonl"
    job benchmarks "kernels, PyTorch" 60 "$python" lab/bench/peers.py --device $torch_device --models $models \
        --json "$folder/peers.jsonl" ${smoke:+--repeats 2 --no-compile}
}

# The workload: requests whose prompts and outputs are U(100, 1024) long, and what share of the bandwidth floor steady decoding
# reaches; then prompts alone; then one batch of equals, beside transformers'.
part_generate() {
    local ours_too=("${ours[@]}" "$programs/generate_bench" --device cuda --repeats 3 --model "$folder/model")
    local ceilings=()
    mkdir -p "$folder/model" && cp "$config" "$folder/model/config.json"
    [ -s "$folder/bench.jsonl" ] && ceilings=($(sed -n '1s/.*"product_tflops": \([0-9]*\)[^,]*,.*"ceiling_copy_gbps": \([0-9]*\).*/--product \1 --copy \2/p' \
        "$folder/bench.jsonl")) # four words, not quoted
    job generate "workload" 100 "${ours_too[@]}" "${ceilings[@]}" "${workload[@]}"
    job generate "prompts" 60 "${ours_too[@]}" "${ceilings[@]}" "${prefill[@]}"
    job generate "batch" 60 "${ours_too[@]}" "${ceilings[@]}" "${batch[@]}"
    job generate "batch, transformers" 100 "$python" lab/bench/generate_torch.py --config "$config" "${batch[@]}" \
        --device $torch_device ${smoke:+--no-compile}
}

# Steps by the clock, then one by its kernels: where a kernel takes longer than alone, the clocks beside both may say why. Then the
# same with cuDNN's attention in place of ours, skipped where cuDNN is not there.
part_step() {
    local length
    for length in $lengths; do
        clocks_begin "steps-of-$length"
        job step "train_sft, documents of $length" 100 "${ours[@]}" "$python" lab/bench/step_sft.py \
            --program "$programs/train_sft" --config $config --tokens $length --global-batch $((step_tokens / length))
        clocks_end
    done
    length=${lengths%% *}
    job step "train_sft by cuDNN, of $length" 100 "${ours[@]}" "$python" lab/bench/step_sft.py --attention cudnn \
        --program "$programs/train_sft" --config $config --tokens $length --global-batch $((step_tokens / length))
}

# A GRPO step by phases; the moments are bf16 where fp32 ones would leave no room for keys and values. Whether layers are recomputed is
# rl_bench's decision.
part_rl() {
    local moments=4 memory
    memory=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits 2>/dev/null | head -n 1)
    [ "${memory:-200000}" -lt 100000 ] && moments=2
    mkdir -p "$folder/model" && cp "$config" "$folder/model/config.json"
    job rl "GRPO step" 150 "${ours[@]}" "$programs/rl_bench" --device cuda --model "$folder/model" "${rl[@]}" --moments $moments
}

# With cuDNN's attention and fp32 weights and moments, as ours: compiled, and eager for the first length. 16,384 tokens at once are not
# tried where they cannot fit: a step that runs out of memory wastes its compilation.
part_torch() {
    local length documents memory way ways
    local attention=cudnn
    [ -n "$smoke" ] && attention=any
    memory=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits 2>/dev/null | head -n 1)
    for length in $lengths; do
        documents=$((step_tokens / 4 / length))
        [ "${memory:-0}" -lt 100000 ] && documents=$(((documents + 1) / 2))
        ways="compiled eager"
        [ "$length" = "${lengths%% *}" ] || ways=compiled
        [ -z "$smoke" ] || ways=eager
        for way in $ways; do
            job torch "PyTorch, $way, documents of $length" 100 "$python" lab/bench/step_torch.py --config $config --tokens $length \
                --documents $documents --global-batch $((step_tokens / length)) --device $torch_device --attention $attention \
                $([ $way = compiled ] || echo --no-compile)
        done
    done
}

# ---- all parts

[[ ,$parts, == *,environment,* ]] || parts=environment,$parts # the report is named after it
[ -n "$dry" ] || mkdir -p "$results"
IFS=, read -r -a wanted <<<"${parts/environment/environment,build}"
for part in "${wanted[@]}"; do
    declare -F "part_$part" >/dev/null || { echo "gpu_check: there is no part $part" >&2; exit 2; }
done
for part in "${wanted[@]}"; do
    "part_$part"
    [ -n "$dry" ] || "$python" lab/bench/gpu_report.py "$folder" "$results" >"$folder/report.out" 2>&1 || cat "$folder/report.out"
done
[ -n "$dry" ] && exit 0
echo
cat "$folder/report.out"
! grep -qE '"status": "(FAILED|timed out)"' "$folder/parts.jsonl"
