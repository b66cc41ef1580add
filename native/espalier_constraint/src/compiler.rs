//! [`Compiler`]: a constraint, with limits of one's own.

use std::sync::Arc;

use crate::constraint::Constraint;
use crate::error::Error;
use crate::grammar::rules::Grammar;
use crate::grammar::{self, GrammarOptions, Patterns, parts};
use crate::json_schema::{Automata, JsonSchemaOptions};
use crate::limits::{Limits, limit};
use crate::literals::Literals;
use crate::meter::{Cancellation, Meter};
use crate::regex::{self, RegexSyntax};
use crate::source::{GrammarSource, SchemaSource, Source};
use crate::vocabulary::Vocabulary;

/// Compiles constraints for a vocabulary, with other than the default limits, so that another thread can
/// end it, or with documents that a schema refers to. [`Constraint`] has short forms without all that.
///
/// ```
/// use std::sync::Arc;
/// use espalier_constraint::{Compiler, Error, JsonSchemaOptions, Limits, Vocabulary};
///
/// let tokens = (0..=255).map(|byte| vec![byte]).chain([Vec::new()]).collect();
/// let vocabulary = Arc::new(Vocabulary::new(tokens, &[256], &[])?);
/// let mut limits = Limits::default();
/// limits.enum_members = 2;
/// let schema = r#"{"enum": [1, 2, 3]}"#;
/// let compiled =
///     Compiler::new(&vocabulary).limits(limits).json_schema(schema, &JsonSchemaOptions::generating());
/// let error = compiled.unwrap_err();
/// assert!(matches!(error, Error::LimitExceeded { limit: "enum_members", value: 2, .. }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is compiled yet"]
pub struct Compiler<'a> {
    vocabulary: &'a Arc<Vocabulary>,
    limits: Limits,
    cancellation: Option<Cancellation>,
    documents: Vec<(&'a str, &'a str)>,
}

impl<'a> Compiler<'a> {
    /// A compiler with the default limits.
    pub fn new(vocabulary: &'a Arc<Vocabulary>) -> Self {
        let (limits, cancellation, documents) = (Limits::default(), None, Vec::new());
        Self { vocabulary, limits, cancellation, documents }
    }

    /// Sets the limits, of compiling and of the matchers of the constraint.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The handle ends the compiling. It has no part in what the constraint does later, see
    /// [`Matcher::with_cancellation`](crate::Matcher::with_cancellation).
    pub fn cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Adds a document that a schema may refer to by this URI. Nothing is ever fetched.
    pub fn document(mut self, uri: &'a str, text: &'a str) -> Self {
        self.documents.push((uri, text));
        self
    }

    /// As [`Constraint::json_schema`].
    ///
    /// # Errors
    /// As there, and [`Error::InvalidLimit`], [`Error::Cancelled`].
    pub fn json_schema(
        self,
        schema: &str,
        options: &JsonSchemaOptions,
    ) -> Result<Constraint, Error> {
        let meter = self.meter()?;
        let owned = |(uri, text): &(&str, &str)| ((*uri).to_owned(), (*text).to_owned());
        let source = SchemaSource {
            schema: schema.to_owned(),
            documents: self.documents.iter().map(owned).collect(),
            options: *options,
            automata: Automata::default(),
        };
        Constraint::of_source(Source::JsonSchema(source), self.vocabulary, meter)
    }

    /// As [`Constraint::regex`], in a syntax of one's choice.
    ///
    /// # Errors
    /// As there, and [`Error::InvalidLimit`], [`Error::Cancelled`].
    pub fn regex(self, pattern: &str, syntax: RegexSyntax) -> Result<Constraint, Error> {
        let meter = self.meter()?;
        let dfa = Arc::new(regex::compile_whole(pattern, syntax, &meter)?);
        let source = Source::Regex { pattern: pattern.to_owned(), syntax, dfa };
        Constraint::of_source(source, self.vocabulary, meter)
    }

    /// As [`Constraint::choice`].
    ///
    /// # Errors
    /// As there, and [`Error::InvalidLimit`], [`Error::Cancelled`].
    pub fn choice<T: AsRef<[u8]>>(self, choices: &[T]) -> Result<Constraint, Error> {
        let meter = self.meter()?;
        limit!(self.limits, enum_members).check(choices.len())?;
        let n_bytes = choices.iter().map(|text| text.as_ref().len()).sum();
        limit!(self.limits, enum_bytes).check(n_bytes)?;
        meter.spend(choices.len())?;
        let texts = choices.iter().map(|text| text.as_ref().into()).collect();
        let source = Source::Choice(Arc::new(Literals::new(texts)));
        Constraint::of_source(source, self.vocabulary, meter)
    }

    /// Text that is made of parts: literal texts, regular expressions, grammars, JSON, free text up to some others, in
    /// sequences, choices and repetitions. They are told as JSON, an object each:
    ///
    /// | member | the text |
    /// | --- | --- |
    /// | `"literal"` | this text |
    /// | `"regex"`, `"syntax"` | a text that the pattern matches as a whole, in the syntax `"rust"` (by default) or `"ecma"` |
    /// | `"grammar"`, `"syntax"`, `"start"` | one of the grammar as [`Constraint::grammar`] takes it, in the syntax `"lark"` (by default) or `"gbnf"`; without `"start"` whole texts are those of `start` or `root` |
    /// | `"json_schema"` | JSON of the schema, of which this is the text |
    /// | `"sequence"` | those of all parts of the list, one after the other |
    /// | `"choice"` | that of one part of the list |
    /// | `"repeat"`, `"min"`, `"max"` | that of the part, so often; without `"max"` as often as one likes |
    /// | `"until"`, `"end"` | any text up to the first of these texts, with the one of the index `"end"`; with `null`, a text without any of them |
    /// | and `"max_tokens"` | the same; when that many tokens lie in the text, it ends as soon as it can |
    /// | `"special_token"` | the special token of that name, see [`Vocabulary::with_special_names`]; where there is none, the name as a text |
    /// | `"capture"`, `"of"` | that of the part, by a name, see [`Constraint::captures`] |
    ///
    /// With `"max_tokens"` the text of an `"until"` ends as soon as it can once that many tokens lie in it, wholly or
    /// in part: a character that has begun is finished, and then follows the text `"end"` or what is left of it,
    /// which counts for nothing. The tokens are those that a [`Matcher`](crate::Matcher) accepted since the text began;
    /// [texts](crate::Matcher::accept_text) have none. To look for captures nothing is counted.
    ///
    /// The options are for the schemas among them, also for those within grammars. The rules of a grammar have
    /// nothing to do with those of another one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use espalier_constraint::{Compiler, JsonSchemaOptions, Vocabulary};
    ///
    /// let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    /// tokens.push(Vec::new()); // the end-of-sequence token, id 256
    /// let vocabulary = Arc::new(Vocabulary::new(tokens, &[256], &[])?);
    /// let parts = r#"{"sequence": [
    ///     {"capture": "thoughts", "of": {"until": ["\n"], "end": 0}},
    ///     {"capture": "age", "of": {"regex": "[0-9]+"}}
    /// ]}"#;
    /// let options = JsonSchemaOptions::generating();
    /// let constraint = Compiler::new(&vocabulary).parts(parts, &options)?;
    /// let captures = constraint.captures(b"Let me see.\n36")?.unwrap();
    /// assert_eq!((&captures[1].name[..], captures[1].range.clone()), ("age", 12..14));
    /// # Ok::<(), espalier_constraint::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidParts`], [`Error::InvalidPart`] for grammars, expressions and schemas, [`Error::EmptyGrammar`],
    /// [`Error::LimitExceeded`] and, of the compiler, [`Error::InvalidLimit`], [`Error::Cancelled`].
    pub fn parts(self, parts: &str, options: &JsonSchemaOptions) -> Result<Constraint, Error> {
        limit!(self.limits, grammar_bytes).check(parts.len())?;
        let meter = self.meter()?;
        let grammar = parts::read(parts, &meter)?;
        self.of_rules(grammar, *options, meter)
    }

    /// As [`Constraint::grammar`].
    ///
    /// # Errors
    /// As there, and [`Error::InvalidLimit`], [`Error::Cancelled`].
    pub fn grammar(self, text: &str, options: &GrammarOptions) -> Result<Constraint, Error> {
        let meter = self.meter()?;
        let grammar = grammar::parse(text, options, &meter)?;
        self.of_rules(grammar, options.json_schema, meter)
    }

    /// The same with rules that are read already.
    #[cfg(test)]
    pub(crate) fn rules(
        self,
        grammar: Grammar,
        options: JsonSchemaOptions,
    ) -> Result<Constraint, Error> {
        let meter = self.meter()?;
        self.of_rules(grammar, options, meter)
    }

    fn of_rules(
        self,
        grammar: Grammar,
        options: JsonSchemaOptions,
        meter: Meter,
    ) -> Result<Constraint, Error> {
        let (grammar, patterns) = (Arc::new(grammar), Patterns::default());
        let source = GrammarSource { grammar, options, patterns };
        Constraint::of_source(Source::Grammar(source), self.vocabulary, meter)
    }

    fn meter(&self) -> Result<Meter, Error> {
        self.limits.check()?;
        let meter = Meter::compiling(self.limits.clone(), self.cancellation.clone());
        meter.check()?;
        Ok(meter)
    }
}
