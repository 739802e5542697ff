#!/usr/bin/env python3
"""Reads a checkpoint of train_sft or train_rl, whatever number of ranks wrote it. usage: dev/read_checkpoint.py OUT/checkpoints/step-N

Prints step, ranks, the hash of the named state, and a line for each tensor. In Python: read_checkpoint(FOLDER) gives (tensors, state),
tensors being {name: numpy array of float32, one-dimensional}; torch.from_numpy makes tensors of them, and state["config"] has the shapes:

    sys.path.append("dev"); from read_checkpoint import read_checkpoint
    tensors, state = read_checkpoint("run/checkpoints/step-500")
    weight = torch.from_numpy(tensors["model.embed_tokens.weight"]).view(-1, state["config"]["hidden_size"])

Needs numpy. Written from checkpoint/FORMAT.md alone, as a second opinion: it shares nothing with the C code. Sizes are always compared,
checksums where the package xxhash is installed; it says so where it is not."""
import json
import os
import sys

import numpy

try:
    import xxhash
except ImportError:
    xxhash = None
    print("read_checkpoint.py: checksums are not compared (pip install xxhash)", file=sys.stderr)

BLOCK = 4096


class Damaged(Exception):
    pass


def need(right, where, what):
    if not right:
        raise Damaged(f"{where}: {what}")


def same(data, digits):
    return xxhash is None or xxhash.xxh3_64_hexdigest(data) == digits


def read_checkpoint(folder):
    where = os.path.join(folder, "MANIFEST.json")
    with open(where, encoding="utf-8") as file:
        manifest = json.load(file)
    need(manifest.get("format") == "dereason checkpoint", where, "not a checkpoint")
    need(manifest["version"] == 2, where, f"version {manifest['version']}, this program reads version 2")
    need(manifest["finite"] is True, where, "its state is not finite")
    files = {}
    for entry in manifest["files"]:
        path = os.path.join(folder, entry["name"])
        need(os.path.basename(entry["name"]) == entry["name"], where, f"{entry['name']} is not the plain name of a file")
        data = numpy.memmap(path, dtype=numpy.uint8, mode="r") if os.path.getsize(path) > 0 else numpy.zeros(0, numpy.uint8)
        need(len(data) == entry["size"], path, f"it has {len(data)} bytes, and {entry['size']} by the manifest")
        need(same(data, entry["xxh3"]), path, "the bytes do not match their checksum")
        files[entry["name"]] = data
    tensors, filled = {}, {}
    for entry in sorted(manifest["ranges"], key=lambda entry: (entry["tensor"], entry["offset"], entry["length"])):
        name, begin, length = entry["tensor"], entry["offset"], entry["length"]
        tensor = tensors.setdefault(name, numpy.zeros(entry["elements"], "<f4"))
        data = files[entry["file"]][entry["byte"] : entry["byte"] + 4 * length]
        need(len(data) == 4 * length, where, f"a range of {name} reaches beyond the end of {entry['file']}")
        need(len(tensor) == entry["elements"] and filled.get(name, 0) == begin, where, f"the ranges of {name} overlap or leave a hole")
        need(same(data, entry["xxh3"]), entry["file"], f"tensor {name}, elements {begin} to {begin + length}: the bytes do not match their checksum")
        tensor[begin : begin + length] = data.view("<f4")
        filled[name] = begin + length
    for name, tensor in tensors.items():
        need(filled[name] == len(tensor), where, f"tensor {name}: {filled[name]} of {len(tensor)} elements are there")
    if xxhash is not None and "tensors_xxh3" in manifest:
        need(state_hash(tensors) == manifest["tensors_xxh3"], where, "the hash of the named state is another one")
    return tensors, manifest["state"]


def state_hash(tensors):
    """Of the named state: the same for any number of ranks (checkpoint/FORMAT.md). None without xxhash."""
    if xxhash is None:
        return None
    text = ""
    for name in sorted(tensors, key=lambda name: name.encode()):
        x = tensors[name]
        blocks = (xxhash.xxh3_64_intdigest(x[i : i + BLOCK].tobytes(), seed=i // BLOCK) for i in range(0, len(x), BLOCK))
        text += f"{name} {len(x)} {sum(blocks) % 2**64:016x}\n"
    return xxhash.xxh3_64_hexdigest(text.encode())


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.splitlines()[0])
    try:
        tensors, state = read_checkpoint(sys.argv[1])
    except (Damaged, OSError, ValueError, KeyError) as problem:
        sys.exit(f"read_checkpoint.py: {problem!r}" if isinstance(problem, KeyError) else f"read_checkpoint.py: {problem}")
    print(f"step {state['step']}, {len(tensors)} tensors, named state {state_hash(tensors) or 'not hashed'}")
    for name, x in sorted(tensors.items()):
        print(f"{name} {len(x)} mean {x.mean(dtype=numpy.float64) if len(x) else 0:.9g} largest {abs(x).max() if len(x) else 0:.9g}")


if __name__ == "__main__":
    main()
