"""The chat templates that are known here: what they render, and by what they are known.

    lab/reference/templates.py [FIXTURES [TEXTS]]

TEXTS (build/templates) holds the texts, which are their authors' and not part of this repository; TEXT says where each was found.
Written: test/fixtures/templates/chats.jsonl, a rendering a line by transformers; forms.jsonl, odd texts with the canonical form
of each as jinja2's own lexer gives it; exported.jsonl, our own texts (tokenizer/template_text.c). Checked: all texts of one kind, and our
own, render every chat alike. Printed: the rows of KNOWN in tokenizer/template.c.
"""

import json
import os
import re
import subprocess
import sys

import xxhash
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

# The first text of a kind is the one that the fixture is rendered by.
TEXT = [
    # name of the kind, file, where it was found
    ("chatml", "qwen3_instruct_2507", "Qwen3-*-Instruct-2507; huggingface/trl 63b7c3f trl/chat_templates"),
    ("chatml", "trl_qwen3_instruct_2507_training", "huggingface/trl 63b7c3f trl/chat_templates"),
    ("chatml", "chatml", "ChatML as it was first published; huggingface/huggingface.js packages/ollama-utils"),
    ("chatml", "axolotl_chatml", "axolotl-ai-cloud/axolotl src/axolotl/utils/chat_templates/templates"),
    ("chatml", "unsloth_chatml", "unslothai/unsloth unsloth/chat_templates.py"),
    ("qwen3", "qwen3", "Qwen3 since May 2025; ../shared/data/qwen3-tokenizer"),
    ("qwen3", "qwen3_first", "Qwen3 in April 2025; ggml-org/llama.cpp models/templates/Qwen-Qwen3-0.6B.jinja"),
    ("qwen3", "axolotl_qwen3", "axolotl-ai-cloud/axolotl, its qwen3.jinja in 2025"),
    ("qwen3-nothink", "qwen3_nonthinking", "QwenLM/Qwen3 docs/source/assets/qwen3_nonthinking.jinja"),
    ("qwen3-nothink", "qwen3_nonthinking_first", "the same, its first version"),
    ("qwen2.5", "qwen2_5", "Qwen2.5-*-Instruct, Qwen2.5-Coder-*-Instruct; huggingface/trl 63b7c3f trl/chat_templates"),
    ("qwen2.5", "trl_qwen2_5_training", "huggingface/trl 63b7c3f trl/chat_templates"),
    ("qwen2.5", "axolotl_qwen_25", "axolotl-ai-cloud/axolotl, its qwen_25.jinja in 2024"),
    ("qwen2", "qwen2_5_base", "Qwen2.5-*, Qwen2.5-Coder-*: the base models"),
    ("qwen2", "qwen2", "Qwen2-*; huggingface/huggingface.js packages/ollama-utils"),
    ("qwen2.5-math", "qwen2_5_math", "Qwen2.5-Math-*; qwen2_5 with another system turn"),
    ("qwq", "qwq", "QwQ-32B; ggml-org/llama.cpp models/templates/Qwen-QwQ-32B.jinja"),
    ("qwen3-thinking", "qwen3_thinking_2507", "Qwen3-*-Thinking-2507; huggingface/huggingface.js packages/ollama-utils"),
    ("qwen3-training", "trl_qwen3_training", "huggingface/trl 63b7c3f (July 2026) trl/chat_templates"),
    ("qwen3-training-strict", "trl_qwen3_training_1", "huggingface/trl f44cf20 (April 2026) trl/chat_templates"),
    ("qwen3-training-strict", "trl_qwen3_training_2", "huggingface/trl dd071d7 (April 2026) trl/chat_templates"),
    ("qwen3-training-strict", "trl_qwen3_training_3", "huggingface/trl e5677da (May 2026) trl/chat_templates"),
]

def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, reasoning=None):
    return {"role": "assistant", "content": content, **({} if reasoning is None else {"reasoning_content": reasoning})}


THOUGHT = "<think>\nTwo and two.\n</think>\n\n4"

CHATS = [
    [user("What is 2+2?")],
    [system("Answer briefly."), user("What is 2+2?")],
    [user("What is 2+2?"), assistant("4")],
    [user("What is 2+2?"), assistant(THOUGHT)],
    [system("Answer briefly."), user("What is 2+2?"), assistant(THOUGHT)],
    [user("What is 2+2?"), assistant(THOUGHT), user("And 3+3?")],
    [user("What is 2+2?"), assistant(THOUGHT), user("And 3+3?"), assistant("<think>\nThree and three.\n</think>\n\n6")],
    [user("What is 2+2?"), assistant("4"), user("And 3+3?"), assistant("6"), user("And 4+4?")],
    [user("What is 2+2?"), assistant("4"), user("And 3+3?"), assistant("6")],
    [user("  leading and trailing  "), assistant("  4  ")],
    [user("\nlines\n\nof text\n\n"), assistant("\n\nfour\nlines\n\n")],
    [user("q"), assistant("<think>\n\n</think>\n\nno thought")],
    [user("q"), assistant("<think></think>tight")],
    [user("q"), assistant("<think>one line</think>answer")],
    [user("q"), assistant("<think>\n\n\n  spaced thought  \n\n\n</think>\n\n\n\n  spaced answer  \n\n")],
    [user("q"), assistant("<think>\na\n\nb\n</think>\n\nfirst\n\nsecond\n")],
    [user("q"), assistant("no opening\n</think>\n\nanswer")],
    [user("q"), assistant("<think>\nnever closed")],
    [user("q"), assistant("words before <think>\nthought\n</think>\n\nanswer")],
    [user("q"), assistant("<think>\none\n</think>\n\nmiddle <think>\ntwo\n</think>\n\nend")],
    [user("q"), assistant("<think>\nonly a thought\n</think>")],
    [user("q"), assistant("")],
    [user(""), assistant("answer to nothing")],
    [user("What do <think> and </think> mean?"), assistant("Marks.")],
    [user("q"), assistant("<think>\na\n</think>\n\nfirst answer"), assistant("<think>\nb\n</think>\n\nsecond answer")],
    [user("q"), assistant("first answer"), assistant("second answer")],
    [user("q"), assistant("a"), user("r"), assistant("<think>\nx\n</think>\n\nb"), user("s"), assistant("c")],
    [system(""), user("q")],
    [system("  Two lines\n of system.\n"), user("q"), assistant("a")],
    [user("q"), system("a later system turn"), user("r"), assistant("a")],
    [user("Unicode: e\u0301 \u212b 漢字 😀"), assistant("\u00e9\u0000\u2028\r\nend\r")],
    [user("Braces {{ x }} {% if %} <|im_end|>\n<|im_start|>"), assistant("$\\boxed{\\frac{1}{2}}$")],
    [assistant("no user at all")],
    [user("<tool_response>\nlooks like a tool\n</tool_response>"), assistant("<think>\nt\n</think>\n\na")],
    [user("q"), assistant("<think>\nt\n</think>\n\na"), user("<tool_response>\nr\n</tool_response>"),
     assistant("<think>\nu\n</think>\n\nb")],
    [user("q"), assistant("a", "why")],
    [user("q"), assistant("a", "\nwhy\n\n")],
    [user("q"), assistant("a", "")],
    [user("q"), assistant("\n\na\n", " why ")],
    [user("q"), assistant("<think>\nx\n</think>\n\na", "why")],
    [user("q"), assistant("a", "why"), user("r"), assistant("b", "then")],
    [user("q"), assistant("a", "why"), assistant("b", ""), assistant("c", "z")],
    [system("s"), user("q"), assistant("a", "why"), user("r"), assistant("b")],
    [user("q"), assistant("x</think>y</think>\n\nz"), user("r"), assistant("x</think>y</think>\n\nz")],
    [user("q"), assistant("\n\n<think>\na\n</think>\n\nb"), user("r"), assistant("\n\n<think>\na\n</think>\n\nb")],
    [user("q"), assistant("\n\nno thought"), user("r"), assistant("\n\nno thought")],
    [user("q"), assistant("<think>\nunclosed"), user("r"), assistant("b")],
    [user("q"), assistant("a"), system("again"), assistant("b")],
    [system("s"), system("t"), user("q")],
    [system("s")],
    [user("q"), user("r")],
]


# Texts that try the lexer: signs of whitespace, comments, line ends, quotes; not templates of anybody.
ODD = [
    "", "\n", "\n\n", "text", "text\n", "text\r\n", "a\rb\r\nc\n", "{# gone #}", "{# gone #}\nkept", "a {#- gone -#} b",
    "{#-#}  x",
    "{#--#}  x", "{#-a+#}\n x", "{#+a#} x", "a\n  {# gone #}\nb", "{{ x }}", "{{x}}", "{{- x -}}", " {{- x -}} ", " {{+ x }} ",
    "{{ x  +   y }}", "{{x+y}}\n", "  {% if x %}\n  a\n  {% endif %}\n  b", "a  {% if x %}\nb{% endif %}\n\nc",
    "  {%+ if x %}\na{% endif +%}\n b", "\t{%- if x -%}\n\n  a  \n{%- endif -%}\n",
    "{% if x %}{% if y %}\n{% endif %}\n  {% endif %}",
    "{{ x }}  {% if y %}\n", "{{ x }}\n  {% if y %}\n", "{% set a = 'it\\'s %} here' %}\nb", '{% set a = "two\nlines" %}',
    "{{ 'two\r\nlines' }}", "{{ 'a\\nb' }}", "{{ 'a\\\nb' }}", "{{ \"'\" }}{{ '\"' }}", "{{ 'spaces   stay' }}",
    "{%if x%}a{%else%}b{%endif%}", "{%  if\n   x\n%}", "{{ x[::-1] }}", "{{ (x|length - 1) - loop.index0 }}", "{{ -1 }}",
    "{{--1}}",
    "{{ '{# no comment #}' }}", "{# {{ x }} '  #}y", "{\n{#- c #}{ x }}", "{\n{#- c -#}\n% x %}",
    "{ {{- x }}", "a }} b %} c #} d", "\v{%- if x %}\fa",
    "\u00e9 {{ '\u6f22' }} ", "{#\n  {% generation %} is named here\n-#}\n\n{% x %}", "  {#- a #}\n  {#- b #}\n  {% c %}",
    "  {{ x }}{# y #}\n  {% z %}", "{% a %}  \n{% b %}", "{% a %}\n  \n  {% b %}", "{% a -%}\n  {% b %}", "{% a -%} \n x",
]


def form(text):
    """The canonical form of tokenizer/jinja.h by jinja2's lexer."""
    out = ""
    begins = {"block_begin": "{%", "variable_begin": "{{"}
    ends = {"block_end": "%}", "variable_end": "}}"}
    space = False
    for _, kind, value in _compile_jinja_template("").environment.lexer.tokeniter(text, None):
        if kind == "data":
            out += value
        elif kind == "comment_begin":
            out += "{##}" if out.endswith("{") else ""
        elif kind in begins:
            out += begins[kind]
            space = None
        elif kind in ends:
            out += ends[kind]
        elif kind == "whitespace":
            space = space is not None
        elif kind not in ("comment", "comment_end"):
            if kind == "string":
                value = re.sub(r"(\\.)|\n", lambda m: m.group(1) or "\\n", value, flags=re.S)
            out += (" " if space else "") + value
            space = False
    return out


def known_row(kind, text):
    data = form(text).encode()
    name = {"qwen2.5": "QWEN25", "qwen2.5-math": "QWEN25_MATH"}.get(kind, kind.upper().replace("-", "_"))
    return f"    {{0x{xxhash.xxh3_64_intdigest(data):016x}, {len(data)}, TEMPLATE_{name}}},"


def render(template, messages, add_generation_prompt, **arguments):
    texts, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=add_generation_prompt, **arguments)
    return texts[0]


def rows(name, template, **arguments):
    for messages in CHATS:
        for add_generation_prompt in (False, True):
            text = render(template, messages, add_generation_prompt, **arguments)
            yield {"template": name, "messages": messages, "add_generation_prompt": add_generation_prompt, "text": text}


def exported():
    """Our own texts by name, as tokenizer/template_text.c has them."""
    program = """#include "tokenizer/template.h"
        #include <stdio.h>
        int main(void)
        {
            for (int i = 0; i < TEMPLATES; i++)
                if (template_jinja(i))
                    fputs(template_jinja(i), stdout), putchar(0);
        }"""
    path = "build/exported_templates"
    subprocess.run(["cc", "-I.", "-x", "c", "-", "tokenizer/template_text.c", "-o", path], input=program, text=True, check=True)
    texts = subprocess.run([path], capture_output=True, text=True, check=True).stdout
    return {re.match(r"{#- chat template: (\S+) #}", text).group(1): text for text in texts.split("\0")[:-1]}


def write(path, objects):
    with open(path, "w") as out:
        out.writelines(json.dumps(o) + "\n" for o in objects)


def main(fixtures="test/fixtures", texts="build/templates"):
    folder = os.path.join(fixtures, "templates")
    os.makedirs(folder, exist_ok=True)
    missing = [name for _, name, _ in TEXT if not os.path.exists(f"{texts}/{name}.jinja")]
    if missing:
        print(f"skipped: {texts} lacks {', '.join(missing)}; the fixtures are left as they are")
        return
    chats = {}
    for kind, name, _ in TEXT:
        with open(f"{texts}/{name}.jinja", newline="") as file:
            text = file.read()
        rendered = list(rows(kind, text))
        assert chats.setdefault(kind, rendered) == rendered, f"{name} renders otherwise than the first text of {kind}"
        print(known_row(kind, text), "//", name)
        if name == "qwen3":
            nothink = list(rows("qwen3-nothink", text, enable_thinking=False))
    assert nothink == chats["qwen3-nothink"]
    own = exported()
    for kind, text in own.items():
        assert list(rows(kind, text)) == chats[kind], f"our own {kind} renders otherwise"
    assert own.keys() == chats.keys()
    write(f"{folder}/chats.jsonl", [row for kind in chats for row in chats[kind]])
    write(f"{folder}/exported.jsonl", [{"template": kind, "text": text} for kind, text in own.items()])
    write(f"{folder}/forms.jsonl", [{"text": text, "form": form(text)} for text in ODD + list(own.values())])


if __name__ == "__main__":
    main(*sys.argv[1:])
