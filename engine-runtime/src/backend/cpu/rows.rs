//! Ops on single rows: norms, rotation, activation, experts. Every row, or head, is one task's, summed in one order.

use std::marker::PhantomData;

use super::exp::exp;
use super::isa::{Isa, Kernel, MAX_LANES, Sums};
use crate::backend::RouteWeights;

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
    let mut squares = Sums::new(isa);
    let (blocks, rest) = row.as_chunks::<{ MAX_LANES }>();
    for block in blocks {
        squares.add_squares(isa, block);
    }
    if !rest.is_empty() {
        squares.add_squares(isa, rest);
    }
    let mean = squares.total(isa) / row.len() as f32;
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

/// A function in front of a gate: x / (1 + e^-y) for a y of its own.
pub(super) trait Activation: Send + Sync {
    fn exponent<I: Isa>(isa: I, x: I::Vector) -> I::Vector;
}

/// y = x
pub(super) struct Silu;

impl Activation for Silu {
    #[inline(always)]
    fn exponent<I: Isa>(_: I, x: I::Vector) -> I::Vector {
        x
    }
}

/// y = 2 sqrt(2 / pi) * (x + 0.044715 x^3): since (1 + tanh(y / 2)) / 2 = 1 / (1 + e^-y).
pub(super) struct Gelu;

impl Activation for Gelu {
    #[inline(always)]
    fn exponent<I: Isa>(isa: I, x: I::Vector) -> I::Vector {
        let cubic = isa.splat(0.071_354_814);
        let linear = isa.splat(1.595_769_2);
        isa.mul(x, isa.mul_add(isa.mul(x, x), cubic, linear))
    }
}

/// out = activation(gate) * up for one row
pub(super) struct Gated<'a, A> {
    pub gate: &'a [f32],
    pub up: &'a [f32],
    pub out: &'a mut [f32],
    pub activation: PhantomData<A>,
}

impl<I: Isa, A: Activation> Kernel<I> for Gated<'_, A> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let inputs = self.gate.chunks(I::LANES).zip(self.up.chunks(I::LANES));
        for (out, (gate, up)) in self.out.chunks_mut(I::LANES).zip(inputs) {
            let gate = load(isa, gate);
            let exponent = A::exponent(isa, gate);
            let power = exp(isa, isa.sub(isa.splat(0.0), exponent));
            let value = isa.div(gate, isa.add(isa.splat(1.0), power));
            // Where the power no longer grows, the value is next to 0, and not the gate divided by what it stopped at.
            let value = isa.keep_unless_below(value, exponent, isa.splat(-88.0));
            store(isa, isa.mul(value, load(isa, up)), out);
        }
    }
}

/// Chooses one row's experts.
pub(super) struct Route<'a> {
    pub logits: &'a [f32],
    pub weights: RouteWeights,
    pub experts: &'a mut [u32],
    pub shares: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Route<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let (logits, experts) = (self.logits, self.experts);
        choose(logits, experts);
        let largest = number(logits[experts[0] as usize]);
        experts.sort_unstable();
        // Where the largest is infinite, those that equal it share the weight.
        let shift = isa.splat(if largest.is_finite() { largest } else { 0.0 });
        let mut chosen = 0.0;
        for (&mut expert, share) in experts.iter_mut().zip(self.shares.iter_mut()) {
            let logit = number(logits[expert as usize]);
            *share = match largest.is_finite() {
                true => isa.lanes(exp(isa, isa.sub(isa.splat(logit), shift)))[0],
                false => f32::from(u8::from(logit == largest)),
            };
            chosen += *share;
        }
        let total = match self.weights {
            RouteWeights::OfChosen => chosen,
            RouteWeights::OfAll if largest.is_finite() => {
                let lowest = isa.splat(f32::NEG_INFINITY);
                let mut sums = Sums::new(isa);
                let mut weights = [0.0; MAX_LANES];
                for logits in logits.chunks(MAX_LANES) {
                    let weights = &mut weights[..logits.len()];
                    let vectors = logits.chunks(I::LANES).zip(weights.chunks_mut(I::LANES));
                    for (logits, weights) in vectors {
                        let logits = isa.max(load(isa, logits), lowest);
                        store(isa, exp(isa, isa.sub(logits, shift)), weights);
                    }
                    sums.add(isa, weights);
                }
                sums.total(isa)
            }
            RouteWeights::OfAll => {
                let equal = logits.iter().filter(|logit| number(**logit) == largest);
                equal.count() as f32
            }
        };
        for share in self.shares {
            *share /= total;
        }
    }
}

/// The experts of the largest logits, the largest first and the lowest id first among equals.
fn choose(logits: &[f32], experts: &mut [u32]) {
    let mut found = 0;
    for (expert, logit) in (0..).zip(logits) {
        let logit = number(*logit);
        let larger = |other: &u32| number(logits[*other as usize]) >= logit;
        let place = experts[..found].partition_point(larger);
        if place < experts.len() {
            found = (found + 1).min(experts.len());
            experts[place..found].rotate_right(1);
            experts[place] = expert;
        }
    }
}

/// A logit to compare by: without NaN.
fn number(logit: f32) -> f32 {
    if logit.is_nan() {
        f32::NEG_INFINITY
    } else {
        logit
    }
}

/// out [width] = the sum of weights `[n]` * x [n, width], in order
pub(super) struct Combine<'a> {
    pub x: &'a [f32],
    pub weights: &'a [f32],
    pub out: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Combine<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let width = self.out.len();
        for (start, out) in (0..).step_by(I::LANES).zip(self.out.chunks_mut(I::LANES)) {
            let mut sum = isa.splat(0.0);
            for (x, weight) in self.x.chunks_exact(width).zip(self.weights) {
                let x = load(isa, &x[start..start + out.len()]);
                sum = isa.mul_add(x, isa.splat(*weight), sum);
            }
            store(isa, sum, out);
        }
    }
}
