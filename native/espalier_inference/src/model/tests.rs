use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

use super::add::add;
use super::cached_attention::{CachedAttention, Place};
use super::linear::Linear;
use super::matrix::Matrix;
use super::rope::Rope;
use super::rotary::Rotary;
use super::transformer::Rows;
use super::*;
use crate::chat_template::Conversation;
use crate::kernels::BlockFormat;
use crate::kv_cache::{KvCache, PAGE, Pool, Shape};
use crate::test_model::{self, TestModel};

pub(super) fn reference(name: &str) -> (Transformer, Vec<u32>, Vec<Vec<f32>>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let transformer = load_weights(&directory, Quantization::None).unwrap();
    let (ids, logits) = reference_logits(&directory);
    (transformer, ids, logits)
}

/// The tokens of a reference, and the logits of each.
pub(super) fn reference_logits(directory: &Path) -> (Vec<u32>, Vec<Vec<f32>>) {
    let json: Value =
        serde_json::from_slice(&fs::read(directory.join("reference.json")).unwrap()).unwrap();
    let ids = json["input_ids"].as_array().unwrap().iter();
    let logits = json["logits"].as_array().unwrap().iter().map(|row| {
        row.as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap() as f32).collect()
    });
    (ids.map(|id| id.as_u64().unwrap() as u32).collect(), logits.collect())
}

fn load_weights(directory: &Path, quantization: Quantization) -> Result<Transformer, Error> {
    load_to(&Compute::Kernels, directory, quantization)
}

pub(super) fn load_to(
    compute: &Compute,
    directory: &Path,
    quantization: Quantization,
) -> Result<Transformer, Error> {
    let config = JsonFile::read(&directory.join("config.json"))?;
    let family = family(&config)?;
    let config = (family.describe)(&config)?;
    Transformer::load(config, &Weights::read(directory, family.prefix, compute, quantization)?)
}

/// An empty cache with room for `n` positions.
pub(super) fn new_cache(transformer: &Transformer, n: usize) -> KvCache {
    let mut pool = transformer.new_pool(n.div_ceil(PAGE)).unwrap();
    let mut cache = pool.new_cache();
    assert!(pool.reserve(&mut cache, n));
    cache
}

fn cache_of(shape: Shape, n: usize) -> KvCache {
    let mut cache = KvCache::new(shape);
    assert!(Pool::new(shape, n.div_ceil(PAGE) * shape.page_bytes()).reserve(&mut cache, n));
    cache
}

/// The logits of all tokens, read in parts of the given sizes.
pub(super) fn logits_in_parts(transformer: &Transformer, ids: &[u32], sizes: &[usize]) -> Vec<f32> {
    let (mut cache, mut rest, mut logits) = (new_cache(transformer, ids.len()), ids, Vec::new());
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (tokens, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let rows = Rows { tokens, cache: &mut cache, n_logits: tokens.len() };
        logits.extend(transformer.forward(&mut [rows]).unwrap());
    }
    logits
}

#[track_caller]
fn agrees_with_reference(name: &str) {
    let (transformer, ids, expected) = reference(name);
    let logits = logits_in_parts(&transformer, &ids, &[ids.len()]);
    let expected = expected.concat();
    assert_eq!(logits.len(), expected.len());
    let scale = expected.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
    for (index, (got, expected)) in logits.iter().zip(&expected).enumerate() {
        assert!((got - expected).abs() <= 1e-4 * scale, "{index}: {got} and {expected}");
    }
}

#[test]
fn agrees_with_reference_for_tied_embeddings() {
    agrees_with_reference("data/llama_tied_mha");
}

#[test]
fn agrees_with_reference_for_grouped_queries_in_bf16() {
    agrees_with_reference("data/llama_untied_gqa_bf16");
}

#[test]
fn agrees_with_reference_for_explicit_head_size_and_theta() {
    agrees_with_reference("data/llama_head_dim_theta");
}

#[test]
fn agrees_with_reference_for_scaled_angles_and_biases() {
    agrees_with_reference("variants/llama3_rope");
}

#[test]
fn agrees_with_reference_for_mistral() {
    agrees_with_reference("variants/mistral");
}

#[test]
fn agrees_with_reference_for_qwen2() {
    agrees_with_reference("variants/qwen2");
}

#[test]
fn agrees_with_reference_for_qwen3() {
    agrees_with_reference("variants/qwen3");
}

/// The directories of the models of the other families, and of settings that not all models have.
pub(super) const FAMILIES_AND_SETTINGS: [&str; 11] = [
    "variants/llama_linear",
    "variants/mistral_window",
    "variants/qwen2_window",
    "variants/qwen3_yarn",
    "variants/smollm3",
    "variants/phi3_longrope",
    "variants/phi3_window",
    "variants/gemma2",
    "variants/gemma3",
    "variants/gemma3_vision",
    "variants/mistral3_vision",
];

#[test]
fn agrees_with_reference_for_families_and_settings() {
    FAMILIES_AND_SETTINGS.into_iter().for_each(agrees_with_reference);
}

/// The model of a reference with some fields of its configuration changed.
fn reference_with(name: &str, changes: &Value) -> Transformer {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/variants").join(name);
    let mut fields: Value =
        serde_json::from_slice(&fs::read(directory.join("config.json")).unwrap()).unwrap();
    fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let model = TestModel::empty();
    model.write_json("config.json", &fields);
    fs::copy(directory.join("model.safetensors"), model.file("model.safetensors")).unwrap();
    load_weights(model.path(), Quantization::None).unwrap()
}

#[test]
fn yarn_reaches_beyond_the_context_that_it_stretches() {
    let transformer = reference_with("qwen3_yarn", &json!({"max_position_embeddings": 64}));
    assert_eq!(transformer.config().max_length, 256);
}

/// The texts and weights of the references are such that all that a family does differently shows.
#[test]
fn every_setting_of_a_family_shows_in_the_logits() {
    for (name, changes) in [
        ("llama_linear", json!({"rope_scaling": null})),
        ("mistral_window", json!({"sliding_window": null})),
        ("mistral_window", json!({"sliding_window": 17})),
        ("qwen2_window", json!({"max_window_layers": 0})),
        ("qwen2_window", json!({"use_sliding_window": false})),
        ("qwen3_yarn", json!({"rope_scaling": {"rope_type": "linear", "factor": 4.0}})),
        ("smollm3", json!({"no_rope_layers": [1, 1, 1, 1, 1]})),
        ("phi3_longrope", json!({"max_position_embeddings": 32})),
        ("phi3_longrope", json!({"rope_scaling": null})),
        ("phi3_window", json!({"sliding_window": 21})),
        ("gemma2", json!({"attn_logit_softcapping": null})),
        ("gemma2", json!({"final_logit_softcapping": null})),
        ("gemma2", json!({"query_pre_attn_scalar": 24})),
        ("gemma2", json!({"sliding_window": 18})),
        ("gemma2", json!({"layer_types": vec!["sliding_attention"; 3]})),
        ("gemma3", json!({"rope_scaling": null})),
        ("gemma3", json!({"rope_local_base_freq": 1e6})),
        ("gemma3", json!({"sliding_window_pattern": 7})),
        ("gemma3", json!({"sliding_window": 10})),
    ] {
        let (transformer, ids, _) = reference(&format!("variants/{name}"));
        let before = logits_in_parts(&transformer, &ids, &[ids.len()]);
        let changed = reference_with(name, &changes);
        let after = logits_in_parts(&changed, &ids, &[ids.len()]);
        assert!(difference(&after, &before) > 1e-2, "{name} with {changes}");
    }
}

/// Newer versions of `transformers` write the angles of both kinds of layers in one place.
#[test]
fn reads_both_spellings_of_gemma3() {
    let (transformer, ids, _) = reference("variants/gemma3");
    let layer_types = (1..=7).map(|number| if number == 6 { "full" } else { "sliding" });
    let newer = json!({
        "rope_theta": null,
        "rope_local_base_freq": null,
        "rope_scaling": null,
        "sliding_window_pattern": null,
        "layer_types": layer_types.map(|kind| format!("{kind}_attention")).collect::<Vec<_>>(),
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
    });
    let newer = reference_with("gemma3", &newer);
    let logits = |transformer| logits_in_parts(transformer, &ids, &[ids.len()]);
    assert_eq!(logits(&newer), logits(&transformer));
}

#[test]
fn families_and_settings_give_the_same_in_parts_and_in_a_batch() {
    for name in FAMILIES_AND_SETTINGS {
        let (transformer, ids, _) = reference(name);
        let whole = logits_in_parts(&transformer, &ids, &[ids.len()]);
        for sizes in [&[1][..], &[7], &[5, 1, 20]] {
            assert_eq!(logits_in_parts(&transformer, &ids, sizes), whole, "{name}, {sizes:?}");
        }
        let parts: Vec<&[u32]> = vec![&ids[..1], &ids[3..30], &ids];
        let mut caches: Vec<_> =
            parts.iter().map(|part| new_cache(&transformer, part.len())).collect();
        let rows = parts.iter().zip(&mut caches);
        let mut rows: Vec<Rows<'_>> =
            rows.map(|(tokens, cache)| Rows { tokens, cache, n_logits: tokens.len() }).collect();
        let together = transformer.forward(&mut rows).unwrap();
        let alone = parts.iter().map(|ids| logits_in_parts(&transformer, ids, &[ids.len()]));
        assert_eq!(together, alone.collect::<Vec<_>>().concat(), "{name}");
    }
}

#[test]
fn quantised_logits_of_all_families_are_near_those_before() {
    for name in FAMILIES_AND_SETTINGS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        let ids: Vec<u32> = (0..40).map(|position| position * 37 % 128).collect();
        let logits = |quantization| {
            let transformer = load_weights(&directory, quantization).unwrap();
            logits_in_parts(&transformer, &ids, &[ids.len()])
        };
        let difference = difference(&logits(Quantization::Q8_0), &logits(Quantization::None));
        assert!((1e-4..0.1).contains(&difference), "{name}: {difference}");
    }
}

/// The logits of a model that is loaded with that option, for some of its ids.
fn logits_with(directory: &Path, quantization: Quantization) -> Vec<f32> {
    let transformer = load_weights(directory, quantization).unwrap();
    let ids: Vec<u32> = (0..40).map(|position| position * 37 % 257).collect();
    logits_in_parts(&transformer, &ids, &[ids.len()])
}

/// How far logits are from others, beside how far those are from zero.
pub(super) fn difference(logits: &[f32], others: &[f32]) -> f64 {
    assert_eq!(logits.len(), others.len());
    let squares = |numbers: &mut dyn Iterator<Item = f32>| {
        numbers.map(|number| f64::from(number).powi(2)).sum::<f64>()
    };
    let differences = squares(&mut logits.iter().zip(others).map(|(logit, other)| logit - other));
    (differences / squares(&mut others.iter().copied())).sqrt()
}

#[test]
fn quantised_logits_of_the_shipped_model_are_near_those_before() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../priv/models/espalier-tiny");
    let logits = logits_with(&directory, Quantization::Q8_0);
    let before = logits_with(&directory, Quantization::None);
    let difference = difference(&logits, &before);
    assert!((1e-4..0.05).contains(&difference), "{difference}");
}

#[test]
fn large_models_of_two_bytes_are_quantised_by_default() {
    let bytes_of = |dtype, padding| {
        let model = TestModel::with_config(&test_model::config_of_blocks());
        let path = model.file("model.safetensors");
        let whole = fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&whole).unwrap();
        let tensors = tensors.tensors().into_iter().map(|(name, view)| {
            let numbers = view.data().as_chunks::<4>().0.iter();
            let data: Vec<u8> = match dtype {
                Dtype::F32 => view.data().to_vec(),
                _ => numbers.flat_map(|number| [number[2], number[3]]).collect(),
            };
            (name, (view.shape().to_vec(), data))
        });
        let mut tensors: BTreeMap<_, _> = tensors.collect();
        tensors
            .insert("padding".to_owned(), (vec![padding / dtype.bitsize() * 8], vec![0; padding]));
        let views = tensors.iter().map(|(name, (shape, data))| {
            (name, TensorView::new(dtype, shape.clone(), data).unwrap())
        });
        fs::write(path, serialize(views, None).unwrap()).unwrap();
        model
    };
    for (dtype, padding, expected) in [
        (Dtype::BF16, 1 << 24, Quantization::Q8_0),
        (Dtype::BF16, 1 << 20, Quantization::None),
        (Dtype::F32, 1 << 24, Quantization::None),
    ] {
        let model = bytes_of(dtype, padding);
        let logits = logits_with(model.path(), Quantization::Automatic);
        assert!(logits == logits_with(model.path(), expected), "{dtype:?}, {padding}");
    }
}

#[test]
fn rows_that_can_not_be_quantised_are_named() {
    let model = TestModel::random();
    let result = LoadedModel::read(model.path(), Quantization::Q8_0).map(|_| ());
    let Err(Error::InvalidWeights { tensor, expected, got, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(tensor, "model.embed_tokens.weight");
    assert_eq!(expected, "rows of a multiple of 32 weights");
    assert_eq!(got, "rows of 48, to be quantised");
}

#[test]
fn reading_in_parts_gives_the_same_logits() {
    let (transformer, ids, _) = reference("data/llama_untied_gqa_bf16");
    let whole = logits_in_parts(&transformer, &ids, &[ids.len()]);
    for sizes in [&[1][..], &[7], &[5, 1, 2]] {
        assert_eq!(logits_in_parts(&transformer, &ids, sizes), whole, "parts of {sizes:?}");
    }
}

#[test]
fn a_batch_gives_the_same_logits() {
    let (transformer, ids, _) = reference("data/llama_untied_gqa_bf16");
    let parts: Vec<&[u32]> = vec![&ids[..1], &ids[3..10], &ids[..5], &ids[19..]];
    let mut caches: Vec<_> = parts.iter().map(|part| new_cache(&transformer, part.len())).collect();
    let rows = parts.iter().zip(&mut caches);
    let mut rows: Vec<Rows<'_>> =
        rows.map(|(tokens, cache)| Rows { tokens, cache, n_logits: 1 }).collect();
    let together = transformer.forward(&mut rows).unwrap();
    for (tokens, logits) in parts.iter().zip(together.chunks_exact(transformer.config().n_ids)) {
        let alone = logits_in_parts(&transformer, tokens, &[tokens.len()]);
        assert_eq!(alone[alone.len() - logits.len()..], *logits);
    }
}

#[test]
fn a_batch_that_does_not_fit_is_an_error() {
    let (transformer, _, _) = reference("data/llama_untied_gqa_bf16");
    let fails = |tokens: &[u32], mut cache: KvCache, n_logits| {
        let result = transformer.forward(&mut [Rows { tokens, cache: &mut cache, n_logits }]);
        assert!(matches!(result, Err(Error::ComputationFailed { .. })), "{result:?}");
    };
    let (n_ids, shape) = (transformer.config().n_ids, transformer.cache_shape());
    let other = |n_layers, head_size| cache_of(Shape { n_layers, head_size, ..shape }, 9);
    fails(&[0, n_ids as u32], new_cache(&transformer, 9), 1);
    fails(&[0], new_cache(&transformer, 9), 2);
    fails(&[0], new_cache(&transformer, 0), 1);
    fails(&[0], KvCache::default(), 1);
    fails(&[0], other(shape.n_layers, shape.head_size + 1), 1);
    fails(&[0], other(shape.n_layers + 1, shape.head_size), 1);
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    assert!(Matrix::quantise(&zeros(&[3, 48])).is_err());
    let blocks = |weights: &Tensor| {
        let (n_out, n_in) = weights.dims2()?;
        let bytes = vec![0; n_out * n_in / 32 * 18];
        Ok(Matrix::from_blocks(BlockFormat::Q4_0, &bytes, n_out, n_in).unwrap())
    };
    for make in [Matrix::pack, Matrix::quantise, blocks] {
        let linear = Linear::without_bias(make(&zeros(&[3, 32])).unwrap());
        assert_eq!(linear.apply(&zeros(&[5, 32])).unwrap().dims(), [5, 3]);
        for shape in [&[5, 31][..], &[5, 64], &[32], &[5, 2, 32]] {
            assert!(linear.apply(&zeros(shape)).is_err(), "{shape:?}");
        }
        assert!(linear.apply(&zeros(&[32, 5]).t().unwrap()).is_err(), "not row by row");
        assert!(linear.apply(&zeros(&[5, 32]).to_dtype(DType::F64).unwrap()).is_err());
    }
    for (shape, fits) in [(&[4, 6][..], true), (&[6], true), (&[4], false), (&[6, 4], false)] {
        assert_eq!(add(&zeros(&[4, 6]), &zeros(shape)).is_ok(), fits, "{shape:?}");
    }
    let rotary = Rotary::new(&Rope::new(8, 1e4));
    let angles = rotary.angles([3, 9].into_iter(), &Device::Cpu).unwrap();
    for (shape, fits) in
        [(&[2, 3, 8], true), (&[1, 3, 8], false), (&[2, 3, 6], false), (&[2, 3, 10], true)]
    {
        assert_eq!(Compute::Kernels.rotate(zeros(shape), &angles).is_ok(), fits, "{shape:?}");
    }
}

#[test]
fn attention_beyond_a_cache_is_an_error() {
    let mut cache = cache_of(Shape { n_layers: 1, n_heads: 2, head_size: 4 }, 9);
    cache.append(0, &[1.0; 16], &[2.0; 16]);
    let attend = |shape: (usize, usize, usize), sequence, position| {
        let queries = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let places = [Place { sequence, position }];
        queries.apply_op1_no_bwd(&CachedAttention {
            layer: 0,
            window: None,
            scale: 0.5,
            cap: None,
            places: &places,
            caches: &[&cache],
        })
    };
    let attended = attend((1, 4, 4), 0, 1).unwrap();
    assert_eq!(attended.to_vec2::<f32>().unwrap(), [[2.0; 16]]);
    assert!(attend((1, 4, 4), 0, 2).is_err(), "a position that the cache lacks");
    assert!(attend((1, 4, 4), 1, 0).is_err(), "a sequence that the batch lacks");
    assert!(attend((2, 4, 4), 0, 0).is_err(), "more rows than places");
    assert!(attend((1, 3, 4), 0, 0).is_err(), "heads that can't share");
    assert!(attend((1, 4, 3), 0, 0).is_err(), "heads of another size");
}

/// Loads a model with some fields of its configuration changed.
#[expect(clippy::needless_pass_by_value, reason = "calls are easier to read")]
fn load_with(changes: Value) -> Result<LoadedModel, Error> {
    let model = TestModel::random();
    let mut config = test_model::config();
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    model.write_json("config.json", &config);
    LoadedModel::read(model.path(), Quantization::Automatic)
}

#[track_caller]
fn refuses_config(changes: Value, named: &str) {
    match load_with(changes) {
        Err(Error::InvalidConfig { field, .. }) => assert_eq!(field, named),
        Err(other) => panic!("expected an error about {named}, got: {other}"),
        Ok(_) => panic!("expected an error about {named}, got: a model"),
    }
}

#[test]
fn refuses_absurd_sizes() {
    for name in ["num_attention_heads", "hidden_size", "vocab_size", "num_hidden_layers"] {
        for value in [json!(0), json!(-1), json!(1_000_000_000_000u64), json!("4"), Value::Null] {
            refuses_config(json!({ name: value }), name);
        }
    }
    refuses_config(json!({"num_key_value_heads": 3}), "num_key_value_heads");
    refuses_config(
        json!({"num_attention_heads": 7, "num_key_value_heads": 7}),
        "num_attention_heads",
    );
    refuses_config(json!({"head_dim": 7}), "head_dim");
    refuses_config(json!({"rms_norm_eps": 0}), "rms_norm_eps");
    refuses_config(json!({"rope_theta": 1e300}), "rope_theta");
    refuses_config(json!({"eos_token_id": "end"}), "eos_token_id");
}

#[test]
fn refuses_what_would_change_the_computation() {
    refuses_config(json!({"hidden_act": "gelu"}), "hidden_act");
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0});
    refuses_config(json!({ "rope_scaling": llama3 }), "rope_scaling.low_freq_factor");
    refuses_config(json!({"rope_scaling": {"factor": 8.0}}), "rope_scaling.rope_type");
    refuses_config(json!({"layer_types": ["sliding_attention"]}), "layer_types");
    refuses_config(
        json!({"rope_scaling": {"type": "dynamic", "factor": 2.0}}),
        "rope_scaling.type",
    );
    refuses_config(json!({"rope_scaling": {"type": "linear"}}), "rope_scaling.factor");
    refuses_config(
        json!({"rope_parameters": {"rope_type": "longrope"}}),
        "rope_parameters.rope_type",
    );
    let yarn = json!({"rope_type": "yarn", "factor": 2.0, "mscale": 1.0});
    refuses_config(json!({ "rope_parameters": yarn }), "rope_parameters.mscale");
    refuses_config(json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor");
    refuses_config(json!({"num_hidden_layers": 70_000}), "num_hidden_layers");
    refuses_config(json!({"quantization_config": {"bits": 4}}), "quantization_config");
    refuses_config(json!({"sliding_window": 128}), "sliding_window");
    refuses_config(json!({"attention_bias": "yes"}), "attention_bias");
    assert!(load_with(json!({"sliding_window": 512, "rope_scaling": null})).is_ok());
    let newer =
        json!({"rope_theta": null, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}});
    assert!(load_with(newer).is_ok());
}

#[test]
fn settings_of_families_that_are_not_supported_are_named() {
    for (architecture, changes, named) in [
        (
            "Qwen2",
            json!({"use_sliding_window": true, "layer_types": ["full_attention"]}),
            "layer_types",
        ),
        ("Mistral", json!({"sliding_window": -1}), "sliding_window"),
        ("SmolLM3", json!({"no_rope_layers": [1]}), "no_rope_layers"),
        ("SmolLM3", json!({"no_rope_layers": [1, 2]}), "no_rope_layers"),
        ("Phi3", json!({"attention_bias": true}), "attention_bias"),
        ("Phi3", json!({"partial_rotary_factor": 0.4}), "partial_rotary_factor"),
        ("Phi3", json!({"rope_scaling": {"type": "yarn", "factor": 2.0}}), "rope_scaling.type"),
        ("Phi3", json!({"rope_scaling": {"type": "su"}}), "rope_scaling.short_factor"),
        ("Gemma2", json!({"hidden_act": "silu"}), "hidden_act"),
        ("Gemma2", json!({"hidden_activation": "gelu"}), "hidden_activation"),
        (
            "Gemma2",
            json!({"hidden_act": null, "attn_logit_softcapping": 0}),
            "attn_logit_softcapping",
        ),
        ("Gemma3", json!({"hidden_act": null}), "sliding_window"),
        (
            "Gemma3",
            json!({
                "hidden_act": null,
                "rope_parameters": {"sliding_attention": {"rope_type": "dynamic"}}
            }),
            "rope_parameters.sliding_attention.rope_type",
        ),
    ] {
        let mut changes = changes;
        changes["architectures"] = json!([format!("{architecture}ForCausalLM")]);
        refuses_config(changes, named);
    }
}

#[test]
fn names_the_supported_architectures() {
    let result = load_with(json!({"architectures": ["GPT2LMHeadModel"]})).map(|_| ());
    let Err(Error::UnsupportedArchitecture { got, known }) = result else { panic!("{result:?}") };
    assert_eq!(got, "GPT2LMHeadModel");
    assert!(known.contains(&"LlamaForCausalLM".to_owned()));
    refuses_config(json!({"architectures": []}), "architectures");
}

#[test]
fn names_the_tensor_that_does_not_fit() {
    for (changes, named) in [
        (json!({"hidden_size": 40}), "model.embed_tokens.weight"),
        (json!({"num_hidden_layers": 3}), "model.layers.2.input_layernorm.weight"),
        (json!({"num_hidden_layers": 60_000}), "model.layers.2.input_layernorm.weight"),
        (json!({"tie_word_embeddings": false}), "lm_head.weight"),
        (json!({"attention_bias": true}), "model.layers.0.self_attn.q_proj.bias"),
        (json!({"num_key_value_heads": 4}), "model.layers.0.self_attn.k_proj.weight"),
    ] {
        let result = load_with(changes).map(|_| ());
        let Err(Error::InvalidWeights { tensor, .. }) = result else { panic!("{result:?}") };
        assert_eq!(tensor, named);
    }
}

#[test]
fn reads_numbers_of_two_and_four_bytes_and_nothing_else() {
    let model = TestModel::empty();
    let read = |dtype, data: &[u8]| {
        let view = TensorView::new(dtype, vec![2], data).unwrap();
        let bytes = serialize([("x", view)], None).unwrap();
        fs::write(model.file("model.safetensors"), bytes).unwrap();
        let weights = Weights::read(model.path(), "", &Compute::Kernels, Quantization::None)?;
        let tensor = weights.tensor("x", &[2])?;
        Ok::<_, Error>(tensor.to_vec1::<f32>().unwrap())
    };
    let floats = [1.0f32.to_le_bytes(), (-2.5f32).to_le_bytes()].concat();
    assert_eq!(read(Dtype::F32, &floats).unwrap(), [1.0, -2.5]);
    assert_eq!(read(Dtype::BF16, &[0x80, 0x3f, 0x20, 0xc0]).unwrap(), [1.0, -2.5]);
    assert_eq!(read(Dtype::F16, &[0x00, 0x3c, 0x00, 0xc1]).unwrap(), [1.0, -2.5]);
    for (dtype, size) in [(Dtype::F64, 16), (Dtype::I32, 8), (Dtype::U16, 4), (Dtype::F8_E4M3, 2)] {
        let Err(Error::InvalidWeights { tensor, expected, got, .. }) =
            read(dtype, &[0; 16][..size])
        else {
            panic!("{dtype:?} was read");
        };
        assert_eq!((&*tensor, &*expected), ("x", "type F32, BF16 or F16"));
        assert_eq!(got, format!("type {dtype:?}"));
    }
}

#[test]
fn missing_and_broken_files_are_errors() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let model = TestModel::random();
        let whole = fs::read(model.file(name)).unwrap();
        for end in [0, 1, 7, 8, 9, whole.len() / 2, whole.len() - 1] {
            fs::write(model.file(name), &whole[..end]).unwrap();
            assert!(
                LoadedModel::read(model.path(), Quantization::Automatic).is_err(),
                "{name} cut at {end}"
            );
        }
        fs::write(model.file(name), [0xa5; 4096]).unwrap();
        assert!(
            LoadedModel::read(model.path(), Quantization::Automatic).is_err(),
            "{name} of noise"
        );
        fs::remove_file(model.file(name)).unwrap();
        let result = LoadedModel::read(model.path(), Quantization::Automatic).map(|_| ());
        let Err(Error::FileNotFound { path, .. }) = result else { panic!("{result:?}") };
        assert_eq!(path, model.file(name));
        fs::create_dir(model.file(name)).unwrap();
        assert!(
            LoadedModel::read(model.path(), Quantization::Automatic).is_err(),
            "{name} a directory"
        );
    }
}

/// Random damage gives an error or a model, and never a panic or a hang.
#[test]
fn damaged_files_are_harmless() {
    let mut random = Pcg64::seed_from_u64(3);
    let mut below = |n: usize| random.next_u32() as usize % n;
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
        let model = TestModel::random();
        let whole = fs::read(model.file(name)).unwrap();
        for _ in 0..60 {
            let mut damaged = whole.clone();
            for _ in 0..=below(4) {
                // The header of the weights is where damage matters.
                let index = below(damaged.len().min(3000));
                damaged[index] = b"0129-\"{}[],:\0\xff"[below(14)];
            }
            fs::write(model.file(name), damaged).unwrap();
            drop(LoadedModel::read(model.path(), Quantization::Automatic));
        }
    }
}

/// Random damage to the configuration gives an error or a model that computes, and never a panic.
#[test]
fn damaged_configurations_of_families_are_harmless() {
    let mut random = Pcg64::seed_from_u64(4);
    let mut below = |n: usize| random.next_u32() as usize % n;
    for name in FAMILIES_AND_SETTINGS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        let whole = fs::read(directory.join("config.json")).unwrap();
        let model = TestModel::empty();
        fs::copy(directory.join("model.safetensors"), model.file("model.safetensors")).unwrap();
        for _ in 0..150 {
            let mut damaged = whole.clone();
            for _ in 0..=below(2) {
                let index = below(damaged.len());
                damaged[index] = b"0129-.eE\"{}[],:"[below(15)];
            }
            fs::write(model.file("config.json"), damaged).unwrap();
            for compute in [Compute::Kernels, Compute::Candle(Device::Cpu)] {
                let transformer = load_to(&compute, model.path(), Quantization::None);
                let Ok(transformer) = transformer else { continue };
                logits_in_parts(&transformer, &[1, 2, 3], &[2]);
            }
        }
    }
}

#[test]
fn absurd_headers_of_weights_are_errors() {
    let header = |length: u64, json: &str| [&length.to_le_bytes()[..], json.as_bytes()].concat();
    let tensor = |shape: &str, end: &str| {
        format!(
            r#"{{"model.norm.weight":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#
        )
    };
    let huge = tensor("[4611686018427387904,4]", "0");
    let beyond = tensor("[48]", "192");
    let model = TestModel::random();
    for bytes in [
        header(u64::MAX, "{}"),
        header(1 << 40, "{}"),
        header(huge.len() as u64, &huge),
        header(beyond.len() as u64, &beyond),
        header(2, "{}"),
    ] {
        fs::write(model.file("model.safetensors"), bytes).unwrap();
        let result = LoadedModel::read(model.path(), Quantization::Automatic).map(|_| ());
        assert!(matches!(result, Err(Error::InvalidWeights { .. })), "{result:?}");
    }
}

#[test]
fn reads_shards_beside_the_index_only() {
    let model = TestModel::random();
    fs::rename(model.file("model.safetensors"), model.file("part-1.safetensors")).unwrap();
    let index = |file: &str| json!({"weight_map": {"model.norm.weight": file}});
    model.write_json("model.safetensors.index.json", &index("part-1.safetensors"));
    assert!(LoadedModel::read(model.path(), Quantization::Automatic).is_ok());
    for outside in ["../part-1.safetensors", "/etc/hostname", "", "a/b"] {
        model.write_json("model.safetensors.index.json", &index(outside));
        let result = LoadedModel::read(model.path(), Quantization::Automatic).map(|_| ());
        assert!(matches!(result, Err(Error::InvalidConfig { .. })), "{result:?}");
    }
}

#[test]
fn a_tokenizer_with_more_ids_than_logits_is_refused() {
    let config = json!({"vocab_size": 250});
    let result = load_with(config).map(|_| ());
    let expected = Error::VocabularyMismatch { n_ids: test_model::N_IDS, n_logits: 250 };
    assert_eq!(result, Err(expected));
}

#[test]
fn finds_the_tokens_that_end_a_text() {
    let model = TestModel::random();
    model.write_json("generation_config.json", &json!({"eos_token_id": [10, 256]}));
    let loaded = LoadedModel::read(model.path(), Quantization::Automatic).unwrap();
    assert_eq!(loaded.vocabulary.eos_ids(), [10, 256]);
}

#[test]
fn finds_the_chat_template() {
    let rendered = |model: &TestModel| {
        let loaded = LoadedModel::read(model.path(), Quantization::Automatic).unwrap();
        loaded.chat_template.map(|template| template.render(&Conversation::new(vec![])).unwrap())
    };
    let model = TestModel::random();
    let named = json!([{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]);
    model.write_json("tokenizer_config.json", &json!({ "chat_template": named }));
    assert_eq!(rendered(&model).as_deref(), Some("D"));
    fs::write(model.file("chat_template.jinja"), "F").unwrap();
    assert_eq!(rendered(&model).as_deref(), Some("F"));
    fs::remove_file(model.file("chat_template.jinja")).unwrap();
    fs::remove_file(model.file("tokenizer_config.json")).unwrap();
    assert_eq!(rendered(&model), None);
    model.write_json("tokenizer_config.json", &json!({"chat_template": [{"name": "rag"}]}));
    let result = LoadedModel::read(model.path(), Quantization::Automatic).map(|_| ());
    assert!(matches!(result, Err(Error::InvalidConfig { .. })), "{result:?}");
}
