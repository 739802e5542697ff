#!/usr/bin/env python3
"""Writes test/fixtures/benchmarks/*.json: what benchmarks' own scripts ask, extract, count and average.

usage: benchmarks.py --general-reasoner DIR --mmlu-pro DIR --simple-evals DIR --supergpqa DIR --bbeh DIR [OUT]
The folders are checkouts of TIGER-AI-Lab/General-Reasoner (007e44c), TIGER-AI-Lab/MMLU-Pro (f418b11 or later), openai/simple-evals,
SuperGPQA/SuperGPQA and google-deepmind/bbeh. Their functions are loaded and run as they are, with stand-ins for what they import and
do not need here (vllm, datasets, pandas, ...); only PyYAML has to be installed. Rows and responses are made up below, none is of a
benchmark; the quirk that a response is there for is named beside it.

prompts.json     [{task, row, permutation?, shots?, messages | prompt}]: what a row is asked
responses.json   [{task, quirk, categories?, options?, reference, response, extracted, right, drawn?}]: what is found in a response, null
                 where nothing is, and whether it counts. drawn: a letter of ten was drawn at random, right by chance. categories: the
                 row's, in the order of the task's fields
aggregates.json  the scripts' averages over those, {task: {categories: {name: share}, micro, ...}}: mmlu_pro_5shot with the places that it
                 drew, in their order; bbeh with the harmonic mean of its paper; supergpqa_zeroshot with its means over subfields, fields
                 and disciplines, where a subfield is one of its field, and a field one of its discipline
random.json      what Python's random draws
"""
import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import os
import random
import re
import runpy
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

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


def stand_in_all():
    anything = mock.MagicMock()
    stand_in("vllm", LLM=anything, SamplingParams=anything)
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


# ---- rows

NASTY = [
    ("Which of these is a noble gas?", ["Argon", " Neon\u2009gas", "Iron", "N/A", "Gold"], "A"),
    ("What does {question} print?\nAnd {options}, {{letter}}?", ["{question}", "%s and %(name)s", "{}", "{0}"], "C"),
    ("She said \"it's 50 %\" of $\\frac{1}{2}$ — how much?\r\nIn full.", ["\\boxed{A}", "25\u00a0%", "  0.25"], "C"),
    ("Ελληνικά, 日本語 and 🙂: which is a picture?", ["Ελληνικά", "日本語", "🙂", "\\u0041", "tab\there"], "C"),
    ("A question that ends with a newline\n", ["yes", "no", "yes.", "No"], "B"),
    (
        " Ten options, the first with a leading space",
        [" 1", "2", "3 < 4", "4 & 5", "(5)", "[6]", "7.", "8:", "9*", "10\n(two lines)"],
        "J",
    ),
    ("Seven.", ["a", "b", "c", "d", "e", "f", "the answer is (A)"], "G"),
    ("Fill the ____: options repeat", ["same", "same", "other", "N/A"], "B"),
]
MMLU_CATEGORIES = ["computer science", "math", "chemistry", "engineering", "law", "biology", "health", "physics", "business"]
MMLU_CATEGORIES += ["philosophy", "economics", "other", "psychology", "history"]
DISCIPLINES = ["Engineering", "Medicine", "Science", "Philosophy", "Military Science", "Economics", "Management", "Sociology"]
DISCIPLINES += ["Literature and Arts", "History", "Agronomy", "Law", "Education"]


def mmlu_rows():
    return [
        {
            "question_id": 100 + i,
            "question": question,
            "options": list(options),
            "answer": answer,
            "answer_index": ord(answer) - 65,
            "cot_content": "",
            "category": MMLU_CATEGORIES[i * 5 % 14],
            "src": "made up",
        }
        for i, (question, options, answer) in enumerate(NASTY)
    ]


def mmlu_shots():
    thoughts = "A: Let's think step by step. {%d} is 50 %%, so \"A: Let's think step by step.\"\nThe answer is (%s)."
    return [
        {
            "question_id": i,
            "question": f"Example {i} of {category}, with {{shots}} and {{question}}?",
            "options": ["one", " two", "N/A", "thr\u00e9e"][: 3 + i % 2],
            "answer": "AB"[i % 2],
            "answer_index": i % 2,
            "cot_content": thoughts % (i, "AB"[i % 2]),
            "category": category,
            "src": "made up",
        }
        for category in sorted({row["category"] for row in mmlu_rows()})
        for i in range(6)  # one too many
    ]


def supergpqa_rows():
    return [
        {
            "uuid": f"made-up-{i}",
            "question": question,
            "options": list(options),
            "answer": options[ord(letter) - 65],
            "answer_letter": letter,
            "discipline": DISCIPLINES[i % 13],
            "field": f"field {i % 5}",
            "subfield": f"subfield {i % 7}",
            "difficulty": ["easy", "middle", "hard"][i % 3],
            "is_calculation": False,
        }
        for i, (question, options, letter) in enumerate(NASTY + NASTY[:5])
    ]


GPQA_COLUMNS = ["Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"]


def gpqa_rows():
    made = [
        ("Which {question} of $\\ce{H2O}$?\nTwo lines.", ["ice", " steam", "{water}", "50 % vapour"]),
        ("Right and wrong look alike", ["same", "same", "b", "c"]),
        ("Unicode: ∑ 🙂 Ω \"quoted\" and 'quoted'", ["α", "β\n(second line)", "γ", "δ "]),
        (" leading and trailing ", ["1", "2", "3", "4"]),
        ("Backslash \\n and \\boxed{A}", ["\\alpha", "\\boxed{B}", "%d", "N/A"]),
    ]
    return [
        {"Record ID": f"rec{i}", "Question": question, **dict(zip(GPQA_COLUMNS, options)), "Subdomain": "made up", "High-level domain": "Physics"}
        for i, (question, options) in enumerate(made)
    ]


def bbeh_rows():
    made = [
        ("boolean expressions", "Is {this} true?\nOptions: (A) yes (B) no", "(A)"),
        ("word sorting", "Sort: b, a, 'c' — 100 %", "a, b, c"),
        ("time arithmetic", "What is 20 + 5?", "25.0"),
        ("linguini", "Translate 🙂 \"into\" Ελληνικά", "ΝΑΊ"),
        ("object counting", "How many? {question}", "[3, 4]"),
        ("nycc", "Is it so?", "it's so"),
        ("zebra puzzles", "Who?", "a"),
        ("dyck languages", "What remains?", "[]"),
    ]
    return [{"task": task, "question": question, "answer": answer} for task, question, answer in made]


MATH_ROWS = [
    ("What is $\\frac{1}{2} + \\frac{1}{2}$? {question}\n", "1"),
    ("Ten % of \"100\" — 🙂?", "10"),
    ("<question> and <a>", "\\frac{3}{4}"),
]
MATH = {  # module, class, field of the question, of the answer
    "gsm8k": ("gsm8k_eval_qwen", "Gsm8kEvalQwen", "question", "answer"),
    "math500": ("math_eval_qwen", "MathEvalQwen", "Question", "Answer"),
    "aime24": ("aime24_eval_qwen", "AIME24EvalQwen", "problem", "answer"),
    "aime25": ("aime25_eval_qwen", "AIME25EvalQwen", "problem", "answer"),
    "amc23": ("amc_eval_qwen", "AmcEvalQwen", "question", "answer"),
    "minerva_math": ("minerva_eval_qwen", "MinervaEvalQwen", "problem", "answer"),
    "olympiadbench": ("olympiad_eval_qwen", "OlympiadEvalQwen", "question", "final_answer"),
}


def math_rows(task):
    _, _, question, answer = MATH[task]
    written = {"gsm8k": lambda a: f"First 2 #### 3, then\n#### {a}", "olympiadbench": lambda a: [a, "another"]}
    return [{question: q, answer: written.get(task, str)(a)} for q, a in MATH_ROWS]


# ---- responses: (quirk, response); {X} stands for the right letter, {Y} for a wrong one, {x} and {y} in lower case

BOXED = [
    ("a letter in a box", "So it is \\boxed{{X}}."),
    ("a wrong one", "So it is \\boxed{{Y}}."),
    ("the last box counts", "First \\boxed{{Y}}, but then \\boxed{{X}}"),
    ("even if the first was right", "First \\boxed{{X}}, but then \\boxed{{Y}}"),
    ("the last box is empty: none counts", "\\boxed{{X}} and \\boxed{}"),
    ("an empty box, then words", "\\boxed{}\nFinal Answer: {X}\n"),
    ("a box with a blank is not empty", "The answer is: {X}\n\\boxed{ }"),
    ("contained, the first in the alphabet", "\\boxed{{X}. A Big Cat}"),
    ("contained in a word", "\\boxed{\\text{Answer: none}}"),
    ("lower case is no letter", "\\boxed{{x}}"),
    ("in nested braces", "\\boxed{\\text{\\textbf{{X}}}}"),
    ("four braces deep", "\\boxed{\\a{\\b{\\c{\\d{{X}}}}}}"),
    ("a box that is not closed", "\\boxed{{Y}} \\boxed{{X}"),
    ("a box over lines", "\\boxed{\n{X}\n}"),
    ("a box in capitals is none", "\\Boxed{{X}}"),
    ("a blank before the brace", "\\boxed {{X}}"),
    ("fbox", "\\fbox{{X}}"),
    ("brackets", "\\boxed{({X})}"),
    ("Final Answer before The answer is", "The answer is: {Y}\nFinal Answer: {X}\nThe answer is: {Y}\n"),
    ("the last Final Answer", "Final Answer: {Y}\nFinal Answer: {X}\n"),
    ("an empty Final Answer hides the other", "The answer is: {X}\nFinal Answer:\n"),
    ("The answer is", "The answer is: ({X})\nDone"),
    ("a newline is needed", "The answer is: {X}"),
    ("and lost before a stop word", "The answer is: {X}\n</s>"),
    ("and lost behind Assistant", "Assistant: The answer is: {X}\n"),
    ("over less-than", "The answer is: 3 < 4, {X}\n"),
    ("over two of them", "The answer is: 3 << 4, {X}\n"),
    ("case counts", "the answer is: {X}\nfinal answer: {X}\n"),
    ("without a colon", "The answer is {X}\n"),
    ("the last Assistant", "Assistant: \\boxed{{Y}}\nUser: well?\nAssistant: \\boxed{{X}}"),
    ("nothing behind Assistant", "\\boxed{{X}} Assistant:"),
    ("a stop word", "\\boxed{{X}}</s>\\boxed{{Y}}"),
    ("the first stop word", "\\boxed{{X}}<|endoftext|>\\boxed{{Y}}<|im_end|>\\boxed{{Y}}</s>"),
    ("a stop word before anything", "<|im_end|>\\boxed{{X}}"),
    ("turns", "\\boxed{{Y}}<|im_end|>\n<|im_start|>user\nwell?<|im_end|>\n<|im_start|>assistant\n\\boxed{{X}}<|im_end|>\\boxed{{Y}}"),
    ("turns hide Assistant", "<|im_start|>user Assistant: <|im_start|>assistant The answer is: {X}\n Assistant: b\n"),
    ("a user's turn alone", "\\boxed{{X}} <|im_start|>user Assistant: \\boxed{{Y}}"),
    ("nothing", "I do not know"),
    ("nothing at all", ""),
    ("characters", "Ελληνικά 🙂 \\boxed{Ω {X}} \u2028\u0085"),
    ("a capital elsewhere", "\\boxed{Κ}"),
]
FIVE_SHOT = [
    ("answer is (X)", "Well. The answer is ({X})."),
    ("the first counts", "The answer is ({X}). The answer is ({Y})."),
    ("without brackets", "the answer is {X}"),
    ("one bracket", "the answer is ({X}"),
    ("the first letter of a word", "the answer is Bad, rather Answer: {X}"),
    ("lower case is no letter", "the answer is ({x})"),
    ("no letter beyond J", "the answer is (K)"),
    ("a newline between is not a blank", "the answer is\n{X}, or {Y}"),
    ("Answer:", "Hm.\nAnswer: {X} and Answer"),
    ("the last Answer of the first line that has one", "answer: {Y} answer: {X}\nanswer: {Y}"),
    ("Answer: over a newline", "Answer:\n\n{X}"),
    ("ANSWER is none", "ANSWER: {X} ... Y"),
    ("the last lone letter", "{Y} and then {X}, finally"),
    ("lone letters need borders", "{X}_ {X}1 {X}\u00e9 x{X}"),
    ("an I is a letter", "I think so"),
    ("a lone letter before a newline", "It is {X}\n\nand no more"),
    ("a blank before", "answer is  ({X})"),
    ("bold", "The answer is **({X})** or Answer: {Y}"),
    ("nothing", "no idea"),
    ("nothing at all", ""),
    ("only small ones", "a b c"),
    ("unicode", "答案 answer is {X}。"),
]
SIMPLE = [
    ("Answer: X", "Thus\nAnswer: {X}"),
    ("a wrong one", "Answer: {Y}"),
    ("the first counts", "Answer: {Y}\nAnswer: {X}"),
    ("any case of the word", "aNSWER:{X}"),
    ("a lower-case letter is found and wrong", "Answer: {x}"),
    ("dollars", "Answer: ${X}$"),
    ("tabs", "Answer\t:\t {X}"),
    ("a newline is no blank", "Answer:\n{X}"),
    ("brackets are in the way", "Answer: ({X})"),
    ("bold is in the way", "**Answer:** {X}"),
    ("the first letter of a word", "Answer: Because\nAnswer: {X}"),
    ("E is none", "Answer: E, no: Answer: {X}"),
    ("nothing", "{X}"),
    ("nothing at all", ""),
]
BOX_OF_LINE = [
    ("a letter in a box", "So \\boxed{{X}}."),
    ("a wrong one", "So \\boxed{{Y}}."),
    ("the first box counts", "\\boxed{{X}}\nthen \\boxed{{Y}}"),
    ("even if the last is right", "\\boxed{{Y}}\nthen \\boxed{{X}}"),
    ("two on a line are wrong", "\\boxed{{X}} and \\boxed{{X}}"),
    ("a brace behind it on its line is in it", "\\boxed{{X}} and }"),
    ("any case", "\\BOXED{{X}}"),
    ("white space before the brace", "\\boxed \n {{X}}"),
    ("a blank within", "\\boxed{ {X}}"),
    ("brackets within", "\\boxed{({X})}"),
    ("text within", "\\boxed{\\text{{X}}}"),
    ("a lower-case letter", "\\boxed{{x}}"),
    ("over lines", "\\boxed{\n{X}\n}"),
    ("empty, then filled on its line", "\\boxed{} \\boxed{{X}}"),
    ("empty, then filled", "\\boxed{}\n\\boxed{{X}}"),
    ("no box", "The answer is {X}"),
    ("nothing at all", ""),
]
SUPERGPQA = [
    ("Answer: X", "Thus.\nAnswer: {X}"),
    ("a wrong one", "Answer: {Y}"),
    ("the last line first", "Answer: {Y}\nsome more\nAnswer: {X}."),
    ("else the first anywhere", "Answer: {X}\nAnswer: {Y}\nand that is that"),
    ("the answer is before Answer:", "Answer: {Y}\nThe answer is {X}\nOr not."),
    ("lower case is found and wrong", "the answer is {x}"),
    ("the correct answer is", "The correct answer is ({X})."),
    ("the option is:", "So the best option is: $\\boxed{{X}}$"),
    ("two words between", "the very best answer is {X}"),
    ("bold", "**Answer:** **{X}**"),
    ("bold before the colon", "**Answer**: {X}"),
    ("mathbf", "ANSWER: $\\mathbf{{X}}$"),
    ("text in a box", "Answer: \\boxed{\\text{{X}}}"),
    ("brackets", "[{X}]:"),
    ("a letter alone", "Hm.\n\n{X}\n"),
    ("a letter alone, boxed", "$\\boxed{{X}}$"),
    ("at the text's begin", "{X}. Because it is so\nAs said above"),
    ("a word is no letter", "Answer: Apples are"),
    ("a letter and a comma", "Answer: {X}, surely"),
    ("K is none", "Answer: K"),
    ("white space behind", "Answer: {X}  \n\n \u00a0"),
    ("A begins a sentence", "A thing is so\nIt ends here"),
    ("i is a letter", "i think\nso it seems"),
    ("content", "The answer is {content}."),
    ("content of another", "Answer {other}"),
    ("content on the last line first", "The answer is {other}.\nThe answer is {content}."),
    ("content alone", "{content}"),
    ("content in a box", "The answer is $\\boxed{{content}}$."),
    ("content in other case", "The answer is {CONTENT}!"),
    ("content and more", "The answer is {content}s"),
    ("nothing", "no idea, really"),
    ("nothing at all", ""),
    ("newlines only", "\n\n"),
]
BBEH = [
    ("as it is", "{R}"),
    ("The answer is:", "Ok The answer is: {R}"),
    ("the last", "The answer is: b\nThe answer is: {R}."),
    ("The final answer is", "The final answer is {R}"),
    ("with a colon", "The final answer is: {R}"),
    ("with a colon and no blank", "The final answer is:{R}"),
    ("The answer is", "The answer is {R}"),
    ("a prefix in what a prefix left", "The answer is: well, The answer is {R}"),
    ("lower case of the prefix", "the answer is: {R}"),
    ("bold", "The answer is: **{R}**\nHere's why."),
    ("bold in the middle", "The answer is: {R}** or"),
    ("first line only", "The answer is: {R}\nb"),
    ("a dot", "The answer is: {R}."),
    ("two dots", "The answer is: {R}.."),
    ("three dots", "The answer is: {R}..."),
    ("dollars", "The answer is: ${R}$"),
    ("a dollar", "The answer is: $"),
    ("boxed", "The answer is: \\boxed{{R}}"),
    ("boxed, dollars and a dot", "The answer is: $\\boxed{{R}}$."),
    ("text in a box", "The answer is: \\boxed{\\text{{R}}}"),
    ("texttt", "The answer is: \\texttt{{R}}"),
    ("two boxes", "\\boxed{{R}} \\boxed{b}"),
    ("capitals", "The answer is: {UPPER}"),
    ("blanks behind commas", "The answer is: {COMMAS}"),
    ("brackets", "The answer is: ({R})"),
    ("square brackets", "The answer is: [{R}]"),
    ("without brackets", "The answer is: {INNER}"),
    ("a float", "The answer is: 25"),
    ("an exponent", "The answer is: 2.5e1"),
    ("underscores", "The answer is: 2_5"),
    ("underscores astray", "The answer is: 2__5"),
    ("a sign", "The answer is: +25."),
    ("quotes", "The answer is: '{R}'"),
    ("without quotes", "The answer is: {UNQUOTED}"),
    ("a question mark", "The answer is: {R}?"),
    ("a letter in brackets", "The answer is: (a)"),
    ("a letter alone", "The answer is: A"),
    ("a letter in brackets decides", "The answer is: (3)"),
    ("infinite", "The answer is: inf"),
    ("not a number", "The answer is: nan"),
    ("nothing", ""),
    ("nothing behind", "The answer is:"),
    ("characters", "The answer is: ναί"),
]
BBEH_BOXED = [
    ("boxed", "So \\boxed{{R}}"),
    ("the last box", "\\boxed{b} \\boxed{{R}}"),
    ("text in a box", "So \\boxed{\\text{{R}}}"),
    ("capitals", "So \\boxed{{UPPER}}"),
    ("blanks behind commas", "So \\boxed{{COMMAS}}"),
    ("a float", "So \\boxed{25}"),
    ("a letter", "So \\boxed{a}"),
    ("a letter in brackets", "So \\boxed{(A)}"),
    ("words in a box", "So \\boxed{The answer is: {R}}"),
    ("bold in a box", "So \\boxed{**{R}**}"),
    ("a dot in a box", "So \\boxed{{R}.}"),
    ("The answer is needs a newline", "The answer is: {R}"),
    ("The answer is", "The answer is: {R}\n"),
    ("Final Answer", "Final Answer: {R}\nThe answer is: b\n"),
    ("behind a stop word", "\\boxed{b}</s>\\boxed{{R}}"),
    ("nothing is sometimes right", "I give up"),
]
MATH_RESPONSES = [
    ("in a box", "So \\boxed{{R}}.", True),
    ("a wrong one", "So \\boxed{77}.", False),
    ("the first box counts", "\\boxed{{R}}\nand \\boxed{77}", True),
    ("even if the last is right", "\\boxed{77}\nand \\boxed{{R}}", False),
    ("two on a line are wrong", "\\boxed{{R}} = \\boxed{77}", False),
    ("any case, white space", "\\Boxed {{R}}", True),
    ("over lines", "\\boxed{\n{R}}", False),
    ("no box", "The answer is {R}", False),
    ("nothing at all", "", False),
]


def letters_in(text, row_options, letter):
    """Fills in a right and a wrong letter and option."""
    wrong = "A" if letter != "A" else "B"
    for name, value in (
        ("{X}", letter),
        ("{Y}", wrong),
        ("{x}", letter.lower()),
        ("{y}", wrong.lower()),
        ("{content}", row_options[ord(letter) - 65]),
        ("{other}", row_options[ord(wrong) - 65]),
        ("{CONTENT}", row_options[ord(letter) - 65].upper()),
    ):
        text = text.replace(name, value)
    return text


def reference_in(text, reference):
    inner = reference[1:-1] if reference[:1] in "([" else reference
    for name, value in (
        ("{R}", reference),
        ("{UPPER}", reference.upper()),
        ("{COMMAS}", ", ".join(part.strip() for part in reference.split(","))),
        ("{INNER}", inner),
        ("{UNQUOTED}", reference.replace("'", "")),
    ):
        text = text.replace(name, value)
    return text


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


def bbeh(script, official, out):
    rows = bbeh_rows()
    asked, printed = script.run({"train": mock.MagicMock(__getitem__=lambda s, k: [r[k] for r in rows], __iter__=lambda s: iter([dict(r) for r in rows]))}, lambda prompt: "")
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
        # the paper's: of percentages, each raised by one so that a task without a right answer does not decide alone
        out["aggregates"][task] = {
            "categories": shares,
            "micro": sum(every) / len(every),
            "harmonic": len(shares) / sum(1 / (100 * share + 1) for share in shares.values()) / 100,
        }


def mmlu_pro_5shot(folder, out):
    with mock.patch.object(os, "getcwd", lambda: str(folder)):
        module = load(folder / "evaluate_from_local.py", "evaluate_from_local")  # seeds random
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


def supergpqa_zeroshot(folder, out):
    module = load(folder / "eval" / "eval.py", "supergpqa_eval")
    sys.path.insert(0, str(folder))
    here = os.getcwd()
    os.chdir(folder)
    loader = importlib.import_module("infer.data_loader")
    rows = supergpqa_rows()
    with mock.patch.object(loader, "read_json_or_jsonl", lambda *a, **k: rows):
        for prompt, row in loader.load_data("SuperGPQA-all", "zero-shot"):
            out["prompts"].append({"task": "supergpqa_zeroshot", "row": row, "messages": [{"role": "user", "content": prompt}]})
    os.chdir(here)
    cases = []
    for i, (quirk, text) in enumerate(SUPERGPQA):
        for k in (i, i + 5):
            row = rows[k % len(rows)]
            cases.append({**row, "quirk": quirk, "response": letters_in(text, row["options"], row["answer_letter"])})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "in.jsonl"
        path.write_text("".join(json.dumps(case) + "\n" for case in cases))
        accuracy, error, miss, hard, middle, easy, stats = module.calculate_accuracy(str(path), place + "/out", "zero-shot")
        scored = [json.loads(line) for line in (Path(place) / "out" / "in.jsonl").read_text().splitlines()]
    for case in scored:
        out["responses"].append(
            {
                "task": "supergpqa_zeroshot",
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
    out["aggregates"]["supergpqa_zeroshot"] = {
        "categories": levels["discipline"],
        "micro": accuracy,
        "miss": miss,
        "hard": hard,
        "middle": middle,
        "easy": easy,
        **{level: sum(shares.values()) / len(shares) for level, shares in levels.items()},
    }


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
    for name in ("general-reasoner", "mmlu-pro", "simple-evals", "supergpqa", "bbeh"):
        parser.add_argument("--" + name, type=Path, required=True)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "test" / "fixtures" / "benchmarks")
    given = parser.parse_args()
    for name in ("general_reasoner", "mmlu_pro", "simple_evals", "supergpqa", "bbeh"):
        setattr(given, name, getattr(given, name).resolve())
    stand_in_all()
    out = {"prompts": [], "responses": [], "aggregates": {}, "random": random_draws()}

    evaluation = given.general_reasoner / "evaluation"
    general_reasoner_letters(Script(evaluation / "eval_mmlupro.py"), "mmlu_pro", mmlu_rows(), "test", "answer", out)
    general_reasoner_letters(Script(evaluation / "eval_supergpqa.py"), "supergpqa", supergpqa_rows(), "train", "answer_letter", out)
    bbeh(Script(evaluation / "eval_bbeh.py"), load(given.bbeh / "bbeh" / "evaluate.py", "bbeh_evaluate"), out)
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
    supergpqa_zeroshot(given.supergpqa, out)

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
