"""Small chats as the chat templates render them: test/fixtures/templates/chats.jsonl, one rendering a line.

qwen3 is the published template (../shared/data/qwen3-tokenizer) run by transformers. chatml (Qwen3-Instruct-2507) and qwen2.5
are written here with what their published templates do to messages without tools, which is all that is rendered.
"""

import json
import os
import sys

from transformers.utils.chat_template_utils import render_jinja_template

PUBLISHED = "../shared/data/qwen3-tokenizer/chat_template.jinja"

TURNS = """\
{%- for message in messages %}
    {%- if not (loop.first and message.role == 'system') %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""

CHATML = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
""" + TURNS

QWEN25 = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
""" + TURNS


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


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
]


def render(template, messages, add_generation_prompt, enable_thinking):
    texts, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=add_generation_prompt,
                                     enable_thinking=enable_thinking)
    return texts[0]


def rows(name, template, thinking):
    for messages in CHATS:
        for add_generation_prompt in (False, True):
            for enable_thinking in thinking:
                text = render(template, messages, add_generation_prompt, enable_thinking)
                yield {"template": name, "messages": messages, "add_generation_prompt": add_generation_prompt,
                       "enable_thinking": enable_thinking, "text": text}


def main(fixtures):
    if not os.path.exists(PUBLISHED):
        print(f"skipped: no {PUBLISHED}; chats.jsonl is left as it is")
        return
    with open(PUBLISHED) as file:
        published = file.read()
    folder = os.path.join(fixtures, "templates")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "chats.jsonl"), "w") as out:
        for name, template, thinking in (("qwen3", published, (True, False)), ("chatml", CHATML, (True,)),
                                         ("qwen2.5", QWEN25, (True,))):
            out.writelines(json.dumps(row) + "\n" for row in rows(name, template, thinking))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures")
