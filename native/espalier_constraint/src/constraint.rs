//! [`Constraint`]: compiled, immutable, shared.

use std::sync::Arc;

use crate::error::Error;
use crate::json_schema::JsonSchemaOptions;
use crate::matcher::Matcher;
use crate::vocabulary::Vocabulary;

/// STUB
#[derive(Clone, Debug)]
pub struct Constraint {
    vocabulary: Arc<Vocabulary>,
}

#[allow(missing_docs, clippy::missing_panics_doc)]
impl Constraint {
    pub fn json_schema(
        _schema: &str,
        _options: &JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Ok(Self { vocabulary: vocabulary.clone() })
    }
    pub fn regex(_pattern: &str, vocabulary: &Arc<Vocabulary>) -> Result<Self, Error> {
        Ok(Self { vocabulary: vocabulary.clone() })
    }
    pub fn choice<T: AsRef<[u8]>>(
        _choices: &[T],
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Ok(Self { vocabulary: vocabulary.clone() })
    }
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        Matcher
    }
    #[must_use]
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }
}
