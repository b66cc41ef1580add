//! Schemas and texts that are large, deep or circular get an answer, and soon.

mod support;

use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use support::data;
use support::following;
use support::random::Random;
use support::walk::Walk;

static VOCABULARY: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| data::read_vocabulary("boundaries"));

/// Generous, for machines that are busy: what takes longer might take forever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs it on a thread of its own, with the small stack that threads have.
fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(run()));
    receiver.recv_timeout(PATIENCE).expect("an answer in time, and no panic")
}

/// Compiles, accepts the prefix, and asks all questions, under both presets. The answers may be
/// limits that are reached.
fn check_answers(schema: &str, prefix: &str) {
    for options in [JsonSchemaOptions::generating(), JsonSchemaOptions::matching()] {
        let (schema, prefix) = (schema.to_owned(), prefix.to_owned());
        let answer = soon(move || ask(&schema, options, &prefix));
        if let Err(error) = answer {
            assert!(is_limit(&error), "{error}");
        }
    }
}

fn ask(schema: &str, options: JsonSchemaOptions, prefix: &str) -> Result<(), Error> {
    let constraint = Constraint::json_schema(schema, &options, &VOCABULARY)?;
    let mut matcher = constraint.matcher();
    matcher.accept_text(prefix.as_bytes())?;
    assert!(matcher.compute_mask()?.count() > 0);
    matcher.forced_tokens()?;
    let bound = matcher.completion_bound()?;
    let completion = matcher.shortest_completion()?;
    assert!(completion.len() <= bound);
    matcher.accept_tokens(&completion).map_err(|(_, error)| error)?;
    assert!(matcher.is_accepting()?);
    Ok(())
}

fn is_limit(error: &Error) -> bool {
    // What is nested too deeply is refused by the JSON parser.
    matches!(error, Error::LimitExceeded { .. })
        || matches!(error, Error::InvalidJson { message, .. } if message.contains("recursion limit"))
}

#[test]
fn distinct_numbers_with_huge_exponents() {
    for items in ["true", r#"{"type":"integer"}"#, r#"{"multipleOf":7}"#, r#"{"minimum":0.5}"#] {
        let schema = format!(r#"{{"type":"array","items":{items},"uniqueItems":true}}"#);
        for text in ["[77e98045,", "[7e999999999999,", "[14e4000,"] {
            let schema = schema.clone();
            let answer = soon(move || ask(&schema, JsonSchemaOptions::matching(), text));
            assert!(answer.as_ref().err().is_none_or(is_limit), "{text} {answer:?}");
        }
    }
}

macro_rules! answers {
    ($($(#[$attribute:meta])* $name:ident: $schema:expr, $prefix:expr;)+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                check_answers(&$schema, &$prefix);
            }
        )+
    };
}

answers! {
    schemas_nested_a_hundred_times: nested(100), "[";
    schemas_nested_ten_thousand_times: nested(10_000), "[";
    texts_nested_ten_thousand_times: "true", "[".repeat(10_000);
    objects_nested_ten_thousand_times: "true", r#"{"a":"#.repeat(10_000);
    recursion_ten_thousand_times: LIST, r#"{"next":"#.repeat(10_000);
    long_numbers: r#"{"type":"integer"}"#, "1".repeat(10_000);
    long_strings: r#"{"type":"string","pattern":"^[a-z]*$"}"#, format!("\"{}", "a".repeat(100_000));
    members_of_the_same_kind_that_fill_up:
        r##"{"type":"object","properties":{"b":{},"é":{}},"additionalProperties":{"$ref":"#"},"minProperties":2}"##, "{";
    distinct_items_that_are_dear: r#"{"type":"array","uniqueItems":true,"not":{
        "items":{"minimum":0,"multipleOf":2},
        "contains":{"type":"object","additionalProperties":{"type":"boolean"}},"maxContains":2}}"#,
        "[0,2,4,6,{}";
    huge_divisors: r#"{"multipleOf":123456789012345678901234567890.5}"#, "9";
    huge_min_length: r#"{"type":"string","minLength":1000000000000}"#, "\"a";
    huge_max_length: r#"{"type":"string","maxLength":1000000000000}"#, "\"a";
    huge_lengths_with_a_pattern:
        r#"{"type":"string","pattern":"^(ab)*$","minLength":1000000000000,"maxLength":2000000000000}"#, "\"a";
    huge_min_items: r#"{"type":"array","minItems":1000000000000}"#, "[1,";
    huge_max_items: r#"{"type":"array","maxItems":1000000000000}"#, "[1,";
    huge_nested_min_items:
        r#"{"minItems":10000,"type":"array","items":{"minItems":10000,"type":"array","items":{"minItems":10000,"type":"array"}}}"#, "[";
    counts_beyond_64_bits:
        r#"{"type":"array","minItems":1,"maxItems":100000000000000000000000000000,"items":{"maxLength":1e30,"type":"string"}}"#, "[";
    huge_bounds: r#"{"type":"integer","minimum":1e999999999}"#, "1";
    tiny_bounds: r#"{"type":"number","exclusiveMinimum":0,"maximum":1e-999999999}"#, "0";
    huge_constants: r#"{"enum":[1e999999999,-1e999999999,1]}"#, "1";
    many_digits: format!(r#"{{"minimum":{}}}"#, "9".repeat(1000)), "1";
    many_strings: format!(r#"{{"enum":[{}]}}"#, list(5000, |n| format!("\"value {n}\""))), "\"v";
    many_numbers: format!(r#"{{"enum":[{}]}}"#, list(2000, |n| (n * 7).to_string())), "1";
    many_properties: format!(
        r#"{{"type":"object","properties":{{{}}},"required":[{}],"additionalProperties":false}}"#,
        list(1000, |n| format!(r#""key{n}":{{"type":"integer"}}"#)), list(1000, |n| format!(r#""key{n}""#)),
    ), "{";
    many_branches: format!(
        r#"{{"type":"object","anyOf":[{}]}}"#,
        list(300, |n| format!(r#"{{"properties":{{"k":{{"const":{n}}},"v{n}":true}},"required":["k","v{n}"]}}"#)),
    ), r#"{"k":1"#;
    many_choices_at_once: format!(
        r#"{{"type":"object","allOf":[{}]}}"#,
        list(40, |n| format!(r#"{{"anyOf":[{{"required":["a{n}"]}},{{"required":["b{n}"]}}]}}"#)),
    ), "{";
    many_patterns_at_once: format!(
        r#"{{"type":"string","allOf":[{}]}}"#, list(10, |n| format!(r#"{{"pattern":"{n}.*{n}.*{n}"}}"#)),
    ), "\"1";
    large_patterns: r#"{"type":"string","pattern":".*a.{20}"}"#, "\"a";
    large_repetitions: r#"{"type":"string","pattern":"^((a{1,100}){1,100}){1,100}$"}"#, "\"a";
}

const LIST: &str = r##"{
    "$defs": {"list": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/list"}, {"type": "null"}]}}, "required": ["next"]}},
    "$ref": "#/$defs/list"
}"##;

fn nested(depth: usize) -> String {
    format!("{}true{}", r#"{"items":"#.repeat(depth), "}".repeat(depth))
}

fn list(n: usize, item: impl Fn(usize) -> String) -> String {
    (0..n).map(item).collect::<Vec<_>>().join(",")
}

#[test]
fn schemas_that_apply_themselves_to_the_same_value_get_an_answer() {
    let schemas = [
        r##"{"$ref":"#"}"##,
        r##"{"anyOf":[{"$ref":"#"},{"type":"null"}]}"##,
        r##"{"allOf":[{"$ref":"#"},{"type":"null"}]}"##,
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"items":{"$ref":"#/$defs/a"}}"##,
    ];
    for schema in schemas {
        let compiled = soon(move || {
            Constraint::json_schema(schema, &JsonSchemaOptions::matching(), &VOCABULARY).map(drop)
        });
        let answered =
            matches!(compiled, Err(Error::InvalidSchema { .. } | Error::Unsatisfiable { .. }));
        assert!(answered, "{schema}: {compiled:?}");
    }
}

/// The items that seem to be the shortest lead back to the array, and so do theirs: what is made up
/// has a bound on its depth.
#[test]
fn distinct_items_that_seem_shortest_lead_back() {
    let long = "a".repeat(60);
    let item = format!(
        r##"{{"anyOf": [{{"enum": [0, 1, "{long}"]}}, {{"type": "array", "prefixItems": [{{"$ref": "#"}}], "minItems": 1, "maxItems": 1}}]}}"##
    );
    let schema =
        format!(r#"{{"type": "array", "minItems": 3, "uniqueItems": true, "items": {item}}}"#);
    check_answers(&schema, "[0");
    let answer = soon(move || ask(&schema, JsonSchemaOptions::generating(), "[0"));
    let Err(Error::LimitExceeded { limit, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(limit, "completion_depth");
}

#[test]
fn threads_share_a_constraint() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}}},"required":["a"]}"#;
    let constraint =
        Constraint::json_schema(schema, &JsonSchemaOptions::matching(), &VOCABULARY).unwrap();
    let walk = |constraint: &Constraint, seed| {
        let walk = Walk::random(constraint, 200, &mut Random::new(seed));
        (walk.tokens, walk.masks)
    };
    let together = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                scope.spawn({
                    let constraint = &constraint;
                    move || walk(constraint, seed)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (seed, together) in (0..).zip(together) {
        let alone =
            Constraint::json_schema(schema, &JsonSchemaOptions::matching(), &VOCABULARY).unwrap();
        assert!(walk(&alone, seed) == together, "seed {seed}");
    }
}

/// The states of a constraint are forgotten when they are too many; a matcher finds its own again.
#[test]
fn forgotten_states_come_back() {
    let schema = r#"{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"object"},{"type":"string","minLength":3}]}}"#;
    let constraint =
        Constraint::json_schema(schema, &JsonSchemaOptions::matching(), &VOCABULARY).unwrap();
    let mut random = Random::new(1);
    let mut walks: Vec<Walk> = (0..5).map(|_| Walk::random(&constraint, 30, &mut random)).collect();
    for round in 0..15 {
        let deep: String = (0..20_000).map(|_| *random.pick(&["[", r#"{"a":"#])).collect();
        let mut other = constraint.matcher();
        other.accept_text(format!("[{{\"a\":{deep}").as_bytes()).unwrap();
        for walk in &mut walks {
            assert!(walk.matcher.compute_mask().unwrap() == *walk.mask(), "round {round}");
            let n_taken_back = random.below(walk.tokens.len() + 1);
            let n_kept = walk.tokens.len() - n_taken_back;
            walk.matcher.rollback(n_taken_back).unwrap();
            assert!(walk.matcher.compute_mask().unwrap() == walk.masks[n_kept], "round {round}");
            walk.matcher.accept_tokens(&walk.tokens[n_kept..]).unwrap();
        }
        other.rollback(1).unwrap();
        assert_eq!(following::by_text(&constraint, b"[1]"), Ok(()));
    }
}
