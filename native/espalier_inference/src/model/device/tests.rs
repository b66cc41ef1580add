//! The operations for devices, on any of them (`device_compute`).

use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde_json::Value;

use super::DeviceMatrix;
use crate::error::Error;
use crate::gguf::GgufFile;
use crate::kv_cache::{KvCache, PAGE, Pool, Shape};
use crate::model::tests::{
    FAMILIES_AND_SETTINGS, difference, load_to, logits_in_parts, new_cache, reference_logits,
};
use crate::model::transformer::{Rows, Transformer};
use crate::model::{Compute, LoadedModel, Quantization};
use crate::test_model::device_compute;

/// The directories of all references.
fn references() -> Vec<PathBuf> {
    let others = [
        "data/llama_tied_mha",
        "data/llama_untied_gqa_bf16",
        "data/llama_head_dim_theta",
        "variants/llama3_rope",
        "variants/mistral",
        "variants/qwen2",
        "variants/qwen3",
    ];
    others.iter().chain(&FAMILIES_AND_SETTINGS).map(|name| tests_folder().join(name)).collect()
}

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn load(directory: &Path) -> Transformer {
    load_to(&device_compute(), directory, Quantization::None).unwrap()
}

#[track_caller]
fn agree(logits: &[f32], expected: &[f32], what: &str) {
    assert_eq!(logits.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
    for (index, (got, expected)) in logits.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= 1e-4 * scale, "{what}, {index}: {got} and {expected}");
    }
}

/// Caches with room for so many positions each, in one memory.
fn caches(transformer: &Transformer, sizes: &[usize]) -> (Pool, Vec<KvCache>) {
    let n_pages = sizes.iter().map(|size| size.div_ceil(PAGE)).sum();
    let mut pool = transformer.new_pool(n_pages).unwrap();
    let caches = sizes.iter().map(|&size| {
        let mut cache = pool.new_cache();
        assert!(pool.reserve(&mut cache, size));
        cache
    });
    let caches = caches.collect();
    (pool, caches)
}

#[test]
fn all_families_and_settings_agree_with_their_references_whole_and_in_parts() {
    for directory in references() {
        let transformer = load(&directory);
        let (ids, expected) = reference_logits(&directory);
        let expected = expected.concat();
        for sizes in [&[ids.len()][..], &[1], &[7], &[5, 1, 20]] {
            let logits = logits_in_parts(&transformer, &ids, sizes);
            agree(&logits, &expected, &format!("{}, {sizes:?}", directory.display()));
        }
    }
}

#[test]
fn all_families_and_settings_agree_with_their_references_in_a_batch() {
    for directory in references() {
        let transformer = load(&directory);
        let (ids, expected) = reference_logits(&directory);
        let sizes = [ids.len(), 3, ids.len() - 5];
        let (_pool, mut caches) = caches(&transformer, &sizes);
        // So each sequence begins at another row and position in the second step.
        for ranges in [[0..2, 0..1, 0..9], [2..sizes[0], 1..3, 9..sizes[2]]] {
            let parts = caches.iter_mut().zip(&ranges).map(|(cache, range)| {
                let tokens = &ids[range.clone()];
                Rows { tokens, cache, n_logits: tokens.len() }
            });
            let logits = transformer.forward(&mut parts.collect::<Vec<_>>()).unwrap();
            let expected = ranges.into_iter().flat_map(|range| expected[range].concat());
            let expected: Vec<f32> = expected.collect();
            agree(&logits, &expected, &directory.display().to_string());
        }
    }
}

#[test]
fn pages_of_another_text_with_the_same_beginning_are_as_good_as_own_ones() {
    for directory in references() {
        let transformer = load(&directory);
        let (ids, expected) = reference_logits(&directory);
        let mut pool = transformer.new_pool(2 * ids.len().div_ceil(PAGE)).unwrap();
        let mut read = |expected_reused| {
            let mut cache = pool.new_cache();
            pool.reuse(&mut cache, &ids);
            let n_reused = cache.len();
            assert_eq!(n_reused, expected_reused);
            assert!(pool.reserve(&mut cache, ids.len()));
            let tokens = &ids[n_reused..];
            let n_logits = tokens.len();
            let rows = Rows { tokens, cache: &mut cache, n_logits };
            let logits = transformer.forward(&mut [rows]).unwrap();
            pool.keep(&mut cache, &ids);
            agree(&logits, &expected[n_reused..].concat(), &directory.display().to_string());
        };
        read(0);
        read((ids.len() - 1) / PAGE * PAGE);
    }
}

/// Pages that are given back are written again, and none that is in use.
#[test]
fn slots_are_used_again() {
    let directory = &references()[1];
    let transformer = load(directory);
    let (ids, expected) = reference_logits(directory);
    let n_pages = ids.len().div_ceil(PAGE);
    let mut pool = transformer.new_pool(2 * n_pages).unwrap();
    assert_eq!(pool.n_free_pages(), 2 * n_pages);
    let mut kept = pool.new_cache();
    assert!(pool.reserve(&mut kept, ids.len()));
    let (first, second) = ids.split_at(ids.len() / 2);
    let read = |cache: &mut KvCache, tokens: &[u32]| {
        transformer.forward(&mut [Rows { tokens, cache, n_logits: tokens.len() }]).unwrap()
    };
    let mut logits = read(&mut kept, first);
    for _ in 0..3 {
        let mut other = pool.new_cache();
        assert!(pool.reserve(&mut other, ids.len()));
        assert!(!pool.reserve(&mut pool.new_cache(), 1), "all pages are taken");
        agree(&read(&mut other, &ids), &expected.concat(), "another text");
        assert_eq!(pool.n_bytes(), 2 * n_pages * transformer.page_bytes());
    }
    logits.extend(read(&mut kept, second));
    agree(&logits, &expected.concat(), "the text that was interrupted");
}

#[test]
fn weights_of_few_bits_give_nearly_the_same() {
    for directory in references() {
        let (ids, expected) = reference_logits(&directory);
        let config: Value =
            serde_json::from_slice(&std::fs::read(directory.join("config.json")).unwrap()).unwrap();
        let text = config.get("text_config").unwrap_or(&config);
        let sizes = ["hidden_size", "intermediate_size"].map(|name| text[name].as_u64().unwrap());
        for quantization in [Quantization::Automatic, Quantization::Q8_0] {
            let transformer = load_to(&device_compute(), &directory, quantization);
            if quantization == Quantization::Q8_0 && sizes.iter().any(|size| size % 32 != 0) {
                assert!(matches!(transformer, Err(Error::InvalidWeights { .. })));
                continue;
            }
            let logits = logits_in_parts(&transformer.unwrap(), &ids, &[ids.len()]);
            let difference = difference(&logits, &expected.concat());
            assert!(difference < 0.1, "{} {quantization:?}: {difference}", directory.display());
        }
    }
}

#[test]
fn numbers_of_files_are_taken_as_they_are() {
    let file = GgufFile::open(&tests_folder().join("gguf/blocks.gguf")).unwrap();
    let x: Vec<f32> = (0..3 * 512).map(|index| (index as f32 * 0.37).sin()).collect();
    let compute = device_compute();
    let inputs = Tensor::from_slice(&x, (3, 512), compute.device()).unwrap();
    let kinds: Vec<&str> = file.names().filter(|name| !name.ends_with(".numbers")).collect();
    assert_eq!(kinds.len(), 11);
    for kind in kinds {
        let blocks = file.blocks(kind, &[2, 512]).unwrap();
        let weights = blocks.to_f32();
        let matrix = DeviceMatrix::from_blocks(&blocks, (2, 512), compute.device()).unwrap();
        assert_eq!(matrix.n_bytes(), blocks.bytes().len(), "{kind}");
        let rows = matrix.rows(&[1, 0]).unwrap().to_vec2::<f32>().unwrap();
        assert!(difference(&rows[0], &weights[512..]) < 1e-6, "{kind}");
        assert!(difference(&rows[1], &weights[..512]) < 1e-6, "{kind}");
        let products = matrix.product(&inputs).unwrap().flatten_all().unwrap();
        let expected = x.chunks(512).flat_map(|x| weights.chunks(512).map(|w| product(x, w)));
        let difference =
            difference(&products.to_vec1::<f32>().unwrap(), &expected.collect::<Vec<_>>());
        assert!(difference < 0.02, "{kind}: {difference}");
    }
}

fn product(x: &[f32], w: &[f32]) -> f32 {
    x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>() as f32
}

#[test]
fn gguf_files_agree_with_the_references() {
    for name in ["llama3_rope", "qwen2", "phi3_longrope", "gemma2", "gemma3", "smollm3"] {
        let path = tests_folder().join(format!("gguf/{name}.gguf"));
        let (ids, expected) = reference_logits(&tests_folder().join("variants").join(name));
        let logits = |quantization| {
            let loaded = LoadedModel::load(&path, quantization, &device_compute()).unwrap();
            logits_in_parts(&loaded.transformer, &ids, &[ids.len()])
        };
        agree(&logits(Quantization::None), &expected.concat(), name);
        let difference = difference(&logits(Quantization::Automatic), &expected.concat());
        assert!(difference < 0.05, "{name}: {difference}");
    }
}

#[test]
fn a_batch_that_does_not_fit_is_an_error() {
    let directory = &references()[1];
    let transformer = load(directory);
    let kernels = load_to(&Compute::Kernels, directory, Quantization::None).unwrap();
    let fails = |transformer: &Transformer, caches: &mut [KvCache]| {
        let rows = caches.iter_mut().map(|cache| Rows { tokens: &[1], cache, n_logits: 1 });
        let result = transformer.forward(&mut rows.collect::<Vec<_>>());
        assert!(matches!(result, Err(Error::ComputationFailed { .. })), "{result:?}");
    };
    fails(&transformer, &mut [new_cache(&kernels, 9)]);
    fails(&kernels, &mut [new_cache(&transformer, 9)]);
    fails(&transformer, &mut [new_cache(&transformer, 0)]);
    fails(&transformer, &mut [new_cache(&transformer, 9), new_cache(&transformer, 9)]);
    let unknown = transformer.config().n_ids as u32;
    let mut cache = new_cache(&transformer, 9);
    let rows = Rows { tokens: &[unknown], cache: &mut cache, n_logits: 1 };
    assert!(transformer.forward(&mut [rows]).is_err());
}

#[test]
fn a_page_has_the_bytes_of_its_keys_and_values() {
    let transformer = load(&references()[1]);
    let Shape { n_layers, n_heads, head_size } = transformer.cache_shape();
    let n_numbers = 2 * n_layers * n_heads * head_size * PAGE;
    assert_eq!(transformer.page_bytes(), n_numbers * DType::F32.size_in_bytes());
    let halved = load_to(&device_compute(), &references()[1], Quantization::Automatic).unwrap();
    assert_eq!(halved.page_bytes(), n_numbers * DType::BF16.size_in_bytes());
}
