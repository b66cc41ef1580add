//! The tables of keywords in the guide are complete and true.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use referencing::meta;
use serde_json::{Value, json};
use support::data;

const DIALECTS: [&str; 6] = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.0/schema/2021-09-28",
];

/// The keywords of a table: the first cells of its rows.
fn table(title: &str) -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guides/json_schema.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (_, section) = guide.split_once(title).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    cells.filter_map(|line| Some(line.split_once('`')?.0.to_owned())).collect()
}

fn enforced() -> BTreeSet<String> {
    table("## Keywords that are enforced")
}

fn annotations() -> BTreeSet<String> {
    table("## Keywords that state nothing")
}

fn compile(schema: &Value, vocabulary: &Arc<Vocabulary>) -> Result<Constraint, Error> {
    Constraint::json_schema(&schema.to_string(), &JsonSchemaOptions::matching(), vocabulary)
}

/// A keyword with some value, and what it may need beside it.
fn schemas<'a>(keyword: &'a str, value: &'a Value) -> impl Iterator<Item = Value> + 'a {
    let beside = [
        json!({"if": true, "contains": true, "type": "array"}),
        json!({"items": [true]}),
        json!({}),
    ];
    DIALECTS.iter().flat_map(move |dialect| {
        beside.clone().map(|mut schema| {
            schema["$schema"] = json!(dialect);
            schema[keyword] = value.clone();
            schema
        })
    })
}

#[test]
fn all_keywords_of_all_drafts_are_in_it() {
    let drafts = [
        &meta::DRAFT4,
        &meta::DRAFT6,
        &meta::DRAFT7,
        &meta::DRAFT201909_CORE,
        &meta::DRAFT201909_APPLICATOR,
        &meta::DRAFT201909_VALIDATION,
        &meta::DRAFT201909_META_DATA,
        &meta::DRAFT201909_FORMAT,
        &meta::DRAFT201909_CONTENT,
        &meta::DRAFT202012_CORE,
        &meta::DRAFT202012_APPLICATOR,
        &meta::DRAFT202012_UNEVALUATED,
        &meta::DRAFT202012_VALIDATION,
        &meta::DRAFT202012_META_DATA,
        &meta::DRAFT202012_FORMAT_ANNOTATION,
        &meta::DRAFT202012_CONTENT,
    ];
    let known: BTreeSet<String> = enforced().into_iter().chain(annotations()).collect();
    for draft in drafts {
        for keyword in draft["properties"].as_object().unwrap().keys() {
            assert!(known.contains(keyword), "the guide lacks {keyword:?}");
        }
    }
}

#[test]
fn what_is_enforced_is_read_and_known() {
    let vocabulary = data::read_vocabulary("boundaries");
    for keyword in enforced() {
        let is_refused = |value: Value| {
            schemas(&keyword, &value).any(|schema| match compile(&schema, &vocabulary) {
                Err(Error::InvalidSchema { pointer, .. }) => {
                    pointer.starts_with(&format!("/{keyword}"))
                }
                Err(Error::Unsatisfiable { .. }) => true,
                _ => false,
            })
        };
        let values = [json!(1), json!({"a": 1}), json!(null), json!(false)];
        assert!(keyword == "const" || values.into_iter().any(is_refused), "{keyword} is not read");
    }
    let constraint = compile(&json!({"const": 1}), &vocabulary).unwrap();
    assert!(constraint.matcher().accept_text(b"2").is_err());
}

#[test]
fn what_states_nothing_is_known_and_changes_nothing() {
    let vocabulary = data::read_vocabulary("boundaries");
    for keyword in annotations().into_iter().filter(|keyword| keyword != "$schema") {
        let value = match keyword.as_str() {
            "$defs" | "definitions" => json!({"a": false}),
            "$id" | "id" => json!("https://example.com/schema"),
            _ => json!("a"),
        };
        let is_comment = schemas(&keyword, &value).any(|schema| {
            compile(&schema, &vocabulary).is_ok_and(|constraint| {
                let pointer = format!("/{keyword}");
                !constraint.unknown_keywords().contains(&pointer)
                    && constraint.matcher().accept_text(b"[1,\"a\"]").is_ok()
            })
        });
        assert!(is_comment, "{keyword}");
    }
}

#[test]
fn nullable_adds_null_in_openapi_only() {
    let vocabulary = data::read_vocabulary("boundaries");
    let accepts = |schema: Value, text: &str| {
        let constraint = compile(&schema, &vocabulary).unwrap();
        let mut matcher = constraint.matcher();
        matcher.accept_text(text.as_bytes()).is_ok() && matcher.is_accepting().unwrap()
    };
    let schema = |dialect: &str, nullable: bool| {
        json!({"$schema": dialect, "type": "integer", "nullable": nullable, "maximum": 3,
               "exclusiveMaximum": true})
    };
    let [.., latest, openapi] = DIALECTS;
    assert!(accepts(schema(openapi, true), "null") && accepts(schema(openapi, true), "2"));
    assert!(!accepts(schema(openapi, true), "3") && !accepts(schema(openapi, true), "\"a\""));
    assert!(!accepts(schema(openapi, false), "null"));
    assert!(!accepts(json!({"$schema": latest, "type": "integer", "nullable": true}), "null"));
    let wrong = json!({"$schema": openapi, "type": "integer", "nullable": "yes"});
    let error = compile(&wrong, &vocabulary).unwrap_err();
    assert!(matches!(error, Error::InvalidSchema { pointer, .. } if pointer == "/nullable"));
}
