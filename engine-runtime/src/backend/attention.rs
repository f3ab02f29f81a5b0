//! Attention over a paged cache: its ops, and what they take.

use super::{Backend, DeviceError, Input, Pointwise};
use crate::dtype::{CacheFormat, Element};

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

    /// Query heads of a kv head.
    pub fn group(self) -> usize {
        self.q_heads.checked_div(self.kv_heads).unwrap_or(0)
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

impl CacheShape {
    /// Vectors of keys and of values, each of one head at one position; more than any machine has where they cannot be
    /// counted.
    pub fn vectors(self) -> usize {
        let sizes = [self.layers, self.blocks, self.block_size, self.kv_heads];
        sizes.into_iter().fold(2, usize::saturating_mul)
    }
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

/// How the query heads of a layer attend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heads {
    pub layout: HeadLayout,
    /// Products of queries and keys are multiplied by this.
    pub scale: f32,
    /// A query sees so many positions, its own the last of them; `None`: all up to its own.
    pub window: Option<usize>,
}

impl Heads {
    /// The first position that the query at `position` sees.
    pub fn first_seen(self, position: usize) -> usize {
        match self.window {
            Some(window) => (position + 1).saturating_sub(window),
            None => 0,
        }
    }
}

/// Whether the sequences of a batch lie one behind the other, each with room for its queries: what kernels rely on when
/// they write rows side by side.
pub(super) fn check(query_start: &[u32], context_len: &[u32]) -> Result<(), String> {
    for (seq, (rows, len)) in query_start.windows(2).zip(context_len).enumerate() {
        let fits = rows[1]
            .checked_sub(rows[0])
            .is_some_and(|queries| queries <= *len);
        if !fits {
            return Err(format!(
                "sequence {seq} has the rows {}..{} and {len} positions",
                rows[0], rows[1]
            ));
        }
    }
    Ok(())
}

/// One layer of a cache, behind a `&` or a `&mut`.
pub struct LayerCache<C> {
    pub cache: C,
    pub layer: usize,
}

/// Attention over a cache of the format `K`. What [`Pointwise`] says of rows and overlap holds here too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no kernels for a KV cache of the format `{K}`",
    note = "choose another `[model] dtype` or another `target` in the profile"
)]
pub trait Attention<K: CacheFormat>: Pointwise {
    /// The paged KV cache.
    type Cache: Send;

    /// A zeroed cache.
    fn cache(&mut self, shape: CacheShape) -> Result<Self::Cache, DeviceError>;

    /// Writes k and v of the rows of qkv [slots, layout.width()] to the cache slots `slots`: block * block_size + offset.
    /// Where two rows have one slot, the later row's stay.
    fn store_kv(
        &mut self,
        qkv: &Self::Array<Self::Act>,
        slots: Input<'_, Self, u32>,
        layer: LayerCache<&mut Self::Cache>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError>;

    /// out [rows, q_heads * head_dim] = softmax(scale * q k^T) v over the cached positions that a query sees. q head h
    /// reads kv head h / (q_heads / kv_heads). What lies at a position that no query of its sequence sees changes nothing:
    /// neither past a query's own, nor before its window. Refuses a batch whose sequences overlap or have no room for their queries.
    fn attention(
        &mut self,
        qkv: &Self::Array<Self::Act>,
        layer: LayerCache<&Self::Cache>,
        batch: AttentionBatch<'_, Self>,
        heads: Heads,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;
}

/// Copies inside a cache, for sequences that share blocks until one of them writes.
pub trait CopyBlocks<K: CacheFormat>: Attention<K> {
    /// Copies whole blocks of the cache, in all layers. No block is written that another copy of the call reads or
    /// writes.
    fn copy_blocks(
        &mut self,
        cache: &mut Self::Cache,
        copies: Input<'_, Self, BlockCopy>,
    ) -> Result<(), DeviceError>;
}
