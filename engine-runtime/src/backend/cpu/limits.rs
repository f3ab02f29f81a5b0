//! What this machine can do at most, measured: the bounds that a benchmark's figures are held against.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::isa::{Dot, Kernel, MAX_LANES};
use super::matmul::AHEAD;
use super::{Array, Cpu, Isa};
use crate::backend::DeviceError;
use crate::dtype::Float;

/// Bytes read by [`read_bandwidth`]: far more than caches hold.
const BUFFER: usize = 1 << 29;
/// How long a limit is measured; the best round counts, since other work on the machine can only slow one down.
const TIME: Duration = Duration::from_millis(500);

impl<I: Isa> Cpu<I> {
    /// Bytes a second that all threads together read from memory.
    pub fn read_bandwidth(&mut self) -> Result<f64, DeviceError> {
        /// Large enough to be a stream, small enough to share evenly.
        const CHUNK: usize = 1 << 18;
        let mut buffer = Array::<f32>::new("the buffer of a bandwidth measurement", BUFFER / 4)?;
        // Untouched pages would all be the same page of zeros.
        buffer.get_mut().fill(1.0);
        let chunks = buffer.get().chunks_exact(CHUNK).collect::<Vec<_>>();
        let isa = self.isa;
        let time = best(|| {
            self.pool.run(chunks.len(), |chunk| {
                black_box(isa.enter(Read(chunks[chunk])));
            });
        });
        Ok(BUFFER as f64 / time.as_secs_f64())
    }

    /// Floating-point operations a second (a product and a sum are two) that all threads together reach in registers
    /// with weights in `D`.
    pub fn dot_peak<D: Float>(&mut self) -> f64
    where
        I: Dot<D>,
    {
        const GROUPS: usize = 1 << 20;
        let (isa, threads) = (self.isa, self.pool.threads());
        let time = best(|| {
            self.pool.run(threads, |_| {
                let weights = [D::default(); 4 * MAX_LANES];
                black_box(isa.enter(Peak::<D> {
                    weights: black_box(&weights),
                    groups: GROUPS,
                }));
            });
        });
        let flops = 2 * threads * GROUPS * CHAINS * 2 * I::LANES * I::GROUP;
        flops as f64 / time.as_secs_f64()
    }
}

fn best(mut measured: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < TIME {
        let start = Instant::now();
        measured();
        best = best.min(start.elapsed());
    }
    best
}

/// Sums, so that the reads are not left out.
struct Read<'a>(&'a [f32]);

impl<I: Isa> Kernel<I> for Read<'_> {
    type Out = [f32; MAX_LANES];

    #[inline(always)]
    fn run(self, isa: I) -> [f32; MAX_LANES] {
        /// Elements of 64 bytes, which is a cache line on most machines.
        const LINE: usize = 16;
        let mut sums = [isa.splat(0.0); LINE];
        for line in self.0.as_chunks::<LINE>().0 {
            isa.prefetch(line.as_ptr().cast::<u8>().wrapping_add(AHEAD));
            for (sum, x) in sums.iter_mut().zip(line.chunks_exact(I::LANES)) {
                *sum = isa.add(*sum, super::rows::load(isa, x));
            }
        }
        // A loop: a closure would be compiled without the instructions.
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = isa.add(total, *sum);
        }
        isa.lanes(total)
    }
}

/// Pairs of accumulators that are independent: enough for every latency.
const CHAINS: usize = 6;

struct Peak<'a, D> {
    /// One group.
    weights: &'a [D; 4 * MAX_LANES],
    groups: usize,
}

impl<I: Dot<D>, D: Float> Kernel<I> for Peak<'_, D> {
    type Out = [f32; MAX_LANES];

    #[inline(always)]
    fn run(self, isa: I) -> [f32; MAX_LANES] {
        let vector = I::LANES * I::GROUP;
        // SAFETY: the array holds 2 * LANES * GROUP weights for the widest instruction set.
        let weights = unsafe {
            [
                isa.weights(self.weights.as_ptr()),
                isa.weights(self.weights[vector..].as_ptr()),
            ]
        };
        let mut group = [bytemuck::Zeroable::zeroed()];
        isa.group(&[1.0; 2][..I::GROUP], &mut group);
        let mut sums = [[isa.splat(0.0); 2]; CHAINS];
        for _ in 0..self.groups {
            for sums in &mut sums {
                sums[0] = isa.accumulate(sums[0], weights[0], group[0]);
                sums[1] = isa.accumulate(sums[1], weights[1], group[0]);
            }
        }
        let mut total = isa.splat(0.0);
        for [a, b] in sums {
            total = isa.add(total, isa.add(a, b));
        }
        isa.lanes(total)
    }
}
