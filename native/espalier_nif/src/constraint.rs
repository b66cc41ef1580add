//! `Espalier.Constraint`.

use espalier_constraint::{
    Capture, Compiler, Constraint, ConstraintKind, EscapeStyle, ExportOptions, ExportTarget,
    FormatMode, GrammarOptions, GrammarSyntax, JsonSchemaOptions, NumberStyle, PropertyOrder,
    RegexSyntax, UnusedRule, Whitespace,
};
use rustler::{Atom, Binary, Decoder, Env, Error, NifResult, ResourceArc, Term};

use crate::atoms;
use crate::error::Fault;
use crate::guard;
use crate::limits::Given;
use crate::resources::{CompilationRef, ConstraintRef, VocabularyRef};
use crate::vocabulary::binary;

type Compiled = Result<ResourceArc<ConstraintRef>, Fault>;

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_json_schema(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    limits: Given,
    schema: &str,
    documents: Vec<(&str, &str)>,
    options: Options,
) -> Compiled {
    compile(env, &vocabulary, limits, |compiler| {
        let compiler =
            documents.iter().fold(compiler, |compiler, (uri, text)| compiler.document(uri, text));
        compiler.json_schema(schema, &options.0)
    })
}

#[rustler::nif]
fn constraint_unknown_keywords(constraint: ResourceArc<ConstraintRef>) -> Vec<String> {
    constraint.0.unknown_keywords().to_vec()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_regex(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    limits: Given,
    pattern: &str,
    syntax: Term<'_>,
) -> NifResult<Compiled> {
    let syntaxes = [(atoms::rust(), RegexSyntax::Rust), (atoms::ecma(), RegexSyntax::Ecma)];
    let syntax = one_of(syntax, syntaxes)?;
    Ok(compile(env, &vocabulary, limits, |compiler| compiler.regex(pattern, syntax)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_parts(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    limits: Given,
    parts: &str,
    options: Options,
) -> Compiled {
    compile(env, &vocabulary, limits, |compiler| compiler.parts(parts, &options.0))
}

/// A capture: its name, and where in the text it begins and how long it is.
type Located = (String, usize, usize);

/// The captures of a text. `nil` where the text isn't one of the constraint.
#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_captures(
    constraint: ResourceArc<ConstraintRef>,
    text: Binary,
) -> Result<Option<Vec<Located>>, Fault> {
    let text = text.as_slice();
    let captures = guard::with_large_stack(|| Ok(constraint.0.captures(text)?))?;
    let told = |capture: Capture| (capture.name, capture.range.start, capture.range.len());
    Ok(captures.map(|captures| captures.into_iter().map(told).collect()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_grammar(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    limits: Given,
    text: &str,
    (syntax, start): (Syntax, String),
    options: Options,
) -> Compiled {
    let options = GrammarOptions { syntax: syntax.0, start, json_schema: options.0 };
    compile(env, &vocabulary, limits, |compiler| compiler.grammar(text, &options))
}

/// A rule: its name, where it is defined, where its grammar stands in parts, and whether no text matches it.
type Unused = (String, usize, usize, Option<String>, bool);

#[rustler::nif]
fn constraint_unused_rules(constraint: ResourceArc<ConstraintRef>) -> Vec<Unused> {
    let fields = |rule: &UnusedRule| {
        let UnusedRule { name, line, column, pointer, matches_nothing } = rule.clone();
        (name, line, column, pointer, matches_nothing)
    };
    constraint.0.unused_rules().iter().map(fields).collect()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_choice(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    limits: Given,
    choices: Vec<Binary>,
) -> Compiled {
    let choices: Vec<&[u8]> = choices.iter().map(Binary::as_slice).collect();
    compile(env, &vocabulary, limits, |compiler| compiler.choice(&choices))
}

/// The constraint in the notation of another engine.
#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_export(
    constraint: ResourceArc<ConstraintRef>,
    target: Term<'_>,
    depth: Option<u32>,
    may_repeat_keys: bool,
) -> NifResult<Result<String, Fault>> {
    let targets = [
        (atoms::regex(), ExportTarget::Regex),
        (atoms::gbnf(), ExportTarget::Gbnf),
        (atoms::lark(), ExportTarget::Lark),
    ];
    let target = one_of(target, targets)?;
    let options = ExportOptions { depth, may_repeat_keys };
    Ok(guard::with_large_stack(|| Ok(constraint.0.export(target, &options)?)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_serialize(env: Env<'_>, constraint: ResourceArc<ConstraintRef>) -> Term<'_> {
    binary(env, &constraint.0.to_bytes())
}

#[rustler::nif(schedule = "DirtyCpu")]
fn constraint_deserialize(vocabulary: ResourceArc<VocabularyRef>, bytes: Binary) -> Compiled {
    let bytes = bytes.as_slice();
    let constraint = guard::with_large_stack(|| Ok(Constraint::from_bytes(bytes, &vocabulary.0)?))?;
    Ok(ResourceArc::new(ConstraintRef(constraint.into())))
}

/// What it was compiled from.
#[rustler::nif]
fn constraint_kind(constraint: ResourceArc<ConstraintRef>) -> Atom {
    match constraint.0.kind() {
        ConstraintKind::JsonSchema => atoms::json_schema(),
        ConstraintKind::Regex => atoms::regex(),
        ConstraintKind::Choice => atoms::choice(),
        ConstraintKind::Grammar => atoms::grammar(),
    }
}

/// Compiles, until the calling process ends.
fn compile(
    env: Env<'_>,
    vocabulary: &VocabularyRef,
    Given(limits): Given,
    function: impl FnOnce(Compiler) -> Result<Constraint, espalier_constraint::Error> + Send,
) -> Compiled {
    let compilation = ResourceArc::new(CompilationRef::default());
    // Without a monitor it goes on to its end.
    let _monitor = env.monitor(&compilation, &env.pid());
    let cancellation = compilation.0.clone();
    let constraint = guard::with_large_stack(|| {
        let compiler = Compiler::new(&vocabulary.0).limits(limits).cancellation(cancellation);
        Ok(function(compiler)?)
    })?;
    Ok(ResourceArc::new(ConstraintRef(constraint.into())))
}

struct Syntax(GrammarSyntax);

impl<'a> Decoder<'a> for Syntax {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let syntaxes = [(atoms::lark(), GrammarSyntax::Lark), (atoms::gbnf(), GrammarSyntax::Gbnf)];
        one_of(term, syntaxes).map(Self)
    }
}

struct Options(JsonSchemaOptions);

impl<'a> Decoder<'a> for Options {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let option = |name: Atom| term.map_get(name);
        Ok(Self(JsonSchemaOptions {
            whitespace: whitespace(option(atoms::whitespace())?)?,
            property_order: one_of(
                option(atoms::property_order())?,
                [(atoms::schema(), PropertyOrder::Schema), (atoms::any(), PropertyOrder::Any)],
            )?,
            numbers: one_of(
                option(atoms::numbers())?,
                [(atoms::plain(), NumberStyle::Plain), (atoms::any(), NumberStyle::Any)],
            )?,
            escapes: one_of(
                option(atoms::escapes())?,
                [(atoms::minimal(), EscapeStyle::Minimal), (atoms::any(), EscapeStyle::Any)],
            )?,
            format: one_of(
                option(atoms::format())?,
                [(atoms::assert(), FormatMode::Assert), (atoms::ignore(), FormatMode::Ignore)],
            )?,
        }))
    }
}

fn whitespace(term: Term) -> NifResult<Whitespace> {
    if let Ok((name, most)) = term.decode::<(Atom, u8)>() {
        return one_of(name.to_term(term.get_env()), [(atoms::max(), Whitespace::Max(most))]);
    }
    let styles = [
        (atoms::compact(), Whitespace::Compact),
        (atoms::spaced(), Whitespace::Spaced),
        (atoms::any(), Whitespace::Any),
    ];
    one_of(term, styles)
}

fn one_of<T, const N: usize>(term: Term, values: [(Atom, T); N]) -> NifResult<T> {
    let name: Atom = term.decode()?;
    let found = values.into_iter().find(|(value, _)| *value == name);
    found.map(|(_, value)| value).ok_or(Error::BadArg)
}
