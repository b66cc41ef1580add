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

    /// Sets those of one output, input by input.
    fn set(&mut self, output: usize, integers: &[u8; BLOCK]);

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

    fn set(&mut self, output: usize, integers: &[u8; BLOCK]) {
        let (groups, _) = integers.as_chunks();
        for (outputs, group) in self.groups.iter_mut().zip(groups) {
            outputs[output] = *group;
        }
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
        (0..PANEL).for_each(|output| integers.set(output, &[integer; BLOCK]));
        integers
    }

    fn set(&mut self, output: usize, integers: &[u8; BLOCK]) {
        let (groups, _) = integers.as_chunks::<GROUP_SIZE>();
        let group = |group: usize| u32::from_le_bytes(groups[group]);
        for (index, outputs) in self.low.iter_mut().enumerate() {
            let low = group(index) & 0x0f0f_0f0f;
            let low = low | ((group(index + N_GROUPS / 2) & 0x0f0f_0f0f) << 4);
            outputs[output] = low.to_le_bytes();
        }
        for (byte, outputs) in self.high.iter_mut().enumerate() {
            let mut high = 0;
            for index in (0..N_GROUPS).filter(|&index| Self::more(index).0 == byte) {
                let (_, shift, mask) = Self::more(index);
                high |= ((group(index) >> 4) & u32::from_ne_bytes([mask; 4])) << shift;
            }
            outputs[output] = high.to_le_bytes();
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
                    *integer = (low >> shift) & 0xf;
                }
            } else {
                let (byte, high_shift, mask) = Self::more(group);
                let high = self.high[byte].as_flattened();
                for ((integer, low), high) in integers.iter_mut().zip(low).zip(high) {
                    *integer = ((low >> shift) & 0xf) | (((high >> high_shift) & mask) << 4);
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
