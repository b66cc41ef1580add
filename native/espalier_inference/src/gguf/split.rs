//! Models in several files, as llama.cpp splits them: `NAME-00001-of-00003.gguf` has the metadata, and
//! each file has some of the tensors.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::fault::Fault;
use super::part::Part;
use crate::error::Error;

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const N_TENSORS: &str = "split.tensors.count";

/// The digits of a number in a file's name.
const N_DIGITS: usize = 5;

/// What the name of a file says of the part that it is.
struct PartName<'a> {
    name: &'a str,
    /// From 1.
    number: u64,
    count: u64,
}

impl<'a> PartName<'a> {
    fn read(path: &'a Path) -> Option<Self> {
        let whole = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = whole.rsplit_once("-of-")?;
        let (name, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| {
            let is_number = text.len() == N_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        Some(Self { name, number: digits(number)?, count: digits(count)? })
    }

    fn file_name(&self, number: u64) -> String {
        let (name, count) = (self.name, self.count);
        format!("{name}-{number:05}-of-{count:05}.gguf")
    }
}

/// The first file of the model that a file is a later part of by its name.
pub(crate) fn first(path: &Path) -> Option<PathBuf> {
    let part = PartName::read(path).filter(|part| part.number > 1)?;
    Some(path.with_file_name(part.file_name(1)))
}

/// Opens the other files of a model.
///
/// # Errors
/// Files that are missing, that say they are another part, or that have a tensor of another one.
pub(super) fn others(first: &Part) -> Result<Vec<Part>, Error> {
    let count = first.metadata.unsigned(COUNT)?.unwrap_or(1).max(1);
    if first.metadata.unsigned(NUMBER)?.unwrap_or(0) != 0 {
        return Err(first.metadata.invalid(NUMBER, "0, in the first file of a model"));
    }
    if count == 1 {
        return Ok(Vec::new());
    }
    let name = PartName::read(&first.path).filter(|name| (name.number, name.count) == (1, count));
    let name = name.ok_or_else(|| {
        let expected = format!("1, or a file with the name *-00001-of-{count:05}.gguf");
        first.metadata.invalid(COUNT, &expected)
    })?;
    let parts = (1..count).map(|number| {
        let part = Part::open(&first.path.with_file_name(name.file_name(number + 1)))?;
        check(&part, NUMBER, number)?;
        check(&part, COUNT, count)?;
        Ok(part)
    });
    let parts: Vec<Part> = parts.collect::<Result<_, Error>>()?;
    check_tensors(first, &parts)?;
    Ok(parts)
}

fn check(part: &Part, key: &str, expected: u64) -> Result<(), Error> {
    if part.metadata.unsigned(key)? == Some(expected) {
        return Ok(());
    }
    Err(part.metadata.invalid(key, &expected.to_string()))
}

/// All tensors are there, each once.
fn check_tensors(first: &Part, others: &[Part]) -> Result<(), Error> {
    let mut paths: FxHashMap<&str, &Path> = FxHashMap::default();
    for part in std::iter::once(first).chain(others) {
        for name in part.tensors.keys() {
            if let Some(other) = paths.insert(name, &part.path) {
                let got = format!("one in {}, too", other.display());
                return Err(Fault::new("each name once", got).of_tensor(&part.path, name));
            }
        }
    }
    match first.metadata.unsigned(N_TENSORS)? {
        Some(n) if n != paths.len() as u64 => Err(first
            .metadata
            .invalid(N_TENSORS, &format!("{}, as many as there are", paths.len()))),
        _ => Ok(()),
    }
}
