//! [`Constraint`]: compiled, immutable, shared.

use std::sync::{Arc, Mutex, PoisonError};

use crate::automaton::{Automaton, LazyAutomaton};
use crate::compiler::Compiler;
use crate::dfa::DEAD;
use crate::error::Error;
use crate::grammar::GrammarOptions;
use crate::grammar::captures::Readers;
use crate::grammar::special_tokens::SpecialTokens;
use crate::json_schema::JsonSchemaOptions;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::matcher::Matcher;
use crate::meter::Meter;
use crate::regex::RegexSyntax;
use crate::replicas::Replicas;
use crate::source::{Capture, ConstraintKind, Source, UnusedRule};
use crate::vocabulary::Vocabulary;

/// What a text must be, compiled for one vocabulary.
///
/// Cloning is cheap. All matchers of a constraint, on whichever threads, share what was computed
/// for its states. [`Compiler`] compiles with other limits, or with documents that a schema refers to.
#[derive(Clone, Debug)]
pub struct Constraint {
    replicas: Arc<Replicas>,
    vocabulary: Arc<Vocabulary>,
    source: Arc<Source>,
    limits: Arc<Limits>,
    special_tokens: Arc<SpecialTokens>,
    /// What finds captures, once it was needed, unless somebody has it just now.
    readers: Arc<Mutex<Option<Readers>>>,
    unknown_keywords: Arc<[String]>,
    unused_rules: Arc<[UnusedRule]>,
}

impl Constraint {
    /// The JSON text of a value that satisfies the schema.
    ///
    /// `schema` is the text of a JSON Schema; the order of its properties matters with
    /// [`PropertyOrder::Schema`](crate::PropertyOrder::Schema). All keywords of drafts 4 to 2020-12
    /// are enforced; `$schema` names the draft, 2020-12 otherwise.
    /// Keywords that JSON Schema doesn't know are annotations, see
    /// [`unknown_keywords`](Self::unknown_keywords).
    ///
    /// # Errors
    /// [`Error::InvalidJson`], [`Error::InvalidSchema`], [`Error::UnsupportedKeyword`],
    /// [`Error::Unsatisfiable`], [`Error::InvalidRegex`], [`Error::UnsupportedRegex`] and
    /// [`Error::LimitExceeded`], each with the place in the schema.
    pub fn json_schema(
        schema: &str,
        options: &JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Compiler::new(vocabulary).json_schema(schema, options)
    }

    /// Text that matches the pattern as a whole, in the syntax of the `regex` crate; [`Compiler::regex`]
    /// takes that of ECMA 262, too.
    ///
    /// # Errors
    /// [`Error::InvalidRegex`], [`Error::UnsupportedRegex`], [`Error::LimitExceeded`], and
    /// [`Error::Unsatisfiable`] for a pattern that matches nothing.
    pub fn regex(pattern: &str, vocabulary: &Arc<Vocabulary>) -> Result<Self, Error> {
        Compiler::new(vocabulary).regex(pattern, RegexSyntax::Rust)
    }

    /// Text of a context-free grammar, in the syntax of Lark or in GBNF.
    ///
    /// A text is accepted if the start derives it, whichever way it is cut into terminals. Rules that no text
    /// needs are fine, see [`unused_rules`](Self::unused_rules).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use espalier_constraint::{Constraint, GrammarOptions, Vocabulary};
    ///
    /// let tokens = (0..=255).map(|byte| vec![byte]).chain([Vec::new()]).collect();
    /// let vocabulary = Arc::new(Vocabulary::new(tokens, &[256], &[])?);
    /// let grammar = r#"
    ///     start: sum
    ///     sum: (sum ("+" | "-"))? (INT | "(" sum ")")
    ///     %import common.INT
    ///     %ignore " "
    /// "#;
    /// let constraint = Constraint::grammar(grammar, &GrammarOptions::lark(), &vocabulary)?;
    /// let mut matcher = constraint.matcher();
    /// matcher.accept_text(b"12 - (3 + 4)")?;
    /// assert!(matcher.is_accepting()?);
    /// # Ok::<(), espalier_constraint::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::InvalidTerminal`],
    /// [`Error::UndefinedName`], [`Error::DuplicateName`], [`Error::RecursiveTerminal`] and
    /// [`Error::EmptyGrammar`], each with its place, and [`Error::LimitExceeded`].
    pub fn grammar(
        text: &str,
        options: &GrammarOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Compiler::new(vocabulary).grammar(text, options)
    }

    /// One of the texts.
    ///
    /// # Errors
    /// [`Error::EmptyChoice`], [`Error::LimitExceeded`].
    pub fn choice<T: AsRef<[u8]>>(
        choices: &[T],
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Compiler::new(vocabulary).choice(choices)
    }

    /// A matcher at the start of a new sequence.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        Matcher::new(self.replicas.clone(), self.vocabulary.clone(), self.special_tokens.clone())
    }

    /// The vocabulary that the constraint was compiled for.
    #[must_use]
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The places, as JSON Pointers, of keywords in the schema that its draft of JSON Schema doesn't
    /// know, of those that mean nothing without another one that is missing, and of unknown formats.
    /// JSON Schema takes them as annotations, so they state nothing; a misspelt keyword is among
    /// them.
    #[must_use]
    pub fn unknown_keywords(&self) -> &[String] {
        &self.unknown_keywords
    }

    /// The rules of a grammar that no text needs. They state nothing; a misspelt name is among them.
    #[must_use]
    pub fn unused_rules(&self) -> &[UnusedRule] {
        &self.unused_rules
    }

    /// The parts of a text that have a name, in the order in which they begin; none where the constraint
    /// names none. `None` where the text isn't one of the constraint.
    ///
    /// Where a text can be read in several ways it is read as regular expressions are: the first of
    /// some choices, repetitions, texts and grammars as long as possible; what comes earlier decides first.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`].
    pub fn captures(&self, text: &[u8]) -> Result<Option<Vec<Capture>>, Error> {
        let source = match &*self.source {
            Source::Grammar(source) if !source.grammar.captures.is_empty() => source,
            _ => return Ok(self.is_whole(text)?.then(Vec::new)),
        };
        let kept = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().take();
        let mut readers = if let Some(known) = known {
            known
        } else {
            let meter = Meter::compiling(Limits::clone(&self.limits), None);
            source.readers(&self.vocabulary, meter)?
        };
        let captures = source.captures(text, &mut readers);
        readers.shrink();
        *kept() = Some(readers);
        captures
    }

    /// Whether a text is one of the constraint.
    fn is_whole(&self, text: &[u8]) -> Result<bool, Error> {
        let mut matcher = self.matcher();
        match matcher.accept_text(text) {
            Ok(()) => matcher.is_accepting(),
            Err(Error::TextNotAllowed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What it was compiled from.
    #[must_use]
    pub fn kind(&self) -> ConstraintKind {
        self.source.kind()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Compiles what is not there yet: a schema, with automata that are made or were loaded.
    /// The meter is for that, and then for its matchers.
    pub(crate) fn of_source(
        mut source: Source,
        vocabulary: &Arc<Vocabulary>,
        meter: Meter,
    ) -> Result<Self, Error> {
        let mut unknown_keywords = Arc::new([]) as Arc<[String]>;
        let mut unused_rules = Arc::new([]) as Arc<[UnusedRule]>;
        let limits = Arc::new(meter.limits().clone());
        let automaton = match &mut source {
            Source::JsonSchema(source) => {
                let machine = source.compile(&meter)?;
                unknown_keywords = machine.unknown_keywords().clone();
                automaton_of(machine, vocabulary, meter)
            }
            Source::Regex { dfa, .. } if dfa.start() == DEAD => {
                return Err(Error::Unsatisfiable { pointer: String::new() });
            }
            Source::Regex { dfa, .. } => automaton_of(dfa.clone(), vocabulary, meter),
            Source::Choice(texts) if texts.is_empty() => return Err(Error::EmptyChoice),
            Source::Choice(texts) => automaton_of(texts.clone(), vocabulary, meter),
            Source::Grammar(source) => {
                let (machine, findings) = source.compile(vocabulary, &meter)?;
                unused_rules = findings.into_iter().map(|finding| source.rule(finding)).collect();
                automaton_of(machine, vocabulary, meter)
            }
        };
        let (vocabulary, source) = (vocabulary.clone(), Arc::new(source));
        let make = {
            let (vocabulary, source) = (vocabulary.clone(), source.clone());
            let limits = limits.clone();
            move || automaton_again(&source, &vocabulary, &limits)
        };
        let special_tokens = automaton.special_tokens();
        let replicas = Arc::new(Replicas::new(automaton, make));
        Ok(Self {
            replicas,
            vocabulary,
            source,
            limits,
            special_tokens,
            readers: Arc::default(),
            unknown_keywords,
            unused_rules,
        })
    }
}

fn automaton_of<M: Machine + 'static>(
    machine: M,
    vocabulary: &Arc<Vocabulary>,
    meter: Meter,
) -> Box<dyn Automaton> {
    Box::new(LazyAutomaton::new(machine, vocabulary.clone(), meter))
}

/// The automaton of what was compiled before; the automata of its patterns are there. It has fuel of its
/// own.
fn automaton_again(
    source: &Source,
    vocabulary: &Arc<Vocabulary>,
    limits: &Limits,
) -> Option<Box<dyn Automaton>> {
    let meter = Meter::compiling(limits.clone(), None);
    Some(match source {
        Source::JsonSchema(source) => {
            automaton_of(source.clone().compile(&meter).ok()?, vocabulary, meter)
        }
        Source::Regex { dfa, .. } => automaton_of(dfa.clone(), vocabulary, meter),
        Source::Choice(texts) => automaton_of(texts.clone(), vocabulary, meter),
        Source::Grammar(source) => {
            let (machine, _) = source.clone().compile(vocabulary, &meter).ok()?;
            automaton_of(machine, vocabulary, meter)
        }
    })
}
