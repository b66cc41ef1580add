//! GGUF files for tests, written byte by byte.

use std::collections::BTreeMap;

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;

/// A value of the metadata.
#[derive(Clone)]
pub(crate) enum Entry {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    /// A type and what follows it.
    Raw(u32, Vec<u8>),
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[derive(Clone)]
pub(crate) struct TestTensor {
    /// In the order of the file: neighbours are along the first dimension.
    pub(crate) dimensions: Vec<u64>,
    pub(crate) tensor_type: u32,
    pub(crate) bytes: Vec<u8>,
    /// Where the bytes are said to be, if not where they are.
    pub(crate) offset: Option<u64>,
}

/// A file to be written.
#[derive(Clone)]
pub(crate) struct TestFile {
    pub(crate) version: u32,
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) tensors: BTreeMap<String, TestTensor>,
}

const ALIGNMENT: usize = 32;

impl TestFile {
    pub(crate) fn new() -> Self {
        Self { version: 3, entries: BTreeMap::new(), tensors: BTreeMap::new() }
    }

    pub(crate) fn set(&mut self, key: &str, entry: impl Into<Entry>) -> &mut Self {
        self.entries.insert(key.to_owned(), entry.into());
        self
    }

    /// Adds a tensor of `f32` by its shape, rows first.
    pub(crate) fn add(&mut self, name: &str, shape: &[usize], numbers: &[f32]) -> &mut Self {
        let dimensions = shape.iter().rev().map(|&size| size as u64).collect();
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let tensor = TestTensor { dimensions, tensor_type: 0, bytes, offset: None };
        self.tensors.insert(name.to_owned(), tensor);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = b"GGUF".to_vec();
        head.extend(self.version.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((self.entries.len() as u64).to_le_bytes());
        for (key, entry) in &self.entries {
            head.extend(text(key));
            head.extend(entry.bytes());
        }
        let mut data = Vec::new();
        for (name, tensor) in &self.tensors {
            head.extend(text(name));
            head.extend((tensor.dimensions.len() as u32).to_le_bytes());
            head.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
            head.extend(tensor.tensor_type.to_le_bytes());
            head.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.bytes);
            data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
        }
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        head.extend(data);
        head
    }

    /// A small Llama with random weights, and a tokenizer of single bytes and `<|end|>`.
    pub(crate) fn model() -> Self {
        let mut file = Self::new();
        file.set("general.architecture", "llama");
        for (name, size) in [
            ("context_length", 64),
            ("embedding_length", 32),
            ("feed_forward_length", 48),
            ("block_count", 1),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
        ] {
            file.set(&format!("llama.{name}"), Entry::U32(size));
        }
        file.set("llama.attention.layer_norm_rms_epsilon", Entry::F32(1e-5));
        file.set_byte_tokenizer();
        let mut random = Pcg64::seed_from_u64(2);
        let mut add = |name: &str, shape: &[usize]| {
            let number = |_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let numbers: Vec<f32> = (0..shape.iter().product()).map(number).collect();
            file.add(&format!("{name}.weight"), shape, &numbers);
        };
        add("token_embd", &[260, 32]);
        add("output_norm", &[32]);
        for (name, n_out, n_in) in [
            ("attn_q", 32, 32),
            ("attn_k", 16, 32),
            ("attn_v", 16, 32),
            ("attn_output", 32, 32),
            ("ffn_gate", 48, 32),
            ("ffn_up", 48, 32),
            ("ffn_down", 32, 48),
        ] {
            add(&format!("blk.0.{name}"), &[n_out, n_in]);
        }
        add("blk.0.attn_norm", &[32]);
        add("blk.0.ffn_norm", &[32]);
        file
    }

    /// The ids are bytes, but for the last one.
    fn set_byte_tokenizer(&mut self) {
        let byte = |c: &char| crate::tokenizer::byte_of_character(*c).is_some();
        let mut tokens: Vec<char> = (0..0x144).filter_map(char::from_u32).filter(byte).collect();
        tokens.sort_by_key(|c| crate::tokenizer::byte_of_character(*c));
        let mut tokens: Vec<String> = tokens.iter().map(char::to_string).collect();
        tokens.push("<|end|>".to_owned());
        let types = (0..257).map(|id| if id < 256 { 1 } else { 3 }).collect();
        self.set("tokenizer.ggml.model", "gpt2")
            .set("tokenizer.ggml.pre", "gpt-2")
            .set("tokenizer.ggml.tokens", Entry::Texts(tokens))
            .set("tokenizer.ggml.token_type", Entry::I32s(types))
            .set("tokenizer.ggml.merges", Entry::Texts(Vec::new()))
            .set("tokenizer.ggml.eos_token_id", Entry::U32(256))
            .set("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}");
    }
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let array = |element: u32, n: usize| {
            [&element.to_le_bytes()[..], &(n as u64).to_le_bytes()].concat()
        };
        let (number, bytes) = match self {
            Self::U32(number) => (4, number.to_le_bytes().to_vec()),
            Self::F32(number) => (6, number.to_le_bytes().to_vec()),
            Self::Bool(flag) => (7, vec![u8::from(*flag)]),
            Self::Text(value) => (8, text(value)),
            Self::Texts(texts) => {
                let items = texts.iter().flat_map(|value| text(value));
                (9, array(8, texts.len()).into_iter().chain(items).collect())
            }
            Self::I32s(numbers) => {
                let items = numbers.iter().flat_map(|number| number.to_le_bytes());
                (9, array(5, numbers.len()).into_iter().chain(items).collect())
            }
            Self::F32s(numbers) => {
                let items = numbers.iter().flat_map(|number| number.to_le_bytes());
                (9, array(6, numbers.len()).into_iter().chain(items).collect())
            }
            Self::Raw(number, bytes) => (*number, bytes.clone()),
        };
        [&number.to_le_bytes()[..], &bytes].concat()
    }
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}
