"""Templates: one a line, `(a|b|)` is a choice, `{slot}` a value."""

import re

CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
SLOT = re.compile(r"\{(\w+)\}")
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


def portion(templates, split):
    """The templates of a split: one in seven is held out of training."""
    held_out = split == "heldout"
    return [t for index, t in enumerate(templates) if (index % HELD_OUT_EVERY == 3) == held_out]
