//! A decoder's weights where they lie in a checkpoint, found, checked and not yet read; what they are and take.

use engine_model::{Config, FeedForward, Layer};

use super::Family;
use super::activations::Widths;
use crate::checkpoint::{Fit, HostVector, Memory, StoredAs};
use crate::dtype::{CacheFormat, Stored, WeightFormat};
use crate::recipe::{Act, Limits, Recipe};

pub(super) struct Source<'a, R: Recipe> {
    pub(super) embedding: Table<'a, R>,
    pub(super) layers: Vec<LayerSource<'a, R>>,
    pub(super) norm: HostVector<'a>,
    pub(super) head: Option<Table<'a, R>>,
}

/// A table, and a matrix of a linear layer, in the recipe's formats.
pub(super) type Table<'a, R> = <<R as Recipe>::Head as WeightFormat>::Source<'a>;
pub(super) type Matrix<'a, R> = <<R as Recipe>::Weights as WeightFormat>::Source<'a>;

pub(super) struct LayerSource<'a, R: Recipe> {
    pub(super) attention_norm: HostVector<'a>,
    /// Rows [q | k | v].
    pub(super) qkv: LinearSource<'a, R>,
    /// Of q and of k, where the family has them.
    pub(super) head_norms: Option<[HostVector<'a>; 2]>,
    pub(super) attention_out: LinearSource<'a, R>,
    pub(super) attention_post_norm: Option<HostVector<'a>>,
    pub(super) ffn_norm: HostVector<'a>,
    pub(super) ffn: FfnSource<'a, R>,
    pub(super) ffn_post_norm: Option<HostVector<'a>>,
}

/// Matrices that lie below each other in one fused matrix, with their biases: one for each, or none.
pub(super) struct LinearSource<'a, R: Recipe> {
    pub(super) stacked: Vec<Matrix<'a, R>>,
    pub(super) biases: Vec<HostVector<'a>>,
}

pub(super) enum FfnSource<'a, R: Recipe> {
    Dense {
        /// Rows [gate | up].
        gate_up: LinearSource<'a, R>,
        down: LinearSource<'a, R>,
    },
    Experts {
        router: Table<'a, R>,
        /// For each expert the parts gate and up.
        gate_up: Vec<Vec<Matrix<'a, R>>>,
        /// For each expert one part.
        down: Vec<Vec<Matrix<'a, R>>>,
    },
}

impl<'a, R: Recipe> Source<'a, R> {
    /// Bytes in the checkpoint.
    pub(super) fn bytes(&self) -> u64 {
        self.stored().map(|stored| stored.bytes).sum()
    }

    pub(super) fn fit<F: Family>(&self, config: &Config, limits: &Limits) -> Fit {
        let mut stored = StoredAs::new();
        for Stored { format, bytes } in self.stored() {
            *stored.entry(format).or_default() += bytes;
        }
        Fit {
            family: F::FAMILY.name(),
            architecture: config.architecture.clone(),
            dims: config.dims,
            max_positions: config.max_positions,
            tied: self.head.is_none(),
            parameters: config.parameters().all(),
            unmet: config.layers.iter().map(|layer| unmet(layer, config)).sum(),
            stored,
            weights_format: R::Weights::NAME,
            memory: self.memory(config, limits),
        }
    }

    fn memory(&self, config: &Config, limits: &Limits) -> Memory {
        let (dims, widths) = (&config.dims, Widths::of(config));
        let bytes = |elements: usize, size: usize| (elements as u64).saturating_mul(size as u64);
        let tables = [&self.embedding].into_iter().chain(&self.head);
        let tables = tables.chain(self.layers.iter().filter_map(|layer| layer.ffn.router()));
        let tables = tables.map(|table| {
            let [rows, cols] = R::Head::shape(table);
            R::Head::bytes(rows, cols)
        });
        let matrices = self.layers.iter().flat_map(LayerSource::matrices);
        let matrices = matrices.map(|matrix| {
            let [rows, cols] = R::Weights::shape(matrix);
            R::Weights::bytes(rows, cols)
        });
        let vectors = self.vectors().map(|vector| bytes(vector.len, 4));
        let rotary = limits.max_model_len.saturating_mul(dims.head_dim);
        let rotary = bytes(rotary, 4).saturating_mul(config.ropes.len() as u64);
        let kv = 2 * dims.layers * dims.kv_heads;
        let weights = tables.chain(matrices).chain(vectors).chain([rotary]);
        Memory {
            weights: weights.fold(0, u64::saturating_add),
            kv_per_token: bytes(kv, R::Cache::bytes(dims.head_dim)),
            activations: widths.bytes(
                size_of::<Act<R>>(),
                limits.max_batched_tokens,
                limits.max_seqs,
            ),
            scratch: bytes(widths.scratch(limits.max_batched_tokens), 1),
        }
    }

    /// Every array of the checkpoint that this has a use for.
    fn stored(&self) -> impl Iterator<Item = Stored> {
        let tables = [&self.embedding].into_iter().chain(&self.head);
        let tables = tables.flat_map(R::Head::stored);
        let layers = self.layers.iter().flat_map(LayerSource::stored);
        tables.chain(layers).chain([self.norm.values.stored()])
    }

    fn vectors(&self) -> impl Iterator<Item = &HostVector<'a>> {
        let layers = self.layers.iter().flat_map(LayerSource::vectors);
        layers.chain([&self.norm])
    }
}

/// Numbers of a layer's experts that a token does not meet.
fn unmet(layer: &Layer, config: &Config) -> u64 {
    match layer.feed_forward {
        FeedForward::Dense { .. } => 0,
        FeedForward::Experts {
            count,
            per_token,
            width,
            ..
        } => 3 * ((count - per_token) * width * config.dims.hidden) as u64,
    }
}

impl<'a, R: Recipe> LayerSource<'a, R> {
    /// Bytes in the checkpoint.
    pub(super) fn bytes(&self) -> u64 {
        self.stored().map(|stored| stored.bytes).sum()
    }

    fn stored(&self) -> impl Iterator<Item = Stored> {
        let matrices = self.matrices().flat_map(R::Weights::stored);
        let routers = self.ffn.router().into_iter().flat_map(R::Head::stored);
        let vectors = self.vectors().map(|vector| vector.values.stored());
        matrices.chain(routers).chain(vectors)
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix<'a, R>> {
        let attention = [&self.qkv, &self.attention_out].into_iter();
        let attention = attention.flat_map(|linear| &linear.stacked);
        attention.chain(self.ffn.matrices())
    }

    fn vectors(&self) -> impl Iterator<Item = &HostVector<'a>> {
        let norms = [&self.attention_norm, &self.ffn_norm].into_iter();
        let linears = [&self.qkv, &self.attention_out].into_iter();
        norms
            .chain(self.head_norms.iter().flatten())
            .chain(&self.attention_post_norm)
            .chain(&self.ffn_post_norm)
            .chain(linears.flat_map(|linear| &linear.biases))
            .chain(self.ffn.biases())
    }
}

impl<'a, R: Recipe> FfnSource<'a, R> {
    fn router(&self) -> Option<&Table<'a, R>> {
        match self {
            Self::Dense { .. } => None,
            Self::Experts { router, .. } => Some(router),
        }
    }

    fn matrices(&self) -> Box<dyn Iterator<Item = &Matrix<'a, R>> + '_> {
        match self {
            Self::Dense { gate_up, down } => Box::new(gate_up.stacked.iter().chain(&down.stacked)),
            Self::Experts { gate_up, down, .. } => Box::new(gate_up.iter().chain(down).flatten()),
        }
    }

    fn biases(&self) -> Box<dyn Iterator<Item = &HostVector<'a>> + '_> {
        match self {
            Self::Dense { gate_up, down } => Box::new(gate_up.biases.iter().chain(&down.biases)),
            Self::Experts { .. } => Box::new(std::iter::empty()),
        }
    }
}
