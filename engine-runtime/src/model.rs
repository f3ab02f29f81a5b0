//! What the engine asks of a model.

use crate::backend::DeviceError;
use crate::batch::{Capacity, DeviceBatch};
use crate::checkpoint::{Checkpoint, CheckpointError, Fit, LoadError};
use crate::recipe::{Array, Cache, Limits, Recipe};

/// What the engine must know of a model to size the cache and the sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape {
    pub layers: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Logits in a row; token ids are below this.
    pub vocab: usize,
    /// Positions that the model can tell apart.
    pub max_positions: usize,
}

/// A model with its weights on the device of the recipe `R`.
pub trait Model<R: Recipe>: Sized + Send {
    /// Whether this engine can load a checkpoint, and in how much memory, when it runs within `limits`: the recipe's
    /// or lower ones. Reads no weights.
    fn check(checkpoint: &Checkpoint, limits: &Limits) -> Result<Fit, CheckpointError>;

    /// Checks a checkpoint, then brings its weights onto the device in the recipe's format. `progress` hears the
    /// bytes of the checkpoint that are done and their total, after each part.
    fn load(
        device: &mut R::Backend,
        checkpoint: &Checkpoint,
        limits: &Limits,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError>;

    fn shape(&self) -> ModelShape;

    /// Allocates the activations for batches of `capacity`.
    fn prepare(&mut self, device: &mut R::Backend, capacity: Capacity) -> Result<(), DeviceError>;

    /// Launches one forward pass: writes this batch's keys and values to `cache`, and the logits of
    /// `batch.logits_rows` to `logits` [logits_len, vocab].
    fn forward(
        &mut self,
        device: &mut R::Backend,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        logits: &mut Array<R, f32>,
    ) -> Result<(), DeviceError>;
}
