//! `Espalier.Limits`.

use espalier_constraint::Limits;
use rustler::{Decoder, Error, NifResult, Term};

/// Limits of which those in a keyword list are other than the defaults.
pub(crate) struct Given(pub(crate) Limits);

impl<'a> Decoder<'a> for Given {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let mut limits = Limits::default();
        for (name, value) in term.decode::<Vec<(Term, usize)>>()? {
            if !limits.set(&name.atom_to_string()?, value) {
                return Err(Error::BadArg);
            }
        }
        Ok(Self(limits))
    }
}

/// All limits by name, with their defaults.
#[rustler::nif]
fn limits_default() -> Vec<(&'static str, usize)> {
    let limits = Limits::default();
    Limits::NAMES.iter().map(|name| (*name, limits.get(name).unwrap_or_default())).collect()
}
