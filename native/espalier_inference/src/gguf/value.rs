//! [`Value`]: a value of the metadata.

use super::fault::Fault;
use super::input::Input;

/// Arrays in arrays may be this deep. No known key has any.
const MAX_DEPTH: usize = 4;

/// A value of the metadata.
#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Text(String),
    Scalars(Scalars),
    Texts(Vec<String>),
    /// An array of arrays: it was read, and nothing needs what is in it.
    Nested,
}

/// A number or a truth value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

/// An array of scalars of one kind, as bytes.
#[derive(Debug)]
pub(crate) struct Scalars {
    kind: ScalarKind,
    bytes: Vec<u8>,
}

impl Scalars {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Scalar> {
        self.bytes.chunks_exact(self.kind.size()).map(|bytes| self.kind.scalar(bytes))
    }
}

/// The kinds of values, by their numbers in the file.
#[derive(Clone, Copy)]
enum Kind {
    Scalar(ScalarKind),
    Text,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScalarKind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(input: &mut Input<'_>) -> Result<Self, Fault> {
        let kind = match input.u32()? {
            0 => ScalarKind::U8,
            1 => ScalarKind::I8,
            2 => ScalarKind::U16,
            3 => ScalarKind::I16,
            4 => ScalarKind::U32,
            5 => ScalarKind::I32,
            6 => ScalarKind::F32,
            7 => ScalarKind::Bool,
            8 => return Ok(Self::Text),
            9 => return Ok(Self::Array),
            10 => ScalarKind::U64,
            11 => ScalarKind::I64,
            12 => ScalarKind::F64,
            other => return Err(Fault::new("the number of a type, from 0 to 12", other)),
        };
        Ok(Self::Scalar(kind))
    }
}

impl ScalarKind {
    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The scalar in `size` bytes.
    fn scalar(self, bytes: &[u8]) -> Scalar {
        let mut low = [0; 8];
        low[..bytes.len()].copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(low);
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Scalar::Unsigned(unsigned),
            Self::I8 => Scalar::Signed(i64::from(unsigned as i8)),
            Self::I16 => Scalar::Signed(i64::from(unsigned as i16)),
            Self::I32 => Scalar::Signed(i64::from(unsigned as i32)),
            Self::I64 => Scalar::Signed(unsigned as i64),
            Self::F32 => Scalar::Float(f64::from(f32::from_bits(unsigned as u32))),
            Self::F64 => Scalar::Float(f64::from_bits(unsigned)),
            Self::Bool => Scalar::Bool(unsigned != 0),
        }
    }

    fn read(self, input: &mut Input<'_>, n: u64) -> Result<Scalars, Fault> {
        input.check_room(n, self.size() as u64)?;
        let bytes = input.bytes(n * self.size() as u64)?;
        match bytes.iter().find(|&&byte| self == Self::Bool && byte > 1) {
            Some(byte) => Err(Fault::new("0 or 1 for a truth value", byte)),
            None => Ok(Scalars { kind: self, bytes }),
        }
    }
}

impl Value {
    /// A value with its type in front of it.
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, Fault> {
        match Kind::read(input)? {
            Kind::Scalar(kind) => {
                let Scalars { bytes, .. } = kind.read(input, 1)?;
                Ok(Self::Scalar(kind.scalar(&bytes)))
            }
            Kind::Text => input.text().map(Self::Text),
            Kind::Array => Self::read_array(input, 1),
        }
    }

    fn read_array(input: &mut Input<'_>, depth: usize) -> Result<Self, Fault> {
        let kind = Kind::read(input)?;
        let n = input.u64()?;
        match kind {
            Kind::Scalar(kind) => kind.read(input, n).map(Self::Scalars),
            Kind::Text => {
                input.check_room(n, size_of::<u64>() as u64)?;
                (0..n).map(|_| input.text()).collect::<Result<_, _>>().map(Self::Texts)
            }
            Kind::Array if depth == MAX_DEPTH => {
                Err(Fault::new(format!("arrays {MAX_DEPTH} deep at most"), "a deeper one"))
            }
            Kind::Array => {
                // A type and a length each.
                input.check_room(n, 12)?;
                (0..n).try_for_each(|_| Self::read_array(input, depth + 1).map(drop))?;
                Ok(Self::Nested)
            }
        }
    }
}
