//! Plain Rust over short arrays, which compilers turn into the vectors of whatever machine it is.

use half::{bf16, f16};

use super::{Dot, Isa, Kernel, Level, widen_each};
use crate::dtype::Float;

/// Any machine.
#[derive(Debug, Clone, Copy)]
pub struct Portable(());

const LANES: usize = 4;
type Vector = [f32; LANES];

impl Isa for Portable {
    const LEVEL: Level = Level::ANY;
    const LANES: usize = LANES;
    const TILE_ROWS: usize = 4;

    type Vector = Vector;

    fn detect() -> Result<Self, Vec<&'static str>> {
        Ok(Self(()))
    }

    #[inline(always)]
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Vector {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Vector {
        // SAFETY: the caller's word; unaligned, as f32 pointers are no vectors.
        unsafe { from.cast::<Vector>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, x: Vector, to: *mut f32) {
        // SAFETY: the caller's word.
        unsafe { to.cast::<Vector>().write_unaligned(x) }
    }
    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        // Not `f32::mul_add`: without an instruction for it that is a slow call.
        zip(zip(a, b, |a, b| a * b), c, |product, c| product + c)
    }
    #[inline(always)]
    fn max(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(self, x: Vector) -> Vector {
        // Adding 1.5 * 2^23 leaves no bits for a fraction; exact for all that `exp` rounds.
        const MAGIC: f32 = 12_582_912.0;
        x.map(|x| (x + MAGIC) - MAGIC)
    }
    #[inline(always)]
    fn power_of_two(self, x: Vector) -> Vector {
        x.map(|x| f32::from_bits(((x as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    fn keep_unless_below(self, x: Vector, a: Vector, b: Vector) -> Vector {
        std::array::from_fn(|i| if a[i] < b[i] { 0.0 } else { x[i] })
    }
    #[inline(always)]
    fn prefetch(self, _: *const u8) {}
}

#[inline(always)]
fn zip(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    std::array::from_fn(|i| f(a[i], b[i]))
}

macro_rules! widened {
    ($stored:ty) => {
        impl Dot<$stored> for Portable {
            const GROUP: usize = 1;
            type Group = f32;
            type Weights = [Vector; 2];

            #[inline(always)]
            fn group(self, x: &[f32], groups: &mut [f32]) {
                groups.copy_from_slice(x);
            }
            #[inline(always)]
            fn widen(self, from: &[$stored], to: &mut [f32]) {
                widen_each(from, to);
            }
            #[inline(always)]
            unsafe fn weights(self, from: *const $stored) -> [Vector; 2] {
                // SAFETY: the caller's word.
                unsafe { from.cast::<[[$stored; LANES]; 2]>().read_unaligned() }
                    .map(|half| half.map(Float::to_f32))
            }
            #[inline(always)]
            fn accumulate(self, sums: [Vector; 2], weights: [Vector; 2], x: f32) -> [Vector; 2] {
                let x = self.splat(x);
                [
                    self.mul_add(weights[0], x, sums[0]),
                    self.mul_add(weights[1], x, sums[1]),
                ]
            }
        }
    };
}

widened!(f32);
widened!(f16);
widened!(bf16);
