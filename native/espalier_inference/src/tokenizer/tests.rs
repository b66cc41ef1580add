use serde_json::{Value, json};

use super::token_bytes::byte_of_character;
use super::*;

fn added(id: u32, content: &str, special: bool, normalized: bool) -> Value {
    json!({"id": id, "content": content, "special": special, "normalized": normalized,
           "single_word": false, "lstrip": false, "rstrip": false})
}

/// All bytes, a few merges, a literal added token and a special one.
pub(super) fn byte_level() -> Value {
    let mut vocab = serde_json::Map::new();
    let name = |byte| ('!'..='\u{143}').find(|&c| byte_of_character(c) == Some(byte)).unwrap();
    for byte in 0..=255u8 {
        vocab.insert(name(byte).to_string(), byte.into());
    }
    for (id, token) in (256..).zip(["ab", "Ġab", "Ċ{"]) {
        vocab.insert(token.to_owned(), id.into());
    }
    json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": null,
        "added_tokens": [added(259, "<|end|>", true, false), added(260, "<think>", false, false)],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "vocab": vocab,
                  "merges": ["a b", "Ġ ab", "Ċ {"]}
    })
}

/// Llama 2's form: `▁` put in front, bytes for what has no piece.
pub(super) fn sentence_piece() -> Value {
    let mut vocab = serde_json::Map::new();
    for (id, token) in (0..).zip(["<unk>", "<s>", "</s>"]) {
        vocab.insert(token.to_owned(), id.into());
    }
    for byte in 0..=255u32 {
        vocab.insert(format!("<0x{byte:02X}>"), (byte + 3).into());
    }
    for (id, token) in (259..).zip(["▁", "a", "b", "▁a", "▁ab", "ab", "\""]) {
        vocab.insert(token.to_owned(), id.into());
    }
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(0, "<unk>", true, false), added(1, "<s>", true, false), added(2, "</s>", true, false)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true,
                  "byte_fallback": true, "vocab": vocab, "merges": ["▁ a", "a b", "▁a b"]}
    })
}

fn metaspace() -> Value {
    let mut json = sentence_piece();
    json["normalizer"] = Value::Null;
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false});
    json["pre_tokenizer"] = metaspace.clone();
    json["decoder"] = json!({"type": "Sequence", "decoders": [metaspace, {"type": "ByteFallback"}, {"type": "Fuse"}]});
    json
}

pub(super) fn load(json: &Value) -> Tokenizer {
    Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
}

fn spell(vocabulary: &Vocabulary, ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|&id| vocabulary.token_bytes(id).unwrap()).copied().collect()
}

pub(super) const TEXTS: [&str; 7] =
    ["ab ab", "  a\n{b", "é ü 日本 \u{1F600}", "\"a\\\"", "\u{0}\u{7f}\u{ad}", "a", "<think>ab"];

#[test]
fn tokens_of_byte_level_files_have_their_bytes() {
    let mut json = byte_level();
    json["pre_tokenizer"]["add_prefix_space"] = false.into();
    let tokenizer = load(&json);
    let vocabulary = tokenizer.vocabulary(&["<|end|>".to_owned()], &Limits::default()).unwrap();
    assert_eq!(vocabulary.n_ids(), 261);
    for byte in 0..=255u8 {
        assert_eq!(vocabulary.token_bytes(u32::from(byte)), Some(&[byte][..]));
    }
    assert_eq!(vocabulary.token_bytes(258), Some(&b"\n{"[..]));
    assert_eq!(vocabulary.token_bytes(259), Some(&b""[..]), "a special token has no text");
    assert_eq!(vocabulary.token_bytes(260), Some(&b"<think>"[..]));
    assert_eq!(vocabulary.eos_ids(), [259]);
    for text in TEXTS {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(spell(&vocabulary, &ids), text.as_bytes());
        assert_eq!(tokenizer.decode(&ids), text);
    }
}

#[test]
fn tokens_of_sentence_piece_files_have_their_bytes() {
    for json in [sentence_piece(), metaspace()] {
        let tokenizer = load(&json);
        let vocabulary = tokenizer.vocabulary(&["</s>".to_owned()], &Limits::default()).unwrap();
        assert_eq!(vocabulary.token_bytes(3 + 10), Some(&b"\n"[..]));
        assert_eq!(vocabulary.token_bytes(263), Some(&b" ab"[..]));
        assert!(vocabulary.is_special(0) && vocabulary.is_special(1) && vocabulary.is_special(2));
        // Metaspace puts no space before one.
        for text in TEXTS.into_iter().filter(|text| !text.starts_with(' ')) {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(spell(&vocabulary, &ids), format!(" {text}").as_bytes());
            assert_eq!(tokenizer.decode(&ids), text);
        }
    }
}

#[test]
fn truncation_in_the_file_is_ignored() {
    assert_eq!(load(&byte_level()).encode("aaaaaaaaaa").unwrap().len(), 11);
}

#[test]
fn special_tokens_are_recognised_in_prompts_and_left_out_of_texts() {
    let tokenizer = load(&byte_level());
    let ids = tokenizer.encode("<|end|>").unwrap();
    assert_eq!(ids, [259]);
    assert_eq!(tokenizer.decode(&ids), "");
    assert_eq!(tokenizer.decode(&[4_000_000]), "", "unknown ids have no text");
}

#[test]
fn forced_text_is_spelled_without_prefix_space_and_special_tokens() {
    let spelling = |json| Spelling::new(&load(&json).inner).unwrap();
    assert_eq!(spelling(byte_level()).encode(b"ab ab"), Some(vec![256, 257]));
    assert_eq!(spelling(byte_level()).encode(b"<think>"), Some(vec![260]));
    assert_eq!(spelling(byte_level()).encode(b"<|end|>").unwrap().len(), 7);
    assert_eq!(spelling(byte_level()).encode(b"\xff"), None);
    for json in [sentence_piece(), metaspace()] {
        assert_eq!(spelling(json.clone()).encode(b"ab ab"), Some(vec![264, 263]));
        assert_eq!(spelling(json).encode(b"\n"), Some(vec![13]));
    }
}

#[test]
fn eos_tokens_must_exist() {
    let tokenizer = load(&byte_level());
    let missing = tokenizer.vocabulary(&["</s>".to_owned()], &Limits::default());
    assert!(matches!(missing, Err(Error::InvalidTokenizer { .. })));
    assert!(matches!(tokenizer.vocabulary(&[], &Limits::default()), Err(Error::Constraint(_))));
}

#[test]
fn broken_files_are_errors() {
    let text = byte_level().to_string();
    let refused = |bytes: &[u8]| match Tokenizer::from_json(bytes) {
        Ok(tokenizer) => tokenizer.vocabulary(&["<|end|>".to_owned()], &Limits::default()).is_err(),
        Err(error) => matches!(error, Error::InvalidTokenizer { .. }),
    };
    for end in (0..text.len()).step_by(97) {
        assert!(refused(&text.as_bytes()[..end]));
    }
    for broken in ["{}", "[]", "null", "\u{0}", "{\"model\": {}}", &"[".repeat(100_000)] {
        assert!(refused(broken.as_bytes()), "{broken:.20}");
    }
    let mut word_piece = byte_level();
    word_piece["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    assert!(refused(word_piece.to_string().as_bytes()));
    let mut absurd = byte_level();
    absurd["model"]["vocab"]["zz"] = json!(4_000_000_000u32);
    assert!(refused(absurd.to_string().as_bytes()));
}

#[test]
fn parts_of_the_wrong_form_are_errors() {
    for part in
        ["model", "decoder", "normalizer", "pre_tokenizer", "added_tokens", "post_processor"]
    {
        for value in [json!(1), json!([1]), json!({"type": "Nothing"}), json!("x")] {
            let mut json = byte_level();
            json[part] = value;
            assert!(Tokenizer::from_json(json.to_string().as_bytes()).is_err(), "{part}");
        }
    }
}
