"""Renders chat templates with conversations as transformers does, and writes what came out.

    python tools/chat_templates/render.py DIRECTORY FILE

Each `.jinja` file of DIRECTORY is rendered with each conversation of `conversations.py`. FILE gets the
templates, the conversations and the texts, as JSON; where transformers fails there is none. The
library's tests read `testdata/chat_templates/rendered.json`, which is made so of the templates here. Needs
transformers 4 and jinja2.
"""

import datetime
import json
import sys
from pathlib import Path

import transformers.utils.chat_template_utils as chat_template_utils
from conversations import CONVERSATIONS

NOW = datetime.datetime(2024, 7, 4, 9, 5, 3)
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls):
        return NOW


def render(template, conversation):
    """The text, or None where the template fails."""
    fields = {"tools": None, "documents": None, **conversation}
    del fields["name"]
    variables = SPECIAL_TOKENS | fields.pop("variables", {})
    try:
        return template.render(**fields, **variables)
    except Exception as error:  # What a template raises is of no type.
        print("  ", type(error).__name__, str(error)[:100])
        return None


def main(directory, file):
    chat_template_utils.datetime = Clock
    cases = []
    for path in sorted(Path(directory).glob("*.jinja")):
        print(path.name)
        source = path.read_text(encoding="utf-8")
        template = chat_template_utils._compile_jinja_template(source)
        texts = {c["name"]: render(template, c) for c in CONVERSATIONS}
        cases.append({"name": path.stem, "source": source, "texts": texts})
    seconds = (NOW - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    data = {
        "now": seconds,
        "special_tokens": SPECIAL_TOKENS,
        "conversations": CONVERSATIONS,
        "templates": cases,
    }
    text = json.dumps(data, ensure_ascii=False, indent=1)
    Path(file).write_text(text + "\n", encoding="utf-8")


main(*sys.argv[1:])
