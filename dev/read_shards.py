#!/usr/bin/env python3
"""Prints the records of shards as JSON lines. usage: dev/read_shards.py FOLDER_OR_FILE...

Written from shards/FORMAT.md alone, as a second opinion: it shares nothing with the C code. Checksums are compared where the package
xxhash is installed; it says so where it is not."""
import json
import os
import signal
import struct
import sys

try:
    import xxhash
except ImportError:
    xxhash = None
    print("read_shards.py: checksums are not compared (pip install xxhash)", file=sys.stderr)

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # | head
SECTIONS = ("records", "ids", "spans", "text", "names")


def need(right, path, what):
    if not right:
        sys.exit(f"{path}: {what}; copy it again, or run ./prepare again")


def same(data, checksum):
    return xxhash is None or xxhash.xxh3_64_intdigest(data) == checksum


def sections_of(path, data):
    need(data[:8] == b"DEREASON", path, "not a shard")
    version, header_size, size = struct.unpack_from("<IIQ", data, 8) if len(data) >= 256 else (1, 256, -1)
    need(version == 1 and header_size == 256, path, f"version {version}, this program reads version 1")
    need(size == len(data), path, "cut short, or something was added")
    need(same(data[:248], struct.unpack_from("<Q", data, 248)[0]), path, "its header is damaged")
    end = 256
    for i, name in enumerate(SECTIONS):
        offset, size, checksum = struct.unpack_from("<QQQ", data, 88 + 24 * i)
        need(offset == (end + 63) // 64 * 64 and not any(data[end:offset]), path, f"the padding before {name} is damaged")
        end = offset + size
        need(end <= len(data) and same(data[offset:end], checksum), path, f"the section of {name} is damaged")
        yield data[offset:end]
    need(end == len(data), path, "there are bytes after its last section")


def records_of(path):
    with open(path, "rb") as file:
        data = file.read()
    table, ids, spans, text, names = sections_of(path, data)
    name_at = lambda place: names[place : names.index(0, place)].decode() or None
    for entry in struct.iter_unpack("<QQQQIIIIIIIIIBBH", table):
        key, token, span, at, tokens, prompt, trained, span_count, *sizes, source, category, difficulty, flags, zero = entry
        id_, answer, row = (text[at + sum(sizes[:i]) : at + sum(sizes[: i + 1])].decode() for i in range(3))
        own_spans = list(struct.iter_unpack("<II", spans[8 * span : 8 * (span + span_count)]))
        need(sum(end - begin for begin, end in own_spans) == trained and zero == 0, path, f"record {id_} contradicts itself")
        yield {"id": id_, "difficulty": difficulty, "source": name_at(source), "category": name_at(category), "prompt": prompt,
               "ids": list(struct.unpack_from(f"<{tokens}i", ids, 4 * token)), "spans": own_spans,
               "answer": answer if flags & 1 else None, "row": row if flags & 2 else None}


def files_of(word):
    if not os.path.isdir(word):
        return [word]
    return [os.path.join(word, name) for name in sorted(os.listdir(word)) if name.startswith("shard-") and name.endswith(".bin")]


for word in sys.argv[1:]:
    for path in files_of(word):
        for record in records_of(path):
            print(json.dumps(record, ensure_ascii=False))
