#!/usr/bin/env python3
"""The table and the page of an experiment that run.sh made: FOLDER/table.txt and FOLDER/report.html, which needs nothing else.

    report.py FOLDER --seeds N --run "the command of the experiment"

Every figure is read from what the runs left: SEED/NAME/final/summary.json (./evaluate), SEED/NAME/log.jsonl (the training programs),
SEED/NAME.commands (how they were called), compare-*.txt (./evaluate --compare). runs.py reads and compares, page.py has the page.
"""

import argparse
import statistics

from page import page
from runs import MEASURES, Difference, Experiment, ended, spread


def row_of(name, called, runs, wanted):
    done = [run for run in runs if run.scores]
    if not done:
        return f"{called:<46} FAILED: {runs[0].failed if runs else ''}"
    levels = " /".join(f"{statistics.mean(run.levels[level] for run in done):3.0f}" for level in range(1, 6))
    columns = "   ".join(f"{statistics.mean(v):5.1f} ± {spread(v):4.1f}" for v in ([run.scores[key] for run in done] for _, key in MEASURES))
    seeds = " ".join(f"{run.scores['all']:5.1f}" if run.scores else "    -" for run in runs)
    missing = [str(seed + 1) for seed, run in enumerate(runs) if not run.scores]
    return f"{called:<46} {levels}   {columns}   {seeds}" + (f"   (seeds {', '.join(missing)} FAILED)" if missing else "")


def table(experiment):
    e = experiment
    out = [f"Held-out problems answered right, in %, means of {e.seeds} seeds (± their standard deviation); {e.questions} problems a level, the same for all.",
           e.about, "",
           f"{'setting':<46} {'greedy, level 1 to 5':<24}   {'all, greedy':<12}   {'hard, greedy':<12}   {'hard, avg@4':<12}   all, greedy, by seed"]
    out += [row_of(name, called, e.runs[name], e.seeds) for name, called in e.settings]
    out += ["", "where the second stages begin"] + [row_of(name, called, e.runs[name], e.seeds) for name, called in e.starts]
    for title, measure in MEASURES:
        out += ["", f"minus DeReason, {title}: mean [95% by Student's t], exact sign flips over seeds" +
                ("; over questions (./evaluate --compare, all seeds' responses to a question together)" if measure != "sampled" else "")]
        for name, called in e.settings[:-1]:
            d = Difference(e.runs[name], e.runs["dereason"], measure)
            over = e.questions_p.get(measure, {}).get(name)
            interval = f"[{d.low:+6.1f}, {d.high:+6.1f}]" if len(d.values) > 1 else f"{'':16}"
            out.append(f"{called:<46} {d.mean:+6.1f} {interval}   p {d.p:.4f} {d.says():<62}" +
                       (f" p {over[2]}, Holm {over[3]}" if over else ""))
    out += ["", "where the first stages ended, by seed: step (pass@4 of the held-out problems for stopping there)"]
    for name, called in e.starts:
        out.append(f"{called:<46} " + "   ".join(f"{ended(run)[0]:>5} ({100 * ended(run)[1]:3.0f})" for run in e.runs[name] if run.log))
    return "\n".join(line.rstrip() for line in out).replace("nan", "-") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--run", required=True)
    given = parser.parse_args()
    experiment = Experiment(given.folder, given.seeds, given.run)
    text = table(experiment)
    for name, content in (("table.txt", text), ("report.html", page(experiment))):
        with open(f"{given.folder}/{name}", "w") as file:
            file.write(content)


if __name__ == "__main__":
    main()
