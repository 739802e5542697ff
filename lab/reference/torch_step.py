"""The PyTorch peer of the training-step benchmark: one full step (forward, loss, backward, clipping, AdamW) of a small Qwen3 on
the CPU.

Four documents of 512 tokens in one micro-batch, all tokens trained. One JSON line a mode: fp32, compile (torch.compile), bf16
(the faster of bf16 weights and autocast). --steps are timed after --warmup; the median counts. cores_used below the number of
threads says that the machine had other things to do, and that the times are not to be quoted.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

DOCUMENTS, TOKENS, VOCABULARY = 4, 512, 8192


def make_model(dtype):
    torch.manual_seed(0)
    config = Qwen3Config(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, head_dim=64, num_key_value_heads=2,
                         intermediate_size=1536, vocab_size=VOCABULARY, tie_word_embeddings=True, attn_implementation="sdpa",
                         max_position_embeddings=TOKENS, use_cache=False,
                         rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    return Qwen3ForCausalLM(config).to(dtype).train()


def measure(name, dtype, autocast, compiled, warmup, steps):
    model = make_model(dtype)
    parameters = list(model.parameters())
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True)
    ids = torch.randint(0, VOCABULARY, (DOCUMENTS, TOKENS + 1), generator=torch.Generator().manual_seed(1))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1)
    times, busy = [], []
    for _ in range(warmup + steps):
        start, start_busy = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16) if autocast else contextlib.nullcontext():
            logits = forward(input_ids=inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.float().view(-1, VOCABULARY), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - start)
        busy.append(time.process_time() - start_busy)
    median = statistics.median(times[warmup:])
    return {"mode": name, "step_seconds": round(median, 4), "tokens_per_second": round(DOCUMENTS * TOKENS / median, 1),
            "fastest_step": round(min(times[warmup:]), 4), "steps": steps, "threads": torch.get_num_threads(),
            "cores_used": round(sum(busy[warmup:]) / sum(times[warmup:]), 2),
            "parameters": sum(p.numel() for p in parameters), "loss": round(loss.item(), 4), "torch": torch.__version__}


def product_peak(seconds=1.0):
    """What one large fp32 matrix product reaches here: the practical ceiling of the machine under the same threads."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - start))
    return {"mode": "matmul_peak", "gflops": round(best / 1e9, 1), "threads": torch.get_num_threads()}


def run(mode, warmup, steps):
    if mode == "peak":
        return product_peak()
    if mode == "bf16":
        both = [measure("bf16 weights", torch.bfloat16, False, False, warmup, steps),
                measure("bf16 autocast", torch.float32, True, False, warmup, steps)]
        return min(both, key=lambda result: result["step_seconds"])
    return measure(mode, torch.float32, False, mode == "compile", warmup, steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", default="peak,fp32,compile,bf16", help="comma-separated: peak, fp32, compile, bf16")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for mode in options.modes.split(","):
        if mode not in ("peak", "fp32", "compile", "bf16"):
            sys.exit(f"torch_step.py: no mode {mode}; there are peak, fp32, compile and bf16")
        print(json.dumps(run(mode, options.warmup, options.steps)), flush=True)


if __name__ == "__main__":
    main()
