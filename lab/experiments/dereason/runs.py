"""What the runs of run.sh left, and what can be said of it: scores, differences to DeReason, and how sure they are."""

import datetime
import itertools
import json
import math
import os
import re
import statistics
import subprocess

MEASURES = (("all levels, greedy", "all"), ("hard, greedy", "hard"), ("hard, avg@4", "sampled"))
SFT_BATCH, RL_BATCH = 32, 128
T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}  # Student, two-sided, by degrees of freedom
BEGINS = {"sft_easy": "easy", "sft_all": "all", "easy_hard": "easy", "dereason": "easy", "random_rl": "random", "both_rl": "all", "inverted_rl": "hard", "rl": "base"}


# ---- what the runs left


def names_of(function):
    """[(name, what it is called)] of run.sh's settings() or starts()."""
    text = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.sh")).read()
    body = re.search(rf"^{function}\(\) \{{\n(.*?)^\}}", text, re.M | re.S).group(1)
    return [tuple(line.strip().split("|")) for line in body.splitlines() if "|" in line and "<<" not in line]


class Run:
    """One setting of one seed."""

    def __init__(self, folder, seed, name):
        at = f"{folder}/{seed}/{name}"
        self.name, self.scores, self.levels, self.log, self.commands = name, {}, {}, [], []
        if os.path.exists(f"{at}.commands"):
            self.commands = [line.rstrip("\n") for line in open(f"{at}.commands")]
        if os.path.exists(f"{at}/log.jsonl"):
            self.log = [json.loads(line) for line in open(f"{at}/log.jsonl") if line.endswith("}\n")]
        self.failed = open(f"{at}.failed").read().strip() if os.path.exists(f"{at}.failed") else ""
        if not os.path.exists(f"{at}/final/summary.json"):
            self.failed = self.failed or "not there yet"
            return
        with open(f"{at}/final/summary.json") as file:
            summary = json.load(file)
        greedy, sampled = summary["greedy"]["by_category"], summary["sampled"]["by_category"]
        self.levels = {int(level): 100 * greedy[level]["score"] for level in greedy}
        self.scores = {"all": 100 * summary["greedy"]["score"], "hard": statistics.mean(self.levels[level] for level in (4, 5)),
                       "sampled": 100 * statistics.mean(sampled[level]["score"] for level in "45")}

    def steps(self):
        return [row for row in self.log if "event" not in row]

    def evaluations(self):
        return [row for row in self.log if row.get("event") == "eval"]

    def is_rl(self):
        return any("reward/mean" in row for row in self.log)

    def sequences(self):
        return len(self.steps()) * (RL_BATCH if self.is_rl() else SFT_BATCH)

    def tokens(self):
        return sum(row.get("perf/total_num_tokens", row.get("tokens", 0)) for row in self.steps())


def figure(row, pattern):
    """The field of an evaluation whose name matches, its number of samples being anything."""
    return next((value for key, value in row.items() if re.fullmatch(pattern, key)), None)


def compared(path, names):
    """{name: (difference, its error, p, Holm's)} of ./evaluate --compare's first table, whose runs are in the order of `names`; and its text."""
    if not os.path.exists(path):
        return {}, ""
    text = open(path).read()
    rows = re.findall(r"([+-][\d.]+) ± +([\d.]+) +[+-][\d.]+ to [+-][\d.]+ +(<?[\d.]+) +(<?[\d.]+) ", text.split("\n  strictly")[0])
    return dict(zip(names, rows)), text


# ---- over seeds


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


def sign_flip(differences):
    """Exact two-sided p: of all ways to flip the signs, the share whose mean is as far from zero. The least possible is 2 / 2^n."""
    seen = abs(sum(differences))
    ways = [abs(sum(s * d for s, d in zip(signs, differences))) for signs in itertools.product((1, -1), repeat=len(differences))]
    return sum(way >= seen - 1e-9 for way in ways) / len(ways)


class Difference:
    """A setting's scores minus DeReason's, of the seeds that have both."""

    def __init__(self, runs, dereason, measure):
        self.values = [a.scores[measure] - b.scores[measure] for a, b in zip(runs, dereason) if a.scores and b.scores]
        n = len(self.values)
        self.mean = statistics.mean(self.values) if n else math.nan
        self.p = sign_flip(self.values) if n else math.nan
        self.least = 2 / 2**n if n else math.nan
        half = T_95.get(n - 1, math.nan) * spread(self.values) / math.sqrt(n) if n > 1 else math.nan
        self.low, self.high = self.mean - half, self.mean + half

    def says(self):
        n = len(self.values)
        if n == 0:
            return "nothing to compare"
        if self.p < 0.05:
            return "significant"
        if n > 2 and self.p <= self.least + 1e-9:
            return f"not significant at 5%: all {n} seeds agree, and cannot show more"
        return "not significant"


# ---- all of them


def ended(run):
    """(step, pass@k) of a run's last evaluation."""
    last = (run.evaluations() or [{}])[-1]
    return last.get("step", 0), figure(last, r"eval/acc/pass@\d+") or 0.0


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return f"{os.cpu_count()} cores, {model.group(1) if model else 'unknown processor'}"


class Experiment:
    def __init__(self, folder, seeds, command):
        self.folder, self.seeds, self.command = folder, seeds, command
        self.settings, self.starts = names_of("settings"), names_of("starts")
        self.runs = {name: [Run(folder, seed, name) for seed in range(1, seeds + 1)] for name, _ in self.settings + self.starts}
        others = [name for name, _ in self.settings[:-1]]
        self.questions_p, self.compare = {}, {}
        for measure in ("all", "hard"):
            self.questions_p[measure], self.compare[measure] = compared(f"{folder}/compare-{measure}.txt", others)
        with open(f"{folder}/final-all.jsonl") as file:
            self.questions = sum('"difficulty": 1,' in line for line in file)
        self.data = [line.rstrip("\n") for path in ("heldout", "1/data") for line in open(f"{folder}/{path}.commands")]
        done = [seed for seed in range(seeds) if self.runs["sft_easy"][seed].scores]
        self.budget = max((self.used("sft_easy", seed)[0] // SFT_BATCH for seed in done), default=0)
        minutes = [line.strip() for line in open(f"{folder}/minutes.txt")] if os.path.exists(f"{folder}/minutes.txt") else []
        self.about = (f"{datetime.date.today()}, commit {said('git', 'describe', '--always', '--dirty') or 'unknown'}, {machine()}: {command}"
                      + (f" ({'; then '.join(minutes)})" if minutes else ""))

    def begins(self, name):
        """The run that a setting begins with, or None."""
        return BEGINS.get(name)

    def used(self, name, seed):
        """Sequences of SFT and of RL, and tokens, that a setting took in all."""
        chain = [self.runs[name][seed]]
        if BEGINS.get(name) in self.runs and BEGINS[name] != "base":
            chain.append(self.runs[BEGINS[name]][seed])
        return (sum(run.sequences() for run in chain if not run.is_rl()), sum(run.sequences() for run in chain if run.is_rl()),
                sum(run.tokens() for run in chain))
