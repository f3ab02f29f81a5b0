//! Instruction sets as types.
//!
//! A value of an [`Isa`] type is proof that this machine has the instructions: only [`Isa::detect`] makes one. So
//! vector operations are safe methods of it, and what is unsafe in a kernel is its pointers alone. Kernels are
//! written once, generic over the instruction set, and entered through [`Isa::enter`], which is where the
//! instructions are switched on. The only `cfg`s on the processor are here and in this folder.
//!
//! A kernel has one answer on every instruction set, bit for bit. Operations on lanes are those of IEEE 754 everywhere,
//! a product that is added to is rounded once with it ([`Isa::mul_add`]), and what runs across lanes is summed in
//! `Sums` alone, whose order knows nothing of a vector's width. Two things are excepted: products in bf16 on
//! [`Avx512Bf16`], whose instruction rounds as it likes, and x86-64 processors from before 2013, which cannot round a
//! product and a sum as one ([`Portable`]).

/// Operations that are one instruction each, lane by lane.
#[cfg(target_arch = "x86_64")]
macro_rules! instructions {
    ($vector:ty; $($name:ident($($x:ident),+) = $instruction:path;)+) => {$(
        #[inline(always)]
        fn $name(self, $($x: $vector),+) -> $vector {
            // SAFETY: `self` is proof of the instructions.
            unsafe { $instruction($($x),+) }
        }
    )+};
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod level;
mod portable;
mod sums;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, Avx512Bf16};
pub use level::{Level, ThisMachine};
pub use portable::Portable;
pub(in crate::backend::cpu) use sums::Sums;

use crate::dtype::Float;

impl sealed::Sealed for Portable {}
#[cfg(target_arch = "x86_64")]
impl sealed::Sealed for Avx2 {}
#[cfg(target_arch = "x86_64")]
impl sealed::Sealed for Avx512 {}
#[cfg(target_arch = "x86_64")]
impl sealed::Sealed for Avx512Bf16 {}

/// Most vectors of f32 lanes that a kernel may assume, for temporaries on the stack.
pub const MAX_LANES: usize = 16;

/// Only this module makes instruction sets: kernels rely on what is said of them here.
mod sealed {
    pub trait Sealed {}
}

/// An instruction set, and the vector of f32 lanes that it works in.
pub trait Isa: sealed::Sealed + Copy + Send + Sync + 'static {
    /// What a machine must have.
    const LEVEL: Level;
    /// f32 lanes of a vector.
    const LANES: usize;
    /// Rows of a register tile that is two vectors wide.
    const TILE_ROWS: usize;

    /// One vector.
    type Vector: Copy;

    /// The proof that this machine has the instructions, or the names of those that it lacks.
    fn detect() -> Result<Self, Vec<&'static str>>;

    /// Runs a kernel with the instructions switched on.
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Out;

    fn splat(self, x: f32) -> Self::Vector;
    /// # Safety
    /// `from` is valid for reads of `LANES` elements.
    unsafe fn load(self, from: *const f32) -> Self::Vector;
    /// # Safety
    /// `to` is valid for writes of `LANES` elements.
    unsafe fn store(self, x: Self::Vector, to: *mut f32);
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a * b + c, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger; `b` where either is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller; `b` where either is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// To the nearest integer.
    fn round(self, x: Self::Vector) -> Self::Vector;
    /// 2^x for integral x in -126..=127.
    fn power_of_two(self, x: Self::Vector) -> Self::Vector;
    /// `x` where `a` is at least `b` or either is NaN, else 0.
    fn keep_unless_below(self, x: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Asks for the cache line at `address`, which need not be valid.
    fn prefetch(self, address: *const u8);

    /// The largest lane, where none is NaN; of two zeros the positive one.
    #[inline(always)]
    fn largest(self, x: Self::Vector) -> f32 {
        let mut lanes = self.lanes(x);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                if lanes[i + width] > lanes[i] {
                    lanes[i] = lanes[i + width];
                }
            }
        }
        lanes[0] + 0.0
    }

    /// The lanes as an array, zero behind them.
    #[inline(always)]
    fn lanes(self, x: Self::Vector) -> [f32; MAX_LANES] {
        const { assert!(Self::LANES <= MAX_LANES) };
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: LANES is at most MAX_LANES, by the assertion.
        unsafe { self.store(x, lanes.as_mut_ptr()) };
        lanes
    }
}

/// A piece of work that wants the instructions of `I`.
pub trait Kernel<I: Isa> {
    type Out;
    /// Implementations are `#[inline(always)]`, so that they are compiled inside [`Isa::enter`]. Their vector
    /// operations stand in loops, not in closures, which would be compiled apart and without the instructions.
    fn run(self, isa: I) -> Self::Out;
}

/// Products of weights in `D` with activations, on this instruction set.
///
/// A *group* is `GROUP` consecutive columns, of weights [LANES outputs, GROUP] and of one row of activations.
/// Accumulators add group after group, so that every output is one chain in column order.
#[diagnostic::on_unimplemented(
    message = "the instruction set `{Self}` has no kernels for weights in `{D}`",
    note = "choose another `[model] dtype` or another `target` in the profile"
)]
pub trait Dot<D: Float>: Isa {
    /// Columns of a group: 1 or 2.
    const GROUP: usize;
    /// One row's activations of a group.
    type Group: bytemuck::Pod + Send + Sync;
    /// A group's weights in registers, one vector of outputs.
    type Weights: Copy;

    /// Activations of one row, `x` `[cols]`, to `groups` [cols / GROUP, rounded up]; zero behind the last column.
    fn group(self, x: &[f32], groups: &mut [Self::Group]);

    /// A vector of what is stored.
    ///
    /// # Safety
    /// `from` is valid for reads of `LANES` elements.
    unsafe fn load_wide(self, from: *const D) -> Self::Vector;

    /// # Safety
    /// `from` is valid for reads of `LANES * GROUP` elements.
    unsafe fn weights(self, from: *const D) -> Self::Weights;

    /// sum [one vector of outputs] + weights * activations
    fn accumulate(self, sum: Self::Vector, weights: Self::Weights, x: Self::Group) -> Self::Vector;

    /// A tile of registers, [M rows, V vectors of outputs]: `sums` with the products of `groups` groups added.
    ///
    /// A processor with matrix registers (AMX) takes part here: it overrides this loop and `group`, for every M, since the
    /// order inside such an instruction is another one; the weights suit it as they lie.
    ///
    /// # Safety
    /// `weights` are valid for reads of `groups` groups, [2, LANES, GROUP] elements from one to the next; `x` for
    /// [groups, M].
    #[inline(always)]
    unsafe fn tile<const M: usize, const V: usize>(
        self,
        weights: [*const D; V],
        soon: Ahead<D, V>,
        x: *const Self::Group,
        groups: usize,
        mut sums: [[Self::Vector; V]; M],
    ) -> [[Self::Vector; V]; M] {
        let panel = 2 * Self::LANES * Self::GROUP;
        // Indices: through iterators the sums would stay in memory.
        for group in 0..groups {
            // SAFETY: the caller's word; a prefetch is no access.
            unsafe {
                for v in (0..V).step_by(Self::VECTORS_OF_LINE) {
                    self.prefetch(soon.at[v].wrapping_add(group * soon.pace).cast());
                }
                let mut loaded = [self.weights(weights[0].add(group * panel)); V];
                for v in 1..V {
                    loaded[v] = self.weights(weights[v].add(group * panel));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = *x.add(group * M + row);
                    for v in 0..V {
                        sums[v] = self.accumulate(sums[v], loaded[v], x);
                    }
                }
            }
        }
        sums
    }

    /// Vectors of a group's weights that share a cache line of 64 bytes, at least 1; of two, one is asked for.
    const VECTORS_OF_LINE: usize = {
        let bytes = Self::LANES * Self::GROUP * size_of::<D>();
        if bytes < 64 { 2 } else { 1 }
    };
}

/// What a tile asks for while it computes, from memory that need not be valid.
#[derive(Clone, Copy)]
pub struct Ahead<D, const V: usize> {
    /// Where it begins, for each vector of outputs.
    pub at: [*const D; V],
    /// Elements from one group to the next.
    pub pace: usize,
}

/// Two columns of one row. A struct and not an array: an array of eight bytes travels in an integer register, and the
/// tile would take it apart again where it can read each number from memory into a whole vector.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Pair(pub f32, pub f32);

/// Splits columns into pairs, with zero behind an odd one.
#[cfg(target_arch = "x86_64")]
fn pairs(x: &[f32]) -> impl Iterator<Item = Pair> {
    x.chunks(2)
        .map(|pair| Pair(pair[0], pair.get(1).copied().unwrap_or(0.0)))
}
