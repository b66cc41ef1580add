//! [`Pairs`]: with which two bytes the rest of a text may begin.

use super::bytes::ByteSet;
use super::lexeme::Lexeme;
use crate::error::Error;

/// For each first byte the second ones.
#[derive(Debug)]
pub(crate) struct Pairs(Box<[ByteSet; 256]>);

impl Pairs {
    /// Those of the texts of some terminals, and of what comes after these.
    pub(crate) fn new<'a>(
        lexemes: impl Iterator<Item = (&'a mut Lexeme, ByteSet)>,
    ) -> Result<Self, Error> {
        let mut pairs = Self(Box::new([ByteSet::default(); 256]));
        for (lexeme, first) in lexemes {
            for byte in first.bytes() {
                pairs.add(lexeme, byte)?;
            }
        }
        Ok(pairs)
    }

    fn add(&mut self, lexeme: &mut Lexeme, byte: u8) -> Result<(), Error> {
        let Some(start) = lexeme.start() else { return Ok(()) };
        let Some(at) = lexeme.step(start, byte)? else { return Ok(()) };
        let seconds = &mut self.0[usize::from(byte)];
        // What comes after it is anything.
        if lexeme.is_accepting(at) {
            seconds.extend(&(0..=255u8).collect());
            return Ok(());
        }
        match lexeme.next_bytes(at) {
            Some(few) => few.iter().for_each(|&second| seconds.insert(second)),
            None => {
                for second in 0..=255u8 {
                    if !seconds.contains(second) && lexeme.step(at, second)?.is_some() {
                        seconds.insert(second);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a text may begin with these; it is known of the first byte.
    pub(crate) fn may_begin(&self, text: &[u8]) -> bool {
        match text {
            [first, second, ..] => self.0[usize::from(*first)].contains(*second),
            _ => true,
        }
    }
}
