//! `Espalier.JSON.validate/2`: which parts of a value break a schema, told by an independent validator.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::Location;
use rustler::NifMap;
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

/// The violations of the schema by the instance, at most a hundred; formats are asserted and
/// nothing is fetched.
#[rustler::nif(schedule = "DirtyCpu")]
fn schema_validate(schema: &str, instance: &str) -> Result<Vec<Violation>, Fault> {
    guard::with_large_stack(|| {
        let schema = parse(schema)?;
        let instance = parse(instance)?;
        let options = jsonschema::options().should_validate_formats(true);
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
            branch.iter().for_each(|error| add_violations(error, schema, all));
            return;
        }
    }
    all.push(Violation::new(error, schema));
}

/// Whether the value is of the kind that a branch asks for.
fn is_meant(branch: &[ValidationError], place: &Location) -> bool {
    branch.iter().all(|error| {
        let is_kind = matches!(error.kind().keyword(), "type" | "const" | "enum" | "falseSchema");
        error.instance_path() != place || !is_kind
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

fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| crate::json::fault(&error))
}

fn invalid_schema(error: &ValidationError) -> Fault {
    Fault::new(atoms::invalid_schema(), format!("invalid schema: {error}"), [])
        .with(atoms::pointer(), error.instance_path().to_string())
}
