//! Constraints and vocabularies as bytes.
//!
//! Both begin with the same header, integers in little-endian order:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `ESPALIER` |
//! | 1 | the kind: 1 for a vocabulary, 2 for a constraint |
//! | 2 | the version of the format |
//! | 8 | how many bytes follow the header |
//! | 8 | XXH3 of all the rest, the header before it included |
//!
//! The checksum finds what was damaged by accident. It is no secret: what comes behind it is checked as
//! if someone had made it up. A size is compared with the bytes that are there before memory is taken
//! for it; what is shorter in bytes than in memory (the tables of automata) has the limits and the fuel of a
//! compilation.

mod automaton;
mod constraint;
mod fields;
mod grammar;
mod vocabulary;

use xxhash_rust::xxh3::Xxh3;

use crate::error::Error;
pub(crate) use automaton::read_dfa;
#[cfg(test)]
pub(crate) use automaton::write_dfa;
pub(crate) use fields::{Reader, Writer};

const MAGIC: &[u8; 8] = b"ESPALIER";
/// Changes whenever what is written can't be read by what read it before.
const VERSION: u16 = 4;
/// The most bytes that are read.
const MAX_BYTES: usize = 256 << 20;
/// Where the checksum begins, and the payload after it.
const CHECKSUM_AT: usize = 19;
const HEADER_BYTES: usize = CHECKSUM_AT + 8;

/// What was serialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Vocabulary = 1,
    Constraint = 2,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Vocabulary => "vocabulary",
            Self::Constraint => "constraint",
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Vocabulary, Self::Constraint].into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// The payload with a header before it.
fn seal(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(MAGIC);
    bytes.push(kind as u8);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    let checksum = checksum(&bytes, payload);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload behind a header that is right.
fn open(kind: Kind, bytes: &[u8]) -> Result<Reader<'_>, Error> {
    let what = kind.name();
    let wrong = |part, expected: String, got: String| Err(invalid(what, part, expected, got));
    if bytes.len() > MAX_BYTES {
        return wrong("size", format!("at most {MAX_BYTES} bytes"), bytes.len().to_string());
    }
    let mut header = Reader::new(what, bytes);
    if header.bytes(MAGIC.len(), "magic").ok() != Some(MAGIC) {
        let begins = String::from_utf8_lossy(&bytes[..bytes.len().min(MAGIC.len())]);
        return wrong("magic", "bytes that begin with \"ESPALIER\"".into(), format!("{begins:?}"));
    }
    let found = header.u8("kind")?;
    if found != kind as u8 {
        let found = Kind::of(found).map_or_else(|| found.to_string(), |kind| kind.name().into());
        return wrong("kind", what.into(), found);
    }
    let version = header.u16("version")?;
    if version != VERSION {
        return wrong("version", VERSION.to_string(), version.to_string());
    }
    let length = header.u64("length")?;
    let expected = header.u64("checksum")?;
    let payload = header.rest();
    if length != payload.len() as u64 {
        return wrong("length", format!("{length} bytes"), format!("{} bytes", payload.len()));
    }
    let checksum = checksum(&bytes[..CHECKSUM_AT], payload);
    if checksum != expected {
        return wrong("checksum", format!("{expected:016x}"), format!("{checksum:016x}"));
    }
    Ok(Reader::new(what, payload))
}

fn checksum(header: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.digest()
}

fn invalid(
    what: &'static str,
    part: &'static str,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> Error {
    Error::InvalidSerialized { what, part, expected: expected.into(), got: got.into() }
}
