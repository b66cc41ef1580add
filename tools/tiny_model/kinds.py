"""Kinds of values: how each is written in a text, and what is expected for it.

A kind is a function of (rng, slot, record). It returns the text for the slot
and a dictionary of the values that can be asked for because of it.
`record` holds the texts of the slots made before.
"""

import words
from jsontext import Number


def person(rng, slot, record):
    """A personal name, at times a first name alone or with an initial."""
    first, last = words.mixed(rng, words.FIRST_NAMES, 0.4), words.mixed(rng, words.LAST_NAMES)
    form = rng.random()
    if form < 0.12:
        name = first
    elif form < 0.18:
        name = f"{first} {rng.choice('ABCDEFGHJKLMNPRSTW')}. {last}"
    elif form < 0.25:
        name = f"{first} {last}-{words.proper(rng, 2, 2)}"
    elif form < 0.31:
        name = f"{first} {words.mixed(rng, words.FIRST_NAMES)} {last}"
    else:
        name = f"{first} {last}"
    return name, {slot: name}


def _handle(rng, record):
    name = record.get("person", "")
    if name.isascii() and rng.random() < 0.6:
        parts = [part for part in name.lower().replace(".", "").replace("-", " ").split()]
        if rng.random() < 0.3 and len(parts) > 1:
            parts = [parts[0][0], parts[-1]]
        if parts:
            return rng.choice([".", "_", "", "-"]).join(parts)
    return words.invented(rng) + rng.choice(["", "", f"{rng.randint(1, 99)}"])


def email(rng, slot, record):
    """An e-mail address."""
    host = words.invented(rng)
    if rng.random() < 0.2:
        host = rng.choice(["gmail", "mail", "post", "example", "outlook", "inbox"])
    if rng.random() < 0.15:
        host += "-" + rng.choice(["labs", "shop", "group", "mail", "works"])
    end = rng.choice("com com com org net io de co.uk fr eu dev example".split())
    address = f"{_handle(rng, record)}@{host}.{end}"
    return address, {slot: address}


def _digits(rng, count):
    return "".join(rng.choice("0123456789") for _ in range(count))


def phone(rng, slot, record):
    """A telephone number in one of several notations."""
    d = _digits
    text = rng.choice([
        lambda: f"+{rng.randint(1, 99)} {d(rng, 3)} {d(rng, 3)} {d(rng, 4)}",
        lambda: f"+{rng.randint(1, 99)} {d(rng, 2)} {d(rng, 6)}",
        lambda: f"{d(rng, 3)}-{d(rng, 3)}-{d(rng, 4)}",
        lambda: f"({d(rng, 3)}) {d(rng, 3)}-{d(rng, 4)}",
        lambda: f"0{d(rng, 3)} {d(rng, 6)}",
        lambda: f"0{d(rng, 9)}",
        lambda: f"{d(rng, 3)}-{d(rng, 4)}",
    ])()
    return text, {slot: text}


def company(rng, slot, record):
    """A company name."""
    name = words.proper(rng)
    form = rng.random()
    if form < 0.6:
        name += " " + rng.choice(words.COMPANY_ENDS)
    elif form < 0.7:
        name += " & " + rng.choice([words.proper(rng), "Sons", "Co"])
    elif form < 0.78:
        name = rng.choice(words.TOPICS) + " " + rng.choice(words.COMPANY_ENDS)
    return name, {slot: name}


def role(rng, slot, record):
    """A job title."""
    text = rng.choice(words.ROLES)
    if rng.random() < 0.75:
        text = rng.choice(words.FIELDS_OF_WORK) + " " + text
    if rng.random() < 0.15:
        text = text.title()
    return text, {slot: text}


def code(rng, slot, record):
    """An order, ticket or invoice number; a '#' before it isn't part of it."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    value = rng.choice([
        lambda: _digits(rng, rng.randint(4, 7)),
        lambda: _digits(rng, rng.randint(4, 6)),
        lambda: f"{letters}-{_digits(rng, rng.randint(3, 6))}",
        lambda: f"{letters}{_digits(rng, rng.randint(3, 6))}",
        lambda: f"{rng.choice(['ORD', 'INV', 'REF', 'SO', 'PO'])}-{_digits(rng, rng.randint(3, 6))}",
        lambda: f"20{rng.randint(20, 29)}-{_digits(rng, rng.randint(3, 5))}",
    ])()
    shown = "#" + value if rng.random() < 0.3 else value
    return shown, {slot: value}


def _plural(noun):
    if noun.endswith(("x", "s", "ch", "sh")):
        return noun + "es"
    if noun.endswith("f"):
        return noun[:-1] + "ves"
    return noun[:-2] + "ves" if noun.endswith("fe") else noun + "s"


def _goods(rng, many):
    noun = rng.choice(words.NOUNS) if rng.random() < 0.75 else words.invented(rng)
    noun = _plural(noun) if many else noun
    form = rng.random()
    if form < 0.5:
        return rng.choice(words.ADJECTIVES) + " " + noun
    if form < 0.65:
        return words.proper(rng) + " " + noun
    if form < 0.75:
        return f"{words.proper(rng)} {rng.randint(2, 990)} {noun}"
    if form < 0.82:
        return f"{rng.choice(words.ADJECTIVES)} {rng.choice(words.ADJECTIVES)} {noun}"
    return noun


def product(rng, slot, record):
    """A product, one of it."""
    text = _goods(rng, False)
    return text, {slot: text}


def _count(rng, top=12):
    number = rng.choice([rng.randint(1, 6), rng.randint(1, top), rng.randint(1, 10)])
    if rng.random() < 0.03:
        number = rng.randint(10, 400)
    shown = words.COUNTS[number] if number <= 10 and rng.random() < 0.3 else str(number)
    return number, shown


def quantity(rng, slot, record):
    """A small number, at times as a word."""
    number, shown = _count(rng)
    return shown, {slot: number}


def goods(rng, slot, record):
    """A quantity and a product: "3 oak desks", "two lamps", "4 x mug"."""
    number, shown = _count(rng)
    if rng.random() < 0.25:
        text, name = f"{number}{rng.choice([' x', 'x', ' ×'])} ", _goods(rng, False)
    else:
        text, name = shown + " ", _goods(rng, number != 1)
    return text + name, {"quantity": number, "product": name}


SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}


def _amount(rng):
    whole = rng.choice([rng.randint(1, 20), rng.randint(5, 120), rng.randint(50, 2500)])
    return Number(f"{whole}.{_digits(rng, 2)}" if rng.random() < 0.7 else str(whole))


def _shown_amount(rng, amount, currency):
    symbol = next((s for s, c in SYMBOLS.items() if c == currency), None)
    if symbol and rng.random() < 0.65:
        return rng.choice([f"{symbol}{amount.text}", f"{symbol}{amount.text}", f"{amount.text} {symbol}"])
    return rng.choice([f"{amount.text} {currency}", f"{amount.text} {currency}", f"{currency} {amount.text}"])


CURRENCIES = ["USD", "EUR", "GBP", "USD", "EUR", "GBP", "CHF", "JPY", "SEK", "CAD", "AUD", "INR"]


def _currency(rng, record):
    return record.setdefault("currency", rng.choice(CURRENCIES))


def money(rng, slot, record):
    """An amount with its currency."""
    amount, currency = _amount(rng), _currency(rng, record)
    return _shown_amount(rng, amount, currency), {slot: amount, "currency": currency}


ITEM_FORMS = {
    "train": ["{n} {p} at {m} each", "{n} {p} for {m}", "{n} {p} ({m})", "{n} {p} at {m}", "{n} {p}, {m} each",
              "{n} {p} - {m}", "{n} {p} ({m} each)", "{n} {p} priced at {m}", "{p} ({n} pieces, {m})",
              "{p} x{d} for {m}", "{p} at {m}, quantity {d}", "{p}: {d} at {m}"],
    "heldout": ["{n} {p} costing {m}", "{n} {p} @ {m}"],
}
PLAIN_ITEM_FORMS = ["{n} {p}", "{n} {p}", "{p} x{d}", "{p} ({n})", "{d} pieces of {p}"]


def _listing(rng, parts):
    if len(parts) == 1:
        return parts[0]
    style = rng.random()
    if style < 0.2:
        mark = rng.choice(["- ", "* ", "• "])
        return "\n" + "\n".join(mark + part for part in parts) + "\n"
    last = rng.choice([" and ", ", and ", " plus ", " and "])
    joint = rng.choice([", ", ", ", "; "])
    return joint.join(parts[:-1]) + last + parts[-1]


def items(rng, slot, record):
    """Several products with quantities and prices."""
    currency, parts, values = _currency(rng, record), [], []
    priced = rng.random() < 0.7
    forms = ITEM_FORMS[record["split"]] if priced else PLAIN_ITEM_FORMS
    form = rng.choice(forms)
    times = rng.random() < 0.25
    for _ in range(rng.choice([1, 2, 2, 2, 3, 3, 4])):
        number, shown = _count(rng)
        many = number != 1 and not times
        name, price = _goods(rng, many and not form.startswith("{p}")), _amount(rng)
        shown = f"{number} x" if times and form.startswith("{n}") else shown
        money_text = _shown_amount(rng, price, currency)
        parts.append(form.format(n=shown, d=number, p=name, m=money_text))
        value = {"product": name, "quantity": number}
        values.append(value | {"price": price} if priced else value)
    return _listing(rng, parts), {slot: values} | ({"currency": currency} if priced else {})


def date(rng, slot, record):
    """A date as it stands in the text."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2023, 2029)
    name = words.MONTHS[month - 1]
    text = rng.choice([
        lambda: f"{year}-{month:02}-{day:02}",
        lambda: f"{year}-{month:02}-{day:02}",
        lambda: f"{year}-{month:02}-{day:02}",
        lambda: f"{day} {name} {year}",
        lambda: f"{name} {day}, {year}",
        lambda: f"{name} {day}",
        lambda: f"{day} {name}",
        lambda: f"{day:02}.{month:02}.{year}",
        lambda: f"{month:02}/{day:02}/{year}",
        lambda: rng.choice(words.DAYS),
    ])()
    return text, {slot: text}


def time(rng, slot, record):
    """A time of day as it stands in the text."""
    hour, minute = rng.randint(7, 22), rng.choice(["00", "15", "30", "45", "20", "10"])
    short = (hour - 1) % 12 + 1
    half = "am" if hour < 12 else "pm"
    text = rng.choice([
        f"{hour:02}:{minute}", f"{hour:02}:{minute}", f"{short}:{minute} {half}", f"{short} {half}", f"{short}{half}",
    ])
    return text, {slot: text}


def city(rng, slot, record):
    """A town."""
    name = words.mixed(rng, words.CITIES, 0.4)
    if rng.random() < 0.06:
        name = rng.choice(["Port ", "San ", "New ", "Bad ", "Saint "]) + words.proper(rng)
    return name, {slot: name}


def address(rng, slot, record):
    """A street and a house number."""
    name = words.proper(rng)
    form = rng.random()
    if form < 0.75:
        text = f"{rng.randint(1, 240)} {name} {rng.choice(words.STREETS)}"
    else:
        text = f"{name}{rng.choice(['straße', 'weg', 'gatan', 'laan'])} {rng.randint(1, 150)}"
    return text, {slot: text}


def venue(rng, slot, record):
    """A hall, library, park …"""
    text = rng.choice([words.mixed(rng, words.LAST_NAMES), words.proper(rng), rng.choice(words.TOPICS)])
    text += " " + rng.choice(words.VENUES)
    return text, {slot: text}


def title(rng, slot, record):
    """The title of an event or a task's headline."""
    topic, kind = rng.choice(words.TOPICS), rng.choice(words.GATHERINGS)
    form = rng.random()
    if form < 0.35:
        text = f"{topic} {kind}"
    elif form < 0.6:
        text = f"{words.proper(rng)} {topic} {kind}"
    elif form < 0.75:
        text = f"{words.proper(rng)} {kind}"
    elif form < 0.85:
        text = f"{topic} {kind} {rng.randint(2023, 2029)}"
    else:
        text = f"{kind} of {topic} {words.proper(rng)}"
    return text, {slot: text}


def tags(rng, slot, record):
    """One to four labels."""
    count = rng.choice([1, 2, 2, 3, 3, 4])
    values = list(dict.fromkeys(words.invented(rng) if rng.random() < 0.4 else rng.choice(words.TAGS)
                                for _ in range(count)))
    joint = rng.choice([", ", ", ", "; ", " / "])
    text = joint.join(values)
    if len(values) > 1 and rng.random() < 0.4:
        text = ", ".join(values[:-1]) + " and " + values[-1]
    return text, {slot: values}


def rating(rng, slot, record):
    """Stars: "4 out of 5", "three stars"."""
    number = rng.randint(1, 5)
    shown = words.COUNTS[number] if rng.random() < 0.3 else str(number)
    text = rng.choice([f"{shown} out of 5", f"{number}/5", f"{shown} stars" if number > 1 else f"{shown} star",
                       f"{shown} out of five"])
    return text, {slot: number}
