//! The CPU backend: `Cpu<I>` for the instruction set `I`.
//!
//! A launch runs at once, on a pool of pinned threads, and has run when it returns. Activations are f32, sums are
//! f32, weights and cache are what the recipe says. Ops are cut into tasks by what they write and never by what they
//! sum, so that neither rows nor threads can change a bit (see `matmul` and `attention`).

mod attention;
mod cache;
mod exp;
mod experts;
pub mod isa;
mod lent;
pub mod limits;
mod machine;
mod matmul;
mod matrix;
mod memory;
mod ops;
mod pool;
mod rows;
mod sampler;
mod tiles;

pub use cache::Cache;
pub use isa::*;
pub use matrix::Matrix;
pub use memory::Array;

use crate::backend::{Backend, DeviceError, DeviceOptions, Largest};
use crate::dtype::Element;
use crate::legal::family;
use lent::{Kept, Lent};
use memory::Scratch;
use pool::Pool;

/// The CPU as a device.
pub struct Cpu<I> {
    isa: I,
    pool: Pool,
    /// All threads' together.
    scratch: Scratch,
    /// What tasks of attention leave to each other.
    partials: Scratch,
    /// Each thread's own.
    lent: Lent,
}

/// Elements of an op that are worth a task of their own.
const TASK: usize = 1 << 14;

impl<I: Isa> Cpu<I> {
    /// Runs `op` on each row; a row of `width` elements is one task's, and small rows share a task.
    fn each_row(&mut self, rows: usize, width: usize, op: impl Fn(I, usize) + Sync) {
        each_row(self.isa, &mut self.pool, [rows, width], op);
    }

    /// As [`Cpu::each_row`], with what the row's thread keeps.
    fn each_row_with(
        &mut self,
        rows: usize,
        width: usize,
        op: impl Fn(I, usize, &mut Kept) + Sync,
    ) {
        let lent = &self.lent;
        each_row(self.isa, &mut self.pool, [rows, width], |isa, row| {
            lent.with(|kept| op(isa, row, kept));
        });
    }
}

fn each_row<I: Isa>(
    isa: I,
    pool: &mut Pool,
    [rows, width]: [usize; 2],
    op: impl Fn(I, usize) + Sync,
) {
    let tasks = (rows * width / TASK).clamp(1, rows.max(1));
    pool.run(tasks, |task| {
        for row in task * rows / tasks..(task + 1) * rows / tasks {
            op(isa, row);
        }
    });
}

impl<I: Isa> Backend for Cpu<I> {
    const NAME: &'static str = "cpu";

    type Family = family::Cpu;

    type Array<T: Element> = Array<T>;

    type Ticket<T: Element> = Box<[T]>;

    fn host_levels() -> [&'static Level; 2] {
        [Level::of_this_build(), &I::LEVEL]
    }

    fn open(options: &DeviceOptions) -> Result<Self, DeviceError> {
        let failed = |reason| DeviceError::Open {
            backend: Self::NAME,
            reason,
        };
        let isa = I::detect().map_err(|missing| {
            failed(format!(
                "this engine was built for {}; this machine lacks {}; build with `target = \"native\"` on it, or \
                 for an older instruction set",
                I::LEVEL.name,
                missing.join(", ")
            ))
        })?;
        let pool = Pool::new(options.threads)
            .map_err(|error| failed(format!("cannot start a worker thread: {error}")))?;
        Ok(Self {
            isa,
            lent: Lent::new(pool.threads()),
            pool,
            scratch: Scratch::default(),
            partials: Scratch::default(),
        })
    }

    fn free_memory(&self) -> Option<u64> {
        machine::free_memory()
    }

    /// Worker threads, the caller's included.
    fn threads(&self) -> usize {
        self.pool.threads()
    }

    fn scratch_of_thread(largest: &Largest) -> usize {
        Kept::bytes_for(largest)
    }

    fn shared_scratch(largest: &Largest) -> usize {
        attention::shared_scratch(largest.rows, largest.positions, largest.heads)
    }

    fn reserve_scratch(&mut self, largest: &Largest) {
        self.scratch.reserve(largest.product);
        self.partials.reserve(Self::shared_scratch(largest));
        self.lent.reserve(&mut self.pool, largest);
    }

    fn alloc<T: Element>(
        &mut self,
        what: &'static str,
        len: usize,
    ) -> Result<Array<T>, DeviceError> {
        Array::reserved(&mut self.pool, what, len)
    }

    fn upload<T: Element>(
        &mut self,
        array: &mut Array<T>,
        source: &[T],
    ) -> Result<(), DeviceError> {
        array.get_mut()[..source.len()].copy_from_slice(source);
        Ok(())
    }

    fn fetch<T: Element>(&mut self, array: &Array<T>, len: usize) -> Result<Box<[T]>, DeviceError> {
        Ok(array.get()[..len].into())
    }

    fn wait<T: Element>(&mut self, ticket: Box<[T]>, out: &mut [T]) -> Result<(), DeviceError> {
        out.copy_from_slice(&ticket);
        Ok(())
    }
}

#[cfg(test)]
impl<I> Cpu<I> {
    /// Bytes of scratch: all threads' together, of products and of attention, then each thread's own.
    pub(crate) fn scratch_bytes(&self) -> Vec<usize> {
        let together = [&self.scratch, &self.partials].map(Scratch::bytes);
        [together.to_vec(), self.lent.bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::dtype::Dense;
    use crate::models::{Gemma3, Llama, Qwen3Moe};
    use crate::testing::{LIMITS, Solo};

    crate::recipe! { Plain { backend: Cpu<Portable>, weights: Dense<f32>, model: Llama<Self>, limits: LIMITS } }
    crate::recipe! { Mixed { backend: Cpu<Portable>, weights: Dense<f32>, model: Qwen3Moe<Self>, limits: LIMITS } }
    crate::recipe! { Capped { backend: Cpu<Portable>, weights: Dense<f32>, model: Gemma3<Self>, limits: LIMITS } }

    /// Bytes of scratch before and after the largest step.
    fn scratch<R: crate::Recipe>(
        golden: &str,
        bytes: fn(&R::Backend) -> Vec<usize>,
    ) -> [Vec<usize>; 2] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        let options = DeviceOptions { threads: Some(2) };
        let solo = Solo::<R>::load(&folder.join(golden), &options, &mut |_, _| ());
        let mut solo = solo.expect("a golden loads");
        let before = bytes(&solo.device);
        let tokens: Vec<u32> = (0..LIMITS.max_batched_tokens as u32)
            .map(|i| i % 90)
            .collect();
        solo.logits(&tokens, tokens.len()).expect("it runs");
        [before, bytes(&solo.device)]
    }

    #[test]
    fn scratch_is_there_before_the_first_step() {
        for [before, after] in [
            scratch::<Plain>("llama-2", Cpu::scratch_bytes),
            scratch::<Mixed>("qwen3-moe", Cpu::scratch_bytes),
            scratch::<Capped>("gemma3", Cpu::scratch_bytes),
        ] {
            assert_eq!(
                before.len(),
                2 + 2,
                "all threads' together, and each of two"
            );
            assert!(before.iter().all(|bytes| *bytes > 0), "{before:?}");
            assert_eq!(before, after);
        }
    }
}
