//! [`CharacterSet`]: sets of characters, as ranges.

/// A set of characters: ranges of code points, ascending, with a gap between each two. None of them is a
/// surrogate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CharacterSet(Vec<(u32, u32)>);

const LAST: u32 = 0x10_FFFF;
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

impl CharacterSet {
    /// All characters.
    pub(crate) fn all() -> Self {
        Self::of([(0, LAST)])
    }

    /// The characters in some ranges of code points.
    pub(crate) fn of(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut parts = Vec::new();
        for (first, last) in ranges {
            let (below, above) = (last.min(SURROGATES.0 - 1), first.max(SURROGATES.1 + 1));
            parts.extend((first <= below).then_some((first, below)));
            parts.extend((above <= last).then_some((above, last)));
        }
        parts.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in parts {
            match merged.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    pub(crate) fn single(character: char) -> Self {
        Self(vec![(character.into(), character.into())])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The only character, if there is one.
    pub(crate) fn only(&self) -> Option<char> {
        match self.0[..] {
            [(first, last)] if first == last => char::from_u32(first),
            _ => None,
        }
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    pub(crate) fn contains(&self, character: char) -> bool {
        let code = u32::from(character);
        let index = self.0.partition_point(|(_, last)| *last < code);
        self.0.get(index).is_some_and(|(first, _)| *first <= code)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (mut common, mut a, mut b) = (Vec::new(), 0, 0);
        while let (Some(one), Some(two)) = (self.0.get(a), other.0.get(b)) {
            let (first, last) = (one.0.max(two.0), one.1.min(two.1));
            common.extend((first <= last).then_some((first, last)));
            if one.1 < two.1 { a += 1 } else { b += 1 }
        }
        Self(common)
    }

    /// All other characters.
    pub(crate) fn complement(&self) -> Self {
        let mut others = Vec::new();
        let mut next = 0;
        for &(first, last) in &self.0 {
            others.extend((next < first).then(|| (next, first - 1)));
            next = last + 1;
        }
        others.extend((next <= LAST).then_some((next, LAST)));
        Self::of(others)
    }

    /// Whether it is written more shortly by what it lacks.
    pub(crate) fn is_mostly_all(&self) -> bool {
        self.0.last().is_some_and(|(_, last)| *last == LAST)
            && self.complement().0.len() <= self.0.len()
    }
}

impl FromIterator<char> for CharacterSet {
    fn from_iter<I: IntoIterator<Item = char>>(characters: I) -> Self {
        Self::of(characters.into_iter().map(|character| (character.into(), character.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_their_ranges_say() {
        let set = CharacterSet::of([(0x61, 0x63), (0x64, 0x66), (0xD700, 0xE010)]);
        assert_eq!(set.ranges(), [(0x61, 0x66), (0xD700, 0xD7FF), (0xE000, 0xE010)]);
        assert!(set.contains('f') && !set.contains('g'));
        assert_eq!(set.complement().complement(), set);
        assert!(set.intersection(&set.complement()).is_empty());
        assert_eq!(set.union(&set.complement()), CharacterSet::all());
        assert_eq!(CharacterSet::single('é').only(), Some('é'));
        let ae: CharacterSet = "aecdb".chars().collect();
        assert_eq!(set.intersection(&ae), CharacterSet::of([(0x61, 0x65)]));
    }
}
