//! `Espalier.JSON.validate/2`: which parts of a value break a schema, told by an independent validator.

use jsonschema::ValidationError;
use rustler::NifMap;
use serde_json::Value;

use crate::atoms;
use crate::error::Fault;
use crate::guard;

/// The most violations that are told.
const MAX_VIOLATIONS: usize = 100;

#[derive(NifMap)]
struct Violation {
    instance_pointer: String,
    schema_pointer: String,
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
        let errors = validator.iter_errors(&instance).take(MAX_VIOLATIONS);
        Ok(errors.map(|error| Violation::from(&error)).collect())
    })
}

impl From<&ValidationError<'_>> for Violation {
    fn from(error: &ValidationError) -> Self {
        Self {
            instance_pointer: error.instance_path().to_string(),
            schema_pointer: error.schema_path().to_string(),
            message: error.to_string(),
        }
    }
}

fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| crate::json::fault(&error))
}

fn invalid_schema(error: &ValidationError) -> Fault {
    Fault::new(atoms::invalid_schema(), format!("invalid schema: {error}"), [])
        .with(atoms::pointer(), error.instance_path().to_string())
}
