#!/usr/bin/env python3
"""Writes test/fixtures/benchmarks/*.json: what benchmarks' own scripts ask, extract, count and average.

usage: benchmarks.py --general-reasoner DIR --mmlu-pro DIR --simple-evals DIR --supergpqa DIR --bbeh DIR --inspect-evals DIR [OUT]
The folders are checkouts of TIGER-AI-Lab/General-Reasoner (007e44c), TIGER-AI-Lab/MMLU-Pro (f418b11 or later), openai/simple-evals,
SuperGPQA/SuperGPQA and google-deepmind/bbeh, and the last is an unpacked release of inspect_evals (PyPI, 0.28.0), which has the prompt that BBEH's paper gives in its appendix C.
Their functions are loaded and run as they are, with stand-ins for what they import and do not need here (vllm, datasets, pandas, ...); only PyYAML has to be installed. Rows and responses are made up, none is of a benchmark:
benchmarks_made.py has them.

prompts.json     [{task, row, permutation?, shots?, messages | prompt}]: what a row is asked
responses.json   [{task, quirk, categories?, options?, reference, response, extracted, right, drawn?}]: what is found in a response, null
                 where nothing is, and whether it counts. drawn: a letter of ten was drawn at random, right by chance. categories: the
                 row's, in the order of the task's fields
aggregates.json  the scripts' averages over those, {task: {categories: {name: share}, micro, ...}}: mmlu_pro_5shot with the places that it
                 drew, in their order; bbeh with the harmonic mean of its paper; those of supergpqa_zeroshot and _fiveshot with means over subfields, fields
                 and disciplines, where a subfield is one of its field, and a field one of its discipline
random.json      what Python's random draws
sampling.json    {task: {temperature, max_tokens, stop}}, of those scripts that sample by themselves
judge.json       {asked: what simple-evals asks about two answers, reference, answer, replies: {reply: whether it means yes}}
"""
import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import os
import random
import runpy
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import yaml

from benchmarks_made import (
    BBEH,
    BBEH_BOXED,
    BOXED,
    BOX_OF_LINE,
    FIVE_SHOT,
    GPQA_COLUMNS,
    MATH,
    MATH_RESPONSES,
    MATH_ROWS,
    SIMPLE,
    SUPERGPQA,
    SUPERGPQA_GOES_ON,
    bbeh_rows,
    gpqa_rows,
    letters_in,
    math_rows,
    mmlu_rows,
    mmlu_shots,
    reference_in,
    supergpqa_rows,
)

ROOT = Path(__file__).resolve().parents[2]


# ---- stand-ins for what the scripts import


def stand_in(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    if "." in name:
        parent, child = name.rsplit(".", 1)
        setattr(sys.modules[parent], child, module)
    return module


class Rendered:
    """Of a template of a page: what it would have shown."""

    def __init__(self, *args, **kwargs):
        self.globals = {}

    def from_string(self, text):
        return self

    def render(self, **values):
        return values


class SamplingParams:
    last = None

    def __init__(self, temperature, max_tokens, top_p=1, stop=()):
        assert top_p == 1
        SamplingParams.last = {"temperature": temperature, "max_tokens": max_tokens, "stop": list(stop)}


def stand_in_all():
    anything = mock.MagicMock()
    stand_in("vllm", LLM=anything, SamplingParams=SamplingParams)
    stand_in("vllm.lora")
    stand_in("vllm.lora.request", LoRARequest=anything)
    stand_in("torch", no_grad=lambda: lambda function: function)
    stand_in("transformers", AutoTokenizer=anything)
    stand_in("datasets", load_dataset=anything)
    stand_in("pandas", read_csv=anything)
    stand_in("numpy", mean=lambda v: sum(v) / len(v), std=lambda v: 0.0)
    stand_in("requests")
    stand_in("openai", OpenAI=anything, BadRequestError=ValueError)
    stand_in("jinja2", Environment=Rendered, BaseLoader=anything, StrictUndefined=None, select_autoescape=lambda kinds: None)
    stand_in("tqdm", tqdm=lambda values, **kwargs: values)
    stand_in("prettytable", PrettyTable=anything)
    stand_in("openpyxl")
    stand_in("openpyxl.styles", PatternFill=anything, Font=anything, Alignment=anything)
    stand_in("timeout_decorator", timeout=lambda seconds: lambda function: function, TimeoutError=TimeoutError)
    os.environ["debug"] = "1"  # simple-evals then use no threads


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with contextlib.redirect_stdout(io.StringIO()):
        spec.loader.exec_module(module)
    return module


def load_package(folder, name):
    """A folder whose name is no identifier, as a package."""
    package = stand_in(name)
    package.__path__ = [str(folder)]
    return package


# ---- the scripts


class Script:
    """A script of General-Reasoner run whole, from stand-ins for its data and its model."""

    def __init__(self, path):
        self.path = path
        self.module = load(path, path.stem)

    def run(self, splits, response_of):
        asked = []

        class Tokenizer:
            @staticmethod
            def from_pretrained(name):
                return Tokenizer()

            def apply_chat_template(self, messages, tokenize, add_generation_prompt):
                assert not tokenize and add_generation_prompt
                asked.append(messages)
                return messages[-1]["content"]

        class Model:
            def __init__(self, **kwargs):
                pass

            def generate(self, prompts, sampling):
                return [mock.Mock(outputs=[mock.Mock(text=response_of(prompt))]) for prompt in prompts]

        members = {"datasets": sys.modules["datasets"], "transformers": sys.modules["transformers"], "vllm": sys.modules["vllm"]}
        with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            stack.enter_context(mock.patch.object(members["datasets"], "load_dataset", lambda *a, **k: splits))
            stack.enter_context(mock.patch.object(members["transformers"], "AutoTokenizer", Tokenizer))
            stack.enter_context(mock.patch.object(members["vllm"], "LLM", Model))
            stack.enter_context(mock.patch.object(sys, "argv", ["x", "--model_path", "m", "--output_file", folder + "/out"]))
            printed = io.StringIO()
            stack.enter_context(contextlib.redirect_stdout(printed))
            runpy.run_path(str(self.path), run_name="__main__")
        return asked, printed.getvalue()

    def letter(self, response):
        """What is extracted, the letter that counts, and whether it was drawn."""
        drawn = []
        with mock.patch.object(random, "choice", lambda letters: drawn.append(list(letters)) or "drawn"):
            letter = self.module.get_prediction(response)
        assert not drawn or drawn == [list("ABCDEFGHIJ")]
        return self.module.extract_solution(response), letter, bool(drawn)


def general_reasoner_letters(script, task, rows, split, question_of, out):
    asked, printed = script.run({split: [dict(row) for row in rows]}, lambda prompt: "\\boxed{A}")
    out["sampling"][task] = SamplingParams.last
    by_question = {messages[0]["content"]: messages for messages in asked}
    for row in rows:
        mine = [messages for content, messages in by_question.items() if content.startswith(row["question"] + "\nOptions are:\n")]
        mine = [m for m in mine if all(option in m[0]["content"] for option in row["options"])]
        assert len(mine) == 1
        out["prompts"].append({"task": task, "row": row, "messages": mine[0]})
    for i, (quirk, text) in enumerate(BOXED):
        row = rows[i % len(rows)]
        response = letters_in(text, row["options"], row[question_of])
        extracted, letter, drawn = script.letter(response)
        out["responses"].append(
            {
                "task": task,
                "quirk": quirk,
                "options": row["options"],
                "reference": row[question_of],
                "response": response,
                "extracted": extracted,
                "right": letter == row[question_of],
                "drawn": drawn,
            }
        )


def inspect_bbeh(folder):
    """What inspect_evals makes of a row of BBEH, whose authors publish a scorer but no prompts: the question and, behind it, the paper's suffix."""
    stand_in("inspect_ai")
    stand_in("inspect_ai.dataset", Dataset=None, Sample=types.SimpleNamespace)
    stand_in("inspect_evals")
    stand_in("inspect_evals.utils", create_stable_id=lambda *parts, prefix: prefix, filter_duplicate_ids=None)
    stand_in("inspect_evals.utils.huggingface", hf_dataset=None)
    return load(folder / "inspect_evals" / "bbeh" / "data.py", "inspect_bbeh").record_to_sample


def bbeh(script, official, sample_of, out):
    rows = bbeh_rows()
    for row in rows:
        given = {"input": row["question"], "target": row["answer"], "task": row["task"]}
        out["prompts"].append({"task": "bbeh_official", "row": given, "messages": [{"role": "user", "content": sample_of({**given, "mini": False}).input}]})
    asked, printed = script.run({"train": mock.MagicMock(__getitem__=lambda s, k: [r[k] for r in rows], __iter__=lambda s: iter([dict(r) for r in rows]))}, lambda prompt: "")
    out["sampling"]["bbeh"] = SamplingParams.last
    for row in rows:
        mine = [messages for messages in asked if messages[0]["content"].startswith(row["question"] + "\n")]
        assert len(mine) == 1
        out["prompts"].append({"task": "bbeh", "row": row, "messages": mine[0]})
    by_task = {}
    for task, texts, module in (("bbeh", BBEH_BOXED, script.module), ("bbeh_official", BBEH, official)):
        for quirk, text in texts:
            for row in rows:
                response = reference_in(text, row["answer"])
                sample = module.extract_solution(response) if task == "bbeh" else response
                right = module.evaluate_correctness(sample, row["answer"])
                out["responses"].append(
                    {
                        "task": task,
                        "quirk": quirk,
                        "categories": [row["task"]],
                        "reference": row["answer"],
                        "response": response,
                        "extracted": module.preprocess_sample(sample) or None,
                        "right": right,
                    }
                )
                by_task.setdefault(task, {}).setdefault(row["task"], []).append(right)
    for task, verdicts in by_task.items():
        shares = {name: sum(v) / len(v) for name, v in verdicts.items()}
        every = [v for values in verdicts.values() for v in values]
        # the paper's (5.2, footnote 2): of percentages, each raised by one so that a task without a right answer does not decide alone
        out["aggregates"][task] = {
            "categories": shares,
            "micro": sum(every) / len(every),
            "harmonic": len(shares) / sum(1 / (100 * share + 1) for share in shares.values()) / 100,
        }


def mmlu_pro_5shot(folder, out):
    with mock.patch.object(os, "getcwd", lambda: str(folder)):
        module = load(folder / "evaluate_from_local.py", "evaluate_from_local")  # seeds random
    with mock.patch.multiple(module, args=mock.MagicMock(gpu_util=0.9), torch=mock.MagicMock(), transformers=mock.MagicMock(), create=True):
        module.load_model()
    out["sampling"]["mmlu_pro_5shot"] = SamplingParams.last
    rows, shots = module.preprocess(mmlu_rows()), module.preprocess(mmlu_shots())
    raw = {row["question_id"]: row for row in mmlu_rows()}
    here = os.getcwd()
    os.chdir(folder)
    for i, row in enumerate(rows):
        for k in (5, 0) if i == 0 else (5,):
            mine = [s for s in mmlu_shots() if s["category"] == row["category"]]
            prompt = module.generate_cot_prompt(shots, row, k)
            out["prompts"].append({"task": "mmlu_pro_5shot", "row": raw[row["question_id"]], "shots": mine[:k] if k == 0 else mine, "prompt": prompt})
    os.chdir(here)
    categories, sizes = {}, {}
    drawn = []
    draw = random.randint

    def recorded(low, high):
        drawn.append(draw(low, high))
        return drawn[-1]

    for n, row in enumerate(rows):
        for i, (quirk, text) in enumerate(FIVE_SHOT):
            response = letters_in(text, row["options"], row["answer"])
            with contextlib.redirect_stdout(io.StringIO()):
                found = module.extract_answer(response)
            case = {
                "task": "mmlu_pro_5shot",
                "quirk": quirk,
                "categories": [row["category"]],
                "options": row["options"],
                "reference": row["answer"],
                "response": response,
                "extracted": found,
                "right": found == row["answer"],
            }
            out["responses"].append(case)
            categories.setdefault(row["category"], []).append({**row, "pred": found})
    random.seed(12345)
    result = {}
    with mock.patch.object(random, "randint", recorded), tempfile.TemporaryDirectory() as here:
        for category in sorted(categories):
            for _ in range(2):
                accuracy, right, wrong = module.save_res(categories[category], here + "/x.json")
            result[category] = accuracy, right, wrong
    _, right, wrong = (sum(values) for values in zip(*result.values()))
    shares = {category: accuracy for category, (accuracy, _, _) in result.items()}
    out["aggregates"]["mmlu_pro_5shot"] = {"categories": shares, "micro": right / (right + wrong), "drawn": drawn}


class Sampler:
    """A model that gives the responses it was told, and remembers what it was asked."""

    def __init__(self, responses):
        self.responses, self.asked = list(responses), []

    def create(self, model, messages, **kwargs):
        self.asked.append(messages)
        return mock.Mock(choices=[mock.Mock(message=mock.Mock(content=self.responses.pop(0)))], usage=None)

    def client(self, **kwargs):
        return mock.Mock(chat=mock.Mock(completions=mock.Mock(create=self.create)))


def run_simple(package, module, make, sampler_class, sampler_options, responses, rows):
    """Runs an evaluation of simple-evals: what was asked, and its results one by one."""
    common = importlib.import_module(package + ".common")
    evals = importlib.import_module(f"{package}.{module}")
    sampler = Sampler(responses)
    frame = mock.Mock(iterrows=lambda: [(i, mock.Mock(to_dict=lambda row=row: dict(row))) for i, row in enumerate(rows)])
    asked_by = importlib.import_module(f"{package}.sampler.{sampler_class[0]}")
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys.modules["pandas"], "read_csv", lambda path: frame))
        stack.enter_context(mock.patch.object(common, "aggregate_results", lambda results: results))
        stack.enter_context(mock.patch.object(asked_by, "OpenAI", sampler.client))
        if hasattr(evals, "load_dataset"):
            data = [dict(row) for row in rows]
            stack.enter_context(mock.patch.object(evals, "load_dataset", lambda *a, **k: data if "split" in k else {"train": data}))
        os.environ.setdefault("OPENAI_API_KEY", "none")
        evaluation = make(evals)
        results = evaluation(getattr(asked_by, sampler_class[1])(**sampler_options))
    return evaluation.examples, sampler.asked, [result.html for result in results]


def gpqa(task, package, module, cls, sampler_class, options, texts, repeats, out):
    rows = gpqa_rows()
    make = lambda evals: getattr(evals, cls)(n_repeats=repeats)
    examples, asked, _ = run_simple(package, module, make, sampler_class, options, [""] * len(rows) * repeats, rows)
    for example, messages in zip(examples, asked):
        row = {key: value for key, value in example.items() if key != "permutation"}
        out["prompts"].append({"task": task, "row": row, "permutation": example["permutation"], "messages": messages})
    many = -(-len(texts) // len(rows))
    make = lambda evals: getattr(evals, cls)(n_repeats=many)
    shown = []
    for example in examples_of(rows, many)[: len(texts)]:
        choices = [example[GPQA_COLUMNS[i]] for i in example["permutation"]]
        shown.append((choices, "ABCD"[choices.index(example["Correct Answer"])]))
    responses = [letters_in(text, *pair) for (_, text), pair in zip(texts, shown)]
    responses += [""] * (many * len(rows) - len(texts))
    _, _, results = run_simple(package, module, make, sampler_class, options, responses, rows)
    for (quirk, _), (choices, letter), response, result in zip(texts, shown, responses, results):
        assert result["correct_answer"] == letter
        out["responses"].append(
            {
                "task": task,
                "quirk": quirk,
                "options": choices,
                "reference": letter,
                "response": response,
                "extracted": result["extracted_answer"],
                "right": result["score"] == 1.0,
            }
        )


def examples_of(rows, repeats):
    rng = random.Random(0)
    return [{**row, "permutation": rng.sample(range(4), 4)} for row in rows * repeats]


def mathematics(package, out):
    options = {"model": "m", "system_message": "You are a helpful assistant.", "temperature": 1, "max_tokens": 8192}
    sampler_module = importlib.import_module(f"{package}.sampler.chat_completion_sampler")
    options["system_message"] = sampler_module.OPENAI_SYSTEM_MESSAGE_API
    for task, (module, cls, _, answer) in MATH.items():
        rows = math_rows(task)
        texts = [(quirk, reference_in(text, MATH_ROWS[i % 3][1]), right) for i, (quirk, text, right) in enumerate(MATH_RESPONSES)]
        repeats = -(-len(texts) // len(rows))
        judged = iter([right for _, _, right in texts] + [False] * len(rows))  # GPT-4o's part
        judge = lambda messages: "Yes" if next(judged) else "No"
        make = lambda evals: getattr(evals, cls)(equality_checker=judge, n_repeats=repeats)
        responses = [text for _, text, _ in texts] + [""] * (repeats * len(rows) - len(texts))
        sampler_class = ("qwen_chat_completion_sampler", "QwenChatCompletionSampler")
        _, asked, results = run_simple(package, module, make, sampler_class, options, responses, rows)
        for row, messages in zip(rows, asked):
            out["prompts"].append({"task": task, "row": row, "messages": messages})
        for i, ((quirk, text, right), result) in enumerate(zip(texts, results)):
            written = rows[i % 3][answer]
            out["responses"].append(
                {
                    "task": task,
                    "quirk": quirk,
                    "reference": written[0] if isinstance(written, list) else written,
                    "official_reference": result["correct_answer"],
                    "response": text,
                    "extracted": result["extracted_answer"],
                    "right": right,
                }
            )


def supergpqa(folder, task, mode, responses, out):
    completion = mode == "five-shot"  # asked of base models
    module = load(folder / "eval" / "eval.py", "supergpqa_eval")
    sys.path.insert(0, str(folder))
    config = yaml.safe_load((folder / "config" / "config_default.yaml").read_text())
    out["sampling"][task] = {"temperature": config["temperatrue"], "max_tokens": config["max_tokens"], "stop": []}
    here = os.getcwd()
    os.chdir(folder)
    loader = importlib.import_module("infer.data_loader")
    rows = supergpqa_rows()
    with mock.patch.object(loader, "read_json_or_jsonl", lambda *a, **k: rows):
        for prompt, row in loader.load_data("SuperGPQA-all", mode):
            asked = {"prompt": prompt} if completion else {"messages": [{"role": "user", "content": prompt}]}
            out["prompts"].append({"task": task, "row": row, **asked})
    os.chdir(here)
    cases = []
    for i, (quirk, text) in enumerate(responses):
        for k in (i, i + 5):
            row = rows[k % len(rows)]
            cases.append({**row, "quirk": quirk, "response": letters_in(text, row["options"], row["answer_letter"])})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "in.jsonl"
        path.write_text("".join(json.dumps(case) + "\n" for case in cases))
        accuracy, error, miss, hard, middle, easy, stats = module.calculate_accuracy(str(path), place + "/out", mode)
        scored = [json.loads(line) for line in (Path(place) / "out" / "in.jsonl").read_text().splitlines()]
    for case in scored:
        out["responses"].append(
            {
                "task": task,
                "quirk": case["quirk"],
                "categories": [case[level] for level in ("discipline", "field", "subfield", "difficulty")],
                "options": case["options"],
                "reference": case["answer_letter"],
                "response": case["response"],
                "extracted": case["extracted_answer"],
                "right": case["status"] == "correct",
            }
        )
    levels = {level: {key: one["correct"] / one["total"] for key, one in stats[level].items()} for level in stats}
    out["aggregates"][task] = {
        "categories": levels["discipline"],
        "micro": accuracy,
        "miss": miss,
        "hard": hard,
        "middle": middle,
        "easy": easy,
        **{level: sum(shares.values()) / len(shares) for level, shares in levels.items()},
    }


def equality(package):
    check = importlib.import_module(package + ".common").check_equality
    given, asked, replies = ("$\\frac{1}{2}$ or so", "0.5 {x}"), [], {}
    for reply in ("Yes", "yes", " YES\n", "No", "no", "Yes.", "Yes, they are", "", "yes no", "\"Yes\"", "No\nYes", "Yes\nYes"):
        replies[reply] = check(lambda messages: asked.append(messages[0]["content"]) or reply, *given)
    return {"asked": asked[0], "reference": given[0], "answer": given[1], "replies": replies}


def random_draws():
    rng = random.Random(0)
    permutations = [rng.sample(range(4), 4) for _ in range(2000)]
    rng = random.Random(7)
    mixed = [[rng.sample(range(n), n) for n in range(1, 27)] for _ in range(3)]
    random.seed(12345)
    return {
        "of_four": ["".join(map(str, p)) for p in permutations],
        "of_each_size": {"seed": 7, "orders": mixed},
        "below": {"seed": 12345, "draws": [[n, random.randint(0, n - 1)] for _ in range(60) for n in (1, 3, 4, 7, 8, 9, 10, 1000)]},
        "below_far": {"seed": 4294967295, "draws": far_draws(4294967295)},
    }


def far_draws(seed):
    rng = random.Random(seed)
    return [[n, rng.randint(0, n - 1)] for n in (2, 10, 2**31, 2**16 + 1) for _ in range(20)]


def main():
    parser = argparse.ArgumentParser()
    for name in ("general-reasoner", "mmlu-pro", "simple-evals", "supergpqa", "bbeh", "inspect-evals"):
        parser.add_argument("--" + name, type=Path, required=True)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "test" / "fixtures" / "benchmarks")
    given = parser.parse_args()
    for name in ("general_reasoner", "mmlu_pro", "simple_evals", "supergpqa", "bbeh", "inspect_evals"):
        setattr(given, name, getattr(given, name).resolve())
    stand_in_all()
    out = {"prompts": [], "responses": [], "aggregates": {}, "random": random_draws(), "sampling": {}}

    evaluation = given.general_reasoner / "evaluation"
    general_reasoner_letters(Script(evaluation / "eval_mmlupro.py"), "mmlu_pro", mmlu_rows(), "test", "answer", out)
    general_reasoner_letters(Script(evaluation / "eval_supergpqa.py"), "supergpqa", supergpqa_rows(), "train", "answer_letter", out)
    official = load(given.bbeh / "bbeh" / "evaluate.py", "bbeh_evaluate")
    bbeh(Script(evaluation / "eval_bbeh.py"), official, inspect_bbeh(given.inspect_evals), out)
    mmlu_pro_5shot(given.mmlu_pro, out)

    load_package(evaluation / "simple-evals", "general_reasoner_evals")
    load_package(evaluation / "simple-evals" / "sampler", "general_reasoner_evals.sampler")
    load_package(given.simple_evals, "simple_evals")
    load_package(given.simple_evals / "sampler", "simple_evals.sampler")
    qwen = ("qwen_chat_completion_sampler", "QwenChatCompletionSampler")
    asking = {"model": "m", "system_message": "You are a helpful assistant.", "temperature": 0, "max_tokens": 8192}
    gpqa("gpqa_diamond", "general_reasoner_evals", "gpqa_eval_qwen", "GPQAEvalQwen", qwen, asking, BOX_OF_LINE, 1, out)
    openai = ("chat_completion_sampler", "ChatCompletionSampler")
    gpqa("gpqa_diamond_simple_evals", "simple_evals", "gpqa_eval", "GPQAEval", openai, {}, SIMPLE, 4, out)
    mathematics("general_reasoner_evals", out)
    out["judge"] = equality("general_reasoner_evals")
    supergpqa(given.supergpqa, "supergpqa_zeroshot", "zero-shot", SUPERGPQA, out)
    supergpqa(given.supergpqa, "supergpqa_fiveshot", "five-shot", SUPERGPQA + SUPERGPQA_GOES_ON, out)

    given.out.mkdir(parents=True, exist_ok=True)
    for name, value in out.items():
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n]\n"
        else:
            text = json.dumps(value, ensure_ascii=False) + "\n"
        (given.out / (name + ".json")).write_text(text)
        print(f"{name}.json: {len(value)} of them, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
