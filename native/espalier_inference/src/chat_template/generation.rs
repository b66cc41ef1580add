//! The tag `generation`, which marks what a model is trained to write.
//!
//! For a prompt it means nothing but that what is set inside isn't seen outside, as with `with`.

/// The template with `with` for `generation`. Comments and texts are left as they are.
pub(super) fn with_scopes(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let n_bytes = match rest.as_bytes().get(1) {
            Some(b'#') => rest.find("#}").map_or(rest.len(), |end| end + 2),
            Some(b'{') => tag_len(rest, "}}"),
            Some(b'%') => tag_len(rest, "%}"),
            _ => 1,
        };
        let (tag, after) = rest.split_at(n_bytes);
        rest = after;
        match name(tag) {
            Some("raw") => {
                let (raw, after) = rest.split_at(raw_len(rest));
                out.extend([tag, raw]);
                rest = after;
            }
            Some("generation") => out.push_str(&tag.replacen("generation", "with", 1)),
            Some("endgeneration") => out.push_str(&tag.replacen("endgeneration", "endwith", 1)),
            _ => out.push_str(tag),
        }
    }
    out + rest
}

/// The length of what is in a raw block, where only the tag that ends it is one.
fn raw_len(rest: &str) -> usize {
    let is_end = |start: &usize| {
        let inner = rest[start + 2..].trim_start_matches(['-', '+']).trim_start();
        let after = inner.strip_prefix("endraw").map(str::trim_start);
        after.is_some_and(|after| after.trim_start_matches(['-', '+']).starts_with("%}"))
    };
    rest.match_indices("{%").map(|(start, _)| start).find(is_end).unwrap_or(rest.len())
}

/// The length of a tag up to its end, which texts inside don't have.
fn tag_len(rest: &str, end: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (index, byte) in rest.bytes().enumerate().skip(2) {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, _) if rest.as_bytes()[index..].starts_with(end.as_bytes()) => {
                return index + end.len();
            }
            _ => {}
        }
    }
    rest.len()
}

/// The only word of a tag.
fn name(tag: &str) -> Option<&str> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    Some(inner.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim())
}
