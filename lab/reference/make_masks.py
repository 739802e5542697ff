#!/usr/bin/env python3
"""Writes test/fixtures/masks/masks.json: what TRL and LLaMA-Factory make of some conversations, ids and labels.

usage: make_masks.py [OUT.json]
TRL: SFTTrainer's own preparation of conversational prompt/completion rows. LLaMA-Factory: its supervised processor with the
template qwen3_nothink; mask_history for several turns, because only the last answer is trained here. The tokenizer is the small one
of the tests, the chat template the Jinja text that our `chatml` stands for. Needs: pip install trl datasets llamafactory (torch's
CPU build will do; DISABLE_VERSION_CHECK=1 where LLaMA-Factory wants an older transformers). test/unit/test_tokenised.c compares ./prepare --template chatml --train-turn-newline with it.
"""
import importlib.metadata
import importlib.util
import json
import sys
import types
from pathlib import Path

from datasets import Dataset

if importlib.util.find_spec("torchaudio") is None:  # LLaMA-Factory imports it, for sound only
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    sys.modules["torchaudio"].__spec__ = importlib.util.spec_from_loader("torchaudio", None)
from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

ROOT = Path(__file__).resolve().parents[2]
CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def turns(*texts, system=None):
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}] if system is not None else []
    return messages + [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


CONVERSATIONS = [
    turns("1+1?", "two"),
    turns("What is 17 * 3?", "17 * 3 = 51, so the answer is \\boxed{51}."),
    turns("Be brief. What is the capital of France?", "Paris", system="You answer in one word."),
    turns("Hello", "Hello! How can I help?", "What is 2 + 2?", "4", "And 3 + 3?", "6"),
    turns("a", "b", "c", "d", system="A system turn\nof two lines."),
    turns("Zürich or München?", "Zürich – it's on the Limmat. 🙂"),
    turns("日本語で答えて", "はい、わかりました。"),
    turns("e\u0301 and \u212b are composed", "\u00e9 and \u00c5, by NFC"),
    turns("def f(x):\n    return x + 1\n\nWhat does it do?", "```python\nf(1)  # 2\n```\nIt adds one."),
    turns(" leading and trailing spaces ", " they stay "),
    turns("ends with a newline\n", "so does this\n"),
    turns("tabs\tand\r\nWindows lines", "kept\r\n\tas they are"),
    turns("x", "."),
    turns("Digits 1234567890 are single tokens", "0 1 2 10 100 1000"),
    turns("It's, we'll, I'D, they'VE", "don't"),
    turns("A < B and <think> is a token", "<think>\nSome thought.\n</think>\n\nAn answer."),
    turns("almost special: <|im_end and <|im", "<| im_end |>"),
    turns("$$\\int_0^1 x^2\\,dx$$", "\\[\\frac{1}{3}\\]"),
    turns("one\n\n\nthree newlines", "two\n\nhere"),
]


def tokenizer():
    made = PreTrainedTokenizerFast(tokenizer_file=str(ROOT / "test/fixtures/tokenizer/tiny/tokenizer.json"),
                                   eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = CHATML
    return made


def by_trl(messages):
    tok = tokenizer()
    trainer = types.SimpleNamespace(_tokenizer=tok, chat_template=None, processing_class=tok, completion_only_loss=True)
    rows = Dataset.from_list([{"prompt": messages[:-1], "completion": messages[-1:]}])
    config = SFTConfig(output_dir="unused", max_length=None, report_to=[], use_cpu=True, bf16=False)
    row = SFTTrainer._prepare_dataset(trainer, rows, tok, config, False, None, "train")[0]
    return {"ids": row["input_ids"], "labels": row["labels"]}


def by_llama_factory(messages):
    tok = tokenizer()
    several = sum(m["role"] == "assistant" for m in messages) > 1
    arguments = DataArguments(template="qwen3_nothink", cutoff_len=1 << 20, mask_history=several)
    processor = SupervisedDatasetProcessor(get_template_and_fix_tokenizer(tok, arguments), tok, None, arguments)
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    talk = [m for m in messages if m["role"] != "system"]
    ids, labels = processor._encode_data_example(talk[:-1], talk[-1:], system, None, [], [], [])
    return {"ids": ids, "labels": labels}


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test/fixtures/masks/masks.json"
    rows = [{"row": {"messages": m}, "trl": by_trl(m), "llamafactory": by_llama_factory(m)} for m in CONVERSATIONS]
    versions = {name: importlib.metadata.version(name) for name in ("trl", "llamafactory", "transformers", "tokenizers")}
    for number, row in enumerate(rows):
        if row["trl"] != row["llamafactory"]:
            print(f"row {number}: TRL and LLaMA-Factory differ", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    out.write_text(f'{{"versions": {json.dumps(versions)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{out}: {len(rows)} conversations")


if __name__ == "__main__":
    main()
