//! Models for tests: a directory with random weights, or with what a test puts into it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

use crate::device::Device;
use crate::model::Compute;

/// What tests of devices compute by: candle's CPU, which is everywhere, or the kind of device that
/// `ESPALIER_TEST_DEVICE` names.
pub(crate) fn device_compute() -> Compute {
    let index = 0;
    match std::env::var("ESPALIER_TEST_DEVICE").as_deref() {
        Ok("metal") => Device::Metal { index }.open().unwrap(),
        Ok("cuda") => Device::Cuda { index }.open().unwrap(),
        Ok(other) => panic!("expected metal or cuda, got: {other}"),
        Err(_) => Compute::Candle(candle_core::Device::Cpu),
    }
}

/// A model directory that is removed with the value.
pub(crate) struct TestModel {
    path: PathBuf,
}

/// Ids of the tokenizer: one for each byte, then `<|end|>`.
pub(crate) const N_IDS: usize = 257;

/// The id of `<|end|>`.
pub(crate) const EOS: u32 = 256;

impl TestModel {
    /// A small model with random weights and a tokenizer of single bytes. It has more logits than
    /// ids, as real ones do.
    pub(crate) fn random() -> Self {
        Self::with_config(&config())
    }

    /// The same for another configuration.
    pub(crate) fn with_config(config: &Value) -> Self {
        let model = Self::empty();
        model.write_json("config.json", config);
        model.write_json("tokenizer.json", &byte_tokenizer());
        model.write_json(
            "tokenizer_config.json",
            &json!({
                "eos_token": {"content": "<|end|>"},
                "chat_template": "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
            }),
        );
        fs::write(model.file("model.safetensors"), random_weights(config)).unwrap();
        model
    }

    pub(crate) fn empty() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("espalier-model-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn write_json(&self, name: &str, value: &Value) {
        fs::write(self.file(name), value.to_string()).unwrap();
    }
}

impl Drop for TestModel {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(crate) fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 264,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": true,
        "eos_token_id": EOS,
    })
}

/// The same with rows that can be divided into blocks and quantised.
pub(crate) fn config_of_blocks() -> Value {
    let mut config = config();
    config["hidden_size"] = 64.into();
    config["intermediate_size"] = 96.into();
    config
}

/// The safetensors file of a model with a tied embedding.
pub(crate) fn random_weights(config: &Value) -> Vec<u8> {
    let size = |name: &str| config[name].as_u64().unwrap() as usize;
    let (hidden, inner) = (size("hidden_size"), size("intermediate_size"));
    let kv = hidden / size("num_attention_heads") * size("num_key_value_heads");
    let mut shapes = vec![
        ("model.embed_tokens".to_owned(), vec![size("vocab_size"), hidden]),
        ("model.norm".to_owned(), vec![hidden]),
    ];
    for layer in 0..size("num_hidden_layers") {
        let layer_shapes = [
            ("input_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![hidden, hidden]),
            ("self_attn.k_proj", vec![kv, hidden]),
            ("self_attn.v_proj", vec![kv, hidden]),
            ("self_attn.o_proj", vec![hidden, hidden]),
            ("post_attention_layernorm", vec![hidden]),
            ("mlp.gate_proj", vec![inner, hidden]),
            ("mlp.up_proj", vec![inner, hidden]),
            ("mlp.down_proj", vec![hidden, inner]),
        ];
        shapes.extend(
            layer_shapes.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)),
        );
    }
    let mut random = Pcg64::seed_from_u64(1);
    let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let data = (0..shape.iter().product()).flat_map(|_| number(&mut random).to_le_bytes());
            (format!("{name}.weight"), (shape, data.collect()))
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, data))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    serialize(views, None).unwrap()
}

fn number(random: &mut Pcg64) -> f32 {
    (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn byte_tokenizer() -> Value {
    let mut vocab = serde_json::Map::new();
    let names = (0..).filter_map(char::from_u32);
    let byte = |c: &char| crate::tokenizer::byte_of_character(*c).map(|byte| (c.to_string(), byte));
    vocab
        .extend(names.take(0x144).filter_map(|c| byte(&c)).map(|(name, byte)| (name, byte.into())));
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0",
        "added_tokens": [{"id": EOS, "content": "<|end|>", "special": true, "normalized": false,
                          "single_word": false, "lstrip": false, "rstrip": false}],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    })
}
