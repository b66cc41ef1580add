//! [`State`]: where the text of a value stands.

use super::frame::Frame;
use super::goals::LeafId;
use super::keys::OtherStates;
use super::language::Reading;
use super::number::NumberPrefix;
use super::string::Decoder;
use super::texts::TextId;
use crate::literals::Prefix;
use smallvec::SmallVec;

/// Index of a [`StackNode`]; the empty stack is [`EMPTY_STACK`].
pub(crate) type StackId = u32;

pub(super) const EMPTY_STACK: StackId = u32::MAX;
/// In place of whatever encloses a value.
pub(super) const OPEN_STACK: StackId = u32::MAX - 1;

/// An open container and what encloses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackNode {
    pub(super) parent: StackId,
    pub(super) frame: Frame,
    /// Whether this or what encloses it has to know its items.
    pub(super) is_recorded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) stack: StackId,
    pub(super) place: Place,
    /// What was read since the outermost array was opened that has to know its items.
    pub(super) record: Option<Record>,
}

impl State {
    /// About how many bytes it takes beyond itself.
    pub(super) fn memory(&self) -> usize {
        match &self.place {
            Place::Number(readings) => readings.iter().map(NumberReading::memory).sum(),
            Place::String { readings, .. } => readings.len() * size_of::<StringReading>(),
            Place::Word { served, .. } => served.len() * size_of::<u32>(),
            Place::Key(key) => key.others.len() * size_of::<Option<u32>>(),
            _ => 0,
        }
    }
}

/// Text that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(super) text: TextId,
    /// How many bytes it has.
    pub(super) length: u32,
}

/// How each alternative of a string value reads it.
pub(super) type StringReadings = SmallVec<[StringReading; 1]>;
/// Which of the goals of a place a value satisfies, ascending.
pub(super) type Served = SmallVec<[u32; 4]>;

/// Where the text stands. `space` counts white space, see [`JsonMachine::skip_space`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Before a value; `goals` is a list of goals.
    Value {
        goals: u32,
        space: u8,
    },
    /// In `null`, `true` or `false`, after `n_read` bytes.
    Word {
        word: &'static [u8],
        n_read: u8,
        served: Served,
    },
    Number(Vec<NumberReading>),
    String {
        decoder: Decoder,
        readings: StringReadings,
    },
    /// After `{` or `[`.
    Open {
        space: u8,
    },
    /// After a comma in an object.
    NextKey {
        space: u8,
    },
    Key(KeyReading),
    /// After a key; `goals` is the list of its value.
    Colon {
        goals: u32,
        space: u8,
    },
    /// After a member or an item.
    After {
        space: u8,
    },
    /// After the whole value.
    End {
        space: u8,
    },
    /// After a value that was read apart from what encloses it: what it satisfies of what was asked.
    Left {
        served: Served,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberReading {
    pub(super) serves: u32,
    pub(super) leaf: LeafId,
    pub(super) prefix: NumberPrefix,
}

impl NumberReading {
    fn memory(&self) -> usize {
        size_of::<Self>() + self.prefix.memory()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StringReading {
    pub(super) serves: u32,
    pub(super) leaf: LeafId,
    pub(super) reading: Reading,
}

/// A key that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyReading {
    pub(super) decoder: Decoder,
    /// The names that go on like that, if there are any.
    pub(super) prefix: Option<Prefix>,
    /// For each of the object's [`OtherKeys`](super::keys::OtherKeys) how it goes on, if it does.
    pub(super) others: OtherStates,
    /// What was read, where a key may be other than the names.
    pub(super) text: Option<TextId>,
}
