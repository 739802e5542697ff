"""Rows in the layouts of benchmarks, and responses to them, all made up, for benchmarks.py. The quirk of a script that a response is there
for is named beside it.
"""

# ---- rows

NASTY = [
    ("Which of these is a noble gas?", ["Argon", " Neon\u2009gas", "Iron", "N/A", "Gold"], "A"),
    ("What does {question} print?\nAnd {options}, {{letter}}?", ["{question}", "%s and %(name)s", "{}", "{0}"], "C"),
    ("She said \"it's 50 %\" of $\\frac{1}{2}$ — how much?\r\nIn full.", ["\\boxed{A}", "25\u00a0%", "  0.25"], "C"),
    ("Ελληνικά, 日本語 and 🙂: which is a picture?", ["Ελληνικά", "日本語", "🙂", "\\u0041", "tab\there"], "C"),
    ("A question that ends with a newline\n", ["yes", "no", "yes.", "No"], "B"),
    (
        " Ten options, the first with a leading space",
        [" 1", "2", "3 < 4", "4 & 5", "(5)", "[6]", "7.", "8:", "9*", "10\n(two lines)"],
        "J",
    ),
    ("Seven.", ["a", "b", "c", "d", "e", "f", "the answer is (A)"], "G"),
    ("Fill the ____: options repeat", ["same", "same", "other", "N/A"], "B"),
]
MMLU_CATEGORIES = ["computer science", "math", "chemistry", "engineering", "law", "biology", "health", "physics", "business"]
MMLU_CATEGORIES += ["philosophy", "economics", "other", "psychology", "history"]
DISCIPLINES = ["Engineering", "Medicine", "Science", "Philosophy", "Military Science", "Economics", "Management", "Sociology"]
DISCIPLINES += ["Literature and Arts", "History", "Agronomy", "Law", "Education"]


def mmlu_rows():
    return [
        {
            "question_id": 100 + i,
            "question": question,
            "options": list(options),
            "answer": answer,
            "answer_index": ord(answer) - 65,
            "cot_content": "",
            "category": MMLU_CATEGORIES[i * 5 % 14],
            "src": "made up",
        }
        for i, (question, options, answer) in enumerate(NASTY)
    ]


def mmlu_shots():
    thoughts = "A: Let's think step by step. {%d} is 50 %%, so \"A: Let's think step by step.\"\nThe answer is (%s)."
    return [
        {
            "question_id": i,
            "question": f"Example {i} of {category}, with {{shots}} and {{question}}?",
            "options": ["one", " two", "N/A", "thr\u00e9e"][: 3 + i % 2],
            "answer": "AB"[i % 2],
            "answer_index": i % 2,
            "cot_content": thoughts % (i, "AB"[i % 2]),
            "category": category,
            "src": "made up",
        }
        for category in sorted({row["category"] for row in mmlu_rows()})
        for i in range(6)  # one too many
    ]


def supergpqa_rows():
    return [
        {
            "uuid": f"made-up-{i}",
            "question": question,
            "options": list(options),
            "answer": options[ord(letter) - 65],
            "answer_letter": letter,
            "discipline": DISCIPLINES[i % 13],
            "field": f"field {i % 5}",
            "subfield": f"subfield {i % 7}",
            "difficulty": ["easy", "middle", "hard"][i % 3],
            "is_calculation": False,
        }
        for i, (question, options, letter) in enumerate(NASTY + NASTY[:5])
    ]


GPQA_COLUMNS = ["Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"]


def gpqa_rows():
    made = [
        ("Which {question} of $\\ce{H2O}$?\nTwo lines.", ["ice", " steam", "{water}", "50 % vapour"]),
        ("Right and wrong look alike", ["same", "same", "b", "c"]),
        ("Unicode: ∑ 🙂 Ω \"quoted\" and 'quoted'", ["α", "β\n(second line)", "γ", "δ "]),
        (" leading and trailing ", ["1", "2", "3", "4"]),
        ("Backslash \\n and \\boxed{A}", ["\\alpha", "\\boxed{B}", "%d", "N/A"]),
    ]
    return [
        {"Record ID": f"rec{i}", "Question": question, **dict(zip(GPQA_COLUMNS, options)), "Subdomain": "made up", "High-level domain": "Physics"}
        for i, (question, options) in enumerate(made)
    ]


def bbeh_rows():
    made = [
        ("boolean expressions", "Is {this} true?\nOptions: (A) yes (B) no", "(A)"),
        ("word sorting", "Sort: b, a, 'c' — 100 %", "a, b, c"),
        ("time arithmetic", "What is 20 + 5?", "25.0"),
        ("linguini", "Translate 🙂 \"into\" Ελληνικά", "ΝΑΊ"),
        ("object counting", "How many? {question}", "[3, 4]"),
        ("nycc", "Is it so?", "it's so"),
        ("zebra puzzles", "Who?", "a"),
        ("dyck languages", "What remains?", "[]"),
    ]
    return [{"task": task, "question": question, "answer": answer} for task, question, answer in made]


MATH_ROWS = [
    ("What is $\\frac{1}{2} + \\frac{1}{2}$? {question}\n", "1"),
    ("Ten % of \"100\" — 🙂?", "10"),
    ("<question> and <a>", "\\frac{3}{4}"),
]
MATH = {  # module, class, field of the question, of the answer
    "gsm8k": ("gsm8k_eval_qwen", "Gsm8kEvalQwen", "question", "answer"),
    "math500": ("math_eval_qwen", "MathEvalQwen", "Question", "Answer"),
    "aime24": ("aime24_eval_qwen", "AIME24EvalQwen", "problem", "answer"),
    "aime25": ("aime25_eval_qwen", "AIME25EvalQwen", "problem", "answer"),
    "amc23": ("amc_eval_qwen", "AmcEvalQwen", "question", "answer"),
    "minerva_math": ("minerva_eval_qwen", "MinervaEvalQwen", "problem", "answer"),
    "olympiadbench": ("olympiad_eval_qwen", "OlympiadEvalQwen", "question", "final_answer"),
}


def math_rows(task):
    _, _, question, answer = MATH[task]
    written = {"gsm8k": lambda a: f"First 2 #### 3, then\n#### {a}", "olympiadbench": lambda a: [a, "another"]}
    return [{question: q, answer: written.get(task, str)(a)} for q, a in MATH_ROWS]


# ---- responses: (quirk, response); {X} stands for the right letter, {Y} for a wrong one, {x} and {y} in lower case

BOXED = [
    ("a letter in a box", "So it is \\boxed{{X}}."),
    ("a wrong one", "So it is \\boxed{{Y}}."),
    ("the last box counts", "First \\boxed{{Y}}, but then \\boxed{{X}}"),
    ("even if the first was right", "First \\boxed{{X}}, but then \\boxed{{Y}}"),
    ("the last box is empty: none counts", "\\boxed{{X}} and \\boxed{}"),
    ("an empty box, then words", "\\boxed{}\nFinal Answer: {X}\n"),
    ("a box with a blank is not empty", "The answer is: {X}\n\\boxed{ }"),
    ("contained, the first in the alphabet", "\\boxed{{X}. A Big Cat}"),
    ("contained in a word", "\\boxed{\\text{Answer: none}}"),
    ("lower case is no letter", "\\boxed{{x}}"),
    ("in nested braces", "\\boxed{\\text{\\textbf{{X}}}}"),
    ("four braces deep", "\\boxed{\\a{\\b{\\c{\\d{{X}}}}}}"),
    ("a box that is not closed", "\\boxed{{Y}} \\boxed{{X}"),
    ("a box over lines", "\\boxed{\n{X}\n}"),
    ("a box in capitals is none", "\\Boxed{{X}}"),
    ("a blank before the brace", "\\boxed {{X}}"),
    ("fbox", "\\fbox{{X}}"),
    ("brackets", "\\boxed{({X})}"),
    ("Final Answer before The answer is", "The answer is: {Y}\nFinal Answer: {X}\nThe answer is: {Y}\n"),
    ("the last Final Answer", "Final Answer: {Y}\nFinal Answer: {X}\n"),
    ("an empty Final Answer hides the other", "The answer is: {X}\nFinal Answer:\n"),
    ("The answer is", "The answer is: ({X})\nDone"),
    ("a newline is needed", "The answer is: {X}"),
    ("and lost before a stop word", "The answer is: {X}\n</s>"),
    ("and lost behind Assistant", "Assistant: The answer is: {X}\n"),
    ("over less-than", "The answer is: 3 < 4, {X}\n"),
    ("over two of them", "The answer is: 3 << 4, {X}\n"),
    ("case counts", "the answer is: {X}\nfinal answer: {X}\n"),
    ("without a colon", "The answer is {X}\n"),
    ("the last Assistant", "Assistant: \\boxed{{Y}}\nUser: well?\nAssistant: \\boxed{{X}}"),
    ("nothing behind Assistant", "\\boxed{{X}} Assistant:"),
    ("a stop word", "\\boxed{{X}}</s>\\boxed{{Y}}"),
    ("the first stop word", "\\boxed{{X}}<|endoftext|>\\boxed{{Y}}<|im_end|>\\boxed{{Y}}</s>"),
    ("a stop word before anything", "<|im_end|>\\boxed{{X}}"),
    ("turns", "\\boxed{{Y}}<|im_end|>\n<|im_start|>user\nwell?<|im_end|>\n<|im_start|>assistant\n\\boxed{{X}}<|im_end|>\\boxed{{Y}}"),
    ("turns hide Assistant", "<|im_start|>user Assistant: <|im_start|>assistant The answer is: {X}\n Assistant: b\n"),
    ("a user's turn alone", "\\boxed{{X}} <|im_start|>user Assistant: \\boxed{{Y}}"),
    ("nothing", "I do not know"),
    ("nothing at all", ""),
    ("characters", "Ελληνικά 🙂 \\boxed{Ω {X}} \u2028\u0085"),
    ("a capital elsewhere", "\\boxed{Κ}"),
]
FIVE_SHOT = [
    ("answer is (X)", "Well. The answer is ({X})."),
    ("the first counts", "The answer is ({X}). The answer is ({Y})."),
    ("without brackets", "the answer is {X}"),
    ("one bracket", "the answer is ({X}"),
    ("the first letter of a word", "the answer is Bad, rather Answer: {X}"),
    ("lower case is no letter", "the answer is ({x})"),
    ("no letter beyond J", "the answer is (K)"),
    ("a newline between is not a blank", "the answer is\n{X}, or {Y}"),
    ("Answer:", "Hm.\nAnswer: {X} and Answer"),
    ("the last Answer of the first line that has one", "answer: {Y} answer: {X}\nanswer: {Y}"),
    ("Answer: over a newline", "Answer:\n\n{X}"),
    ("ANSWER is none", "ANSWER: {X} ... Y"),
    ("the last lone letter", "{Y} and then {X}, finally"),
    ("lone letters need borders", "{X}_ {X}1 {X}\u00e9 x{X}"),
    ("an I is a letter", "I think so"),
    ("a lone letter before a newline", "It is {X}\n\nand no more"),
    ("a blank before", "answer is  ({X})"),
    ("bold", "The answer is **({X})** or Answer: {Y}"),
    ("nothing", "no idea"),
    ("nothing at all", ""),
    ("only small ones", "a b c"),
    ("unicode", "答案 answer is {X}。"),
]
SIMPLE = [
    ("Answer: X", "Thus\nAnswer: {X}"),
    ("a wrong one", "Answer: {Y}"),
    ("the first counts", "Answer: {Y}\nAnswer: {X}"),
    ("any case of the word", "aNSWER:{X}"),
    ("a lower-case letter is found and wrong", "Answer: {x}"),
    ("dollars", "Answer: ${X}$"),
    ("tabs", "Answer\t:\t {X}"),
    ("a newline is no blank", "Answer:\n{X}"),
    ("brackets are in the way", "Answer: ({X})"),
    ("bold is in the way", "**Answer:** {X}"),
    ("the first letter of a word", "Answer: Because\nAnswer: {X}"),
    ("E is none", "Answer: E, no: Answer: {X}"),
    ("nothing", "{X}"),
    ("nothing at all", ""),
]
BOX_OF_LINE = [
    ("a letter in a box", "So \\boxed{{X}}."),
    ("a wrong one", "So \\boxed{{Y}}."),
    ("the first box counts", "\\boxed{{X}}\nthen \\boxed{{Y}}"),
    ("even if the last is right", "\\boxed{{Y}}\nthen \\boxed{{X}}"),
    ("two on a line are wrong", "\\boxed{{X}} and \\boxed{{X}}"),
    ("a brace behind it on its line is in it", "\\boxed{{X}} and }"),
    ("any case", "\\BOXED{{X}}"),
    ("white space before the brace", "\\boxed \n {{X}}"),
    ("a blank within", "\\boxed{ {X}}"),
    ("brackets within", "\\boxed{({X})}"),
    ("text within", "\\boxed{\\text{{X}}}"),
    ("a lower-case letter", "\\boxed{{x}}"),
    ("over lines", "\\boxed{\n{X}\n}"),
    ("empty, then filled on its line", "\\boxed{} \\boxed{{X}}"),
    ("empty, then filled", "\\boxed{}\n\\boxed{{X}}"),
    ("no box", "The answer is {X}"),
    ("nothing at all", ""),
]
SUPERGPQA = [
    ("Answer: X", "Thus.\nAnswer: {X}"),
    ("a wrong one", "Answer: {Y}"),
    ("the last line first", "Answer: {Y}\nsome more\nAnswer: {X}."),
    ("else the first anywhere", "Answer: {X}\nAnswer: {Y}\nand that is that"),
    ("the answer is before Answer:", "Answer: {Y}\nThe answer is {X}\nOr not."),
    ("lower case is found and wrong", "the answer is {x}"),
    ("the correct answer is", "The correct answer is ({X})."),
    ("the option is:", "So the best option is: $\\boxed{{X}}$"),
    ("two words between", "the very best answer is {X}"),
    ("bold", "**Answer:** **{X}**"),
    ("bold before the colon", "**Answer**: {X}"),
    ("mathbf", "ANSWER: $\\mathbf{{X}}$"),
    ("text in a box", "Answer: \\boxed{\\text{{X}}}"),
    ("brackets", "[{X}]:"),
    ("a letter alone", "Hm.\n\n{X}\n"),
    ("a letter alone, boxed", "$\\boxed{{X}}$"),
    ("at the text's begin", "{X}. Because it is so\nAs said above"),
    ("a word is no letter", "Answer: Apples are"),
    ("a letter and a comma", "Answer: {X}, surely"),
    ("K is none", "Answer: K"),
    ("white space behind", "Answer: {X}  \n\n \u00a0"),
    ("A begins a sentence", "A thing is so\nIt ends here"),
    ("i is a letter", "i think\nso it seems"),
    ("content", "The answer is {content}."),
    ("content of another", "Answer {other}"),
    ("content on the last line first", "The answer is {other}.\nThe answer is {content}."),
    ("content alone", "{content}"),
    ("content in a box", "The answer is $\\boxed{{content}}$."),
    ("content in other case", "The answer is {CONTENT}!"),
    ("content and more", "The answer is {content}s"),
    ("nothing", "no idea, really"),
    ("nothing at all", ""),
    ("newlines only", "\n\n"),
]
SUPERGPQA_GOES_ON = [  # of base models
    ("another question behind", "So it is.\nAnswer: {X}.\n\nQuestion: \nWhat else?\nAnswer: {Y}."),
    ("the last line before the next question", "Answer: {Y}\nOr rather\nAnswer: {X}\nQuestion: and so on\nAnswer: {Y}"),
    ("an answer behind the next question only", "I am not sure\n\nQuestion: which one?\nAnswer: {X}"),
    ("content before, a letter behind", "The answer is {content}.\nQuestion: which one?\nAnswer: {Y}"),
    ("lower case before decides", "Answer: {x}\nQuestion: which one?\nAnswer: {X}"),
    ("a question at once", "Question: which one?\nAnswer: {X}"),
    ("a blank line, a letter, a question", "\n{X}\nQuestion: \nAnswer: {Y}"),
    ("two more questions", "well\nQuestion: a?\nAnswer: {Y}\nQuestion: b?\nAnswer: {X}"),
    ("a question and nothing", "Hm.\nQuestion: which one?"),
    ("questions, in the plural", "Questions: {X}\nAnswer: {X}"),
]
BBEH = [
    ("as it is", "{R}"),
    ("The answer is:", "Ok The answer is: {R}"),
    ("the last", "The answer is: b\nThe answer is: {R}."),
    ("The final answer is", "The final answer is {R}"),
    ("with a colon", "The final answer is: {R}"),
    ("with a colon and no blank", "The final answer is:{R}"),
    ("The answer is", "The answer is {R}"),
    ("a prefix in what a prefix left", "The answer is: well, The answer is {R}"),
    ("lower case of the prefix", "the answer is: {R}"),
    ("bold", "The answer is: **{R}**\nHere's why."),
    ("bold in the middle", "The answer is: {R}** or"),
    ("first line only", "The answer is: {R}\nb"),
    ("a dot", "The answer is: {R}."),
    ("two dots", "The answer is: {R}.."),
    ("three dots", "The answer is: {R}..."),
    ("dollars", "The answer is: ${R}$"),
    ("a dollar", "The answer is: $"),
    ("boxed", "The answer is: \\boxed{{R}}"),
    ("boxed, dollars and a dot", "The answer is: $\\boxed{{R}}$."),
    ("text in a box", "The answer is: \\boxed{\\text{{R}}}"),
    ("texttt", "The answer is: \\texttt{{R}}"),
    ("two boxes", "\\boxed{{R}} \\boxed{b}"),
    ("capitals", "The answer is: {UPPER}"),
    ("blanks behind commas", "The answer is: {COMMAS}"),
    ("brackets", "The answer is: ({R})"),
    ("square brackets", "The answer is: [{R}]"),
    ("without brackets", "The answer is: {INNER}"),
    ("a float", "The answer is: 25"),
    ("an exponent", "The answer is: 2.5e1"),
    ("underscores", "The answer is: 2_5"),
    ("underscores astray", "The answer is: 2__5"),
    ("a sign", "The answer is: +25."),
    ("quotes", "The answer is: '{R}'"),
    ("without quotes", "The answer is: {UNQUOTED}"),
    ("a question mark", "The answer is: {R}?"),
    ("a letter in brackets", "The answer is: (a)"),
    ("a letter alone", "The answer is: A"),
    ("a letter in brackets decides", "The answer is: (3)"),
    ("infinite", "The answer is: inf"),
    ("not a number", "The answer is: nan"),
    ("nothing", ""),
    ("nothing behind", "The answer is:"),
    ("characters", "The answer is: ναί"),
]
BBEH_BOXED = [
    ("boxed", "So \\boxed{{R}}"),
    ("the last box", "\\boxed{b} \\boxed{{R}}"),
    ("text in a box", "So \\boxed{\\text{{R}}}"),
    ("capitals", "So \\boxed{{UPPER}}"),
    ("blanks behind commas", "So \\boxed{{COMMAS}}"),
    ("a float", "So \\boxed{25}"),
    ("a letter", "So \\boxed{a}"),
    ("a letter in brackets", "So \\boxed{(A)}"),
    ("words in a box", "So \\boxed{The answer is: {R}}"),
    ("bold in a box", "So \\boxed{**{R}**}"),
    ("a dot in a box", "So \\boxed{{R}.}"),
    ("The answer is needs a newline", "The answer is: {R}"),
    ("The answer is", "The answer is: {R}\n"),
    ("Final Answer", "Final Answer: {R}\nThe answer is: b\n"),
    ("behind a stop word", "\\boxed{b}</s>\\boxed{{R}}"),
    ("nothing is sometimes right", "I give up"),
]
MATH_RESPONSES = [
    ("in a box", "So \\boxed{{R}}.", True),
    ("a wrong one", "So \\boxed{77}.", False),
    ("the first box counts", "\\boxed{{R}}\nand \\boxed{77}", True),
    ("even if the last is right", "\\boxed{77}\nand \\boxed{{R}}", False),
    ("two on a line are wrong", "\\boxed{{R}} = \\boxed{77}", False),
    ("any case, white space", "\\Boxed {{R}}", True),
    ("over lines", "\\boxed{\n{R}}", False),
    ("no box", "The answer is {R}", False),
    ("nothing at all", "", False),
]


def letters_in(text, row_options, letter):
    """Fills in a right and a wrong letter and option."""
    wrong = "A" if letter != "A" else "B"
    for name, value in (
        ("{X}", letter),
        ("{Y}", wrong),
        ("{x}", letter.lower()),
        ("{y}", wrong.lower()),
        ("{content}", row_options[ord(letter) - 65]),
        ("{other}", row_options[ord(wrong) - 65]),
        ("{CONTENT}", row_options[ord(letter) - 65].upper()),
    ):
        text = text.replace(name, value)
    return text


def reference_in(text, reference):
    inner = reference[1:-1] if reference[:1] in "([" else reference
    for name, value in (
        ("{R}", reference),
        ("{UPPER}", reference.upper()),
        ("{COMMAS}", ", ".join(part.strip() for part in reference.split(","))),
        ("{INNER}", inner),
        ("{UNQUOTED}", reference.replace("'", "")),
    ):
        text = text.replace(name, value)
    return text
