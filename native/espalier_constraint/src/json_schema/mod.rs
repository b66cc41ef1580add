//! JSON Schema as a machine over bytes.
//!
//! The way from the text of a schema to a state, by file:
//!
//! - `parse`, `schema`, `nodes`: the text, checked and laid out as nodes, one for each statement
//! - `draft`, `resources`, `place`: the versions of JSON Schema, and what references lead to
//! - `format`: the languages of the keyword `format`; `automata`, `pattern_cache`: those of a schema, made,
//!   kept or loaded
//! - `goals`: sets of literals that must hold together, for each JSON type as leaves
//! - `expand`, `clauses`, `contradiction`, `evaluated`: how a goal falls apart into alternatives
//! - `scalar`, `array`, `object`, `key_classes`: what the alternatives leave of each type; `combined`: of
//!   strings whose alternatives are many
//! - `cost`, `plan`: which goals some value satisfies, and how short its text can be
//! - `number_range`, `number`, `decimal`: ranges of exact numbers, read digit by digit
//! - `number_rest`, `inside`: numbers and strings, walked without making states
//! - `language`, `string`: languages of strings, read through the decoder of escapes
//! - `frame`: open objects and arrays with their live alternatives; `keys`, `texts`: their keys
//! - `state`, `machine`: all of it on one stack
//! - `completion`: how a partly read value ends soonest
//! - `export`: the schema as the rules of a grammar

mod array;
mod automata;
mod canonical;
mod clauses;
mod combined;
mod completion;
mod contradiction;
mod cost;
mod decimal;
mod distinct;
mod draft;
mod evaluated;
mod expand;
mod export;
mod format;
mod frame;
mod goals;
mod inside;
mod json;
mod key_classes;
mod keys;
mod language;
mod machine;
mod matching;
mod multiples;
mod nodes;
mod number;
mod number_completion;
mod number_multiples;
mod number_range;
mod number_rest;
mod object;
mod parse;
mod pattern_cache;
mod place;
mod plan;
mod resources;
mod scalar;
mod schema;
mod state;
mod string;
mod texts;

use crate::error::Error;
use crate::meter::Meter;
pub(crate) use automata::{Automata, Origin};
pub(crate) use export::{Exported, lower as export};
pub(crate) use inside::{PatternLanguages, StringRest};
pub(crate) use machine::JsonMachine;
pub(crate) use number::NumberPrefix;
pub(crate) use number_range::NumberRange;
pub(crate) use number_rest::NumberRest;
pub(crate) use string::{Characters, Content, Decoder, bytes_after};

/// Compiles the text of a schema. `others` are the texts of documents that it may refer to, by URI;
/// `automata` are asked for those of its patterns and formats.
///
/// # Errors
/// Those of the schema's text, [`Error::Unsatisfiable`], [`Error::LimitExceeded`] and
/// [`Error::Cancelled`].
pub(crate) fn compile(
    schema: &str,
    others: &[(&str, &str)],
    options: JsonSchemaOptions,
    automata: &mut Automata,
    meter: &Meter,
) -> Result<JsonMachine, Error> {
    let schema = schema::Schema::parse(schema, others, options, automata, meter)?;
    JsonMachine::new(goals::Goals::new(schema, options)).check_satisfiable()
}

/// How the text of a value may look. Which values are valid is the schema's matter alone, but for
/// [`FormatMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonSchemaOptions {
    /// White space between the parts of a value.
    pub whitespace: Whitespace,
    /// The order of the keys of an object.
    pub property_order: PropertyOrder,
    /// How numbers are spelled.
    pub numbers: NumberStyle,
    /// How characters of strings are spelled.
    pub escapes: EscapeStyle,
    /// Whether strings have the format that the schema names.
    pub format: FormatMode,
}

/// White space between the parts of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// None.
    Compact,
    /// One space after each comma and colon, and none elsewhere.
    Spaced,
    /// At most so many characters in each place.
    Max(u8),
    /// Any.
    Any,
}

/// The order of the keys of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PropertyOrder {
    /// Named properties in the order of the schema, then required ones without a schema, then
    /// others.
    Schema,
    /// Any order.
    Any,
}

/// How numbers are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberStyle {
    /// No exponents; integers without a fraction.
    Plain,
    /// As JSON allows: `1e3`, and `1.0` for an integer.
    Any,
}

/// How characters of strings are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EscapeStyle {
    /// Only the escapes that JSON requires, in their short form where there is one.
    Minimal,
    /// As JSON allows.
    Any,
}

/// Whether strings have the format that the schema names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatMode {
    /// They do, in every draft. A format that is not known says nothing.
    Assert,
    /// The keyword is an annotation.
    Ignore,
}

impl JsonSchemaOptions {
    /// For text that a model writes: one spelling for each value, in the schema's order.
    #[must_use]
    pub fn generating() -> Self {
        Self {
            whitespace: Whitespace::Compact,
            property_order: PropertyOrder::Schema,
            numbers: NumberStyle::Plain,
            escapes: EscapeStyle::Minimal,
            format: FormatMode::Assert,
        }
    }

    /// For text that comes from elsewhere: whatever a JSON parser reads.
    #[must_use]
    pub fn matching() -> Self {
        Self {
            whitespace: Whitespace::Any,
            property_order: PropertyOrder::Any,
            numbers: NumberStyle::Any,
            escapes: EscapeStyle::Any,
            format: FormatMode::Assert,
        }
    }
}
