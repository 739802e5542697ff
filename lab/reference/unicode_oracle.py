"""What Unicode is to Hugging Face's tokenizers, asked code point by code point: the regex's classes and the tables of NFC.

The two parts of that library know different versions of Unicode, and the older one is NFC's: whoever wants its ids needs its
tables. Surrogates cannot stand in a text and are in no class.
"""

import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

NFC, NFD = normalizers.NFC(), normalizers.NFD()
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)                                  # composed by arithmetic, the same in every version

CLASSES_HEADER = """\
# The classes that the Qwen split regex tells apart, as the regex engine inside Hugging Face's tokenizers sees them.
# One run of code points a line: FIRST LAST CLASS, hexadecimal and inclusive, ascending; L is \\p{L}, N is \\p{N}, S is \\s.
# A code point that is not named is in none of the three.
"""
NFC_HEADER = """\
# NFC as Hugging Face's tokenizers does it (tables older than today's Unicode).
# Code points are hexadecimal. Hangul syllables are left out.
# class FIRST LAST CCC   their canonical combining class, decimal; what is not named has class 0
# alone C TO...          NFC of C alone is TO...
# pair A B C             A followed by B becomes C
# apart A B              A followed by B stays two, though later versions of Unicode compose them
"""

# The canonical compositions of Unicode 16, which Python's own tables may not know.
COMPOSITIONS_16 = ["105D2 0307", "105DA 0307", "11382 113C9", "11384 113BB", "1138B 113C2", "11390 113C9", "113C2 113C2",
                   "113C2 113B8", "113C2 113C9", "1611E 1611E", "1611E 16129", "1611E 1611F", "16129 1611F", "1611E 16120",
                   "16121 1611F", "16122 1611F", "16121 16120", "16D67 16D67", "16D63 16D67", "16D69 16D67"]


def members(pattern):
    """The code points that match: removing the matches leaves the others."""
    text = "".join(map(chr, CODE_POINTS))
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed")
    found = set(CODE_POINTS)
    for start in range(0, len(text), 65536):
        for piece, _ in split.pre_tokenize_str(text[start:start + 65536]):
            found.difference_update(map(ord, piece))
    return found


def runs(value_of):
    """(first, last, value) of maximal runs of neighbours with one value; value_of is {code point: value}."""
    out = []
    for code in sorted(value_of):
        if out and out[-1][1] == code - 1 and out[-1][2] == value_of[code]:
            out[-1][1] = code
        else:
            out.append([code, code, value_of[code]])
    return out


def write_classes(path):
    class_of = {}
    for name, pattern in (("L", r"\p{L}"), ("N", r"\p{N}"), ("S", r"\s")):
        found = members(pattern)
        assert not found & class_of.keys()
        class_of |= dict.fromkeys(found, name)
    with open(path, "w") as file:
        file.write(CLASSES_HEADER)
        file.writelines(f"{first:04X} {last:04X} {name}\n" for first, last, name in runs(class_of))


def nfc(text):
    return NFC.normalize_str(text)


def swaps(left, right):
    return left != right and NFD.normalize_str(left + right) == right + left


def combining_classes():
    """A mark moves before a neighbour of a higher class and past no other: its class is found between marks of known classes."""
    marks = [chr(code) for code in CODE_POINTS if swaps("\u0345", chr(code)) or swaps(chr(code), "\u0334")]
    known = {}
    for mark in marks:
        known.setdefault(unicodedata.combining(mark), mark)
    classes = {}
    for mark in marks:
        beside = [ccc for ccc, other in known.items() if not swaps(mark, other) and not swaps(other, mark)]
        assert len(beside) == 1 and beside[0] > 0, (hex(ord(mark)), beside)
        classes[ord(mark)] = beside[0]
    return classes


def compositions(classes):
    """(alone, pair, apart): the code points that NFC changes, the pairs it composes, those that only later versions compose."""
    alone, pairs, candidates = [], [], set()
    for code in CODE_POINTS:
        if code in HANGUL:
            continue
        char = chr(code)
        if nfc(char) != char:
            alone.append((code, [ord(c) for c in nfc(char)]))
        parts = NFD.normalize_str(char)
        if len(parts) > 1 and nfc(char) == char:
            first = nfc(parts[:-1])
            assert len(first) == 1 and nfc(first + parts[-1]) == char, hex(code)
            pairs.append((ord(first), ord(parts[-1]), code))
        later = unicodedata.decomposition(char).split()
        if len(later) == 2 and not later[0].startswith("<"):
            candidates.add((int(later[0], 16), int(later[1], 16)))
    candidates |= {tuple(int(part, 16) for part in pair.split()) for pair in COMPOSITIONS_16}
    composed = {(a, b) for a, b, _ in pairs}
    excluded = {tuple(map(ord, NFD.normalize_str(chr(code)))) for code, _ in alone}
    apart = sorted(pair for pair in candidates - composed - excluded if len(nfc(chr(pair[0]) + chr(pair[1]))) == 2)
    return alone, sorted(pairs), apart


def write_nfc(path):
    classes = combining_classes()
    alone, pairs, apart = compositions(classes)
    with open(path, "w") as file:
        file.write(NFC_HEADER)
        file.writelines(f"class {first:04X} {last:04X} {ccc}\n" for first, last, ccc in runs(classes))
        file.writelines(f"alone {code:04X} {' '.join(f'{c:04X}' for c in to)}\n" for code, to in alone)
        file.writelines(f"pair {a:04X} {b:04X} {c:04X}\n" for a, b, c in pairs)
        file.writelines(f"apart {a:04X} {b:04X}\n" for a, b in apart)
