"""The answer checker beside Math-Verify 0.9, on the same pairs in one run.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install "math-verify[antlr4_13_2]==0.9.0"
    make build/check_answers && /tmp/peers/bin/python lab/bench/verify_peers.py ../shared/data

Of each set: how often a checker agrees, how many wrong answers it accepts, how many right ones it misses, and seconds (Math-Verify's
without its imports, ours with the process and its JSON). A verdict of ours that is not "equal" counts as no.

Math-Verify as its README recommends, at the settings that agree most often on these sets. Its README says that LaTeX has to be in an
environment to be read, so a gold answer without one is put in dollars, and so is a prediction that has LaTeX's signs but no
environment. LatexExtractionConfig and ExprExtractionConfig extract from both; StringExtractionConfig joins them where the gold is a
letter. verify() runs with strict=False and allow_set_relation_comp=True, its two lenient options, and its own time limits of 5 s, of
which one that strikes counts as no. Tried one at a time, and not better: texts as they are, golds in a box, boxed_match_priority=0, the
string extraction everywhere, strict=True.
"""

import argparse
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time

from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

LETTERS = tuple("ABCDEFGHIJ")
FORMULAS = [LatexExtractionConfig(), ExprExtractionConfig()]
CHOICES = FORMULAS + [StringExtractionConfig(strings=LETTERS)]
ENVIRONMENTS = ("$", "\\(", "\\[", "\\boxed", "\\begin{")


def has_environment(text):
    return any(e in text for e in ENVIRONMENTS)


def in_dollars(text):
    return text if has_environment(text) else f"${text}$"


def peer_says(gold, prediction):
    letter = gold.strip(" ()$").upper() in LETTERS
    targets = CHOICES if letter else FORMULAS
    if any(sign in prediction for sign in "\\^_{"):
        prediction = in_dollars(prediction)
    try:
        return bool(verify(parse(in_dollars(gold), targets), parse(prediction, targets), strict=False,
                           allow_set_relation_comp=True))
    except Exception:  # whatever sympy could not do
        return False


def ours_say(checker, pairs):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for gold, prediction, _ in pairs:
            file.write(json.dumps({"gold": gold, "prediction": prediction}) + "\n")
        file.flush()
        lines = subprocess.run([checker, file.name], check=True, capture_output=True).stdout.split(b"\n")
    assert len(lines) == len(pairs) + 1
    return [line.split(b"\t")[0] == b"equal" for line in lines[:-1]]


def rows_of(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def known_pairs(path):
    return [(r["gold"], r["prediction"], r["expected"]) for r in rows_of(path)]


def option_pairs(path, count, seed, right):
    """A sample of rows, with the text of the right option, or of another one, in a box."""
    draw = random.Random(seed)
    pairs = []
    for row in draw.sample(rows_of(path), count):
        gold = row["options"][ord(row["answer"]) - ord("A")]
        others = [o for o in row["options"] if o.split() != gold.split()]
        if right or others:
            pairs.append((gold, "\\boxed{%s}" % (gold if right else draw.choice(others)), right))
    return pairs


def counts(pairs, verdicts, seconds):
    agreed = sum(v == wanted for v, (_, _, wanted) in zip(verdicts, pairs))
    accepted = sum(v and not wanted for v, (_, _, wanted) in zip(verdicts, pairs))
    return f"{100 * agreed / len(pairs):6.1f} {accepted:6d} {len(pairs) - agreed - accepted:6d} {seconds:8.2f}"


def compare(name, pairs, checker):
    start = time.perf_counter()
    ours = ours_say(checker, pairs)
    middle = time.perf_counter()
    peers = [peer_says(gold, prediction) for gold, prediction, _ in pairs]
    end = time.perf_counter()
    print(f"{name:34} {len(pairs):5d}  {counts(pairs, ours, middle - start)}   {counts(pairs, peers, end - middle)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the folder with verifier/ and bench/mmlu_pro/")
    parser.add_argument("--checker", default="build/check_answers")
    parser.add_argument("--rows", type=int, default=2000, help="of MMLU-Pro, each way")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sys.set_int_max_str_digits(0)
    mmlu = os.path.join(options.data, "bench/mmlu_pro/test.jsonl")
    sets = [("208 pairs of nine checkers' tests", known_pairs(os.path.join(options.data, "verifier/math_pairs.jsonl"))),
            ("pairs that were judged wrong", known_pairs(os.path.join(options.data, "verifier/found_2026-11.jsonl"))),
            ("MMLU-Pro, right option, boxed", option_pairs(mmlu, options.rows, options.seed, True)),
            ("MMLU-Pro, another option, boxed", option_pairs(mmlu, options.rows, options.seed, False))]
    head = f"{'agree%':>6} {'accept':>6} {'miss':>6} {'seconds':>8}"
    print(f"{'':34} {'':5}  {'check_answers':^29}   {'Math-Verify 0.9':^29}")
    print(f"{'':34} {'pairs':>5}  {head}   {head}")
    for name, pairs in sets:
        compare(name, pairs, options.checker)


if __name__ == "__main__":
    main()
