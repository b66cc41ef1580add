"""Templates: one a line, `(a|b|)` is a choice, `{slot}` a value."""

import re

CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
SLOT = re.compile(r"\{(\w+)\}")
SPLIT = re.compile(r"(\{\w+\})")
WORD = re.compile(r"\b([a-z]{2,})\b( ?)")
HELD_OUT_EVERY = 7


def lines(text):
    """The lines that aren't empty; a written \\n stands for a line break."""
    return [line.replace("\\n", "\n") for line in text.strip().splitlines() if line.strip()]


def slots(template):
    """Names of the slots in a template."""
    return SLOT.findall(template)


def choose(template, rng):
    """Settles the choices of a template."""
    while CHOICE.search(template):
        template = CHOICE.sub(lambda match: rng.choice(match[1].split("|")), template, count=1)
    return template


def vary(template, rng, other):
    """Drops some words around the slots, or puts others (from a function) in their place.

    So what a template says word for word is no sure sign of what a value means, and a model has to
    look at the value, too.
    """
    rate = rng.choice([0.0, 0.0, 0.1, 0.25])

    def changed(match):
        if rng.random() >= rate:
            return match[0]
        return other(rng) + match[2] if rng.random() < 0.7 else ""

    parts = SPLIT.split(template)
    parts[::2] = [WORD.sub(changed, part) for part in parts[::2]]
    return "".join(parts)


def portion(templates, split):
    """The templates of a split: one in seven is held out of training."""
    held_out = split == "heldout"
    return [t for index, t in enumerate(templates) if (index % HELD_OUT_EVERY == 3) == held_out]
