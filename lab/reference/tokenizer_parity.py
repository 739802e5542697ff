#!/usr/bin/env python3
"""Compares build/tokenize with Hugging Face's `tokenizers`, id for id and text for text; exit status 1 on a difference.

usage: tokenizer_parity.py [--program build/tokenize] [--folder ../shared/data/qwen3-tokenizer] [--random N] [FILE.jsonl ...]
Every text in the files (fields text, problem, solution, question, answer) and N random ones are encoded and decoded by both.
Without files: all of ../shared/data/math and gsm8k. Needs: pip install tokenizers.
"""
import argparse
import glob
import json
import random
import subprocess
import sys
import tokenizers

FIELDS = ("text", "problem", "solution", "question", "answer")
PIECES = [
    "'s", "'LL", "'\u017f", "'re", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u180e", "\u0085", "\x00", "a", "the",
    "Z\u00fcrich", "42", "\u0663", "\u00bd", "$x^2$", "\\frac{1}{2}", "...", "\u4e2d\u6587", "\uac00", "\u1100\u1161\u11a8",
    "e\u0301", "\u0316\u0301", "\u0345", "\u212b", "\u09c7\u09be", "\u0958", "\ufb2a", "\U0001f600",
    "\U0001f468\u200d\U0001f469", "<|im_end|>", "<|im_start|>", "<|im", "<think>", "</think>", "<", "\U00011930\U00011938",
    "\u08d3\u0301",
]


def random_texts(count, seed=1):
    draw = random.Random(seed)
    for _ in range(count):
        parts = []
        for _ in range(draw.randrange(1, 25)):
            kind = draw.random()
            if kind < 0.7:
                parts.append(draw.choice(PIECES))
            else:
                high = draw.choice([0x80, 0x250, 0x3000, 0x11000, 0x110000])
                code = draw.randrange(high)
                parts.append("" if 0xD800 <= code < 0xE000 else chr(code))
        yield "".join(parts)


def file_texts(paths):
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield from (row[f] for f in FIELDS if isinstance(row.get(f), str))


def run(program, folder, rows, *options):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run([program, folder, *options], input=lines.encode(), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed")
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def differences(ours, theirs, texts, what):
    count = 0
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a != b:
            count += 1
            if count <= 5:
                print(f"{what} differ for text {index}, {texts[index]!r}:\n  ours   {a!r}\n  theirs {b!r}")
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="build/tokenize")
    parser.add_argument("--folder", default="../shared/data/qwen3-tokenizer")
    parser.add_argument("--random", type=int, default=20000)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    files = options.files or sorted(glob.glob("../shared/data/math/*.jsonl") + glob.glob("../shared/data/gsm8k/*.jsonl"))
    reference = tokenizers.Tokenizer.from_file(options.folder + "/tokenizer.json")
    draw, bad, total = random.Random(2), 0, 0
    for name, source in [(path, file_texts([path])) for path in files] + [("random texts", random_texts(options.random))]:
        texts = list(source)
        ours = [row["ids"] for row in run(options.program, options.folder, [{"text": t} for t in texts])]
        theirs = [e.ids for e in reference.encode_batch(texts, add_special_tokens=False)]
        bad += differences(ours, theirs, texts, "ids")
        shuffled = [draw.sample(ids, len(ids)) for ids in theirs[:5000]]
        for ids in (theirs, shuffled):                          # shuffled ids cut characters apart
            back = [row["text"] for row in run(options.program, options.folder, [{"ids": i} for i in ids], "--decode")]
            bad += differences(back, reference.decode_batch(ids, skip_special_tokens=False), texts, "decoded texts")
        total += sum(map(len, theirs))
        print(f"{name}: {len(texts)} texts, {sum(map(len, theirs))} ids, {bad} differences so far")
    print(f"{total} ids with tokenizers {tokenizers.__version__}: {bad} differences")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
