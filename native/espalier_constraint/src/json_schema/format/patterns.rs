//! Regular expressions of ECMA 262 that are valid with the flag `u` and without it.
//!
//! Left out: groups in more than three others, lookaround in groups or in lookaround, more than one named group,
//! modifiers of flags, references to groups, `\0`, properties of characters other than general
//! categories by their short names, repetition more than 9999 times or with two bounds of which
//! the lower one has more than two digits, and in classes ranges but those from one digit or letter
//! of ASCII to another of the same kind.

use super::{compile, one_of, quota, small};
use crate::dfa::Dfa;

/// How many groups may be in each other.
const MAX_DEPTH: u32 = 3;
const NAME: &str = "[A-Za-z_$][A-Za-z0-9_$]*";

pub(super) fn pattern() -> Dfa {
    let mut terms = terms(&[]);
    let mut lookaround = String::new();
    for _ in 0..MAX_DEPTH {
        lookaround = format!(r"\(\?<?[=!]{terms}\)");
        terms = self::terms(&[format!(r"\((?:\?:|\?<{NAME}>)?{terms}\)")]);
    }
    let patterns = compile(&format!("(?:{terms}|{lookaround})*"));
    // Names of groups must differ.
    let two_names = compile(&format!(r"(?s:.*\(\?<{NAME}>.*\(\?<{NAME}>.*)"));
    small(patterns.difference(&two_names, quota()))
}

/// Terms and the bars between alternatives, each of which may be empty; some atoms are given.
fn terms(groups: &[String]) -> String {
    let atoms = [literal(), escape(), class()];
    let atom = one_of(atoms.iter().chain(groups));
    format!(r"(?:[|^$]|\\[bB]|{atom}{}?)*", quantifier())
}

fn literal() -> String {
    r"[^\\^$.*+?()\[\]{}|]|\.".to_owned()
}

fn escape() -> String {
    format!(r"\\(?:[\\^$.*+?()\[\]{{}}|/]|{CHARACTER_OR_SET})")
}

const CHARACTER_OR_SET: &str = r"[dDsSwWfnrtv]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[pP]\{(?:L[ulmot]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)\}";

fn class() -> String {
    let range =
        one_of([('0', '9'), ('A', 'Z'), ('a', 'z')].into_iter().flat_map(|(first, last)| {
            (first..=last).map(move |from| format!("{from}-[{from}-{last}]"))
        }));
    let escape = format!(r"\\(?:[\\^$.*+?()\[\]{{}}|/b-]|{CHARACTER_OR_SET})");
    format!(r"\[\^?-?(?:{range}|[^\\\]-]|{escape})*-?\]")
}

fn quantifier() -> String {
    let least_of_one_digit =
        (0..=9).map(|least| format!("{least},(?:[{least}-9]|[1-9][0-9]{{1,3}})"));
    let least_of_two_digits = (10..=99).map(|least| {
        let (tens, ones) = (least / 10, least % 10);
        let more_tens = if tens < 9 { format!("|[{}-9][0-9]", tens + 1) } else { String::new() };
        format!("{least},(?:{tens}[{ones}-9]{more_tens}|[1-9][0-9]{{2,3}})")
    });
    let bounds = one_of(least_of_one_digit.chain(least_of_two_digits));
    format!(r"(?:(?:[*+?]|\{{(?:(?:0|[1-9][0-9]{{0,3}}),?|{bounds})\}})\??)")
}
