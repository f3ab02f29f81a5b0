//! The device side of a step: upload, forward, sample, and the way back by ticket.
//!
//! A launch returns before its step has run; collecting waits for it. Up to [`Executor::DEPTH`] steps may be launched
//! and not collected. Each has a slot with the arrays that must outlive the launch of the next one.

use super::{Clock, Spent};
use crate::backend::{
    Advance, Attention, Backend, CacheShape, CopyBlocks, DeviceError, TokenCache,
};
use crate::batch::{Batch, Capacity, DeviceBatch, reserved};
use crate::dtype::CacheFormat;
use crate::model::Model;
use crate::parts::Output;
use crate::recipe::{Array, Cache, Recipe};
use crate::sampler::{DeviceSampler, Sampled, TableRows};

/// The model and everything of the engine that lies in device memory.
pub struct Executor<R: Recipe> {
    device: R::Backend,
    model: R::Model,
    cache: Cache<R>,
    tokens: TokenCache<R::Backend>,
    /// [logits_rows, vocab]
    logits: Array<R, f32>,
    sampler: DeviceSampler<R>,
    slots: Vec<Slot<R>>,
    /// The slot of the next launch.
    next: usize,
    /// Whether the last call did not come to its end.
    interrupted: bool,
    clock: Clock,
    spent: Spent,
}

/// What belongs to one step.
struct Slot<R: Recipe> {
    staged: Staged,
    batch: DeviceBatch<R::Backend>,
    /// [table_rows, STRIDE]
    results: Array<R, u32>,
    /// The same on the host; kept for its memory.
    words: Vec<u32>,
}

/// A step on the host, to be filled before its launch.
pub struct Staged {
    pub batch: Batch,
    /// The tokens to choose; each names its row of logits.
    pub table: TableRows,
}

/// A launched step.
#[must_use = "a launched step is to be collected"]
pub struct Pending<R: Recipe> {
    slot: usize,
    ticket: <R::Backend as Backend>::Ticket<u32>,
}

impl<R: Recipe> Executor<R> {
    /// Steps that can be launched and not collected.
    pub const DEPTH: usize = 1 + R::Output::AHEAD;

    /// Allocates everything that lies in device memory. Fails where the device has no room for it.
    pub fn open(
        mut device: R::Backend,
        mut model: R::Model,
        cache: CacheShape,
        capacity: Capacity,
        clock: Clock,
    ) -> Result<Self, DeviceError> {
        let vector = R::Cache::bytes(cache.head_dim);
        let cache_bytes = cache.vectors().saturating_mul(vector);
        let vocab = model.shape().vocab;
        model.prepare(&mut device, capacity)?;
        let slots = (0..Self::DEPTH)
            .map(|_| Slot::alloc(&mut device, capacity))
            .collect::<Result<_, _>>()?;
        let logits = device.alloc("logits", capacity.logits_rows * vocab)?;
        let sampler = DeviceSampler::alloc(&mut device, capacity.table_rows, vocab)?;
        let tokens = TokenCache {
            ids: device.alloc("tokens", cache.blocks * cache.block_size)?,
            block_size: cache.block_size,
        };
        // The largest comes last, when the rest of what is free is known.
        if let Some(free) = device.free_memory()
            && u64::try_from(cache_bytes).is_ok_and(|bytes| bytes > free)
        {
            return Err(DeviceError::OutOfMemory {
                what: "the cache of keys and values",
                bytes: cache_bytes,
            });
        }
        Ok(Self {
            cache: device.cache(cache)?,
            tokens,
            logits,
            sampler,
            slots,
            next: 0,
            device,
            model,
            interrupted: false,
            clock,
            spent: Spent::default(),
        })
    }

    /// Bytes of the inputs and results of all steps that can be on their way. Each stands on the host as lists and as
    /// the words that they are packed into, and on the device: a CPU's memory has all three.
    pub fn bytes_for(capacity: Capacity) -> u64 {
        let results = capacity
            .table_rows
            .saturating_mul(DeviceSampler::<R>::STRIDE);
        let words = capacity.words().saturating_add(results);
        let words = words.saturating_mul(3).saturating_add(capacity.rows);
        words.saturating_mul(4 * Self::DEPTH) as u64
    }

    /// The next step, emptied.
    pub fn stage(&mut self) -> &mut Staged {
        let staged = &mut self.slots[self.next].staged;
        staged.batch.clear();
        staged.table.clear();
        staged
    }

    /// Launches the staged step. After an error or a panic, here or in [`Executor::collect`], every step that was
    /// launched and not collected is lost.
    pub fn launch(&mut self) -> Result<Pending<R>, DeviceError> {
        if std::mem::replace(&mut self.interrupted, true) {
            self.device.abandon();
        }
        let depth = self.slots.len();
        let (slot, before) = (self.next, (self.next + depth - 1) % depth);
        let device = &mut self.device;
        {
            let Slot { staged, batch, .. } = &mut self.slots[slot];
            batch.upload(device, &staged.batch, &staged.table)?;
        }
        if Self::DEPTH > 1
            && self.slots[slot].batch.advances
            && let Ok([this, before]) = self.slots.get_disjoint_mut([slot, before])
        {
            let stride = DeviceSampler::<R>::STRIDE;
            this.batch.advance(device, &before.results, stride)?;
        }
        let Slot { batch, results, .. } = &mut self.slots[slot];
        if !batch.copies().is_empty() {
            device.copy_blocks(&mut self.cache, batch.copies())?;
        }
        let (ids, slots) = (batch.ids(), batch.slots());
        device.keep_tokens(ids, slots, batch.copies(), &mut self.tokens)?;
        let start = self.clock.now();
        self.model
            .forward(device, batch, &mut self.cache, &mut self.logits)?;
        let forward = self.clock.now();
        self.sampler
            .launch(device, batch, &self.tokens, &self.logits, results)?;
        self.spent.forward += forward.saturating_sub(start);
        self.spent.sampling += self.clock.now().saturating_sub(forward);
        let words = batch.table_len * DeviceSampler::<R>::STRIDE;
        let ticket = device.fetch(results, words)?;
        self.next = (slot + 1) % depth;
        self.interrupted = false;
        Ok(Pending { slot, ticket })
    }

    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Waits for a step, and adds to `sampled` what was chosen for each row of its table. Also a step that chooses
    /// nothing is waited for, so that whatever it sets off happens here.
    pub fn collect(
        &mut self,
        pending: Pending<R>,
        sampled: &mut Vec<Sampled>,
    ) -> Result<(), DeviceError> {
        let before = std::mem::replace(&mut self.interrupted, true);
        let Slot { staged, words, .. } = &mut self.slots[pending.slot];
        words.resize(staged.table.rows.len() * DeviceSampler::<R>::STRIDE, 0);
        self.device.wait(pending.ticket, words)?;
        sampled.extend(DeviceSampler::<R>::report(&staged.table, words));
        self.interrupted = before;
        Ok(())
    }
}

impl<R: Recipe> Slot<R> {
    fn alloc(device: &mut R::Backend, capacity: Capacity) -> Result<Self, DeviceError> {
        let words = capacity.table_rows * DeviceSampler::<R>::STRIDE;
        Ok(Self {
            staged: Staged {
                batch: Batch::reserved(capacity),
                table: TableRows::reserved(capacity),
            },
            batch: DeviceBatch::alloc(device, capacity)?,
            results: device.alloc("sampling results", words)?,
            words: reserved(words, 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::{Cpu, Portable};
    use crate::dtype::Dense;
    use crate::engine::Engine;
    use crate::models::Llama;
    use crate::parts::{Hashed, Top};
    use crate::recipe::Limits;
    use crate::request::{Request, SamplingParams};
    use crate::testing::serve::{Setup, open, serve};
    use crate::testing::tiny::{TinyLlama, VOCAB};
    use crate::testing::{LIMITS, OneStepAhead};

    crate::recipe! {
        Ahead {
            backend: Cpu<Portable>,
            weights: Dense<f32>,
            model: Llama<Self>,
            prefix: Hashed,
            logprobs: Top,
            output: OneStepAhead,
            limits: Limits { max_model_len: 96, max_seqs: 4, max_batched_tokens: 96, ..LIMITS },
            LOGPROBS: LogprobsSettings { max: 20 },
        }
    }

    /// Sizes of all that could grow under requests.
    fn sizes(executor: &Executor<Ahead>) -> Vec<usize> {
        let mut sizes = executor.device.scratch_bytes();
        for Slot {
            staged,
            batch: device,
            words,
            ..
        } in &executor.slots
        {
            let Staged { batch, table } = staged;
            sizes.extend([
                batch.ids.capacity(),
                batch.sources.capacity(),
                batch.positions.capacity(),
                batch.slots.capacity(),
                batch.query_end.capacity(),
                batch.context_len.capacity(),
                batch.table_start.capacity(),
                batch.blocks.capacity(),
                batch.logits_rows.capacity(),
                batch.copies.capacity(),
                table.rows.capacity(),
                table.edits.capacity(),
                table.wants_logprobs.capacity(),
                device.staging_capacity(),
                words.capacity(),
            ]);
        }
        sizes
    }

    /// Sequences as long as they may be, of tokens that all differ, in a batch that is full; with everything that the
    /// sampler can be asked for.
    #[test]
    fn nothing_grows_under_requests_with_all_settings() {
        let tiny = TinyLlama::write(1).expect("a temporary folder can be written");
        let setup = Setup {
            limits: Ahead::LIMITS,
            threads: 2,
            eos: vec![1, 2],
        };
        let mut engine: Engine<Ahead> = open(tiny.dir(), &setup);
        let before = sizes(&engine.executor);
        let vocab = u32::try_from(VOCAB).expect("a tiny vocabulary");
        let request = |seed: u64, n: u32| Request {
            prompt: (0..60).map(|token| token + 10).collect(),
            sampling: SamplingParams {
                n,
                top_k: 100,
                top_p: 0.9,
                min_p: 0.01,
                repetition_penalty: 1.5,
                presence_penalty: 2.0,
                frequency_penalty: 2.0,
                logit_bias: (0..vocab).map(|token| (token, 0.5)).collect(),
                // Those that were seen before are banned, so that the rest is chosen.
                stop_token_ids: (0..128).map(|place| 10 + place % 60).collect(),
                min_tokens: 36,
                logprobs: Some(20),
                processed_logprobs: true,
                seed: Some(seed),
                ..SamplingParams::default()
            },
            cache_salt: None,
        };
        let requests = [
            (0, request(1, 1)),
            (1, request(2, 2)),
            (2, request(3, 1)),
            (3, request(4, 4)),
        ];
        let (outputs, _) = serve(&mut engine, &requests);
        let lengths: Vec<usize> = outputs
            .iter()
            .flatten()
            .map(|output| output.tokens.len())
            .collect();
        assert_eq!(lengths, [36; 8]);
        assert_eq!(sizes(&engine.executor), before);
    }
}
