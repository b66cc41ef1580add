//! Sections before the text, in which the model thinks.

use super::*;

const END: &[u8] = b"!\n";

/// What a request gives: the text of the section, the ids of what ends it, the text, and the last event.
fn read(model: &Model, request: Request) -> (Vec<u8>, Vec<u32>, Vec<u8>, Event) {
    let running = start(model, request);
    let (mut section, mut closing, mut text) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        match running.next() {
            Event::Reasoning { ids, text: part } => {
                assert!(text.is_empty(), "the section comes first");
                closing.extend(&ids[part.len()..]);
                section.extend(part);
            }
            Event::Tokens { text: part, .. } => text.extend(part),
            last => return (section, closing, text, last),
        }
    }
}

fn thinking(model: &Model, max_tokens: usize, bias: Vec<(u32, f32)>) -> Request {
    let closing = END.iter().copied().map(u32::from).collect();
    let mut request = constrained(model, "a[bc]{3}d", 20);
    request.sampling = Sampling { logit_bias: bias, temperature: 1.0, ..Sampling::default() };
    Request { reasoning: Some(Reasoning { max_tokens, closing }), ..request }
}

#[test]
fn the_text_follows_a_section_of_at_most_so_many_tokens() {
    let model = load(8);
    let constraint = Constraint::regex("a[bc]{3}d", model.vocabulary()).unwrap();
    let closing: Vec<u32> = END.iter().copied().map(u32::from).collect();
    let never = vec![(closing[0], -100.0), (EOS, -100.0)];
    for max_tokens in [0, 1, 7, 300] {
        let (section, ending, text, last) =
            read(&model, thinking(&model, max_tokens, never.clone()));
        assert_eq!((section.len(), &ending), (max_tokens, &closing));
        let mut matcher = constraint.matcher();
        matcher.accept_text(&text).unwrap();
        assert!(matcher.is_accepting().unwrap());
        let n = max_tokens + closing.len();
        let expected = Event::Done {
            finish_reason: FinishReason::Stop,
            n_prompt_tokens: 1,
            n_reused_tokens: 0,
            n_tokens: n + 5,
            n_reasoning_tokens: n,
            n_forced_tokens: 2,
            n_steps: max_tokens + 3,
        };
        assert_eq!(last, expected);
    }
}

#[test]
fn a_model_ends_the_section_by_its_first_closing_token_or_by_that_of_the_text() {
    let model = load(8);
    let closing: Vec<u32> = END.iter().copied().map(u32::from).collect();
    for end in [closing[0], EOS] {
        let (section, ending, text, _) = read(&model, thinking(&model, 50, vec![(end, 100.0)]));
        assert_eq!((&section[..], &ending, text.len()), (&b""[..], &closing, 5));
    }
}

#[test]
fn a_stop_text_ends_the_text_alone() {
    let model = load(8);
    let bias = (0..u32::from(b'x')).chain(121..=EOS).map(|id| (id, -100.0)).collect();
    let request = Request { constraint: None, ..thinking(&model, 6, bias) };
    let (section, _, text, last) =
        read(&model, Request { stop: vec!["xx".to_owned()], ..request.clone() });
    assert_eq!((&section[..], &text[..]), (&b"xxxxxx"[..], &b""[..]));
    assert!(matches!(last, Event::Done { finish_reason: FinishReason::Stop, .. }));
    let (_, _, text, _) = read(&model, Request { max_tokens: 4, ..request });
    assert_eq!(text, b"xxxx");
}

#[test]
fn the_section_has_what_the_text_leaves_of_the_context() {
    let model = load(8);
    let request = |n_prompt, max_tokens| {
        let prompt = vec![65; n_prompt];
        Request { prompt, max_tokens, ..thinking(&model, 1000, vec![(33, -100.0), (EOS, -100.0)]) }
    };
    let (section, _, text, _) = read(&model, request(400, 20));
    assert_eq!((section.len(), text.len()), (512 - 400 - END.len() - 20, 5));
    let (section, _, text, _) = read(&model, request(500, 600));
    assert_eq!((section.len(), text.len()), (0, 5));
    let refused = model.submit(request(510, 20), |_| ()).unwrap_err();
    assert_eq!(refused, Error::PromptTooLong { n: 512, max: 512 });
    let unknown = Some(Reasoning { max_tokens: 5, closing: vec![9999] });
    let refused = model.submit(Request { reasoning: unknown, ..request(4, 20) }, |_| ());
    assert_eq!(refused.unwrap_err(), Error::UnknownToken { id: 9999, n_ids: 264 });
}
