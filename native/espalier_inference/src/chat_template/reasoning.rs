//! The tags between which a model thinks before it answers.

use super::ChatTemplate;

/// The pairs that models are trained with.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
];

impl ChatTemplate {
    /// The tags of the model, if it was trained to think: those that the template writes or cuts out
    /// and that are tokens of their own. Either alone isn't enough: models share tokenizers and
    /// templates with others that think.
    pub(crate) fn reasoning_tags(
        &self,
        is_token: impl Fn(&str) -> bool,
    ) -> Option<(String, String)> {
        let is_known = |tag: &str| self.source.contains(tag) && is_token(tag);
        let (start, end) =
            TAGS.into_iter().find(|(start, end)| is_token(start) && is_known(end))?;
        Some((start.to_owned(), end.to_owned()))
    }
}
