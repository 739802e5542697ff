#!/usr/bin/env bash
# The benchmarks, each with its peer beside it in the same run: matrix products (OpenBLAS), a training step (PyTorch), sampling
# (llama.cpp and transformers), the tokenizer (tiktoken and Hugging Face tokenizers), the preparation of data (transformers), memory
# per token. Peers that are not installed are named and left out.
# A quiet machine matters more than anything else here; each program prints what it could not rule out.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
python=${PYTHON:-python3}
has() { "$python" -c "import $1" 2>/dev/null; }

echo "== matrix products (GFLOP/s; M = 1 in GB/s), two sides in alternation"
build/matmul_bench

echo
echo "== a training step of a 28M-parameter Qwen3, 4 x 512 tokens"
build/step_bench 7
if has torch && has transformers; then
    "$python" lab/reference/torch_step.py --modes fp32,compile,bf16 --steps 5 2>/dev/null
    build/step_bench 7 2>/dev/null
else
    echo "skipped: PyTorch's side needs pip install -r lab/reference/requirements.txt"
fi

echo
echo "== sampling in fp32: models of 30M and 0.6B parameters (lab/bench/generate_bench.py --help says how llama.cpp gets beside it)"
if has torch && has transformers; then
    "$python" lab/bench/generate_bench.py
else
    echo "skipped: the peers need pip install -r lab/reference/requirements.txt; ours alone, 30M:"
    mkdir -p build/generate_models/ours && cp lab/bench/qwen3-30m.json build/generate_models/ours/config.json
    for case in "1 64 64" "8 64 64" "32 64 64" "1 512 1"; do
        read -r batch prompt new <<<"$case"
        build/generate_bench --model build/generate_models/ours --batch "$batch" --prompt "$prompt" --new "$new"
    done
fi

echo
echo "== the tokenizer, one thread"
if [ ! -d ../shared/data/math ]; then
    echo "skipped: no ../shared/data"
elif has tiktoken && has tokenizers; then
    "$python" lab/reference/tokenizer_bench.py --ours "build/tokenizer_bench ../shared/data/qwen3-tokenizer ../shared/data/math/train.jsonl"
else
    build/tokenizer_bench ../shared/data/qwen3-tokenizer ../shared/data/math/train.jsonl
fi

echo
echo "== answers compared, one core"
if [ ! -d ../shared/data/math ]; then
    echo "skipped: no ../shared/data"
else
    build/verify_bench ../shared/data/math/train.jsonl ../shared/data/math/test.jsonl | grep -v "^  equal"
fi

echo
echo "== preparing data, one core, and the loader"
if [ ! -d ../shared/data/math ]; then
    echo "skipped: no ../shared/data"
elif has transformers; then
    "$python" lab/bench/prepare_bench.py --copies 8 ../shared/data/qwen3-tokenizer ../shared/data/math/train.jsonl ../shared/data/gsm8k/train.jsonl
else
    echo "skipped: the Python side needs pip install -r lab/reference/requirements.txt"
fi
build/loader_bench

echo
echo "== memory of activations per token"
build/step_bench --memory

echo
echo "== kernels on the GPU: time, bytes, FLOP, share of what the card can do, and the peer beside each"
if nvidia-smi -L >/dev/null 2>&1; then
    dev/gpu_check.sh --part environment,benchmarks
else
    echo "skipped: no GPU"
fi
