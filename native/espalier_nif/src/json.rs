//! `Espalier.JSON`: text to terms. (Terms become text in Elixir.)

use std::cell::Cell;
use std::fmt;

use rustler::{Atom, BigInt, Binary, Encoder, Env, NifResult, Term};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::atoms;
use crate::error::Fault;
use crate::guard;
use crate::vocabulary::binary;

/// Objects and arrays may be nested so deep: what `serde_json` allows.
const MAX_DEPTH: usize = 127;

/// An integer may have so many digits: reading takes time by the square of their number.
const MAX_DIGITS: usize = 100_000;

/// The key under which `serde_json` hands out numbers that are not small integers.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// What becomes of objects and numbers.
#[derive(Clone, Copy)]
struct Style {
    /// Whether objects become `Espalier.JSON.Object`, with all members in their order, instead of
    /// maps. In a map the last of equal keys counts.
    ordered_objects: bool,
    /// Whether numbers become `Espalier.JSON.Number`, as they are written.
    exact_numbers: bool,
}

#[rustler::nif(schedule = "DirtyCpu")]
fn json_decode<'a>(
    env: Env<'a>,
    text: Binary<'a>,
    ordered_objects: bool,
    exact_numbers: bool,
) -> Result<Term<'a>, Fault> {
    guard::catch(|| decode(env, &text, Style { ordered_objects, exact_numbers }))
}

fn decode<'a>(env: Env<'a>, text: &[u8], style: Style) -> Result<Term<'a>, Fault> {
    let refused = Cell::new(None);
    let reader = Reader { env, style, refused: &refused };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let term = reader.deserialize(&mut deserializer);
    let term = term.and_then(|term| deserializer.end().map(|()| term));
    term.map_err(|error| refused.take().unwrap_or_else(|| fault(&error)))
}

/// A `serde_json` error as one of ours.
pub(crate) fn fault(error: &serde_json::Error) -> Fault {
    let message = error.to_string();
    if message.starts_with("recursion limit exceeded") {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        return Fault::new(atoms::json_depth(), message, [(atoms::limit(), MAX_DEPTH.into())]);
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let detail = message.strip_suffix(&place).unwrap_or(&message);
    Fault::new(atoms::json_syntax(), format!("not JSON: {message}"), [])
        .with(atoms::detail(), detail)
        .with(atoms::line(), error.line())
        .with(atoms::column(), error.column())
}

/// Builds the term of one value.
#[derive(Clone, Copy)]
struct Reader<'a, 'r> {
    env: Env<'a>,
    style: Style,
    /// A number that has no term: `serde_json` carries texts as errors and nothing else.
    refused: &'r Cell<Option<Fault>>,
}

impl<'de, 'a> DeserializeSeed<'de> for Reader<'a, '_> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Term<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'a> Visitor<'de> for Reader<'a, '_> {
    type Value = Term<'a>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Term<'a>, E> {
        Ok(atoms::nil().encode(self.env))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Term<'a>, E> {
        self.number(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Term<'a>, E> {
        self.number(&value.to_string())
    }

    fn visit_str<E>(self, value: &str) -> Result<Term<'a>, E> {
        Ok(binary(self.env, value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Term<'a>, A::Error> {
        let mut terms = Vec::new();
        while let Some(term) = items.next_element_seed(self)? {
            terms.push(term);
        }
        Ok(terms.encode(self.env))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Term<'a>, A::Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        while let Some(key) = members.next_key::<String>()? {
            if key == NUMBER_KEY && keys.is_empty() {
                let digits: String = members.next_value()?;
                return self.number(&digits);
            }
            keys.push(binary(self.env, key.as_bytes()));
            values.push(members.next_value_seed(self)?);
        }
        self.object(&keys, &values).map_err(|_| A::Error::custom("no object"))
    }
}

impl<'a> Reader<'a, '_> {
    fn object(self, keys: &[Term<'a>], values: &[Term<'a>]) -> NifResult<Term<'a>> {
        let members = keys.iter().zip(values);
        if self.style.ordered_objects {
            let members: Vec<_> = members.collect();
            return self.structure(atoms::json_object(), atoms::members(), members);
        }
        Term::map_from_term_arrays(self.env, keys, values).or_else(|_| {
            let empty = Ok(Term::map_new(self.env));
            members.fold(empty, |map, (key, value)| map?.map_put(key, value))
        })
    }

    /// A struct with one field.
    fn structure(self, name: Atom, field: Atom, value: impl Encoder) -> NifResult<Term<'a>> {
        Term::map_new(self.env).map_put(atoms::struct_key(), name)?.map_put(field, value)
    }

    fn number<E: serde::de::Error>(self, text: &str) -> Result<Term<'a>, E> {
        if self.style.exact_numbers {
            let number = self.structure(atoms::json_number_struct(), atoms::text(), text);
            return number.map_err(|_| E::custom("no number"));
        }
        let term =
            if text.contains(['.', 'e', 'E']) { self.float(text) } else { self.integer(text) };
        term.map_err(|message| {
            let details = [(atoms::detail(), text.chars().take(100).collect::<String>().into())];
            self.refused.set(Some(Fault::new(atoms::json_number(), message, details)));
            E::custom("number out of range")
        })
    }

    fn float(self, text: &str) -> Result<Term<'a>, String> {
        let value: Option<f64> = text.parse().ok().filter(|value: &f64| value.is_finite());
        let value = value.ok_or_else(|| "a number is outside of the range of floats".to_owned())?;
        Ok(value.encode(self.env))
    }

    fn integer(self, text: &str) -> Result<Term<'a>, String> {
        if let Ok(value) = text.parse::<i64>() {
            return Ok(value.encode(self.env));
        }
        let value: Option<BigInt> = (text.len() <= MAX_DIGITS).then(|| text.parse().ok()).flatten();
        let value = value.ok_or_else(|| format!("an integer has more than {MAX_DIGITS} digits"))?;
        Ok(value.encode(self.env))
    }
}
