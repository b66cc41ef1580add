//! The model that is shipped with the repository, through the public interface.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use espalier_constraint::{Constraint, JsonSchemaOptions};
use espalier_inference::{
    Conversation, Event, FinishReason, Model, ModelOptions, Request, Sampling,
};
use serde_json::json;

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "priority": {"enum": ["low", "medium", "high"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    },
    "required": ["name", "priority", "tags"],
    "additionalProperties": false
}"#;

fn load(max_batch_size: usize) -> Model {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../priv/models/espalier-tiny");
    Model::load(
        &directory,
        &ModelOptions { max_batch_size, n_threads: 1, ..ModelOptions::default() },
    )
    .unwrap()
}

fn start(model: &Model, constraint: Option<Constraint>, seed: u64) -> Receiver<Event> {
    let content = format!("Ticket {seed}: Checkout has been down since 9:00, help!");
    let prompt = model
        .render(&Conversation::new(vec![json!({"role": "user", "content": content})]))
        .unwrap();
    let request = Request {
        constraint,
        sampling: Sampling { seed, ..Sampling::default() },
        ..Request::new(model.tokenizer().encode(&prompt).unwrap(), 48)
    };
    let (sender, events) = channel();
    model.submit(request, move |event| drop(sender.send(event))).unwrap();
    events
}

fn text(events: &Receiver<Event>) -> (String, Option<FinishReason>) {
    let (mut text, mut reason) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Tokens { text: part, .. } => text.extend(part),
            Event::Reasoning { .. } => panic!("nobody asked for it"),
            Event::Done { finish_reason, .. } => reason = Some(finish_reason),
            Event::Failed(error) => panic!("{error}"),
        }
    }
    (String::from_utf8_lossy(&text).into_owned(), reason)
}

#[test]
fn same_seed_gives_the_same_text_alone_and_in_a_batch() {
    let (single, batched) = (load(1), load(8));
    let together: Vec<_> = (0..8).map(|seed| start(&batched, None, seed)).collect();
    for (seed, together) in (0..8).zip(together) {
        assert_eq!(text(&together), text(&start(&single, None, seed)), "seed {seed}");
    }
}

#[test]
fn texts_are_what_the_schema_says() {
    let model = load(8);
    let options = JsonSchemaOptions::generating();
    let constraint = Constraint::json_schema(SCHEMA, &options, model.vocabulary()).unwrap();
    let running: Vec<_> =
        (0..16).map(|seed| start(&model, Some(constraint.clone()), seed)).collect();
    for events in running {
        let (text, reason) = text(&events);
        assert_eq!(reason, Some(FinishReason::Stop));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(
            ["low", "medium", "high"].iter().any(|level| value["priority"] == *level),
            "{text}"
        );
        assert!(value["name"].as_str().unwrap().chars().count() <= 30, "{text}");
        assert!(value["tags"].as_array().unwrap().len() <= 3, "{text}");
    }
}

#[test]
fn tokens_have_the_bytes_that_they_are_decoded_to() {
    let model = load(1);
    for text in ["Hello, world!", "  two\n\tspaces", "Zoë 日本 \u{1F600}", r#"{"a":["b",1.5e3]}"#]
    {
        let ids = model.tokenizer().encode(text).unwrap();
        let bytes = ids.iter().map(|&id| model.vocabulary().token_bytes(id).unwrap());
        assert_eq!(bytes.collect::<Vec<_>>().concat(), text.as_bytes());
        assert_eq!(model.tokenizer().decode(&ids), text);
    }
}
