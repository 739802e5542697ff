"""Hard texts and their ids: test/fixtures/tokenizer/, made with Hugging Face's tokenizers, which is the oracle.

hard_texts.jsonl and hard_texts.ids.jsonl need the published Qwen3 tokenizer (../shared/data/qwen3-tokenizer); tiny/ is a small
tokenizer of the same form, trained here. unicode_classes.txt and unicode_nfc.txt come from unicode_oracle.py.
"""

import itertools
import json
import os
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import unicode_oracle

QWEN = "../shared/data/qwen3-tokenizer/tokenizer.json"
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
         "<|box_end|>",
         "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
         "<|video_pad|>",
         "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
         "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"]

SCRIPTS = [
    "The quick brown fox jumps over the lazy dog.", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Tiếng Việt: Một hai ba bốn năm sáu bảy", "Fußgängerübergänge, ẞ und ß", "İstanbul'da ışık, DİYARBAKIR ılık",
    "Ǆ ǅ ǆ Ǉ ǈ ǉ ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ",
    "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία", "ᾳ ᾼ ῷ ΐ ΰ ᾿ ῾ ΅ `", "Съешь же ещё этих мягких французских булок", "Ӂ ӂ Ѷ ѷ Ѐ Ѝ ѐ ѝ й ё",
    "هذا نص عربي مع تَشْكِيل ٠١٢٣٤٥٦٧٨٩", "فارسی: می‌خواهم ۰۱۲۳۴۵۶۷۸۹", "עברית עם נִקּוּד שָׁלוֹם",
    "यह हिन्दी का वाक्य है ०१२३४५६७८९ क़ ख़ ग़",
    "বাংলা ভাষা ড় ঢ় য় ১২৩", "ਪੰਜਾਬੀ ਸ਼ ਖ਼ ਗ਼", "ગુજરાતી ૧૨૩", "தமிழ் ொ ோ ௌ ௧௨௩ ௰௱௲", "తెలుగు ై ౧౨౩", "ಕನ್ನಡ ೀ ೇ ೈ ೊ ೋ",
    "മലയാളം ൊ ോ ൌ", "සිංහල ේ ො ෝ ෞ",
    "ภาษาไทย กำลังทดสอบ ๐๑๒๓๔", "ພາສາລາວ ຫຼ ນໍາ ໐໑໒", "བོད་སྐད། ༠༡༢ གྷ ཌྷ དྷ བྷ ཛྷ ཀྵ ཱི ཱུ", "မြန်မာဘာသာ ဦ ၀၁၂", "ភាសាខ្មែរ ០១២",
    "ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ",
    "Հայերեն լեզու և ﬓ", "አማርኛ ፩፪፫", "ᏣᎳᎩ ꮳꮃꭹ", "ᐃᓄᒃᑎᑐᑦ", "ᠮᠣᠩᠭᠣᠯ᠎ᠠ", "汉字简体與繁體混排，標點「引號」。", "日本語のひらがなとカタカナ、ｶﾞﾊﾟ が ぱ ゔ",
    "한국어 문장입니다. 가각갂 힣", "각 가나다 힣 한글", "ㄱㄴㄷ ㅏㅑ ﾡﾢ", "豈更車賈滑串句龜龜契 神福",
    "𐌀𐌁𐌂 𐎀𐎁 𐤀𐤁 𒀀𒀁 𓀀𓀁", "𝒜𝓑𝔻 𝟘𝟙𝟚 𝛂𝛃", "𠀀𠀁𪜀 丽丸乁", "ꦲꦏ꧀ ᬅᬆ ᬓᬶ", "ⵜⴰⵎⴰⵣⵉⵖⵜ ߒߞߏ ꓡꓢꓴ", "Ⅳ ⅷ ½ ¾ ② ³ ₄ ㊿ 〇 一二三 Ⅻ",
    "ǅungla ʼn ŉ 'ŉ ʰʷ ªº", "𞤀𞤁 𑄶𑄷 𑑐𑑑 𞥐𞥑", "ᾀ ᾀ ὤ̣ ὥ", "ॐ नमः शिवाय ॥१॥", "Ⓐⓑ ℃ ℉ № ™ ℡",
]

COMBINING = [
    "\u212b \u2126 \u212a \u2000 \u2001 \u2329 \u232a", "A\u030a \u00c5 \u03a9 K", "e\u0301 \u00e9 E\u0301\u0323",
    "a\u0323\u0302 a\u0302\u0323 \u1ead",
    "\u1e9b\u0323 \u1e0b\u0323 d\u0323\u0307 d\u0307\u0323", "q\u0307\u0323 q\u0323\u0307",
    "\u0958 \u0915\u093c \u095f \u09dc \u0a33 \u0b5c",
    "\u0f43 \u0f42\u0fb7 \u0f73 \u0f71\u0f72 \u0f75 \u0f81 \u0f77", "\ufb1d \ufb1f \ufb2a \ufb2c \ufb4e \u2adc",
    "\u0340 \u0341 \u0343 \u0344 \u0374 \u037e \u0387",
    "\U0001d15e \U0001d160 \U0001d1bb", "\u3099\u304b \u304b\u3099 \u306f\u309a \u30a6\u3099",
    "\u1100\u1161 \u1100\u1161\u11a8 \uac00\u11a8 \u1112\u1175\u11c2",
    "\u1100\u0301\u1161 \u1100\u1161\u0301\u11a8 \u11a8\u1161", "\u1100\u1100\u1161 \uac01\u11a8 \ua960\u1161 \u1100\ud7b0",
    "\u0928\u093c \u0930\u093c \u0933\u093c",
    "\u09c7\u09be \u09c7\u09d7 \u0bc6\u0bbe \u0dd9\u0dcf\u0dca", "a" + "\u0301\u0316\u0327\u0345\u0334\u0300\u0323" * 3,
    "a" + "\u0300" * 40, "\u0327" * 5 + "c\u0327\u0301",
    "".join(chr(0x300 + 37 * i % 112) for i in range(112)), "o" + "".join(chr(0x300 + 53 * i % 80) for i in range(80)),
    "\u0301 \u0301", "\u0301", "\n\u0301x", "1\u0301 \u0661\u0301",
    "'\u0301s 's\u0301 't\u0323 'll\u0301", "\U00011131\U00011127 \U00011347\U0001133e \U000114b9\U000114ba",
    "\U00011935\U00011930 \U00011938",
    "a\u05b0\u0591\u05bc\u05c1 \u05e9\u05c1\u05bc", "\u0627\u0653 \u0627\u0654 \u0648\u0654 \u0627\u0655\u064b",
    "\u0f71\u0f80\u0f74\u0f72", "\u0915\u094d\u093c \u0915\u093c\u094d",
    # Marks of Unicode 10 and later: the oracle's NFC does not know their combining classes and leaves them where they are.
    "a\u0345\u07fd a\u0301\u1df6 x\u1df6\u0323 e\u0898\u0301", "\u0915\u0951\u09fe \u0915\u1abf\u0316 \u0c15\u0c4d\u0c3c",
    "o\U00010f46\u0301 o\u0301\U00010f48 \U0001133b\U0001133c",
    "\u0e99\u0eba\u0eb8 \u1715\u1734 \U00010d24\u0301\U00010eab", "a\u1ac5\u0323\u0301 a\u0323\u1ac5\u0301",
]

CONTROLS = [
    "", " ", "\0", "a\0b", "\0\0\0", "\x01\x02\x03\x07\b\t\n\v\f\r\x0e\x1b\x1f", "\x7f\x80\x85\x9f", "\ufeffBOM first",
    "BOM \ufeff inside", "\ufffd", "a\ufffdb\ufffd\ufffd",
    "\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff", "\ue000\uf8ff\U000f0000\U0010fffd",
    "\u061c\u200e\u200f\u202a\u202e\u2066\u2069", "\u00ad soft\u00adhyphen", "\ufff9\ufffa\ufffb\ufffc",
    "\U000e0001\U000e0041\U000e007f", "\ufe00\ufe0f\U000e0100", "\u034f\u115f\u1160\u3164\uffa0", "\x1c\x1d\x1e\x1f a\x1cb",
]

SPACES = [
    "  ", "   a", "a   ", "a    b", " " * 17, " " * 64 + "x", " " * 300, "\n", "\n\n", "\n\n\n\n\nx", "\n" * 100, "\t", "\t\t\tx",
    "\t" * 40, "\r", "\r\n", "a\r\nb\r\n\r\nc", "\r\r\n\n\r", " \n \n ",
    "a \n", "a  \n  b", "a\n  b", "x \t \n\t y", "  \n\n  \n", "!\n\n?", "!!\r\n\r\n", " !\n x", "end.  \n\n\nNext", "\v\f\v",
    "a\vb\fc", "x\u00a0y \u00a0 z\u00a0\u00a0", "\u0085x\u0085\n\u0085", "\u2028a\u2029b",
    "\u1680\u2000\u2003\u2009\u200a\u202f\u205f\u3000", "a\u3000\u3000b", "\u180ea\u180e b", "a\u200bb \u200b \u200c\u200d\u2060",
    " \u00a0x", "\u00a0 x", "\u3000\nx", "x\u2003 \n y", "\u2028\n\u2029\r",
    "    def f():\n        return  1\n\n\n", "\t if\n\t\t x\n", "a" + " \n" * 30, " a" * 50, "tab\tend\t\n\t", "\u00a0\u00a0\n",
    "\u200b\n\n", "   \u0301x", "   1", "   !", "  's",
]

CONTRACTIONS = [
    "I'm you're he's they've we'll she'd don't", "I'M YOU'RE HE'S THEY'VE WE'LL SHE'D DON'T", "I'm'm 's's 'S'T 'rE 'Ve 'lL 'D",
    "'s 't 're 've 'm 'll 'd", "'sabc 'tabc 'reabc 'veabc 'mabc 'llabc 'dabc",
    "'\u017f '\u017fabc x'\u017f X'\u017fABC '\u017f\u017f", "'\u212a '\u212aabc x'\u212a", "'\ufb06 '\ufb05abc '\ufb06x",
    "'\u00df '\u1e9e '\u0130 '\u0131", "\u2019s \u2019tabc don\u2019t I\u2019ll", "''s '''t ' s '\ns",
    "1's 2'T 3'll %'s !'d", "rock'n'roll o'clock 'twas y'all'd've", "'l 'r 'v 'e 'LLL 'reE", "a'\u0441 '\u0442 '\u1d05",
    " 's  't\t're\n've", "\u02bcs '\u02bcs \uff07s", "'\u24e2 '\uff53 '\uff33",
]

DIGITS = [
    "0123456789", "3.14159265358979323846", "1,234,567.89", "1e-10 0x1F 0b101", "v1.2.3-rc4", "٠١٢٣٤٥٦٧٨٩ ۰۱۲۳ ०१२ ๑๒๓ ༡༢༣",
    "１２３ ①②③ ⅠⅡⅢ ½⅓¼ ²³¹ ₁₂₃", "𝟎𝟏𝟐 𝟘𝟙𝟚 𞥐𞥑 🯰🯱🯲", "一二三 〇 ㉈ ㊀ 㐅", "a1b2c3", "10\u00b2 x\u2082",
    "2024-01-02T03:04:05Z", "  42", "-7 +7 ±7", "1" * 200, "௰௱௲ ൰൱൲ 𐄇𐄈 𒐀", "𐹠𐹡 ꣠꣡ \u0bf0 \u137c",
]

EMOJI = [
    "😀😁😂", "👨‍👩‍👧‍👦", "👍🏻👍🏼👍🏽👍🏾👍🏿", "🇩🇪🇫🇷🇺🇸🇺", "❤️ ❤ ☺️", "🏳️‍🌈 🏴‍☠️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣ #️⃣ *️⃣", "🧑🏽‍🚀👩‍❤️‍💋‍👨", "a😀b 😀 c", "🫠🫡🫨🪿🩷",
    "😀" * 30, "🀄🃏🅰🆗🈁", "⏰⌛✨⭐⬛", "👁️‍🗨️ 🙂‍↔️",
]

OVERLAPS = [
    "<|im_<|im_start|>", "<|im_start|><|im_end|>", "<think></think>", "<|im_end|>\n", "<|im_end|>\n<|im_start|>assistant\n",
    "<think>\n\n</think>\n\n", "<|im_start|", "|im_start|>", "<|im_start|>>", "<<|im_start|>",
    "<|im_end|><|im_end", "<|endoftext|><|endoftext|>", "<|IM_START|>", "<| im_start |>", "<|im_start|>\u0301",
    "e<|im_end|>\u0301", "\u0301<think>\u0301", "<think>a\u0301</think>", "a <think> b </think> c", "  <think>  ",
    "<tool_call>{\"name\": \"f\"}</tool_call>", "<tool_<tool_call>call>", "</think", "</think>>", "</ think>", "<thinks>",
    "<|im_end|>'s", "x<|im_end|>x", "<|fim_prefix|>def<|fim_suffix|><|fim_middle|>", "\n<think>\n",
    "<|object_ref_start|>x<|object_ref_end|><|box_start|>(1,2)<|box_end|>",
    "\u1100<think>\u1161", "<\u200b|im_start|>", "<|im_start|\u003e", "<think><think></think></think>",
    "\n\n<|im_end|>\n\n\n<|im_start|>\n", " <|endoftext|> ", "<|vision_start|><|image_pad|><|image_pad|><|vision_end|>",
    "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
    "<think>\nEasy.\n</think>\n\n$\\boxed{4}$<|im_end|>\n",
]

CODE = [
    "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 1 << 3); return 0; }\n",
    "for (int i = 0; i < n; ++i) a[i] += b[i] * c[i];", "def f(x):\n    if x:\n        return x ** 2\n    return None\n",
    "SELECT * FROM t WHERE a = 'it''s' AND b <> 3;--",
    "\\frac{a}{b} + \\sqrt[3]{x^2} = \\int_0^\\infty e^{-x^2}\\,dx", "Thus $x = \\boxed{\\frac{1}{2}}$.",
    "\\begin{align*}\n  a &= b \\\\\n  c &= d\n\\end{align*}", "{\"a\": [1, 2, {\"b\": null}]}", "<div class=\"x\">&nbsp;</div>",
    "https://example.org/a?b=c&d=%20#e",
    "C:\\path\\to\\file.txt /usr/bin/env", "x=1;y=2;;;z", "/* comment */ // another", "!@#$%^&*()_+-=[]{}|;':\",./<>?`~",
    "....... ------- ======= *** ___", "a->b::c!=d===e", "<<<<<<< HEAD\n=======\n>>>>>>> x", "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β",
    "≤≥≠≈∞∑∏√∂", "┌─┐│└┘█▓░", "“quoted” ‘single’ «guillemets» —dash– …",
    "| a | b |\n|---|---|\n| 1 | 2 |\n", "- item\n  - nested\n\n1. one\n2. two\n",
    "camelCaseWord snake_case_word kebab-case-word SCREAMING_CASE", "user@example.com +49-30-1234567",
]


def random_texts(draw):
    """Code points by chance: from everywhere, from what is assigned, from marks and bases, from what the regex tells apart."""
    everywhere = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    assigned = [c for c in everywhere if unicodedata.category(chr(c)) != "Cn" and not 0xE000 <= c < 0xF900 and c < 0xE0000]
    small = [c for c in assigned if c < 0x3000]
    marks = [c for c in small if unicodedata.category(chr(c)) == "Mn"] + list(map(ord, "aeioucdAEO "))
    special = list(map(ord, "\n\r\t  \u00a0\u3000aZ'sStTlLdD19.!<|>_\u0301\u017f"))
    hangul = list(range(0x1100, 0x1200)) + list(range(0xAC00, 0xAC40))
    pools = [everywhere, assigned, small, marks, special, hangul, special, marks]
    return ["".join(chr(draw.choice(pool)) for _ in range(draw.randint(1, 60))) for _ in range(7) for pool in pools]


def long_texts(draw):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["a" * 1000, "".join(draw.choice(letters) for _ in range(3000)),
            "".join(draw.choice(letters + "äöüßéあ漢字") for _ in range(1000)), "!" * 1000,
            "ab" * 600, "".join(draw.choice("!?.,;:-=*/\\") for _ in range(700)), "漢" * 500, "1" + "0" * 500, "\u0301" * 300,
            " \n" * 200, "x" + "'s" * 100]


def added_texts():
    return [text for token in ADDED for text in (f"a{token}b", f" {token}\n{token} ")]


def hard_texts():
    draw = random.Random(20250101)
    return (SCRIPTS + COMBINING + CONTROLS + SPACES + CONTRACTIONS + DIGITS + EMOJI + added_texts() + OVERLAPS + CODE
            + long_texts(draw) + random_texts(draw))


def tiny_corpus():
    """Sums in words and digits, seeded: enough repetition for a hundred merges."""
    draw = random.Random(7)
    words = "zero one two three four five six seven eight nine ten".split()
    for _ in range(2000):
        a, b = draw.randint(0, 10), draw.randint(0, 10)
        yield draw.choice([f"What is {words[a]} plus {words[b]}?\n", f"The answer is {a + b}.\n\n",
                           f"We add {a} and {b}: it's {a + b}, isn't it?\n",
                           f"    return {a} + {b}\n", f"\\boxed{{{a + b}}}", f"Größe {a}, naïve café, 数字 {b}\n"])


def make_tiny(folder, corpus=tiny_corpus, size=379):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    plain = dict(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"),
                                                       pre_tokenizers.ByteLevel(**plain)])
    tokenizer.decoder = decoders.ByteLevel(**plain)
    tokenizer.post_processor = processors.ByteLevel(**plain)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in ADDED[:3]])
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in ADDED[-2:]])
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    added = json.loads(tokenizer.to_str())["added_tokens"]
    config = {"add_bos_token": False, "add_prefix_space": False,
              "added_tokens_decoder": {str(token.pop("id")): token for token in added},
              "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None,
              "clean_up_tokenization_spaces": False,
              "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 2048, "pad_token": "<|endoftext|>",
              "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")
    return tokenizer


def write_lines(path, key, values):
    with open(path, "w") as file:
        file.writelines(json.dumps({key: value}) + "\n" for value in values)


def ids_of(tokenizer, texts):
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


# Sets of added tokens as people add them (tokenizer.add_tokens writes "normalized" true), each with its flags.
ADDED_SETS = [
    [("<answer>", "n"), ("</answer>", "n")],
    [("<ans", "n"), ("<answer>", "")],
    [("r><t", ""), ("<answer>", "n"), ("<t>", "n")],
    [("[A]", "l"), ("[B]", "r"), ("[C]", "lr")],
    [("[A]", "nl"), ("[B]", "nr"), ("[C]", "nlr"), ("[D]", "")],
    [("caf\u00e9", "n"), ("e", "nl")],
    [("ab", "l"), (" ", ""), ("\n\n", "r")],
    [("\n", "nr"), ("b", "nlr"), ("bc", "r")],
    [("ab", "w"), ("[A]", "wl"), ("b", "nw"), ("<t>", "wr")],
    [("answer", "nw"), ("[B]", "w"), ("caf\u00e9", "nw"), ("a", "wlr"), ("r><t", "")],
]

ADDED_TEXTS = [
    "<answer>42</answer>", "a <answer> b</answer>c", "<answer><t>", "<answe<answer>r><t>", "x [A] y [B]  z [C] w",
    "[A][B] [C]  [A]\n[B]\n\n",
    "  [A]", "[B]   ", " \u3000[C]\u00a0 \u2003x", "\u00a0[A]\u2028[B]\u0085[D] [A]",
    "caf\u00e9 cafe\u0301 caf\u00e9\u0301 e\u0301e e",
    "ab ab  ab\n\nab\n\n \n\nx", "\n\n\n", "b b\n b \nbc  b", "a\nb\nc bc  d\n \n", "", " ", "[D] [A] [D]  [B]  [D] [C] [D]",
    "ab_ ab-ab abab (ab) 1ab ab\u0301 ab\u00b2 ab\u2160 ab\u24b6 \u200dab ab\u203f \u4e2dab ab\U0001d7ce ab\u00bd. \U0001f170ab ab\U0001f600 \u02d8ab",
    "x[A] [A]x _[B] [B]. [A][A] a<t>  <t>  b answer<t> Answer answers caf\u00e9s caf\u00e9. cafe\u0301 b\u0301 b a a.a",
    "e\u0301 [A] e\u0301 [B] e\u0301", "\u1100\u1161[C]\u11a8 \u0301[A]",
]


def added_sets(tiny):
    with open(tiny) as file:
        plain = json.load(file)
    first = 1 + max(list(plain["model"]["vocab"].values()) + [token["id"] for token in plain["added_tokens"]])
    for tokens in ADDED_SETS:
        new = itertools.count(first)  # one that is in the vocabulary keeps its id
        added = [{"id": plain["model"]["vocab"][content] if content in plain["model"]["vocab"] else next(new), "content": content,
                  "single_word": "w" in flags, "lstrip": "l" in flags, "rstrip": "r" in flags, "normalized": "n" in flags,
                  "special": False} for content, flags in tokens]
        root = dict(plain, added_tokens=plain["added_tokens"] + added)
        yield {"added": added, "texts": ADDED_TEXTS, "ids": ids_of(Tokenizer.from_str(json.dumps(root)), ADDED_TEXTS)}


def main(fixtures):
    root = os.path.join(fixtures, "tokenizer")
    texts = hard_texts()
    tiny = make_tiny(os.path.join(root, "tiny"))
    few = [text for text in texts if len(text) < 100][::2] + list(tiny_corpus())[:20]
    write_lines(os.path.join(root, "tiny.texts.jsonl"), "text", few)
    write_lines(os.path.join(root, "tiny.ids.jsonl"), "ids", ids_of(tiny, few))
    with open(os.path.join(root, "added.jsonl"), "w") as out:
        out.writelines(json.dumps(row) + "\n" for row in added_sets(os.path.join(root, "tiny", "tokenizer.json")))
    unicode_oracle.write_classes(os.path.join(root, "unicode_classes.txt"))
    unicode_oracle.write_nfc(os.path.join(root, "unicode_nfc.txt"))
    if not os.path.exists(QWEN):
        print(f"skipped: no {QWEN}; hard_texts.jsonl and its ids are left as they are")
        return
    write_lines(os.path.join(root, "hard_texts.jsonl"), "text", texts)
    write_lines(os.path.join(root, "hard_texts.ids.jsonl"), "ids", ids_of(Tokenizer.from_file(QWEN), texts))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures")
