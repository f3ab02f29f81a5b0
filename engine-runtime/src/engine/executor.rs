//! The device side of a step: upload, forward, sample, and the way back by ticket.
//!
//! A launch returns before its step has run; collecting waits for it. Up to [`Executor::DEPTH`] steps may be launched
//! and not collected. Each has a slot with the arrays that must outlive the launch of the next one.

use crate::backend::{Attention, Backend, CacheShape, CopyBlocks, DeviceError};
use crate::batch::{Batch, Capacity, DeviceBatch};
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
    /// [logits_rows, vocab]
    logits: Array<R, f32>,
    sampler: DeviceSampler<R>,
    slots: Vec<Slot<R>>,
    /// The slot of the next launch.
    next: usize,
    /// Whether the last call did not come to its end.
    interrupted: bool,
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
#[derive(Default)]
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
            logits,
            sampler,
            slots,
            next: 0,
            device,
            model,
            interrupted: false,
        })
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
        self.model
            .forward(device, batch, &mut self.cache, &mut self.logits)?;
        self.sampler.launch(device, batch, &self.logits, results)?;
        let words = batch.table_len * DeviceSampler::<R>::STRIDE;
        let ticket = device.fetch(results, words)?;
        self.next = (slot + 1) % depth;
        self.interrupted = false;
        Ok(Pending { slot, ticket })
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
            staged: Staged::default(),
            batch: DeviceBatch::alloc(device, capacity)?,
            results: device.alloc("sampling results", words)?,
            words: Vec::new(),
        })
    }
}
