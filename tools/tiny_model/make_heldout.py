"""Writes heldout.jsonl: 200 texts from templates that training never sees.

    python tools/tiny_model/make_heldout.py
"""

import itertools
import json
from pathlib import Path

import compose
from jsontext import plain

COUNT = 200
SEED = 2026


def line(example):
    """One line of the file."""
    text = f"{example.instruction}\n{example.text}" if example.instruction else example.text
    return json.dumps({"text": text, "schema": example.schema, "expected": plain(example.values)}, ensure_ascii=False)


def main():
    """Writes the file beside this script."""
    found = itertools.islice(compose.stream(SEED, "heldout", form_share=0.05), COUNT)
    target = Path(__file__).parent / "heldout.jsonl"
    target.write_text("".join(line(example) + "\n" for example in found), encoding="utf-8")


if __name__ == "__main__":
    main()
