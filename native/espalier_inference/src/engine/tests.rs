use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use espalier_constraint::Constraint;
use serde_json::json;

mod devices;
mod reasoning;
mod scheduling;

use super::*;
use crate::LogitsProcessor;
use crate::sampling::Sampling;
use crate::test_model::{self, EOS, TestModel};

fn load(max_batch_size: usize) -> Model {
    let directory = TestModel::random();
    Model::load(
        directory.path(),
        &ModelOptions { max_batch_size, n_threads: 1, ..ModelOptions::default() },
    )
    .unwrap()
}

fn request(prompt: &str, max_tokens: usize) -> Request {
    Request::new(prompt.bytes().map(u32::from).collect(), max_tokens)
}

fn seeded(seed: u64) -> Request {
    let mut request = request(&format!("prompt {}", "x".repeat(seed as usize * 3)), 40);
    request.sampling.seed = seed;
    request
}

fn constrained(model: &Model, pattern: &str, max_tokens: usize) -> Request {
    let constraint = Some(Constraint::regex(pattern, model.vocabulary()).unwrap());
    Request { constraint, ..request("p", max_tokens) }
}

struct Running {
    events: Receiver<Event>,
    generation: Generation,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    text: String,
    /// The number of `Tokens` events that were forced, and of those that were not.
    n_events: (usize, usize),
    last: Event,
}

impl Running {
    fn next(&self) -> Event {
        self.events.recv_timeout(Duration::from_mins(1)).expect("another event")
    }

    fn outcome(self) -> Outcome {
        let (mut bytes, mut n_events) = (Vec::new(), (0, 0));
        let last = loop {
            match self.next() {
                Event::Tokens { text, forced, .. } => {
                    bytes.extend(text);
                    *(if forced { &mut n_events.0 } else { &mut n_events.1 }) += 1;
                }
                Event::Reasoning { .. } => panic!("nobody asked for it"),
                last => break last,
            }
        };
        assert!(self.events.recv_timeout(Duration::from_mins(1)).is_err(), "a last event is last");
        Outcome { text: String::from_utf8_lossy(&bytes).into_owned(), n_events, last }
    }
}

fn start(model: &Model, request: Request) -> Running {
    let (sender, events) = channel();
    let generation = model.submit(request, move |event| drop(sender.send(event))).unwrap();
    Running { events, generation }
}

/// The model's thread waits in each event of the request, until it may go on or the gate is dropped.
fn start_gated(model: &Model, request: Request) -> (Running, Sender<()>) {
    let ((sender, events), (gate, opened)) = (channel(), channel());
    let sink = move |event| {
        let _ = sender.send(event);
        let _ = opened.recv();
    };
    let generation = model.submit(request, sink).unwrap();
    (Running { events, generation }, gate)
}

fn run(model: &Model, request: Request) -> Outcome {
    start(model, request).outcome()
}

#[track_caller]
fn finished(outcome: &Outcome, reason: FinishReason) {
    match outcome.last {
        Event::Done { finish_reason, .. } => assert_eq!(finish_reason, reason),
        ref other => panic!("expected {reason:?}, got: {other:?}"),
    }
}

#[test]
fn same_seed_gives_the_same_text_alone_and_in_a_batch() {
    let (single, batched) = (load(1), load(8));
    let together: Vec<Running> = (0..8).map(|seed| start(&batched, seeded(seed))).collect();
    for (seed, running) in (0..8).zip(together) {
        let alone = run(&single, seeded(seed));
        assert_eq!(alone.text, running.outcome().text, "seed {seed}");
        assert!(alone.text.len() >= 30);
    }
}

#[test]
fn quantised_models_give_the_same_text_alone_and_in_a_batch() {
    let directory = TestModel::with_config(&test_model::config_of_blocks());
    let load = |max_batch_size, n_threads| {
        let quantization = Quantization::Q8_0;
        let options =
            ModelOptions { max_batch_size, n_threads, quantization, ..ModelOptions::default() };
        Model::load(directory.path(), &options).unwrap()
    };
    let (single, batched) = (load(1, 1), load(8, 3));
    let together: Vec<Running> = (0..8).map(|seed| start(&batched, seeded(seed))).collect();
    for (seed, running) in (0..8).zip(together) {
        let alone = run(&single, seeded(seed));
        assert_eq!(alone.text, running.outcome().text, "seed {seed}");
        assert!(alone.text.len() >= 30);
    }
}

#[test]
fn more_threads_give_the_same_text() {
    let directory = TestModel::random();
    let options = ModelOptions { max_batch_size: 8, n_threads: 3, ..ModelOptions::default() };
    let (model, single) = (Model::load(directory.path(), &options).unwrap(), load(1));
    // Long enough that attention is shared among them.
    let long = || request(&"long ".repeat(80), 10);
    assert_eq!(run(&model, long()), run(&single, long()));
    // Sequences of different lengths, divided among them.
    let together: Vec<Running> = (0..8).map(|seed| start(&model, seeded(seed))).collect();
    // The number of steps depends on the company: a step reads so much of all prompts together.
    assert_eq!(run(&model, long()).text, run(&single, long()).text);
    for (seed, running) in (0..8).zip(together) {
        assert_eq!(running.outcome().text, run(&single, seeded(seed)).text, "seed {seed}");
    }
}

#[test]
fn other_seeds_give_other_texts() {
    let model = load(8);
    let mut other = seeded(1);
    other.sampling.seed = 2;
    assert_ne!(run(&model, seeded(1)).text, run(&model, other).text);
    let greedy = |seed| {
        let sampling = Sampling { temperature: 0.0, seed, ..Sampling::default() };
        Request { sampling, ..seeded(1) }
    };
    assert_eq!(run(&model, greedy(1)).text, run(&model, greedy(2)).text);
}

/// Takes away all tokens but one: that of the byte behind the last one's.
fn count_up(tokens: &[u32], logits: &mut [f32]) {
    let next = (tokens[tokens.len() - 1] + 1) as usize;
    let other_ones = logits.iter_mut().enumerate().filter(|(id, _)| *id != next);
    other_ones.for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
}

#[test]
fn processors_change_the_logits_of_each_sampled_token() {
    let model = load(8);
    let logits_processors: Vec<Arc<dyn LogitsProcessor>> = vec![Arc::new(count_up)];
    let free = Request { logits_processors: logits_processors.clone(), ..request("a", 4) };
    assert_eq!(run(&model, free).text, "bcde");
    // What the constraint doesn't allow stays so, and what it forces is not asked for.
    let held = Request { logits_processors, ..constrained(&model, "[a-q]!!![!-z]", 9) };
    assert_eq!(run(&model, held).text, "q!!!\"");
}

#[test]
fn a_processor_that_panics_costs_no_other_request() {
    let model = load(8);
    let panics = |_: &[u32], _: &mut [f32]| panic!("no idea");
    let failing = Request { logits_processors: vec![Arc::new(panics)], ..request("x", 5) };
    let (failing, other) = (start(&model, failing), start(&model, seeded(1)));
    let detail = "no idea".to_owned();
    assert_eq!(failing.outcome().last, Event::Failed(Error::LogitsProcessorFailed { detail }));
    assert_eq!(other.outcome().text, run(&load(1), seeded(1)).text);
}

#[test]
fn counts_tokens_and_steps() {
    let outcome = run(&load(8), Request { max_tokens: 5, ..seeded(3) });
    let expected = Event::Done {
        finish_reason: FinishReason::MaxTokens,
        n_prompt_tokens: 16,
        n_reused_tokens: 0,
        n_tokens: 5,
        n_reasoning_tokens: 0,
        n_forced_tokens: 0,
        n_steps: 5,
    };
    assert_eq!((outcome.last, outcome.n_events), (expected, (0, 5)));
}

#[test]
fn long_prompts_are_read_in_parts() {
    let outcome = run(&load(8), request(&"long ".repeat(80), 3));
    let Event::Done { n_steps, n_prompt_tokens, .. } = outcome.last else { panic!("{outcome:?}") };
    assert_eq!((n_prompt_tokens, n_steps), (400, 4));
}

#[test]
fn the_context_limits_the_text() {
    let outcome = run(&load(8), request(&"x".repeat(500), 1000));
    let Event::Done { n_tokens, .. } = outcome.last else { panic!("{outcome:?}") };
    assert_eq!(n_tokens, 12);
}

#[test]
fn the_model_can_end_the_text() {
    let directory = TestModel::random();
    let all: Vec<u32> = (0..=EOS).filter(|&id| id != 65).collect();
    directory.write_json("generation_config.json", &json!({ "eos_token_id": all }));
    let model = Model::load(directory.path(), &ModelOptions::default()).unwrap();
    let outcome = run(&model, request("p", 300));
    finished(&outcome, FinishReason::Stop);
    assert!(outcome.text.bytes().all(|byte| byte == b'A'), "the end is no part of the text");
}

#[test]
fn refuses_requests_that_cannot_run() {
    let model = load(8);
    let refused = |request: Request| {
        model.submit(request, |_| panic!("no event for a refused request")).unwrap_err()
    };
    assert_eq!(refused(request("", 5)), Error::PromptEmpty);
    assert_eq!(refused(request(&"x".repeat(512), 5)), Error::PromptTooLong { n: 512, max: 512 });
    let unknown = Request { prompt: vec![1, 264], ..request("", 5) };
    assert_eq!(refused(unknown), Error::UnknownToken { id: 264, n_ids: 264 });
    assert!(matches!(refused(request("x", 0)), Error::InvalidOption { option: "max_tokens", .. }));
    let sampling = Sampling { top_p: 2.0, ..Sampling::default() };
    let invalid = Request { sampling, ..request("x", 5) };
    assert!(matches!(refused(invalid), Error::InvalidOption { option: "top_p", .. }));
}

#[test]
fn refuses_constraints_for_other_tokens() {
    let model = load(8);
    let own: Vec<Vec<u8>> =
        (0..=EOS).map(|id| model.vocabulary().token_bytes(id).unwrap().to_vec()).collect();
    let refused = |tokens: Vec<Vec<u8>>, eos: u32| {
        let vocabulary = Arc::new(Vocabulary::new(tokens, &[eos], &[]).unwrap());
        let constraint = Some(Constraint::choice(&["a"], &vocabulary).unwrap());
        let error = model.submit(Request { constraint, ..request("x", 5) }, |_| ()).err();
        error.map(|error| error.to_string())
    };
    let problem = |what: &str| Some(format!("the constraint is for another vocabulary: {what}"));
    assert_eq!(refused(own.clone(), EOS), None);
    let fewer = refused(vec![vec![b'a'], Vec::new()], 1);
    assert_eq!(fewer, problem("expected 257 ids, got: 2 ids"));
    let mut other = own.clone();
    other[98] = b"bb".to_vec();
    let told = problem(r#"expected "b" for id 98, got: "bb" for id 98"#);
    assert_eq!(refused(other, EOS), told);
    let told = problem("expected end-of-sequence ids [256], got: end-of-sequence ids [98]");
    assert_eq!(refused(own, 98), told);
}

#[test]
fn refuses_options_that_serve_nobody() {
    let directory = TestModel::random();
    for options in [
        ModelOptions { max_batch_size: 0, n_threads: 1, ..ModelOptions::default() },
        ModelOptions { max_batch_size: 1, n_threads: 0, ..ModelOptions::default() },
        ModelOptions { max_kv_cache_bytes: Some(1000), ..ModelOptions::default() },
    ] {
        let result = Model::load(directory.path(), &options).map(|_| ());
        assert!(matches!(result, Err(Error::InvalidOption { .. })), "{result:?}");
    }
}

#[test]
fn running_and_waiting_requests_can_be_cancelled() {
    let model = load(1);
    let (first, second) = (start(&model, request("a", 400)), start(&model, request("b", 400)));
    let third = start(&model, request("c", 2));
    first.next();
    second.generation.cancel();
    let second = second.outcome();
    finished(&second, FinishReason::Cancelled);
    assert_eq!(second.text, "");
    first.generation.cancel();
    finished(&first.outcome(), FinishReason::Cancelled);
    finished(&third.outcome(), FinishReason::MaxTokens);
}

#[test]
fn dropping_a_generation_cancels_nothing() {
    let model = load(1);
    let Running { events, generation } = start(&model, request("a", 3));
    drop(generation);
    assert_eq!(events.iter().count(), 4);
}

#[test]
fn requests_fail_when_the_model_is_dropped() {
    let model = load(1);
    let (running, gate) = start_gated(&model, request("a", 500));
    let waiting = start(&model, request("b", 500));
    running.next();
    drop((model, gate));
    let stopped = Event::Failed(Error::ModelStopped { detail: String::new() });
    assert_eq!(waiting.outcome().last, stopped);
    assert_eq!(running.outcome().last, stopped);
}

#[test]
fn a_stopped_model_refuses_requests() {
    let model = load(1);
    let (running, gate) = start_gated(&model.clone(), request("a", 500));
    running.next();
    model.stop();
    drop(gate);
    let stopped = Error::ModelStopped { detail: String::new() };
    assert_eq!(running.outcome().last, Event::Failed(stopped.clone()));
    assert_eq!(model.submit(request("a", 5), |_| ()).unwrap_err(), stopped);
}

#[test]
fn a_receiver_that_panics_harms_nobody_else() {
    let model = load(2);
    model.submit(request("a", 100), |_| panic!("receiver")).unwrap();
    finished(&run(&model, request("b", 5)), FinishReason::MaxTokens);
}

#[test]
fn many_requests_all_finish() {
    let model = load(4);
    let running: Vec<Running> =
        (0..30).map(|i| start(&model, request(&"y".repeat(1 + i * 9), 1 + i % 7))).collect();
    for (i, running) in running.into_iter().enumerate() {
        let outcome = running.outcome();
        assert!(outcome.n_events.1 <= 1 + i % 7);
    }
}

#[test]
fn broken_weights_still_give_tokens() {
    let directory = TestModel::random();
    let mut bytes = fs::read(directory.file("model.safetensors")).unwrap();
    let end = bytes.len();
    bytes[end - 4000..].fill(0xff);
    fs::write(directory.file("model.safetensors"), bytes).unwrap();
    let model = Model::load(directory.path(), &ModelOptions::default()).unwrap();
    let outcome = run(&model, request("a", 5));
    assert!(matches!(outcome.last, Event::Done { .. }), "{outcome:?}");
}

#[test]
fn texts_match_their_constraint() {
    let model = load(8);
    let pattern = r#"\{"n":[1-9][0-9]{0,3},"s":"[a-z]{2,5}"\}"#;
    let whole = Constraint::regex(pattern, model.vocabulary()).unwrap();
    let running: Vec<Running> = (0..20)
        .map(|seed| {
            let mut request = constrained(&model, pattern, 60);
            request.sampling.seed = seed;
            start(&model, request)
        })
        .collect();
    for running in running {
        let outcome = running.outcome();
        finished(&outcome, FinishReason::Stop);
        let mut matcher = whole.matcher();
        matcher.accept_text(outcome.text.as_bytes()).unwrap();
        assert!(matcher.is_accepting().unwrap(), "{}", outcome.text);
    }
}

#[test]
fn forced_tokens_need_no_sampling() {
    let model = load(8);
    let outcome = run(&model, constrained(&model, "only this", 20));
    let expected = Event::Done {
        finish_reason: FinishReason::Stop,
        n_prompt_tokens: 1,
        n_reused_tokens: 0,
        n_tokens: 9,
        n_reasoning_tokens: 0,
        n_forced_tokens: 9,
        n_steps: 0,
    };
    assert_eq!((&outcome.text[..], &outcome.last), ("only this", &expected));
    let outcome = run(&model, constrained(&model, "(yes|no), sir", 20));
    let Event::Done { n_steps, n_tokens, n_forced_tokens, .. } = outcome.last else { panic!() };
    assert_eq!((n_steps, n_tokens - n_forced_tokens), (1, 1));
    assert!(["yes, sir", "no, sir"].contains(&&outcome.text[..]));
}

#[test]
fn a_text_is_completed_before_its_tokens_run_out() {
    let model = load(8);
    for max_tokens in 5..12 {
        for seed in 0..5 {
            let mut request = constrained(&model, r"\[[a-z]{1,300}(;[a-z]{30})?\]", max_tokens);
            request.sampling.seed = seed;
            // The model would write more.
            request.sampling.logit_bias = vec![(u32::from(b']'), -100.0)];
            let outcome = run(&model, request);
            finished(&outcome, FinishReason::MaxTokens);
            assert!(outcome.text.ends_with(']') && outcome.text.len() <= max_tokens);
        }
    }
}

#[test]
fn a_constraint_that_cannot_fit_is_truncated_at_once() {
    let model = load(8);
    let outcome = run(&model, constrained(&model, "a[b-d]{7}", 7));
    let expected = Error::Truncated { max_tokens: 7, partial: Vec::new() };
    assert_eq!(outcome.last, Event::Failed(expected));
    finished(&run(&model, constrained(&model, "a[b-d]{7}", 8)), FinishReason::Stop);
}

#[test]
fn a_panic_in_a_step_stops_the_model_and_nothing_else() {
    let model = load(2);
    let tokens: Vec<Vec<u8>> =
        (0..=EOS).map(|id| model.vocabulary().token_bytes(id).unwrap().to_vec()).collect();
    let vocabulary = Vocabulary::new(tokens, &[EOS], &[]).unwrap();
    let vocabulary = Arc::new(vocabulary.with_tokenizer(|_| panic!("no spelling")));
    let constraint = Some(Constraint::choice(&["forced"], &vocabulary).unwrap());
    let running = start(&model, request("a", 500));
    running.next();
    let failing = start(&model, Request { constraint, ..request("b", 10) });
    let stopped = Error::ModelStopped { detail: "no spelling".to_owned() };
    assert_eq!(failing.outcome().last, Event::Failed(stopped.clone()));
    assert_eq!(running.outcome().last, Event::Failed(stopped.clone()));
    assert_eq!(model.submit(request("a", 5), |_| ()).unwrap_err(), stopped);
}

#[test]
fn a_traced_request_tells_how_each_sampled_token_was_chosen() {
    let model = load(2);
    let traced = Request { traced: true, ..constrained(&model, "[ab]{3}!", 9) };
    let running = start(&model, traced);
    let mut n_choices = 0;
    loop {
        match running.next() {
            Event::Tokens { ids, forced, choice, .. } => {
                assert_eq!(choice.is_none(), forced);
                let Some(choice) = choice else { continue };
                n_choices += 1;
                assert_eq!((ids.len(), choice.n_allowed), (1, 2));
                assert!(choice.probability <= choice.allowed_probability);
                assert!(choice.allowed_probability < 1.0);
                assert_eq!(choice.alternatives.len(), 5);
            }
            last => break assert!(matches!(last, Event::Done { .. })),
        }
    }
    assert_eq!(n_choices, 3);
    let plain = start(&model, constrained(&model, "[ab]", 9));
    assert!(matches!(plain.next(), Event::Tokens { choice: None, .. }));
}

#[test]
fn counts_what_it_does() {
    let model = load(2);
    assert_eq!(model.activity(), Activity::default());
    let text = || constrained(&model, "[ab]{30}!!", 40);
    let (first, gate) = start_gated(&model, text());
    first.next();
    let others: Vec<_> = (0..4).map(|_| start(&model, text())).collect();
    gate.send(()).unwrap();
    first.next();
    let Activity { n_running, n_waiting, n_cached_bytes, n_cached_tokens, .. } = model.activity();
    assert_eq!((n_running, n_waiting, n_cached_tokens), (2, 3, 1));
    assert!(n_cached_bytes > 0);
    drop(gate);
    first.outcome();
    for other in others {
        other.outcome();
    }
    while model.activity().n_running > 0 {
        thread::yield_now();
    }
    let Activity { n_steps, n_advanced, n_prompt_tokens, n_tokens, n_forced_tokens, .. } =
        model.activity();
    assert_eq!((n_prompt_tokens, n_tokens, n_forced_tokens), (5, 5 * 32, 5 * 2));
    assert_eq!(n_advanced, 5 * 30);
    assert!((75..150).contains(&n_steps), "two at a time: {n_steps}");
    assert!(model.activity().forward_time > Duration::ZERO);
    assert_eq!((model.activity().n_cached_tokens, model.activity().n_waiting), (0, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn models_that_were_stopped_leave_no_threads() {
    let n_threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let before = n_threads();
    let directory = TestModel::random();
    let options = ModelOptions { n_threads: 3, ..ModelOptions::default() };
    for _ in 0..50 {
        let model = Model::load(directory.path(), &options).unwrap();
        run(&model, request("a", 2));
    }
    // Other tests have threads of their own, and threads end a moment later.
    let left = (0..100).find(|_| {
        thread::sleep(Duration::from_millis(20));
        n_threads() < before + 50
    });
    assert!(left.is_some(), "{} threads", n_threads());
}

/// The text up to the first of the stops before which it is complete.
fn stopped(model: &Model, pattern: &str, text: &str, stops: &[&str]) -> String {
    let constraint = Constraint::regex(pattern, model.vocabulary()).unwrap();
    let ends = |end: &usize| {
        let mut matcher = constraint.matcher();
        stops.iter().any(|stop| text[*end..].starts_with(stop))
            && matcher.accept_text(&text.as_bytes()[..*end]).is_ok()
            && matcher.is_accepting().unwrap()
    };
    text[..(0..text.len()).find(ends).unwrap_or(text.len())].to_owned()
}

#[test]
fn stop_texts_end_a_text_before_them() {
    let model = load(8);
    let mut n_stopped = 0;
    for seed in 0..40 {
        for (pattern, stops) in [
            ("[ab]{30}|[ab]*", &["aba", "bbb"][..]),
            ("([ab]{3})*", &["ab", "bba"]),
            ("(abcabd|bcdabx|cabdbc){5}|(abc|abd|bcdabx)*", &["abd", "cabx", "dab"]),
            ("[ab]{20}", &["ab"]),
        ] {
            let sampling = Sampling { seed, temperature: 1.0, ..Sampling::default() };
            let request = Request { sampling, ..constrained(&model, pattern, 40) };
            let stop = stops.iter().map(|&stop| stop.to_owned()).collect();
            let whole = run(&model, request.clone());
            let cut = run(&model, Request { stop, ..request });
            assert_eq!(cut.text, stopped(&model, pattern, &whole.text, stops), "{pattern}");
            if cut.text != whole.text {
                finished(&cut, FinishReason::Stop);
                n_stopped += 1;
            }
        }
    }
    assert!(n_stopped > 10, "{n_stopped}");
    let request = Request { stop: vec![String::new()], ..request("x", 5) };
    let refused = model.submit(request, |_| {}).err();
    assert!(matches!(refused, Some(Error::InvalidOption { option: "stop", .. })));
}

#[test]
fn stop_texts_are_found_at_the_end_of_a_text_where_a_longer_one_could_have_begun() {
    let model = load(2);
    for (text, stops, expected) in [
        ("abc", &["abcd", "bc"][..], "a"),
        ("abc", &["abcd", "c"], "ab"),
        ("abc", &["abcd"], "abc"),
        ("aab", &["abab", "b"], "aa"),
        ("aaa", &["aaaa", "aa"], ""),
    ] {
        // The text may end anywhere, but the model doesn't want it to.
        let pattern = text.chars().rfold(String::new(), |rest, next| format!("({next}{rest})?"));
        let sampling =
            Sampling { logit_bias: vec![(EOS, -100.0)], temperature: 0.0, ..Sampling::default() };
        let stop = stops.iter().map(|&stop| stop.to_owned()).collect();
        let request = Request { sampling, stop, ..constrained(&model, &pattern, text.len()) };
        let outcome = run(&model, request);
        finished(&outcome, FinishReason::Stop);
        assert_eq!(outcome.text, expected, "{text} {stops:?}");
    }
}
