//! [`Bits`]: small sets of numbers, such as bytes.

/// A set of numbers below `64 * N`, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bits<const N: usize>([u64; N]);

/// A set of bytes.
pub(crate) type ByteSet = Bits<4>;

impl<const N: usize> Default for Bits<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Bits<N> {
    /// How many numbers there may be.
    pub(crate) const MAX: usize = 64 * N;

    pub(crate) fn insert(&mut self, number: impl Into<usize>) {
        let number = number.into();
        self.0[number / 64] |= 1 << (number % 64);
    }

    pub(crate) fn contains(&self, number: impl Into<usize>) -> bool {
        let number = number.into();
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    /// Adds those of another set; answers whether some are new.
    pub(crate) fn extend(&mut self, other: &Self) -> bool {
        let before = *self;
        self.0.iter_mut().zip(other.0).for_each(|(word, more)| *word |= more);
        *self != before
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(word, more)| word & more != 0)
    }
}

impl ByteSet {
    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> {
        (0..).zip(self.0).flat_map(|(index, word)| {
            let bits = std::iter::successors(Some(word), |bits| Some(bits & bits.wrapping_sub(1)));
            let set = bits.take_while(|&bits| bits != 0);
            set.map(move |bits| index * 64 + bits.trailing_zeros() as u8)
        })
    }
}

impl<const N: usize, I: Into<usize>> FromIterator<I> for Bits<N> {
    fn from_iter<T: IntoIterator<Item = I>>(numbers: T) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}
