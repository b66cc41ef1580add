//! Vocabularies of pieces with scores, as `SentencePiece` makes them: `▁` for a space, `<0x0A>` for a
//! byte.
//!
//! `SentencePiece` joins the two neighbours whose piece has the best score, again and again. That is what
//! merges do, in the order of the scores of what they make.

use rustc_hash::FxHashMap;
use serde_json::json;
use tokenizers::models::bpe::{BPE, Merges};

use super::Described;
use super::tokens::{TokenType, Tokens};
use crate::error::Error;
use crate::gguf::Metadata;

const SCORES: &str = "tokenizer.ggml.scores";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
const ADD_SPACE: &str = "tokenizer.ggml.add_space_prefix";

/// Keys that change texts before they are cut, in ways that are not supported.
const CHANGES: [&str; 2] =
    ["tokenizer.ggml.remove_extra_whitespaces", "tokenizer.ggml.precompiled_charsmap"];

/// The longest piece, in bytes: all places where it can be cut are tried.
const MAX_PIECE: usize = 1 << 9;

/// The most merges: some ten times those of the largest vocabularies.
const MAX_MERGES: usize = 1 << 22;

pub(super) fn describe(metadata: &Metadata, tokens: &Tokens<'_>) -> Result<Described, Error> {
    refuse_changes(metadata)?;
    let adds_space = metadata.flag(ADD_SPACE)?.unwrap_or(true);
    let unknown = tokens.id(metadata, UNKNOWN)?.map(|id| tokens.text(id)).or_else(|| {
        tokens.iter().find(|(_, kind, _)| *kind == TokenType::Unknown).map(|(.., text)| text)
    });
    let mut merges = BPE::builder()
        .vocab_and_merges(tokens.vocabulary(), merges(metadata, tokens)?)
        .fuse_unk(true)
        .byte_fallback(true);
    if let Some(unknown) = unknown {
        merges = merges.unk_token(unknown.to_owned());
    }
    let mut normalizers =
        vec![json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" })];
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if adds_space {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let steps = json!({
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "decoder": { "type": "Sequence", "decoders": decoders },
    });
    Ok(Described { merges, steps, adds_bos: true })
}

fn refuse_changes(metadata: &Metadata) -> Result<(), Error> {
    let changes =
        |key: &&&str| metadata.contains(key) && !matches!(metadata.flag(key), Ok(Some(false)));
    match CHANGES.iter().find(changes) {
        Some(key) => Err(metadata.invalid(key, "false or nothing")),
        None => Ok(()),
    }
}

/// A way to make a piece of two others.
struct Merge<'a> {
    score: f32,
    ids: [u32; 2],
    texts: [&'a str; 2],
}

/// All ways to make a piece, those of the best pieces first, and of these those with the longest first
/// part.
fn merges(metadata: &Metadata, tokens: &Tokens<'_>) -> Result<Merges, Error> {
    let scores = metadata.floats(SCORES)?.filter(|scores| scores.len() == tokens.len());
    let expected = || format!("a score for each of {} tokens", tokens.len());
    let scores = scores.ok_or_else(|| metadata.invalid(SCORES, &expected()))?;
    let pieces = || tokens.iter().filter(|(_, kind, _)| *kind == TokenType::Normal);
    let ids: FxHashMap<&str, u32> = pieces().map(|(id, _, text)| (text, id)).collect();
    let mut merges = Vec::new();
    for (id, _, text) in pieces() {
        if text.len() > MAX_PIECE || merges.len() > MAX_MERGES {
            let expected = format!("pieces of at most {MAX_PIECE} bytes with {MAX_MERGES} merges");
            let got = format!("{} bytes and {} merges at piece {id}", text.len(), merges.len());
            return Err(metadata.mismatch(super::tokens::TOKENS, &expected, &got));
        }
        let cuts = text.char_indices().skip(1).map(|(cut, _)| text.split_at(cut));
        let score = scores[id as usize];
        let of_piece = merges.len();
        merges.extend(cuts.filter_map(|(left, right)| {
            let ids = [*ids.get(left)?, *ids.get(right)?];
            Some(Merge { score, ids, texts: [left, right] })
        }));
        merges[of_piece..].sort_unstable_by_key(|merge| merge.ids);
    }
    let n_characters = |merge: &Merge<'_>| merge.texts.map(|text| text.chars().count());
    merges.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| n_characters(b).cmp(&n_characters(a)))
    });
    Ok(merges.into_iter().map(|merge| merge.texts.map(str::to_owned).into()).collect())
}
