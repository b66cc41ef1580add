//! `Espalier.JSON.validate/2`: which parts of a value break a schema, told by an independent validator.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::Location;
use rustler::{Binary, NifMap};
use serde_json::Value;

use crate::atoms;
use crate::error::Fault;
use crate::guard;

/// The most violations that are told.
const MAX_VIOLATIONS: usize = 100;

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
}

/// The violations of the schema by the instance, at most a hundred; nothing is fetched.
#[rustler::nif(schedule = "DirtyCpu")]
fn schema_validate(
    schema: Binary,
    instance: Binary,
    asserts_formats: bool,
) -> Result<Vec<Violation>, Fault> {
    let (schema, instance) = (schema.as_slice(), instance.as_slice());
    guard::with_large_stack(|| {
        let schema = parse(schema)?;
        let instance = parse(instance)?;
        let options = jsonschema::options().should_validate_formats(asserts_formats);
        let validator = options.build(&schema).map_err(|error| invalid_schema(&error))?;
        let mut violations = Vec::new();
        for error in validator.iter_errors(&instance).take(MAX_VIOLATIONS) {
            add_violations(&error, &schema, &mut violations);
        }
        violations.truncate(MAX_VIOLATIONS);
        Ok(violations)
    })
}

/// Of a choice whose one branch alone is meant by the kind of value, what breaks that branch.
fn add_violations(error: &ValidationError, schema: &Value, all: &mut Vec<Violation>) {
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let mut meant = context.iter().filter(|branch| is_meant(branch, error.instance_path()));
        if let (Some(branch), None) = (meant.next(), meant.next()) {
            for error in branch {
                add_violations(error, schema, all);
            }
            return;
        }
    }
    all.push(Violation::new(error, schema));
}

/// Whether the value is of the kind that a branch asks for, and so are its members that tell kinds apart.
fn is_meant(branch: &[ValidationError], place: &Location) -> bool {
    branch.iter().all(|error| {
        let below = error.instance_path().as_str().strip_prefix(place.as_str()).unwrap_or_default();
        match error.kind().keyword() {
            "const" => below.matches('/').count() > 1,
            "type" | "enum" | "falseSchema" => !below.is_empty(),
            _ => true,
        }
    })
}

impl Violation {
    fn new(error: &ValidationError, schema: &Value) -> Self {
        let pointer = error.schema_path().to_string();
        Self {
            instance_pointer: error.instance_path().to_string(),
            keyword: error.kind().keyword().to_owned(),
            expected: schema.pointer(&pointer).map(shown).unwrap_or_default(),
            got: shown(error.instance()),
            message: shorten(error.to_string()),
            schema_pointer: pointer,
        }
    }
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

fn invalid_schema(error: &ValidationError) -> Fault {
    Fault::new(atoms::invalid_schema(), format!("invalid schema: {error}"), [])
        .with(atoms::pointer(), error.instance_path().to_string())
}
