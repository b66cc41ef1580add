//! Which requests run when, and what they share.

use std::sync::Mutex;

use super::*;
use crate::model::LoadedModel;

/// A model with room for so many pages of keys and values.
fn load_with_pages(n_pages: usize, max_batch_size: usize) -> (Model, usize) {
    let directory = TestModel::random();
    let loaded = LoadedModel::read(directory.path(), Quantization::None).unwrap();
    let page_bytes = loaded.transformer.cache_shape().page_bytes();
    let max_kv_cache_bytes = Some(n_pages * page_bytes);
    let options = ModelOptions {
        max_batch_size,
        max_kv_cache_bytes,
        n_threads: 1,
        ..ModelOptions::default()
    };
    (Model::load(directory.path(), &options).unwrap(), page_bytes)
}

fn n_reused(outcome: &Outcome) -> usize {
    match outcome.last {
        Event::Done { n_reused_tokens, .. } => n_reused_tokens,
        ref other => panic!("{other:?}"),
    }
}

/// Starts requests while the model's thread is held up, and returns the order in which they ended.
fn order_of_ends(model: &Model, requests: Vec<Request>) -> Vec<usize> {
    let (first, gate) = start_gated(model, request("first", 3));
    first.next();
    let (sender, ends) = channel();
    for (index, request) in requests.into_iter().enumerate() {
        let sender = sender.clone();
        let sink = move |event| {
            if matches!(event, Event::Done { .. }) {
                sender.send(index).unwrap();
            }
        };
        model.submit(request, sink).unwrap();
    }
    drop((gate, sender));
    ends.iter().collect()
}

#[test]
fn a_full_cache_changes_no_text() {
    // Each text fills six pages or more in the end.
    let (small, page_bytes) = load_with_pages(9, 8);
    let plenty = load(8);
    assert_eq!(small.info().max_length, 9 * 16);
    let requests = || (0..8).map(|seed| Request { max_tokens: 60, ..seeded(seed) });
    let most = Arc::new(Mutex::new(0));
    let running: Vec<_> = requests()
        .map(|request| {
            let (sender, events) = channel();
            let (model, most) = (small.clone(), Arc::clone(&most));
            let sink = move |event| {
                let mut most = most.lock().unwrap();
                *most = model.activity().n_cached_bytes.max(*most);
                drop(sender.send(event));
            };
            let generation = small.submit(request, sink).unwrap();
            Running { events, generation }
        })
        .collect();
    for (running, request) in running.into_iter().zip(requests()) {
        let (outcome, expected) = (running.outcome(), run(&plenty, request));
        assert_eq!((&outcome.text, outcome.n_events), (&expected.text, expected.n_events));
    }
    let most = *most.lock().unwrap() as usize / page_bytes;
    assert!((7..=9).contains(&most), "{most} pages");
}

#[test]
fn no_request_is_longer_than_the_cache() {
    let (model, _) = load_with_pages(3, 8);
    let prompt = |n: usize| request(&"x".repeat(n), 400);
    let refused = model.submit(prompt(48), |_| {}).err();
    assert_eq!(refused, Some(Error::PromptTooLong { n: 48, max: 48 }));
    let outcomes = [prompt(40), prompt(47)].map(|request| run(&model, request));
    assert_eq!(outcomes.map(|outcome| outcome.n_events.1), [8, 1]);
}

#[test]
fn a_prompt_that_another_one_began_with_is_not_read_again() {
    let (model, fresh) = (load(8), load(8));
    let prompt = "a prompt that is longer than two pages of tokens";
    let letters = Constraint::regex("[a-z]{20}", model.vocabulary()).unwrap();
    let long = || Request { constraint: Some(letters.clone()), ..request(prompt, 20) };
    let first = run(&model, long());
    assert_eq!(n_reused(&first), 0);
    let again = run(&model, long());
    assert_eq!((n_reused(&again), &again.text), (32, &first.text));
    // The end of a page of which the last token is wanted, and an answer as part of a prompt.
    assert_eq!(n_reused(&run(&model, request(&prompt[..32], 5))), 16);
    let turn = || request(&format!("{prompt}{}, and then?", first.text), 9);
    let outcome = run(&model, turn());
    assert_eq!((prompt.len(), first.text.len(), n_reused(&outcome)), (48, 20, 64));
    assert_eq!(outcome.text, run(&fresh, turn()).text);
    let different = request(&prompt.replace("two", "six"), 9);
    assert_eq!(n_reused(&run(&model, different)), 16);
    let activity = model.activity();
    assert_eq!(activity.n_reused_tokens, 32 + 16 + n_reused(&outcome) as u64 + 16);
}

#[test]
fn a_prompt_that_several_begin_with_is_read_once() {
    let model = load(8);
    let (first, gate) = start_gated(&model, request("first", 2));
    first.next();
    let prompt = "y".repeat(16 * 20);
    let sampling = |seed| Sampling { seed, temperature: 1.0, ..Sampling::default() };
    let sample = |seed| Request { sampling: sampling(seed), ..request(&prompt, 20) };
    let running: Vec<_> = (0..5).map(|seed| start(&model, sample(seed))).collect();
    drop(gate);
    let mut outcomes: Vec<_> = running.into_iter().map(Running::outcome).collect();
    let n_reused: Vec<_> = outcomes.iter().map(n_reused).collect();
    assert_eq!(n_reused, [0, 16 * 19, 16 * 19, 16 * 19, 16 * 19]);
    for (seed, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.text, run(&load(1), sample(seed as u64)).text);
    }
    outcomes.dedup_by(|a, b| a.text == b.text);
    assert_eq!(outcomes.len(), 5);
}

#[test]
fn requests_of_a_higher_priority_go_first() {
    let model = load(1);
    let requests = [0, -1, 5, 0, 5].map(|priority| Request { priority, ..request("p", 3) });
    assert_eq!(order_of_ends(&model, requests.into()), [2, 4, 0, 3, 1]);
}

#[test]
fn callers_take_turns() {
    let model = load(1);
    let requests = [1, 1, 1, 1, 2, 3, 2].map(|caller| Request { caller, ..request("p", 3) });
    assert_eq!(order_of_ends(&model, requests.into()), [0, 4, 5, 1, 6, 2, 3]);
}

/// Lets a caller ask again each time that it has an answer, so often, while the requests wait that were
/// made before. Returns the order in which all ended: those by their index, the others as `None`.
fn order_beside_others(
    requests: Vec<Request>,
    mut caller_of: impl FnMut(usize) -> u64 + Send + 'static,
    n_others: usize,
) -> Vec<Option<usize>> {
    let model = load(1);
    let (first, gate) = start_gated(&model, request("first", 3));
    first.next();
    let (sender, ends) = channel();
    let other = move |index| Request { caller: caller_of(index), ..request("p", 3) };
    ask_again(&model, other, 0..n_others, sender.clone());
    for (index, request) in requests.into_iter().enumerate() {
        let sender = sender.clone();
        let sink = move |event| {
            if matches!(event, Event::Done { .. }) {
                sender.send(Some(index)).unwrap();
            }
        };
        model.submit(request, sink).unwrap();
    }
    drop((gate, sender));
    ends.iter().collect()
}

fn ask_again(
    model: &Model,
    mut other: impl FnMut(usize) -> Request + Send + 'static,
    mut indices: std::ops::Range<usize>,
    ends: Sender<Option<usize>>,
) {
    let Some(index) = indices.next() else { return };
    let request = other(index);
    let mut next = Some((model.clone(), other, indices, ends));
    let sink = move |event| {
        if matches!(event, Event::Done { .. })
            && let Some((model, other, indices, ends)) = next.take()
        {
            ends.send(None).unwrap();
            ask_again(&model, other, indices, ends);
        }
    };
    model.submit(request, sink).unwrap();
}

#[test]
fn who_asks_again_at_once_holds_up_nobody() {
    let mine = || (0..3).map(|_| Request { caller: 1, ..request("p", 3) }).collect();
    let order = order_beside_others(mine(), |_| 2, 30);
    let last = order.iter().rposition(Option::is_some).unwrap();
    assert!(last <= 8, "{order:?}");
    // Nor do many who ask once each.
    let order = order_beside_others(mine(), |index| 10 + index as u64, 30);
    let last = order.iter().rposition(Option::is_some).unwrap();
    assert!(last <= 8, "{order:?}");
}

#[test]
fn callers_take_turns_within_their_priority() {
    let model = load(1);
    let requests = [(1, 1), (1, 1), (0, 1), (1, 1), (0, 2), (0, 1), (0, 2)]
        .map(|(priority, caller)| Request { priority, caller, ..request("p", 3) });
    assert_eq!(order_of_ends(&model, requests.into()), [0, 1, 3, 2, 4, 5, 6]);
}
