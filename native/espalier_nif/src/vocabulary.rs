//! `Espalier.Vocabulary`.

use std::sync::Arc;

use espalier_constraint::Vocabulary;
use espalier_inference::{Tokenizer, vocabulary_from_tiktoken};
use rustler::{Binary, Env, NewBinary, NifMap, ResourceArc, Term};

use crate::error::Fault;
use crate::guard;
use crate::limits::Given;
use crate::resources::VocabularyRef;

#[rustler::nif(schedule = "DirtyCpu")]
fn vocabulary_from_tokens(
    tokens: Vec<Binary>,
    eos_ids: Vec<u32>,
    special_ids: Vec<u32>,
    limits: Given,
) -> Result<ResourceArc<VocabularyRef>, Fault> {
    guard::catch(|| {
        let tokens = tokens.iter().map(|token| token.to_vec()).collect();
        Ok(resource(Arc::new(Vocabulary::with_limits(tokens, &eos_ids, &special_ids, &limits.0)?)))
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn vocabulary_from_tokenizer_json(
    text: Binary,
    eos_tokens: Vec<String>,
    limits: Given,
) -> Result<ResourceArc<VocabularyRef>, Fault> {
    let text = text.as_slice();
    guard::with_own_thread(|| {
        let tokenizer = Tokenizer::from_json(text)?;
        Ok(resource(Arc::new(tokenizer.vocabulary(&eos_tokens, &limits.0)?)))
    })
}

#[rustler::nif(schedule = "DirtyCpu", name = "vocabulary_from_tiktoken")]
fn vocabulary_from_tiktoken_ranks(
    ranks: Binary,
    special_tokens: Vec<(String, u32)>,
    eos_ids: Vec<u32>,
    limits: Given,
) -> Result<ResourceArc<VocabularyRef>, Fault> {
    guard::catch(|| {
        let vocabulary = vocabulary_from_tiktoken(&ranks, &special_tokens, &eos_ids, &limits.0)?;
        Ok(resource(Arc::new(vocabulary)))
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn vocabulary_serialize(env: Env<'_>, vocabulary: ResourceArc<VocabularyRef>) -> Term<'_> {
    binary(env, &vocabulary.0.to_bytes())
}

#[rustler::nif(schedule = "DirtyCpu")]
fn vocabulary_deserialize(bytes: Binary) -> Result<ResourceArc<VocabularyRef>, Fault> {
    guard::catch(|| Ok(resource(Arc::new(Vocabulary::from_bytes(&bytes)?))))
}

#[derive(NifMap)]
struct Info {
    size: usize,
    eos_ids: Vec<u32>,
}

#[rustler::nif]
fn vocabulary_info(vocabulary: ResourceArc<VocabularyRef>) -> Info {
    Info { size: vocabulary.0.n_ids(), eos_ids: vocabulary.0.eos_ids().to_vec() }
}

/// The bytes of a token, or `nil`.
#[rustler::nif]
fn vocabulary_token_bytes(
    env: Env<'_>,
    vocabulary: ResourceArc<VocabularyRef>,
    token: u32,
) -> Option<Term<'_>> {
    vocabulary.0.token_bytes(token).map(|bytes| binary(env, bytes))
}

pub(crate) fn resource(vocabulary: Arc<Vocabulary>) -> ResourceArc<VocabularyRef> {
    ResourceArc::new(VocabularyRef(vocabulary.into()))
}

/// The bytes as a binary of their own.
pub(crate) fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}
