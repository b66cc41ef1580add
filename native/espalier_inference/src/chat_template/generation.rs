//! The tag `generation`, which marks what a model is trained to write.
//!
//! For a prompt it means nothing but that what is set inside isn't seen outside, as with `with`.

/// The template with `with` for `generation`. Comments and texts are left as they are.
pub(super) fn with_scopes(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut raw = false;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let n_bytes = match rest.as_bytes().get(1) {
            Some(b'#') if !raw => rest.find("#}").map_or(rest.len(), |end| end + 2),
            Some(b'{') if !raw => tag_len(rest, "}}"),
            Some(b'%') => tag_len(rest, "%}"),
            _ => 1,
        };
        let (tag, after) = rest.split_at(n_bytes);
        rest = after;
        match name(tag) {
            Some("raw") => raw = true,
            Some("endraw") => raw = false,
            Some("generation") if !raw => {
                out.push_str(&tag.replacen("generation", "with", 1));
                continue;
            }
            Some("endgeneration") if !raw => {
                out.push_str(&tag.replacen("endgeneration", "endwith", 1));
                continue;
            }
            _ if raw && tag.len() > 1 => {
                // What looks like a tag may have the end of the raw block in it.
                out.push('{');
                rest = &source[source.len() - after.len() - tag.len() + 1..];
                continue;
            }
            _ => {}
        }
        out.push_str(tag);
    }
    out + rest
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
