"""The text format, and which tokens of an answer the model has to find itself.

    <|user|>text<|assistant|>{"name":"Ada"}<|end|>
"""

import json

from jsontext import Number

USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = [USER, ASSISTANT, END]

# What a piece of the answer is: a value that the model has to find, a mark of
# JSON, which the schema mostly forces, or a key, which it always forces.
VALUE, MARK, KEY = "value", "mark", "key"
WEIGHTS = {VALUE: 1.0, MARK: 0.1, KEY: 0.0}


def prompt(text, instruction=""):
    """What stands in front of the answer."""
    head = instruction + "\n" if instruction else ""
    return USER + head + text + ASSISTANT


def pieces(value, schema):
    """The JSON text in pieces (text, what it is)."""
    if isinstance(value, dict):
        return _object_pieces(value, schema)
    if isinstance(value, list):
        return _array_pieces(value, schema)
    if isinstance(value, str):
        return _string_pieces(value, schema)
    return [(value.text if isinstance(value, Number) else json.dumps(value), VALUE)]


def _string_pieces(value, schema):
    text = json.dumps(value, ensure_ascii=False)
    if "enum" in schema:
        return [('"', MARK), (text[1:-1], VALUE), ('"', MARK)]
    return [('"', VALUE if "null" in schema["type"] else MARK), (text[1:], VALUE)]


def _ends_in_number(found):
    return bool(found) and found[-1][1] == VALUE and found[-1][0][-1].isdigit()


def _object_pieces(value, schema):
    found, mark = [], "{"
    for key, item in value.items():
        found.append((mark, VALUE if mark == "," and _ends_in_number(found) else MARK))
        found += [('"', MARK), (json.dumps(key, ensure_ascii=False)[1:-1], KEY), ('":', MARK)]
        found += pieces(item, schema["properties"][key])
        mark = ","
    return found + [("}", VALUE if _ends_in_number(found) else MARK)]


def _array_pieces(value, schema):
    found, mark = [("[", MARK)], None
    for item in value:
        if mark:
            found.append((mark, VALUE))
        (first, _), *rest = pieces(item, schema["items"])
        found += [(first, MARK if mark else VALUE), *rest]
        mark = ","
    return found + [("]", VALUE)]


class Encoder:
    """Turns examples into token ids and weights for the loss."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}
        self.user, self.assistant, self.end = (tokenizer.token_to_id(name) for name in SPECIAL)

    def piece(self, text):
        """Token ids of a piece of text."""
        if text not in self.known:
            if len(self.known) > 20000:
                self.known.clear()
            self.known[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.known[text]

    def prompt_ids(self, text, instruction=""):
        """Token ids of the prompt."""
        return self.tokenizer.encode(prompt(text, instruction), add_special_tokens=False).ids

    def encode(self, example):
        """(ids, weights, fields): the n-th weight is that of the n-th id as a target.

        `fields` numbers the values, so that one can count right ones.
        """
        ids = self.prompt_ids(example.text, example.instruction)
        weights, fields, number = [0.0] * len(ids), [0] * len(ids), 0
        for text, what in pieces(example.values, example.schema):
            new = self.piece(text)
            number += what == VALUE
            ids += new
            weights += [WEIGHTS[what]] * len(new)
            fields += [number if what == VALUE else 0] * len(new)
        return ids + [self.end], weights + [WEIGHTS[MARK]], fields + [0]
