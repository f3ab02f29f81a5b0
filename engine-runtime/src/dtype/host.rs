//! Dense matrices and vectors as a checkpoint holds them.

use half::{bf16, f16};

use super::Stored;

/// A weight matrix as a checkpoint holds it: [rows, cols], row-major, little-endian. `rows` are outputs.
#[derive(Debug, Clone, Copy)]
pub struct HostMatrix<'a> {
    pub rows: usize,
    pub cols: usize,
    pub values: HostValues<'a>,
}

/// Values in one of the formats that checkpoints use; bytes, because a mapped file promises no alignment.
#[derive(Debug, Clone, Copy)]
pub enum HostValues<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    BF16(&'a [u8]),
}

impl<'a> HostMatrix<'a> {
    /// The values `[cols]` of one row.
    pub fn row(&self, row: usize) -> HostValues<'a> {
        let cut =
            |bytes: &'a [u8], size: usize| &bytes[row * self.cols * size..][..self.cols * size];
        match self.values {
            HostValues::F32(bytes) => HostValues::F32(cut(bytes, 4)),
            HostValues::F16(bytes) => HostValues::F16(cut(bytes, 2)),
            HostValues::BF16(bytes) => HostValues::BF16(cut(bytes, 2)),
        }
    }
}

impl<'a> HostValues<'a> {
    /// The values in order, exactly.
    pub fn iter(self) -> Box<dyn Iterator<Item = f32> + 'a> {
        match self {
            Self::F32(bytes) => {
                Box::new(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)))
            }
            Self::F16(bytes) => Box::new(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f16::from_le_bytes(*b).to_f32()),
            ),
            Self::BF16(bytes) => Box::new(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| bf16::from_le_bytes(*b).to_f32()),
            ),
        }
    }

    /// Name of the format, as [`Float::NAME`](super::Float::NAME).
    pub fn format(&self) -> &'static str {
        match self {
            Self::F32(_) => "f32",
            Self::F16(_) => "f16",
            Self::BF16(_) => "bf16",
        }
    }

    pub fn stored(&self) -> Stored {
        Stored {
            format: self.format(),
            bytes: self.bytes(),
        }
    }

    pub fn bytes(&self) -> u64 {
        let (Self::F32(bytes) | Self::F16(bytes) | Self::BF16(bytes)) = self;
        bytes.len() as u64
    }

    pub fn elements(&self) -> u64 {
        match self {
            Self::F32(_) => self.bytes() / 4,
            Self::F16(_) | Self::BF16(_) => self.bytes() / 2,
        }
    }
}
