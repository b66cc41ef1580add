//! What the assertions of the `regex` crate say of the characters before and after them.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use super::ecma::Direction::{self, Ahead, Behind};

/// That there is a character of the class beside, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Beside {
    pub(super) direction: Direction,
    pub(super) is_negated: bool,
    /// The ranges of its class.
    pub(super) class: Vec<(char, char)>,
}

/// The ways in which an assertion can hold; in each, all of these have to. None for the ends of the
/// text, which are no characters.
pub(super) fn ways(look: Look) -> Vec<Vec<Beside>> {
    let is = |direction, class: &[(char, char)]| Beside {
        direction,
        is_negated: false,
        class: class.to_vec(),
    };
    let no = |direction, class| Beside { is_negated: true, ..is(direction, class) };
    let (cr, lf) = ([('\r', '\r')], [('\n', '\n')]);
    let word = word(look);
    let (starts, ends) =
        ([no(Behind, &word), is(Ahead, &word)], [is(Behind, &word), no(Ahead, &word)]);
    match look {
        Look::Start | Look::End => Vec::new(),
        Look::StartLF => vec![vec![no(Behind, &all_but('\n'))]],
        Look::EndLF => vec![vec![no(Ahead, &all_but('\n'))]],
        Look::StartCRLF => {
            vec![vec![no(Behind, &all_but('\n'))], vec![is(Behind, &cr), no(Ahead, &lf)]]
        }
        Look::EndCRLF => {
            vec![vec![no(Ahead, &all_but('\r'))], vec![is(Ahead, &lf), no(Behind, &cr)]]
        }
        Look::WordAscii | Look::WordUnicode => vec![starts.to_vec(), ends.to_vec()],
        Look::WordAsciiNegate | Look::WordUnicodeNegate => vec![
            vec![is(Behind, &word), is(Ahead, &word)],
            vec![no(Behind, &word), no(Ahead, &word)],
        ],
        Look::WordStartAscii | Look::WordStartUnicode => vec![starts.to_vec()],
        Look::WordEndAscii | Look::WordEndUnicode => vec![ends.to_vec()],
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => vec![vec![no(Behind, &word)]],
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => vec![vec![no(Ahead, &word)]],
    }
}

fn all_but(character: char) -> Vec<(char, char)> {
    let range = ClassUnicodeRange::new(character, character);
    let mut class = ClassUnicode::new([range]);
    class.negate();
    ranges(&class)
}

/// What the assertion takes for a part of a word, if it asks for words.
fn word(look: Look) -> Vec<(char, char)> {
    let is_unicode = matches!(
        look,
        Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode
    );
    if !is_unicode {
        return vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
    }
    match regex_syntax::parse(r"\w").map(Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => ranges(&class),
        other => unreachable!("a class: {other:?}"),
    }
}

pub(super) fn ranges(class: &ClassUnicode) -> Vec<(char, char)> {
    class.ranges().iter().map(|range| (range.start(), range.end())).collect()
}
