"""Lists of labels and values with arbitrary keys: plain practice in copying."""

import kinds
import phrases
import words
from jsontext import Number
from lines import lines, portion

ROWS = lines("""
{k}: {v}
{k} = {v}
The {k} is {v}.
{k} - {v}
{k} {v}
{k}: {v};
{k} -> {v}
{k}:\\n{v}
* {k}: {v}
My {k} is {v}.
[{k}] {v}
the {k} would be {v},
{k} is {v}
and the {k} was {v},
""")

JOINTS = {"train": ["\n", "\n", " ", ", ", "; ", " | "], "heldout": ["\n", ". "]}
SPAN_KINDS = [kinds.person, kinds.email, kinds.phone, kinds.company, kinds.role, kinds.code, kinds.product,
              kinds.date, kinds.time, kinds.city, kinds.address, kinds.venue, kinds.title, phrases.website,
              phrases.hotel, phrases.task]
KNOWN_KEYS = """colour size weight height model brand owner status source target author subject level room floor
seat gate team project country language state code version serial unit material genre artist album year month
budget salary manager teacher school course grade doctor patient species breed flavour width length""".split()


def _key(rng):
    if rng.random() < 0.6:
        return rng.choice(KNOWN_KEYS) if rng.random() < 0.6 else words.invented(rng)
    return rng.choice(KNOWN_KEYS) + "_" + rng.choice(["name", "number", "type", "date", rng.choice(KNOWN_KEYS)])


def _value(rng):
    form = rng.random()
    if form < 0.15:
        number = rng.randint(0, 5000)
        return str(number), number
    if form < 0.22:
        amount = Number(f"{rng.randint(0, 300)}.{rng.randint(0, 99):02}")
        return amount.text, amount
    if form < 0.45:
        text = " ".join(words.invented(rng) for _ in range(rng.randint(1, 4)))
        return text, text
    text, values = rng.choice(SPAN_KINDS)(rng, "v", {"split": "train"})
    return (text, values["v"]) if isinstance(values["v"], str) else _value(rng)


def _label(rng, key):
    label = key.replace("_", " ")
    return label.capitalize() if rng.random() < 0.4 else label


def echo(rng):
    """A text that is its own answer: the first lesson."""
    parts = [str(_value(rng)[0]) for _ in range(rng.randint(1, 4))]
    text = rng.choice([" ", ", ", "\n"]).join(parts)
    return text, {"text": text}


def example(rng, split):
    """A text of rows and the values of some of them."""
    row, joint = rng.choice(portion(ROWS, split)), rng.choice(JOINTS[split])
    shown, values = [], {}
    for _ in range(rng.randint(2, 7)):
        key = _key(rng)
        if key not in values:
            text, values[key] = _value(rng)
            shown.append(row.replace("{k}", _label(rng, key)).replace("{v}", text))
    asked = rng.sample(list(values), rng.randint(min(2, len(values)), len(values)))
    return joint.join(shown), {key: values[key] for key in asked}
