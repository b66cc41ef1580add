"""Kinds whose value follows from the words of a phrase, and other small kinds."""

import words
from domains import common, support
from kinds import company, person, title
from lines import choose


def _phrase(rng, text):
    return choose(text, rng).replace("{n}", str(rng.randint(2, 99))).replace("{noun}", rng.choice(words.NOUNS))


def issue(rng, slot, record):
    """What went wrong; the category follows from it."""
    key = rng.choice(list(support.THINGS))
    subjects, problems = support.THINGS[key]
    text = _phrase(rng, rng.choice(subjects) + " " + rng.choice(problems)).strip()
    return text, {"summary": text, "category": key.strip()}


def urgency(rng, slot, record):
    """How soon; gives the priority and whether it is urgent."""
    level = rng.choice(["high", "high", "medium", "low"])
    return rng.choice(common.URGENCY[level]), {"priority": level, "urgent": level == "high"}


def feeling(rng, slot, record):
    """A judgement; gives the sentiment."""
    mood = rng.choice(list(common.FEELINGS))
    return rng.choice(common.FEELINGS[mood]), {"sentiment": mood}


def recommend(rng, slot, record):
    """Whether a thing is recommended."""
    good = rng.random() < 0.5
    yes = ["I recommend it", "I would buy it again", "you should get one", "I can recommend it to everyone",
           "go and buy it", "worth every penny"]
    no = ["I do not recommend it", "I would not buy it again", "don't buy it", "I can't recommend it",
          "stay away from it", "save your money"]
    return rng.choice(yes if good else no), {slot: good}


def paid(rng, slot, record):
    """Whether a bill is paid."""
    yes = ["it has been paid", "the payment has arrived", "it is already paid", "we received the money",
           "it was settled", "paid in full"]
    no = ["it has not been paid", "the payment is still missing", "it is not paid yet", "it is unpaid",
          "we are still waiting for the money", "payment is open"]
    state = rng.random() < 0.5
    return rng.choice(yes if state else no), {slot: state}


def done(rng, slot, record):
    """Whether a task is finished."""
    yes = ["it is done", "it is finished", "this is already completed", "the work is complete", "it was closed"]
    no = ["it is not done yet", "it is still open", "work has not started", "it isn't finished",
          "nobody has begun", "it is in progress"]
    state = rng.random() < 0.5
    return rng.choice(yes if state else no), {slot: state}


def online(rng, slot, record):
    """Whether an event is online."""
    yes = ["it takes place online", "it is a video call", "you can join by video link", "it is fully remote",
           "it is an online event"]
    no = ["it takes place on site", "you have to come in person", "there is no live stream", "it is not online",
          "it happens in person only"]
    state = rng.random() < 0.5
    return rng.choice(yes if state else no), {slot: state}


def payment(rng, slot, record):
    """A means of payment; the value is one of four."""
    means = {"card": ["credit card", "card", "debit card"], "invoice": ["invoice", "purchase on account"],
             "cash": ["cash", "cash on delivery"], "transfer": ["bank transfer", "wire transfer", "transfer"]}
    value = rng.choice(list(means))
    return rng.choice(means[value]), {slot: value}


def travel_class(rng, slot, record):
    """Economy, business or first."""
    value = rng.choice(["economy", "business", "first"])
    return value, {slot: value}


def website(rng, slot, record):
    """A web address."""
    host = words.invented(rng) + "." + rng.choice("com org net io de fr dev eu".split())
    text = rng.choice(["www.", "https://", "", "https://www."]) + host
    return text, {slot: text}


def hotel(rng, slot, record):
    """The name of a hotel."""
    text = rng.choice(["Hotel {}", "{} Hotel", "{} Inn", "{} House", "Grand {}", "{} Palace", "Pension {}", "{} Lodge"])
    text = text.format(words.mixed(rng, words.LAST_NAMES))
    return text, {slot: text}


def age(rng, slot, record):
    """Age in years."""
    number = rng.randint(18, 90)
    return str(number), {slot: number}


def guests(rng, slot, record):
    """A number of people."""
    number = rng.choice([rng.randint(5, 60), rng.randint(10, 999), 10 * rng.randint(1, 40)])
    return str(number), {slot: number}


def small(rng, slot, record):
    """Two to ten, or a little more, at times as a word."""
    number = rng.randint(2, 14)
    return words.COUNTS[number] if number <= 10 and rng.random() < 0.4 else str(number), {slot: number}


TASK_VERBS = """fix write update review test translate clean print send prepare order repair check plan move remove
rename archive paint replace install publish design measure sign scan""".split()


def task(rng, slot, record):
    """Something to do: "update the garden plan"."""
    thing = rng.choice(words.NOUNS + words.TAGS) if rng.random() < 0.7 else words.invented(rng)
    text = f"{rng.choice(TASK_VERBS)} {rng.choice(['the', 'the', 'a', 'our', 'all the'])} {thing}"
    extra = rng.random()
    if extra < 0.3:
        text += " " + rng.choice(["plan", "page", "report", "list", "form", "order", "test", "notes", "budget"])
    elif extra < 0.5:
        text += " " + rng.choice(["for", "with"]) + " " + rng.choice(
            [company, person, title])(rng, slot, {"split": "train"})[0]
    return text, {slot: text}


def number(rng, slot, record):
    """A number that nobody asks for."""
    return str(rng.randint(2, 400)), {slot: rng.randint(2, 3)}
