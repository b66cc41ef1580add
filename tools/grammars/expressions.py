"""Which texts regular expressions of Python match.

    python tools/grammars/expressions.py FILE [--expressions 150] [--texts 8] [--seed 1]

Expressions are made at random of what grammars in Lark may have, with texts that they match and others. FILE gets
groups of test data: a grammar that is the expression, with the verdicts of Python's `re.fullmatch`. The library's tests
read `testdata/grammars/expressions.json`, which is made so.
"""

import argparse
import json
import random
import re
import warnings
from pathlib import Path

from regexes import Regex

MAX_CHARACTERS = 60
CHARACTERS = list("abcABC019_ .-]é漢") + ["\\" + sign for sign in "n.*[]()/\\-^$|+?{}"]
ESCAPES = [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\x41", r"\u00e9", r"\t", r"\101", "."]
MEMBERS = list("abcxyzABC019_ .^&|~[é") + [r"\]", r"\\", r"\-", r"\n", r"\d", r"\w", r"\s", r"\W", r"\b", "a-f", "0-5", "あ-ん"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,}", "{,2}", "{0,3}"]
OTHERS = list("abcxyzABC019_ .-]^é漢あ\n\t&[x{") + ["", "aa", "\x1c", "²", "\u0301"]


def expression(chance, depth):
    alternatives = [sequence(chance, depth) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    return "|".join(alternatives)


def sequence(chance, depth):
    return "".join(repeated(chance, depth) for _ in range(chance.choice([1, 2, 2, 3, 4])))


def repeated(chance, depth):
    quantifier = chance.choice(QUANTIFIERS) if chance.random() < 0.35 else ""
    return atom(chance, depth) + quantifier


def atom(chance, depth):
    kind = chance.randrange(10 if depth else 7)
    if kind < 3:
        return chance.choice(CHARACTERS)
    if kind < 5:
        return chance.choice(ESCAPES)
    if kind < 7:
        members = chance.sample(MEMBERS, chance.randint(1, 4))
        return "[" + chance.choice(["", "", "^"]) + "".join(members) + "]"
    opening = chance.choice(["(", "(?:", "(?P<name>", "(?i:", "(?s:", "(?x: ", "(?-i:"])
    return opening + expression(chance, depth - 1) + ")"


def group(chance, n_texts):
    """A group of test data, or None where Python refuses the expression, or nothing matches it."""
    flags = "".join(flag for flag in "isx" if chance.random() < 0.15)
    pattern = expression(chance, 2)
    # Automata of long ones may be too large.
    if len(pattern) > MAX_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(f"(?{flags}:{pattern})" if flags else pattern)
            regex = Regex(compiled.pattern)
            texts = {regex.derive(chance) for _ in range(n_texts)}
    except (re.error, FutureWarning, IndexError):
        return None
    for text in sorted(texts):
        at = chance.randrange(len(text) + 1)
        texts.add(text[:at] + chance.choice(OTHERS) + text[at + chance.randrange(2) :])
    texts = sorted(texts)
    accepted = [text for text in texts if compiled.fullmatch(text)]
    if not accepted:
        return None
    return {
        "description": f"/{pattern}/{flags}",
        "grammar": f"start: /{pattern}/{flags}\n",
        "syntax": "lark",
        "accepted": accepted,
        "refused": [text for text in texts if text not in accepted],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--expressions", type=int, default=150)
    parser.add_argument("--texts", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance, groups = random.Random(arguments.seed), {}
    while len(groups) < arguments.expressions:
        if made := group(chance, arguments.texts):
            groups[made["description"]] = made
    lines = ",\n".join("  " + json.dumps(group, ensure_ascii=False) for group in groups.values())
    arguments.file.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
