"""Makes all fixtures anew in a temporary folder and compares them with the committed ones.

Floats must agree within 1e-6 of their tensor's largest magnitude (PyTorch's sums differ between machines); all else to the byte.
Exits 1 and names every file that differs.
"""

import json
import os
import sys
import tempfile

import torch
from safetensors.torch import load_file

import make_lora
import make_losses
import make_models
import make_texts
import templates

TOLERANCE = 1e-6
MADE = ("models", "lora", "tokenizer", "templates", "losses")


def tensors_differ(committed, made):
    a, b = load_file(committed), load_file(made)
    if a.keys() != b.keys():
        return f"tensors {sorted(a.keys() ^ b.keys())} are in one of them only"
    for name in a:
        if a[name].shape != b[name].shape or a[name].dtype != b[name].dtype:
            return f"{name} has another shape or type"
        if a[name].numel() == 0:
            continue
        largest = a[name].double().abs().max().item()
        distance = (a[name].double() - b[name].double()).abs().max().item()
        if not distance <= TOLERANCE * largest:
            return f"{name} is {distance:.3g} away, its largest element being {largest:.3g}"
    return None


def bytes_differ(committed, made):
    with open(committed, "rb") as a, open(made, "rb") as b:
        return None if a.read() == b.read() else "other bytes"


def scalars_differ(committed, made):
    with open(committed) as a, open(made) as b:
        a, b = json.load(a), json.load(b)
    if a.keys() != b.keys():
        return f"{sorted(a.keys() ^ b.keys())} are in one of them only"
    for name in a:
        x, y = (torch.tensor(value, dtype=torch.float64) for value in (a[name], b[name]))
        if x.shape != y.shape or not torch.allclose(x, y, rtol=TOLERANCE, atol=0):
            return f"{name} is another"
    return None


def walk(value, path=""):
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path, value
    else:
        for key, child in children:
            yield from walk(child, f"{path}/{key}")


def leaves_differ(committed, made):
    with open(committed) as a, open(made) as b:
        a, b = dict(walk(json.load(a))), dict(walk(json.load(b)))
    if a.keys() != b.keys():
        return "another shape"
    for path, x in a.items():
        y = b[path]
        if not (abs(x - y) <= TOLERANCE * max(abs(x), 1e-3) if isinstance(x, float) and isinstance(y, float) else x == y):
            return f"{path} is {x} and now {y}"
    return None


def difference(committed, made):
    if os.path.basename(made) == "losses.json":
        return leaves_differ(committed, made)
    if made.endswith(".safetensors"):
        return tensors_differ(committed, made)
    return (scalars_differ if os.path.basename(made) == "expected.json" else bytes_differ)(committed, made)


def files_below(root):
    return {os.path.relpath(os.path.join(folder, name), root)
            for top in MADE for folder, _, names in os.walk(os.path.join(root, top)) for name in names}


def main(committed):
    with tempfile.TemporaryDirectory() as made:
        for maker in (make_models, make_lora, make_texts, templates, make_losses):
            maker.main(made)
        wrong = []
        for path in sorted(files_below(made)):
            pair = os.path.join(committed, path), os.path.join(made, path)
            reason = difference(*pair) if os.path.exists(pair[0]) else "is not committed"
            if reason:
                wrong.append(f"{path}: {reason}")
        left = sorted(files_below(committed) - files_below(made))
        count = len(files_below(made))
    print(f"{count} files made anew, {len(wrong)} differ")
    if left:
        print("committed, but not made here: " + ", ".join(left))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures"))
