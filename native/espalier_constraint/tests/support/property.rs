//! What properties share: vocabularies, outcomes, and constraints of made-up schemas.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use serde_json::Value;

use super::data;

pub(crate) static VOCABULARIES: LazyLock<[Arc<Vocabulary>; 2]> =
    LazyLock::new(|| ["boundaries", "split_utf8"].map(data::read_vocabulary));

/// What a property finds wrong.
pub(crate) type Outcome = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

/// The schema's constraint; there is none when nothing satisfies it.
pub(crate) fn compile(
    schema: &Value,
    options: JsonSchemaOptions,
    vocabulary: &Arc<Vocabulary>,
) -> Result<Option<Constraint>, String> {
    match Constraint::json_schema(&schema.to_string(), &options, vocabulary) {
        Ok(constraint) => Ok(Some(constraint)),
        Err(Error::Unsatisfiable { .. }) => Ok(None),
        Err(error) => Err(format!("does not compile: {error}")),
    }
}

/// A panic is a failure like others.
pub(crate) fn quietly(check: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Err(format!("panic: {}", message.unwrap_or_default()))
    })
}
