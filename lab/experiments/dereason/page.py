"""The page of an experiment: the tables, pictures of the runs, and the command behind every figure, in one HTML file."""

import statistics
from html import escape

from runs import MEASURES, Difference, ended, figure, spread

STYLE = """
:root{--back:#fff;--text:#1f2328;--muted:#656d76;--grid:#e4e7eb;--c0:#2f6fde;--c1:#d9601a;--c2:#2a9d6f;--c3:#7a5ccc;--c4:#b5871b;--c5:#c2417c;
--l1:#a6cdf5;--l2:#74abea;--l3:#4586d6;--l4:#2460b0;--l5:#0d3a78}
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--muted:#8d96a0;--grid:#2a313a;--c0:#6ea0ff;--c1:#ff9457;--c2:#51cf9f;
--c3:#b197fc;--c4:#e3b341;--c5:#f778ba;--l1:#2b4a6f;--l2:#3568a8;--l3:#4c8de0;--l4:#85b6f5;--l5:#c9e0ff}}
body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;max-width:1120px;margin:32px auto;padding:0 20px}
h1{font-size:25px}h2{font-size:19px;margin-top:40px}table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:4px 10px;border-bottom:1px solid var(--grid);text-align:right;white-space:nowrap}th{font-weight:600;vertical-align:bottom}
td:first-child,th:first-child,td.words{text-align:left}.scroll{overflow-x:auto}.muted{color:var(--muted)}.strong{font-weight:600}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:var(--text)}svg .small{font-size:11px;fill:var(--muted)}
.grid{stroke:var(--grid);fill:none}.line{fill:none;stroke-width:2}.thin{fill:none;stroke-width:1;opacity:.28}.panels{display:flex;flex-wrap:wrap;gap:14px}
pre{font-size:11.5px;overflow-x:auto;background:color-mix(in srgb,var(--muted) 10%,transparent);padding:10px}a{color:inherit}
.key span{display:inline-block;margin-right:18px}.key i{display:inline-block;width:22px;height:3px;vertical-align:middle;margin-right:6px}
"""
RL_COLOURS = {"dereason": "--c0", "random_rl": "--c1", "both_rl": "--c2", "inverted_rl": "--c3", "rl": "--c4"}
SFT_COLOURS = {"easy": "--c0", "random": "--c1", "all": "--c2", "hard": "--c3"}
LEVEL_COLOURS = {str(level): f"--l{level}" for level in range(1, 6)}
POINTS = 60  # of a curve, at most


# ---- pictures


def thinned(points):
    """At most POINTS means of neighbours."""
    size = -(-len(points) // POINTS)
    groups = [points[i:i + size] for i in range(0, len(points), size)] if size else []
    return [(statistics.mean(x for x, _ in g), statistics.mean(y for _, y in g)) for g in groups]


def mean_curve(curves):
    """The mean over seeds where all of them have a point; they share their steps."""
    at = [dict(curve) for curve in curves if curve]
    if not at:
        return []
    return [(x, statistics.mean(curve[x] for curve in at)) for x in sorted(at[0]) if all(x in curve for curve in at)]


def panel(title, families, bottom=0.0, top=None, unit="", width=340, height=215):
    """families: [(colour, curves of the seeds)]; a curve is [(sequences, value)]. Thin lines are seeds, thick ones their means."""
    left, right, above, below = 42, 12, 26, 30
    points = [point for _, curves in families for curve in curves for point in curve]
    if not points:
        return ""
    most_x = max(x for x, _ in points) or 1
    most_y = top if top is not None else max(y for _, y in points) * 1.06 or 1

    def path(curve, kind, colour):
        dots = " ".join(f"{left + (width - left - right) * x / most_x:.1f},"
                        f"{height - below - (height - above - below) * (min(y, most_y) - bottom) / (most_y - bottom):.1f}" for x, y in thinned(curve))
        return f'<polyline class="{kind}" style="stroke:var({colour})" points="{dots}"/>' if dots else ""

    out = [f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(title)}">'
           f'<text x="{left}" y="15" style="font-weight:600">{escape(title)}</text>']
    for share in (0, 0.5, 1):
        y = height - below - (height - above - below) * share
        value = bottom + (most_y - bottom) * share
        out.append(f'<path class="grid" d="M{left} {y:.1f}H{width - right}"/><text class="small" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">'
                   f"{value:.3g}{unit}</text>")
        out.append(f'<text class="small" x="{left + (width - left - right) * share:.1f}" y="{height - 10}" text-anchor="middle">{most_x * share / 1000:.3g}k</text>')
    for colour, curves in families:
        out += [path(curve, "thin", colour) for curve in curves] if len(curves) > 1 else []
    out += [path(mean_curve(curves), "line", colour) for colour, curves in families]
    return "".join(out) + "</svg>"


def key(names, colours):
    return '<p class="key">' + "".join(f'<span><i style="background:var({colours[name]})"></i>{escape(called)}</span>' for name, called in names
                                       if name in colours) + "</p>"


def of_steps(run, field):
    """A field of the log over sequences, in groups of four steps, so that seeds share their places."""
    rows, batch = run.steps(), run.sequences() / max(len(run.steps()), 1)
    values = [(row["step"], row[field]) for row in rows if row.get(field) is not None]
    groups = [values[i:i + 4] for i in range(0, len(values), 4)]
    return [(group[0][0] * batch, statistics.mean(value for _, value in group)) for group in groups]


def of_evaluations(run, pattern):
    batch = run.sequences() / max(len(run.steps()), 1)
    found = [(row["step"] * batch, figure(row, pattern)) for row in run.evaluations()]
    return [(x, 100 * y) for x, y in found if y is not None]


def dots(e):
    """Every seed a dot, the mean a bar: all levels, greedily, at the end."""
    names, width, row = e.settings + e.starts, 1000, 26
    left, height = 320, 26 * (len(e.settings) + len(e.starts)) + 56
    place = lambda value: left + (width - left - 30) * value / 100
    out = [f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="accuracy by setting and seed">']
    for value in range(0, 101, 20):
        out.append(f'<path class="grid" d="M{place(value):.1f} 8V{height - 30}"/><text class="small" x="{place(value):.1f}" y="{height - 12}" '
                   f'text-anchor="middle">{value}%</text>')
    for i, (name, called) in enumerate(names):
        y = 22 + row * i + (12 if i >= len(e.settings) else 0)
        colour = "--c0" if name == "dereason" else "--muted" if i >= len(e.settings) else "--c1"
        values = [run.scores["all"] for run in e.runs[name] if run.scores]
        out.append(f'<text x="{left - 14}" y="{y + 4}" text-anchor="end">{escape(called)}</text>')
        out += [f'<circle cx="{place(v):.1f}" cy="{y}" r="4" style="fill:var({colour});opacity:.55"/>' for v in values]
        if values:
            out.append(f'<path d="M{place(statistics.mean(values)):.1f} {y - 9}v18" style="stroke:var({colour});stroke-width:3"/>')
    return "".join(out) + "</svg>"


# ---- tables


def cells(values, kind="td"):
    return "<tr>" + "".join(f"<{kind}>{value}</{kind}>" for value in values) + "</tr>"


def mean_spread(values):
    return f"{statistics.mean(values):.1f} ± {spread(values):.1f}" if values else "–"


def scores(e, names):
    out = [cells(["setting", *(f"level {level}" for level in range(1, 6)), *(title for title, _ in MEASURES), "all levels, greedy, by seed", "sequences SFT + RL",
                  "tokens"], "th")]
    for name, called in names:
        runs = e.runs[name]
        done = [(seed, run) for seed, run in enumerate(runs) if run.scores]
        if not done:
            out.append(cells([escape(called), f'<span class="muted">FAILED: {escape(runs[0].failed)}</span>']))
            continue
        sft, rl, tokens = zip(*(e.used(name, seed) for seed, _ in done))
        out.append(cells([f'<a href="#{name}">{escape(called)}</a>', *(f"{statistics.mean(run.levels[level] for _, run in done):.0f}" for level in range(1, 6)),
                          *(mean_spread([run.scores[measure] for _, run in done]) for _, measure in MEASURES),
                          " ".join(f"{run.scores['all']:.1f}" if run.scores else "FAILED" for run in runs),
                          f"{statistics.mean(sft):,.0f} + {statistics.mean(rl):,.0f}", f"{statistics.mean(tokens) / 1e6:.2f}M"]))
    return f'<div class="scroll"><table>{"".join(out)}</table></div>'


def differences(e, title, measure):
    over = e.questions_p.get(measure, {})
    out = [cells(["setting", "minus DeReason", "95% (Student, over seeds)", "by seed", "p, seeds", "over seeds", *(["p, questions (Holm)", "over questions"] if over else [])], "th")]
    for name, called in e.settings[:-1]:
        d = Difference(e.runs[name], e.runs["dereason"], measure)
        if not d.values:
            out.append(cells([escape(called), "nothing to compare"]))
            continue
        row = [escape(called), f"{d.mean:+.1f}", f"{d.low:+.1f} to {d.high:+.1f}" if len(d.values) > 1 else "–", " ".join(f"{v:+.1f}" for v in d.values),
               f"{d.p:.4f}", escape(d.says())]
        if name in over:
            holm = over[name][3]
            row += [f"{escape(over[name][2])} ({escape(holm)})", "significant" if float(holm.lstrip("<")) < 0.05 else "not significant"]
        out.append(cells(row))
    return f'<h3>{title}</h3><div class="scroll"><table>{"".join(out)}</table></div>'


def endings(e):
    out = [cells(["first stage", *(f"seed {seed + 1}" for seed in range(e.seeds)), "left for the second, in steps of SFT"], "th")]
    for name, called in e.starts:
        ends = [ended(run) for run in e.runs[name]]
        left = [e.budget - step for step, _ in ends]
        out.append(cells([escape(called), *(f"step {step}: {100 * value:.0f}%" for step, value in ends), f"{min(left)} to {max(left)}"]))
    return f'<div class="scroll"><table>{"".join(out)}</table></div>'


# ---- the page


def curves(e):
    rl = [(name, called) for name, called in e.settings if name in RL_COLOURS]
    names = dict(e.settings + e.starts)

    # RL from the base model takes the whole budget, and is flat: it is drawn as far as the others go
    far = max((run.sequences() for name, _ in rl if name != "rl" for run in e.runs[name]), default=0)

    def over_rl(title, field, **options):
        families = [(RL_COLOURS[name], [[(x, y) for x, y in of_steps(run, field) if x <= far] for run in e.runs[name]]) for name, _ in rl]
        return panel(title, families, **options)

    sft = [(SFT_COLOURS[name], [of_evaluations(run, r"eval/acc/pass@\d+") for run in e.runs[name]]) for name in SFT_COLOURS]
    levels = []
    for name, called in e.starts + e.settings[1:]:
        families = [(LEVEL_COLOURS[level], [of_evaluations(run, rf"eval/level_{level}/acc/mean@\d+") for run in e.runs[name]]) for level in LEVEL_COLOURS]
        levels.append(panel(called, families, top=100, unit="%"))
    return f"""<h2>Curves</h2>
<p>Across: sequences of the stage. Thin lines are seeds, thick ones their means, as far as all seeds go.</p>
<h3>Reinforcement learning: reward, length of a response in tokens, entropy</h3>{key(rl, RL_COLOURS)}
<div class="panels">{over_rl("reward", "reward/mean", top=1.0)}{over_rl("response length", "response_length/mean")}{over_rl("entropy", "actor/entropy", top=0.3)}</div>
<p class="muted">RL only is drawn as far as the others go; its entropy lies far above the picture.</p>
<h3>First stages: pass@4 of the held-out problems that end them</h3>{key([(name, names[name]) for name in SFT_COLOURS], SFT_COLOURS)}
<div class="panels">{panel("pass@4, all levels", sft, top=100, unit="%", width=520)}</div>
<h3>Accuracy by level, held out for curves and stopping (SFT: mean of four samples at temperature 1; RL: greedy): first stages, then second ones</h3>
{key([(level, "level " + level) for level in LEVEL_COLOURS], LEVEL_COLOURS)}<div class="panels">{"".join(levels)}</div>
<p class="muted">One run as a picture of its own: <code>build/plot {escape(e.folder)}/1/dereason/log.jsonl dereason.svg</code></p>"""


def commands(e):
    out = ["<h2>Commands</h2><p>The figures of a setting and seed are in SEED/NAME/final/summary.json, by the last command of its list; the table's means, spreads and exact sign "
           "flips are made of these by <code>report.py</code>. All commands run from the repository's root; those for data are here of seed 1.</p>",
           f"<pre>{escape(e.command)}\n" + escape("\n".join(e.data)) + "</pre>"]
    for name, called in e.settings + e.starts:
        lists = "\n\n".join(f"# seed {seed + 1}\n" + "\n".join(run.commands) for seed, run in enumerate(e.runs[name]) if run.commands)
        first = e.begins(name)
        out.append(f'<details id="{name}"><summary>{escape(called)}{escape(f": begins with {first}" if first else "")}</summary><pre>{escape(lists)}</pre></details>')
    for measure in e.compare:
        out.append(f"<details><summary>over questions, {measure} levels</summary><pre>{escape(e.compare[measure])}</pre></details>")
    return "".join(out)


def page(e):
    least = 2 / 2**e.seeds
    return f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>DeReason in miniature</title>
<style>{STYLE}</style></head><body><h1>DeReason in miniature: nine settings, equal sequences, {e.seeds} seeds</h1>
<p class="muted">{escape(e.about)}</p>
<p>A miniature, not the paper's experiment: a new model of 0.7 million parameters and generated arithmetic, with a teacher whose hard solutions are wrong in 60 of 100
cases, always in the same way. Its easy solutions are flawless, which favours SFT on easy problems by design. What it shows is how the settings differ here.</p>
<ul><li>Every setting may process {e.budget * 32:,} sequences, SFT 32 a step, RL 128 a step.</li>
<li>The first stage of two ends when pass@4 of its held-out problems has not risen for three evaluations, or with 12/19 of the budget; the rest goes to the second.</li>
<li>Problems held out for stopping and curves, and the {e.questions} a level of the figures below, are different ones, and the same for all seeds.</li>
<li>Budgets, learning rates and which figures are compared were fixed before these seeds were run, after the trials that README.md names. The bound on the first stage was
not: it was added after a first attempt, of which the final figures of two first stages of one seed had been seen.</li>
<li>{e.seeds} seeds alone, by exact sign flips, can give p = {least:.4g} at best (two-sided): {"that is not below 5%, however large a difference is" if least >= 0.05 else "below 5%"}.
Over questions, p speaks of these seeds' models on other questions, not of other seeds.</li></ul>
<h2>Held-out problems answered right, in %</h2><p>Means of seeds, ± their standard deviation. Every seed a dot:</p>{dots(e)}
{scores(e, e.settings)}<h3>Where the second stages begin</h3>{scores(e, e.starts)}
<h2>Differences to DeReason, paired by seed, in points</h2>{"".join(differences(e, title, measure) for title, measure in MEASURES)}
<h2>Where the first stages ended</h2><p>The step, and pass@4 of held-out problems there.</p>{endings(e)}
{curves(e)}{commands(e)}</body></html>
"""
