//! What a schema says beyond its own keywords: other documents, and keywords that nobody knows.

mod support;

use espalier_constraint::{Compiler, Constraint, Error, JsonSchemaOptions};
use support::{data, following};

fn compile(schema: &str, others: &[(&str, &str)]) -> Result<Constraint, Error> {
    let vocabulary = data::read_vocabulary("bytes");
    let compiler = Compiler::new(&vocabulary);
    let compiler =
        others.iter().fold(compiler, |compiler, (uri, text)| compiler.document(uri, text));
    compiler.json_schema(schema, &JsonSchemaOptions::matching())
}

#[test]
fn other_documents_are_those_that_are_given_and_no_others() {
    let schema = r#"{"items": {"$ref": "https://example.com/age#/$defs/years"}}"#;
    let other = r#"{"$defs": {"years": {"type": "integer", "minimum": 0}}}"#;
    let constraint = compile(schema, &[("https://example.com/age", other)]).unwrap();
    assert_eq!(following::by_text(&constraint, b"[36]"), Ok(()));
    assert!(following::by_text(&constraint, b"[-1]").is_err());
    let error = compile(schema, &[]).unwrap_err();
    assert!(
        matches!(&error, Error::UnsupportedKeyword { pointer, .. } if pointer == "/items/$ref"),
        "{error}"
    );
}

#[test]
fn what_states_nothing_is_listed() {
    let schema = r#"{
        "maximun": 3,
        "properties": {"a": {"minContains": 1}, "b": {"format": "no-such"}, "c": {"contains": true}},
        "then": {"type": "null"}
    }"#;
    let constraint = compile(schema, &[]).unwrap();
    let mut unknown = constraint.unknown_keywords().to_vec();
    unknown.sort();
    let expected = ["/maximun", "/properties/a/minContains", "/properties/b/format", "/then"];
    assert_eq!(unknown, expected);
    assert_eq!(following::by_text(&constraint, br#"{"b":"anything"}"#), Ok(()));
}
