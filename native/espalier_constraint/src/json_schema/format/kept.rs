//! Automata of formats that take milliseconds to make, up to two hundred, as they were made before.
//!
//! The file beside this has them one after another, each as its name and its bytes. A test compares them with
//! what the grammars make, and writes the file anew where the environment has `ESPALIER_WRITE_FORMATS`.

use crate::dfa::Dfa;
use crate::error::Error;
use crate::meter::Meter;
use crate::serialized::{Reader, read_dfa};

const FILE: &[u8] = include_bytes!("kept.bin");

/// The automaton of a format, if it is kept.
pub(super) fn automaton(name: &str) -> Option<Dfa> {
    let mut file = Reader::new("automata of formats", FILE);
    while let Ok(known) = file.utf8("name") {
        let automaton = file.text("automaton").ok()?;
        if known == name {
            return read(automaton).ok();
        }
    }
    None
}

fn read(bytes: &[u8]) -> Result<Dfa, Error> {
    read_dfa(&mut Reader::new("automaton of a format", bytes), &Meter::unlimited())
}

#[cfg(test)]
mod tests {
    use super::super::FORMATS;
    use super::*;
    use crate::serialized::{Writer, write_dfa};

    /// The others are made in less time than it takes to read them.
    const NAMES: [&str; 12] = [
        "date-time",
        "time",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "regex",
    ];

    #[test]
    fn those_that_are_kept_are_those_that_the_grammars_make() {
        let mut file = Writer::default();
        for name in NAMES {
            let (_, make) = FORMATS.iter().find(|(known, _)| *known == name).unwrap();
            let mut automaton = Writer::default();
            write_dfa(&make(), &mut automaton);
            file.text(name.as_bytes());
            file.text(&automaton.finish());
        }
        let file = file.finish();
        if std::env::var_os("ESPALIER_WRITE_FORMATS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/json_schema/format/kept.bin");
            std::fs::write(path, &file).unwrap();
            return;
        }
        assert!(file == FILE, "write the file again: ESPALIER_WRITE_FORMATS=1 cargo test kept");
        assert!(NAMES.iter().all(|name| automaton(name).is_some()));
    }
}
