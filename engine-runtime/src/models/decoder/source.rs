//! A decoder's weights where they lie in a checkpoint: found, checked, not yet read.
//!
//! The one list of what a decoder is made of. Checking a checkpoint and loading it both go through here.

use super::Family;
use super::activations::Activations;
use super::finder::{Finder, HEAD};
use crate::backend::{HostMatrix, HostValues};
use crate::checkpoint::{Checkpoint, CheckpointError, Fit, HostVector, Memory, StoredAs};
use crate::dtype::{Float, WeightFormat};
use crate::recipe::{Act, Limits, Recipe};
use engine_model::{Biases, Dims};

pub(super) struct Source<'a> {
    pub(super) embedding: HostMatrix<'a>,
    pub(super) layers: Vec<LayerSource<'a>>,
    pub(super) norm: HostVector<'a>,
    pub(super) head: Option<HostMatrix<'a>>,
}

pub(super) struct LayerSource<'a> {
    pub(super) attention_norm: HostVector<'a>,
    /// Rows [q | k | v].
    pub(super) qkv: LinearSource<'a>,
    /// Of q and of k, where the family has them.
    pub(super) head_norms: Option<[HostVector<'a>; 2]>,
    pub(super) attention_out: LinearSource<'a>,
    pub(super) mlp_norm: HostVector<'a>,
    /// Rows [gate | up].
    pub(super) gate_up: LinearSource<'a>,
    pub(super) down: LinearSource<'a>,
}

/// Matrices that lie below each other in one fused matrix, with their biases: one for each, or none.
pub(super) struct LinearSource<'a> {
    pub(super) parts: Vec<HostMatrix<'a>>,
    pub(super) biases: Vec<HostVector<'a>>,
}

impl<'a> Source<'a> {
    pub(super) fn find<F: Family>(checkpoint: &'a Checkpoint) -> Result<Self, CheckpointError> {
        let config = &checkpoint.config;
        let dims = &config.dims;
        let mut finder = Finder::new(&checkpoint.tensors);
        let embedding = finder.matrix("model.embed_tokens.weight", dims.vocab, dims.hidden)?;
        let biases = config.biases;
        let layers = (0..dims.layers)
            .map(|layer| LayerSource::find::<F>(&mut finder, layer, dims, biases))
            .collect::<Result<_, _>>()?;
        let norm = finder.vector("model.norm.weight", dims.hidden)?;
        let tied = config.tied;
        let head = match tied {
            true => None,
            false => Some(finder.matrix(HEAD, dims.vocab, dims.hidden)?),
        };
        finder.refuse_others(F::NAME, tied)?;
        Ok(Self {
            embedding,
            layers,
            norm,
            head,
        })
    }

    /// Bytes in the checkpoint.
    pub(super) fn bytes(&self) -> u64 {
        self.values().map(HostValues::bytes).sum()
    }

    pub(super) fn fit<R: Recipe>(
        &self,
        checkpoint: &Checkpoint,
        limits: &Limits,
        family: &'static str,
    ) -> Fit {
        let config = &checkpoint.config;
        let mut stored = StoredAs::new();
        for values in self.values() {
            *stored.entry(values.format()).or_default() += values.bytes();
        }
        Fit {
            family,
            architecture: config.architecture.clone(),
            dims: config.dims,
            max_positions: config.max_positions,
            tied: self.head.is_none(),
            parameters: self.values().map(HostValues::elements).sum(),
            stored,
            weights_format: <R::Weights as WeightFormat>::Stored::NAME,
            memory: self.memory::<R>(&config.dims, limits),
        }
    }

    fn memory<R: Recipe>(&self, dims: &Dims, limits: &Limits) -> Memory {
        type Stored<R> = <<R as Recipe>::Weights as WeightFormat>::Stored;
        let bytes = |elements: usize, size: usize| (elements as u64).saturating_mul(size as u64);
        let matrices: u64 = self.matrices().map(|m| m.values.elements()).sum();
        let vectors: u64 = self.vectors().map(|v| v.values.elements()).sum();
        let rotary = limits.max_model_len.saturating_mul(dims.head_dim);
        let kv = 2 * dims.layers * dims.kv_heads * dims.head_dim;
        Memory {
            weights: matrices * size_of::<Stored<R>>() as u64 + vectors * 4 + bytes(rotary, 4),
            kv_per_token: bytes(kv, size_of::<Stored<R>>()),
            activations: bytes(
                Activations::<R>::elements(dims, limits.max_batched_tokens, limits.max_seqs),
                size_of::<Act<R>>(),
            ),
        }
    }

    fn values(&self) -> impl Iterator<Item = &HostValues<'a>> {
        let matrices = self.matrices().map(|matrix| &matrix.values);
        matrices.chain(self.vectors().map(|vector| &vector.values))
    }

    fn matrices(&self) -> impl Iterator<Item = &HostMatrix<'a>> {
        let layers = self.layers.iter().flat_map(LayerSource::linears);
        [&self.embedding]
            .into_iter()
            .chain(layers.flat_map(|linear| &linear.parts))
            .chain(&self.head)
    }

    fn vectors(&self) -> impl Iterator<Item = &HostVector<'a>> {
        let layers = self.layers.iter().flat_map(LayerSource::vectors);
        layers.chain([&self.norm])
    }
}

impl<'a> LayerSource<'a> {
    fn find<F: Family>(
        finder: &mut Finder<'a>,
        layer: usize,
        dims: &Dims,
        biases: Biases,
    ) -> Result<Self, CheckpointError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let q = dims.q_heads * dims.head_dim;
        let kv = dims.kv_heads * dims.head_dim;
        let Dims { hidden, ffn, .. } = *dims;
        let mut linear = |parts: &[(&str, usize)], cols, bias| {
            let mut found = LinearSource {
                parts: Vec::new(),
                biases: Vec::new(),
            };
            for (part, rows) in parts {
                let weight = name(&format!("{part}.weight"));
                found.parts.push(finder.matrix(&weight, *rows, cols)?);
                if bias {
                    let bias = name(&format!("{part}.bias"));
                    found.biases.push(finder.vector(&bias, *rows)?);
                }
            }
            Ok::<_, CheckpointError>(found)
        };
        let qkv = [
            ("self_attn.q_proj", q),
            ("self_attn.k_proj", kv),
            ("self_attn.v_proj", kv),
        ];
        let qkv = linear(&qkv, hidden, biases.qkv)?;
        let attention_out = linear(&[("self_attn.o_proj", hidden)], q, biases.attention_out)?;
        let gate_up = [("mlp.gate_proj", ffn), ("mlp.up_proj", ffn)];
        let gate_up = linear(&gate_up, hidden, biases.mlp)?;
        let down = linear(&[("mlp.down_proj", hidden)], ffn, biases.mlp)?;
        let mut norm = |part, width| finder.vector(&name(&format!("{part}.weight")), width);
        Ok(Self {
            attention_norm: norm("input_layernorm", hidden)?,
            qkv,
            head_norms: match F::HEAD_NORM {
                true => Some([
                    norm("self_attn.q_norm", dims.head_dim)?,
                    norm("self_attn.k_norm", dims.head_dim)?,
                ]),
                false => None,
            },
            attention_out,
            mlp_norm: norm("post_attention_layernorm", hidden)?,
            gate_up,
            down,
        })
    }

    /// Bytes in the checkpoint.
    pub(super) fn bytes(&self) -> u64 {
        let matrices = self.linears().flat_map(|linear| &linear.parts);
        let matrices: u64 = matrices.map(|matrix| matrix.values.bytes()).sum();
        matrices + self.vectors().map(|v| v.values.bytes()).sum::<u64>()
    }

    fn linears(&self) -> impl Iterator<Item = &LinearSource<'a>> {
        [&self.qkv, &self.attention_out, &self.gate_up, &self.down].into_iter()
    }

    fn vectors(&self) -> impl Iterator<Item = &HostVector<'a>> {
        let norms = [&self.attention_norm, &self.mlp_norm].into_iter();
        norms
            .chain(self.head_norms.iter().flatten())
            .chain(self.linears().flat_map(|linear| &linear.biases))
    }
}
