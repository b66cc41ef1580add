//! [`Draft`]: the versions of JSON Schema.

use super::json::Json;

/// Which of the rules that changed between drafts hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    /// Between draft 4 and 6 by its rules, with the keywords of the former and `nullable`.
    OpenApi30,
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

impl Draft {
    /// The draft that a document names in `$schema`, if it names one; an error if it isn't known.
    pub(super) fn of<'a, 't>(document: &'a Json<'t>) -> Result<Option<Self>, &'a Json<'t>> {
        let Some(value) = document.get("$schema") else { return Ok(None) };
        let uri = value.as_str().unwrap_or_default();
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest).trim_end_matches('#');
        Ok(Some(match rest {
            "json-schema.org/draft-04/schema" => Self::Draft4,
            "json-schema.org/draft-06/schema" => Self::Draft6,
            "json-schema.org/draft-07/schema" => Self::Draft7,
            "json-schema.org/draft/2019-09/schema" => Self::Draft2019,
            "json-schema.org/draft/2020-12/schema"
            | "json-schema.org/schema"
            | "spec.openapis.org/oas/3.1/dialect/base" => Self::Draft2020,
            _ if rest.starts_with("spec.openapis.org/oas/3.0/") => Self::OpenApi30,
            _ => return Err(value),
        }))
    }
}
