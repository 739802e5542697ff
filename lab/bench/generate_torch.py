"""The generation figures of dev/gpu_check.sh with transformers' generate, on the same card: a Qwen3 from random weights in bf16, a
batch of equal prompts, greedy, no end token. Prints one JSON line with the names of build/generate_bench: tokens of prompts a second,
and of decoding between the first token and the last.

The better of two: the growing cache, and the static one, for which transformers compiles its decoding step (unless --no-compile).
"""

import argparse
import json
import sys
import time

import torch
import transformers


def make_model(options):
    config = transformers.Qwen3Config.from_json_file(options.config)
    torch.manual_seed(0)
    with torch.device(options.device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


class Clock(transformers.LogitsProcessor):
    """Is asked once for each token, when its scores are there."""

    def __init__(self, device):
        self.device, self.times = device, []

    def __call__(self, ids, scores):
        if self.device == "cuda" and len(self.times) in (0, self.last):  # in between nobody waits
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        return scores


def generate(options, model, ids, new, cache):
    clock = Clock(options.device)
    clock.last = new - 1
    settings = {"cache_implementation": "static"} if cache == "static" else {}
    start = time.perf_counter()
    model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, logits_processor=[clock], **settings)
    return clock.times[0] - start, clock.times[-1] - clock.times[0]


def measure(options, model, cache):
    generator = torch.Generator(device=options.device).manual_seed(1)
    ids = torch.randint(0, model.config.vocab_size, (options.batch, options.prompt), device=options.device, generator=generator)
    generate(options, model, ids, options.new + 1, cache)  # compiles, and settles
    prefill, decode = generate(options, model, ids, options.new + 1, cache)
    return {"cache": cache, "prefill_tokens_per_second": round(ids.numel() / prefill, 1),
            "decode_tokens_per_second": round(options.batch * options.new / decode, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of the model")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=1024)
    parser.add_argument("--new", type=int, default=128)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("generate_torch.py: PyTorch sees no GPU")
    model, best = make_model(options), None
    with torch.inference_mode():
        for cache in ("dynamic", "static") if options.compile else ("dynamic",):
            try:
                figures = measure(options, model, cache)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                continue
            if best is None or figures["decode_tokens_per_second"] > best["decode_tokens_per_second"]:
                best = figures
    if best is None:
        sys.exit("generate_torch.py: the batch does not fit this card")
    print(json.dumps({"generate": "transformers", "batch": options.batch, "prompt": options.prompt, "new": options.new} | best |
                     {"model": options.config, "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
