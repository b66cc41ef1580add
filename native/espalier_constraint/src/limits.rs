//! [`Limits`]: how much a schema, a vocabulary and a call may ask for.

use crate::error::Error;

/// Declares [`Limits`]: each limit once, with its documentation, its default and, for those that can't
/// be raised at will, the greatest value.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $default:expr $(, at most $greatest:expr)?;)+) => {
        /// Bounds on what may be asked for, each with a default that is safe for input from anywhere:
        /// whatever is compiled ends within seconds and half a gibibyte, with a value or with
        /// [`Error::LimitExceeded`], which names the limit.
        ///
        /// ```
        /// use espalier_constraint::Limits;
        ///
        /// let mut limits = Limits::default();
        /// limits.schema_bytes = 2_000_000;
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[doc = $doc])+ #[doc = concat!("\n\nThe default is `", stringify!($default), "`." $(, " No more than `", stringify!($greatest), "` is possible.")?)] pub $name: usize,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default),+ }
            }
        }

        impl Limits {
            /// The names of all limits.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// The value of a limit by its name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<usize> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    _ => None,
                }
            }

            /// Sets a limit by its name; answers false if there is none of that name.
            pub fn set(&mut self, name: &str, value: usize) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)+
                    _ => return false,
                }
                true
            }

            /// Refuses values that can't be kept to.
            pub(crate) fn check(&self) -> Result<(), Error> {
                $($(
                    let (limit, value, greatest) = (stringify!($name), self.$name, $greatest);
                    if value > greatest {
                        return Err(Error::InvalidLimit { limit, value, greatest });
                    }
                )?)+
                Ok(())
            }
        }
    };
}

limits! {
    /// The bytes of the text of a schema, and of the documents beside it.
    schema_bytes: 4 << 20;
    /// How deep the text of a schema is nested, and of documents beside it.
    schema_nesting: 127, at most 127;
    /// The statements of a schema and of all schemas that it refers to: about one for each keyword, for
    /// each name in `required`, and for each item of a constant that is an array or an object.
    schema_nodes: 500_000;
    /// The bytes of the places, as JSON Pointers, of all statements of a schema.
    place_bytes: 64 << 20;
    /// The values of all `enum` and `const` of a schema, or the texts of a choice.
    enum_members: 200_000;
    /// The bytes of the texts among those.
    enum_bytes: 4 << 20;
    /// The decimal places, before or after the point, of a number in a schema.
    number_places: 4096;
    /// The decimal places of a number that is excluded from the values of a number, where its
    /// neighbours are needed.
    excluded_number_places: 1 << 16;
    /// The numbers that are excluded from the values of one number.
    excluded_numbers: 4096;
    /// The numbers of which one number must not be a multiple.
    excluded_multiples: 8, at most 16;
    /// The bits of the number of which all values of one number are multiples.
    multiple_bits: 1 << 17;
    /// The ways in which one value of one type can satisfy a schema, once its boolean keywords are pulled
    /// apart.
    alternatives: 4096;
    /// The choices among schemas that `unevaluatedProperties` or `unevaluatedItems` depends on.
    unevaluated_choices: 512;
    /// The conditions on one object, other than single ones, that are decided as its keys are read.
    clauses: 64, at most 64;
    /// The ways to meet the conditions on one object that are tried to complete it.
    clause_choices: 2000;
    /// The ways in which the value of one key can meet conditions on its object.
    member_choices: 256;
    /// The kinds of items that one array counts and that can go either way at one item.
    open_counters: 6, at most 16;
    /// The counts of items that are tried to complete one array.
    item_counts: 5000;
    /// How deep an item is nested of an array whose items have to differ.
    item_nesting: 127, at most 127;
    /// The states of the automaton that reads the keys of one object.
    key_states: 50_000;
    /// The kinds of keys that the patterns of one object tell apart.
    key_classes: 256;
    /// The states of the automaton of several patterns of one string.
    product_states: 100_000;
    /// The lengths that bounds on the length of one string with a pattern tell apart.
    pattern_lengths: 1 << 16;
    /// The memory, in bytes, for those.
    pattern_length_bytes: 64 << 20;
    /// The bytes of a regular expression.
    regex_bytes: 64 << 10;
    /// How deep a regular expression is nested.
    regex_nesting: 250, at most 250;
    /// The lookarounds of a pattern.
    regex_lookarounds: 500;
    /// The states of a pattern before it is made deterministic: the copies that repetitions make.
    regex_nodes: 1_000_000;
    /// The work of making a pattern deterministic.
    regex_work: 100_000_000;
    /// The states of the automaton of a regular expression.
    regex_states: 200_000;
    /// The entries of the table of a pattern's automaton.
    regex_table_entries: 1 << 24;
    /// The bytes of the text of a grammar, or of the parts of a text.
    grammar_bytes: 1 << 20;
    /// How deep groups, and repetitions of repetitions, are nested in the text of a grammar, or parts in each other.
    grammar_nesting: 1000;
    /// The rules of a grammar.
    grammar_rules: 200_000;
    /// The parts of all rules of a grammar: about one for each text, name and sign.
    grammar_nodes: 1_000_000;
    /// The ways in which a grammar can go on at one place in a text, each a place in a rule and in what
    /// encloses it.
    grammar_items: 200_000;
    /// The states of one object, array, string or number of what is exported.
    export_states: 20_000;
    /// The parts of all rules of what is exported.
    export_nodes: 500_000;
    /// How deep the rules of what is exported lie in each other, where they are written out.
    export_nesting: 200, at most 200;
    /// The bytes of what is exported.
    export_bytes: 4 << 20;
    /// The bytes of a text that is made up to complete a value.
    completion_bytes: 1 << 20;
    /// How deep arrays of items that have to differ are nested in such a text.
    completion_depth: 100, at most 100;
    /// The steps of work of compiling, whatever it is spent on.
    compile_fuel: 60_000_000;
    /// The steps of work of one call on a matcher: a mask, a token or a text that is accepted, a
    /// completion.
    mask_fuel: 60_000_000;
    /// About the memory, in bytes, of what a constraint remembers of its states, for all its matchers
    /// together. More is forgotten, and found out again when it is needed. A single sequence may take
    /// four times as much.
    table_bytes: 64 << 20;
    /// The tokens of a vocabulary.
    vocabulary_tokens: 2_000_000;
    /// The bytes of a token.
    token_bytes: 64 << 10;
    /// The bytes of all tokens of a vocabulary.
    vocabulary_bytes: 8 << 20;
}

/// A limit, by its name, and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) value: usize,
}

impl Limit {
    /// # Errors
    /// [`Error::LimitExceeded`] when it is exceeded.
    pub(crate) fn check(self, amount: usize) -> Result<(), Error> {
        if amount > self.value { Err(self.exceeded()) } else { Ok(()) }
    }

    pub(crate) fn exceeded(self) -> Error {
        Error::LimitExceeded { limit: self.name, value: self.value, pointer: None }
    }
}

/// A [`Limit`] of some [`Limits`].
macro_rules! limit {
    ($limits:expr, $name:ident) => {
        $crate::limits::Limit { name: stringify!($name), value: $limits.$name }
    };
}
pub(crate) use limit;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_names() {
        let mut limits = Limits::default();
        for (value, name) in Limits::NAMES.iter().enumerate() {
            assert!(limits.get(name).is_some_and(|default| default > 0));
            assert!(limits.set(name, value) && limits.get(name) == Some(value));
        }
        assert!(!limits.set("none", 1) && limits.get("none").is_none());
    }

    #[test]
    fn values_that_can_not_be_kept_to_are_refused() {
        let mut limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        limits.schema_nesting = 128;
        let error = Error::InvalidLimit { limit: "schema_nesting", value: 128, greatest: 127 };
        assert_eq!(limits.check(), Err(error));
    }
}
