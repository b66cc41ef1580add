//! [`Head`]: all of a file but the numbers.

use std::fs;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::fault::Fault;
use super::input::Input;
use super::metadata::Metadata;
use super::tensor::TensorInfo;
use super::value::Value;
use crate::error::Error;

const MAGIC: [u8; 4] = *b"GGUF";
const VERSIONS: [u32; 2] = [2, 3];

const ALIGNMENT: &str = "general.alignment";
const DEFAULT_ALIGNMENT: u64 = 32;

/// The least bytes of an entry of the metadata: the length of its key, its type and a value.
const MIN_ENTRY: u64 = 13;

/// The least bytes of a tensor in the table: the length of its name, one dimension with their number,
/// a type and an offset.
const MIN_TENSOR: u64 = 32;

/// What a file says before the numbers of its tensors begin.
pub(super) struct Head {
    pub(super) metadata: Metadata,
    pub(super) tensors: FxHashMap<String, TensorInfo>,
}

impl Head {
    /// Reads the head of a file of `n_bytes` and checks that all tensors are in the file.
    pub(super) fn read(path: &Path, file: &fs::File, n_bytes: u64) -> Result<Self, Error> {
        let mut input = Input::new(file, n_bytes);
        let counts = counts(&mut input).map_err(|fault| fault.of_tensor(path, ""))?;
        let metadata = metadata(path, &mut input, counts.n_entries)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = tensors(path, &mut input, counts.n_tensors)?;
        let head = input.position().next_multiple_of(alignment);
        for (name, tensor) in &mut tensors {
            let placed = tensor.place(head, alignment, n_bytes);
            placed.map_err(|fault| fault.of_tensor(path, name))?;
        }
        refuse_overlaps(&tensors).map_err(|(fault, name)| fault.of_tensor(path, name))?;
        Ok(Self { metadata, tensors })
    }
}

struct Counts {
    n_tensors: u64,
    n_entries: u64,
}

fn counts(input: &mut Input<'_>) -> Result<Counts, Fault> {
    let magic = input.array()?;
    if magic != MAGIC {
        return Err(Fault::new("a GGUF file, which begins with \"GGUF\"", format!("{magic:?}")));
    }
    let version = input.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(Fault::new("version 2 or 3, little-endian", format!("version {version}")));
    }
    let (n_tensors, n_entries) = (input.u64()?, input.u64()?);
    input.check_room(n_entries, MIN_ENTRY)?;
    input.check_room(n_tensors, MIN_TENSOR)?;
    Ok(Counts { n_tensors, n_entries })
}

fn metadata(path: &Path, input: &mut Input<'_>, n: u64) -> Result<Metadata, Error> {
    let mut metadata = Metadata::new(path);
    for index in 0..n {
        let unnamed = || format!("key {index} of {n}");
        let key = input.text().map_err(|fault| fault.of_key(path, &unnamed()))?;
        let value = Value::read(input).map_err(|fault| fault.of_key(path, &key))?;
        metadata.insert(key, value)?;
    }
    Ok(metadata)
}

fn alignment(metadata: &Metadata) -> Result<u64, Error> {
    let alignment = metadata.unsigned(ALIGNMENT)?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() && alignment <= 1 << 20 {
        Ok(alignment)
    } else {
        Err(metadata.invalid(ALIGNMENT, "a power of two up to 2^20"))
    }
}

fn tensors(
    path: &Path,
    input: &mut Input<'_>,
    n: u64,
) -> Result<FxHashMap<String, TensorInfo>, Error> {
    let mut tensors = FxHashMap::default();
    for index in 0..n {
        let unnamed = || format!("tensor {index} of {n}");
        let name = input.text().map_err(|fault| fault.of_tensor(path, &unnamed()))?;
        let tensor = TensorInfo::read(input).map_err(|fault| fault.of_tensor(path, &name))?;
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(Fault::new("each name once", "a second one").of_tensor(path, &name));
        }
    }
    Ok(tensors)
}

fn refuse_overlaps(tensors: &FxHashMap<String, TensorInfo>) -> Result<(), (Fault, &str)> {
    let mut in_order: Vec<_> = tensors.iter().collect();
    in_order.sort_unstable_by_key(|(_, tensor)| tensor.start);
    for pair in in_order.windows(2) {
        let [(before, first), (name, second)] = pair else { continue };
        if first.end() > second.start {
            let fault = Fault::new("numbers of its own", format!("some of {before}'s"));
            return Err((fault, name));
        }
    }
    Ok(())
}
