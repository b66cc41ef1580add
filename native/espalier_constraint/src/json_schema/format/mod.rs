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
mod kept;
mod patterns;
mod uris;

use std::sync::{Arc, LazyLock, OnceLock};

use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::Limit;
use crate::meter::{Meter, Quota};
use crate::regex;

/// What gives the automaton of a format over the UTF-8 of decoded strings, made or read when it is first
/// asked for; none for a name that is not known.
pub(super) fn automaton(name: &str) -> Option<impl FnOnce() -> Arc<Dfa> + use<>> {
    static KNOWN: [OnceLock<Arc<Dfa>>; FORMATS.len()] = [const { OnceLock::new() }; FORMATS.len()];
    let index = FORMATS.iter().position(|(known, _)| *known == name)?;
    let (name, make) = FORMATS[index];
    let automaton = move || Arc::new(kept::automaton(name).unwrap_or_else(make));
    Some(move || KNOWN[index].get_or_init(automaton).clone())
}

/// The name of a format, and what makes its automaton.
type Format = (&'static str, fn() -> Dfa);

static FORMATS: [Format; 19] = [
    ("date-time", || compile(&dates::date_time())),
    ("date", || compile(&dates::full_date())),
    ("time", || compile(&dates::full_time())),
    ("duration", || compile(&dates::duration())),
    ("email", || hosts::email().minimized()),
    ("idn-email", || hosts::idn_email().minimized()),
    ("hostname", || hosts::hostname(hosts::NAME_STEPS).minimized()),
    ("idn-hostname", || hosts::idn_hostname().minimized()),
    ("ipv4", || compile(&hosts::ipv4())),
    ("ipv6", || compile(&hosts::ipv6(1))),
    ("uri", || compile(&uris::URI.absolute())),
    ("uri-reference", || compile(&uris::URI.reference())),
    ("iri", || compile(&uris::IRI.absolute())),
    ("iri-reference", || compile(&uris::IRI.reference())),
    ("uri-template", || compile(&uris::template())),
    ("uuid", || compile(UUID)),
    ("json-pointer", || compile(JSON_POINTER)),
    ("relative-json-pointer", || compile(&relative_json_pointer())),
    ("regex", || patterns::pattern().minimized()),
];

const UUID: &str = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
const JSON_POINTER: &str = "(?:/(?:[^/~]|~[01])*)*";

fn relative_json_pointer() -> String {
    format!("(?:0|[1-9][0-9]*)(?:#|{JSON_POINTER})")
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
        for (name, _) in FORMATS {
            let dfa = automaton(name).unwrap()();
            assert!((10..12_000).contains(&dfa.n_states()), "{name}: {} states", dfa.n_states());
        }
    }

    #[test]
    fn names_that_are_not_known_have_no_automaton() {
        assert!(automaton("date").is_some() && automaton("Date").is_none());
    }
}
