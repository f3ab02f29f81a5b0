//! The paged KV cache.
//!
//! Keys lie transposed in their block, [layers, blocks, kv_heads, head_dim, block_size], so that a vector register
//! takes as many positions of one dimension; values lie [layers, blocks, kv_heads, block_size, head_dim].

use super::memory::{Array, Disjoint};
use super::pool::Pool;
use crate::backend::{CacheShape, DeviceError, HeadLayout};
use crate::dtype::Float;

pub struct Cache<D> {
    shape: CacheShape,
    keys: Array<D>,
    values: Array<D>,
}

/// What attention reads: the elements of one kv head of one layer in one block.
pub(super) struct BlockHead<'a, D> {
    /// [head_dim, block_size]
    pub keys: &'a [D],
    /// [block_size, head_dim]
    pub values: &'a [D],
}

impl<D: Float> Cache<D> {
    pub(super) fn new(pool: &mut Pool, shape: CacheShape) -> Result<Self, DeviceError> {
        let CacheShape {
            layers,
            blocks,
            block_size,
            kv_heads,
            head_dim,
        } = shape;
        let len = [blocks, block_size, kv_heads, head_dim]
            .into_iter()
            .try_fold(layers, usize::checked_mul)
            .unwrap_or(usize::MAX);
        Ok(Self {
            shape,
            keys: Array::reserved(pool, "the key cache", len)?,
            values: Array::reserved(pool, "the value cache", len)?,
        })
    }

    pub(super) fn block_size(&self) -> usize {
        self.shape.block_size
    }

    pub(super) fn head_dim(&self) -> usize {
        self.shape.head_dim
    }

    pub(super) fn block_head(&self, layer: usize, block: usize, head: usize) -> BlockHead<'_, D> {
        let start = self.start(layer, block, head);
        let end = start + self.shape.block_size * self.shape.head_dim;
        BlockHead {
            keys: &self.keys.get()[start..end],
            values: &self.values.get()[start..end],
        }
    }

    fn start(&self, layer: usize, block: usize, head: usize) -> usize {
        let CacheShape {
            blocks,
            block_size,
            kv_heads,
            head_dim,
            ..
        } = self.shape;
        assert!(block < blocks, "block {block} of a cache of {blocks}");
        ((layer * blocks + block) * kv_heads + head) * block_size * head_dim
    }

    /// Copies keys and values of a block in all layers.
    pub(super) fn copy_block(&mut self, from: usize, to: usize) {
        let shape = self.shape;
        let block = shape.kv_heads * shape.block_size * shape.head_dim;
        for layer in 0..shape.layers {
            let (from, to) = (self.start(layer, from, 0), self.start(layer, to, 0));
            self.keys.get_mut().copy_within(from..from + block, to);
            self.values.get_mut().copy_within(from..from + block, to);
        }
    }

    /// Writes k and v of the rows of `qkv` to their slots; each kv head is a task.
    pub(super) fn store(
        &mut self,
        pool: &mut Pool,
        qkv: &[f32],
        slots: &[u32],
        layer: usize,
        layout: HeadLayout,
    ) {
        let (size, dim) = (self.shape.block_size, layout.head_dim);
        // A few rows are written sooner than another thread is woken.
        let tasks = if slots.len() < 16 { 1 } else { layout.kv_heads };
        let starts: Vec<usize> = slots
            .iter()
            .map(|&slot| self.start(layer, slot as usize / size, 0))
            .collect();
        let (keys, values) = (
            Disjoint::new(self.keys.get_mut()),
            Disjoint::new(self.values.get_mut()),
        );
        pool.run(tasks, |task| {
            let heads = task * layout.kv_heads / tasks..(task + 1) * layout.kv_heads / tasks;
            for (row, (&slot, &start)) in slots.iter().zip(&starts).enumerate() {
                let row = &qkv[row * layout.width()..(row + 1) * layout.width()];
                let offset = slot as usize % size;
                let (k, v) = row[layout.q_width()..].split_at(layout.kv_heads * dim);
                for head in heads.clone() {
                    let start = start + head * size * dim;
                    // SAFETY: a head's elements belong to one task, which writes row after row.
                    let values = unsafe { values.slice(start + offset * dim, dim) };
                    for (to, from) in values.iter_mut().zip(&v[head * dim..]) {
                        *to = D::from_f32(*from);
                    }
                    for (i, from) in k[head * dim..(head + 1) * dim].iter().enumerate() {
                        // SAFETY: as above.
                        let key = unsafe { keys.slice(start + i * size + offset, 1) };
                        key[0] = D::from_f32(*from);
                    }
                }
            }
        });
    }
}
