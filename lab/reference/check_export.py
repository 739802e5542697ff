"""Does transformers read an exported model folder, and does it compute what build/logprobs wrote?

    check_export.py FOLDER IDS.jsonl LOGPROBS.jsonl [--tolerance X] [--n-live N]

IDS has {"ids"} lines, LOGPROBS the {"logprobs", "entropy"} lines that build/logprobs made of them. Everything is computed in
fp32, the log-softmax in fp64. Exits 1 when a number is further away than the tolerance, when one is missing, or when the
folder does not load.
"""

import argparse
import itertools
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def expected(model, ids, n_live):
    if len(ids) < 2:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model(input_ids=tokens, use_cache=False).logits[0, :-1, :n_live]
    every = torch.log_softmax(logits.double(), dim=-1)
    return every.gather(1, tokens[0, 1:, None])[:, 0], -(every.exp() * every).sum(-1)


def furthest(path, line, name, got, want):
    if len(got) != len(want):
        sys.exit(f"{path}: line {line}: {len(got)} {name}, expected {len(want)}")
    if len(want) == 0:
        return 0.0
    distance = (torch.tensor(got, dtype=torch.float64) - want).abs().max().item()
    return distance if distance == distance else float("inf")


def lines(path):
    with open(path) as file:
        yield from map(json.loads, file)


def check_tokenizer(folder):
    if not os.path.exists(os.path.join(folder, "tokenizer.json")):
        return "no tokenizer"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "What is 2+2? <think>\n\n</think>\n"
    if tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) != text:
        sys.exit(f"{folder}: the tokenizer does not give back the text that it was given")
    chat = tokenizer.chat_template and tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    return f"tokenizer of {len(tokenizer)} tokens, " + ("with a chat template" if chat else "without a chat template")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("ids")
    parser.add_argument("logprobs")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--n-live", type=int, default=None, help="as given to build/logprobs: columns of the head that are alive")
    options = parser.parse_args()
    model, report = AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32, attn_implementation="eager",
                                                         output_loading_info=True)
    wrong = {kind: sorted(names) for kind, names in report.items() if names}
    if wrong:
        sys.exit(f"{options.folder}: tensors that do not fit the model: {wrong}")
    far = {"logprobs": 0.0, "entropy": 0.0}
    count = 0
    for line, (row, ours) in enumerate(itertools.zip_longest(lines(options.ids), lines(options.logprobs)), 1):
        if row is None or ours is None:
            sys.exit(f"{options.ids} and {options.logprobs}: one of them ends before line {line}")
        wants = expected(model.eval(), row["ids"], options.n_live)
        for name, want in zip(far, wants):
            far[name] = max(far[name], furthest(options.logprobs, line, name, ours[name], want))
        count += len(wants[0])
    print(json.dumps({"folder": options.folder, "numbers": count, "furthest_logprob": far["logprobs"],
                      "furthest_entropy": far["entropy"], "tolerance": options.tolerance,
                      "tokenizer": check_tokenizer(options.folder)}))
    if max(far.values()) > options.tolerance:
        sys.exit(1)


if __name__ == "__main__":
    main()
