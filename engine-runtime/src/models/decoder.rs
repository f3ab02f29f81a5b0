//! The decoder-only transformer that every family here is a variation of.
//!
//! A [`Family`] says in constants what differs; a branch that a family does not take leaves no code in an engine.

mod activations;
mod family;
mod finder;
mod layer;
mod linear;
mod norm;
mod progress;
mod source;

use std::marker::PhantomData;

use activations::Activations;
pub use family::Family;
use layer::Layer;
use norm::Norm;
use progress::Progress;
use source::Source;

use super::rope::angles;
use engine_model::Dims;

use super::shape::{self, Shape};
use crate::backend::{Backend, DeviceError, HeadLayout, Ops, RopeTable};
use crate::batch::{Capacity, DeviceBatch};
use crate::checkpoint::{Checkpoint, CheckpointError, Fit, LoadError};
use crate::model::{Model, ModelShape};
use crate::recipe::{Array, Cache, Limits, Matrix, Recipe};

/// A decoder of the family `F`, its dimensions from `S`, on the device of the recipe `R`.
pub struct Decoder<R: Recipe, F, S> {
    dims: Dims,
    max_positions: usize,
    /// [vocab, hidden]
    embedding: Matrix<R>,
    layers: Vec<Layer<R>>,
    norm: Norm<R>,
    /// [vocab, hidden]; `None` where it is the embedding.
    head: Option<Matrix<R>>,
    /// [max_model_len, head_dim / 2]
    cos: Array<R, f32>,
    sin: Array<R, f32>,
    activations: Option<Activations<R>>,
    variation: PhantomData<fn() -> (F, S)>,
}

impl<R: Recipe, F: Family, S: Shape> Model<R> for Decoder<R, F, S> {
    fn check(checkpoint: &Checkpoint, limits: &Limits) -> Result<Fit, CheckpointError> {
        Ok(Self::find(checkpoint, limits)?.fit::<R>(checkpoint, limits, F::NAME))
    }

    fn load(
        device: &mut R::Backend,
        checkpoint: &Checkpoint,
        limits: &Limits,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        let source = Self::find(checkpoint, limits)?;
        let mut progress = Progress::new(source.bytes(), progress);
        let config = &checkpoint.config;
        let embedding = device.pack("embedding", &[source.embedding])?;
        progress.add(source.embedding.values.bytes());
        let layers = source
            .layers
            .iter()
            .map(|layer| Layer::load(device, layer, config, &mut progress))
            .collect::<Result<_, _>>()?;
        let norm = Norm::load(device, &source.norm, config.norm.eps)?;
        progress.add(source.norm.values.bytes());
        let head = match source.head {
            Some(head) => Some(device.pack("output matrix", &[head])?),
            None => None,
        };
        progress.finish();
        let table = angles(&config.ropes[0], config.dims.head_dim, limits.max_model_len);
        let mut cos = device.alloc("rotary cosines", table.cos.len())?;
        let mut sin = device.alloc("rotary sines", table.sin.len())?;
        device.upload(&mut cos, &table.cos)?;
        device.upload(&mut sin, &table.sin)?;
        Ok(Self {
            dims: config.dims,
            max_positions: config.max_positions,
            embedding,
            layers,
            norm,
            head,
            cos,
            sin,
            activations: None,
            variation: PhantomData,
        })
    }

    fn shape(&self) -> ModelShape {
        let dims = self.dims();
        ModelShape {
            layers: dims.layers,
            kv_heads: dims.kv_heads,
            head_dim: dims.head_dim,
            vocab: dims.vocab,
            max_positions: self.max_positions,
        }
    }

    fn prepare(&mut self, device: &mut R::Backend, capacity: Capacity) -> Result<(), DeviceError> {
        let dims = self.dims();
        self.activations = Some(Activations::alloc(device, &dims, capacity)?);
        Ok(())
    }

    fn forward(
        &mut self,
        device: &mut R::Backend,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        logits: &mut Array<R, f32>,
    ) -> Result<(), DeviceError> {
        let dims = self.dims();
        let Some(x) = &mut self.activations else {
            return Err(DeviceError::Launch {
                op: "forward",
                reason: "no activations were prepared".to_owned(),
            });
        };
        device.embed(&self.embedding, batch.ids(), batch.rows, &mut x.residual)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let rope = RopeTable {
                cos: &self.cos,
                sin: &self.sin,
            };
            layer.forward::<F>(device, x, &dims, rope, batch, cache, index)?;
        }
        if batch.logits_len == 0 {
            return Ok(());
        }
        x.pick(device, &dims, batch)?;
        let rows = batch.logits_len;
        self.norm.apply_add(
            device,
            &mut x.picked_residual,
            &x.picked_delta,
            rows,
            dims.hidden,
            &mut x.normed,
        )?;
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        device.logits(&x.normed, head, rows, logits)
    }
}

impl<R: Recipe, F: Family, S: Shape> Decoder<R, F, S> {
    /// The dimensions; constants where the shape is known.
    fn dims(&self) -> Dims {
        S::KNOWN.unwrap_or(self.dims)
    }

    /// All weights of a checkpoint that fits, still in their files.
    fn find<'a>(
        checkpoint: &'a Checkpoint,
        limits: &Limits,
    ) -> Result<Source<'a>, CheckpointError> {
        let config = &checkpoint.config;
        if config.family.code() != Some(F::CODE) {
            let accepted: Vec<_> = F::CODE.architectures().collect();
            return Err(CheckpointError::Architecture {
                file: config.file.clone(),
                family: F::NAME,
                accepted: accepted.join(", "),
                found: config.architecture.clone(),
            });
        }
        config.served()?;
        if let Some(quantization) = &config.quantization {
            let found = quantization.method.as_str();
            let supported = "weights in f32, f16 or bf16";
            return Err(config
                .unsupported("quantization_config", found, supported)
                .into());
        }
        shape::check::<S>(config)?;
        let Limits { max_model_len, .. } = *limits;
        let bounds = [
            ("max_position_embeddings", Some(config.max_positions)),
            ("sliding_window", config.shortest_window()),
        ];
        for (field, limit) in bounds {
            if let Some(limit) = limit.filter(|&limit| max_model_len > limit) {
                return Err(CheckpointError::TooLong {
                    file: config.file.clone(),
                    field,
                    limit,
                    max_model_len,
                });
            }
        }
        Source::find::<F>(checkpoint)
    }
}

/// The heads of a fused projection.
fn head_layout(dims: &Dims) -> HeadLayout {
    HeadLayout {
        q_heads: dims.q_heads,
        kv_heads: dims.kv_heads,
        head_dim: dims.head_dim,
    }
}
