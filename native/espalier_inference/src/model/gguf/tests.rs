use std::fs;
use std::path::Path;

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;

use serde_json::json;

use crate::chat_template::Conversation;
use crate::error::Error;
use crate::gguf::test_file::{Entry, TestFile};
use crate::model::tests::{logits_in_parts, reference};
use crate::model::{LoadedModel, Quantization};
use crate::test_model::TestModel;

fn load(file: &TestFile) -> Result<LoadedModel, Error> {
    let directory = TestModel::empty();
    fs::write(directory.file("model.gguf"), file.bytes()).unwrap();
    LoadedModel::read(&directory.file("model.gguf"), Quantization::None)
}

/// The model of a test file with a change to it, which is refused by an error that names a key or tensor.
#[track_caller]
fn refuses(change: impl FnOnce(&mut TestFile), named: &str) {
    let mut file = TestFile::model();
    change(&mut file);
    match load(&file).map(drop) {
        Err(
            Error::InvalidConfig { field: place, .. } | Error::InvalidWeights { tensor: place, .. },
        ) => assert_eq!(place, named),
        other => panic!("expected an error about {named}, got: {other:?}"),
    }
}

fn test_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gguf").join(name)
}

/// The logits are those of the same model in safetensors.
#[track_caller]
fn agrees_with_reference(name: &str, folder: &str) {
    let (_, ids, expected) = reference(folder);
    let loaded = LoadedModel::read(&test_file(name), Quantization::None).unwrap();
    let logits = logits_in_parts(&loaded.transformer, &ids, &[ids.len()]);
    let expected = expected.concat();
    assert_eq!(logits.len(), expected.len());
    let scale = expected.iter().fold(0.0f32, |max, logit| max.max(logit.abs()));
    for (index, (got, expected)) in logits.iter().zip(&expected).enumerate() {
        assert!((got - expected).abs() <= 1e-4 * scale, "{index}: {got} and {expected}");
    }
}

#[test]
fn agrees_with_reference_for_scaled_angles_and_biases() {
    agrees_with_reference("llama3_rope.gguf", "variants/llama3_rope");
}

#[test]
fn agrees_with_reference_for_untied_embeddings_in_bf16() {
    agrees_with_reference("llama_untied_gqa_bf16.gguf", "data/llama_untied_gqa_bf16");
}

#[test]
fn agrees_with_reference_for_qwen2() {
    agrees_with_reference("qwen2.gguf", "variants/qwen2");
}

#[test]
fn agrees_with_reference_for_qwen3() {
    agrees_with_reference("qwen3.gguf", "variants/qwen3");
}

#[test]
fn agrees_with_reference_for_the_other_families() {
    for name in ["llama_linear", "qwen3_yarn", "smollm3", "phi3_longrope", "gemma2", "gemma3"] {
        agrees_with_reference(&format!("{name}.gguf"), &format!("variants/{name}"));
    }
}

#[test]
fn agrees_with_reference_for_a_model_in_several_files() {
    agrees_with_reference("split/llama_linear-00001-of-00003.gguf", "variants/llama_linear");
    // The directory has no other model.
    agrees_with_reference("split", "variants/llama_linear");
}

#[test]
fn a_later_file_of_a_model_is_refused() {
    let second = test_file("split/llama_linear-00002-of-00003.gguf");
    let result = LoadedModel::read(&second, Quantization::None).map(drop);
    assert!(
        matches!(&result, Err(Error::InvalidConfig { field, .. }) if field == "split.no"),
        "{result:?}"
    );
}

#[test]
fn tells_what_the_model_is() {
    let loaded = load(&TestFile::model()).unwrap();
    assert_eq!(loaded.architecture, "LlamaForCausalLM");
    let config = loaded.transformer.config();
    assert_eq!((config.n_ids, config.max_length, config.head_size), (260, 64, 8));
    assert!(config.tied_embedding && !config.input_bias);
    assert_eq!(loaded.vocabulary.eos_ids(), [256]);
    assert_eq!(loaded.vocabulary.n_ids(), 257);
}

#[test]
fn finds_the_one_file_of_a_directory() {
    let directory = TestModel::empty();
    let bytes = TestFile::model().bytes();
    fs::write(directory.file("a.gguf"), &bytes).unwrap();
    assert!(LoadedModel::read(directory.path(), Quantization::None).is_ok());
    fs::write(directory.file("b.gguf"), &bytes).unwrap();
    let result = LoadedModel::read(directory.path(), Quantization::None).map(drop);
    let Err(Error::FileNotFound { path, reason }) = result else { panic!("{result:?}") };
    assert_eq!(path, directory.path());
    assert!(reason.contains("got: 2"), "{reason}");
    let safetensors = TestModel::random();
    fs::write(safetensors.file("a.gguf"), b"no GGUF file").unwrap();
    assert!(LoadedModel::read(safetensors.path(), Quantization::None).is_ok());
    let result = LoadedModel::read(&safetensors.file("config.json"), Quantization::None).map(drop);
    assert!(matches!(result, Err(Error::InvalidWeights { .. })), "{result:?}");
}

#[test]
fn names_the_supported_architectures() {
    let mut file = TestFile::model();
    let result = load(file.set("general.architecture", "gpt2")).map(drop);
    let Err(Error::UnsupportedArchitecture { got, known }) = result else { panic!("{result:?}") };
    assert_eq!(got, "gpt2");
    assert_eq!(known, ["llama", "qwen2", "qwen3", "smollm3", "phi3", "gemma2", "gemma3"]);
    refuses(|file| drop(file.entries.remove("general.architecture")), "general.architecture");
}

#[test]
fn refuses_absurd_sizes() {
    for name in [
        "embedding_length",
        "feed_forward_length",
        "block_count",
        "context_length",
        "attention.head_count",
    ] {
        let key = format!("llama.{name}");
        for entry in [Entry::U32(0), Entry::U32(u32::MAX), Entry::F32(4.0), "4".into()] {
            refuses(
                |file| {
                    file.set(&key, entry);
                },
                &key,
            );
        }
        refuses(|file| drop(file.entries.remove(&key)), &key);
    }
    for (name, size) in [
        ("attention.head_count_kv", 3),
        ("attention.key_length", 7),
        ("attention.value_length", 16),
        ("rope.dimension_count", 4),
    ] {
        let key = format!("llama.{name}");
        refuses(
            |file| {
                file.set(&key, Entry::U32(size));
            },
            &key,
        );
    }
    for (name, number) in [("attention.layer_norm_rms_epsilon", 0.0), ("rope.freq_base", f32::NAN)]
    {
        let key = format!("llama.{name}");
        refuses(
            |file| {
                file.set(&key, Entry::F32(number));
            },
            &key,
        );
    }
}

#[test]
fn refuses_what_would_change_the_computation() {
    for (name, entry) in [
        ("expert_count", Entry::U32(8)),
        ("attention.causal", Entry::Bool(false)),
        ("attention.sliding_window", Entry::U32(32)),
        ("attention.clamp_kqv", Entry::F32(1.0)),
        ("logit_scale", Entry::F32(0.5)),
        ("rope.scaling.type", "longrope".into()),
        ("attn_logit_softcapping", Entry::F32(50.0)),
        ("rope.scaling.factor", Entry::F32(4.0)),
        ("rope.scale_linear", Entry::F32(4.0)),
        ("rope.scaling.attn_factor", Entry::F32(0.5)),
        ("rope.scaling.yarn_log_multiplier", Entry::F32(0.1)),
        ("of.the.future", Entry::U32(0)),
    ] {
        let key = format!("llama.{name}");
        refuses(
            |file| {
                file.set(&key, entry);
            },
            &key,
        );
    }
    for kind in ["linear", "yarn"] {
        refuses(
            |file| {
                file.set("llama.rope.scaling.type", kind);
            },
            "llama.rope.scaling.factor",
        );
    }
    refuses(
        |file| {
            file.add("rope_factors_long.weight", &[4], &[1.0; 4]);
        },
        "rope_factors_long.weight",
    );
    let mut plain = TestFile::model();
    plain.set("llama.expert_count", Entry::U32(0)).set("llama.rope.scaling.type", "none");
    plain.set("llama.rope.dimension_count", Entry::U32(8)).set("split.count", Entry::U32(1));
    plain.set("llama.attention.sliding_window", Entry::U32(64)).set("qwen2.else", Entry::U32(1));
    assert!(load(&plain).is_ok());
}

#[test]
fn names_the_tensor_that_does_not_fit() {
    let remove = |name: &'static str| move |file: &mut TestFile| drop(file.tensors.remove(name));
    for name in
        ["token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.0.ffn_norm.weight"]
    {
        refuses(remove(name), name);
    }
    let add = |name: &'static str, shape: &'static [usize]| {
        move |file: &mut TestFile| {
            file.add(name, shape, &vec![1.0; shape.iter().product()]);
        }
    };
    refuses(add("output.weight", &[259, 32]), "output.weight");
    refuses(add("blk.0.attn_q.bias", &[32]), "blk.0.attn_k.bias");
    refuses(add("blk.0.attn_k.bias", &[16]), "blk.0.attn_k.bias");
    refuses(
        |file| {
            let renamed = std::mem::take(&mut file.entries).into_iter();
            file.entries =
                renamed.map(|(key, entry)| (key.replace("llama", "qwen2"), entry)).collect();
            file.set("general.architecture", "qwen2");
        },
        "blk.0.attn_q.bias",
    );
    refuses(add("blk.1.attn_norm.weight", &[32]), "blk.1.attn_norm.weight");
    refuses(add("blk.0.ffn_gate_inp.weight", &[8, 32]), "blk.0.ffn_gate_inp.weight");
    refuses(add("rope_freqs.weight", &[5]), "rope_freqs.weight");
    refuses(
        |file| {
            file.add("rope_freqs.weight", &[4], &[1.0, 0.0, 1.0, 1.0]);
        },
        "rope_freqs.weight",
    );
    refuses(
        |file| {
            file.set("llama.block_count", Entry::U32(60_000));
        },
        "blk.1.attn_norm.weight",
    );
}

/// A block of a quantised bias has numbers of several rows, which can't be put in another order.
#[test]
fn refuses_biases_in_blocks() {
    let mut file = TestFile::model();
    for (name, size) in [("attn_q", 32), ("attn_k", 16), ("attn_v", 16)] {
        file.add(&format!("blk.0.{name}.bias"), &[size], &vec![0.0; size]);
    }
    assert!(load(&file).is_ok());
    let bias = file.tensors.get_mut("blk.0.attn_q.bias").unwrap();
    (bias.tensor_type, bias.bytes) = (8, vec![0; 34]);
    let Err(Error::InvalidWeights { tensor, .. }) = load(&file) else { panic!() };
    assert_eq!(tensor, "blk.0.attn_q.bias");
}

#[test]
fn renders_with_the_first_token() {
    let rendered = |change: &dyn Fn(&mut TestFile)| {
        let mut file = TestFile::model();
        file.set("tokenizer.ggml.bos_token_id", Entry::U32(u32::from(b'B')));
        change(&mut file);
        let message = json!({"role": "user", "content": "hi"});
        let template = load(&file).unwrap().chat_template;
        template.map(|template| template.render(&Conversation::new(vec![message])).unwrap())
    };
    let adds_bos = |file: &mut TestFile| {
        file.set("tokenizer.ggml.add_bos_token", Entry::Bool(true));
    };
    assert_eq!(rendered(&|_| ()).as_deref(), Some("hi"));
    assert_eq!(rendered(&adds_bos).as_deref(), Some("Bhi"));
    let writes_bos = |file: &mut TestFile| {
        adds_bos(file);
        file.set(
            "tokenizer.chat_template",
            "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
        );
    };
    assert_eq!(rendered(&writes_bos).as_deref(), Some("Bhi<|end|>"));
    assert_eq!(rendered(&|file| drop(file.entries.remove("tokenizer.chat_template"))), None);
}

/// Truncations and random damage give an error or a model, and never a panic or a hang.
#[test]
fn damaged_files_are_harmless() {
    let directory = TestModel::empty();
    let path = directory.file("model.gguf");
    let whole = TestFile::model().bytes();
    for end in (0..whole.len()).step_by(397).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(LoadedModel::read(&path, Quantization::None).is_err(), "cut at {end}");
    }
    let mut random = Pcg64::seed_from_u64(6);
    let mut below = |n: usize| random.next_u32() as usize % n;
    // All before the numbers.
    let head = whole.windows(4).rposition(|bytes| bytes == b"_emb").unwrap() + 64;
    for _ in 0..400 {
        let mut damaged = whole.clone();
        for _ in 0..=below(3) {
            damaged[below(head)] = [0, 1, 2, 8, b'a', 0x7f, 0xff][below(7)];
        }
        fs::write(&path, damaged).unwrap();
        drop(LoadedModel::read(&path, Quantization::None));
    }
}
