//! What attention's ops take: the layout of heads, the cache, which rows attend to what.

use super::{Backend, Input};
use crate::dtype::Element;

/// The heads in a row of a fused projection: [q_heads * head_dim | kv_heads * head_dim | kv_heads * head_dim].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLayout {
    pub q_heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl HeadLayout {
    /// Elements in a row of the fused projection.
    pub fn width(self) -> usize {
        (self.q_heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Elements in a row of attention output.
    pub fn q_width(self) -> usize {
        self.q_heads * self.head_dim
    }
}

/// The paged KV cache of one model: for each layer, keys and values of `blocks` blocks of `block_size` positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheShape {
    pub layers: usize,
    pub blocks: usize,
    pub block_size: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

/// Which rows attend to what: the sequences of a batch, in row order.
///
/// The query at row `query_start[s] + i` of sequence `s` has position `context_len[s] - query_len(s) + i` and attends
/// to positions `0..=position`, which lie in the blocks `blocks[table_start[s]..]`, `block_size` to a block.
pub struct AttentionBatch<'a, B: Backend> {
    pub seqs: usize,
    /// Longest query of any sequence, in rows.
    pub max_query: usize,
    /// [seqs + 1]
    pub query_start: Input<'a, B, u32>,
    /// `[seqs]`, this step's rows included.
    pub context_len: Input<'a, B, u32>,
    /// `[seqs]`
    pub table_start: Input<'a, B, u32>,
    /// The tables, one behind the other.
    pub blocks: Input<'a, B, u32>,
}

/// One block of a cache to copy to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockCopy {
    pub from: u32,
    pub to: u32,
}

impl Element for BlockCopy {}

/// The rotation of rotary position embeddings: `cos` and `sin` are [positions, head_dim / 2] and hold the scaling.
pub struct RopeTable<'a, B: Backend> {
    pub cos: &'a B::Array<f32>,
    pub sin: &'a B::Array<f32>,
}
