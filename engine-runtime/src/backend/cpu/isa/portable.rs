//! Plain Rust over short arrays, which compilers turn into the vectors of whatever machine it is.

use half::{bf16, f16};

use super::{Dot, Isa, Kernel, Level};

/// Any machine.
///
/// Products and sums are rounded as one, as they are by every other instruction set, wherever the machine has an
/// instruction for it. On x86-64 that is asked when the engine starts, and kernels are compiled twice. Processors from
/// before 2013 have none; to get its result from the others would take some nine times as many (two conversions to f64,
/// an exact product, a sum with its error, a correction and a conversion back, for half as many lanes), so that there
/// the answer is a little different, and as fast.
#[derive(Debug, Clone, Copy)]
pub struct Portable(MulAdd);

/// How a product is added.
#[derive(Debug, Clone, Copy)]
enum MulAdd {
    /// Rounded once. On x86-64 a proof that the machine has the instructions of [`Level::V3`].
    Fused,
    /// Rounded twice.
    Apart,
}

const LANES: usize = 4;
type Vector = [f32; LANES];

/// One after the other, in a loop that needs no closure: those are compiled for the oldest machine.
macro_rules! each_lane {
    (|$i:ident| $value:expr) => {{
        let mut lanes = [0.0; LANES];
        for ($i, lane) in lanes.iter_mut().enumerate() {
            *lane = $value;
        }
        lanes
    }};
}

impl Isa for Portable {
    const LEVEL: Level = Level::ANY;
    const LANES: usize = LANES;
    const TILE_ROWS: usize = 4;

    type Vector = Vector;

    fn detect() -> Result<Self, Vec<&'static str>> {
        // Other processors have the instruction, or a library that rounds as it would.
        let fused = cfg!(not(target_arch = "x86_64")) || Level::V3.missing().is_empty();
        Ok(Self(if fused { MulAdd::Fused } else { MulAdd::Apart }))
    }

    #[inline(always)]
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Out {
        // Each branch makes the value anew, and so a constant of it.
        match self.0 {
            MulAdd::Fused => fused(kernel),
            MulAdd::Apart => kernel.run(Self(MulAdd::Apart)),
        }
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
        each_lane!(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        match self.0 {
            MulAdd::Fused => each_lane!(|i| a[i].mul_add(b[i], c[i])),
            // Without an instruction `f32::mul_add` is a slow call.
            MulAdd::Apart => each_lane!(|i| a[i] * b[i] + c[i]),
        }
    }
    #[inline(always)]
    fn max(self, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn round(self, x: Vector) -> Vector {
        // Adding 1.5 * 2^23 leaves no bits for a fraction; exact for all that `exp` rounds.
        const MAGIC: f32 = 12_582_912.0;
        each_lane!(|i| (x[i] + MAGIC) - MAGIC)
    }
    #[inline(always)]
    fn power_of_two(self, x: Vector) -> Vector {
        each_lane!(|i| f32::from_bits(((x[i] as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    fn keep_unless_below(self, x: Vector, a: Vector, b: Vector) -> Vector {
        each_lane!(|i| if a[i] < b[i] { 0.0 } else { x[i] })
    }
    #[inline(always)]
    fn prefetch(self, _: *const u8) {}
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fused<K: Kernel<Portable>>(kernel: K) -> K::Out {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn inside<K: Kernel<Portable>>(kernel: K) -> K::Out {
        kernel.run(Portable(MulAdd::Fused))
    }
    // SAFETY: called where `MulAdd::Fused` is proof of the instructions.
    unsafe { inside(kernel) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn fused<K: Kernel<Portable>>(kernel: K) -> K::Out {
    kernel.run(Portable(MulAdd::Fused))
}

macro_rules! widened {
    ($stored:ty: |$x:ident| $widened:expr) => {
        impl Dot<$stored> for Portable {
            const GROUP: usize = 1;
            type Group = f32;
            type Weights = Vector;

            #[inline(always)]
            fn group(self, x: &[f32], groups: &mut [f32]) {
                groups.copy_from_slice(x);
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const $stored) -> Vector {
                // SAFETY: the caller's word.
                let from = unsafe { from.cast::<[$stored; LANES]>().read_unaligned() };
                each_lane!(|i| {
                    let $x = from[i];
                    $widened
                })
            }
            #[inline(always)]
            unsafe fn weights(self, from: *const $stored) -> Vector {
                // SAFETY: the caller's word.
                unsafe { self.load_wide(from) }
            }
            #[inline(always)]
            fn accumulate(self, sum: Vector, weights: Vector, x: f32) -> Vector {
                self.mul_add(weights, self.splat(x), sum)
            }
        }
    };
}

widened!(f32: |x| x);
widened!(f16: |x| x.to_f32());
// As instructions do it, where `to_f32` looks for what is no number.
widened!(bf16: |x| f32::from_bits(u32::from(x.to_bits()) << 16));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::exp::exp;
    use crate::backend::cpu::rows::load;

    /// e^x, and x * x - 1 rounded once or twice.
    struct Both(f32);

    impl Kernel<Portable> for Both {
        type Out = [f32; 2];

        #[inline(always)]
        fn run(self, isa: Portable) -> [f32; 2] {
            let x = load(isa, &[self.0; LANES]);
            let product = isa.mul_add(x, x, isa.splat(-1.0));
            [exp(isa, x)[0], product[0]]
        }
    }

    #[test]
    fn a_machine_that_cannot_round_once_computes_all_the_same() {
        // The square of 1 + 2^-23 is 1 + 2^-22 + 2^-46.
        let x = 1.0 + f32::EPSILON;
        let [power, product] = Portable(MulAdd::Apart).enter(Both(x));
        assert_eq!(product, 2.0 * f32::EPSILON);
        assert!((power - x.exp()).abs() < 1e-6, "{power}");
        let fused = Portable::detect().expect("any machine");
        if let Portable(MulAdd::Apart) = fused {
            return testbed::skipped("fma", "this processor has none");
        }
        let [power, product] = fused.enter(Both(x));
        assert_eq!(product, 2.0 * f32::EPSILON + f32::EPSILON * f32::EPSILON);
        assert!((power - x.exp()).abs() < 1e-6, "{power}");
    }
}
