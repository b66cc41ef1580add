"""Which texts a grammar accepts, as Lark has it.

    python tools/grammars/verdicts.py DIRECTORY FILE [--texts 10000] [--kept 60] [--seed 1] [NAME...]

For each `NAME.lark` of DIRECTORY, or all of them, texts are derived from the grammar at random and half of them are
changed at random. Lark's Earley parser with `lexer="dynamic_complete"` says which of them it accepts. FILE gets
groups of test data with some of the texts of each verdict, for the grammar in Lark and for `NAME.gbnf`, which is said
to have the same texts, where there is one. A line for each grammar tells of all texts that were tried. The library's
tests read `testdata/grammars/samples.json`, which is made so of the grammars there. Needs lark 1.3.
"""

import argparse
import hashlib
import json
import random
import re
from pathlib import Path

import lark
from lark.grammar import NonTerminal
from regexes import Regex

MAX_CHARACTERS = 80
MAX_DEPTH = 12


class Grammar:
    """A grammar as Lark reads it."""

    def __init__(self, path):
        options = {"parser": "earley", "lexer": "dynamic_complete", "ambiguity": "resolve"}
        self.parser = lark.Lark(path.read_text(), **options)
        self.terminals = {t.name: Regex(t.pattern.to_regexp()) for t in self.parser.terminals}
        self.rules = {}
        for rule in self.parser.rules:
            self.rules.setdefault(rule.origin.name, []).append(rule.expansion)
        self.ignored = [self.terminals[name] for name in self.parser.ignore_tokens]
        self.depths = self.least_depths()

    def least_depths(self):
        """How deep a derivation of each rule is at least."""
        depths = {}
        while len(depths) < len(self.rules):
            for name, expansions in self.rules.items():
                known = [d for e in expansions if (d := self.depth(e, depths)) is not None]
                if known:
                    depths[name] = 1 + min(known)
        return depths

    @staticmethod
    def depth(expansion, depths):
        inner = [depths.get(s.name) for s in expansion if isinstance(s, NonTerminal)]
        return None if None in inner else max(inner, default=0)

    def derive(self, chance, name="start", depth=MAX_DEPTH):
        """A text of a rule."""
        expansions = self.rules[name]
        fitting = [e for e in expansions if self.depth(e, self.depths) < depth]
        expansion = chance.choice(fitting or sorted(expansions, key=lambda e: self.depth(e, self.depths))[:1])
        text = self.space(chance) if name == "start" else ""
        for symbol in expansion:
            if isinstance(symbol, NonTerminal):
                text += self.derive(chance, symbol.name, depth - 1)
            else:
                text += self.terminals[symbol.name].derive(chance) + self.space(chance)
        return text

    def space(self, chance):
        if not self.ignored or chance.random() < 0.4:
            return ""
        return chance.choice(self.ignored).derive(chance)

    def accepts(self, text):
        try:
            self.parser.parse(text)
        except lark.exceptions.UnexpectedInput:
            return False
        return True


def change(text, alphabet, chance):
    """The text with a few characters left out, put in, repeated or moved."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        at, to = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text = text[:at] + text[at + 1 :]
            case 1:
                text = text[:at] + chance.choice(alphabet) + text[at:]
            case 2:
                text = text[:at] + text[min(at, to) : min(at, to) + 3] + text[at:]
            case 3:
                text = text[: max(at, to)]
    return text


def texts(grammar, n_texts, chance):
    """Different short texts, half of them changed."""
    found, alphabet = {}, set("ab1 ()\"'\n.-_é")
    while len(found) < n_texts:
        text = grammar.derive(chance, depth=chance.randint(4, MAX_DEPTH))
        if len(text) > MAX_CHARACTERS:
            text = text[: chance.randrange(MAX_CHARACTERS)]
        alphabet.update(text)
        if len(found) % 2:
            text = change(text, sorted(alphabet), chance)
        found[text] = None
    return list(found)


def kept(texts, n_kept):
    """Some of the texts, the shorter ones first."""
    return sorted(texts, key=lambda text: (len(text) // 8, hashlib.sha256(text.encode()).digest()))[:n_kept]


def groups(directory, name, arguments):
    grammar = Grammar(directory / f"{name}.lark")
    verdicts = {True: [], False: []}
    for text in texts(grammar, arguments.texts, random.Random(arguments.seed)):
        verdicts[grammar.accepts(text)].append(text)
    print(f"{name}: {len(verdicts[True])} accepted, {len(verdicts[False])} refused", flush=True)
    n_kept = arguments.kept or arguments.texts
    texts_of = {key: kept(verdicts[value], n_kept) for key, value in (("accepted", True), ("refused", False))}
    for syntax in ("lark", "gbnf"):
        file = f"{name}.{syntax}"
        if (directory / file).exists():
            yield {"description": file, "grammar_file": file, "syntax": syntax, **texts_of}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--kept", type=int, default=60, help="of each verdict; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in arguments.directory.glob("*.lark"))
    found = [group for name in names for group in groups(arguments.directory, name, arguments)]
    lines = ",\n".join("  " + json.dumps(group, ensure_ascii=False) for group in found)
    arguments.file.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
