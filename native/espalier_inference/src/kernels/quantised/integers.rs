//! [`Integers`]: the integers of a panel, in as many bits as they have.

use super::{BLOCK, GROUP_SIZE, N_GROUPS, PANEL};

/// For each output its integers for a few inputs: as instructions take them.
pub(crate) type Group = [[u8; GROUP_SIZE]; PANEL];

/// The groups of a block of inputs.
pub(crate) type Groups = [Group; N_GROUPS];

/// The integers of all outputs of a panel for one block of inputs.
pub(crate) trait Integers: Clone + Send + Sync {
    /// All the same integer.
    fn filled(integer: u8) -> Self;

    fn set(&mut self, output: usize, input: usize, integer: u8);

    /// The integers in bytes: made in the space that is given, where they aren't.
    fn groups<'a>(&'a self, space: &'a mut Groups) -> &'a Groups;
}

/// Integers of eight bits.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Bytes {
    groups: Groups,
}

impl Integers for Bytes {
    fn filled(integer: u8) -> Self {
        Self { groups: [[[integer; GROUP_SIZE]; PANEL]; N_GROUPS] }
    }

    fn set(&mut self, output: usize, input: usize, integer: u8) {
        self.groups[input / GROUP_SIZE][output][input % GROUP_SIZE] = integer;
    }

    #[inline(always)]
    fn groups<'a>(&'a self, _space: &'a mut Groups) -> &'a Groups {
        &self.groups
    }
}

/// Integers of four bits and up to two more.
///
/// A byte holds four bits of one group and of the one that is four groups after it, or the `MORE`
/// bits of all groups that fit.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Nibbles<const MORE: usize> {
    low: [Group; N_GROUPS / 2],
    high: [Group; MORE],
}

impl<const MORE: usize> Integers for Nibbles<MORE> {
    fn filled(integer: u8) -> Self {
        let (low, high) = ([[[0; GROUP_SIZE]; PANEL]; _], [[[0; GROUP_SIZE]; PANEL]; _]);
        let mut integers = Self { low, high };
        for output in 0..PANEL {
            (0..BLOCK).for_each(|input| integers.set(output, input, integer));
        }
        integers
    }

    fn set(&mut self, output: usize, input: usize, integer: u8) {
        let (group, lane) = (input / GROUP_SIZE, input % GROUP_SIZE);
        let low = &mut self.low[group % (N_GROUPS / 2)][output][lane];
        let shift = group / (N_GROUPS / 2) * 4;
        *low = *low & !(0xf << shift) | (integer & 0xf) << shift;
        if MORE > 0 {
            let (byte, shift, mask) = Self::more(group);
            let high = &mut self.high[byte][output][lane];
            *high = *high & !(mask << shift) | (integer >> 4 & mask) << shift;
        }
    }

    #[inline(always)]
    fn groups<'a>(&'a self, space: &'a mut Groups) -> &'a Groups {
        for (group, integers) in space.iter_mut().enumerate() {
            let low = self.low[group % (N_GROUPS / 2)].as_flattened();
            let shift = group / (N_GROUPS / 2) * 4;
            let integers = integers.as_flattened_mut();
            if MORE == 0 {
                for (integer, low) in integers.iter_mut().zip(low) {
                    *integer = low >> shift & 0xf;
                }
            } else {
                let (byte, high_shift, mask) = Self::more(group);
                let high = self.high[byte].as_flattened();
                for ((integer, low), high) in integers.iter_mut().zip(low).zip(high) {
                    *integer = low >> shift & 0xf | (high >> high_shift & mask) << 4;
                }
            }
        }
        space
    }
}

impl<const MORE: usize> Nibbles<MORE> {
    /// Where the other bits of a group are: which byte, from which bit on, and what masks them.
    #[inline(always)]
    fn more(group: usize) -> (usize, usize, u8) {
        (group * MORE / 8, group * MORE % 8, (1 << MORE) - 1)
    }
}
