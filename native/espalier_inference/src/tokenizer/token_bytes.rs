//! [`TokenBytes`]: what bytes a token's name stands for.
//!
//! A `tokenizer.json` names tokens by printable text. Its decoder says how the names become text
//! again, and here it is read as a rule for single tokens.

use serde_json::Value;
use tokenizers::AddedToken;

use crate::error::Error;

/// How names become bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenBytes {
    /// Each character of a name is a byte, in the map of GPT-2.
    ByteLevel,
    /// Names are text, with some parts written differently (`▁` for a space).
    Pieces {
        /// What is replaced by what, in order.
        replacements: Vec<(String, String)>,
        /// Whether `<0x0A>` is a byte.
        byte_fallback: bool,
    },
}

impl TokenBytes {
    /// The rule that the decoder of a `tokenizer.json` follows.
    pub(crate) fn from_json(json: &Value) -> Result<Self, Error> {
        let decoder = &json["decoder"];
        // Without a decoder, the names are at least those that a byte-level step makes.
        let part = if decoder.is_null() { &json["pre_tokenizer"] } else { decoder };
        let steps = steps(part);
        if steps.iter().any(|step| is_type(step, "ByteLevel")) {
            Ok(Self::ByteLevel)
        } else if decoder.is_null() {
            Err(unsupported("none"))
        } else {
            Self::from_steps(&steps)
        }
    }

    fn from_steps(steps: &[&Value]) -> Result<Self, Error> {
        let mut replacements = Vec::new();
        let mut byte_fallback = false;
        let mut fused = false;
        for step in steps {
            match step["type"].as_str().unwrap_or_default() {
                "Replace" => replacements.push(replacement(step)?),
                "Metaspace" => {
                    let space = step["replacement"].as_str().unwrap_or("▁");
                    replacements.push((space.to_owned(), " ".to_owned()));
                }
                "ByteFallback" => byte_fallback = true,
                "Fuse" => fused = true,
                // After fusing, only the ends of the whole text are stripped.
                "Strip" if fused => {}
                other => return Err(unsupported(other)),
            }
        }
        Ok(Self::Pieces { replacements, byte_fallback })
    }

    /// The bytes of a token of the model.
    pub(crate) fn of(&self, name: &str) -> Vec<u8> {
        match self {
            Self::ByteLevel => {
                let bytes: Option<Vec<u8>> = name.chars().map(byte_of_character).collect();
                bytes.unwrap_or_else(|| name.into())
            }
            Self::Pieces { replacements, byte_fallback } => {
                match fallback_byte(name).filter(|_| *byte_fallback) {
                    Some(byte) => vec![byte],
                    None => replace_all(name, replacements).into_bytes(),
                }
            }
        }
    }

    /// The bytes of an added token that isn't special. It is found in the text as it stands, or
    /// after the text was normalized.
    pub(crate) fn of_added(&self, token: &AddedToken) -> Vec<u8> {
        match self {
            Self::Pieces { replacements, .. } if token.normalized => {
                replace_all(&token.content, replacements).into_bytes()
            }
            _ => token.content.clone().into_bytes(),
        }
    }
}

fn steps(part: &Value) -> Vec<&Value> {
    let nested = ["decoders", "pretokenizers"].iter().find_map(|name| part[*name].as_array());
    match nested {
        Some(steps) if is_type(part, "Sequence") => steps.iter().collect(),
        _ => vec![part],
    }
}

fn is_type(step: &Value, name: &str) -> bool {
    step["type"] == name
}

fn unsupported(decoder: &str) -> Error {
    let detail = format!("expected a byte-level or SentencePiece-like decoder, got: {decoder}");
    Error::InvalidTokenizer { detail }
}

fn replacement(step: &Value) -> Result<(String, String), Error> {
    match (step["pattern"]["String"].as_str(), step["content"].as_str()) {
        (Some(from), Some(to)) if !from.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err(unsupported("a Replace step without a plain text")),
    }
}

fn replace_all(name: &str, replacements: &[(String, String)]) -> String {
    replacements.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// The byte of a name such as `<0x0A>`.
fn fallback_byte(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    let hexadecimal = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// The inverse of GPT-2's map of bytes to printable characters: printable bytes of Latin-1 stand
/// for themselves, the others for the characters from U+0100 on, in order.
pub(crate) fn byte_of_character(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(code as u8),
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121) as u8 + 0x7f),
        0x143 => Some(0xad),
        _ => None,
    }
}
