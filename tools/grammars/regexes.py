"""Texts that a regular expression of Python matches."""

from re import _constants as constants
from re import _parser

VISIBLE = [chr(code) for code in range(0x20, 0x7F)] + list("\néあ漢😀")
WORD = list("abcxyz019_éあ")


class Regex:
    def __init__(self, pattern):
        self.parsed = _parser.parse(pattern)

    def derive(self, chance):
        """A text that matches."""
        return sequence(self.parsed, chance)


def sequence(parts, chance):
    return "".join(part(kind, value, chance) for kind, value in parts)


def part(kind, value, chance):
    match kind:
        case constants.LITERAL:
            return chr(value)
        case constants.NOT_LITERAL:
            return chance.choice([character for character in VISIBLE if ord(character) != value])
        case constants.ANY:
            return chance.choice([character for character in VISIBLE if character != "\n"])
        case constants.IN:
            return chance.choice(members(value))
        case constants.BRANCH:
            return sequence(chance.choice(value[1]), chance)
        case constants.SUBPATTERN:
            flags, inner = value[1], value[3]
            text = sequence(inner, chance)
            # A flag for other cases.
            return chance.choice([text, text.upper()]) if flags & 2 else text
        case constants.MAX_REPEAT | constants.MIN_REPEAT:
            least, most, inner = value
            n_times = least
            while n_times < most and chance.random() < 0.5:
                n_times += 1
            return "".join(sequence(inner, chance) for _ in range(n_times))
    raise ValueError(f"unknown part of a regular expression: {kind}")


def members(items):
    """The characters of a class; of a large one some."""
    negated = items[0][0] == constants.NEGATE
    found = [character for kind, value in items[negated:] for character in characters(kind, value)]
    if negated:
        excluded = set(found)
        return [character for character in VISIBLE if character not in excluded]
    return found


def characters(kind, value):
    match kind:
        case constants.LITERAL:
            return [chr(value)]
        case constants.RANGE:
            low, high = value
            return [chr(code) for code in range(low, high + 1)][:: max(1, (high - low) // 40)]
        case constants.CATEGORY:
            return CATEGORIES[value]
    raise ValueError(f"unknown part of a class: {kind}")


CATEGORIES = {
    constants.CATEGORY_DIGIT: list("0123456789"),
    constants.CATEGORY_WORD: WORD,
    constants.CATEGORY_SPACE: list(" \t\n"),
    constants.CATEGORY_NOT_DIGIT: [character for character in VISIBLE if not character.isdigit()],
    constants.CATEGORY_NOT_WORD: [c for c in VISIBLE if not (c.isalnum() or c == "_")],
    constants.CATEGORY_NOT_SPACE: [character for character in VISIBLE if not character.isspace()],
}
