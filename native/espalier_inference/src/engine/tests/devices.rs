//! Requests on devices: on any of them (`device_compute`).

use super::*;
use crate::model::Compute;

/// The same model on the CPU and on a device, with room for so many pages there.
fn load_both(n_pages: usize) -> (Model, Model) {
    let directory = TestModel::random();
    let load = |compute: &Compute, max_kv_cache_bytes| {
        let quantization = Quantization::None;
        let options = ModelOptions { quantization, max_kv_cache_bytes, ..ModelOptions::default() };
        Model::load_on(compute, directory.path(), &options).unwrap()
    };
    // Two layers of two heads of twelve numbers, in four bytes.
    let page_bytes = 2 * 16 * 2 * 2 * 12 * 4;
    let device = load(&test_model::device_compute(), Some(n_pages * page_bytes));
    (load(&Compute::Kernels, None), device)
}

#[test]
fn texts_are_those_of_the_cpu_alone_and_together() {
    let (cpu, device) = load_both(100);
    let together: Vec<Running> = (0..8).map(|seed| start(&device, seeded(seed))).collect();
    for (seed, running) in (0..8).zip(together) {
        let expected = run(&cpu, seeded(seed));
        assert!(expected.text.len() >= 30);
        assert_eq!(running.outcome().text, expected.text, "seed {seed}");
        assert_eq!(run(&device, seeded(seed)).text, expected.text, "seed {seed} alone");
    }
}

#[test]
fn constraints_are_followed() {
    let (cpu, device) = load_both(100);
    let pattern = r#"\{"n":[1-9][0-9]{0,3},"s":"[a-z]{2,5}"\}"#;
    let ask = |model: &Model| run(model, constrained(model, pattern, 60));
    assert_eq!(ask(&device), ask(&cpu));
}

#[test]
fn what_was_read_is_used_again() {
    let (cpu, device) = load_both(100);
    let ask = |model: &Model| run(model, request(&"the same text ".repeat(20), 20));
    let expected = ask(&cpu);
    assert_eq!(ask(&device), expected);
    let again = ask(&device);
    assert_eq!(again.text, expected.text);
    let Event::Done { n_prompt_tokens, n_reused_tokens, .. } = again.last else { panic!() };
    assert_eq!((n_prompt_tokens, n_reused_tokens), (280, 272));
}

#[test]
fn a_full_cache_changes_no_text_and_stays_within_its_bytes() {
    // Each text fills six pages or more in the end.
    let (cpu, device) = load_both(9);
    assert_eq!(device.info().max_length, 9 * 16);
    let requests = || (0..8).map(|seed| Request { max_tokens: 60, ..seeded(seed) });
    let running: Vec<Running> = requests().map(|request| start(&device, request)).collect();
    for (request, running) in requests().zip(running) {
        assert_eq!(running.outcome().text, run(&cpu, request).text);
        assert!(device.activity().n_cached_bytes <= 9 * 16 * 2 * 2 * 2 * 12 * 4);
    }
}

#[test]
fn devices_that_are_not_built_in_are_refused() {
    let directory = TestModel::random();
    for (device, feature) in
        [(Device::Metal { index: 0 }, "metal"), (Device::Cuda { index: 3 }, "cuda")]
    {
        if Device::kinds().contains(&feature) {
            continue;
        }
        let options = ModelOptions { device, ..ModelOptions::default() };
        let error = Model::load(directory.path(), &options).map(drop).unwrap_err();
        let message = error.to_string();
        let Error::DeviceUnavailable { device: refused, reason, built } = error else {
            panic!("{error:?}")
        };
        assert_eq!(refused, device);
        assert!(reason.contains(&format!("feature `{feature}`")), "{reason}");
        assert_eq!((built[0], built.contains(&feature)), ("cpu", false));
        assert!(message.contains("this build has: cpu"), "{message}");
    }
}
