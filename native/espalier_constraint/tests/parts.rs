//! Texts made of parts, and which of their parts have a name.

mod support;

use std::sync::Arc;

use espalier_constraint::{Compiler, Constraint, Error, JsonSchemaOptions, Vocabulary};
use serde_json::{Value, json};
use support::data;
use support::random::Random;

fn compile(parts: &Value) -> Result<Constraint, Error> {
    let vocabulary = data::read_vocabulary("bytes");
    Compiler::new(&vocabulary).parts(&parts.to_string(), &JsonSchemaOptions::generating())
}

/// Whether a matcher takes the text as a whole.
fn accepts(constraint: &Constraint, text: &str) -> bool {
    let mut matcher = constraint.matcher();
    matcher.accept_text(text.as_bytes()).is_ok() && matcher.is_accepting().unwrap()
}

fn captures<'a>(constraint: &Constraint, text: &'a str) -> Option<Vec<(String, &'a str)>> {
    let captures = constraint.captures(text.as_bytes()).unwrap()?;
    Some(captures.into_iter().map(|capture| (capture.name, &text[capture.range])).collect())
}

#[test]
fn thoughts_come_before_a_value() {
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}}).to_string();
    let constraint = compile(&json!({"sequence": [
        {"literal": "<think>"},
        {"capture": "thoughts", "of": {"until": ["</think>"], "end": 0}},
        {"capture": "value", "of": {"json_schema": schema}}
    ]}))
    .unwrap();
    let text = "<think>Ada? {\"age\": </thin 36</think>{\"age\":36}";
    assert!(accepts(&constraint, text));
    let expected = [
        ("thoughts".to_owned(), "Ada? {\"age\": </thin 36</think>"),
        ("value".to_owned(), "{\"age\":36}"),
    ];
    assert_eq!(captures(&constraint, text).unwrap(), expected);
    for other in ["<think></think>", "<think></think>{\"age\":\"36\"}", "{\"age\":36}", "<think>a"]
    {
        assert!(!accepts(&constraint, other) && captures(&constraint, other).is_none());
    }
}

#[test]
fn calls_stand_among_free_text() {
    let tags = ["<a>", "<b>"];
    let call = |index: usize, pattern: &str| {
        json!({"sequence": [
            {"until": tags, "end": index},
            {"capture": format!("call {index}"), "of": {"regex": pattern}},
            {"literal": "</>"}
        ]})
    };
    let constraint = compile(&json!({"sequence": [
        {"repeat": {"choice": [call(0, "[0-9]+"), call(1, "[a-z]+")]}},
        {"until": tags, "end": null}
    ]}))
    .unwrap();
    for (text, expected) in [
        ("", Some(vec![])),
        ("no call, <c> and < only", Some(vec![])),
        (
            "one: <a>12</>, two: <b>xy</><a>3</>.",
            Some(vec![("call 0", "12"), ("call 1", "xy"), ("call 0", "3")]),
        ),
        ("<<a>12</>", Some(vec![("call 0", "12")])),
        ("<a>x</>", None),
        ("<b>", None),
    ] {
        let expected = expected.map(|calls: Vec<(&str, &str)>| -> Vec<_> {
            calls.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
        });
        assert_eq!(accepts(&constraint, text), expected.is_some(), "{text}");
        assert_eq!(captures(&constraint, text), expected, "{text}");
    }
}

/// Parts drawn at random over two letters, and the same as a regular expression with named groups.
fn draw(random: &mut Random, depth: usize, n_groups: &mut usize) -> (Value, String) {
    let letter = |random: &mut Random| ["a", "b", "ab", ""][random.below(4)];
    match if depth == 0 { random.below(2) } else { random.below(6) } {
        0 => {
            let text = letter(random);
            (json!({ "literal": text }), text.to_owned())
        }
        1 => {
            let pattern = ["a*", "[ab]", "b+", "(?:ab)*", "a?"][random.below(5)];
            (json!({ "regex": pattern }), format!("(?:{pattern})"))
        }
        kind @ (2 | 3) => {
            let parts: Vec<_> =
                (0..random.below(4)).map(|_| draw(random, depth - 1, n_groups)).collect();
            let (parts, patterns): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            if kind == 2 || parts.is_empty() {
                (json!({ "sequence": parts }), patterns.concat())
            } else {
                (json!({ "choice": parts }), format!("(?:{})", patterns.join("|")))
            }
        }
        4 => {
            let (part, pattern) = draw(random, depth - 1, &mut usize::MAX.clone());
            let (min, max) = [(0, None), (1, None), (0, Some(2)), (2, Some(3))][random.below(4)];
            let most = max.map_or(String::new(), |max: u32| max.to_string());
            let parts = json!({"repeat": part, "min": min, "max": max});
            (parts, format!("(?:{pattern}){{{min},{most}}}"))
        }
        _ => {
            let (part, pattern) = draw(random, depth - 1, n_groups);
            if *n_groups >= 8 {
                return (part, pattern);
            }
            let name = format!("g{n_groups}");
            *n_groups += 1;
            (json!({"capture": name, "of": part}), format!("(?<{name}>{pattern})"))
        }
    }
}

#[test]
fn names_what_the_groups_of_a_regular_expression_do() {
    let mut random = Random::new(7);
    let texts: Vec<String> = (0..=6)
        .flat_map(|n| {
            (0..1 << n).map(move |bits: u32| {
                (0..n).map(|at| if bits >> at & 1 == 0 { 'a' } else { 'b' }).collect()
            })
        })
        .collect();
    let mut n_captured = 0;
    for _ in 0..400 {
        let mut n_groups = 0;
        let (parts, pattern) = draw(&mut random, 3, &mut n_groups);
        let regex = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let Ok(constraint) = compile(&parts) else { panic!("{parts}") };
        for text in &texts {
            let expected = regex.captures(text).map(|groups| {
                let names = regex.capture_names().flatten();
                let mut found: Vec<_> =
                    names.filter_map(|name| Some((name.to_owned(), groups.name(name)?))).collect();
                found.sort_by_key(|(name, _)| name.clone());
                found.into_iter().map(|(name, group)| (name, group.as_str())).collect::<Vec<_>>()
            });
            assert_eq!(accepts(&constraint, text), expected.is_some(), "{parts} {text}");
            let found = captures(&constraint, text).map(|mut found| {
                found.sort();
                found
            });
            assert_eq!(found, expected, "{parts} {text} {pattern}");
            n_captured += expected.map_or(0, |expected| expected.len());
        }
    }
    assert!(n_captured > 500, "{n_captured}");
}

#[test]
fn parts_that_are_none_are_named() {
    for (parts, pointer) in [
        (json!(1), ""),
        (json!({}), ""),
        (json!({"literal": 1}), "/literal"),
        (json!({"literal": "a", "regex": "b"}), ""),
        (json!({"literal": "a", "of": "b"}), ""),
        (
            json!({"sequence": [{"literal": "a"}, {"choice": [{"regex": 5}]}]}),
            "/sequence/1/choice/0/regex",
        ),
        (json!({"choice": "a"}), "/choice"),
        (json!({"repeat": {"literal": "a"}, "min": 3, "max": 2}), "/max"),
        (json!({"repeat": {"literal": "a"}, "min": -1}), "/min"),
        (json!({"repeat": {"literal": "a"}, "mix": 1}), ""),
        (json!({"until": ["a"], "end": 1}), "/end"),
        (json!({"until": [""]}), "/until"),
        (json!({"until": ["a"], "max_tokens": -1}), "/max_tokens"),
        (json!({"special_token": ""}), "/special_token"),
        (json!({"until": "a"}), "/until"),
        (json!({"capture": "a"}), ""),
        (json!({"capture": 1, "of": {"literal": "a"}}), "/capture"),
    ] {
        match compile(&parts) {
            Err(Error::InvalidParts { pointer: found, .. }) => {
                assert_eq!(found, pointer, "{parts}");
            }
            other => panic!("{parts}: {other:?}"),
        }
    }
    let vocabulary = data::read_vocabulary("bytes");
    let deep = "[".repeat(100_000);
    let result = Compiler::new(&vocabulary).parts(&deep, &JsonSchemaOptions::generating());
    assert!(matches!(result, Err(Error::InvalidParts { .. })));
    assert!(matches!(compile(&json!({"choice": []})), Err(Error::EmptyGrammar { .. })));
}

#[test]
fn constraints_of_parts_can_be_stored() {
    let constraint = compile(&json!({"sequence": [
        {"capture": "a", "of": {"until": ["x", "yy"], "end": 1}},
        {"repeat": {"regex": "[0-9]"}, "min": 1, "max": 3}
    ]}))
    .unwrap();
    let vocabulary = data::read_vocabulary("bytes");
    let again = Constraint::from_bytes(&constraint.to_bytes(), &vocabulary).unwrap();
    for text in ["abyy12", "yy1", "xyy1", "yy1234"] {
        assert_eq!(captures(&again, text), captures(&constraint, text));
        assert_eq!(accepts(&again, text), accepts(&constraint, text));
    }
}

#[test]
fn looking_for_captures_has_a_bound() {
    // Each letter is read in as many ways as there are names.
    let letters: Vec<Value> =
        (0..50).map(|n| json!({"capture": n.to_string(), "of": {"regex": "a*"}})).collect();
    let constraint = compile(&json!({"sequence": [
        {"sequence": letters}, {"regex": "a*b"}
    ]}))
    .unwrap();
    let text = format!("{}b", "a".repeat(3000));
    match constraint.captures(text.as_bytes()) {
        Ok(Some(captures)) => assert_eq!(captures[0].range, 0..3000),
        Err(Error::LimitExceeded { .. }) => {}
        other => panic!("{other:?}"),
    }
    let text = format!("{}c", "a".repeat(30_000));
    assert!(matches!(
        constraint.captures(text.as_bytes()),
        Ok(None) | Err(Error::LimitExceeded { .. })
    ));
}

/// All bytes, some texts, an end, and special tokens with these names.
fn with_special_tokens(names: &[&str]) -> (Arc<Vocabulary>, Vec<u32>) {
    let bytes = (0..=255).map(|byte| vec![byte]);
    let texts = ["ab", "<call>", "{\"a\":"].map(|text| text.as_bytes().to_vec());
    let mut tokens: Vec<Vec<u8>> = bytes.chain(texts).chain([Vec::new()]).collect();
    let end = (tokens.len() - 1) as u32;
    let ids: Vec<u32> = (end + 1..).take(names.len()).collect();
    tokens.extend(names.iter().map(|_| Vec::new()));
    let special: Vec<u32> = ids.iter().copied().chain([end]).collect();
    let vocabulary = Vocabulary::new(tokens, &[end], &special).unwrap();
    let names = ids.iter().copied().zip(names.iter().map(|&name| name.to_owned()));
    (Arc::new(vocabulary.with_special_names(names)), ids)
}

#[test]
fn special_tokens_stand_where_they_are_named() {
    let (vocabulary, ids) = with_special_tokens(&["<call>", "<end>", "<other>"]);
    let parts = json!({"sequence": [
        {"capture": "text", "of": {"until": ["<call>"], "end": null}},
        {"special_token": "<call>"},
        {"capture": "call", "of": {"json_schema": "{\"const\": {\"a\": 1}}"}},
        {"special_token": "<end>"},
        {"special_token": "<missing>"}
    ]})
    .to_string();
    let options = JsonSchemaOptions::generating();
    let constraint = Compiler::new(&vocabulary).parts(&parts, &options).unwrap();
    for constraint in
        [constraint.clone(), Constraint::from_bytes(&constraint.to_bytes(), &vocabulary).unwrap()]
    {
        let mut matcher = constraint.matcher();
        let text: Vec<u32> = "xb".bytes().map(u32::from).collect();
        matcher.accept_tokens(&text).unwrap();
        let mask = matcher.compute_mask().unwrap();
        assert_eq!(
            ids.iter().map(|&id| mask.is_allowed(id)).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert!(!mask.is_allowed(257), "the name spelled as a text");
        for id in 0..vocabulary.n_ids() as u32 {
            let is_accepted = matcher.clone().accept_token(id).is_ok();
            assert_eq!(mask.is_allowed(id), is_accepted, "{id}");
        }
        let marked = [b"\xff<call>\xff", &b"\xff"[..]];
        assert!(marked.iter().all(|text| matcher.accept_text(text).is_err()));
        for &id in &ids[1..] {
            assert!(matches!(matcher.accept_token(id), Err(Error::TokenNotAllowed { .. })));
        }
        matcher.accept_token(ids[0]).unwrap();
        let forced = matcher.forced_tokens().unwrap();
        let expected = [258, u32::from(b'1'), u32::from(b'}'), ids[1]];
        assert_eq!(forced[..4], expected);
        assert_eq!(forced.len(), 4 + "<missing>".len());
        assert_eq!(matcher.shortest_completion().unwrap(), forced);
        matcher.accept_tokens(&forced).unwrap();
        assert!(matcher.must_stop().unwrap());
        assert_eq!(matcher.text(), b"xb<call>{\"a\":1}<end><missing>");
        matcher.rollback(forced.len() + 1).unwrap();
        assert!(matcher.forced_tokens().unwrap().is_empty());
    }
    // Where the names are texts as any other, the text that a matcher tells is read again.
    let plain = compile(&serde_json::from_str(&parts).unwrap()).unwrap();
    let text = "xb<call>{\"a\":1}<end><missing>";
    let expected = [("text".to_owned(), "xb"), ("call".to_owned(), "{\"a\":1}")];
    assert_eq!(captures(&plain, text).unwrap(), expected);
}

#[test]
fn vocabularies_keep_the_names_of_special_tokens() {
    let (vocabulary, ids) = with_special_tokens(&["<call>"]);
    let again = Vocabulary::from_bytes(&vocabulary.to_bytes()).unwrap();
    for vocabulary in [&vocabulary, &again] {
        assert_eq!(
            (vocabulary.special_id("<call>"), vocabulary.special_id("a")),
            (Some(ids[0]), None)
        );
    }
}

/// Sums, with a recursion on the left.
const SUMS: &str = "start: sum\nsum: sum \"+\" INT | \"(\" sum \")\" | INT\n%import common.INT\n";
/// The same names mean something else.
const NAMES: &str = "root ::= sum (\",\" sum)*\nsum ::= [a-z]+ | \"[\" root \"]\"\n";

#[test]
fn grammars_are_parts() {
    let constraint = compile(&json!({"sequence": [
        {"literal": "SUM: "},
        {"capture": "sum", "of": {"grammar": SUMS}},
        {"repeat": {"sequence": [
            {"literal": ";"},
            {"capture": "names", "of": {"grammar": NAMES, "syntax": "gbnf"}}
        ]}, "max": 2}
    ]}))
    .unwrap();
    let vocabulary = data::read_vocabulary("bytes");
    let again = Constraint::from_bytes(&constraint.to_bytes(), &vocabulary).unwrap();
    for constraint in [constraint, again] {
        let found = |text| {
            let found = captures(&constraint, text);
            assert_eq!(accepts(&constraint, text), found.is_some(), "{text}");
            found.map(|found| found.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
        };
        assert_eq!(found("SUM: (1+23)+4"), Some(vec!["(1+23)+4"]));
        assert_eq!(found("SUM: 1;a,[b,c];d"), Some(vec!["1", "a,[b,c]", "d"]));
        for other in ["SUM: (1+2", "SUM: ", "SUM: 1;", "SUM: a", "SUM: 1;1", "SUM: 1;a;b;c"] {
            assert_eq!(found(other), None);
        }
        let text = format!("SUM: {}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(found(&text), Some(vec![&text["SUM: ".len()..]]));
    }
}

#[test]
fn a_grammar_takes_as_much_as_it_can_and_leaves_what_others_need() {
    let constraint = compile(&json!({"sequence": [
        {"capture": "sum", "of": {"grammar": SUMS}},
        {"capture": "rest", "of": {"regex": "[0-9+]*"}},
        {"literal": "+7"}
    ]}))
    .unwrap();
    let found = captures(&constraint, "1+2+3+7").unwrap();
    assert_eq!(found, [("sum".to_owned(), "1+2+3"), ("rest".to_owned(), "")]);
    assert!(captures(&constraint, "1+2+3+8").is_none());
}

#[test]
fn a_grammar_in_parts_has_schemas_and_a_start_of_its_own() {
    let grammar = "start: \"no\"\nvalue: \"value \" %json {\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}}, \"required\": [\"a\"], \"additionalProperties\": false}\n";
    let constraint = compile(&json!({"choice": [
        {"grammar": grammar, "start": "value"},
        {"grammar": "root ::= a | \"y\"\na ::= \"x\" a", "syntax": "gbnf"}
    ]}))
    .unwrap();
    assert!(accepts(&constraint, "value {\"a\":1}") && accepts(&constraint, "y"));
    assert!(!accepts(&constraint, "no") && !accepts(&constraint, "value {\"a\":\"1\"}"));
    let unused: Vec<_> = constraint
        .unused_rules()
        .iter()
        .map(|rule| (&rule.name[..], rule.line, rule.pointer.as_deref(), rule.matches_nothing))
        .collect();
    let expected =
        [("start", 1, Some("/choice/0/grammar"), false), ("a", 2, Some("/choice/1/grammar"), true)];
    assert_eq!(unused, expected);
}

#[test]
fn what_is_wrong_with_a_grammar_in_parts_has_its_place_in_both() {
    let json = "start: %json {\"type\": 1}";
    for (grammar, line, column) in [
        ("start: \"a\"\n  | name", 2, 5),
        ("start: \"a\" \n\n !", 3, 3),
        ("start: a\na: \"x\" a", 2, 1),
        ("start: /(/", 1, 10),
        (json, 1, 8),
    ] {
        let parts =
            json!({"sequence": [{"literal": "a"}, {"capture": "x", "of": {"grammar": grammar}}]});
        let Err(Error::InvalidPart { error, pointer }) = compile(&parts) else { panic!("{parts}") };
        assert_eq!(pointer, "/sequence/1/of/grammar");
        let place = match *error {
            Error::InvalidGrammar { line, column, .. }
            | Error::UndefinedName { line, column, .. }
            | Error::EmptyGrammar { line, column, .. }
            | Error::InvalidTerminal { line, column, .. } => (line, column),
            other => panic!("{other:?}"),
        };
        assert_eq!(place, (line, column), "{grammar}");
    }
    for (parts, pointer) in [
        (json!({"grammar": 1}), "/grammar"),
        (json!({"grammar": SUMS, "syntax": "ebnf"}), "/syntax"),
        (json!({"grammar": SUMS, "start": 1}), "/start"),
        (json!({"grammar": SUMS, "begin": "sum"}), ""),
    ] {
        match compile(&parts) {
            Err(Error::InvalidParts { pointer: found, .. }) => {
                assert_eq!(found, pointer, "{parts}");
            }
            other => panic!("{parts}: {other:?}"),
        }
    }
}

#[test]
fn rounds_that_take_nothing_end() {
    let optional = |text: &str| json!({"repeat": {"literal": text}, "max": 1});
    let both = json!({"sequence": [optional("a"), optional("b")]});
    let most = u32::MAX;
    let nested = json!({"repeat": {"repeat": {"repeat": optional("a"), "min": most}, "min": most}, "min": most});
    for (part, text) in [
        (json!({"repeat": optional("a"), "max": most}), "aa"),
        (json!({"repeat": optional("a"), "min": most}), "aa"),
        (json!({"repeat": optional("a"), "min": most, "max": most}), ""),
        (json!({"repeat": both, "max": 2_000_000}), ""),
        (json!({"repeat": both, "min": 2_000_000}), "abba"),
        (nested, "aaa"),
    ] {
        let constraint = compile(&json!({"capture": "all", "of": part})).unwrap();
        assert!(accepts(&constraint, text) && !accepts(&constraint, "c"));
        assert_eq!(captures(&constraint, text).unwrap(), [("all".to_owned(), text)]);
        assert_eq!(captures(&constraint, "c"), None);
    }
    // As many captures as there have to be, and one more that is empty where there may be.
    let letters = |min, max| {
        let letter = json!({"capture": "x", "of": optional("a")});
        let constraint = compile(&json!({"repeat": letter, "min": min, "max": max})).unwrap();
        captures(&constraint, "aa").unwrap().len()
    };
    let counts = [letters(5, Some(9)), letters(0, Some(2)), letters(0, Some(9)), letters(0, None)];
    assert_eq!(counts, [6, 2, 3, 3]);
}

#[test]
fn repetitions_end_where_a_matcher_says() {
    let mut random = Random::new(11);
    let texts = ["", "a", "aa", "ab", "ba", "aab", "aaaa", "abab", "aaaaa", "abaab"];
    for _ in 0..2000 {
        let mut part = ["a", "b", "ab", ""].map(|text| json!({ "literal": text }));
        for _ in 0..3 {
            let of = part[random.below(4)].clone();
            let (min, more) = ([0, 1, 2, 3, 200][random.below(5)], [0, 1, 2, 300][random.below(4)]);
            let max = Some(min + more).filter(|_| random.below(4) > 0);
            let made = match random.below(3) {
                0 => json!({"choice": [of, part[random.below(4)]]}),
                1 => json!({"sequence": [of, part[random.below(4)]]}),
                _ => json!({"repeat": of, "min": min, "max": max}),
            };
            part[random.below(4)] = made;
        }
        let parts = json!({"sequence": [part[0], part[1], part[2]]});
        let constraint = compile(&json!({"capture": "x", "of": parts})).unwrap();
        for text in texts {
            let is_found = captures(&constraint, text).is_some();
            assert_eq!(is_found, accepts(&constraint, text), "{parts} {text:?}");
        }
    }
}

#[test]
fn white_space_behind_json_belongs_to_what_follows() {
    let vocabulary = data::read_vocabulary("bytes");
    let any = json!({"until": [], "end": null});
    let integer = json!({"json_schema": "{\"type\": \"integer\"}"});
    let grammar = |text: &str| json!({ "grammar": text });
    let int = "start: \"v=\" %json {\"type\": \"integer\"}";
    for (first, rest, text, expected) in [
        (&integer, &any, "12 \n34", "12"),
        (&integer, &any, "12", "12"),
        (&integer, &json!({"literal": ""}), "12 \n", "12 \n"),
        (&integer, &json!({"literal": "\n34"}), "12 \n34", "12 "),
        (&integer, &json!({"regex": "2?"}), "12 ", "12 "),
        (&integer, &json!({"regex": "2 "}), "12 ", "1"),
        (&json!({"sequence": [{"literal": "v="}, integer]}), &any, "v=1\n\nhello", "v=1"),
        (&grammar(int), &any, "v=1\n\nhello", "v=1"),
        (&grammar(int), &json!({"literal": "\n"}), "v=1 \n", "v=1 "),
        (&grammar(&format!("{int} /\\n*/")), &any, "v=1\n\n hello", "v=1\n\n"),
        (&grammar(&format!("{int} \";\"")), &any, "v=1 ; ", "v=1 ;"),
    ] {
        let parts = json!({"sequence": [{"capture": "x", "of": first}, rest]}).to_string();
        let options = JsonSchemaOptions::matching();
        let constraint = Compiler::new(&vocabulary).parts(&parts, &options).unwrap();
        assert!(accepts(&constraint, text));
        let found = captures(&constraint, text).unwrap();
        assert_eq!(found, [("x".to_owned(), expected)], "{parts} {text:?}");
    }
}

#[test]
fn what_is_wrong_with_an_expression_or_a_schema_in_parts_has_its_place() {
    let never = json!({"type": "integer", "minimum": 3, "maximum": 1}).to_string();
    for (part, place, is_expected) in [
        (
            json!({"regex": "("}),
            "/regex",
            (|error| matches!(error, Error::InvalidRegex { .. })) as fn(&Error) -> bool,
        ),
        (json!({"regex": "(?=a)"}), "/regex", |error| {
            matches!(error, Error::UnsupportedRegex { .. })
        }),
        (json!({"regex": "a)", "syntax": "ecma"}), "/regex", |error| {
            matches!(error, Error::InvalidRegex { .. })
        }),
        (json!({"regex": "a{9999}{9999}"}), "/regex", |error| {
            matches!(error, Error::LimitExceeded { .. })
        }),
        (json!({"json_schema": "{"}), "/json_schema", |error| {
            matches!(error, Error::InvalidJson { .. })
        }),
        (json!({"json_schema": "{\"type\": 1}"}), "/json_schema", |error| {
            matches!(error, Error::InvalidSchema { .. })
        }),
        (json!({"json_schema": never}), "/json_schema", |error| {
            matches!(error, Error::Unsatisfiable { .. })
        }),
    ] {
        let parts = json!({"sequence": [
            {"grammar": SUMS},
            {"regex": "a"},
            {"repeat": {"choice": [{"literal": "a"}, {"capture": "x", "of": part}]}, "max": 1}
        ]});
        let Err(Error::InvalidPart { error, pointer }) = compile(&parts) else { panic!("{parts}") };
        assert_eq!(pointer, format!("/sequence/2/repeat/choice/1/of{place}"));
        assert!(is_expected(&error), "{error:?}");
    }
}

#[test]
fn limits_of_a_terminal_have_its_place() {
    let long = "a".repeat(70_000);
    for grammar in [
        "start: A\nA: \"a\" ~ 9999999".to_owned(),
        "start: A\nA: /[ab]*a[ab]{40}/".to_owned(),
        format!("start: A\nA: \"{long}\""),
        format!("start: A\nA: /{long}/"),
        format!("start: A\nA: /{}/", "(".repeat(300)),
        "start: \"b\"\n%ignore /a{9999999}/".to_owned(),
    ] {
        let Err(Error::InvalidPart { error, pointer }) = compile(&json!({"grammar": grammar}))
        else {
            panic!("{grammar:.60}")
        };
        assert_eq!(pointer, "/grammar");
        let Error::InvalidTerminal { error, line: 2, .. } = *error else { panic!("{error:?}") };
        assert!(matches!(*error, Error::LimitExceeded { .. }), "{error:?}");
    }
}

#[test]
fn parts_may_lie_deep_in_each_other() {
    let vocabulary = data::read_vocabulary("bytes");
    let nested = |depth: usize, begin: &str, end: &str| {
        let parts = format!("{}{{\"literal\": \"a\"}}{}", begin.repeat(depth), end.repeat(depth));
        Compiler::new(&vocabulary).parts(&parts, &JsonSchemaOptions::generating())
    };
    for (begin, end) in [
        ("{\"sequence\": [", "]}"),
        ("{\"choice\": [{\"literal\": \"b\"}, ", "]}"),
        ("{\"repeat\": ", ", \"max\": 1}"),
        ("{\"capture\": \"x\", \"of\": ", "}"),
    ] {
        let constraint = nested(1000, begin, end).unwrap();
        assert!(accepts(&constraint, "a") && !accepts(&constraint, "aa"));
        assert!(captures(&constraint, "a").is_some());
        for depth in [1001, 20_000] {
            let Err(Error::LimitExceeded { limit, .. }) = nested(depth, begin, end) else {
                panic!("{depth} times {begin}")
            };
            assert_eq!(limit, "grammar_nesting");
        }
    }
    let wrong = r#"{"sequence": [{"literal": {"regex": "}"}}]}"#;
    let result = Compiler::new(&vocabulary).parts(wrong, &JsonSchemaOptions::generating());
    let Err(Error::InvalidParts { message, pointer }) = result else { panic!("{result:?}") };
    assert_eq!(pointer, "/sequence/0/literal");
    assert_eq!(message, r#"expected a text, got: {"regex": "}"}"#);
    for text in ["{", "{}}", "{\"sequence\": [{]}", "\"", "{\"a", "", "{\"\":0}", "[{\"\":7}]"] {
        let result = Compiler::new(&vocabulary).parts(text, &JsonSchemaOptions::generating());
        assert!(matches!(result, Err(Error::InvalidParts { .. })), "{text}");
    }
}

#[test]
fn a_grammar_that_leads_to_itself_has_no_captures() {
    let vocabulary = data::read_vocabulary("bytes");
    let options = espalier_constraint::GrammarOptions::lark();
    let constraint = Constraint::grammar(SUMS, &options, &vocabulary).unwrap();
    assert_eq!(captures(&constraint, "(1+2)+3"), Some(vec![]));
    assert_eq!(captures(&constraint, "(1+2+3"), None);
}
