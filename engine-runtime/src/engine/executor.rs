//! The device side of a step: upload, forward, sample, one read.

use crate::backend::{Backend, CacheShape, DeviceError, Ops};
use crate::batch::{Batch, Capacity, DeviceBatch};
use crate::model::Model;
use crate::recipe::{Array, Cache, Recipe};
use crate::sampler::{DeviceSampler, Sampled, TableRows};

/// The model and everything of the engine that lies in device memory.
pub struct Executor<R: Recipe> {
    device: R::Backend,
    model: R::Model,
    cache: Cache<R>,
    batch: DeviceBatch<R::Backend>,
    /// [logits_rows, vocab]
    logits: Array<R, f32>,
    sampler: DeviceSampler<R>,
    /// Whether the last run did not come to its end.
    interrupted: bool,
}

impl<R: Recipe> Executor<R> {
    pub fn open(
        mut device: R::Backend,
        mut model: R::Model,
        cache: CacheShape,
        capacity: Capacity,
    ) -> Result<Self, DeviceError> {
        let vocab = model.shape().vocab;
        model.prepare(&mut device, capacity)?;
        Ok(Self {
            cache: device.cache(cache)?,
            batch: DeviceBatch::alloc(&mut device, capacity)?,
            logits: device.alloc("logits", capacity.logits_rows * vocab)?,
            sampler: DeviceSampler::alloc(&mut device, capacity.logits_rows, vocab)?,
            device,
            model,
            interrupted: false,
        })
    }

    /// Computes `batch` and chooses a token for each row of `table`, which are its logits rows. Always waits for the
    /// device, so that whatever a batch sets off happens in its own run.
    pub fn run(&mut self, batch: &Batch, table: &TableRows) -> Result<Vec<Sampled>, DeviceError> {
        if std::mem::replace(&mut self.interrupted, true) {
            self.device.abandon();
        }
        self.batch.upload(&mut self.device, batch)?;
        self.model.forward(
            &mut self.device,
            &self.batch,
            &mut self.cache,
            &mut self.logits,
        )?;
        let sampled = self.sampler.sample(&mut self.device, table, &self.logits)?;
        self.interrupted = false;
        Ok(sampled)
    }
}
