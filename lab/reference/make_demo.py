"""Makes dev/demo/tokenizer: a byte-level BPE of 1,133 entries in the form of Qwen3's tokenizer.json, trained on generated text:
the demonstration's worked problems as build/demo_problems writes them, and word problems of the kind that a next data set
would hold. Run from the repository's root, after make."""

import json
import random
import subprocess

from make_texts import make_tiny

NAMES = "Ada Ben Carla Dmitri Elif Farid Grace Hana Ivan Jun Kofi Lena Mateo Nadia Omar Priya Quinn Rosa Sven Tara".split()
THINGS = ("apples stamps marbles books tickets pencils shells coins cards stones bottles letters planks tiles candles ropes "
          "buttons lemons flowers bricks").split()
PLACES = "market library garden harbour school kitchen station workshop museum forest bakery theatre".split()
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen")
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = "red orange yellow green blue violet brown black white silver golden purple crimson".split()
UNITS = "metres grams litres seconds minutes hours kilometres euros dollars degrees percent pages chapters".split()
WORKERS = ("teacher gardener carpenter sailor librarian painter engineer farmer musician pilot scientist doctor "
           "mechanic student captain merchant blacksmith postman astronomer photographer").split()
ANIMALS = ("elephant giraffe penguin squirrel hedgehog kangaroo dolphin crocodile butterfly sparrow tortoise leopard "
           "octopus flamingo hamster mosquito pelican raccoon salmon walrus").split()
VERBS = ("collects measures compares removes repairs delivers watches gathers borrows arranges exchanges stacks polishes "
         "distributes replaces inspects unwraps decorates catalogues discovers").split()
MORE = ["The {z} of {n} {v} {k} {t} every {d}.", "Each {z} in the {p} {v} {x} {t}.", "On {d}, the {w} counted {x} {k} {t}.",
        "In {o} the {w} walked {a} {u} to the {p}.", "{n} and {m} share {x} {u} equally.",
        "Suppose that the {w} needs {x} {u} for every {k} {t}; what fraction remains?", "Therefore the remainder is {x}.",
        "The difference between {x} and {y} is obvious: calculate it carefully.", "Multiply {x} by {y}, then divide by {a}.",
        "Let us consider an example: if {x} {t} weigh {a} {u}, how much do {y} {t} weigh together?"]
OPENINGS = ["{n} has {a} {t}.", "There are {a} {t} in the {p}.", "{n} starts the week with {a} {t} at the {p}.",
            "A box from the {p} holds {a} {t}."]
CHANGES = ["{n} buys {b} more.", "Then {b} of them are lost.", "{n} gives {b} to {m}.", "{m} brings another {b} from the {p}.",
           "Each of them is doubled by {m}.", "After a storm {b} {t} remain missing.", "The number is then multiplied by {b}."]
QUESTIONS = ["How many {t} are there now?", "How many {t} does {n} have left?", "What is the total number of {t}?"]
ANSWERS = ["We add {b} to {a}, which gives {c}.", "Subtracting {b} from {a} leaves {c}.", "So the answer is {c}.",
           "First we carry the one, therefore the sum is {c}.", "Because {a} is smaller than {b}, we borrow ten.",
           "Step by step: {a}+{b}={c};\n####{c}", "\\boxed{{{c}}}"]


def spelled(number):
    if number < 20:
        return ONES.split()[number]
    return TENS.split()[number // 10 - 2] + ("-" + ONES.split()[number % 10] if number % 10 else "")


def word_problems():
    draw = random.Random(11)
    for _ in range(6000):
        words = dict(n=draw.choice(NAMES), m=draw.choice(NAMES), t=draw.choice(THINGS), p=draw.choice(PLACES),
                     a=draw.randint(0, 99), b=draw.randint(0, 99), c=draw.randint(0, 99), d=draw.choice(DAYS),
                     o=draw.choice(MONTHS), k=draw.choice(COLOURS), z=draw.choice(ANIMALS), v=draw.choice(VERBS),
                     u=draw.choice(UNITS), w=draw.choice(WORKERS),
                     x=spelled(draw.randint(0, 99)), y=spelled(draw.randint(0, 99)))
        lines = [draw.choice(OPENINGS), draw.choice(CHANGES), draw.choice(CHANGES), draw.choice(QUESTIONS),
                 draw.choice(MORE), draw.choice(MORE), draw.choice(ANSWERS)]
        yield " ".join(line.format(**words) for line in lines) + "\n"


def corpus():
    rows = subprocess.run(["build/demo_problems", "train", "1", "5", "500"], check=True, capture_output=True, text=True).stdout
    for row in map(json.loads, rows.splitlines()):
        yield row["problem"]
        yield row["solution"]
    for turn in ["system\n", "user\n", "assistant\n"]:
        yield from [turn] * 1000
    yield from word_problems()


if __name__ == "__main__":
    tokenizer = make_tiny("dev/demo/tokenizer", corpus, 1275)
    print(tokenizer.get_vocab_size(), tokenizer.encode("15+8+7+8-4-7?").tokens, tokenizer.encode("34-7=27;####27").tokens)
