"""PyTorch's side of the kernel benchmark: the same operations at the same shapes, one JSON line each, with the names that
lab/bench/kernel_bench.cc uses, so that lab/bench/gpu_report.py can put the two beside each other.

Times are taken as there: a cold cache (emptied by reading), device events around one call, the median of --repeats calls, random
inputs. What is timed is what a PyTorch user has: scaled_dot_product_attention with each of its back ends, torch.matmul, rms_norm,
torch.compile where it fuses, fused AdamW, cross_entropy over a linear layer. The first line holds the machine's two ceilings as
PyTorch reaches them. What is not there, or does not fit, is a line with "skipped" and the reason.
"""

import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

MODELS = {  # C, H, Hkv, D, F, V
    "4B": (2560, 32, 8, 128, 9728, 151936),
    "0.6B": (1024, 16, 8, 128, 3072, 151936),
    "8B": (4096, 32, 8, 128, 12288, 151936),
    "tiny": (64, 2, 1, 64, 96, 304),
}
BACK_ENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION,
             "efficient": SDPBackend.EFFICIENT_ATTENTION}


class Bench:
    def __init__(self, options):
        self.options, self.device = options, torch.device(options.device)
        cuda = self.device.type == "cuda"
        size = 3 * torch.cuda.get_device_properties(0).L2_cache_size if cuda else 4096
        self.flush = torch.ones(size // 4, device=self.device)
        self.generator = torch.Generator(device=self.device).manual_seed(1)

    def random(self, *shape, scale=1.0, dtype=torch.bfloat16):
        return torch.randn(*shape, device=self.device, dtype=dtype, generator=self.generator).mul_(scale)

    def once(self, call):
        self.flush.sum()
        if self.device.type != "cuda":
            start = time.perf_counter()
            call()
            return (time.perf_counter() - start) * 1e6
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) * 1e3

    def measure(self, call):
        for _ in range(3):
            self.once(call)
        times = sorted(self.once(call) for _ in range(self.options.repeats))
        median = statistics.median(times)
        return median, (times[len(times) * 3 // 4] - times[len(times) // 4]) / median

    def line(self, kernel, model, shape, peer, prepare):
        """prepare() makes the inputs and returns the call; its failure is a line too, and the next one goes on."""
        if self.options.only not in f"{kernel} {shape}":
            return
        out = {"kernel": kernel, "model": model, "shape": shape, "peer": f"torch {peer}"}
        try:
            microseconds, spread = self.measure(prepare())
            out |= {"peer_us": round(microseconds, 3), "spread": round(spread, 4), "repeats": self.options.repeats}
        except (RuntimeError, torch.OutOfMemoryError) as error:
            out["skipped"] = str(error).strip().split("\n")[0][:200]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        emit(self.options, out)


def emit(options, out):
    text = json.dumps(out)
    print(text, flush=True)
    if options.json:
        options.json.write(text + "\n")
        options.json.flush()


def ceilings(bench):
    count, n = ((1 << 30, 8192) if bench.device.type == "cuda" else (1 << 14, 64))
    source = bench.random(count, dtype=torch.float32)
    target = torch.empty_like(source)
    copy, _ = bench.measure(lambda: target.copy_(source))
    del source, target
    a, b = bench.random(n, n), bench.random(n, n)
    product, _ = bench.measure(lambda: a @ b.T)
    name = torch.cuda.get_device_name(0) if bench.device.type == "cuda" else "CPU"
    emit(bench.options, {"machine": name, "torch": torch.__version__, "copy_gbps": round(8 * count / copy / 1e3, 1),
                         "product_tflops": round(2 * n**3 / product / 1e6, 2)})


def rows(bench, model, T):
    C, H, Hkv, D, width, V = MODELS[model]
    tensor = bench.random
    compiled = bench.options.compile

    def rms_norm():
        x, w = tensor(T, C), tensor(C)
        return lambda: F.rms_norm(x, (C,), w, 1e-6)

    def add_rms_norm():
        def both(x, residual, w):
            total = x + residual
            return total, F.rms_norm(total, (C,), w, 1e-6)
        call, x, residual, w = torch.compile(both), tensor(T, C), tensor(T, C), tensor(C)
        return lambda: call(x, residual, w)

    def swiglu():
        call, gate, up = torch.compile(lambda gate, up: F.silu(gate) * up), tensor(T, width), tensor(T, width)
        return lambda: call(gate, up)

    bench.line("rmsnorm_forward", model, f"T={T} C={C}", "rms_norm", rms_norm)
    if compiled:
        bench.line("rmsnorm_forward, residual", model, f"T={T} C={C}", "compiled", add_rms_norm)
        bench.line("swiglu_forward", model, f"T={T} F={width}", "compiled", swiglu)


def matmuls(bench, model, T):
    C, H, Hkv, D, width, V = MODELS[model]
    weights = (("qkv_proj", (H + 2 * Hkv) * D, C), ("o_proj", C, H * D), ("gate_up_proj", 2 * width, C),
               ("down_proj", C, width))
    for name, N, K in weights:
        shape = f"{name} T={T} N={N} K={K}"

        def operands(form, N=N, K=K):
            if form == "forward":
                x, w = bench.random(T, K), bench.random(N, K, scale=0.02)
                return lambda: x @ w.T
            dy = bench.random(T, N)
            if form == "backward_input":
                w = bench.random(N, K, scale=0.02)
                return lambda: dy @ w
            x = bench.random(T, K)
            return lambda: dy.T @ x  # into bf16, without adding: less to write than ours

        for form in ("forward", "backward_input", "backward_weight"):
            bench.line(f"matmul_{form}", model, shape, "matmul", lambda form=form: operands(form))


def attention(bench, model, documents, length):
    C, H, Hkv, D, width, V = MODELS[model]
    shape = f"documents={documents} length={length} H={H} Hkv={Hkv} D={D}"

    def inputs(back_end, backward):
        kv_heads = H if back_end == "efficient" else Hkv  # that one wants keys and values repeated; done before the clock runs
        q, k, v = (bench.random(documents, heads, length, D).requires_grad_(backward) for heads in (H, kv_heads, kv_heads))
        return q, k, v

    def forward(back_end, q, k, v):
        with sdpa_kernel(BACK_ENDS[back_end]):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=k.shape[1] != H)

    def prepare_forward(back_end):
        q, k, v = inputs(back_end, False)
        return lambda: forward(back_end, q, k, v)

    def prepare_backward(back_end):
        q, k, v = inputs(back_end, True)
        out, dout = forward(back_end, q, k, v), bench.random(documents, H, length, D)
        return lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)

    for back_end in BACK_ENDS:
        bench.line("attention_forward", model, shape, f"sdpa {back_end}", lambda: prepare_forward(back_end))
        bench.line("attention_backward", model, shape, f"sdpa {back_end}", lambda: prepare_backward(back_end))


def decoding(bench, model, sequences, context):
    """One query a sequence over a cache that lies in one piece: kinder to the memory than pages."""
    C, H, Hkv, D, width, V = MODELS[model]

    def prepare(back_end):
        kv_heads = H if back_end == "efficient" else Hkv
        q = bench.random(sequences, H, 1, D)
        k, v = (bench.random(sequences, kv_heads, context, D) for _ in range(2))

        def call():
            with sdpa_kernel(BACK_ENDS[back_end]):
                return F.scaled_dot_product_attention(q, k, v, enable_gqa=kv_heads != H)
        return call

    shape = f"sequences={sequences} context={context} H={H} Hkv={Hkv} D={D}"
    for back_end in BACK_ENDS:
        bench.line("attention_decode", model, shape, f"sdpa {back_end}", lambda: prepare(back_end))


def sampling(bench, model, N):
    C, H, Hkv, D, width, V = MODELS[model]

    def prepare():
        x, w = bench.random(N, C), bench.random(V, C, scale=0.02)
        return lambda: torch.multinomial(F.softmax((x @ w.T).float(), -1), 1, generator=bench.generator)

    bench.line("head_sample", model, f"N={N} C={C} V={V}", "multinomial(softmax(linear)), no log-probability", prepare)


def head(bench, model, N):
    C, H, Hkv, D, width, V = MODELS[model]
    shape = f"N={N} C={C} V={V}"

    def loss(backward):
        x, w = bench.random(N, C).requires_grad_(backward), bench.random(V, C, scale=0.02).requires_grad_(backward)
        targets = torch.randint(0, V, (N,), device=bench.device, generator=bench.generator)
        return x, w, lambda: F.cross_entropy((x @ w.T).float(), targets)

    def prepare_forward():
        return loss(False)[2]

    def prepare_backward():
        x, w, call = loss(True)
        value = call()
        return lambda: torch.autograd.grad(value, (x, w), retain_graph=True)

    def prepare_both():
        x, w, call = loss(True)
        return lambda: torch.autograd.grad(call(), (x, w))

    bench.line("head_forward", model, shape, "cross_entropy(linear)", prepare_forward)
    bench.line("head_backward", model, shape, "cross_entropy(linear), logits kept", prepare_backward)
    bench.line("head_forward_backward", model, shape, "cross_entropy(linear), logits kept", prepare_both)


def optimizer(bench, model):
    C, H, Hkv, D, width, V = MODELS[model]
    count = C * (2 * H + 2 * Hkv) * D + 3 * C * width

    def prepare():
        parameter = bench.random(count, scale=0.02, dtype=torch.float32).requires_grad_(True)
        parameter.grad = bench.random(count, scale=0.02, dtype=torch.float32)
        return torch.optim.AdamW([parameter], lr=1e-5, weight_decay=0.01, fused=True).step

    bench.line("adamw", model, f"elements={count}", "fused AdamW, fp32, no bf16 copy", prepare)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="4B,0.6B,8B", help="of 4B, 0.6B, 8B, tiny")
    parser.add_argument("--only", default="", help="operations whose name or shape has this in it")
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--json", type=argparse.FileType("w"), help="the lines, to a file too")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--ceilings", action="store_true", help="the machine's two limits only")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave out what needs torch.compile")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("peers.py: PyTorch sees no GPU")
    bench = Bench(options)
    ceilings(bench)
    if options.ceilings:
        return
    for model in options.models.split(","):
        tokens, documents = (48, ((1, 48), (2, 24))) if model == "tiny" else (4096, ((1, 4096), (4, 4096), (1, 16384)))
        for count, length in documents:
            attention(bench, model, count, length)
        matmuls(bench, model, tokens)
        for count, context in ((2, 70),) if model == "tiny" else ((1, 16384), (64, 1024), (64, 8192), (256, 1024)):
            decoding(bench, model, count, context)
        for count in (1,) if model == "tiny" else (1, 16, 64, 256):
            sampling(bench, model, count)
        rows(bench, model, tokens)
        head(bench, model, tokens)
        optimizer(bench, model)


if __name__ == "__main__":
    main()
