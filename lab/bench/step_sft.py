"""Times train_sft itself: a Qwen3 from random weights on documents of --tokens random tokens, all trained but the first of each.
Prints one JSON line.

One more step is timed operation by operation, and its profile.json (docs/formats.md) is "profile".
The options are the first of a list, from the fastest to the one that takes least memory, whose --plan fits the card with a
gibibyte to spare. The run is ended (killed: one that ends by itself would save 48 GB) after --steps steps; tokens a second come
from the clock of log.jsonl, from one step's line to the next, the first step left out. Peak memory is what nvidia-smi saw at
most, asked every three seconds so as not to be in the way (all memory is taken before the first step); "start_seconds" is what came before the first step, with random weights made on the host.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

GIBIBYTE = 1 << 30


def write_rows(path, documents, tokens, vocabulary):
    numbers = random.Random(1)
    with open(path, "w") as file:
        for _ in range(documents):
            ids = numbers.choices(range(vocabulary), k=tokens)
            file.write(json.dumps({"ids": ids, "labels": [-100] + ids[1:]}) + "\n")


def ladder(options):
    """Options of memory, best first: recomputation costs most, then half the moments' precision, then small micro-batches."""
    micro_batches = sorted({max(options.tokens, tokens) for tokens in (16384, 8192, 4096)}, reverse=True)
    for recompute in ("none", "layer"):
        for moments in ("fp32", "bf16"):
            for tokens in micro_batches:
                yield {"moments": moments, "recompute": recompute, "micro-batch-tokens": tokens}


def nvidia_smi(what):
    words = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits", "-i", "0"]
    out = subprocess.run(words, capture_output=True, text=True)
    return int(out.stdout) * (1 << 20) if out.stdout.strip().isdigit() else 0


class MemoryWatch(threading.Thread):
    def __init__(self, wanted):
        super().__init__(daemon=True)
        self.peak, self.over, self.wanted = 0, threading.Event(), wanted

    def run(self):
        while self.wanted and not self.over.wait(3):
            self.peak = max(self.peak, nvidia_smi("memory.used"))


def command(options, folder, memory):
    words = [options.program, "--init", options.config, "--data", f"{folder}/rows.jsonl", "--out", f"{folder}/out",
             "--device", options.device, "--seq-len", str(options.tokens), "--global-batch", str(options.global_batch),
             "--slots", "1", "--steps", "100000", "--resume", "none", "--profile-step", str(options.steps + 1), "--attention", options.attention]
    for name, value in memory.items():
        words += [f"--{name}", str(value)]
    return words


def planned_bytes(options, folder, memory):
    out = subprocess.run(command(options, folder, memory) + ["--plan"], capture_output=True, text=True)
    found = re.search(r"^in all\s+([0-9.]+) MiB", out.stdout, re.MULTILINE)
    if out.returncode != 0 or found is None:
        sys.exit(f"step_sft.py: --plan failed: {out.stderr.strip()}")
    return int(float(found[1]) * (1 << 20))


def choose(options, folder, room):
    for memory in ladder(options):
        planned = planned_bytes(options, folder, memory)
        if planned + GIBIBYTE <= room:
            return memory, planned
    sys.exit("step_sft.py: no way of running this model fits the card")


def log_lines(folder):
    path = f"{folder}/out/log.jsonl"
    if not os.path.exists(path):
        return []
    with open(path) as file:
        text = file.read()
    lines = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
    return [line for line in lines if "event" not in line]


def watch_run(options, folder, memory):
    """The log's lines of the steps, and what the program said; the program is ended when the step behind them has its profile."""
    with open(f"{folder}/said", "w") as said:
        program = subprocess.Popen(command(options, folder, memory), stdout=said, stderr=said)
        while program.poll() is None and not os.path.exists(f"{folder}/out/profile.json"):
            time.sleep(0.05)
        program.kill()
        program.wait()
    with open(f"{folder}/said") as said:
        return log_lines(folder)[:options.steps], said.read()


def measure(options, folder):
    with open(options.config) as file:
        vocabulary = json.load(file)["vocab_size"]
    write_rows(f"{folder}/rows.jsonl", options.global_batch, options.tokens, vocabulary)
    cuda = options.device == "cuda" and shutil.which("nvidia-smi") is not None
    room = nvidia_smi("memory.total") - nvidia_smi("memory.used") if cuda else 1 << 60
    memory, planned = choose(options, folder, room)
    watch = MemoryWatch(cuda)
    watch.start()
    start = time.monotonic()
    lines, said = watch_run(options, folder, memory)
    whole = time.monotonic() - start
    watch.over.set()
    watch.join()
    if not os.path.exists(f"{folder}/out/profile.json"):
        sys.exit(f"step_sft.py: the steps were not made:\n{said}")
    first = lines[0]["tokens"] / lines[0]["tokens_per_second"]
    seconds = [b["seconds"] - a["seconds"] for a, b in zip(lines, lines[1:])]
    tokens = lines[1]["tokens"]
    with open(f"{folder}/out/profile.json") as file:
        profile = json.load(file)
    own = re.search(r"^matrix products of our own kernel[^:]*: (.*)", said, re.MULTILINE)
    return {"step": "dereason", "model": options.config, "tokens": options.tokens, "attention": options.attention, "tokens_a_step": tokens,
            "tokens_per_second": round(tokens / statistics.median(seconds), 1), "step_seconds": [round(s, 4) for s in seconds],
            "first_step_seconds": round(first, 3), "start_seconds": round(whole - first - sum(seconds), 1),
            **memory, "planned_bytes": planned, "peak_bytes": watch.peak, "losses": [line["loss"] for line in lines],
            "grad_norms": [line["grad_norm"] for line in lines], "profile": profile, "own_products": own[1] if own else ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/cuda/train_sft")
    parser.add_argument("--config", required=True, help="config.json of the model")
    parser.add_argument("--tokens", type=int, default=4096, help="of a document")
    parser.add_argument("--global-batch", type=int, default=16, help="documents of a step")
    parser.add_argument("--steps", type=int, default=4, help="the first is not counted")
    parser.add_argument("--attention", choices=("own", "cudnn"), default="own", help="whose: train_sft's --attention")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="step_sft-")
    try:
        print(json.dumps(measure(options, folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
