"""Makes one report of what dev/gpu_check.sh measured: <gpu>-<date>.md for people, .json with every line, .svg (the roofline) and
.log (what every program said). Called after each part, so that a run that is cut short leaves what it had.

    gpu_report.py FOLDER RESULTS      reads FOLDER (build/gpu_check), writes into RESULTS, prints a summary
"""

import collections
import glob
import json
import os
import re
import statistics
import subprocess
import sys

AIM_TOKENS, AIM_SHARE, AIM_DECODE, AIM_PREFILL, AIM_DECODING, AIM_STEP = 20000, 0.92, 0.70, 0.60, 19000, 35
AIM_ATTENTION = {"attention_forward": 590, "attention_backward": 475}  # TFLOP/s, and cuDNN's in the same run
PEAK = 989e12  # bf16, dense, of an H100 or H200 by its datasheet
ABOUT_BITS = r"row|repeat|twice|alone|neighbour|bits|same"  # tests whose names promise that bits do not move
LARGE = 16e6  # bytes under which a launch costs more than the memory
FORMULA = ("6 x (parameters of all matrices: a tied embedding once, as the head) + 6 x layers x heads x head width x (document "
           "length + 1), operations a token: three products for each matrix, and two for each half square of attention, forward "
           "and twice going back; what is computed again to save memory is not counted")


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip().startswith("{") and line.strip().endswith("}")]


def read_text(path):
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as file:
        return file.read()


# ---- kernels: our lines, with PyTorch's times among the peers


def merge_kernels(folder):
    lines = read_lines(f"{folder}/bench.jsonl") + [k for k in read_lines(f"{folder}/bench-own.jsonl") if "kernel" in k]
    peers = [p for p in read_lines(f"{folder}/peers.jsonl") if "peer_us" in p]
    graphs = {(g["graph_kernel"], g["model"], g["shape"]): g for g in read_lines(f"{folder}/bench-graph.jsonl") if "graph_kernel" in g}
    for k in lines:
        if "kernel" not in k:
            continue
        k.update(graphs.get((k["kernel"], k["model"], k["shape"]), {}))
        for p in peers:
            if all(p[key] == k[key] for key in ("kernel", "model", "shape")):
                k["peers"][p["peer"]] = p["peer_us"]
        if k["peers"]:
            k["peer"] = min(k["peers"], key=k["peers"].get)
            k["peer_us"] = k["peers"][k["peer"]]
            k["ratio"] = round(k["peer_us"] / k["us"], 4)
    return lines


def kernel_table(kernels):
    out = ["| kernel | model | shape | MB | GFLOP | us | in a graph | GB/s | TFLOP/s | share of the limit | fastest peer | its us | ratio |",
           "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for k in kernels:
        name = k["kernel"] + (f' (products: {k["products"]})' if k["kernel"].startswith("head") else "")
        work = f'{k["tflops"]:.0f}' if k["flops"] else ""
        graph = f'{k["graph_us"]:.1f}' if "graph_us" in k else ""
        amounts = f'{k["bytes"] / 1e6:.1f} | {k["flops"] / 1e9:.1f}'
        peer = f'{k["peer"]} | {k["peer_us"]:.1f} | {k["ratio"]:.2f}' if "peer" in k else " | | "
        odd = "" if k["finite"] else ", NOT A NUMBER"
        out.append(f'| {name} | {k["model"]} | {k["shape"]} | {amounts} | {k["us"]:.1f} | {graph} | {k["gbps"]:.0f} | {work} | '
                   f'{100 * k["share"]:.0f}% of {k["limit"]}{odd} | {peer} |')
    return out


# ---- bits


def classes_of_equal_bits(lines):
    """Names in groups, those of one group without a single difference."""
    groups = []
    for line in lines:
        for name in (line["one"], line["other"]):
            if not any(name in group for group in groups):
                groups.append({name: True})
    for line in lines:
        if line["differ"] == 0:
            one, other = (next(g for g in groups if line[side] in g) for side in ("one", "other"))
            if one is not other:
                one.update(other)
                groups.remove(other)
    return [list(group) for group in groups]


def chain_section(lines):
    out = []
    chains = [line for line in lines if line["check"] == "chains"]
    for data in dict.fromkeys((line["data"], line["k"]) for line in chains):
        same = [line for line in chains if (line["data"], line["k"]) == data]
        groups = "; ".join("{" + ", ".join(group) + "}" for group in classes_of_equal_bits(same))
        far = max(line["apart"] for line in same)
        out.append(f"- {data[0]}, k = {data[1]}: equal bits within {groups}; the largest distance between any two is {far:.1e}")
    rows = [line for line in lines if line["check"] == "rows"]
    for by, form in dict.fromkeys((line["by"], line["form"]) for line in rows):
        same = [line for line in rows if (line["by"], line["form"]) == (by, form)]
        counts = ", ".join(str(line["rows"]) for line in same)
        alone, ours = ([str(line["rows"]) for line in same if line[key]] for key in ("differ", "from_ours"))
        kept = f"rows change with their number at {', '.join(alone)}" if alone else "every row keeps its bits"
        against = "" if by == "our own" else f"; other bits than ours at {', '.join(ours)}" if ours else "; the bits of our own"
        out.append(f"- {by}, {form}, among {counts} rows: {kept}{against}")
    for line in lines:
        if line["check"] == "padding":
            out.append(f'- {line["by"]}, one row alone and padded to sixteen: {line["differ"]} of {line["of"]} outputs differ')
    weights = [line for line in lines if line["check"] == "weights"]
    if weights:
        ours = [str(line["rows"]) for line in weights if line["from_ours"]]
        found = f"other bits than ours over {', '.join(ours)} rows" if ours else "the bits of our own"
        out.append(f"- cuBLASLt, gradients of weights: {found}")
    return out


def test_section(folder):
    """Counts, what failed, and the tests that are about repeats and rows."""
    out = []
    for path in sorted(glob.glob(f"{folder}/correctness-*.txt")):
        lines = read_text(path).splitlines()
        out.append(f"- {os.path.basename(path)[:-4]}: {lines[-1] if lines else 'nothing was said'}")
        out += [f"  - {line}" for line in lines if line.startswith("FAILED")]
        out += [f"  - {line}" for line in lines if line.startswith("ok") and re.search(ABOUT_BITS, line)]
    return out


# ---- steps


def flops_per_token(config_path, tokens):
    with open(config_path) as file:
        c = json.load(file)
    width, layers, q = c["hidden_size"], c["num_hidden_layers"], c["num_attention_heads"] * c["head_dim"]
    kv = c["num_key_value_heads"] * c["head_dim"]
    matrices = layers * (width * (2 * q + 2 * kv) + 3 * width * c["intermediate_size"]) + c["vocab_size"] * width
    return 6 * matrices + 6 * layers * q * (tokens + 1)


def read_steps(folder, ceiling):
    steps = []
    for path in sorted(glob.glob(f"{folder}/step-*.txt") + glob.glob(f"{folder}/torch-*.txt")):
        for step in read_lines(path):
            if "step" not in step or "tokens_per_second" not in step or not os.path.exists(step["model"]):
                continue
            step["flops_per_token"] = flops_per_token(step["model"], step["tokens"])
            step["mfu_989"] = round(step["flops_per_token"] * step["tokens_per_second"] / PEAK, 4)
            if ceiling:
                step["mfu_measured"] = round(step["flops_per_token"] * step["tokens_per_second"] / ceiling, 4)
            steps.append(step)
    return steps


def step_settings(s):
    if s["step"] == "dereason":
        whose = "" if s.get("attention", "own") == "own" else ", attention by cuDNN"
        return f'{s["moments"]} moments, recompute {s["recompute"]}, micro-batch {s["micro-batch-tokens"]} tokens{whose}'
    return (f'{s["weights"]} weights and moments, {"compiled" if s["compile"] else "eager"}, SDPA by '
            f'{"cuDNN" if s["attention"] == "cudnn" else "any kernel"}, {s["documents_a_micro_batch"]} documents a '
            f'micro-batch, {"" if s["checkpointing"] else "no "}checkpointing, torch {s["torch"]}, '
            f'transformers {s["transformers"]}')


def step_table(steps):
    out = ["| program | document | tokens/s | MFU at 989 | MFU at the measured ceiling | peak memory | loss | settings |",
           "|---|---|---|---|---|---|---|---|"]
    for s in steps:
        loss = s["losses"][-1] if "losses" in s else s["loss_of_last_micro_batch"]
        measured = f'{100 * s["mfu_measured"]:.1f}%' if "mfu_measured" in s else ""
        out.append(f'| {s["step"]} | {s["tokens"]} | {s["tokens_per_second"]:.0f} | {100 * s["mfu_989"]:.1f}% | {measured} | '
                   f'{s.get("peak_bytes", 0) / 1e9:.1f} GB | {loss:.3f} | {step_settings(s)} |')
    return out


def profile_section(steps):
    """The operations of the profiled steps, with their times per shape, and what is in none of them."""
    out = []
    for s in steps:
        if "profile" not in s:
            continue
        p = s["profile"]
        rest = p["seconds"] - p["kernel_seconds"]
        whose = "" if s.get("attention", "own") == "own" else ", with cuDNN's attention"
        out += [f'Documents of {s["tokens"]}{whose}, step {p["step"]}: {1e3 * p["seconds"]:.0f} ms by the clock, {1e3 * p["kernel_seconds"]:.0f} ms in '
                f'kernels, {1e3 * rest:.0f} ms = {100 * rest / p["seconds"]:.1f}% in none.', "",
                "| operation | shape | calls | ms | share | TFLOP/s |", "|---|---|---|---|---|---|"]
        for o in p["operations"]:
            rate = f'{o["flops"] / o["seconds"] / 1e12:.3g}' if o.get("flops") and o["seconds"] else ""
            out.append(f'| {o["operation"]} | {o.get("shape", "")} | {o["calls"]} | {1e3 * o["seconds"]:.1f} | '
                       f'{100 * o["seconds"] / p["seconds"]:.1f}% | {rate} |')
        own = s.get("own_products") or "none"
        out += ["", f"Products that cuBLASLt was asked for and our own kernel made: {own}.", ""]
    return out


def clocks_section(folder):
    """Medians over the samples that had at least half of the highest power: those in which the card was at work."""
    out = []
    for path in sorted(glob.glob(f"{folder}/clocks-*.csv")):
        found = re.findall(r"^(\d+) MHz, ([0-9.]+) W, (0x[0-9a-fA-F]+)", read_text(path), re.MULTILINE)
        busy = [f for f in found if 2 * float(f[1]) >= max(float(g[1]) for g in found)]
        if not busy:
            continue
        reasons = collections.Counter(f"0x{int(f[2], 16):x}" for f in busy).most_common(3)
        held = ", ".join(f"{name} in {100 * count / len(busy):.0f}%" for name, count in reasons)
        out.append(f"- {os.path.basename(path)[7:-4]}: {statistics.median(int(f[0]) for f in busy):.0f} MHz, "
                   f"{statistics.median(float(f[1]) for f in busy):.0f} W (medians of {len(busy)} samples at work); "
                   f"clocks_event_reasons {held}")
    return out


# ---- generation


def read_generation(folder):
    return [line for path in sorted(glob.glob(f"{folder}/generate-*.txt")) for line in read_lines(path) if "generate" in line]


def generation_table(lines):
    out = ["| program | requests | prompt | new | prefill tokens/s | decode tokens/s | what more |", "|---|---|---|---|---|---|---|"]
    for g in lines:
        if "workload" in g:
            share = f', {100 * g["steady_share_of_floor"]:.0f}% of the bandwidth floor' if "steady_share_of_floor" in g else ""
            out.append(f'| {g["generate"]} | {g["workload"]}, all lengths drawn | | | | {g["steady_tokens_per_second"]:.0f} | steady decoding: '
                       f'{g["steady_passes"]} passes at {g["steady_gbps"]:.0f} GB/s{share}; all of it '
                       f'{g["sampled_tokens_per_second"]:.0f} tokens/s, {g["preemptions"]} preemptions |')
            continue
        more = f'cache: {g["cache"]}' if "cache" in g else f'prefill {g["prefill_tflops"]:.0f} TFLOP/s'
        more += f', {100 * g["prefill_share"]:.0f}% of the product' if "prefill_share" in g else ""
        out.append(f'| {g["generate"]} | {g["batch"]} | {g["prompt"]} | {g["new"]} | {g["prefill_tokens_per_second"]:.0f} | '
                   f'{g["decode_tokens_per_second"]:.0f} | {more} |')
    return out


def generation_aims(lines):
    out = []
    for g in lines:
        if "steady_share_of_floor" in g:
            out.append(f'- steady decoding of the workload: {g["steady_tokens_per_second"]:.0f} tokens/s, {100 * g["steady_share_of_floor"]:.0f}% of '
                       f'the bandwidth floor (aims on one H200: {AIM_DECODING}, {100 * AIM_DECODE:.0f}%)')
        if "prefill_share" in g and g["new"] == 1:
            out.append(f'- prefill: {100 * g["prefill_share"]:.0f}% of the bf16 product (aim on one H200: {100 * AIM_PREFILL:.0f}%)')
    return out


# ---- reinforcement learning


def read_rl(folder):
    return [line for path in sorted(glob.glob(f"{folder}/rl-*.txt")) for line in read_lines(path) if "rl_step" in line]


def rl_table(lines):
    out = ["| prompts x samples | prompt | response | sampled tokens | step | generate | reward | forward and backward | optimizer | "
           "old log-probabilities | weights to the sampler | settings |", "|" + "---|" * 12]
    for r in lines:
        out.append(f'| {r["prompts"]} x {r["samples"]} | {r["prompt"]} | {r["new"] // 8} to {r["new"]} | {r["sampled_tokens"]} | '
                   f'{r["step_seconds"]:.2f} s | {r["generate_seconds"]:.2f} s, {r["generate_tokens_per_second"]:.0f} tokens/s | '
                   f'{r["reward_seconds"]:.3f} s | {r["update_seconds"]:.2f} s, {r["update_tokens_per_second"]:.0f} tokens/s | '
                   f'{r["optimizer_seconds"]:.2f} s | 0 s | 0 s | {8 * r["moments"]}-bit moments, recompute {r["recompute"]}, '
                   f'{r["preemptions"]} preemptions |')
    return out


def rl_aims(lines):
    return [f'- a GRPO step of 32 x 8, {r["prompt"]} + up to {r["new"]}: {r["step_seconds"]:.1f} s (aim on one H200: {AIM_STEP})'
            for r in lines if (r["prompts"], r["samples"], r["new"]) == (32, 8, 2048)]


# ---- aims


def aims(kernels, steps):
    """What was aimed at on an H200, and what there is. Another card is held against its own ceilings."""
    out = []
    ours = [s for s in steps if s["step"] == "dereason" and s["tokens"] == 4096 and s.get("attention", "own") == "own"]
    for s in ours:
        out.append(f'- Qwen3-4B, documents of 4,096: {s["tokens_per_second"]:.0f} tokens/s (aim on one H200: {AIM_TOKENS})')
    bound = [k for k in kernels if k["limit"] == "memory" and k["bytes"] >= LARGE and not k["flops"]]
    if bound:
        share = {id(k): k.get("graph_share", k["share"]) for k in bound}
        below = [f'{k["kernel"]} {k["model"]} {100 * share[id(k)]:.0f}%' for k in bound if share[id(k)] < AIM_SHARE]
        reached = f"{len(bound) - len(below)} of {len(bound)}" + (f"; below: {', '.join(below)}" if below else "")
        out.append(f"- memory-bound kernels of 16 MB and more, in a graph, at {100 * AIM_SHARE:.0f}% of the copy: {reached}")
    for k in [k for k in kernels if k["kernel"] in AIM_ATTENTION and k["model"] == "4B"]:
        cudnn = f', cuDNN {k["flops"] / k["peers"]["cudnn"] / 1e6:.0f}' if "cudnn" in k["peers"] else ""
        out.append(f'- {k["kernel"].replace("_", " ")}, {k["shape"]}: {k["tflops"]:.0f} TFLOP/s (aim on one H200: {AIM_ATTENTION[k["kernel"]]}{cudnn})')
    return out


# ---- the report


def write_picture(json_path, svg_path):
    plot = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plot.py")
    subprocess.run([sys.executable, plot, json_path, svg_path], check=False, stderr=subprocess.DEVNULL)


def write_logs(folder, path):
    with open(path, "w") as out:
        for log in sorted(glob.glob(f"{folder}/*.txt")):
            text = read_text(log)
            if len(text) > 500000:
                text = text[:250000] + "\n[...]\n" + text[-250000:]
            out.write(f"==== {os.path.basename(log)}\n{text}\n")


def name_of(environment):
    card = re.search(r"^card ([^,]+)", environment, re.MULTILINE)
    date = re.search(r"^date (\S+)", environment, re.MULTILINE)
    slug = re.sub(r"[^a-z0-9]+", "-", (card[1] if card else "no-gpu").lower()).strip("-")
    return card[1] if card else "no GPU", date[1] if date else "undated", f"{slug}-{date[1] if date else 'undated'}"


def page(folder, found):
    """The report's lines; a section that has nothing to say is left out."""
    machine, kernels = found["machine"], [k for k in found["kernels"] if "kernel" in k]
    parts = ["| part | what | status | seconds | last words |", "|---|---|---|---|---|"]
    for p in found["parts"]:
        parts.append(f'| {p["part"]} | {p["name"]} | {p["status"]} | {p["seconds"]} | {p["note"].replace("|", " ")} |')
    ceilings = []
    if machine:
        ceilings = [f'Ceilings: copy {machine["ceiling_copy_gbps"]:.0f} GB/s, bf16 product {machine["product_tflops"]:.0f} '
                    f'TFLOP/s ({machine["product_by"]}). Median of single launches with a cold cache. A ratio above 1: we are '
                    'faster.', ""]
    steps = step_table(found["steps"]) + ["", f"MFU: {FORMULA}."] if found["steps"] else []
    out = [f'# {found["card"]}, {found["date"]}', "",
           "What `dev/gpu_check.sh` found. Every line of it is in the .json beside this page.", ""]
    out += [f"- {line}" for line in found["environment"]]
    for title, lines in (("Parts", parts), ("Kernels against the CPU", test_section(folder)),
                         ("Who shares whose bits", chain_section(found["chains"])),
                         ("Kernels", ceilings + kernel_table(kernels) if kernels else []),
                         ("Generation with Qwen3-4B", generation_table(found["generation"]) if found["generation"] else []),
                         ("A training step of Qwen3-4B", steps),
                         ("Where the time of a step goes", profile_section(found["steps"]) + found["clocks"]),
                         ("A GRPO step of Qwen3-4B", rl_table(found["rl"]) if found["rl"] else []),
                         ("Aims", aims(kernels, found["steps"]) + generation_aims(found["generation"]) + rl_aims(found["rl"]))):
        out += ["", f"## {title}", ""] + lines if lines else []
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, results = sys.argv[1:]
    environment = read_text(f"{folder}/environment.txt")
    card, date, name = name_of(environment)
    path, kernels = os.path.join(results, name), merge_kernels(folder)
    machine = next((k for k in kernels if "machine" in k), None)
    steps = read_steps(folder, machine["product_tflops"] * 1e12 if machine else None)
    found = {"card": card, "date": date, "environment": environment.splitlines(), "parts": read_lines(f"{folder}/parts.jsonl"),
             "chains": read_lines(f"{folder}/chains.jsonl"), "machine": machine, "kernels": kernels, "steps": steps,
             "clocks": clocks_section(folder), "generation": read_generation(folder), "rl": read_rl(folder),
             "torch_ceilings": read_lines(f"{folder}/ceilings.jsonl"), "torch": read_lines(f"{folder}/peers.jsonl")}
    with open(path + ".json", "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    with open(path + ".md", "w") as file:
        file.write("\n".join(page(folder, found)) + "\n")
    if machine:
        write_picture(path + ".json", path + ".svg")
    write_logs(folder, path + ".log")
    kernels = [k for k in kernels if "kernel" in k]
    print("\n".join((step_table(steps) if steps else []) + aims(kernels, steps) + generation_aims(found["generation"]) + rl_aims(found["rl"]) +
                    [f"the report: {path}.md"]))


if __name__ == "__main__":
    main()
