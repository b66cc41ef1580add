//! `Espalier.JSON.validate/3`: which parts of a value break a schema, told by an independent validator.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ReferencingError, Registry, ValidationError};
use rustler::{Binary, NifMap};
use serde_json::Value;

use crate::atoms;
use crate::error::Fault;
use crate::guard;

/// The most violations that are told.
const MAX_VIOLATIONS: usize = 100;

/// The most that are told of the branches of choices.
const MAX_WITH_BRANCHES: usize = 1000;

/// How much of a value is told.
const MAX_SHOWN: usize = 200;

#[derive(NifMap)]
struct Violation {
    instance_pointer: String,
    schema_pointer: String,
    keyword: String,
    /// The keyword's value, and the value that breaks it, as JSON.
    expected: String,
    got: String,
    message: String,
    /// Of a choice: those by each of its branches.
    branches: Vec<Vec<Violation>>,
}

/// The violations of the schema by the instance, at most a hundred; nothing is fetched.
#[rustler::nif(schedule = "DirtyCpu")]
fn schema_validate(
    schema: Binary,
    instance: Binary,
    asserts_formats: bool,
    documents: Vec<(&str, &str)>,
) -> Result<Vec<Violation>, Fault> {
    let (schema, instance) = (schema.as_slice(), instance.as_slice());
    guard::with_large_stack(|| {
        let schema = parse(schema)?;
        let instance = parse(instance)?;
        let registry = registry(&schema, &documents)?;
        let options = jsonschema::options().should_validate_formats(asserts_formats);
        let validator = options.with_registry(&registry).build(&schema);
        let validator = validator.map_err(|error| invalid_schema(&error))?;
        let errors = validator.iter_errors(&instance).take(MAX_VIOLATIONS);
        let mut left = MAX_WITH_BRANCHES;
        Ok(errors.map(|error| Violation::new(&error, &schema, &mut left)).collect())
    })
}

/// The documents that a schema may refer to, in its draft where they name none.
fn registry<'a>(schema: &Value, documents: &[(&str, &str)]) -> Result<Registry<'a>, Fault> {
    let mut registry = Registry::new().draft(Draft::default().detect(schema));
    for (uri, text) in documents {
        let document = parse(text.as_bytes())?;
        registry = registry.add(uri, document).map_err(|error| invalid_document(&error))?;
    }
    registry.prepare().map_err(|error| invalid_document(&error))
}

impl Violation {
    /// `left` says how many more may be told of the branches of choices.
    fn new(error: &ValidationError, schema: &Value, left: &mut usize) -> Self {
        let pointer = error.schema_path().to_string();
        let branches = match error.kind() {
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context } => branches(context, schema, left),
            _ => Vec::new(),
        };
        Self {
            instance_pointer: error.instance_path().to_string(),
            keyword: error.kind().keyword().to_owned(),
            expected: schema.pointer(&pointer).map(shown).unwrap_or_default(),
            got: shown(error.instance()),
            message: shorten(error.to_string()),
            schema_pointer: pointer,
            branches,
        }
    }
}

/// What is wrong by each branch of a choice; nothing where that is too much.
fn branches(
    context: &[Vec<ValidationError>],
    schema: &Value,
    left: &mut usize,
) -> Vec<Vec<Violation>> {
    let n_errors = context.iter().map(Vec::len).sum();
    let Some(rest) = left.checked_sub(n_errors) else { return Vec::new() };
    *left = rest;
    let branches = context.iter();
    let violations = |branch: &Vec<ValidationError>| {
        branch.iter().map(|error| Violation::new(error, schema, left)).collect()
    };
    branches.map(violations).collect()
}

fn shown(value: &Value) -> String {
    shorten(value.to_string())
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn parse(text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(|error| crate::json::fault(&error))
}

fn invalid_document(error: &ReferencingError) -> Fault {
    Fault::new(atoms::invalid_schema(), format!("invalid schema: {error}"), [])
}

fn invalid_schema(error: &ValidationError) -> Fault {
    Fault::new(atoms::invalid_schema(), format!("invalid schema: {error}"), [])
        .with(atoms::pointer(), error.instance_path().to_string())
}
