"""Batches of examples of about the same length."""

import random

import torch

import compose


# Few different shapes, as each is compiled.
LENGTHS = [64, 96, 128, 160, 192, 256, 384]


def examples(seed, encoder, shares):
    """Endless encoded training examples; `shares` is a function that is asked each time."""
    rng = random.Random(seed)
    while True:
        encoded = encoder.encode(compose.make(rng, "train", *shares()))
        if len(encoded[0]) <= LENGTHS[-1] + 1:
            yield encoded


def pad(group, fill, length=None):
    """Tensors (ids, weights, fields) of a group, padded on the right."""
    length = length or max(len(ids) for ids, _, _ in group)
    full = lambda row, value: row + [value] * (length - len(row))
    return (
        torch.tensor([full(ids, fill) for ids, _, _ in group]),
        torch.tensor([full(weights, 0.0) for _, weights, _ in group]),
        torch.tensor([full(fields, 0) for _, _, fields in group]),
    )


def batches(source, tokens, fill):
    """Batches of about `tokens` tokens; each holds texts of nearly one length."""
    waiting = {length: [] for length in LENGTHS}
    for encoded in source:
        length = next(n for n in LENGTHS if len(encoded[0]) <= n + 1)
        group = waiting[length]
        group.append(encoded)
        if len(group) == tokens // length:
            yield pad(group, fill, length + 1)
            group.clear()
