//! An independent validator to compare with.

use jsonschema::Validator;
use serde_json::Value;

/// The validator of a schema, draft 2020-12 unless it says otherwise.
pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error} in {schema}"))
}
