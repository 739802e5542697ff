# What ./evaluate drew greedily on a CPU beside transformers, in fp32: is each token of a response transformers' likeliest at its place, given
# all before it? Where it is, everywhere, transformers' own greedy generation is that response. Then the score by GSM8K's rule, question by
# question. The least gap between the two likeliest tokens says how near the nearest tie was.
#
#   ./evaluate --model MODEL --tasks gsm8k --data gsm8k=test.jsonl --limit 200 --max-new-tokens 320 --device cpu --out OUT
#   python lab/reference/evaluate_parity.py MODEL OUT
import json
import re
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
END = tokenizer.convert_tokens_to_ids("<|im_end|>")


def rows(name):
    with open(f"{out}/{name}.jsonl") as lines:
        return [json.loads(line) for line in lines]


def ids_of(response):
    """Ids of a response: its text as tokens, which may be cut otherwise than they were drawn; then the text decides, below."""
    return tokenizer(response["text"], add_special_tokens=False)["input_ids"] + ([END] if response["finish_reason"] == "stop" else [])


def number(text):
    text = re.sub(r"[,$\\%]", "", text).strip()
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def right(text, reference):
    """The first box, up to the last brace of its line, as a number."""
    found = re.search(r"(?i)\\boxed\s*{([^\n]+)}", text)
    reference = reference.split("#### ")[-1]
    return found is not None and (found[1] == reference or number(found[1]) is not None and number(found[1]) == number(reference))


prompts = {row["id"]: row["messages"] for row in rows("prompts")}
marks = {"gsm8k/" + row["id"]: row for row in rows("gsm8k")}
equal = agree = count = tokens = 0
least = float("inf")
for row in rows("responses"):
    prompt = tokenizer(tokenizer.apply_chat_template(prompts[row["id"]], tokenize=False, add_generation_prompt=True), add_special_tokens=False)["input_ids"]
    ids = ids_of(row)
    with torch.no_grad():
        logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1:-1].float()
    top = torch.topk(logits, 2, dim=-1)
    best = top.indices[:, 0].tolist()
    first = next((i for i, (a, b) in enumerate(zip(ids, best)) if a != b), None)
    text = row["text"]
    if first is not None:
        gap = float(logits[first, best[first]] - logits[first, ids[first]])
        print(f"{row['id']}: token {first} of {len(ids)} is {tokenizer.decode([ids[first]])!r}, transformers has "
              f"{tokenizer.decode([best[first]])!r}, {gap:.4f} likelier")
        with torch.no_grad():
            whole = model.generate(torch.tensor([prompt + ids[:first]]), do_sample=False, temperature=None, top_p=None, top_k=None,
                                   repetition_penalty=1.0, max_new_tokens=row["tokens"] - first)
        text = tokenizer.decode([t for t in whole[0, len(prompt):].tolist() if t != END], skip_special_tokens=True)
    count += 1
    tokens += len(ids)
    equal += text == row["text"]
    agree += right(text, marks[row["id"]]["reference"]) == marks[row["id"]]["right"]
    least = min(least, float((top.values[:, 0] - top.values[:, 1]).min()))
print(f"{count} responses, {tokens} tokens: {equal} texts are equal, {agree} verdicts; the nearest tie was {least:.6f} wide")
