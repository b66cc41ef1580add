//! [`Input`]: the head of a file, read from its first byte on.

use std::fs;
use std::io::{BufReader, Read};

use super::fault::Fault;

/// The longest head that is read. Those of models with the largest vocabularies have some 20 MB.
const MAX_HEAD: u64 = 1 << 26;

/// The bytes of the head. What the file says about sizes is compared with what it still has, before
/// memory is taken for it.
pub(super) struct Input<'a> {
    reader: BufReader<&'a fs::File>,
    position: u64,
    end: u64,
}

impl<'a> Input<'a> {
    /// The head of a file of `n_bytes`.
    pub(super) fn new(file: &'a fs::File, n_bytes: u64) -> Self {
        Self { reader: BufReader::new(file), position: 0, end: n_bytes.min(MAX_HEAD) }
    }

    /// The number of bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether `n` items of at least `size` bytes each may follow.
    pub(super) fn check_room(&self, n: u64, size: u64) -> Result<(), Fault> {
        let left = self.end - self.position;
        if n.checked_mul(size).is_some_and(|n_bytes| n_bytes <= left) {
            return Ok(());
        }
        let expected = format!("at most {left} more bytes in the head of the file");
        Err(Fault::new(expected, format!("{n} items of {size} bytes or more")))
    }

    pub(super) fn bytes(&mut self, n: u64) -> Result<Vec<u8>, Fault> {
        self.check_room(n, 1)?;
        let mut bytes = vec![0; n as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text with its length in front of it.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        let n_bytes = self.u64()?;
        let bytes = self.bytes(n_bytes)?;
        String::from_utf8(bytes).map_err(|error| Fault::new("a text in UTF-8", error))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.check_room(N as u64, 1)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        let n = bytes.len();
        let read = self.reader.read_exact(bytes);
        read.map_err(|error| Fault::new(format!("{n} more bytes"), error))?;
        self.position += n as u64;
        Ok(())
    }
}
