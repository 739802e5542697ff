"""Draws what lab/bench/kernel_bench.cc measured as an SVG: kernels that do arithmetic under the roofline (Williams et al. 2009),
with both measured ceilings; below it, as bars, the share of the copy ceiling that the others reach.

    plot.py LINES.jsonl OUT.svg [--model 4B]

The lines are kernel_bench's --json, or the .json of a report. Labels stand in a column of their own, in the order of their points
from above, with a line to each: they never lie on each other. Standard library only.
"""

import argparse
import html
import json
import math

WIDTH, LEFT, RIGHT, TOP, HEIGHT = 1180, 76, 720, 64, 470  # the column of labels begins at RIGHT
INK, FAINT, ROOF, POINT, BAR = "#222222", "#d8d8d8", "#8a3b12", "#1f5fa8", "#4a86c5"
LINE = 16  # between two labels


class Drawing:
    def __init__(self):
        self.parts = []

    def line(self, x1, y1, x2, y2, color=INK, width=1.0):
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self.parts.append(f'<line {ends} stroke="{color}" stroke-width="{width}"/>')

    def dot(self, x, y):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{POINT}"/>')

    def box(self, x, y, width, height, color):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>')

    def text(self, x, y, text, anchor="start", size=12, color=INK, turn=None):
        turned = f' transform="rotate({turn:.1f} {x:.1f} {y:.1f})"' if turn is not None else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}"{turned}>'
                          f'{html.escape(text)}</text>')

    def write(self, path, height):
        with open(path, "w") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
                       f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="Helvetica, Arial, sans-serif">\n')
            file.write(f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def read(path, model):
    """The machine, and the kernels of one model."""
    with open(path) as file:
        text = file.read()
    try:
        lines = json.loads(text)["kernels"]
    except (ValueError, KeyError, TypeError):
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    machine = next(line for line in lines if "machine" in line)
    return machine, [line for line in lines if line.get("model") == model and "us" in line]


def ticks(low, high):
    """1, 10, 100, ... within a range."""
    return [10.0**e for e in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]


class Axes:
    def __init__(self, kernels, copy, product):
        intensity = [k["flops"] / k["bytes"] for k in kernels] + [product / copy]
        rates = [k["tflops"] * 1e12 for k in kernels] + [product]
        self.low_x, self.high_x = min(intensity) / 2, max(intensity) * 3
        self.low_y, self.high_y = min(min(rates) / 2, product / 20), product * 1.6

    def x(self, intensity):
        return LEFT + (RIGHT - 40 - LEFT) * math.log(intensity / self.low_x) / math.log(self.high_x / self.low_x)

    def y(self, rate):
        return TOP + HEIGHT - HEIGHT * math.log(rate / self.low_y) / math.log(self.high_y / self.low_y)


def draw_axes(d, axes):
    for tick in ticks(axes.low_x, axes.high_x):
        d.line(axes.x(tick), TOP, axes.x(tick), TOP + HEIGHT, FAINT)
        d.text(axes.x(tick), TOP + HEIGHT + 18, f"{tick:g}", "middle")
    for tick in ticks(axes.low_y, axes.high_y):
        d.line(LEFT, axes.y(tick), RIGHT - 40, axes.y(tick), FAINT)
        d.text(LEFT - 8, axes.y(tick) + 4, f"{tick / 1e12:g}", "end")
    d.line(LEFT, TOP, LEFT, TOP + HEIGHT)
    d.line(LEFT, TOP + HEIGHT, RIGHT - 40, TOP + HEIGHT)
    d.text((LEFT + RIGHT - 40) / 2, TOP + HEIGHT + 38, "operations for each byte that must be moved", "middle")
    d.text(24, TOP + HEIGHT / 2, "TFLOP/s", "middle", turn=-90)


def draw_roof(d, axes, copy, product):
    ridge = product / copy
    start = max(axes.low_x, axes.low_y / copy)
    d.line(axes.x(start), axes.y(start * copy), axes.x(ridge), axes.y(product), ROOF, 2)
    d.line(axes.x(ridge), axes.y(product), axes.x(axes.high_x), axes.y(product), ROOF, 2)
    d.text(axes.x(axes.high_x), axes.y(product) - 8, f"bf16 product {product / 1e12:.0f} TFLOP/s", "end", color=ROOF)
    middle = math.sqrt(start * ridge)
    angle = math.degrees(math.atan2(axes.y(product) - axes.y(start * copy), axes.x(ridge) - axes.x(start)))
    d.text(axes.x(middle) - 8, axes.y(middle * copy) - 8, f"copy {copy / 1e9:.0f} GB/s", "middle", color=ROOF, turn=angle)


def label(k):
    """Without the sizes that follow from the model."""
    shape = " ".join(word for word in k["shape"].split() if word.split("=")[0] not in ("N", "K", "C", "V", "H", "Hkv", "D"))
    name = f'{k["kernel"]} {shape.replace(" T=4096", "")}'.strip()
    return f'{name}: {k["tflops"]:.0f} TFLOP/s, {100 * k["share"]:.0f}% of its limit'


def draw_points(d, axes, kernels):
    """Points, and labels in the order of their heights, each at its own or the next free line."""
    points = sorted(((axes.y(k["tflops"] * 1e12), axes.x(k["flops"] / k["bytes"]), k) for k in kernels), key=lambda p: p[:2])
    height = max(TOP, min((y for y, _, _ in points), default=TOP) - len(points) * LINE / 2)
    for y, x, k in points:
        place = max(height, min(y, TOP + HEIGHT - LINE * len(points)))
        d.line(x, y, RIGHT - 8, place, "#9db8d6", 0.7)
        d.text(RIGHT - 4, place + 4, label(k), size=11)
        height = place + LINE
    for y, x, _ in points:
        d.dot(x, y)
    return height


def draw_bars(d, kernels, top, copy):
    """Kernels without arithmetic to speak of: bytes a second over the copy's."""
    left, width = 290, 480
    d.text(LEFT, top, f"memory-bound kernels: share of the copied {copy / 1e9:.0f} GB/s", size=14)
    for i, k in enumerate(sorted(kernels, key=lambda k: -k["share"])):
        y = top + 16 + i * 20
        which = k["shape"].split(" T=")[0] if k["shape"][0] in "qk" else ""
        d.text(left - 8, y + 12, f'{k["kernel"]} {which}'.strip(), "end", size=11)
        d.box(left, y, width * min(k["share"], 1.2), 14, BAR)
        reached = f'{100 * k["share"]:.0f}%  {k["gbps"]:.0f} GB/s  {k["us"]:.0f} us'
        d.text(left + width * 1.2 + 12, y + 11, reached, size=11)
    bottom = top + 16 + len(kernels) * 20
    d.line(left + width, top + 10, left + width, bottom, ROOF, 2)
    return bottom + 24


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines")
    parser.add_argument("svg")
    parser.add_argument("--model", default="4B")
    options = parser.parse_args()
    machine, kernels = read(options.lines, options.model)
    copy, product = machine.get("ceiling_copy_gbps", machine["copy_gbps"]) * 1e9, machine["product_tflops"] * 1e12
    d = Drawing()
    d.text(LEFT, 26, f'Qwen3-{options.model} kernels, bf16', size=17)
    d.text(LEFT, 46, machine["machine"].split(";")[0], size=12)
    arithmetic, memory = [k for k in kernels if k["flops"] > 0], [k for k in kernels if k["flops"] == 0]
    axes = Axes(arithmetic, copy, product)
    draw_axes(d, axes)
    draw_roof(d, axes, copy, product)
    height = max(draw_points(d, axes, arithmetic), TOP + HEIGHT + 60)
    d.write(options.svg, draw_bars(d, memory, height + 20, copy))


if __name__ == "__main__":
    main()
