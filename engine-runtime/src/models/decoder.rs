//! The decoder-only transformer that every family here is a variation of.
//!
//! A [`Family`] says in constants what costs code and in data, from `config.json`, what does not; a branch that a family
//! does not take leaves no code in an engine. The forward pass stands in [`forward`], finding and loading weights apart
//! from it in `find`, `source` and `load`. Not here: anything of a backend or of a scheduler.

mod activations;
mod family;
mod find;
mod forward;
mod load;
mod progress;
mod source;

use std::marker::PhantomData;

use activations::{Activations, Widths};
pub use family::Family;
use forward::{Pass, head_layout};
use load::Loader;
use progress::Progress;
use source::Source;

use super::rope::angles;
use super::shape::{self, Shape};
use crate::backend::{
    Backend, DeviceError, Head, Largest, Norm, Projection, RopeTable, RouteWeights,
};
use crate::batch::{Capacity, DeviceBatch};
use crate::checkpoint::{Checkpoint, CheckpointError, Fit, LoadError};
use crate::dtype::WeightFormat;
use crate::model::{Model, ModelShape};
use crate::models::Dims;
use crate::recipe::{self, Array, Cache, Limits, Matrix, Recipe, Table};

/// A decoder of the family `F`, its dimensions from `S`, on the device of the recipe `R`.
pub struct Decoder<R: Recipe, F, S> {
    dims: Dims,
    max_positions: usize,
    weights: Weights<R>,
    widths: Widths,
    activations: Option<Activations<R>>,
    variation: PhantomData<fn() -> (F, S)>,
}

/// What a forward pass reads and never writes.
struct Weights<R: Recipe> {
    /// [vocab, hidden]
    embedding: Table<R>,
    embedding_scale: f32,
    layers: Vec<Layer<R>>,
    /// What products of queries and keys are multiplied by.
    attention_scale: f32,
    /// Each [max_model_len, head_dim / 2].
    ropes: Vec<RopeTable<Array<R, f32>>>,
    norm: Norm<Array<R, f32>>,
    /// [vocab, hidden]; `None` where it is the embedding.
    head: Option<Table<R>>,
}

/// One layer: attention, then a feed-forward block.
struct Layer<R: Recipe> {
    /// Index into the model's tables.
    rope: usize,
    /// Positions that a token sees, where they are limited.
    window: Option<usize>,
    attention_norm: Norm<Array<R, f32>>,
    qkv: Projection<Matrix<R>, Array<R, f32>>,
    /// Of q and of k; there in a family with [`Family::HEAD_NORMS`].
    head_norms: Option<[Norm<Array<R, f32>>; 2]>,
    attention_out: Projection<Matrix<R>, Array<R, f32>>,
    /// There in a family with [`Family::POST_NORMS`], as `ffn_post_norm`.
    attention_post_norm: Option<Norm<Array<R, f32>>>,
    ffn_norm: Norm<Array<R, f32>>,
    ffn: FeedForward<R>,
    ffn_post_norm: Option<Norm<Array<R, f32>>>,
}

enum FeedForward<R: Recipe> {
    Dense {
        /// Rows [gate | up].
        gate_up: Projection<Matrix<R>, Array<R, f32>>,
        down: Projection<Matrix<R>, Array<R, f32>>,
    },
    /// In a family with [`Family::EXPERTS`].
    Experts(Experts<R>),
}

struct Experts<R: Recipe> {
    count: usize,
    /// Elements of a row inside an expert.
    width: usize,
    weights: RouteWeights,
    /// [count, hidden]
    router: Table<R>,
    /// Rows [gate | up] for each.
    gate_up: recipe::Experts<R>,
    down: recipe::Experts<R>,
}

impl<R: Recipe, F: Family, S: Shape> Model<R> for Decoder<R, F, S> {
    fn check(checkpoint: &Checkpoint, limits: &Limits) -> Result<Fit, CheckpointError> {
        Ok(Self::find(checkpoint, limits)?.fit::<F>(&checkpoint.config, limits))
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
        let embedding = device.table("embedding", &source.embedding)?;
        let mut loader = Loader::<R> { device, config };
        let mut layers = Vec::with_capacity(source.layers.len());
        for (index, layer) in source.layers.iter().enumerate() {
            layers.push(loader.layer(index, layer)?);
            progress.add(layer.bytes());
        }
        let norm = loader.norm(&source.norm)?;
        let tables = config
            .ropes
            .iter()
            .map(|rope| angles(rope, config.dims.head_dim, limits.max_model_len));
        let ropes = tables
            .map(|table| loader.rope(&table))
            .collect::<Result<_, _>>()?;
        let head = source.head.as_ref();
        let head = head.map(|head| device.table("output matrix", head));
        let weights = Weights {
            embedding,
            embedding_scale: config.embedding_scale.map_or(1.0, R::Head::round),
            layers,
            attention_scale: config.attention_scale,
            ropes,
            norm,
            head: head.transpose()?,
        };
        progress.finish();
        Ok(Self {
            dims: config.dims,
            max_positions: config.max_positions,
            weights,
            widths: Widths::of(config),
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
        device.reserve_scratch(&Largest {
            rows: capacity.rows,
            product: self.widths.scratch(capacity.rows),
            heads: head_layout(&dims),
            positions: capacity.positions,
            vocab: dims.vocab,
        });
        self.activations = Some(Activations::alloc(device, self.widths, capacity)?);
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
        let pass = Pass::<R, F> {
            device,
            weights: &self.weights,
            dims,
            batch,
            cache,
            x,
            family: PhantomData,
        };
        pass.run(logits)
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
    ) -> Result<Source<'a, R>, CheckpointError> {
        let config = &checkpoint.config;
        let code = F::FAMILY.code();
        if config.family.code() != code {
            let accepted: Vec<_> = code.iter().flat_map(|code| code.architectures()).collect();
            return Err(CheckpointError::Architecture {
                file: config.file.clone(),
                family: F::FAMILY.name(),
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
        let found = config.dims.head_dim;
        if !R::HEAD_DIMS.is_empty() && !R::HEAD_DIMS.contains(&found) {
            return Err(CheckpointError::HeadDim {
                file: config.file.clone(),
                built: R::HEAD_DIMS,
                found,
            });
        }
        if limits.max_model_len > config.max_positions {
            return Err(CheckpointError::TooLong {
                file: config.file.clone(),
                field: "max_position_embeddings",
                limit: config.max_positions,
                max_model_len: limits.max_model_len,
            });
        }
        Source::find::<F>(checkpoint)
    }
}
