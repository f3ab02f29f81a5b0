//! How many weights a model has, counted from its config alone.

use serde::Serialize;

use crate::config::Config;
use crate::layer::FeedForward;

/// Numbers of weights by what stores them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// Matrices of the linear layers, experts included: what a weight format stores.
    pub linear: u64,
    /// The embedding table, and the output matrix where it is another.
    pub embedding: u64,
    /// Routers of experts, which no format quantises.
    pub routers: u64,
    /// Norms and biases.
    pub vectors: u64,
}

impl Parameters {
    /// More than any model will have for long; below it no product of sizes and bytes leaves 64 bits.
    pub(crate) const MOST: u128 = 1 << 48;

    pub fn all(&self) -> u64 {
        self.linear + self.embedding + self.routers + self.vectors
    }

    /// Counts; `None` above [`Parameters::MOST`].
    pub(crate) fn count(config: &Config) -> Option<Self> {
        let wide = |n: usize| n as u128;
        let dims = &config.dims;
        let (hidden, q, kv) = (
            wide(dims.hidden),
            wide(dims.q_width()),
            wide(dims.kv_width()),
        );
        let attention = hidden * (2 * q + 2 * kv);
        let (mut linear, mut routers, mut vectors) = (0, 0, hidden);
        let biases = &config.biases;
        let per_layer = [
            (true, hidden * if config.post_norms { 4 } else { 2 }),
            (config.head_norms, 2 * wide(dims.head_dim)),
            (biases.qkv, q + 2 * kv),
            (biases.attention_out, hidden),
        ];
        for layer in &config.layers {
            linear += attention;
            vectors += per_layer
                .iter()
                .filter(|(has, _)| *has)
                .map(|(_, len)| len)
                .sum::<u128>();
            match layer.feed_forward {
                FeedForward::Dense { width } => {
                    linear += 3 * hidden * wide(width);
                    if biases.mlp {
                        vectors += 2 * wide(width) + hidden;
                    }
                }
                FeedForward::Experts { count, width, .. } => {
                    linear += wide(count) * 3 * hidden * wide(width);
                    routers += wide(count) * hidden;
                }
            }
        }
        let tables = if config.tied { 1 } else { 2 };
        let embedding = wide(dims.vocab) * hidden * tables;
        if linear + embedding + routers + vectors > Self::MOST {
            return None;
        }
        let narrow = |n: u128| u64::try_from(n).ok();
        Some(Self {
            linear: narrow(linear)?,
            embedding: narrow(embedding)?,
            routers: narrow(routers)?,
            vectors: narrow(vectors)?,
        })
    }
}
