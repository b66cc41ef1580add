//! What is written as bytes is what is read from them, and nothing else is read.

mod support;

use std::sync::{Arc, LazyLock};

use espalier_constraint::{
    Compiler, Constraint, ConstraintKind, Error, JsonSchemaOptions, RegexSyntax, Vocabulary,
};
use support::data;
use support::random::{Random, seeds};
use support::schemas::random_schema;
use support::sealed::seal;
use support::walk::Walk;

static VOCABULARIES: LazyLock<Vec<Arc<Vocabulary>>> = LazyLock::new(|| {
    data::names("vocabularies").iter().map(|name| data::read_vocabulary(name)).collect()
});

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "ipv4"},
        "name": {"type": "string", "pattern": "^[a-zé]{2,3}$"},
        "names": {"type": "array", "items": {"not": {"pattern": "^a"}}, "unknown": 1}
    },
    "patternProperties": {"^x": {"$ref": "other:schema"}},
    "required": ["id", "name"]
}"#;

fn schema_with_everything(vocabulary: &Arc<Vocabulary>) -> Constraint {
    let other = r#"{"type": "string", "pattern": "b|c", "minLength": 2}"#;
    let compiler = Compiler::new(vocabulary).document("other:schema", other);
    compiler.json_schema(SCHEMA, &JsonSchemaOptions::generating()).unwrap()
}

/// One of each kind.
fn constraints(vocabulary: &Arc<Vocabulary>) -> [Constraint; 4] {
    [
        schema_with_everything(vocabulary),
        Constraint::regex("a+(?:b|é)?", vocabulary).unwrap(),
        Compiler::new(vocabulary).regex(r"a+(?!b)\w?", RegexSyntax::Ecma).unwrap(),
        Constraint::choice(&["yes", "no", "", "nö"], vocabulary).unwrap(),
    ]
}

/// The same texts are followed in the same way.
fn check_is_same(constraint: &Constraint, loaded: &Constraint, random: &mut Random) {
    assert_eq!(loaded.kind(), constraint.kind());
    assert_eq!(loaded.unknown_keywords(), constraint.unknown_keywords());
    let walk = Walk::random(constraint, 20, random);
    let mut matcher = loaded.matcher();
    for (mask, token) in walk.masks.iter().zip(walk.tokens.iter().map(Some).chain([None])) {
        assert!(matcher.compute_mask().unwrap() == *mask, "after {:?}", walk.text(constraint));
        if let Some(&token) = token {
            matcher.accept_token(token).unwrap();
        }
    }
    let mut walked = walk.matcher;
    assert_eq!(matcher.shortest_completion(), walked.shortest_completion());
}

fn check_round_trip(constraint: &Constraint, random: &mut Random) {
    let bytes = constraint.to_bytes();
    let loaded = Constraint::from_bytes(&bytes, constraint.vocabulary()).unwrap();
    assert!(loaded.to_bytes() == bytes, "what was loaded is written in the same way");
    check_is_same(constraint, &loaded, random);
}

#[test]
fn constraints_of_the_test_data_come_back() {
    let random = &mut Random::new(1);
    for group in data::names("").into_iter().flat_map(|topic| data::read_groups(&topic)) {
        let vocabulary = random.pick(&VOCABULARIES).clone();
        if let Ok(constraint) = group.source.compile(group.options, &vocabulary) {
            check_round_trip(&constraint, random);
        }
    }
}

#[test]
fn random_constraints_come_back() {
    for seed in seeds(500) {
        let random = &mut Random::new(seed);
        let schema = random_schema(random).to_string();
        let options = [JsonSchemaOptions::generating(), JsonSchemaOptions::matching()];
        let vocabulary = random.pick(&VOCABULARIES).clone();
        if let Ok(constraint) = Constraint::json_schema(&schema, random.pick(&options), &vocabulary)
        {
            check_round_trip(&constraint, random);
        }
    }
}

#[test]
fn documents_formats_and_patterns_come_back() {
    for vocabulary in &*VOCABULARIES {
        for constraint in constraints(vocabulary) {
            check_round_trip(&constraint, &mut Random::new(2));
        }
    }
    let kinds = constraints(&VOCABULARIES[0]).map(|constraint| constraint.kind());
    let [schema, regex] = [ConstraintKind::JsonSchema, ConstraintKind::Regex];
    assert_eq!(kinds, [schema, regex, regex, ConstraintKind::Choice]);
}

#[test]
fn vocabularies_come_back() {
    for vocabulary in &*VOCABULARIES {
        let bytes = vocabulary.to_bytes();
        let loaded = Arc::new(Vocabulary::from_bytes(&bytes).unwrap());
        assert!(loaded.to_bytes() == bytes, "what was loaded is written in the same way");
        assert_eq!(loaded.fingerprint(), vocabulary.fingerprint());
        assert_eq!(loaded.eos_ids(), vocabulary.eos_ids());
        for id in 0..=vocabulary.n_ids() as u32 {
            assert_eq!(loaded.token_bytes(id), vocabulary.token_bytes(id));
            assert_eq!(loaded.is_special(id), vocabulary.is_special(id));
        }
        for (a, b) in constraints(vocabulary).iter().zip(constraints(&loaded)) {
            check_is_same(a, &b, &mut Random::new(3));
        }
    }
}

#[test]
fn a_fingerprint_tells_vocabularies_apart() {
    let vocabulary = |tokens: &[&str], eos: &[u32], special: &[u32]| {
        let tokens = tokens.iter().map(|token| token.as_bytes().to_vec()).collect();
        Vocabulary::new(tokens, eos, special).unwrap().fingerprint()
    };
    let mut all = vec![
        vocabulary(&["a", "bc", "", ""], &[2], &[]),
        vocabulary(&["ab", "c", "", ""], &[2], &[]),
        vocabulary(&["bc", "a", "", ""], &[2], &[]),
        vocabulary(&["a", "bc", "", ""], &[3], &[]),
        vocabulary(&["a", "bc", "", ""], &[2], &[3]),
        vocabulary(&["a", "bc", ""], &[2], &[]),
    ];
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 6);
    // How forced text is spelled doesn't matter to what is allowed.
    let tokens = || vec![b"a".to_vec(), b"bc".to_vec(), Vec::new(), Vec::new()];
    let spelled = Vocabulary::new(tokens(), &[2], &[]).unwrap().with_tokenizer(|_| None);
    assert!(all.contains(&spelled.fingerprint()));
}

#[test]
fn another_vocabulary_is_refused() {
    let [one, other, ..] = &VOCABULARIES[..] else { panic!("two vocabularies") };
    for constraint in constraints(one) {
        let refused = Constraint::from_bytes(&constraint.to_bytes(), other).unwrap_err();
        assert_eq!(part_of(&refused), "vocabulary");
    }
}

/// The part that is wrong.
fn part_of(error: &Error) -> &'static str {
    match error {
        Error::InvalidSerialized { part, .. } => part,
        other => panic!("an unexpected error: {other}"),
    }
}

#[test]
fn what_is_wrong_with_a_header_is_said() {
    let vocabulary = &VOCABULARIES[0];
    let bytes = vocabulary.to_bytes();
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        part_of(&Vocabulary::from_bytes(&bytes).unwrap_err())
    };
    assert_eq!(refused(&Vec::clear), "magic");
    assert_eq!(refused(&|bytes| bytes[0] = b'e'), "magic");
    assert_eq!(refused(&|bytes| bytes.truncate(8)), "kind");
    assert_eq!(refused(&|bytes| bytes[8] = 2), "kind");
    assert_eq!(refused(&|bytes| bytes[9] = 0), "version");
    assert_eq!(refused(&|bytes| bytes[9] = 99), "version");
    assert_eq!(refused(&|bytes| bytes.push(0)), "length");
    assert_eq!(refused(&|bytes| bytes.truncate(bytes.len() - 1)), "length");
    assert_eq!(refused(&|bytes| bytes[19] ^= 1), "checksum");
    assert_eq!(refused(&|bytes| *bytes.last_mut().unwrap() ^= 1), "checksum");
    let constraint = constraints(vocabulary)[2].to_bytes();
    assert_eq!(part_of(&Vocabulary::from_bytes(&constraint).unwrap_err()), "kind");
    assert_eq!(part_of(&Constraint::from_bytes(&bytes, vocabulary).unwrap_err()), "kind");
}

#[test]
fn another_version_of_the_engine_is_refused() {
    let vocabulary = &VOCABULARIES[0];
    for constraint in constraints(vocabulary) {
        let mut bytes = constraint.to_bytes();
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let at = bytes.windows(version.len()).position(|window| window == version).unwrap();
        bytes[at] = b'9';
        seal(&mut bytes);
        let refused = Constraint::from_bytes(&bytes, vocabulary).unwrap_err();
        assert_eq!(part_of(&refused), "engine");
    }
}

type Load = Box<dyn Fn(&[u8]) -> Result<(), Error>>;

/// All samples as bytes, each with what loads it.
fn samples() -> Vec<(Vec<u8>, Load)> {
    let tokens = ["", "a", "ab", "{\"", "é", "id", "1", ".", "a"];
    let tokens = tokens.map(|token| token.as_bytes().to_vec()).into();
    let vocabulary = Arc::new(Vocabulary::new(tokens, &[0], &[8]).unwrap());
    let load_vocabulary = |bytes: &[u8]| {
        let vocabulary = Arc::new(Vocabulary::from_bytes(bytes)?);
        let constraint = Constraint::regex("(?:a|b|\\{)*", &vocabulary)?;
        Walk::random(&constraint, 3, &mut Random::new(4));
        Ok(())
    };
    let mut samples: Vec<(Vec<u8>, Load)> =
        vec![(vocabulary.to_bytes(), Box::new(load_vocabulary))];
    for constraint in constraints(&vocabulary) {
        let vocabulary = vocabulary.clone();
        let load = move |bytes: &[u8]| {
            let constraint = Constraint::from_bytes(bytes, &vocabulary)?;
            Walk::random(&constraint, 3, &mut Random::new(5));
            Ok(())
        };
        samples.push((constraint.to_bytes(), Box::new(load)));
    }
    samples
}

#[test]
fn damaged_bytes_are_refused() {
    for (bytes, load) in samples() {
        for end in 0..bytes.len() {
            part_of(&load(&bytes[..end]).unwrap_err());
        }
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                part_of(&load(&damaged).unwrap_err());
            }
        }
    }
}

/// With a checksum that is right, they may be others that are valid; they do no harm.
#[test]
fn made_up_bytes_do_no_harm() {
    for (bytes, load) in samples() {
        let mut n_refused = 0;
        let mut check = |mut bytes: Vec<u8>| {
            seal(&mut bytes);
            n_refused += usize::from(load(&bytes).is_err());
        };
        for end in 27..bytes.len() {
            check(bytes[..end].to_vec());
        }
        for at in 27..bytes.len() {
            for value in [0, 1, 0x7F, 0xFF, bytes[at] ^ 1, bytes[at].wrapping_add(1)] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                check(damaged);
            }
        }
        assert!(n_refused >= bytes.len() - 27, "all that are too short are refused");
    }
}
