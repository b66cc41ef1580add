//! What random walks write in each format is valid to an independent validator.

mod support;

use espalier_constraint::{Constraint, JsonSchemaOptions};
use serde_json::{Value, json};
use support::data;
use support::following::bytes_of;
use support::random::{Random, seeds};
use support::walk::Walk;

/// All formats but two: `idn-email` and `idn-hostname` are not known to the validator as it is built.
const FORMATS: [&str; 17] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

#[test]
fn texts_of_a_format_have_it() {
    let mut wrong = Vec::new();
    for format in FORMATS {
        let schema = json!({"type": "string", "format": format});
        let validator =
            jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let texts = random_texts(&schema).into_iter().filter(|text| !validator.is_valid(text));
        wrong.extend(texts.map(|text| format!("{format}: {text}")));
    }
    assert!(wrong.is_empty(), "{} texts are invalid:\n{}", wrong.len(), wrong.join("\n"));
}

/// Texts that a model without an opinion writes, each brought to its end from somewhere.
fn random_texts(schema: &Value) -> Vec<Value> {
    let options = JsonSchemaOptions::generating();
    let vocabulary = data::read_vocabulary("bytes");
    let constraint =
        Constraint::json_schema(&schema.to_string(), &options, &vocabulary).expect("a constraint");
    let text = |seed| {
        let mut random = Random::new(seed);
        let n_steps = random.below(100);
        let mut walk = Walk::random(&constraint, n_steps, &mut random);
        let rest = walk.matcher.shortest_completion().expect("a completion");
        let text = [walk.text(&constraint), bytes_of(&vocabulary, &rest)].concat();
        serde_json::from_slice(&text).expect("JSON")
    };
    seeds(300).map(text).collect()
}
