"""Puts a text together from templates and chooses what is asked of it."""

import functools
import random
import re
from dataclasses import dataclass

import form
import kinds
import phrases
from domains import common, contact, event, invoice, order, review, shared, support, task, travel
from jsontext import object_schema, schema_of
from lines import SLOT, choose, lines, portion, slots, vary
from words import invented

DOMAINS = [support, order, contact, event, invoice, travel, review, task]
ENUMS = {
    "priority": ["low", "medium", "high"],
    "category": ["billing", "technical", "shipping", "account"],
    "sentiment": ["positive", "neutral", "negative"],
    "payment": ["card", "invoice", "cash", "transfer"],
    "travel_class": ["economy", "business", "first"],
}
NOISE = {"person": "person", "city": "city", "number": "number", "time": "time", "company": "company", "date": "date"}

INSTRUCTIONS = lines("""
Extract the {noun}.
Extract the {noun} from the text.
Read the (message|text) and fill in the fields.
Return the {noun} as JSON.
What does the (message|text) say?
Turn (this|the text|the message) into (a |){noun} data.
(Fill|Complete) the form.
Find the (fields|values|data) of the {noun}.
Answer (in|with) JSON.
You extract data from (texts|messages|e-mails).
(Extract|Get) the (data|details|information)(| from this message).
""")


@dataclass
class Example:
    """A text, the expected values, and the schema that asks for them."""

    text: str
    instruction: str
    values: dict
    schema: dict


def _kind(name):
    return getattr(kinds, name, None) or getattr(phrases, name)


@functools.cache
def _words():
    return sorted(set(re.findall(r"\b[a-z]{2,}\b", SLOT.sub("", " ".join(portion(common.FILLERS, "train"))))))


def _word(rng):
    """A word that may stand anywhere in a template."""
    return rng.choice(_words()) if rng.random() < 0.8 else invented(rng)


class Writer:
    """Fills templates; remembers which slots are used and the values they gave."""

    def __init__(self, rng, domain, split):
        self.rng, self.domain, self.split = rng, domain, split
        self.used, self.values, self.record = set(), {}, {"split": split}
        if "person" in domain.SLOTS and rng.random() < 0.9:
            self.record["person"], self.person_values = kinds.person(rng, "person", {})

    def write(self, template):
        """The filled template, or None where a slot of it is taken already."""
        chosen = choose(template, self.rng)
        if self.split == "train":
            chosen = vary(chosen, self.rng, _word)
        names = {name.removesuffix("_cap") for name in slots(chosen) if not name.startswith("noise_")}
        if names & self.used or len(names) < len({n for n in slots(chosen) if not n.startswith("noise_")}):
            return None
        if any(name not in self.domain.SLOTS for name in names) or self._excluded(names):
            return None
        self.used |= names
        for name in sorted(slots(chosen), key=lambda n: n != "person"):
            chosen = chosen.replace("{" + name + "}", self._fill(name), 1)
        return chosen

    def _excluded(self, names):
        pairs = getattr(self.domain, "EXCLUSIVE", []) + [("goods", "product"), ("goods", "quantity")]
        return any(set(pair) <= self.used | names for pair in pairs)

    def _fill(self, name):
        if name.startswith("noise_"):
            kind = NOISE[name.removeprefix("noise_")]
            return _kind(kind)(self.rng, name, {"split": self.split})[0]
        slot = name.removesuffix("_cap")
        if slot == "person" and "person" in self.record:
            text, values = self.record["person"], self.person_values
        else:
            text, values = _kind(self.domain.SLOTS[slot])(self.rng, slot, self.record)
        if name.endswith("_cap"):
            capital = text[0].upper() + text[1:]
            values = {k: capital if v == text and k == "summary" else v for k, v in values.items()}
            text = capital
        self.record[slot] = text
        self.values |= values
        return text


@functools.cache
def _pool(domain, split):
    """Templates of a domain; the shared ones are for training only."""
    own = portion(domain.SENTENCES, split)
    if split == "heldout":
        return own + domain.HELD_OUT
    known = set(domain.SLOTS)
    return own * 3 + [t for t in shared.SENTENCES if set(slots(t)) <= known]


def _sentences(writer, rng):
    wanted = rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6])
    pool = _pool(writer.domain, writer.split)
    found = []
    for template in rng.sample(pool, len(pool)):
        text = writer.write(template)
        if text:
            found.append(text)
        if len(found) == wanted:
            break
    return found


def _some(writer, rng, templates, chance):
    if rng.random() >= chance:
        return None
    return writer.write(rng.choice(portion(templates, writer.split)))


def _text(writer, rng):
    parts = _sentences(writer, rng)
    for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2])):
        filler = writer.write(rng.choice(portion(common.FILLERS, writer.split)))
        parts.insert(rng.randint(0, len(parts)), filler)
    greeting = _some(writer, rng, common.GREETINGS, 0.4)
    closer = _some(writer, rng, common.CLOSERS, 0.25)
    sign_off = _some(writer, rng, common.SIGN_OFFS, 0.2)
    joint = rng.choice([" ", " ", " ", "\n"])
    body = joint.join([part for part in parts if part] + ([closer] if closer else []))
    text = (greeting + rng.choice([" ", "\n", "\n\n"]) if greeting else "") + body
    text += rng.choice(["\n", "\n\n"]) + sign_off if sign_off else ""
    return text.replace("\n ", "\n").replace("\n.", "\n").strip()


def _key_for(name, domain, rng, taken):
    names = (domain.KEYS.get(name) or common.KEYS.get(name) or name).split()
    key = names[0] if rng.random() < 0.4 else rng.choice(names)
    if rng.random() < 0.06:
        first, *rest = key.split("_")
        key = first + "".join(part.capitalize() for part in rest)
    return key if key not in taken else None


def _item_keys(values, rng):
    product, quantity, price = (rng.choice(common.KEYS[k].split()) for k in ("product", "quantity", "price"))
    keys = {"product": product, "quantity": quantity, "price": price}
    order = rng.sample(list(values[0]), len(values[0])) if rng.random() < 0.5 else list(values[0])
    if len(order) > 2 and rng.random() < 0.25:
        order.remove(rng.choice(["price", "quantity"]))
    return [{keys[name]: item[name] for name in order} for item in values]


def _field(name, value, rng):
    """The value as asked for, and its schema."""
    if name == "items":
        value = _item_keys(value, rng)
        return value, schema_of(value)
    if name in ENUMS:
        return value, {"type": "string", "enum": rng.sample(ENUMS[name], len(ENUMS[name]))}
    schema = schema_of(value)
    if value is None or (isinstance(value, str) and rng.random() < 0.05):
        schema = {"type": ["string", "null"]}
    return value, schema


def _flat(names, values, domain, rng):
    answer, properties = {}, {}
    for name in names:
        key = _key_for(name, domain, rng, answer)
        if key:
            answer[key], properties[key] = _field(name, values[name], rng)
    return answer, properties


def _nested(names, values, domain, rng):
    """Like _flat, with some of the fields in an object of their own."""
    groups = [(key, [n for n in inner if n in names]) for key, inner in domain.NESTED.items()]
    groups = [(key, inner) for key, inner in groups if len(inner) > 1]
    if not groups:
        return _flat(names, values, domain, rng)
    key, inner = rng.choice(groups)
    outer = [name for name in names if name not in inner]
    answer, properties = _flat(outer, values, domain, rng)
    if key in answer:
        return answer, properties
    place = rng.randint(0, len(answer))
    inside, inside_properties = _flat(rng.sample(inner, len(inner)), values, domain, rng)
    return (_insert(answer, place, key, inside), _insert(properties, place, key, object_schema(inside_properties)))


def _insert(mapping, place, key, value):
    pairs = list(mapping.items())
    return dict(pairs[:place] + [(key, value)] + pairs[place:])


def _asked(values, domain, rng):
    """Names of the values asked for; seldom one that the text doesn't have."""
    names = list(values)
    if rng.random() < 0.7:
        rng.shuffle(names)
    names = names[: rng.choice([1, 2, 3, 5, 9, 9, 9, 9, 9])]
    if rng.random() < 0.06:
        absent = [n for n in ("person", "email", "phone", "company", "city", "date")
                  if n in domain.SLOTS and n not in values]
        if absent:
            name = rng.choice(absent)
            values[name] = None
            names.insert(rng.randint(0, len(names)), name)
    return names


def _instruction(rng, split, noun):
    if rng.random() < 0.5:
        return ""
    return choose(rng.choice(portion(INSTRUCTIONS, split)), rng).replace("{noun}", noun)


def _from_form(rng, split, echo_share):
    text, values = form.echo(rng) if rng.random() < echo_share else form.example(rng, split)
    schema = object_schema({key: schema_of(value) for key, value in values.items()})
    return Example(text, _instruction(rng, split, "data"), values, schema)


def make(rng, split, form_share=0.12, echo_share=0.0):
    """One example of a split ("train" or "heldout")."""
    if rng.random() < form_share:
        return _from_form(rng, split, echo_share)
    domain = rng.choice(DOMAINS)
    while True:
        writer = Writer(rng, domain, split)
        text = _text(writer, rng)
        if writer.values:
            break
    names = _asked(writer.values, domain, rng)
    builder = _nested if rng.random() < 0.3 else _flat
    answer, properties = builder(names, writer.values, domain, rng)
    return Example(text, _instruction(rng, split, domain.NOUN), answer, object_schema(properties))


def stream(seed, split, **options):
    """Endless examples, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        yield make(rng, split, **options)
