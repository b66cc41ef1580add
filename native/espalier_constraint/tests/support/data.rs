//! Reads `testdata/`; its README defines the format.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use espalier_constraint::{
    Compiler, Constraint, Error, EscapeStyle, FormatMode, GrammarOptions, GrammarSyntax,
    JsonSchemaOptions, NumberStyle, PropertyOrder, RegexSyntax, Vocabulary, Whitespace,
};
use serde_json::Value;

/// A constraint and what is known about it.
pub(crate) struct Group {
    pub(crate) description: String,
    pub(crate) source: Source,
    pub(crate) options: JsonSchemaOptions,
    pub(crate) tests: Vec<Test>,
    pub(crate) masks: Vec<Mask>,
    pub(crate) error: Option<ExpectedError>,
    /// The names of the rules of a grammar that no text needs.
    pub(crate) unused: Option<Vec<String>>,
}

pub(crate) enum Source {
    Schema(String),
    Regex(String, RegexSyntax),
    Choice(Vec<String>),
    Grammar(String, GrammarOptions),
}

#[derive(Clone)]
pub(crate) struct Test {
    pub(crate) description: String,
    pub(crate) input: Input,
    pub(crate) valid: bool,
    pub(crate) rejected_at: Option<RejectedAt>,
    pub(crate) reordered: bool,
}

#[derive(Clone)]
pub(crate) enum Input {
    Data(Value),
    Text(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RejectedAt {
    End,
    Byte(usize),
}

pub(crate) struct Mask {
    pub(crate) vocabulary: String,
    pub(crate) prefix: String,
    pub(crate) allowed: Vec<Vec<u8>>,
    pub(crate) forbidden: Vec<Vec<u8>>,
    pub(crate) exact: bool,
    pub(crate) eos: Option<bool>,
    pub(crate) forced: Option<String>,
}

#[derive(Debug)]
pub(crate) struct ExpectedError {
    pub(crate) kind: String,
    pub(crate) keyword: Option<String>,
    pub(crate) pointer: Option<String>,
    /// The name in a grammar that it is about.
    pub(crate) name: Option<String>,
    /// The line and the column in a grammar.
    pub(crate) place: Option<(usize, usize)>,
}

impl Source {
    pub(crate) fn compile(
        &self,
        options: JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Constraint, Error> {
        match self {
            Source::Schema(schema) => Constraint::json_schema(schema, &options, vocabulary),
            Source::Regex(pattern, syntax) => Compiler::new(vocabulary).regex(pattern, *syntax),
            Source::Choice(choices) => Constraint::choice(choices, vocabulary),
            Source::Grammar(text, grammar_options) => {
                let grammar_options =
                    GrammarOptions { json_schema: options, ..grammar_options.clone() };
                Constraint::grammar(text, &grammar_options, vocabulary)
            }
        }
    }
}

/// The groups of `testdata/<topic>.json`.
pub(crate) fn read_groups(topic: &str) -> Vec<Group> {
    read_groups_of(&root().join(format!("{topic}.json")))
}

/// The groups of a file.
pub(crate) fn read_groups_of(path: &Path) -> Vec<Group> {
    let text = fs::read_to_string(path).expect("a file of groups");
    let groups: Value = serde_json::from_str(&text).expect("JSON");
    groups.as_array().expect("an array of groups").iter().map(read_group).collect()
}

/// The vocabulary of `testdata/vocabularies/<name>.json`.
pub(crate) fn read_vocabulary(name: &str) -> Arc<Vocabulary> {
    let description = read_json(&format!("vocabularies/{name}.json"));
    let mut tokens = Vec::new();
    if description["all_bytes"] == true {
        tokens.extend((0..=255).map(|byte| vec![byte]));
    }
    tokens.extend(read_tokens(&description["tokens"]));
    let eos_ids = read_ids(&description["eos"]);
    let special_ids = read_ids(&description["special"]);
    Arc::new(Vocabulary::new(tokens, &eos_ids, &special_ids).expect("a valid vocabulary"))
}

/// The names of all files in a folder of `testdata/`, without their endings.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let files = fs::read_dir(root().join(folder)).expect("a folder of test data");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

pub(crate) fn read_json(path: &str) -> Value {
    let text = fs::read_to_string(root().join(path)).expect("a file of test data");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_group(group: &Value) -> Group {
    let description = text_of(group, "description").expect("a description");
    let listed = |key: &str| group.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    Group {
        source: read_source(group)
            .unwrap_or_else(|| panic!("{description}: neither schema, regex, choice nor grammar")),
        options: read_options(group.get("options")),
        tests: [
            listed("tests").iter().map(read_test).collect(),
            read_texts(group, "accepted", true),
            read_texts(group, "refused", false),
        ]
        .concat(),
        unused: group.get("unused").map(texts_of),
        masks: listed("masks").iter().map(read_mask).collect(),
        error: group.get("error").map(read_error),
        description,
    }
}

fn read_source(group: &Value) -> Option<Source> {
    let schema = group.get("schema").map(Value::to_string).or(text_of(group, "schema_text"));
    if let Some(schema) = schema {
        return Some(Source::Schema(schema));
    }
    if let Some(pattern) = text_of(group, "regex") {
        let syntax = match group.get("syntax").and_then(Value::as_str) {
            None => RegexSyntax::Rust,
            Some("ecma") => RegexSyntax::Ecma,
            Some(other) => panic!("{other}: no syntax of a regular expression"),
        };
        return Some(Source::Regex(pattern, syntax));
    }
    if let Some(grammar) = read_grammar(group) {
        return Some(grammar);
    }
    let choices = group.get("choice")?.as_array()?;
    choices
        .iter()
        .map(|choice| choice.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .map(Source::Choice)
}

fn read_grammar(group: &Value) -> Option<Source> {
    let file = text_of(group, "grammar_file");
    let read = |file: String| {
        fs::read_to_string(root().join("grammars").join(file)).expect("a file of a grammar")
    };
    let text = text_of(group, "grammar").or_else(|| file.map(read))?;
    Some(Source::Grammar(text, grammar_options(group)))
}

/// The syntax and the start that a description names.
pub(crate) fn grammar_options(description: &Value) -> GrammarOptions {
    let mut options = match description["syntax"].as_str() {
        Some("lark") => GrammarOptions::lark(),
        Some("gbnf") => GrammarOptions::gbnf(),
        other => panic!("unknown syntax {other:?}"),
    };
    if let Some(start) = text_of(description, "start") {
        options.start = start;
    }
    options
}

/// Texts without a description of their own.
fn read_texts(group: &Value, key: &str, valid: bool) -> Vec<Test> {
    let texts = group.get(key).map(texts_of).unwrap_or_default().into_iter();
    let test = |text: String| Test {
        description: format!("{key}: {text:?}"),
        input: Input::Text(text.into_bytes()),
        valid,
        rejected_at: None,
        reordered: false,
    };
    texts.map(test).collect()
}

fn read_options(options: Option<&Value>) -> JsonSchemaOptions {
    let matching = JsonSchemaOptions::matching();
    let Some(options) = options else { return matching };
    match options.as_str() {
        Some("matching") => return matching,
        Some("generating") => return JsonSchemaOptions::generating(),
        Some(other) => panic!("unknown preset {other}"),
        None => {}
    }
    let max = options["whitespace"].get("max").and_then(Value::as_u64);
    let whitespace = match options["whitespace"].as_str() {
        Some("compact") => Whitespace::Compact,
        Some("spaced") => Whitespace::Spaced,
        _ => max.map_or(Whitespace::Any, |max| Whitespace::Max(max as u8)),
    };
    let is = |key: &str, value: &str| options[key] == value;
    JsonSchemaOptions {
        whitespace,
        property_order: if is("property_order", "schema") {
            PropertyOrder::Schema
        } else {
            PropertyOrder::Any
        },
        numbers: if is("numbers", "plain") { NumberStyle::Plain } else { NumberStyle::Any },
        escapes: if is("escapes", "minimal") { EscapeStyle::Minimal } else { EscapeStyle::Any },
        format: if is("format", "ignore") { FormatMode::Ignore } else { FormatMode::Assert },
    }
}

fn read_test(test: &Value) -> Test {
    let text = text_of(test, "text").map(String::into_bytes);
    let input = match text.or_else(|| text_of(test, "hex").map(|hex| bytes_of_hex(&hex))) {
        Some(text) => Input::Text(text),
        None => Input::Data(test.get("data").expect("data, text or hex").clone()),
    };
    let rejected_at = test
        .get("rejected_at")
        .map(|at| at.as_u64().map_or(RejectedAt::End, |offset| RejectedAt::Byte(offset as usize)));
    Test {
        description: text_of(test, "description").expect("a description"),
        input,
        valid: test["valid"].as_bool().expect("a verdict"),
        rejected_at,
        reordered: test["reordered"] == true,
    }
}

fn read_mask(mask: &Value) -> Mask {
    Mask {
        vocabulary: text_of(mask, "vocabulary").expect("a vocabulary"),
        prefix: text_of(mask, "prefix").expect("a prefix"),
        allowed: read_tokens(&mask["allowed"]),
        forbidden: read_tokens(&mask["forbidden"]),
        exact: mask["exact"] == true,
        eos: mask["eos"].as_bool(),
        forced: text_of(mask, "forced"),
    }
}

fn read_error(error: &Value) -> ExpectedError {
    ExpectedError {
        kind: text_of(error, "kind").expect("a kind"),
        keyword: text_of(error, "keyword"),
        pointer: text_of(error, "pointer"),
        name: text_of(error, "name"),
        place: error.get("line").map(|line| (number_of(line), number_of(&error["column"]))),
    }
}

fn number_of(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn read_tokens(tokens: &Value) -> Vec<Vec<u8>> {
    let read_token = |token: &Value| match token.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => read_ids(token).iter().map(|&byte| byte as u8).collect(),
    };
    tokens.as_array().map(|tokens| tokens.iter().map(read_token).collect()).unwrap_or_default()
}

fn read_ids(ids: &Value) -> Vec<u32> {
    let ids = ids.as_array().expect("an array of numbers");
    ids.iter().map(|id| id.as_u64().expect("a number") as u32).collect()
}

fn texts_of(texts: &Value) -> Vec<String> {
    let texts = texts.as_array().expect("an array of texts").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits")).collect()
}

/// The limit that was reached, wherever that was.
pub(crate) fn limit_of(error: &Error) -> Option<&'static str> {
    match error {
        Error::LimitExceeded { limit, .. } => Some(limit),
        Error::InvalidTerminal { error, .. } | Error::InvalidPart { error, .. } => limit_of(error),
        _ => None,
    }
}

/// The kind of an error as the test data names it: its name in snake case.
pub(crate) fn kind_of(error: &Error) -> String {
    if limit_of(error).is_some() {
        return "limit_exceeded".to_owned();
    }
    let shown = format!("{error:?}");
    let name = shown.split(|next: char| !next.is_alphanumeric()).next().unwrap_or_default();
    let mut kind = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kind.is_empty() {
            kind.push('_');
        }
        kind.extend(letter.to_lowercase());
    }
    kind
}
