//! The shipped model as a GGUF file does what it does as it is.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::gguf::test_file::{Entry, TestFile, TestTensor};
use crate::model::tests::new_cache;
use crate::model::transformer::Rows;
use crate::model::{LoadedModel, Quantization};
use crate::test_model::TestModel;

const BF16: u32 = 30;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../priv/models/espalier-tiny")
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(shipped().join(name)).unwrap()).unwrap()
}

/// The file that a converter writes, with the weights as they are.
fn converted() -> TestFile {
    let config = json("config.json");
    let mut file = TestFile::new();
    file.set("general.architecture", "llama");
    for (key, name) in [
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("block_count", "num_hidden_layers"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
    ] {
        let size = config[name].as_u64().unwrap() as u32;
        file.set(&format!("llama.{key}"), Entry::U32(size));
    }
    for (key, name) in
        [("attention.layer_norm_rms_epsilon", "rms_norm_eps"), ("rope.freq_base", "rope_theta")]
    {
        let number = config[name].as_f64().unwrap() as f32;
        file.set(&format!("llama.{key}"), Entry::F32(number));
    }
    let n_heads = config["num_attention_heads"].as_u64().unwrap() as usize;
    add_tensors(&mut file, n_heads);
    add_tokenizer(&mut file);
    file
}

fn add_tensors(file: &mut TestFile, n_heads: usize) {
    let bytes = fs::read(shipped().join("model.safetensors")).unwrap();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
        let shape = view.shape();
        let bytes = match &*name {
            name if name.contains("q_proj") || name.contains("k_proj") => {
                neighbours(view.data(), shape[0] / n_heads, 2 * shape[1])
            }
            _ => view.data().to_vec(),
        };
        let dimensions = shape.iter().rev().map(|&size| size as u64).collect();
        let tensor = TestTensor { dimensions, tensor_type: BF16, bytes, offset: None };
        file.tensors.insert(renamed(&name), tensor);
    }
}

/// Rows of each head with those of its halves in turn.
fn neighbours(bytes: &[u8], head_size: usize, row: usize) -> Vec<u8> {
    let mut rows = Vec::new();
    for head in bytes.chunks(head_size * row) {
        let (first, second) = head.split_at(head.len() / 2);
        for (first, second) in first.chunks(row).zip(second.chunks(row)) {
            rows.extend([first, second].concat());
        }
    }
    rows
}

fn renamed(name: &str) -> String {
    let parts = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.", "attn_"),
        ("mlp.", "ffn_"),
        ("_proj", ""),
    ];
    parts.iter().fold(name.to_owned(), |name, (ours, theirs)| name.replace(ours, theirs))
}

/// The model's own way to cut a text has no name. `falcon` cuts wherever a letter meets something else,
/// too, and no merge joins what it leaves together.
fn add_tokenizer(file: &mut TestFile) {
    let tokenizer = json("tokenizer.json");
    let mut tokens: Vec<_> = tokenizer["model"]["vocab"].as_object().unwrap().iter().collect();
    tokens.sort_by_key(|(_, id)| id.as_u64());
    let tokens: Vec<String> = tokens.into_iter().map(|(text, _)| text.clone()).collect();
    let special = tokenizer["added_tokens"].as_array().unwrap();
    let kind = |text: &String| if special.iter().any(|t| t["content"] == **text) { 3 } else { 1 };
    let types = tokens.iter().map(kind).collect();
    let merge =
        |pair: &Value| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    let merges = tokenizer["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
    file.set("tokenizer.ggml.model", "gpt2")
        .set("tokenizer.ggml.pre", "falcon")
        .set("tokenizer.ggml.tokens", Entry::Texts(tokens))
        .set("tokenizer.ggml.token_type", Entry::I32s(types))
        .set("tokenizer.ggml.merges", Entry::Texts(merges))
        .set("tokenizer.ggml.eos_token_id", Entry::U32(2))
        .set(
            "tokenizer.chat_template",
            json("tokenizer_config.json")["chat_template"].as_str().unwrap(),
        );
}

/// The tokens of the likeliest answer, with the logits of all steps.
fn answer(model: &LoadedModel, content: &str) -> (String, Vec<f32>) {
    let message = json!({"role": "user", "content": content});
    let prompt = model
        .chat_template
        .as_ref()
        .unwrap()
        .render(&crate::Conversation::new(vec![message]))
        .unwrap();
    let mut tokens = model.tokenizer.encode(&prompt).unwrap();
    let (mut cache, mut ids, mut all) =
        (new_cache(&model.transformer, 400), Vec::new(), Vec::new());
    for _ in 0..40 {
        let rows = Rows { tokens: &tokens, cache: &mut cache, n_logits: 1 };
        let logits = model.transformer.forward(&mut [rows]).unwrap();
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        all.extend(logits);
        tokens = vec![best as u32];
        ids.push(best as u32);
    }
    (model.tokenizer.decode(&ids), all)
}

#[test]
fn the_shipped_model_is_the_same_in_both_formats() {
    let directory = TestModel::empty();
    fs::write(directory.file("tiny.gguf"), converted().bytes()).unwrap();
    let gguf = LoadedModel::read(&directory.file("tiny.gguf"), Quantization::None).unwrap();
    let safetensors = LoadedModel::read(&shipped(), Quantization::None).unwrap();
    assert_eq!(gguf.vocabulary.n_ids(), safetensors.vocabulary.n_ids());
    assert_eq!(gguf.vocabulary.eos_ids(), safetensors.vocabulary.eos_ids());
    for id in 0..gguf.vocabulary.n_ids() as u32 {
        assert_eq!(gguf.vocabulary.token_bytes(id), safetensors.vocabulary.token_bytes(id));
    }
    for content in [
        "Ticket 7: Checkout has been down since 9:00, help!",
        "Zoë's order: 3 × “blue” mugs, €12.50; 日本\n\t{\"a\": [1, 2]}",
    ] {
        let ids = |model: &LoadedModel| model.tokenizer.encode(content).unwrap();
        assert_eq!(ids(&gguf), ids(&safetensors));
        assert_eq!(answer(&gguf, content), answer(&safetensors, content));
    }
}
