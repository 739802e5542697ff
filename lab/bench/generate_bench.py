#!/usr/bin/env python3
"""Sampling on the CPU, tokens a second: build/generate_bench beside llama.cpp and transformers' generate, in alternation.

Models: Qwen3 from random weights in fp32, of the shapes lab/bench/qwen3-30m.json and qwen3-0.6b.json; made once under --work as a
Hugging Face folder, and as model.gguf (F32, no tokenizer) inside it. Cases: decoding at batch 1, 8 and 32, --new tokens a sequence
after --prompt tokens of context; and prefill, 512 tokens of one sequence at once. All sides compute in fp32, keep keys and values in
fp32, and use --threads threads. Each repeat of a case runs every side once, one after the other, in processes of their own; a side's
figure is the median (lowest to highest) of its best setting, named behind it. The bar is the faster peer; what is not there is left out.
A ratio is the median of the repeats' own ratios, so that a slow minute weighs on both sides: what decoding one sequence of a large
model measures is the memory's bandwidth, which virtual machines share (34 to 53 GB/s within one minute, where this was written).

What the clocks hold. llama.cpp: llama-batched-bench, which computes logits for every decoded token but samples none (its tokens are
random). transformers: generate, greedy, without an end token, so that no processor of scores is in the way; decoding is the time
between the first and the last of --new + 1 tokens; prefill is one call of the model with logits for the last position only. (Attention
is SDPA, "eager" was slower everywhere; torch.compile took minutes and gave nothing that changed the bar.) Both have warmed up before.
Ours: what build/generate_bench prints, with --repeats 1.

Two spinning threads on two cores fall apart when anything else runs. A measurement therefore waits until the machine is idle, is broken
off when other programs take a quarter of a core, and is made again when they took 5% of one; once --patience seconds have been lost to
that, figures are taken as they come and marked with a star. (Linux: /proc/stat.)

transformers and gguf: pip install -r lab/reference/requirements.txt. llama.cpp: any source of it; the Python source package
llama-cpp-python holds one in vendor/llama.cpp (pip download --no-deps --no-binary :all: --no-build-isolation llama-cpp-python==0.3.36,
with scikit-build-core installed, and unpack). Then, outside of this tree,
    cmake -S vendor/llama.cpp -B llama -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DGGML_OPENMP=ON -DLLAMA_OPENSSL=OFF \\
        -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    cmake --build llama -j2 --target llama-batched-bench
and --llama llama, or LLAMA_CPP=llama in the environment.
"""

import argparse
import importlib.util
import json
import os
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

BENCH = os.path.dirname(os.path.abspath(__file__))


class Case(NamedTuple):
    name: str
    batch: int
    prompt: int
    new: int
    figure: str


def cases(options):
    decode = [Case(f"decode, batch {batch}", batch, options.prompt, options.new, "decode") for batch in (1, 8, 32)]
    return [case for case in decode + [Case("prefill, 512 tokens", 1, 512, 1, "prefill")] if options.only in case.name]


# ---- the models

GGUF_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
              "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
              "self_attn.v_proj": "attn_v", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
              "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
              "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    """model.layers.3.mlp.up_proj.weight is blk.3.ffn_up.weight."""
    stem = name.removesuffix(".weight")
    if not stem.startswith("model.layers."):
        return f"{GGUF_NAMES[stem]}.weight"
    layer, part = stem.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{GGUF_NAMES[part]}.weight"


def write_folder(shape, folder):
    import torch
    import transformers
    config = transformers.Qwen3Config.from_json_file(shape)  # initializer_range is 0.02, the weights' standard deviation
    torch.manual_seed(1)
    transformers.Qwen3ForCausalLM(config).float().save_pretrained(folder, max_shard_size="100GB")


def write_gguf(folder, path):
    import gguf
    import safetensors
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    out = gguf.GGUFWriter(path, "qwen3")
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    out.add_tokenizer_model("no_vocab")
    out.add_vocab_size(config["vocab_size"])
    out.add_context_length(config["max_position_embeddings"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(config["num_attention_heads"])
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_key_length(config["head_dim"])
    out.add_value_length(config["head_dim"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    with safetensors.safe_open(f"{folder}/model.safetensors", "numpy") as tensors:
        for name in tensors.keys():
            out.add_tensor(gguf_name(name), tensors.get_tensor(name))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def model_folder(options, model, wants_gguf):
    """The folder is there when this returns; written under another name first, so that one cut short is not taken for a whole one."""
    folder = f"{options.work}/{model}"
    if not os.path.exists(f"{folder}/config.json"):
        write_folder(f"{BENCH}/{model}.json", f"{folder}.part")
        os.rename(f"{folder}.part", folder)
    if wants_gguf and not os.path.exists(f"{folder}/model.gguf"):
        write_gguf(folder, f"{folder}/model.gguf.part")
        os.rename(f"{folder}/model.gguf.part", f"{folder}/model.gguf")
    return folder


# ---- the sides: for each of its settings, the command of a process that prints its figures as a line of JSON

def llama_command(options, folder, case, setting):
    context = case.batch * -(-(case.prompt + case.new) // 256) * 256  # llama.cpp rounds a sequence's up to 256
    return (f"{options.llama}/bin/llama-batched-bench", "-m", f"{folder}/model.gguf", "-c", str(context), "-npp", str(case.prompt),
            "-ntg", str(case.new), "-npl", str(case.batch), "-ctk", "f32", "-ctv", "f32", "-t", str(options.threads),
            "-tb", str(options.threads), "--output-format", "jsonl", *setting.split())


def transformers_command(options, folder, case, setting):
    return (sys.executable, os.path.abspath(__file__), "--worker", folder, "--setting", setting, "--threads", str(options.threads))


def our_command(options, folder, case, setting):
    return (options.program, "--model", folder, "--batch", str(case.batch), "--prompt", str(case.prompt), "--new", str(case.new),
            "--repeats", "1", "--threads", str(options.threads))


class Side(NamedTuple):
    name: str
    command: object
    settings: tuple
    prefill: str  # the figures' names in the line
    decode: str
    stays: bool = False  # the process answers one case after the other


OURS = Side("ours", our_command, ("",), "prefill_tokens_per_second", "decode_tokens_per_second")
LLAMA = Side("llama.cpp", llama_command, ("-fa off", "-fa on"), "speed_pp", "speed_tg")
TRANSFORMERS = Side("transformers", transformers_command, ("sdpa dynamic", "sdpa static"), OURS.prefill, OURS.decode, stays=True)


def sides(options):
    out = []
    if os.access(options.program, os.X_OK):
        out.append(OURS)
    else:
        print(f"ours: left out, there is no {options.program}")
    if options.llama is None:
        print("llama.cpp: left out, neither --llama nor LLAMA_CPP says where it is")
    elif importlib.util.find_spec("gguf") is None:
        print("llama.cpp: left out, its models are written with the Python package gguf")
    else:
        version = subprocess.run([f"{options.llama}/bin/llama-batched-bench", "--version"], capture_output=True, text=True, check=True)
        print("llama.cpp:", (version.stdout + version.stderr).strip().split("\n")[0])
        out.append(LLAMA)
    if importlib.util.find_spec("transformers") is None:
        print("transformers: left out, it is not installed")
        return out
    import torch
    import transformers
    print(f"transformers: {transformers.__version__}, PyTorch {torch.__version__}")
    return out + [TRANSFORMERS]


# ---- transformers' side, in a process of its own: a case from standard input, its figures to standard output, and so on

def worker(options):
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    attention, cache = options.setting.split()
    model = transformers.Qwen3ForCausalLM.from_pretrained(options.worker, dtype=torch.float32, attn_implementation=attention).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    cache_options = {} if cache == "dynamic" else {"cache_implementation": "static"}
    times = []

    class Clock(transformers.LogitsProcessor):  # is asked once for each token, when its scores are there
        def __call__(self, ids, scores):
            times.append(time.perf_counter())
            return scores

    def generate(ids, new):
        times.clear()
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, logits_processor=[Clock()],
                       **cache_options)
        return ids.shape[0] * (new - 1) / (times[-1] - times[0])

    def prefill(ids):
        start = time.perf_counter()
        model(ids, use_cache=True, logits_to_keep=1)
        return ids.numel() / (time.perf_counter() - start)

    with torch.inference_mode():
        for line in sys.stdin:
            case = Case(*json.loads(line))
            ids = torch.randint(0, model.config.vocab_size, (case.batch, case.prompt), generator=torch.Generator().manual_seed(1))
            prefill(ids[:, :16])
            generate(ids, 3)
            figures = {OURS.prefill: prefill(ids)} if case.figure == "prefill" else {OURS.decode: generate(ids, case.new + 1)}
            print(json.dumps(figures), flush=True)


# ---- measuring on a machine that others use too

TICKS = os.sysconf("SC_CLK_TCK")
BREAK_OFF, ACCEPT = 0.25, 0.05  # cores that other programs take


def busy_seconds():
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(word) for word in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def process_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Machine:
    def __init__(self, patience):
        self.patience = patience
        self.complaints = tempfile.TemporaryFile()
        self.children = {}  # command: process; transformers' stay, so that a model is not loaded for every figure

    def others_seconds(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = sum(process_seconds(child.pid) for child in self.children.values())
        return busy_seconds() - ended.ru_utime - ended.ru_stime - running

    def wait(self):
        while self.patience > 0:
            others = self.others_seconds()
            time.sleep(0.5)
            if self.others_seconds() - others < 0.5 * ACCEPT:
                return
            self.patience -= 0.5

    def start(self, command):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_", "MKL_"))}
        self.complaints.seek(0)
        self.complaints.truncate()
        self.children[command] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints,
                                                  bufsize=0, env=environment)

    def end(self, command):
        child = self.children[command]
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
        del self.children[command]

    def end_all(self):
        for command in list(self.children):
            self.end(command)

    def attempt(self, command, question):
        """The line of figures, None when it was broken off or is missing; and the cores that other programs took meanwhile."""
        if command not in self.children:
            self.start(command)
        child, others, start, line = self.children[command], self.others_seconds(), time.monotonic(), None
        if question:
            child.stdin.write(question)
        while True:
            ready = select.select([child.stdout], [], [], 0.5)[0]
            line = child.stdout.readline().decode() if ready else None
            elapsed = time.monotonic() - start
            taken = (self.others_seconds() - others) / elapsed
            if line == "" or line and line.startswith("{"):
                break
            if self.patience > 0 and elapsed > 2 and taken > BREAK_OFF:
                self.end(command)
                return None, taken
        if line == "" and child.wait() != 0:
            self.complaints.seek(0)
            said = self.complaints.read().decode(errors="replace").strip()[-2000:]
            sys.exit(f"generate_bench.py: {' '.join(command)} ended with status {child.returncode}:\n{said}")
        if not question:
            self.end(command)
        return line, taken

    def measure(self, command, question):
        missing = 0
        while missing < 10:
            if question and command not in self.children:
                self.attempt(command, question)  # loads the model; this first answer is not counted
            self.wait()
            start = time.monotonic()
            line, others = self.attempt(command, question)
            if line and (others < ACCEPT or self.patience <= 0):
                return json.loads(line), others
            self.patience -= time.monotonic() - start
            missing += line == ""  # llama.cpp's log is a thread's, and its last line now and then misses the program's end
        sys.exit(f"generate_bench.py: {' '.join(command)} printed no figures")


# ---- the table

class Figures:
    def __init__(self):
        self.values, self.disturbed = {}, False

    def add(self, setting, value, others):
        self.values.setdefault(setting, []).append(value)
        self.disturbed |= others >= ACCEPT

    def best(self):
        setting = max(self.values, key=lambda setting: statistics.median(self.values[setting]))
        return setting, statistics.median(self.values[setting])

    def over(self, peer):
        pairs = zip(self.values[self.best()[0]], peer.values[peer.best()[0]])
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def __str__(self):
        if not self.values:
            return "-"
        setting, median = self.best()
        values = self.values[setting]
        text = f"{rounded(median)} ({rounded(min(values))} to {rounded(max(values))})"
        return " ".join(filter(None, (text, setting, "*" if self.disturbed else "")))


def rounded(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def measure_model(options, machine, model, present):
    folder = model_folder(options, model, LLAMA in present)
    figures = {(case, side.name): Figures() for case in cases(options) for side in (OURS, LLAMA, TRANSFORMERS)}
    for repeat in range(options.repeats):
        for case in cases(options):
            for side in present:
                for setting in side.settings:
                    question = f"{json.dumps(case)}\n".encode() if side.stays else None
                    line, others = machine.measure(side.command(options, folder, case, setting), question)
                    value = line[side.prefill if case.figure == "prefill" else side.decode]
                    figures[case, side.name].add(setting, value, others)
                    if options.json:
                        out = {"model": model, "case": case.name, "repeat": repeat, "side": side.name, "setting": setting,
                               "tokens_per_second": round(value, 2), "cores_of_others": round(others, 3)}
                        options.json.write(json.dumps(out) + "\n")
                        options.json.flush()
        machine.end_all()  # a process keeps its place in memory, good or bad: a new one for each repeat
    return figures


def print_table(options, model, figures):
    print(f"\n{model}, fp32, {options.threads} threads; tokens a second, median (lowest to highest) of {options.repeats}")
    print(f"{'':22}{'ours':34}{'llama.cpp':42}{'transformers':46}ours / best peer")
    for case in cases(options):
        ours, *peers = (figures[case, side.name] for side in (OURS, LLAMA, TRANSFORMERS))
        ratios = [ours.over(peer) for peer in peers if ours.values and peer.values]
        ratio = f"{min(ratios):.2f}" if ratios else "-"
        print(f"{case.name:22}{ours!s:34}{peers[0]!s:42}{peers[1]!s:46}{ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="qwen3-30m,qwen3-0.6b", help="shapes, of lab/bench")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=64, help="tokens of context before decoding")
    parser.add_argument("--new", type=int, default=64, help="tokens to decode, of each sequence")
    parser.add_argument("--only", default="", help="cases with this text in their name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default="build/generate_bench")
    parser.add_argument("--llama", default=os.environ.get("LLAMA_CPP"), help="folder with bin/llama-batched-bench")
    parser.add_argument("--work", default="build/generate_models", help="where the models are written and kept (5 GB)")
    parser.add_argument("--patience", type=float, default=600, help="seconds that may be lost to other programs")
    parser.add_argument("--json", type=argparse.FileType("w"), help="every measurement, a line each")
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # this script as transformers' side: the model's folder
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options)
    present, machine = sides(options), Machine(options.patience)
    for model in options.models.split(","):
        print_table(options, model, measure_model(options, machine, model, present))


if __name__ == "__main__":
    main()
