//! Sums across lanes, in an order that is the same on every instruction set.

use super::{Isa, MAX_LANES};
use crate::backend::cpu::rows::load;

/// As many running sums as the widest vector has lanes, in as many vectors as that takes here. What is added are blocks
/// of so many numbers, each number to the sum of its place; in the end the sums are added in pairs.
pub struct Sums<I: Isa>([I::Vector; MAX_LANES / FEWEST_LANES]);

/// Lanes of the narrowest vector.
const FEWEST_LANES: usize = 4;

impl<I: Isa> Sums<I> {
    /// Numbers of a block.
    pub const BLOCK: usize = MAX_LANES;
    /// The others are never touched, and compilers leave them out.
    const VECTORS: usize = {
        assert!(I::LANES >= FEWEST_LANES && MAX_LANES.is_multiple_of(I::LANES));
        MAX_LANES / I::LANES
    };

    #[inline(always)]
    pub fn new(isa: I) -> Self {
        Self([isa.splat(0.0); MAX_LANES / FEWEST_LANES])
    }

    /// Adds a block, or the first numbers of one.
    #[inline(always)]
    pub fn add(&mut self, isa: I, block: &[f32]) {
        for (i, sum) in self.0[..Self::VECTORS].iter_mut().enumerate() {
            *sum = isa.add(*sum, load(isa, part::<I>(block, i)));
        }
    }

    /// Adds the squares of a block, or of the first numbers of one.
    #[inline(always)]
    pub fn add_squares(&mut self, isa: I, block: &[f32]) {
        for (i, sum) in self.0[..Self::VECTORS].iter_mut().enumerate() {
            let x = load(isa, part::<I>(block, i));
            *sum = isa.mul_add(x, x, *sum);
        }
    }

    /// The sum of all.
    #[inline(always)]
    pub fn total(self, isa: I) -> f32 {
        let Self(mut vectors) = self;
        let mut count = Self::VECTORS;
        while count > 1 {
            count /= 2;
            for i in 0..count {
                vectors[i] = isa.add(vectors[i], vectors[i + count]);
            }
        }
        let mut lanes = isa.lanes(vectors[0]);
        let mut width = I::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
        }
        lanes[0]
    }
}

/// What of a block goes to the vector `i`; nothing where the block is shorter.
#[inline(always)]
fn part<I: Isa>(block: &[f32], i: usize) -> &[f32] {
    &block[(i * I::LANES).min(block.len())..]
}
