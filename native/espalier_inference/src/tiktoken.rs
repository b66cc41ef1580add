//! Vocabularies from tiktoken rank files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use espalier_constraint::{Limits, Vocabulary};

use crate::error::Error;
use crate::tokenizer::MAX_IDS;

/// A vocabulary from a tiktoken rank file: on each line a token in Base64 and its id.
///
/// The file names no special tokens; they are given with their ids. `eos` are the ids that end a
/// text.
///
/// ```
/// use espalier_constraint::Limits;
/// use espalier_inference::vocabulary_from_tiktoken;
///
/// let ranks = b"YQ== 0\nYg== 1\nYWI= 2\n";
/// let vocabulary = vocabulary_from_tiktoken(ranks, &[("<|endoftext|>".to_owned(), 3)], &[3], &Limits::default())?;
/// assert_eq!(vocabulary.token_bytes(2), Some(&b"ab"[..]));
/// # Ok::<(), espalier_inference::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidTokenizer`] names the first line that is none, and [`Error::Constraint`] says
/// why the tokens make no vocabulary.
pub fn vocabulary_from_tiktoken(
    ranks: &[u8],
    special_tokens: &[(String, u32)],
    eos: &[u32],
    limits: &Limits,
) -> Result<Vocabulary, Error> {
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for (index, line) in ranks.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let (token, id) = parse_line(line).ok_or_else(|| invalid_line(index, line))?;
        let entry = entry(&mut tokens, id)?;
        if !entry.is_empty() {
            return Err(invalid(format!("the id {id} occurs twice")));
        }
        *entry = token;
    }
    for &(_, id) in special_tokens {
        entry(&mut tokens, id)?.clear();
    }
    let special_ids: Vec<u32> = special_tokens.iter().map(|(_, id)| *id).collect();
    Ok(Vocabulary::with_limits(tokens, eos, &special_ids, limits)?)
}

/// The place of an id; the list grows to it.
fn entry(tokens: &mut Vec<Vec<u8>>, id: u32) -> Result<&mut Vec<u8>, Error> {
    let index = id as usize;
    if index >= MAX_IDS {
        return Err(invalid(format!("expected ids below {MAX_IDS}, got: {id}")));
    }
    if index >= tokens.len() {
        tokens.resize_with(index + 1, Vec::new);
    }
    Ok(&mut tokens[index])
}

fn parse_line(line: &[u8]) -> Option<(Vec<u8>, u32)> {
    let mut parts = line.split(u8::is_ascii_whitespace);
    let (token, id) = (parts.next()?, parts.next()?);
    let token = STANDARD.decode(token).ok().filter(|token| !token.is_empty())?;
    let id = str::from_utf8(id).ok()?.parse().ok()?;
    parts.next().is_none().then_some((token, id))
}

fn invalid_line(index: usize, line: &[u8]) -> Error {
    let start = String::from_utf8_lossy(&line[..line.len().min(40)]);
    invalid(format!("line {}: expected a token in Base64 and its id, got: {start:?}", index + 1))
}

fn invalid(detail: String) -> Error {
    Error::InvalidTokenizer { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens_and_leaves_holes_empty() {
        let special = [("<|end|>".to_owned(), 5)];
        let vocabulary =
            vocabulary_from_tiktoken(b"IQ== 0\r\n/w== 3\n\n", &special, &[5], &Limits::default())
                .unwrap();
        let bytes: Vec<&[u8]> = (0..6).map(|id| vocabulary.token_bytes(id).unwrap()).collect();
        assert_eq!(bytes, [&b"!"[..], b"", b"", b"\xff", b"", b""]);
        assert!(vocabulary.is_special(5) && !vocabulary.is_special(1));
    }

    #[test]
    fn refuses_what_is_no_rank_file() {
        for broken in
            ["x", "IQ== ", "IQ== -1", "I 0", " 0", "IQ== 1 2", "IQ== 0\nIg== 0", "IQ== 4000000000"]
        {
            let result = vocabulary_from_tiktoken(broken.as_bytes(), &[], &[0], &Limits::default());
            assert!(matches!(result, Err(Error::InvalidTokenizer { .. })), "{broken}: {result:?}");
        }
        assert!(matches!(
            vocabulary_from_tiktoken(b"", &[], &[0], &Limits::default()),
            Err(Error::Constraint(_))
        ));
    }
}
