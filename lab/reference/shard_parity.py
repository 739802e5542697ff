#!/usr/bin/env python3
"""Compares the shards that ./prepare wrote with what Hugging Face makes of the same rows, id for id; exit status 1 on a difference.

usage: shard_parity.py --tokenizer FOLDER --data PREPARED [--template-jinja chatml] [--train-turn-newline] [--instruction TEXT]
                       [--map field=name]... FILE.jsonl...
Nothing of ./prepare is used: rows become messages here, transformers' apply_chat_template makes the text, tokenizers the ids. In
sft/ and sft_hard/ a record must be its prompt and its answer, tokenised apart, and the answer its only span; in rl/ the prompt with
its generation prompt. Records are matched with rows by source and id. Needs: pip install transformers tokenizers.
"""
import argparse
import collections
import glob
import json
import os
import subprocess
import sys

import tokenizers
import transformers

import templates

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
INSTRUCTION_OPTIONS = ("Please reason step by step, and put your final answer option within \\boxed{}. "
                       "Only put the option letter in the box, e.g. \\boxed{A}. There is only one correct answer.")
READER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "read_shards.py")
ASSISTANT, END, EMPTY_THOUGHT = "<|im_start|>assistant\n", "<|im_end|>", "<think>\n\n</think>\n\n"
PLACEHOLDER = "\ue000the answer\ue000"                        # in private use: no row has it
SHOWN = 5
ROLES = {"human": "user", "gpt": "assistant"}

Expected = collections.namedtuple("Expected", "ids prompt spans answer")


# ---- rows to messages

def message_of(entry):
    role, content = entry.get("role", entry.get("from")), entry.get("content", entry.get("value"))
    message = {"role": ROLES.get(role, role), "content": content}
    if isinstance(entry.get("reasoning_content"), str):
        message["reasoning_content"] = entry["reasoning_content"]
    return message


def question_of(row, instruction):
    text, options = row.get("problem", row.get("question")), row.get("options")
    for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", options or []):
        text += ("\nOptions are:" if letter == "A" else "") + f"\n({letter}): {option}"
    if instruction in ("", "none"):
        return text
    if not options:
        return f"{text} {instruction}"
    return f"{text}\n\n\n{INSTRUCTION_OPTIONS if instruction == INSTRUCTION else instruction}"


def turns(value, role):
    """A text as one turn, a list as it is, nothing as none."""
    if value is None:
        return []
    return [{"role": role, "content": value}] if isinstance(value, str) else [message_of(entry) for entry in value]


def messages_of(row, instruction):
    """All messages of a row, its answer, if it has one, the last."""
    chat = row.get("messages", row.get("conversations"))
    if chat is not None:
        messages, answer = turns(chat, None), None
    elif "prompt" in row:
        messages, answer = turns(row["prompt"], "user"), row.get("completion")
    elif "instruction" in row:
        given = row.get("input")
        messages, answer = turns(row["instruction"] + (f"\n{given}" if given else ""), "user"), row.get("output")
    else:
        texts = [row[name] for name in ("solution", "response") if isinstance(row.get(name), str)]
        messages, answer = turns(question_of(row, instruction), "user"), texts[0] if texts else None
    if "finish_reason" in row:
        messages, answer = messages[:-1] if messages[-1]["role"] == "assistant" else messages, row["text"]
    return messages + turns(answer, "assistant")


# ---- messages to ids

class Reference:
    def __init__(self, folder, template, newline):
        self.template, self.end = template, END + "\n" if newline else END
        path = os.path.join(folder, "tokenizer.json")
        self.fast = tokenizers.Tokenizer.from_file(path)
        self.renderer = transformers.PreTrainedTokenizerFast(tokenizer_file=path)
        own = {} if template in ("qwen3", "qwen3-nothink", "auto") else templates.exported()  # as transformers was seen to render them
        self.jinja = own.get(template) or published_template(folder)

    def render(self, messages, generation_prompt):
        return self.renderer.apply_chat_template(messages, chat_template=self.jinja, add_generation_prompt=generation_prompt,
                                                 enable_thinking=self.template != "qwen3-nothink", tokenize=False)

    def encode(self, text):
        return self.fast.encode(text, add_special_tokens=False).ids

    def before_answer(self, messages):
        """What the template renders before the last answer, whatever that says."""
        text = self.render(messages[:-1] + [{"role": "assistant", "content": PLACEHOLDER}], False)
        return text[:text.rindex(ASSISTANT, 0, text.index(PLACEHOLDER)) + len(ASSISTANT)]

    def texts(self, messages):
        """The prompt and the answer with its end; None for the answer of a row without one."""
        if messages[-1]["role"] != "assistant":
            return self.render(messages, True), None
        last, prompt = messages[-1], self.before_answer(messages)
        if self.template == "qwen3-nothink":
            thinks = not isinstance(last.get("reasoning_content"), str) and "</think>" in last["content"]
            answer = (last["content"].split("</think>")[-1] if thinks else last["content"]).lstrip("\n")
            return prompt + EMPTY_THOUGHT, answer + self.end
        whole = self.render(messages, False)
        if not whole.startswith(prompt):
            raise ValueError("the chat template does not render the prompt as the beginning of the conversation")
        return prompt, whole[len(prompt):-len(END + "\n")] + self.end

    def expect(self, messages, trained):
        prompt, answer = self.texts(messages)
        ids = self.encode(prompt)
        if not trained:
            return ids, len(ids), []
        if answer is None:
            raise ValueError("the row has no answer to train on")
        both = ids + self.encode(answer)
        return both, len(ids), [[len(ids), len(both)]]


def published_template(folder):
    path = os.path.join(folder, "chat_template.jinja")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read()
    with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as file:
        template = json.load(file).get("chat_template")
    return template if isinstance(template, str) else sys.exit(f"{folder}: no chat template to compare with")


def expect_ids(row):
    """A row of ids: as it is, up to its last trained token; the first token is never trained."""
    labels = [-100] + row.get("labels", row["ids"])[1:]
    spans = []
    for place, label in enumerate(labels):
        if label != -100 and spans and spans[-1][1] == place:
            spans[-1][1] += 1
        elif label != -100:
            spans.append([place, place + 1])
    return row["ids"][:spans[-1][1]], spans[0][0], spans


def expected_of(row, trained, reference, instruction):
    if "ids" in row and "finish_reason" not in row:
        made = expect_ids(row)
    else:
        made = reference.expect(messages_of(row, instruction), trained)
    return Expected(*made, row.get("answer"))


# ---- the rows, by source and id

def source_of(path):
    """math/train of ../data/math/train.jsonl."""
    folder, name = os.path.split(path)
    name = os.path.splitext(name)[0]
    return f"{os.path.basename(folder)}/{name}" if os.path.basename(folder) else name


def mapped(row, maps):
    values = [(field, row[name]) for field, name in maps if name in row]
    for _, name in maps:
        row.pop(name, None)
    return row | dict(values)


def read_rows(paths, maps):
    rows = collections.defaultdict(list)
    for path in paths:
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = mapped(json.loads(line), maps)
                row = {name: value for name, value in row.items() if value is not None}
                rows[row.get("source") or source_of(path), str(row.get("id", number))].append(row)
    return rows


# ---- the comparison

def records_of(folder):
    if not glob.glob(os.path.join(glob.escape(folder), "shard-*")):
        return
    with subprocess.Popen([sys.executable, READER, folder], stdout=subprocess.PIPE, encoding="utf-8") as reader:
        yield from map(json.loads, reader.stdout)
    if reader.returncode != 0:
        sys.exit(f"{folder}: {READER} could not read it")


def same_answer(record, row):
    if record is None or row is None or isinstance(row, str):
        return record == row
    return json.loads(record) == row                            # what is no text was written as JSON


def difference(record, expected):
    if record["ids"] != expected.ids:
        pairs = zip(record["ids"], expected.ids)
        place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(record["ids"]), len(expected.ids)))
        return (f"token {place}: {record['ids'][place:place + 8]}, but {expected.ids[place:place + 8]} by Hugging Face "
                f"({len(record['ids'])} tokens, {len(expected.ids)})")
    if record["prompt"] != expected.prompt:
        return f"the prompt has {record['prompt']} tokens, but {expected.prompt} by Hugging Face"
    if [list(span) for span in record["spans"]] != expected.spans:
        return f"the spans {record['spans']} are trained, but should be {expected.spans}"
    if not same_answer(record["answer"], expected.answer):
        return f"the answer is {record['answer']!r}, but the row's is {expected.answer!r}"
    return None


def judge(record, rows, trained, reference, instruction):
    """None, or what is wrong with a record; several rows may have its id, and one of them must fit."""
    wrong = f"no row has this id and the source {record['source']!r}"
    for row in rows.get((record["source"], str(record["id"])), []):
        try:
            wrong = difference(record, expected_of(row, trained, reference, instruction))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            wrong = f"the row can't be read: {error!r}"
        if wrong is None:
            return None
    return wrong


def compare(options, rows, reference):
    records = tokens = differ = 0
    for part in ("sft", "sft_hard", "rl"):
        for record in records_of(os.path.join(options.data, part)):
            wrong = judge(record, rows, part != "rl", reference, options.instruction)
            records, tokens, differ = records + 1, tokens + len(record["ids"]), differ + (wrong is not None)
            if wrong and differ <= SHOWN:
                print(f"{part}: {record['id']}: {wrong}")
    return records, tokens, differ


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--template-jinja", default="chatml", choices=("chatml", "qwen2.5", "qwen3", "qwen3-nothink"))
    parser.add_argument("--train-turn-newline", action="store_true")
    parser.add_argument("--instruction", default=INSTRUCTION)
    parser.add_argument("--map", action="append", default=[], metavar="field=name")
    parser.add_argument("files", nargs="+", help="JSONL files, or folders of them")
    return parser.parse_args()


def files_of(paths):
    for path in paths:
        yield from sorted(glob.glob(os.path.join(glob.escape(path), "*.jsonl"))) if os.path.isdir(path) else [path]


def main():
    options = parse()
    maps = [tuple(text.split("=", 1)) for text in options.map]
    rows = read_rows(files_of(options.files), maps)
    reference = Reference(options.tokenizer, options.template_jinja, options.train_turn_newline)
    records, tokens, differ = compare(options, rows, reference)
    print(f"{records} records, {tokens} tokens, {differ} differ (transformers {transformers.__version__}, "
          f"tokenizers {tokenizers.__version__})")
    sys.exit(0 if records > 0 and differ == 0 else 1)


if __name__ == "__main__":
    main()
