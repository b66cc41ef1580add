//! [`until`]: any text up to the first of some others.

use rustc_hash::FxHashMap;

use crate::dfa::{Dfa, classes_of};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::{Meter, Quota};

/// The texts in which none of the stops is, but for the one with this index, with which they end. Without
/// one: those in which none is.
///
/// Of stops that end at the same place the longest counts. One that has another one in it is never the
/// first, so nothing ends with it.
///
/// # Errors
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(super) fn until(stops: &[String], end: Option<usize>, meter: &Meter) -> Result<Dfa, Error> {
    let any = Dfa::any_text();
    let stops = Stops::new(stops);
    let (classes, representatives) = classes_of(|byte| {
        let is_known = stops.next.keys().any(|&(_, known)| known == byte);
        (any.class(byte), is_known.then_some(byte))
    });
    let step = |&place: &Place, byte| {
        let Place::Before { text, node } = place else { return None };
        let (text, node) = (any.step(text, byte)?, stops.step(node, byte));
        match stops.found[node] {
            None => Some(Place::Before { text, node }),
            Some(found) => (end == Some(found)).then_some(Place::Behind),
        }
    };
    let dfa = Dfa::explore(
        Place::Before { text: any.start(), node: 0 },
        (classes, &representatives),
        Quota::new(meter, limit!(meter.limits(), regex_states)),
        step,
        |place| {
            Ok(match place {
                Place::Behind => true,
                Place::Before { text, .. } => end.is_none() && any.is_accepting(*text),
            })
        },
    )?;
    Ok(dfa.minimized())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Before {
        text: u32,
        node: usize,
    },
    /// Behind the stop that ends the text.
    Behind,
}

/// Finds several texts in one pass, after Aho and Corasick (1975).
struct Stops {
    next: FxHashMap<(usize, u8), usize>,
    /// The node of the longest suffix that begins a stop, too.
    suffix: Vec<usize>,
    /// The longest stop that ends at the node.
    found: Vec<Option<usize>>,
}

impl Stops {
    fn new(stops: &[String]) -> Self {
        let mut new = Self { next: FxHashMap::default(), suffix: vec![0], found: vec![None] };
        // Breadth first, so that suffixes, which are shorter, are there before.
        let mut ends: Vec<(usize, &[u8])> = stops.iter().map(|stop| (0, stop.as_bytes())).collect();
        while ends.iter().any(|(_, rest)| !rest.is_empty()) {
            for (index, (node, rest)) in ends.iter_mut().enumerate() {
                let Some((&byte, after)) = rest.split_first() else { continue };
                (*node, *rest) = (new.child(*node, byte), after);
                if after.is_empty() {
                    new.found[*node] = Some(index);
                }
            }
        }
        new
    }

    fn child(&mut self, node: usize, byte: u8) -> usize {
        if let Some(&known) = self.next.get(&(node, byte)) {
            return known;
        }
        let suffix = if node == 0 { 0 } else { self.step(self.suffix[node], byte) };
        let child = self.suffix.len();
        self.suffix.push(suffix);
        self.found.push(self.found[suffix]);
        self.next.insert((node, byte), child);
        child
    }

    fn step(&self, mut node: usize, byte: u8) -> usize {
        loop {
            match self.next.get(&(node, byte)) {
                Some(&next) => return next,
                None if node == 0 => return 0,
                None => node = self.suffix[node],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(stops: &[String], end: Option<usize>, text: &str) -> bool {
        // The first place where a stop ends, and the longest one there.
        let first = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).find_map(|at| {
            let ending = (0..stops.len()).filter(|&stop| text[..at].ends_with(&stops[stop]));
            Some((at, ending.max_by_key(|&stop| stops[stop].len())?))
        });
        match (first, end) {
            (None, None) => true,
            (Some((at, stop)), Some(end)) => stop == end && at == text.len(),
            _ => false,
        }
    }

    #[test]
    fn agrees_with_a_search_in_all_short_texts() {
        let texts = |letters: &[&str], n| -> Vec<String> {
            let mut all = vec![String::new()];
            let mut last = all.clone();
            for _ in 0..n {
                let longer =
                    last.iter().flat_map(|text| letters.iter().map(move |l| format!("{text}{l}")));
                last = longer.collect();
                all.extend(last.clone());
            }
            all
        };
        for stops in [
            &["ab"][..],
            &["aa", "ab"],
            &["aba", "bb"],
            &["abab", "ba"],
            &["bab", "ab"],
            &["éa", "aé", "b"],
            &["abé"],
        ] {
            let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
            for end in (0..stops.len()).map(Some).chain([None]) {
                let dfa = until(&stops, end, &Meter::unlimited()).unwrap();
                for text in texts(&["a", "b", "é"], 6) {
                    let expected = naive(&stops, end, &text);
                    assert_eq!(
                        dfa.accepts(text.as_bytes()),
                        expected,
                        "{stops:?} {end:?} {text:?}"
                    );
                }
            }
        }
    }
}
