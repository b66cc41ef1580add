"""Counts how many fields a model gets exactly right.

    python tools/tiny_model/evaluate.py [--checkpoint FILE] [--data FILE] [--show]

Without a checkpoint, the exported model is judged.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from decode import Decoder
from make_tokenizer import FOLDER
from model import Config, Llama
from tokens import Encoder

HERE = Path(__file__).parent


def load(checkpoint=None):
    """The model of a checkpoint, or the exported one."""
    if checkpoint:
        state = torch.load(checkpoint, weights_only=False)
        model = Llama(state["config"])
        model.load_state_dict(state["model"])
        return model.eval()
    fields = json.loads((FOLDER / "config.json").read_text())
    model = Llama(Config(**{key: fields[key] for key in Config.__dataclass_fields__}))
    weights = {name: weight.float() for name, weight in load_file(FOLDER / "model.safetensors").items()}
    model.load_state_dict(weights)
    return model.eval()


def leaves(value, path=""):
    """(path, value) of every field; an array is one field."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    else:
        yield path, value


def judge(decoder, cases, show):
    """Returns right fields, all fields, wholly right answers, and misses by key."""
    right = total = whole = 0
    missed = Counter()
    for case in cases:
        got = dict(leaves(decoder.answer(case["text"], case["schema"], case.get("instruction", ""))))
        fields = list(leaves(case["expected"]))
        wrong = [(p, want, got.get(p)) for p, want in fields if got.get(p) != want]
        total += len(fields)
        right += len(fields) - len(wrong)
        whole += not wrong
        missed.update(path for path, _, _ in wrong)
        if show and wrong:
            print(case["text"], *[f"   {p}: {want!r} got {g!r}" for p, want, g in wrong], "", sep="\n")
    return right, total, whole, missed


def main():
    """Prints the shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint")
    parser.add_argument("--data", default=str(HERE / "heldout.jsonl"))
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    decoder = Decoder(load(options.checkpoint), Encoder(Tokenizer.from_file(str(FOLDER / "tokenizer.json"))))
    cases = [json.loads(line) for line in open(options.data, encoding="utf-8")]
    right, total, whole, missed = judge(decoder, cases, options.show)
    print(f"fields: {right} of {total} exactly right ({100 * right / total:.1f} %)")
    print(f"texts: {whole} of {len(cases)} wholly right ({100 * whole / len(cases):.1f} %)")
    print("missed:", ", ".join(f"{path} {count}" for path, count in missed.most_common(12)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
