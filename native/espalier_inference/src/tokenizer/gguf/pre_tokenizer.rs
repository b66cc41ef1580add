//! [`PreTokenizer`]: how a text is cut before merges are looked for in its parts.
//!
//! Files name the way that the model's own tokenizer does it. The names are llama.cpp's; what they mean
//! is what the `tokenizer.json` files of these models say.

use crate::error::Error;
use crate::gguf::Metadata;

const PRE: &str = "tokenizer.ggml.pre";

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A way to cut a text, with what else goes with it.
pub(super) struct PreTokenizer {
    names: &'static [&'static str],
    /// Regular expressions, each of which cuts the parts that those before it left.
    pub(super) splits: &'static [&'static str],
    /// Whether a part that is a token as a whole needs no merges.
    pub(super) whole_words: bool,
    /// Whether letters with marks are composed to one character first (NFC).
    pub(super) composes: bool,
    /// Whether prompts begin with the first token, where a file doesn't say.
    pub(super) adds_bos: bool,
}

const PLAIN: PreTokenizer =
    PreTokenizer { names: &[], splits: &[], whole_words: false, composes: false, adds_bos: false };

/// All that are known.
static KNOWN: [PreTokenizer; 9] = [
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        splits: &[LLAMA3],
        whole_words: true,
        adds_bos: true,
        ..PLAIN
    },
    PreTokenizer { names: &["smaug-bpe", "dbrx"], splits: &[LLAMA3], ..PLAIN },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen"],
        splits: &[QWEN2],
        composes: true,
        ..PLAIN
    },
    PreTokenizer {
        names: &["tekken"],
        splits: &[TEKKEN],
        whole_words: true,
        adds_bos: true,
        ..PLAIN
    },
    PreTokenizer { names: &["gpt-4o"], splits: &[GPT4O], ..PLAIN },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "codeshell", "minerva-7b"],
        splits: &[r"\p{N}", GPT2],
        ..PLAIN
    },
    PreTokenizer { names: &["gpt-2"], splits: &[GPT2], ..PLAIN },
    PreTokenizer {
        names: &["falcon"],
        splits: &[r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
        ..PLAIN
    },
    PreTokenizer {
        names: &["default"],
        splits: &[r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ..PLAIN
    },
];

impl PreTokenizer {
    /// The one that a file names. One without a name is refused: its tokens would be a guess.
    pub(super) fn read(metadata: &Metadata) -> Result<&'static Self, Error> {
        let name = metadata.text(PRE)?;
        let found = name.and_then(|name| KNOWN.iter().find(|known| known.names.contains(&name)));
        found.ok_or_else(|| {
            let names: Vec<&str> = KNOWN.iter().flat_map(|known| known.names).copied().collect();
            metadata.invalid(PRE, &format!("one of {}", names.join(", ")))
        })
    }
}
