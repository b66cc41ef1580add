//! Free text of so many tokens at most, compared with reading each token in all ways.

mod support;

use std::collections::HashSet;
use std::sync::Arc;

use espalier_constraint::{
    Compiler, Constraint, Error, JsonSchemaOptions, Limits, Matcher, Vocabulary,
};
use serde_json::{Value, json};
use support::random::Random;

const TOKENS: [&[u8]; 27] = [
    b"a",
    b"b",
    b"<",
    b"/",
    b"x",
    b">",
    b"1",
    b";",
    b"\xc3",
    b"\xa9",
    b"\xf0",
    b"\x9f",
    b"\x98",
    b"\x80",
    b"\x90",
    b"ab",
    b"</",
    b"</x",
    b"</x>",
    b"x>",
    b"b</x>1",
    b"1;",
    b";a",
    "é".as_bytes(),
    "é<".as_bytes(),
    b"\xa9</x>",
    b"a;a;a",
];

fn vocabulary() -> Arc<Vocabulary> {
    let tokens = TOKENS.iter().map(|token| token.to_vec()).chain([Vec::new()]).collect();
    Arc::new(Vocabulary::new(tokens, &[END], &[]).unwrap())
}

const END: u32 = TOKENS.len() as u32;

/// A part of a text; all of them may come several times.
#[derive(Clone, Copy, Debug)]
enum Part {
    Text { stop: Option<&'static str>, n: u32 },
    Literal(&'static str),
}

fn told(parts: &[Part], repeats: bool) -> Value {
    let each: Vec<Value> = parts
        .iter()
        .map(|part| match part {
            Part::Text { stop: Some(stop), n } => {
                json!({"until": [stop], "end": 0, "max_tokens": n})
            }
            Part::Text { stop: None, n } => json!({"until": [], "end": null, "max_tokens": n}),
            Part::Literal(text) => json!({"literal": text}),
        })
        .collect();
    let all = json!({"sequence": each});
    if repeats { json!({"repeat": all}) } else { all }
}

fn compile(parts: &Value) -> Constraint {
    let options = JsonSchemaOptions::generating();
    Compiler::new(&vocabulary()).parts(&parts.to_string(), &options).unwrap()
}

/// One way to read what was written so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reading {
    Text { part: usize, text: Vec<u8>, count: u32 },
    Literal { part: usize, at: usize },
    End,
}

/// All ways to read a text, byte by byte.
#[derive(Clone, Debug)]
struct Oracle<'a> {
    parts: &'a [Part],
    repeats: bool,
    readings: HashSet<Reading>,
}

impl<'a> Oracle<'a> {
    fn new(parts: &'a [Part], repeats: bool) -> Self {
        let mut new = Self { parts, repeats, readings: HashSet::new() };
        new.begin(0);
        if repeats {
            new.readings.insert(Reading::End);
        }
        new
    }

    /// Adds a reading that is before a part.
    fn begin(&mut self, part: usize) {
        let reading = match self.parts.get(part) {
            None if self.repeats => {
                self.readings.insert(Reading::End);
                return self.begin(0);
            }
            None => Reading::End,
            Some(Part::Literal(_)) => Reading::Literal { part, at: 0 },
            Some(Part::Text { .. }) => Reading::Text { part, text: Vec::new(), count: 0 },
        };
        self.add(reading);
    }

    /// Adds a reading with those behind what ends there.
    fn add(&mut self, reading: Reading) {
        if !self.readings.insert(reading.clone()) {
            return;
        }
        match reading {
            Reading::Text { part, text, .. } => match self.parts[part] {
                Part::Text { stop: Some(stop), .. } if text.ends_with(stop.as_bytes()) => {
                    self.begin(part + 1);
                }
                Part::Text { stop: None, .. } if str::from_utf8(&text).is_ok() => {
                    self.begin(part + 1);
                }
                _ => {}
            },
            Reading::Literal { part, at } => {
                let Part::Literal(text) = self.parts[part] else { unreachable!() };
                if at == text.len() {
                    self.begin(part + 1);
                }
            }
            Reading::End => {}
        }
    }

    fn byte(&mut self, byte: u8) {
        for reading in std::mem::take(&mut self.readings) {
            match reading {
                Reading::Literal { part, at } => {
                    let Part::Literal(text) = self.parts[part] else { unreachable!() };
                    if text.as_bytes().get(at) == Some(&byte) {
                        self.add(Reading::Literal { part, at: at + 1 });
                    }
                }
                Reading::Text { part, text, count } => {
                    let Part::Text { stop, n } = self.parts[part] else { unreachable!() };
                    let longer = [&text[..], &[byte]].concat();
                    let has_ended = stop.is_some_and(|stop| text.ends_with(stop.as_bytes()));
                    let may_follow = is_begin(&longer)
                        && !has_ended
                        && (count < n || left(&longer, stop) < left(&text, stop));
                    if may_follow {
                        self.add(Reading::Text { part, text: longer, count });
                    }
                }
                Reading::End => {}
            }
        }
    }

    /// Reads a token; answers whether it could be.
    fn token(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            self.byte(byte);
        }
        let count_one = |reading| match reading {
            Reading::Text { part, text, count } if !text.is_empty() => {
                Reading::Text { part, text, count: count + 1 }
            }
            other => other,
        };
        self.readings = std::mem::take(&mut self.readings).into_iter().map(count_one).collect();
        !self.readings.is_empty()
    }

    fn is_accepting(&self) -> bool {
        self.readings.contains(&Reading::End)
    }
}

/// Whether some text in UTF-8 begins so.
fn is_begin(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// How many bytes a text needs at least to end.
fn left(text: &[u8], stop: Option<&str>) -> usize {
    let n_valid = str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    let stop = stop.unwrap_or_default().as_bytes();
    if let Some(&first) = text.get(n_valid) {
        let length = first.leading_ones() as usize;
        return length - (text.len() - n_valid) + stop.len();
    }
    let is_written = |&n: &usize| text.ends_with(&stop[..n]);
    stop.len() - (0..=stop.len()).rev().find(is_written).unwrap_or(0)
}

fn cases() -> Vec<(Vec<Part>, bool)> {
    let mut cases = Vec::new();
    for n in [0, 1, 2, 5] {
        let text = Part::Text { stop: None, n };
        let until = Part::Text { stop: Some("</x>"), n };
        let short = Part::Text { stop: Some(";"), n };
        let one = Part::Literal("1");
        cases.extend([
            (vec![text], false),
            (vec![until], false),
            (vec![text, one], false),
            (vec![until, one], false),
            (vec![one, until, text], false),
            (vec![text, text], false),
            (vec![short, Part::Text { stop: Some(";"), n: 1 }, one], false),
            (vec![short], true),
            (vec![until, one], true),
            (vec![text, Part::Literal(";")], true),
            (vec![Part::Literal("<"), text, Part::Literal("</x>"), text], true),
        ]);
    }
    cases
}

fn allowed(matcher: &mut Matcher) -> Vec<u32> {
    let mask = matcher.compute_mask().unwrap();
    (0..=END).filter(|&id| mask.is_allowed(id)).collect()
}

#[test]
fn masks_are_those_of_all_ways_to_read() {
    let mut random = Random::new(11);
    let mut n_bound = 0;
    for (parts, repeats) in cases() {
        let written = told(&parts, repeats);
        let constraint = compile(&written);
        let stored = Constraint::from_bytes(&constraint.to_bytes(), &vocabulary()).unwrap();
        let free = compile(&serde_json::from_str(&without_bounds(&written)).unwrap());
        for walk in 0..40 {
            let mut oracle = Oracle::new(&parts, repeats);
            let mut matcher = if walk % 2 == 0 { constraint.matcher() } else { stored.matcher() };
            let mut unbounded = free.matcher();
            for _ in 0..12 {
                let mut expected: Vec<u32> =
                    (0..END).filter(|&id| oracle.clone().token(TOKENS[id as usize])).collect();
                assert_eq!(oracle.is_accepting(), matcher.is_accepting().unwrap());
                expected.extend(oracle.is_accepting().then_some(END));
                let text = String::from_utf8_lossy(&matcher.text()).into_owned();
                assert_eq!(allowed(&mut matcher), expected, "{written} {text}");
                n_bound += usize::from(allowed(&mut unbounded).len() > expected.len());
                for id in 0..=END {
                    let is_accepted = matcher.clone().accept_token(id).is_ok();
                    assert_eq!(is_accepted, expected.contains(&id), "{written} {text} {id}");
                }
                check_ways_on(&mut matcher);
                let tokens: Vec<u32> = expected.into_iter().filter(|&id| id != END).collect();
                if tokens.is_empty() {
                    break;
                }
                let id = tokens[random.below(tokens.len())];
                oracle.token(TOKENS[id as usize]);
                matcher.accept_token(id).unwrap();
                unbounded.accept_token(id).unwrap();
            }
        }
    }
    assert!(n_bound > 1000, "{n_bound}");
}

fn without_bounds(parts: &Value) -> String {
    let mut text = parts.to_string();
    for n in [0, 1, 2, 5] {
        text = text.replace(&format!(",\"max_tokens\":{n}"), "");
    }
    text
}

/// What is forced and what completes a text is accepted, and nothing of that stays.
fn check_ways_on(matcher: &mut Matcher) {
    let before = allowed(matcher);
    let forced = matcher.forced_tokens().unwrap();
    assert_eq!(matcher.validate_tokens(&forced).unwrap(), forced.len());
    let completion = matcher.shortest_completion().unwrap();
    assert!(completion.len() <= matcher.completion_bound().unwrap());
    let mut end = matcher.clone();
    end.accept_tokens(&completion).unwrap();
    assert!(end.is_accepting().unwrap());
    assert_eq!(allowed(matcher), before);
}

#[test]
fn what_is_taken_back_and_read_again_counts_again() {
    let mut random = Random::new(5);
    let mut limits = Limits::default();
    // So small that states are forgotten all the time.
    limits.table_bytes = 4096;
    for (parts, repeats) in cases() {
        let written = told(&parts, repeats);
        let constraint = compile(&written);
        let small = Compiler::new(&vocabulary())
            .limits(limits.clone())
            .parts(&written.to_string(), &JsonSchemaOptions::generating())
            .unwrap();
        let mut matcher = small.matcher();
        let mut accepted: Vec<u32> = Vec::new();
        for _ in 0..60 {
            let ids: Vec<u32> = allowed(&mut matcher).into_iter().filter(|&id| id != END).collect();
            if ids.is_empty() || random.below(3) == 0 {
                let n = random.below(accepted.len() + 1);
                matcher.rollback(n).unwrap();
                accepted.truncate(accepted.len() - n);
            } else {
                accepted.push(ids[random.below(ids.len())]);
                matcher.accept_token(accepted[accepted.len() - 1]).unwrap();
            }
            let mut fresh = constraint.matcher();
            fresh.accept_tokens(&accepted).unwrap();
            assert_eq!(allowed(&mut fresh), allowed(&mut matcher), "{written} {accepted:?}");
        }
        matcher.reset();
        assert_eq!(allowed(&mut matcher), allowed(&mut constraint.matcher()));
    }
}

fn ids(tokens: &[&str]) -> Vec<u32> {
    let id =
        |token: &&str| TOKENS.iter().position(|other| *other == token.as_bytes()).unwrap() as u32;
    tokens.iter().map(id).collect()
}

#[test]
fn the_stop_is_written_when_the_bound_is_reached() {
    let constraint = compile(&json!({"sequence": [
        {"capture": "text", "of": {"until": ["</x>"], "end": 0, "max_tokens": 3}},
        {"capture": "rest", "of": {"regex": "[1;]*"}}
    ]}));
    let mut matcher = constraint.matcher();
    matcher.accept_tokens(&ids(&["a", "b"])).unwrap();
    assert!(matcher.forced_tokens().unwrap().is_empty());
    for (third, rest) in [("ab", vec!["</x>"]), ("<", vec!["/", "x>"]), ("</x", vec![">"])] {
        let mut matcher = matcher.clone();
        matcher.accept_tokens(&ids(&[third])).unwrap();
        let forced = matcher.forced_tokens().unwrap();
        let bytes = forced.iter().flat_map(|&id| TOKENS[id as usize]).copied();
        assert_eq!(bytes.collect::<Vec<u8>>(), rest.concat().into_bytes());
        matcher.accept_tokens(&ids(&rest)).unwrap();
        matcher.accept_tokens(&ids(&["1", ";"])).unwrap();
        let text = matcher.text();
        let captures = constraint.captures(&text).unwrap().unwrap();
        assert_eq!(captures[0].range, 0..text.len() - 2);
    }
    // A stop in time is one.
    matcher.accept_tokens(&ids(&["b</x>1", "1"])).unwrap();
    assert!(matcher.is_accepting().unwrap());
}

#[test]
fn texts_without_tokens_count_as_none() {
    let constraint = compile(&json!({"until": ["</x>"], "end": 0, "max_tokens": 2}));
    let mut matcher = constraint.matcher();
    matcher.accept_text(b"abababababab").unwrap();
    matcher.accept_tokens(&ids(&["a"])).unwrap();
    matcher.accept_text(b"baba").unwrap();
    matcher.accept_tokens(&ids(&["a"])).unwrap();
    assert!(matches!(matcher.accept_text(b"a"), Err(Error::TextNotAllowed { offset: 0 })));
    matcher.accept_text(b"</x>").unwrap();
    assert!(matcher.must_stop().unwrap());
    assert!(constraint.captures(b"a long text</x>").unwrap().is_some());
}

#[test]
fn any_number_of_tokens_shares_its_states() {
    let mut counts = Vec::new();
    for n in [10, 1000] {
        let constraint = compile(&json!({"until": ["</x>"], "end": 0, "max_tokens": n}));
        let mut matcher = constraint.matcher();
        let mut masks = HashSet::new();
        for _ in 0..n - 1 {
            matcher.accept_tokens(&ids(&["a"])).unwrap();
            masks.insert(Arc::as_ptr(&matcher.compute_mask().unwrap()) as usize);
        }
        counts.push(masks.len());
        matcher.accept_tokens(&ids(&["a"])).unwrap();
        assert_eq!(allowed(&mut matcher), ids(&["<", "</", "</x", "</x>"]));
    }
    assert_eq!(counts, [1, 1]);
}
