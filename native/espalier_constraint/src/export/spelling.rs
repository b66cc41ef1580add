//! How characters are spelled in JSON strings.

use super::rules::{EMPTY, NOTHING, NodeId, Rules};
use super::set::CharacterSet;
use crate::json_schema::EscapeStyle;

/// The letters of short escapes, with what they stand for.
const SHORT: [(char, char); 8] = [
    ('"', '"'),
    ('\\', '\\'),
    ('/', '/'),
    ('b', '\u{8}'),
    ('f', '\u{C}'),
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
];
/// Numbers from one to another.
type Range = (u32, u32);

const LAST_OF_BMP: u32 = 0xFFFF;

/// All spellings of a character of the set.
pub(crate) fn spelled(rules: &mut Rules, set: &CharacterSet, style: EscapeStyle) -> NodeId {
    let must_be_escaped = CharacterSet::of([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)]);
    let itself = rules.set(set.intersection(&must_be_escaped.complement()));
    let is_written = |(_, character): &&(char, char)| {
        set.contains(*character) && (style == EscapeStyle::Any || *character != '/')
    };
    let letters = SHORT.iter().filter(is_written).map(|(letter, _)| *letter).collect();
    let letter = rules.set(letters);
    let units = match style {
        EscapeStyle::Any => set.clone(),
        EscapeStyle::Minimal => {
            let short: CharacterSet = SHORT.iter().map(|(_, character)| *character).collect();
            let controls = CharacterSet::of([(0, 0x1F)]);
            set.intersection(&controls).intersection(&short.complement())
        }
    };
    let units = by_number(rules, &units);
    let escape = rules.choice([letter, units]);
    let backslash = rules.text("\\");
    let escaped = rules.sequence([backslash, escape]);
    rules.choice([itself, escaped])
}

/// The spellings by the numbers of UTF-16 units, behind the backslash.
fn by_number(rules: &mut Rules, set: &CharacterSet) -> NodeId {
    let (bmp, beyond): (Vec<_>, Vec<_>) =
        set.ranges().iter().copied().partition(|(first, _)| *first <= LAST_OF_BMP);
    let units: Vec<_> =
        bmp.iter().map(|(first, last)| (*first, (*last).min(LAST_OF_BMP))).collect();
    let halves = bmp.iter().filter(|(_, last)| *last > LAST_OF_BMP);
    let halves = halves.map(|(_, last)| (LAST_OF_BMP + 1, *last));
    let mut choices = vec![digits(rules, &units, 4)];
    for (first, last) in halves.chain(beyond) {
        choices.push(pairs(rules, first, last));
    }
    let units = rules.choice(choices);
    let u = rules.text("u");
    rules.sequence([u, units])
}

/// Pairs of surrogates for characters beyond the first 65,536, behind the first `u`.
fn pairs(rules: &mut Rules, first: u32, last: u32) -> NodeId {
    let (first, last) = (first - 0x1_0000, last - 0x1_0000);
    let (from, to) = (first >> 10, last >> 10);
    let (low, high) = (first & 0x3FF, last & 0x3FF);
    // Those with the first high surrogate, those with the last, and all between.
    let whole_from = from + u32::from(low > 0);
    let whole_to = to + u32::from(high == 0x3FF);
    let mut parts = Vec::new();
    if from == to {
        parts.push(((from, from), (low, high)));
    } else {
        parts.extend((low > 0).then_some(((from, from), (low, 0x3FF))));
        parts.extend((whole_from < whole_to).then(|| ((whole_from, whole_to - 1), (0, 0x3FF))));
        parts.extend((high < 0x3FF).then_some(((to, to), (0, high))));
    }
    let second = rules.text("\\u");
    let mut choices = Vec::new();
    for (highs, lows) in parts {
        let high = digits(rules, &[(0xD800 + highs.0, 0xD800 + highs.1)], 4);
        let low = digits(rules, &[(0xDC00 + lows.0, 0xDC00 + lows.1)], 4);
        choices.push(rules.sequence([high, second, low]));
    }
    rules.choice(choices)
}

/// The hexadecimal numbers of so many digits in some ranges, in upper or lower case.
fn digits(rules: &mut Rules, ranges: &[Range], n: u32) -> NodeId {
    if ranges.is_empty() || n == 0 {
        return if ranges.is_empty() { NOTHING } else { EMPTY };
    }
    let unit = 16u32.pow(n - 1);
    // Digits that the same may follow, with that.
    let mut groups: Vec<(Vec<u32>, Vec<Range>)> = Vec::new();
    for digit in 0..16 {
        let (first, last) = (digit * unit, digit * unit + (unit - 1));
        let within = ranges.iter().filter(|range| range.0 <= last && range.1 >= first);
        let rest: Vec<_> =
            within.map(|range| (range.0.max(first) - first, range.1.min(last) - first)).collect();
        match groups.iter_mut().find(|(_, other)| *other == rest) {
            _ if rest.is_empty() => {}
            Some((digits, _)) => digits.push(digit),
            None => groups.push((vec![digit], rest)),
        }
    }
    let mut choices = Vec::new();
    for (first, rest) in groups {
        let first = rules.set(first.into_iter().flat_map(digit).collect());
        let rest = digits(rules, &rest, n - 1);
        choices.push(rules.sequence([first, rest]));
    }
    rules.choice(choices)
}

fn digit(value: u32) -> impl Iterator<Item = char> {
    let digit = char::from_digit(value, 16).unwrap_or_default();
    [digit, digit.to_ascii_uppercase()].into_iter()
}
