//! Where the tensors of a decoder lie: the one list of what it is made of. Checking a checkpoint and loading it both go
//! through here.

use engine_model::{Config, Dims, FeedForward};

use super::Family;
use super::source::{FfnSource, LayerSource, LinearSource, Source};
use crate::checkpoint::{Checkpoint, CheckpointError, Finder, HostVector};
use crate::dtype::WeightFormat;
use crate::recipe::Recipe;

/// The output matrix.
const HEAD: &str = "lm_head";

impl<'a, R: Recipe> Source<'a, R> {
    pub(super) fn find<F: Family>(checkpoint: &'a Checkpoint) -> Result<Self, CheckpointError> {
        let config = &checkpoint.config;
        let Dims { vocab, hidden, .. } = config.dims;
        let mut finder = Finder::new(&checkpoint.tensors);
        let embedding = R::Head::find(&mut finder, "model.embed_tokens", vocab, hidden)?;
        let layers = (0..config.layers.len())
            .map(|index| LayerFinder::new(&mut finder, config, index).find::<R, F>())
            .collect::<Result<_, _>>()?;
        let norm = finder.vector("model.norm.weight", hidden)?;
        let head = match config.tied {
            true => None,
            false => Some(R::Head::find(&mut finder, HEAD, vocab, hidden)?),
        };
        // A tied model may have been saved with a copy of its embedding.
        let copy = format!("{HEAD}.weight");
        let redundant = config.tied.then_some(copy.as_str());
        finder.refuse_others(F::FAMILY.name(), redundant.as_slice())?;
        Ok(Self {
            embedding,
            layers,
            norm,
            head,
        })
    }
}

/// Finds the tensors of one layer.
struct LayerFinder<'f, 'a> {
    finder: &'f mut Finder<'a>,
    config: &'f Config,
    index: usize,
}

impl<'f, 'a> LayerFinder<'f, 'a> {
    fn new(finder: &'f mut Finder<'a>, config: &'f Config, index: usize) -> Self {
        Self {
            finder,
            config,
            index,
        }
    }

    fn find<R: Recipe, F: Family>(mut self) -> Result<LayerSource<'a, R>, CheckpointError> {
        let (dims, biases) = (self.config.dims, self.config.biases);
        let Dims {
            hidden, head_dim, ..
        } = dims;
        let (q, kv) = (dims.q_width(), dims.kv_width());
        let qkv = [
            ("self_attn.q_proj", q),
            ("self_attn.k_proj", kv),
            ("self_attn.v_proj", kv),
        ];
        let (ffn_norm, attention_post_norm) = match F::POST_NORMS {
            true => (
                "pre_feedforward_layernorm",
                Some("post_attention_layernorm"),
            ),
            false => ("post_attention_layernorm", None),
        };
        let ffn_post_norm = F::POST_NORMS.then_some("post_feedforward_layernorm");
        Ok(LayerSource {
            attention_norm: self.norm("input_layernorm", hidden)?,
            qkv: self.linear::<R>(&qkv, hidden, biases.qkv)?,
            head_norms: match F::HEAD_NORMS {
                true => Some([
                    self.norm("self_attn.q_norm", head_dim)?,
                    self.norm("self_attn.k_norm", head_dim)?,
                ]),
                false => None,
            },
            attention_out: self.linear::<R>(
                &[("self_attn.o_proj", hidden)],
                q,
                biases.attention_out,
            )?,
            attention_post_norm: attention_post_norm
                .map(|name| self.norm(name, hidden))
                .transpose()?,
            ffn_norm: self.norm(ffn_norm, hidden)?,
            ffn: self.feed_forward::<R>()?,
            ffn_post_norm: ffn_post_norm
                .map(|name| self.norm(name, hidden))
                .transpose()?,
        })
    }

    fn feed_forward<R: Recipe>(&mut self) -> Result<FfnSource<'a, R>, CheckpointError> {
        let (hidden, bias) = (self.config.dims.hidden, self.config.biases.mlp);
        match self.config.layers[self.index].feed_forward {
            FeedForward::Dense { width } => {
                let gate_up = [("mlp.gate_proj", width), ("mlp.up_proj", width)];
                Ok(FfnSource::Dense {
                    gate_up: self.linear::<R>(&gate_up, hidden, bias)?,
                    down: self.linear::<R>(&[("mlp.down_proj", hidden)], width, bias)?,
                })
            }
            FeedForward::Experts { count, width, .. } => {
                let router = self.name("mlp.gate");
                let router = R::Head::find(self.finder, &router, count, hidden)?;
                let (mut gate_up, mut down) = (Vec::new(), Vec::new());
                for expert in 0..count {
                    let part = |part: &str| format!("mlp.experts.{expert}.{part}_proj");
                    let (gate, up) = (part("gate"), part("up"));
                    let parts = [(gate.as_str(), width), (up.as_str(), width)];
                    gate_up.push(self.linear::<R>(&parts, hidden, false)?.stacked);
                    let parts = [(&*part("down"), hidden)];
                    down.push(self.linear::<R>(&parts, width, false)?.stacked);
                }
                Ok(FfnSource::Experts {
                    router,
                    gate_up,
                    down,
                })
            }
        }
    }

    fn linear<R: Recipe>(
        &mut self,
        parts: &[(&str, usize)],
        cols: usize,
        bias: bool,
    ) -> Result<LinearSource<'a, R>, CheckpointError> {
        let mut found = LinearSource {
            stacked: Vec::new(),
            biases: Vec::new(),
        };
        for (part, rows) in parts {
            let name = self.name(part);
            let matrix = R::Weights::find(self.finder, &name, *rows, cols)?;
            found.stacked.push(matrix);
            if bias {
                let bias = self.finder.vector(&format!("{name}.bias"), *rows)?;
                found.biases.push(bias);
            }
        }
        Ok(found)
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<HostVector<'a>, CheckpointError> {
        let name = self.name(name);
        self.finder.vector(&format!("{name}.weight"), width)
    }

    fn name(&self, part: &str) -> String {
        format!("model.layers.{}.{part}", self.index)
    }
}
