#!/usr/bin/env python3
"""How fast ./prepare is, beside the usual way in Python: megabytes of JSONL a second of one core, from rows to token ids and labels.

usage: prepare_bench.py TOKENIZER_FOLDER FILE.jsonl... [--copies N]
The files' problem/solution rows, N times over with every problem made another one, go through ./prepare --threads 1, and then through
json, transformers' apply_chat_template and tokenizers (its own threads off), a row at a time as TRL does; nothing is written there.
Needs: pip install transformers tokenizers.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
CHATML = ("{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}"
          "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}")


def write_rows(out, files, copies):
    for copy in range(copies):
        for path in files:
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    field = "problem" if "problem" in row else "question"
                    row[field] = f"Variant {copy}. {row[field]}"
                    if isinstance(row.get("solution"), str):
                        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    out.flush()


def ours(folder, rows, work):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["./prepare", "--tokenizer", folder, "--template", "chatml", "--train-turn-newline", "--threads", "1", "--out",
                    os.path.join(work, "out"), rows], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def theirs(folder, rows):
    import transformers
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
    tokenizer.chat_template = CHATML
    tokens, start = 0, time.process_time()
    with open(rows, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            prompt = [{"role": "user", "content": row.get("problem") or row["question"]}]
            answer = [{"role": "assistant", "content": row["solution"]}]
            first = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
            whole = tokenizer.apply_chat_template(prompt + answer, tokenize=True, return_dict=False)
            labels = [-100] * len(first) + whole[len(first):]
            tokens += len(labels)
    return time.process_time() - start, tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--copies", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        rows = os.path.join(work, "rows.jsonl")
        with open(rows, "w", encoding="utf-8") as out:
            write_rows(out, options.files, options.copies)
        megabytes = os.path.getsize(rows) / 1e6
        mine = ours(options.folder, rows, work)
        other, tokens = theirs(options.folder, rows)
    print(f"{megabytes:.1f} MB of JSONL, {tokens:,} tokens; seconds of one core")
    print(f"./prepare, to shards               {mine:7.2f} s {megabytes / mine:7.1f} MB/s")
    print(f"transformers + tokenizers, ids only {other:6.2f} s {megabytes / other:7.1f} MB/s   ratio {other / mine:.1f}")


if __name__ == "__main__":
    sys.exit(main())
