//! A [`Constraint`] as bytes: its source, and the automata of its patterns and formats.
//!
//! States, masks and goals are made as they are met, and are not stored. What takes time before that is
//! to determinise patterns. Which automaton belongs to a pattern depends on the engine, so its version
//! is stored, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::automaton::{read_dfa, write_dfa};
use super::grammar::{read_grammar, write_grammar};
use super::{Kind, Reader, Writer, open, seal};
use crate::constraint::Constraint;
use crate::dfa::Dfa;
use crate::error::Error;
use crate::grammar::Patterns;
use crate::json_schema::{
    Automata, EscapeStyle, FormatMode, JsonSchemaOptions, NumberStyle, Origin, PropertyOrder,
    Whitespace,
};
use crate::limits::Limits;
use crate::literals::Literals;
use crate::meter::Meter;
use crate::regex::RegexSyntax;
use crate::source::{GrammarSource, SchemaSource, Source};
use crate::vocabulary::Vocabulary;

/// The version of the engine.
const ENGINE: &str = env!("CARGO_PKG_VERSION");
/// The least that an automaton takes.
const MIN_DFA_BYTES: usize = 256;

const SCHEMA: u8 = 1;
const REGEX: u8 = 2;
const CHOICE: u8 = 3;
const GRAMMAR: u8 = 4;

const PATTERN: u8 = 1;
const FORMAT: u8 = 2;

impl Constraint {
    /// The constraint as bytes, for [`from_bytes`](Self::from_bytes).
    ///
    /// They hold what it was compiled from and the automata of its patterns and formats, but not what
    /// its matchers found out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.text(ENGINE.as_bytes());
        out.raw(&self.vocabulary().fingerprint().to_le_bytes());
        match self.source() {
            Source::JsonSchema(source) => {
                out.u8(SCHEMA);
                write_schema(source, &mut out);
            }
            Source::Regex { pattern, syntax, dfa } => {
                out.u8(REGEX);
                out.u8(u8::from(*syntax == RegexSyntax::Ecma));
                out.text(pattern.as_bytes());
                write_dfa(dfa, &mut out);
            }
            Source::Choice(texts) => {
                out.u8(CHOICE);
                out.count(texts.iter().count());
                for text in texts.iter() {
                    out.text(text);
                }
            }
            Source::Grammar(source) => {
                out.u8(GRAMMAR);
                write_options(source.options, &mut out);
                write_grammar(&source.grammar, &mut out);
            }
        }
        seal(Kind::Constraint, &out.finish())
    }

    /// The constraint that [`to_bytes`](Self::to_bytes) wrote, for the same vocabulary. The automata of its
    /// patterns and formats are not made again.
    ///
    /// Another version of the engine refuses the bytes, as it may understand a pattern in another way:
    /// compile again where this is an error. Bytes from a source that you don't trust are safe to load;
    /// but what they accept is what they say, not what their schema says.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use espalier_constraint::{Constraint, Error, Vocabulary};
    ///
    /// let tokens = vec![b"a".to_vec(), b"b".to_vec(), Vec::new()];
    /// let vocabulary = Arc::new(Vocabulary::new(tokens, &[2], &[])?);
    /// let bytes = Constraint::regex("a+b", &vocabulary)?.to_bytes();
    /// let loaded = Constraint::from_bytes(&bytes, &vocabulary)?;
    /// assert!(loaded.matcher().accept_text(b"ab").is_ok());
    ///
    /// let other = Arc::new(Vocabulary::new(vec![b"a".to_vec(), Vec::new()], &[1], &[])?);
    /// let error = Constraint::from_bytes(&bytes, &other).unwrap_err();
    /// assert!(matches!(error, Error::InvalidSerialized { part: "vocabulary", .. }));
    /// # Ok::<(), espalier_constraint::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSerialized`] for bytes that are damaged, of another version or for another
    /// vocabulary; [`Error::LimitExceeded`], as the default limits hold for what is loaded. If someone
    /// made them up, also those of compiling.
    pub fn from_bytes(bytes: &[u8], vocabulary: &Arc<Vocabulary>) -> Result<Self, Error> {
        let mut input = open(Kind::Constraint, bytes)?;
        let engine = input.utf8("engine")?;
        if engine != ENGINE {
            return Err(input.wrong("engine", ENGINE, engine));
        }
        let fingerprint = input.bytes(16, "vocabulary")?;
        if fingerprint != vocabulary.fingerprint().to_le_bytes() {
            let expected = "the vocabulary that it was compiled for";
            return Err(input.wrong("vocabulary", expected, format!("{vocabulary:?}")));
        }
        let reading = Meter::compiling(Limits::default(), None);
        let source = match input.u8("source")? {
            SCHEMA => Source::JsonSchema(read_schema(&mut input, &reading)?),
            REGEX => read_regex(&mut input, &reading)?,
            CHOICE => read_choice(&mut input)?,
            GRAMMAR => {
                let options = read_options(&mut input)?;
                let grammar = Arc::new(read_grammar(&mut input)?);
                Source::Grammar(GrammarSource { grammar, options, patterns: Patterns::default() })
            }
            other => return Err(input.wrong("source", "1 to 4", other.to_string())),
        };
        input.end()?;
        let meter = Meter::compiling(Limits::default(), None);
        let constraint = Self::of_source(source, vocabulary, meter)?;
        match constraint.source() {
            Source::JsonSchema(SchemaSource { automata, .. }) => automata.check_all_used()?,
            Source::Regex { .. } | Source::Choice(_) | Source::Grammar(_) => {}
        }
        Ok(constraint)
    }
}

fn write_schema(source: &SchemaSource, out: &mut Writer) {
    write_options(source.options, out);
    out.text(source.schema.as_bytes());
    out.count(source.documents.len());
    for (uri, text) in &source.documents {
        out.text(uri.as_bytes());
        out.text(text.as_bytes());
    }
    let automata = source.automata.used();
    out.count(automata.len());
    for (origin, dfa) in automata {
        let (kind, text) = match origin {
            Origin::Pattern(pattern) => (PATTERN, pattern),
            Origin::Format(name) => (FORMAT, name),
        };
        out.u8(kind);
        out.text(text.as_bytes());
        write_dfa(dfa, out);
    }
}

fn read_schema(input: &mut Reader<'_>, meter: &Meter) -> Result<SchemaSource, Error> {
    let options = read_options(input)?;
    let schema = input.utf8("schema")?.to_owned();
    let n_documents = input.count(8, "documents")?;
    let mut documents = Vec::with_capacity(n_documents);
    for _ in 0..n_documents {
        documents.push((input.utf8("documents")?.to_owned(), input.utf8("documents")?.to_owned()));
    }
    let mut automata = BTreeMap::new();
    for _ in 0..input.count(MIN_DFA_BYTES, "automata")? {
        let (origin, dfa) = read_automaton(input, meter)?;
        if let Some((last, _)) = automata.last_key_value().filter(|(last, _)| **last >= origin) {
            return Err(input.wrong(
                "automata",
                format!("one after {last:?}"),
                format!("{origin:?}"),
            ));
        }
        automata.insert(origin, dfa);
    }
    Ok(SchemaSource { schema, documents, options, automata: Automata::loaded(automata) })
}

fn read_automaton(input: &mut Reader<'_>, meter: &Meter) -> Result<(Origin, Arc<Dfa>), Error> {
    let kind = input.u8("automata")?;
    let text = input.utf8("automata")?.to_owned();
    let origin = match kind {
        PATTERN => Origin::Pattern(text),
        FORMAT => Origin::Format(text),
        other => return Err(input.wrong("automata", "1 or 2", other.to_string())),
    };
    Ok((origin, Arc::new(read_dfa(input, meter)?)))
}

fn read_regex(input: &mut Reader<'_>, meter: &Meter) -> Result<Source, Error> {
    let syntax = one_of(input, "syntax", [RegexSyntax::Rust, RegexSyntax::Ecma])?;
    let pattern = input.utf8("pattern")?.to_owned();
    Ok(Source::Regex { pattern, syntax, dfa: Arc::new(read_dfa(input, meter)?) })
}

fn read_choice(input: &mut Reader<'_>) -> Result<Source, Error> {
    let n_texts = input.count(4, "choices")?;
    let mut texts: Vec<Arc<[u8]>> = Vec::with_capacity(n_texts);
    for _ in 0..n_texts {
        texts.push(input.text("choices")?.into());
    }
    if !texts.is_sorted_by(|a, b| a < b) {
        return Err(input.wrong("choices", "texts in ascending order", "another order"));
    }
    Ok(Source::Choice(Arc::new(Literals::new(texts))))
}

fn write_options(options: JsonSchemaOptions, out: &mut Writer) {
    let JsonSchemaOptions { whitespace, property_order, numbers, escapes, format } = options;
    let (whitespace, max) = match whitespace {
        Whitespace::Compact => (0, 0),
        Whitespace::Spaced => (1, 0),
        Whitespace::Any => (2, 0),
        Whitespace::Max(max) => (3, max),
    };
    out.raw(&[whitespace, max]);
    out.u8(u8::from(property_order == PropertyOrder::Any));
    out.u8(u8::from(numbers == NumberStyle::Any));
    out.u8(u8::from(escapes == EscapeStyle::Any));
    out.u8(u8::from(format == FormatMode::Ignore));
}

fn read_options(input: &mut Reader<'_>) -> Result<JsonSchemaOptions, Error> {
    let whitespace = match (input.u8("options")?, input.u8("options")?) {
        (0, 0) => Whitespace::Compact,
        (1, 0) => Whitespace::Spaced,
        (2, 0) => Whitespace::Any,
        (3, max) => Whitespace::Max(max),
        (other, _) => {
            return Err(input.wrong("options", "a style of white space", other.to_string()));
        }
    };
    Ok(JsonSchemaOptions {
        whitespace,
        property_order: one_of(input, "options", [PropertyOrder::Schema, PropertyOrder::Any])?,
        numbers: one_of(input, "options", [NumberStyle::Plain, NumberStyle::Any])?,
        escapes: one_of(input, "options", [EscapeStyle::Minimal, EscapeStyle::Any])?,
        format: one_of(input, "options", [FormatMode::Assert, FormatMode::Ignore])?,
    })
}

fn one_of<T: Copy>(input: &mut Reader<'_>, part: &'static str, values: [T; 2]) -> Result<T, Error> {
    let index = input.u8(part)?;
    let value = values.get(usize::from(index)).copied();
    value.ok_or_else(|| input.wrong(part, "0 or 1", index.to_string()))
}
