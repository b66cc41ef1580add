//! What patterns match, tried on random ones beside other engines.
//!
//! `ESPALIER_CASES` and `ESPALIER_SEED` are those of `properties.rs`.

mod support;

use espalier_constraint::{Constraint, Error, JsonSchemaOptions};
use serde_json::{Value, json};
use support::following;
use support::property::{Outcome, VOCABULARIES, compile, ensure, quietly};
use support::random::{Random, seeds};
use support::spelling::Spelling;
use support::walk::Walk;

#[test]
fn regular_expressions_match_as_elsewhere() {
    let mut failures = Vec::new();
    for seed in seeds(200) {
        let mut random = Random::new(seed);
        let pattern = random_pattern(2, &mut random);
        if let Err(problem) = quietly(|| check_pattern(&pattern, &mut random)) {
            failures.push(format!("seed {seed}, {pattern:?}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn check_pattern(pattern: &str, random: &mut Random) -> Outcome {
    let whole =
        regex::Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|error| error.to_string())?;
    let texts: Vec<String> = (0..20).map(|_| random_text(random)).collect();
    let constraint = match Constraint::regex(pattern, &VOCABULARIES[0]) {
        Ok(constraint) => constraint,
        Err(Error::Unsatisfiable { .. }) => {
            let matched = texts.iter().find(|text| whole.is_match(text));
            ensure!(matched.is_none(), "does not compile, but {matched:?} matches");
            return Ok(());
        }
        Err(Error::LimitExceeded { .. }) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    for text in &texts {
        let accepted = following::by_text(&constraint, text.as_bytes()).is_ok();
        ensure!(accepted == whole.is_match(text), "{text:?} is accepted: {accepted}");
    }
    let n_steps = random.below(10);
    let mut walk = Walk::random(&constraint, n_steps, random);
    let mut text = walk.text(&constraint);
    let completion = walk.matcher.shortest_completion().map_err(|error| error.to_string())?;
    text.extend(following::bytes_of(constraint.vocabulary(), &completion));
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    ensure!(whole.is_match(&text), "{text:?} was generated");
    Ok(())
}

fn random_pattern(depth: usize, random: &mut Random) -> String {
    const ATOMS: [&str; 16] = [
        "a", "b", "ab", "é", "€", "😀", ".", "[ab]", "[^a]", r"\d", "[a-cé]", "^", "$", r"\w", "",
        r"\pL",
    ];
    const ASSERTIONS: [&str; 13] = [
        r"\b",
        r"\B",
        r"(?-u:\b)",
        r"(?-u:\B)",
        r"\b{start}",
        r"\b{end}",
        r"\b{start-half}",
        r"(?-u:\b{end-half})",
        r"(?-u:\b{start})",
        "(?m:^)",
        "(?m:$)",
        "(?mR:^)",
        "(?mR:$)",
    ];
    const SUFFIXES: [&str; 8] = ["", "", "*", "+", "?", "{2}", "{1,3}", "*?"];
    if depth == 0 || random.one_in(4) {
        if random.one_in(4) {
            return (*random.pick(&ASSERTIONS)).to_owned();
        }
        let atom = *random.pick(&ATOMS);
        let suffix =
            if matches!(atom, "^" | "$" | "" | "ab") { "" } else { *random.pick(&SUFFIXES) };
        return format!("{atom}{suffix}");
    }
    let mut part = || random_pattern(depth - 1, random);
    let (left, right) = (part(), part());
    match random.below(3) {
        0 => format!("(?:{left}|{right}){}", random.pick(&SUFFIXES)),
        1 => format!("(?:{left}{right}){}", random.pick(&SUFFIXES)),
        _ => format!("{left}{right}"),
    }
}

fn random_text(random: &mut Random) -> String {
    let length = random.below(6);
    (0..length).map(|_| *random.pick(&['a', 'b', 'c', 'é', '€', '😀', '1', '\n', '\r'])).collect()
}

#[test]
fn patterns_with_lookaround_match_as_elsewhere() {
    let mut failures = Vec::new();
    let mut n_compared = 0;
    for seed in seeds(400) {
        let mut random = Random::new(seed);
        let [pattern, oracle] = random_lookaround(3, Width::Any, &mut random);
        // The other engine does not know lookbehinds of every kind.
        let Ok(oracle) = fancy_regex::Regex::new(&oracle) else { continue };
        n_compared += 1;
        if let Err(problem) = quietly(|| check_lookaround(&pattern, &oracle, &mut random)) {
            failures.push(format!("seed {seed}, {pattern:?}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(n_compared * 2 > seeds(400).count(), "{n_compared} patterns were compared");
}

fn check_lookaround(pattern: &str, oracle: &fancy_regex::Regex, random: &mut Random) -> Outcome {
    let texts: Vec<String> = (0..30).map(|_| random_text(random)).collect();
    let schema = json!({"type": "string", "pattern": pattern}).to_string();
    let compiled =
        Constraint::json_schema(&schema, &JsonSchemaOptions::generating(), &VOCABULARIES[0]);
    let constraint = match compiled {
        Ok(constraint) => constraint,
        Err(Error::Unsatisfiable { .. }) => {
            let matched = texts.iter().find(|text| matches!(oracle.is_match(text), Ok(true)));
            ensure!(matched.is_none(), "does not compile, but {matched:?} matches");
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    for text in &texts {
        // Where the other engine gives up, nothing is known.
        let Ok(expected) = oracle.is_match(text) else { continue };
        let json = Spelling::Compact.write(&Value::from(text.as_str()));
        let accepted = following::by_text(&constraint, json.as_bytes()).is_ok();
        ensure!(accepted == expected, "{text:?} is accepted: {accepted}");
    }
    for n_steps in [0, 3, 8] {
        let mut walk = Walk::random(&constraint, n_steps, random);
        let mut text = walk.text(&constraint);
        let completion = walk.matcher.shortest_completion().map_err(|error| error.to_string())?;
        text.extend(following::bytes_of(constraint.vocabulary(), &completion));
        let value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let text = value.as_str().unwrap_or_default();
        ensure!(!matches!(oracle.is_match(text), Ok(false)), "{text:?} was generated");
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Fixed,
    Any,
}

/// A pattern of ECMA 262, and the same for another engine.
///
/// The other engine goes wrong where lookarounds stand in a lookbehind of several widths.
fn random_lookaround(depth: usize, width: Width, random: &mut Random) -> [String; 2] {
    const BORDER: &str = r"(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))";
    const INSIDE: &str = r"(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))";
    const ASSERTIONS: [[&str; 2]; 4] =
        [["^", r"\A"], ["$", r"\z"], [r"\b", BORDER], [r"\B", INSIDE]];
    const ATOMS: [[&str; 2]; 12] = [
        ["a", "a"],
        ["b", "b"],
        ["é", "é"],
        ["€", "€"],
        [r"\u{1F600}", "😀"],
        [".", r"[^\n\r\u2028\u2029]"],
        ["[ab]", "[ab]"],
        ["[^a]", "[^a]"],
        [r"\d", "[0-9]"],
        ["[a-cé]", "[a-cé]"],
        [r"\w", "[0-9A-Za-z_]"],
        [r"[^]", r"(?s:.)"],
    ];
    const SUFFIXES: [&str; 8] = ["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"];
    const LOOKS: [&str; 4] = ["(?=", "(?!", "(?<=", "(?<!"];
    if depth == 0 || random.one_in(5) {
        if random.one_in(5) {
            return random.pick(&ASSERTIONS).map(str::to_owned);
        }
        let suffix = if width == Width::Fixed { "{2}" } else { *random.pick(&SUFFIXES) };
        return random.pick(&ATOMS).map(|atom| format!("{atom}{suffix}"));
    }
    let look = *random.pick(&LOOKS);
    let body = match (look.starts_with("(?<"), random.one_in(2)) {
        (true, true) => random_lookaround(0, Width::Any, random),
        (true, false) => random_lookaround(depth - 1, Width::Fixed, random),
        (false, _) => random_lookaround(depth - 1, Width::Any, random),
    };
    let left = random_lookaround(depth - 1, width, random);
    let right = random_lookaround(depth - 1, width, random);
    let suffix = *random.pick(&SUFFIXES);
    let kind = random.below(5);
    [0, 1].map(|engine| {
        let (left, right, body) = (&left[engine], &right[engine], &body[engine]);
        match kind {
            0 if width == Width::Any => format!("(?:{left}|{right}){suffix}"),
            1 if width == Width::Any => format!("(?:{left}{right}){suffix}"),
            2 => format!("{left}{look}{body})"),
            3 => format!("{look}{body}){right}"),
            _ => format!("{left}{right}"),
        }
    })
}

/// Of patterns in many combinations, too many to look at each.
#[test]
fn combinations_of_patterns_match_as_elsewhere() {
    let texts: Vec<Value> = texts_over(&["a", "b", "1"], 5).map(Value::from).collect();
    let mut failures = Vec::new();
    for seed in seeds(30) {
        let mut random = Random::new(seed);
        let combined = (0..6).map(|_| random_combination(2, &mut random)).collect::<Vec<_>>();
        let schema = json!({"type": "string", "allOf": combined, "maxLength": 5});
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let compiled = compile(&schema, JsonSchemaOptions::generating(), &VOCABULARIES[0]);
        let is_accepted = |text: &Value| match &compiled {
            Ok(Some(constraint)) => {
                following::by_text(constraint, text.to_string().as_bytes()).is_ok()
            }
            _ => false,
        };
        let wrong = texts.iter().find(|text| is_accepted(text) != validator.is_valid(text));
        let problem = compiled.as_ref().err().cloned();
        if let Some(problem) = problem.or(wrong.map(Value::to_string)) {
            failures.push(format!("seed {seed}, {schema}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn texts_over(letters: &[&str], max_length: usize) -> impl Iterator<Item = String> {
    let mut texts = vec![String::new()];
    let mut first = 0;
    for _ in 0..max_length {
        let last = texts.len();
        let longer = texts[first..last].iter();
        let longer: Vec<_> = longer
            .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")))
            .collect();
        texts.extend(longer);
        first = last;
    }
    texts.into_iter()
}

fn random_combination(depth: usize, random: &mut Random) -> Value {
    const PATTERNS: [&str; 10] =
        ["^a", "b$", "ab", "1", "^.{2}$", "^[ab]*$", "a.*b", "^(..)*$", "[^1]b", "^(ab|1)+$"];
    if depth == 0 {
        return match random.below(8) {
            0 => json!({"minLength": random.below(3)}),
            _ => json!({"pattern": random.pick(&PATTERNS)}),
        };
    }
    let mut part = || random_combination(depth - 1, random);
    let (a, b, c) = (part(), part(), part());
    match random.below(5) {
        0 => json!({"not": a}),
        1 => json!({"allOf": [a, b]}),
        2 => json!({"oneOf": [a, b, c]}),
        3 => json!({"if": a, "then": b, "else": c}),
        _ => json!({"anyOf": [a, b, c]}),
    }
}
