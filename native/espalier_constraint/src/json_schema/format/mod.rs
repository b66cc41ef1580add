//! The keyword `format`: for the name of a format the automaton of the strings that have it.
//!
//! Each format is a composition of named pieces after the grammar that defines it:
//!
//! | format | source |
//! | --- | --- |
//! | `date`, `time`, `date-time` | RFC 3339, section 5.6: `full-date`, `full-time`, `date-time` |
//! | `duration` | RFC 3339, appendix A: `duration` |
//! | `hostname` | RFC 1123, section 2.1, RFC 1034, sections 3.1 and 3.5 |
//! | `idn-hostname` | RFC 5890, section 2.3.2.3, RFC 5892, appendix A, RFC 5893, section 2 |
//! | `email` | RFC 5321, section 4.1.2: `Mailbox`, lengths of section 4.5.3.1 |
//! | `idn-email` | RFC 6531, section 3.3 |
//! | `ipv4` | RFC 2673, section 3.2: `dotted-quad` |
//! | `ipv6` | RFC 4291, section 2.2 |
//! | `uri`, `uri-reference` | RFC 3986, appendix A: `URI`, `URI-reference` |
//! | `iri`, `iri-reference` | RFC 3987, section 2.2: `IRI`, `IRI-reference` |
//! | `uri-template` | RFC 6570, section 2, with erratum 6937: `URI-Template` |
//! | `uuid` | RFC 4122, section 3: `UUID` |
//! | `json-pointer` | RFC 6901, section 3: `json-pointer` |
//! | `relative-json-pointer` | draft-handrews-relative-json-pointer-01, section 3 |
//! | `regex` | ECMA 262, section 22.2.1: `Pattern[+UnicodeMode]` |
//!
//! What is not regular, or out of proportion, is left out: all that is accepted is valid. These
//! valid strings are refused:
//!
//! - `time`, `date-time`: a leap second under an offset that is not a multiple of a quarter of an
//!   hour. Which minutes have one is not known beforehand, so it is accepted on any date.
//! - `duration`: lower case, which ISO 8601 does not have.
//! - `hostname`, and domains elsewhere: labels with `--` in third and fourth place, so those that
//!   stand for others in Punycode (`xn--…`). The length is counted for each label in steps of six
//!   octets: a name of *n* labels may in any case have 252 − 5*n* octets.
//! - `idn-hostname`: what [`hosts`] says.
//! - `email`, `idn-email`: addresses of other kinds than IPv4 and IPv6 in brackets; a domain of
//!   more than 185 octets, or in `idn-email` of more than three labels if one is not ASCII.
//! - `uri-template`: the operators that section 2.2 reserves for later.
//! - `relative-json-pointer`: the manipulation of an index (`0+1/a`), which later drafts have.
//! - `regex`: what [`patterns`] says.

mod dates;
mod hosts;
mod patterns;
mod uris;

use std::sync::{Arc, LazyLock};

use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::Limit;
use crate::meter::{Meter, Quota};
use crate::regex;

/// What gives the automaton of a format over the UTF-8 of decoded strings, built when it is first asked
/// for; none for a name that is not known.
pub(super) fn automaton(name: &str) -> Option<impl FnOnce() -> Arc<Dfa> + use<>> {
    let format = FORMATS.iter().find(|(known, _)| *known == name);
    format.map(|(_, dfa)| || Arc::clone(dfa))
}

type Format = (&'static str, LazyLock<Arc<Dfa>>);

static FORMATS: [Format; 19] = [
    ("date-time", LazyLock::new(|| matches(&dates::date_time()))),
    ("date", LazyLock::new(|| matches(&dates::full_date()))),
    ("time", LazyLock::new(|| matches(&dates::full_time()))),
    ("duration", LazyLock::new(|| matches(&dates::duration()))),
    ("email", LazyLock::new(|| minimal(&hosts::email()))),
    ("idn-email", LazyLock::new(|| minimal(&hosts::idn_email()))),
    ("hostname", LazyLock::new(|| minimal(&hosts::hostname(hosts::NAME_STEPS)))),
    ("idn-hostname", LazyLock::new(|| minimal(&hosts::idn_hostname()))),
    ("ipv4", LazyLock::new(|| matches(&hosts::ipv4()))),
    ("ipv6", LazyLock::new(|| matches(&hosts::ipv6(1)))),
    ("uri", LazyLock::new(|| matches(&uris::URI.absolute()))),
    ("uri-reference", LazyLock::new(|| matches(&uris::URI.reference()))),
    ("iri", LazyLock::new(|| matches(&uris::IRI.absolute()))),
    ("iri-reference", LazyLock::new(|| matches(&uris::IRI.reference()))),
    ("uri-template", LazyLock::new(|| matches(&uris::template()))),
    ("uuid", LazyLock::new(|| matches(UUID))),
    ("json-pointer", LazyLock::new(|| matches(JSON_POINTER))),
    ("relative-json-pointer", LazyLock::new(|| matches(&relative_json_pointer()))),
    ("regex", LazyLock::new(|| minimal(&patterns::pattern()))),
];

const UUID: &str = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
const JSON_POINTER: &str = "(?:/(?:[^/~]|~[01])*)*";

fn relative_json_pointer() -> String {
    format!("(?:0|[1-9][0-9]*)(?:#|{JSON_POINTER})")
}

fn matches(expression: &str) -> Arc<Dfa> {
    Arc::new(compile(expression))
}

fn minimal(dfa: &Dfa) -> Arc<Dfa> {
    Arc::new(dfa.minimized())
}

fn compile(expression: &str) -> Dfa {
    let dfa = regex::compile(expression, &METER);
    dfa.unwrap_or_else(|_| unreachable!("a valid expression")).minimized()
}

/// What an operation on automata gave; how large these get is known.
fn small(result: Result<Dfa, Error>) -> Dfa {
    result.unwrap_or_else(|_| unreachable!("a small automaton"))
}

static METER: LazyLock<Meter> = LazyLock::new(Meter::unlimited);

/// More states than any automaton here has.
fn quota() -> Quota<'static> {
    Quota::new(&METER, Limit { name: "format_states", value: 50_000 })
}

/// One of several expressions.
fn one_of(expressions: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let expressions: Vec<_> =
        expressions.into_iter().map(|expression| expression.as_ref().to_owned()).collect();
    format!("(?:{})", expressions.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automata_are_small() {
        for (name, dfa) in &FORMATS {
            assert!((10..12_000).contains(&dfa.n_states()), "{name}: {} states", dfa.n_states());
        }
    }

    #[test]
    fn names_that_are_not_known_have_no_automaton() {
        assert!(automaton("date").is_some() && automaton("Date").is_none());
    }
}
