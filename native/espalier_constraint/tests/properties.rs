//! What holds for every schema and every sequence of tokens, tried on random ones.
//!
//! `ESPALIER_CASES=20000` tries so many cases for each property, `ESPALIER_SEED=7` begins at another
//! seed.

mod support;

use std::sync::{Arc, LazyLock};

use espalier_constraint::{
    Constraint, Error, EscapeStyle, FormatMode, JsonSchemaOptions, Matcher, NumberStyle,
    PropertyOrder, TokenMask, Vocabulary, Whitespace,
};
use serde_json::{Value, json};
use support::following;
use support::instances::{mutated, random_instance};
use support::oracle::{has_huge_exponent, with_plain_numbers};
use support::property::{Outcome, VOCABULARIES, compile, ensure, quietly};
use support::random::{Random, seeds};
use support::schemas::{random_schema, shrink};
use support::spelling::{SPELLINGS, Spelling};
use support::walk::Walk;

#[test]
fn finished_texts_are_valid() {
    check_schemas(1000, |schema, random| {
        for_each_constraint(schema, random, |constraint, options, random| {
            check_finished(schema, constraint, options, random)
        })
    });
}

/// Where each item has few values of its own, and all differ, whatever is written can be completed.
#[test]
fn places_of_few_values_are_all_filled() {
    let items = [
        json!({"const": 0}),
        json!({"const": "a"}),
        json!({"const": [0]}),
        json!({"enum": [0, 1]}),
        json!({"enum": ["a", "b", 0]}),
        json!({"enum": [true, "a", 1.0]}),
        json!({"type": "boolean"}),
        json!({"type": "string"}),
        json!({"type": ["integer", "null"], "minimum": 0, "maximum": 2}),
    ];
    for seed in seeds(1000) {
        let random = &mut Random::new(seed);
        let prefix: Vec<Value> =
            (0..=random.below(4)).map(|_| random.pick(&items).clone()).collect();
        let schema = json!({
            "type": "array",
            "prefixItems": prefix,
            "items": random.pick(&items),
            "minItems": random.below(5),
            "uniqueItems": true,
        });
        let outcome = quietly(|| {
            for_each_constraint(&schema, random, |constraint, options, random| {
                check_finished(&schema, constraint, options, random)
            })
        });
        outcome.unwrap_or_else(|problem| panic!("seed {seed}: {problem}\n  schema {schema}"));
    }
}

/// What is written at random, and then completed, ends in a text that is valid.
fn check_finished(
    schema: &Value,
    constraint: &Constraint,
    options: JsonSchemaOptions,
    random: &mut Random,
) -> Outcome {
    let n_steps = random.below(40);
    let mut walk = Walk::random(constraint, n_steps, random);
    let mut text = walk.text(constraint);
    let completion = walk.matcher.shortest_completion().map_err(|error| error.to_string())?;
    text.extend(following::bytes_of(constraint.vocabulary(), &completion));
    let shown = String::from_utf8_lossy(&text).into_owned();
    let bound = walk.matcher.completion_bound().map_err(|error| error.to_string())?;
    ensure!(
        bound >= completion.len(),
        "{} tokens complete {shown:?}, the bound is {bound}",
        completion.len()
    );
    let accepted = walk.matcher.accept_tokens(&completion);
    ensure!(accepted.is_ok(), "the completion to {shown:?} is refused: {accepted:?}");
    finish(constraint, &mut walk.matcher)
        .map_err(|problem| format!("{problem}, after {shown:?}"))?;
    check_value(schema, &text)?;
    check_spelling(options, &shown)
}

/// From each place in a text that is accepted, the shortest completion is not much longer than
/// the rest: inside of a key it may take another turn.
#[test]
fn the_shortest_completion_is_not_much_longer_than_another() {
    const SLACK: usize = 60;
    check_schemas(300, |schema, random| {
        for_each_constraint(schema, random, |constraint, options, random| {
            if options != JsonSchemaOptions::generating()
                && options != JsonSchemaOptions::matching()
            {
                return Ok(());
            }
            for instance in random_instances(schema, random) {
                let text = Spelling::Compact.write(&instance);
                if following::by_text(constraint, text.as_bytes()).is_err() {
                    continue;
                }
                let mut matcher = constraint.matcher();
                for (index, byte) in text.bytes().enumerate() {
                    let completion =
                        matcher.shortest_completion().map_err(|error| error.to_string())?;
                    let completion = following::bytes_of(constraint.vocabulary(), &completion);
                    let shown = String::from_utf8_lossy(&completion);
                    ensure!(
                        completion.len() <= text.len() - index + SLACK,
                        "{shown:?} completes {:?} of {text}",
                        &text.get(..index)
                    );
                    let bound = matcher.completion_bound().map_err(|error| error.to_string())?;
                    ensure!(
                        completion.len() <= bound,
                        "{shown:?} completes {:?}, the bound is {bound}",
                        &text.get(..index)
                    );
                    matcher.accept_text(&[byte]).map_err(|error| error.to_string())?;
                }
            }
            Ok(())
        })
    });
}

/// Ends the sequence, which has to be possible here.
fn finish(constraint: &Constraint, matcher: &mut Matcher) -> Outcome {
    ensure!(matcher.is_accepting() == Ok(true), "not accepting");
    ensure!(matcher.shortest_completion() == Ok(Vec::new()), "a completion of a complete text");
    ensure!(matcher.completion_bound().is_ok(), "no bound");
    ensure!(!matcher.is_finished(), "finished before the end");
    let eos = constraint.vocabulary().eos_ids()[0];
    ensure!(matcher.accept_token(eos).is_ok(), "the end is refused");
    ensure!(matcher.is_finished(), "not finished after the end");
    let mask = matcher.compute_mask().map_err(|error| error.to_string())?;
    ensure!(mask.count() == 0, "a token is allowed after the end");
    ensure!(matcher.accept_token(eos) == Err(Error::Finished), "a second end is accepted");
    Ok(())
}

/// The text is JSON, and the independent validator accepts it.
fn check_value(schema: &Value, text: &[u8]) -> Outcome {
    let shown = String::from_utf8_lossy(text);
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("{error} in {shown:?}"))?;
    let valid =
        has_huge_exponent(&shown) || jsonschema::is_valid(schema, &with_plain_numbers(&value));
    ensure!(valid, "{shown:?} is invalid");
    Ok(())
}

/// The strictest options leave no choice but the order of the keys.
fn check_spelling(options: JsonSchemaOptions, text: &str) -> Outcome {
    let strict = JsonSchemaOptions::generating();
    if (JsonSchemaOptions { property_order: strict.property_order, ..options }) == strict {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let expected = value.to_string();
        // Hexadecimal digits may have either case.
        ensure!(text.eq_ignore_ascii_case(&expected), "{text} instead of {expected}");
    }
    Ok(())
}

#[test]
fn verdicts_agree_with_an_independent_validator() {
    check_schemas(1000, |schema, random| {
        let Ok(validator) = jsonschema::validator_for(schema) else { return Ok(()) };
        let instances = random_instances(schema, random);
        let is_valid = |instance| validator.is_valid(&with_plain_numbers(instance));
        let verdicts: Vec<bool> = instances.iter().map(is_valid).collect();
        for (spelling, options) in pairs_of_spelling_and_options() {
            let is_generating = options == JsonSchemaOptions::generating();
            let constraint = compile(schema, options, &VOCABULARIES[0])?;
            for (instance, &valid) in instances.iter().zip(&verdicts) {
                let text = spelling.write(instance);
                // Nothing is accepted when no value satisfies the schema.
                let accepted = (constraint.as_ref()).is_some_and(|constraint| {
                    following::by_text(constraint, text.as_bytes()).is_ok()
                });
                // When generating, a valid instance may be refused: its keys are in another order.
                let agrees = accepted == valid || valid && is_generating;
                ensure!(agrees, "{text} is valid: {valid}, accepted: {accepted}, {options:?}");
            }
        }
        Ok(())
    });
}

fn pairs_of_spelling_and_options() -> impl Iterator<Item = (Spelling, JsonSchemaOptions)> {
    let with_options = |spelling: Spelling| {
        spelling.options(true).into_iter().map(move |options| (spelling, options))
    };
    SPELLINGS.into_iter().flat_map(with_options)
}

fn random_instances(schema: &Value, random: &mut Random) -> Vec<Value> {
    let mut instances: Vec<Value> = (0..6).map(|_| random_instance(schema, random)).collect();
    for n in 0..12 {
        instances.push(mutated(&instances[n], random));
    }
    instances
}

/// The schema's order narrows how a value is written, never which values can be.
#[test]
fn valid_instances_can_be_generated() {
    check_schemas(500, |schema, random| {
        let Ok(validator) = jsonschema::validator_for(schema) else { return Ok(()) };
        let options = JsonSchemaOptions::generating();
        let Some(constraint) = compile(schema, options, &VOCABULARIES[0])? else { return Ok(()) };
        for instance in random_instances(schema, random) {
            let Some(orders) = orders(&instance) else { continue };
            if !validator.is_valid(&with_plain_numbers(&instance)) {
                continue;
            }
            let accepted = orders.iter().any(|instance| {
                let text = Spelling::Compact.write(instance);
                following::by_text(&constraint, text.as_bytes()).is_ok()
            });
            ensure!(
                accepted,
                "{instance} is valid and can't be generated in any order of its keys"
            );
        }
        Ok(())
    });
}

/// The value with its keys in every order; `None` when there are too many.
fn orders(value: &Value) -> Option<Vec<Value>> {
    const MAX_ORDERS: usize = 150;
    let mut orders = vec![Vec::new()];
    let parts: Vec<(Option<&String>, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (Some(key), value)).collect(),
        _ => return Some(vec![value.clone()]),
    };
    for (key, part) in parts {
        let parts = self::orders(part)?;
        let places = |order: &Vec<_>| {
            if key.is_some() { 0..order.len() + 1 } else { order.len()..order.len() + 1 }
        };
        let with_part = |order: &Vec<(Option<String>, Value)>, place: usize, part: &Value| {
            let mut order = order.clone();
            order.insert(place, (key.cloned(), part.clone()));
            order
        };
        orders = (orders.iter())
            .flat_map(|order| places(order).map(move |place| (order, place)))
            .flat_map(|(order, place)| parts.iter().map(move |part| with_part(order, place, part)))
            .collect();
        if orders.len() > MAX_ORDERS {
            return None;
        }
    }
    let whole = |parts: Vec<(Option<String>, Value)>| match value {
        Value::Array(_) => parts.into_iter().map(|(_, item)| item).collect::<Vec<_>>().into(),
        _ => Value::Object(
            parts.into_iter().filter_map(|(key, value)| Some((key?, value))).collect(),
        ),
    };
    Some(orders.into_iter().map(whole).collect())
}

#[test]
fn masks_hold_what_is_accepted_and_nothing_else() {
    check_schemas(500, |schema, random| {
        for_each_constraint(schema, random, |constraint, _, random| {
            let n_steps = random.below(20);
            let mut walk = Walk::random(constraint, n_steps, random);
            let shown = String::from_utf8_lossy(&walk.text(constraint)).into_owned();
            check_mask(constraint, &mut walk)
                .map_err(|problem| format!("{problem}, after {shown:?}"))
        })
    });
}

/// Bit for bit what trying each token gives, with tokens as a tokenizer has them: pieces of JSON that
/// end strings, go on behind them, and begin others.
#[test]
fn masks_are_what_trying_each_token_gives() {
    check_schemas(300, |schema, random| {
        for options in
            [JsonSchemaOptions::generating(), JsonSchemaOptions::matching(), random_options(random)]
        {
            let Some(constraint) = compile(schema, options, &PIECES)? else { continue };
            let n_steps = random.below(15);
            let mut walk = Walk::random(&constraint, n_steps, random);
            let shown = String::from_utf8_lossy(&walk.text(&constraint)).into_owned();
            let mask = walk.mask().clone();
            for id in (0..PIECES.n_ids() as u32).filter(|id| !PIECES.eos_ids().contains(id)) {
                let accepted = walk.matcher.validate_tokens(&[id]) == Ok(1);
                ensure!(
                    mask.is_allowed(id) == accepted,
                    "token {id} {:?} after {shown:?} is accepted: {accepted}; {options:?}",
                    PIECES.token_bytes(id).map(String::from_utf8_lossy)
                );
            }
        }
        Ok(())
    });
}

/// All bytes, and pieces of texts of random values of random schemas.
static PIECES: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| {
    const N_PIECES: usize = 1500;
    const MAX_LENGTH: usize = 9;
    let random = &mut Random::new(1);
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    while tokens.len() < N_PIECES {
        let instance = random_instance(&random_schema(random), random);
        let text = random.pick(&SPELLINGS).write(&instance).into_bytes();
        let begin = random.below(text.len());
        let length = 2 + random.below(MAX_LENGTH - 1);
        let piece = &text[begin..text.len().min(begin + length)];
        if !tokens.iter().any(|token| token == piece) {
            tokens.push(piece.to_vec());
        }
    }
    let eos = tokens.len() as u32;
    tokens.push(b"<eos>".to_vec());
    Arc::new(Vocabulary::new(tokens, &[eos], &[]).expect("a vocabulary"))
});

fn check_mask(constraint: &Constraint, walk: &mut Walk) -> Outcome {
    let vocabulary = constraint.vocabulary();
    let mask = walk.mask().clone();
    let accepting = walk.matcher.is_accepting() == Ok(true);
    let must_stop = walk.matcher.must_stop() == Ok(true);
    let only_eos = mask.iter().all(|id| vocabulary.eos_ids().contains(&id));
    ensure!(must_stop == only_eos, "must stop: {must_stop}, only the end is allowed: {only_eos}");
    for id in 0..vocabulary.n_ids() as u32 {
        let is_eos = vocabulary.eos_ids().contains(&id);
        let is_allowed = mask.is_allowed(id);
        ensure!(
            !is_eos || is_allowed == accepting,
            "accepting: {accepting}, the end is allowed: {is_allowed}"
        );
        let accepted = walk.matcher.accept_token(id);
        ensure!(
            accepted.is_ok() == is_allowed,
            "token {id} is allowed: {is_allowed}, {accepted:?}"
        );
        match accepted {
            Ok(()) => {
                let next = walk.matcher.compute_mask().map_err(|error| error.to_string())?;
                ensure!(is_eos || next.count() > 0, "token {id} leads to a dead end");
                walk.matcher.rollback(1).map_err(|error| error.to_string())?;
            }
            Err(error) => {
                let as_expected =
                    matches!(error, Error::TokenNotAllowed { token, .. } if token == id);
                ensure!(as_expected, "{error:?} for token {id}");
            }
        }
    }
    let after = walk.matcher.compute_mask().map_err(|error| error.to_string())?;
    ensure!(after == mask, "trying tokens changed the mask");
    let outside = vocabulary.n_ids() as u32;
    let refused = walk.matcher.accept_token(outside);
    ensure!(matches!(refused, Err(Error::UnknownToken { .. })), "an unknown token: {refused:?}");
    Ok(())
}

#[test]
fn the_same_text_in_other_tokens_leads_to_the_same_mask() {
    check_schemas(600, |schema, random| {
        for_each_constraint(schema, random, |constraint, _, random| {
            let n_steps = random.below(30);
            let walk = Walk::random(constraint, n_steps, random);
            let text = walk.text(constraint);
            let shown = String::from_utf8_lossy(&text).into_owned();
            let tokens = cut_at_random(constraint.vocabulary(), &text, random);
            let mut matcher = constraint.matcher();
            let count = matcher.validate_tokens(&tokens);
            ensure!(
                count == Ok(tokens.len()),
                "{count:?} of {} tokens of {shown:?} are valid",
                tokens.len()
            );
            let accepted = matcher.accept_tokens(&tokens);
            ensure!(accepted.is_ok(), "{shown:?} in other tokens: {accepted:?}");
            ensure!(
                matcher.compute_mask().as_ref() == Ok(walk.mask()),
                "another mask after {shown:?} in other tokens"
            );
            let mut matcher = constraint.matcher();
            let accepted = matcher.accept_text(&text);
            ensure!(accepted.is_ok(), "{shown:?} as text: {accepted:?}");
            ensure!(
                matcher.compute_mask().as_ref() == Ok(walk.mask()),
                "another mask after {shown:?} as text"
            );
            Ok(())
        })
    });
}

fn cut_at_random(vocabulary: &Vocabulary, text: &[u8], random: &mut Random) -> Vec<u32> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (token, length) = *random.pick(&following::tokens_at(vocabulary, rest));
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

#[test]
fn rollback_restores_the_mask() {
    check_schemas(600, |schema, random| {
        for_each_constraint(schema, random, |constraint, _, random| {
            let n_steps = random.below(30);
            let Walk { mut matcher, tokens, masks } = Walk::random(constraint, n_steps, random);
            let mask_is = |matcher: &mut Matcher, mask: &Arc<TokenMask>| {
                matcher.compute_mask().as_ref() == Ok(mask)
            };
            ensure!(
                matcher.n_accepted() == tokens.len(),
                "{} of {} accepted",
                matcher.n_accepted(),
                tokens.len()
            );
            let refused = matcher.rollback(tokens.len() + 1);
            ensure!(
                matches!(refused, Err(Error::RollbackTooFar { .. })),
                "too far back: {refused:?}"
            );
            if masks[tokens.len()].is_allowed(constraint.vocabulary().eos_ids()[0]) {
                matcher
                    .accept_token(constraint.vocabulary().eos_ids()[0])
                    .map_err(|error| error.to_string())?;
                matcher.rollback(1).map_err(|error| error.to_string())?;
                ensure!(!matcher.is_finished(), "finished after taking the end back");
                ensure!(
                    mask_is(&mut matcher, &masks[tokens.len()]),
                    "another mask after taking the end back"
                );
            }
            let n_kept = random.below(tokens.len() + 1);
            matcher.rollback(tokens.len() - n_kept).map_err(|error| error.to_string())?;
            ensure!(
                matcher.n_accepted() == n_kept,
                "{} accepted, not {n_kept}",
                matcher.n_accepted()
            );
            ensure!(
                mask_is(&mut matcher, &masks[n_kept]),
                "another mask after going back to token {n_kept} of {tokens:?}"
            );
            let accepted = matcher.accept_tokens(&tokens[n_kept..]);
            ensure!(accepted.is_ok(), "refused after going back: {accepted:?}");
            ensure!(
                mask_is(&mut matcher, &masks[tokens.len()]),
                "another mask after going back and forth in {tokens:?}"
            );
            Ok(())
        })
    });
}

#[test]
fn forced_tokens_are_the_only_continuation() {
    check_schemas(600, |schema, random| {
        for_each_constraint(schema, random, |constraint, _, random| {
            let n_steps = random.below(20);
            let mut walk = Walk::random(constraint, n_steps, random);
            let shown = String::from_utf8_lossy(&walk.text(constraint)).into_owned();
            check_forced(constraint, &mut walk)
                .map_err(|problem| format!("{problem}, after {shown:?}"))
        })
    });
}

fn check_forced(constraint: &Constraint, walk: &mut Walk) -> Outcome {
    let vocabulary = constraint.vocabulary();
    let forced = walk.matcher.forced_tokens().map_err(|error| error.to_string())?;
    let text = following::bytes_of(vocabulary, &forced);
    let single_bytes: Vec<u32> = walk.mask().iter().filter(|&id| id < 256).collect();
    let is_forced = single_bytes.len() == 1 && walk.matcher.is_accepting() == Ok(false);
    ensure!(is_forced || text.is_empty(), "forced: {text:?}, allowed: {single_bytes:?}");
    let mut start = 0;
    for (index, &token) in forced.iter().enumerate() {
        let mask = walk.matcher.compute_mask().map_err(|error| error.to_string())?;
        let rest = &text[start..];
        for id in mask.iter() {
            let bytes = vocabulary.token_bytes(id).expect("a token");
            let agrees = !bytes.is_empty() && (rest.starts_with(bytes) || bytes.starts_with(rest));
            ensure!(agrees, "token {id} is allowed at token {index} of the forced {forced:?}");
        }
        let accepted = walk.matcher.accept_token(token);
        ensure!(accepted.is_ok(), "forced token {index} of {forced:?} is refused: {accepted:?}");
        start += vocabulary.token_bytes(token).map_or(0, <[u8]>::len);
    }
    Ok(())
}

/// Runs the property on random schemas; what fails is shown with its seed and made smaller.
fn check_schemas(n: usize, property: impl Fn(&Value, &mut Random) -> Outcome) {
    const MAX_SHOWN: usize = 5;
    let mut failures = Vec::new();
    for seed in seeds(n) {
        let check = |schema: &Value| quietly(|| property(schema, &mut Random::new(!seed)));
        let schema = random_schema(&mut Random::new(seed));
        if check(&schema).is_err() {
            let fails = |schema: &Value| {
                jsonschema::validator_for(schema).is_ok() && check(schema).is_err()
            };
            let smallest = shrink(&schema, &fails);
            let problem = check(&smallest).expect_err("what is left fails");
            failures.push(format!("seed {seed}: {problem}\n  schema {smallest}"));
        }
        if failures.len() == MAX_SHOWN {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the check on the schema's constraint under several options, each with some vocabulary.
fn for_each_constraint(
    schema: &Value,
    random: &mut Random,
    check: impl Fn(&Constraint, JsonSchemaOptions, &mut Random) -> Outcome,
) -> Outcome {
    let presets = [JsonSchemaOptions::generating(), JsonSchemaOptions::matching()];
    for options in [presets[0], presets[1], random_options(random)] {
        let vocabulary = random.pick(&*VOCABULARIES);
        if let Some(constraint) = compile(schema, options, vocabulary)? {
            let outcome = check(&constraint, options, random);
            outcome.map_err(|problem| format!("{problem}; {options:?}"))?;
        }
    }
    Ok(())
}

fn random_options(random: &mut Random) -> JsonSchemaOptions {
    let whitespaces = [
        Whitespace::Compact,
        Whitespace::Spaced,
        Whitespace::Max(1),
        Whitespace::Max(3),
        Whitespace::Any,
    ];
    JsonSchemaOptions {
        whitespace: *random.pick(&whitespaces),
        property_order: *random.pick(&[PropertyOrder::Schema, PropertyOrder::Any]),
        numbers: *random.pick(&[NumberStyle::Plain, NumberStyle::Any]),
        escapes: *random.pick(&[EscapeStyle::Minimal, EscapeStyle::Any]),
        format: FormatMode::Assert,
    }
}
