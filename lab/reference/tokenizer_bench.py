"""The peers of the tokenizer benchmark, on one thread: tiktoken and Hugging Face's tokenizers, made from the same
tokenizer.json.

    tokenizer_bench.py [FOLDER] [FILE.jsonl] [--ids OUT.jsonl] [--ours "build/tokenize_bench FOLDER FILE"]

The texts are the strings "problem" (or "question") and "solution" of every line. Times leave out reading and parsing the
file; the fastest of --rounds counts. MB are 10^6 bytes of UTF-8. --ours runs a command that prints a JSON line with
"mb_per_s" and adds the ratios.
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"                 # read when the library is loaded, so before the imports below
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import json
import shlex
import subprocess
import sys
import time
import unicodedata

import tiktoken
from tokenizers import Tokenizer


def read_texts(path):
    texts = []
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            texts += [row[name] for name in ("problem", "question", "solution") if isinstance(row.get(name), str)]
    return texts


def byte_of_letter():
    """GPT-2's map from the letters of a vocabulary to bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


def make_tiktoken(folder):
    with open(os.path.join(folder, "tokenizer.json")) as file:
        data = json.load(file)
    letters = byte_of_letter()
    ranks = {bytes(letters[letter] for letter in token): rank for token, rank in data["model"]["vocab"].items()}
    pattern = data["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    return tiktoken.Encoding("qwen3", pat_str=pattern, mergeable_ranks=ranks,
                             special_tokens={token["content"]: token["id"] for token in data["added_tokens"]})


def timed(encode, rounds):
    """The ids and the fastest of several runs, in seconds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        ids = encode()
        best = min(best, time.perf_counter() - start)
    return ids, best


def report(name, seconds, megabytes, ids):
    print(json.dumps({"tokenizer": name, "mb_per_s": round(megabytes / seconds, 3), "seconds": round(seconds, 4),
                      "megabytes": round(megabytes, 3), "tokens": sum(map(len, ids))}), flush=True)
    return megabytes / seconds


def run_ours(command):
    result = subprocess.run(shlex.split(command), capture_output=True, text=True)
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    speeds = [row["mb_per_s"] for row in rows if "mb_per_s" in row]
    if result.returncode or not speeds:
        sys.exit(f"{command}: exit status {result.returncode}, and no line with mb_per_s: {result.stderr.strip()}")
    print(json.dumps({"tokenizer": "ours"} | rows[-1]), flush=True)
    return max(speeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="../shared/data/qwen3-tokenizer")
    parser.add_argument("file", nargs="?", default="../shared/data/math/train.jsonl")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ids", help="write the ids of Hugging Face's tokenizers here, one {\"ids\"} line a text")
    parser.add_argument("--ours", help="a command that prints {\"mb_per_s\": …}")
    options = parser.parse_args()
    if not os.path.exists(options.file) or not os.path.exists(options.folder):
        sys.exit(f"skipped: no {options.folder} or no {options.file}")
    texts = read_texts(options.file)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    bpe, fast = make_tiktoken(options.folder), Tokenizer.from_file(os.path.join(options.folder, "tokenizer.json"))
    special = set(bpe.special_tokens_set)

    tik_ids, tik = timed(lambda: [bpe.encode(unicodedata.normalize("NFC", text), allowed_special=special) for text in texts],
                         options.rounds)
    one_ids, one = timed(lambda: [fast.encode(text, add_special_tokens=False).ids for text in texts], options.rounds)
    batch_ids, batch = timed(lambda: [e.ids for e in fast.encode_batch_fast(texts, add_special_tokens=False)], options.rounds)
    speeds = {"tiktoken": report("tiktoken", tik, megabytes, tik_ids),
              "tokenizers": max(report("tokenizers, one by one", one, megabytes, one_ids),
                                report("tokenizers, batch", batch, megabytes, batch_ids))}
    differing = sum(a != b for a, b in zip(tik_ids, one_ids))
    print(json.dumps({"texts": len(texts), "texts_where_tiktoken_differs": differing, "batch_differs": batch_ids != one_ids}))
    if options.ids:
        with open(options.ids, "w") as file:
            file.writelines(json.dumps({"ids": ids}) + "\n" for ids in one_ids)
    if options.ours:
        ours = run_ours(options.ours)
        print(json.dumps({"ours_over_" + name: round(ours / speed, 2) for name, speed in speeds.items()}))


if __name__ == "__main__":
    main()
