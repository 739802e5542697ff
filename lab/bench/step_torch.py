"""The training step of dev/gpu_check.sh in PyTorch with transformers, on the same card: forward, loss, backward, clipping, AdamW
of a Qwen3 from random weights, over documents of --tokens random tokens, all trained. Prints one JSON line.

What is compared is what a PyTorch user would run: transformers' Qwen3ForCausalLM with SDPA, of which cuDNN's kernels are asked for
(--attention; they are the fastest on Hopper), each decoder layer and the loss under torch.compile (layers share one compilation) or
eager, fused AdamW, clip_grad_norm_. Weights: "fp32" has parameters, gradients and both moments in fp32 and computes under bf16
autocast (16 bytes a parameter, as ours); "bf16" has all of them in bf16 (8 bytes: less memory, less traffic, less precision). Micro-batches are as many documents as fit; where one does not, layers are computed
again going back (gradient checkpointing). The line says which of these it was.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel


def make_model(options, checkpointing):
    config = transformers.Qwen3Config.from_json_file(options.config)
    config.use_cache = False
    dtype = torch.bfloat16 if options.weights == "bf16" else torch.float32
    torch.manual_seed(0)
    with torch.device(options.device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa").train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if options.compile:
        for layer in model.model.layers:
            layer.compile()
    return model


def loss_of(hidden, weight, ids, trained):
    logits = F.linear(hidden[:, :-1], weight).float()
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum") / trained


def step(options, model, optimizer, loss, batches):
    trained = sum(ids.shape[0] * (ids.shape[1] - 1) for ids in batches)
    autocast = options.weights == "fp32"
    for ids in batches:
        with torch.autocast(options.device, torch.bfloat16) if autocast else contextlib.nullcontext():
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            value = loss(hidden, model.lm_head.weight, ids, trained)
        value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return value


def synchronize(options):
    if options.device == "cuda":
        torch.cuda.synchronize()


def measure(options, documents, checkpointing):
    model = make_model(options, checkpointing)
    loss = torch.compile(loss_of) if options.compile else loss_of
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True)
    generator = torch.Generator(device=options.device).manual_seed(1)
    times = []
    for number in range(options.steps + 2):  # the first two compile and settle
        shape = (documents, options.tokens)
        batches = [torch.randint(0, model.config.vocab_size, shape, device=options.device, generator=generator)
                   for _ in range(max(1, options.global_batch // documents))]
        synchronize(options)
        start = time.perf_counter()
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION) if options.attention == "cudnn" else contextlib.nullcontext():
            value = step(options, model, optimizer, loss, batches)
        synchronize(options)
        if number >= 2:
            times.append(time.perf_counter() - start)
    tokens = documents * len(batches) * options.tokens
    return {"step": "pytorch", "model": options.config, "tokens": options.tokens, "tokens_a_step": tokens,
            "tokens_per_second": round(tokens / statistics.median(times), 1), "step_seconds": [round(t, 4) for t in times],
            "weights": options.weights, "attention": options.attention, "compile": options.compile, "documents_a_micro_batch": documents,
            "checkpointing": checkpointing, "loss_of_last_micro_batch": round(value.item() * len(batches), 4)}


def ladder(options):
    """From the fastest to the one that takes least memory."""
    documents = options.documents
    while documents >= 1:
        yield documents, False
        documents //= 2
    documents = options.documents
    while documents >= 1:
        yield documents, True
        documents //= 2


def attempt(options, documents, checkpointing):
    """None when the memory does not suffice; everything is given back when this returns."""
    try:
        return measure(options, documents, checkpointing)
    except torch.OutOfMemoryError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of the model")
    parser.add_argument("--tokens", type=int, default=4096, help="of a document")
    parser.add_argument("--documents", type=int, default=4, help="of a micro-batch, at most")
    parser.add_argument("--global-batch", type=int, default=16, help="documents of a step")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--weights", choices=("bf16", "fp32"), default="fp32")
    parser.add_argument("--attention", choices=("cudnn", "any"), default="any", help="SDPA's kernels; any: PyTorch's choice")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args()
    cuda = options.device == "cuda"
    if cuda and not torch.cuda.is_available():
        sys.exit("step_torch.py: PyTorch sees no GPU")
    for documents, checkpointing in ladder(options):
        result = attempt(options, documents, checkpointing)
        if result is not None:
            break
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        sys.exit("step_torch.py: not even one document fits this card")
    if cuda:
        result |= {"card": torch.cuda.get_device_name(0), "peak_bytes": torch.cuda.max_memory_reserved()}
    print(json.dumps(result | {"torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
