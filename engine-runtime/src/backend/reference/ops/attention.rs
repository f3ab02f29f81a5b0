//! The cache, and attention over it.

use crate::backend::reference::memory::{Array, Cache, View};
use crate::backend::reference::{Reference, attention};
use crate::backend::{
    Attention, AttentionBatch, BlockCopy, CacheShape, CopyBlocks, DeviceError, HeadLayout, Heads,
    Input, LayerCache,
};
use crate::dtype::{Float, Plain};

impl<D: Float> Attention<Plain<D>> for Reference {
    type Cache = Cache<D>;

    fn cache(&mut self, shape: CacheShape) -> Result<Cache<D>, DeviceError> {
        let len = shape.layers * shape.blocks * shape.block_size * shape.kv_heads * shape.head_dim;
        Ok(Cache {
            shape,
            keys: self.memory.alloc("the key cache", len)?,
            values: self.memory.alloc("the value cache", len)?,
        })
    }

    fn store_kv(
        &mut self,
        qkv: &Array<f32>,
        slots: Input<'_, Self, u32>,
        layer: LayerCache<&mut Cache<D>>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError> {
        let (qkv, slots) = (*qkv, View::of(slots));
        let (cache, layer) = (*layer.cache, layer.layer);
        self.launch("store_kv", move |memory| {
            attention::store(
                &memory.get(qkv),
                &memory.view(slots),
                layout,
                &mut cache.layer_mut(memory, layer),
            );
            Ok(())
        })
    }

    fn attention(
        &mut self,
        qkv: &Array<f32>,
        layer: LayerCache<&Cache<D>>,
        batch: AttentionBatch<'_, Self>,
        heads: Heads,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (qkv, out) = (*qkv, *out);
        let (cache, layer) = (*layer.cache, layer.layer);
        let (starts, lens) = (View::of(batch.query_start), View::of(batch.context_len));
        let (tables, blocks) = (View::of(batch.table_start), View::of(batch.blocks));
        let seqs = batch.seqs;
        self.launch("attention", move |memory| {
            let (starts, lens) = (memory.view(starts), memory.view(lens));
            let (tables, blocks) = (memory.view(tables), memory.view(blocks));
            let queries = attention::Queries {
                query_start: &starts[..=seqs],
                context_len: &lens[..seqs],
                table_start: &tables,
                blocks: &blocks,
            };
            crate::backend::attention::check(queries.query_start, queries.context_len)?;
            attention::attend(
                &memory.get(qkv),
                &cache.layer(memory, layer),
                queries,
                heads,
                &mut memory.get_mut(out),
            );
            Ok(())
        })
    }
}

impl<D: Float> CopyBlocks<Plain<D>> for Reference {
    fn copy_blocks(
        &mut self,
        cache: &mut Cache<D>,
        copies: Input<'_, Self, BlockCopy>,
    ) -> Result<(), DeviceError> {
        let (cache, copies) = (*cache, View::of(copies));
        self.launch("copy_blocks", move |memory| {
            for &BlockCopy { from, to } in &*memory.view(copies) {
                cache.copy_block(memory, from as usize, to as usize);
            }
            Ok(())
        })
    }
}
