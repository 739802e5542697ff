#!/usr/bin/env python3
"""Writes tokenizer/tokenizer_classes.c: the class of every code point, as Hugging Face's `tokenizers` sees it.

Letters, numbers and spaces are asked of its regular expressions (oniguruma), normalization of its NFC, so that the trainer splits
text as the library did that everybody else uses, whatever Unicode version the C libraries of a machine know.
Needs: pip install tokenizers regex. Run from the repository's root; prints what it found.
"""
import sys
import unicodedata
import regex
import tokenizers
from tokenizers import Regex, normalizers
from tokenizers.pre_tokenizers import Split

LETTER, NUMBER, SPACE, FOLLOWS, ALONE = 1, 2, 4, 8, 16
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# Scripts whose composites came with Unicode 16: newer utf8proc composes them, the reference does not.
NEW_SCRIPTS = [(0x105C0, 0x105F3), (0x11380, 0x113FF), (0x16100, 0x1613F), (0x16D40, 0x16D7F), (0x11930, 0x11930),
               (0x11938, 0x11938)]


def matched(pattern):
    """The code points that the expression matches."""
    split, found = Split(Regex(pattern), "removed"), set()
    for start in range(0, len(CODE_POINTS), 4096):
        part = CODE_POINTS[start:start + 4096]
        kept = {ord(c) for piece, _ in split.pre_tokenize_str("".join(map(chr, part))) for c in piece}
        found.update(c for c in part if c not in kept)
    return found


def follows():
    """Before these a text must not be cut for normalization: marks, second halves of composites, what NFC changes."""
    nfc = normalizers.NFC().normalize_str
    found = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for c in CODE_POINTS[1:]:
        text = chr(c)
        moved = nfc("a\u0345" + text) != "a\u0345" + text or nfc("a" + text + "\u0334") != "a" + text + "\u0334"
        if moved or nfc(text) != text:
            found.add(c)
        parts = unicodedata.normalize("NFD", text)
        if len(parts) > 1 and not 0xAC00 <= c <= 0xD7A3 and nfc(parts) == text:
            found.update(ord(p) for p in parts[1:])
    return found


def alone(following):
    """What newer Unicode versions reorder or compose and the reference leaves as it is."""
    marks = regex.compile(r"\p{Canonical_Combining_Class=0}")
    found = {c for c in CODE_POINTS if not marks.match(chr(c)) and c not in following}
    for first, last in NEW_SCRIPTS:
        found.update(range(first, last + 1))
    return found - following


def ranges():
    classes = [0] * 0x110000
    following = follows()
    for points, bit in ((matched(r"\p{L}"), LETTER), (matched(r"\p{N}"), NUMBER), (matched(r"\s"), SPACE),
                        (following, FOLLOWS), (alone(following), ALONE)):
        print(f"bit {bit}: {len(points)} code points", file=sys.stderr)
        for c in points:
            classes[c] |= bit
    found = []
    for c, bits in enumerate(classes):
        if found and found[-1][1] == c - 1 and found[-1][2] == bits:
            found[-1][1] = c
        elif bits:
            found.append([c, c, bits])
    return found


HEADER = f"""\
// The class of every code point: letter, number, space (for the split) and its part in normalization. Pinned here, so
// that neither a newer PCRE2 nor a newer utf8proc changes an id. Written by lab/reference/tokenizer_tables.py from
// tokenizers {tokenizers.__version__}, whose expressions know Unicode 16 and whose NFC knows Unicode 9; the readers are
// tokenizer_split.c and tokenizer_nfc.c.
#include "tokenizer/tokenizer_internal.h"
#include <string.h>

typedef struct Range {{
    uint32_t first, last;
    uint8_t bits;
}} Range;

// clang-format off
static const Range ranges[] = {{
"""
FOOTER = """};
// clang-format on

uint8_t *classes_open(void)
{
    uint8_t *classes = allocate(CODE_POINTS, 1);
    for (size_t i = 0; classes != NULL && i < sizeof ranges / sizeof ranges[0]; i++)
        memset(classes + ranges[i].first, ranges[i].bits, ranges[i].last - ranges[i].first + 1);
    return classes;
}
"""


def main():
    entries = [f"{{0x{a:X}, 0x{b:X}, {bits}}}," for a, b, bits in ranges()]
    lines, line = [], "   "
    for entry in entries:
        if len(line) + 1 + len(entry) > 130:
            lines.append(line)
            line = "   "
        line += " " + entry
    with open("tokenizer/tokenizer_classes.c", "w") as out:
        out.write(HEADER + "\n".join(lines + [line]) + "\n" + FOOTER)
    print(f"{len(entries)} ranges", file=sys.stderr)


if __name__ == "__main__":
    main()
