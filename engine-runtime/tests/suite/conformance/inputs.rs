//! Inputs that are random, and the same in every run with the same seed.

use engine_runtime::dtype::{BF16, HostMatrix, HostValues};

thread_local! {
    /// Of each test, which has a thread of its own, so that whichever fails shows it.
    static SEED: u64 = testbed::seed();
}

/// A counter run through a mixing function (Steele et al., SplitMix64). The number says which stream it is.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0 ^ SEED.with(|seed| seed.wrapping_mul(0xd134_2543_de82_ef95));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// `len` values around 0 of about unit size.
    pub fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len)
            .map(|_| (0..4).map(|_| self.uniform() - 0.5).sum::<f32>() * 1.7)
            .collect()
    }

    /// `len` values that bf16 holds exactly, so that rounding activations changes nothing.
    pub fn bf16_values(&mut self, len: usize) -> Vec<f32> {
        self.values(len)
            .into_iter()
            .map(|x| BF16::from_f32(x).to_f32())
            .collect()
    }

    /// 0..len in a random order.
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for i in (1..len).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

/// A random matrix as a checkpoint in one of three formats holds it.
pub struct Stored {
    pub rows: usize,
    pub cols: usize,
    format: usize,
    bytes: Vec<u8>,
}

impl Stored {
    pub fn random(random: &mut Random, rows: usize, cols: usize) -> Self {
        let format = random.below(3);
        let mut bytes = vec![0];
        for value in random.values(rows * cols) {
            match format {
                0 => bytes.extend(value.to_le_bytes()),
                1 => bytes.extend(half::f16::from_f32(value).to_le_bytes()),
                _ => bytes.extend(half::bf16::from_f32(value).to_le_bytes()),
            }
        }
        Self {
            rows,
            cols,
            format,
            bytes,
        }
    }

    /// At an odd address.
    pub fn host(&self) -> HostMatrix<'_> {
        let bytes = &self.bytes[1..];
        HostMatrix {
            rows: self.rows,
            cols: self.cols,
            values: match self.format {
                0 => HostValues::F32(bytes),
                1 => HostValues::F16(bytes),
                _ => HostValues::BF16(bytes),
            },
        }
    }
}
