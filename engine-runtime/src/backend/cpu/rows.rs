//! Ops on single rows: norms, rotation, activation. Every row, or head, is one task's, summed in one order.

use super::exp::exp;
use super::isa::{Isa, Kernel, MAX_LANES};

/// The vector at the start of `x`, zero behind its end.
#[inline(always)]
pub(super) fn load<I: Isa>(isa: I, x: &[f32]) -> I::Vector {
    if x.len() >= I::LANES {
        // SAFETY: the slice is long enough.
        return unsafe { isa.load(x.as_ptr()) };
    }
    const { assert!(I::LANES <= MAX_LANES) };
    let mut padded = [0.0; MAX_LANES];
    padded[..x.len()].copy_from_slice(x);
    // SAFETY: LANES is at most MAX_LANES, by the assertion.
    unsafe { isa.load(padded.as_ptr()) }
}

/// Writes a vector, or as much of it as `to` takes.
#[inline(always)]
pub(super) fn store<I: Isa>(isa: I, x: I::Vector, to: &mut [f32]) {
    if to.len() >= I::LANES {
        // SAFETY: the slice is long enough.
        return unsafe { isa.store(x, to.as_mut_ptr()) };
    }
    let len = to.len();
    to.copy_from_slice(&isa.lanes(x)[..len]);
}

/// row = row / sqrt(mean(row^2) + eps) * weight
#[inline(always)]
fn normalise<I: Isa>(isa: I, row: &mut [f32], weight: &[f32], eps: f32) {
    let mut squares = isa.splat(0.0);
    for x in row.chunks(I::LANES) {
        let x = load(isa, x);
        squares = isa.mul_add(x, x, squares);
    }
    let mean = isa.sum(squares) / row.len() as f32;
    let factor = isa.splat(1.0 / (mean + eps).sqrt());
    for (x, weight) in row.chunks_mut(I::LANES).zip(weight.chunks(I::LANES)) {
        let scaled = isa.mul(load(isa, x), factor);
        store(isa, isa.mul(scaled, load(isa, weight)), x);
    }
}

/// out = rms_norm(x), rows of the width of `weight`
pub(super) struct Norm<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub eps: f32,
    pub out: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Norm<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        self.out.copy_from_slice(self.x);
        for row in self.out.chunks_exact_mut(self.weight.len()) {
            normalise(isa, row, self.weight, self.eps);
        }
    }
}

/// to += from
pub(super) struct Add<'a> {
    pub to: &'a mut [f32],
    pub from: &'a [f32],
}

impl<I: Isa> Kernel<I> for Add<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        for (to, from) in self.to.chunks_mut(I::LANES).zip(self.from.chunks(I::LANES)) {
            store(isa, isa.add(load(isa, to), load(isa, from)), to);
        }
    }
}

/// Normalises heads in place.
pub(super) struct HeadNorm<'a> {
    pub heads: &'a mut [f32],
    pub weight: &'a [f32],
    pub eps: f32,
}

impl<I: Isa> Kernel<I> for HeadNorm<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        for head in self.heads.chunks_exact_mut(self.weight.len()) {
            normalise(isa, head, self.weight, self.eps);
        }
    }
}

/// Rotates heads of [2 * half] in place by one position's angles [half].
pub(super) struct Rotate<'a> {
    pub heads: &'a mut [f32],
    pub cos: &'a [f32],
    pub sin: &'a [f32],
}

impl<I: Isa> Kernel<I> for Rotate<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let half = self.cos.len();
        for head in self.heads.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            let halves = low.chunks_mut(I::LANES).zip(high.chunks_mut(I::LANES));
            let angles = self.cos.chunks(I::LANES).zip(self.sin.chunks(I::LANES));
            for ((low, high), (cos, sin)) in halves.zip(angles) {
                let (a, b) = (load(isa, low), load(isa, high));
                let (cos, sin) = (load(isa, cos), load(isa, sin));
                store(isa, isa.sub(isa.mul(a, cos), isa.mul(b, sin)), low);
                store(isa, isa.mul_add(b, cos, isa.mul(a, sin)), high);
            }
        }
    }
}

/// out = silu(gate) * up for one row
pub(super) struct SiluMul<'a> {
    pub gate: &'a [f32],
    pub up: &'a [f32],
    pub out: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for SiluMul<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let inputs = self.gate.chunks(I::LANES).zip(self.up.chunks(I::LANES));
        for (out, (gate, up)) in self.out.chunks_mut(I::LANES).zip(inputs) {
            let gate = load(isa, gate);
            let power = exp(isa, isa.sub(isa.splat(0.0), gate));
            let silu = isa.div(gate, isa.add(isa.splat(1.0), power));
            // Where the power no longer grows, silu is next to 0, and not the gate divided by what it stopped at.
            let silu = isa.keep_unless_below(silu, gate, isa.splat(-88.0));
            store(isa, isa.mul(silu, load(isa, up)), out);
        }
    }
}
