//! The cache, and attention over it.

use crate::backend::cpu::attention::{Attention as Call, Queries};
use crate::backend::cpu::{Array, Cache, Cpu, Dot};
use crate::backend::{
    Attention, AttentionBatch, BlockCopy, CacheShape, CopyBlocks, DeviceError, HeadLayout, Heads,
    Input, LayerCache, check,
};
use crate::dtype::{Float, Plain};

impl<I: Dot<D>, D: Float> Attention<Plain<D>> for Cpu<I> {
    type Cache = Cache<D>;

    fn cache(&mut self, shape: CacheShape) -> Result<Cache<D>, DeviceError> {
        Cache::new(&mut self.pool, shape)
    }

    fn store_kv(
        &mut self,
        qkv: &Array<f32>,
        slots: Input<'_, Self, u32>,
        layer: LayerCache<&mut Cache<D>>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError> {
        let LayerCache { cache, layer } = layer;
        cache.store(&mut self.pool, qkv.get(), slots.get(), layer, layout);
        Ok(())
    }

    fn attention(
        &mut self,
        qkv: &Array<f32>,
        layer: LayerCache<&Cache<D>>,
        batch: AttentionBatch<'_, Self>,
        heads: Heads,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let queries = Queries {
            query_start: &batch.query_start.get()[..=batch.seqs],
            context_len: &batch.context_len.get()[..batch.seqs],
            table_start: batch.table_start.get(),
            blocks: batch.blocks.get(),
        };
        check(queries.query_start, queries.context_len).map_err(|reason| DeviceError::Launch {
            op: "attention",
            reason,
        })?;
        let call = Call {
            qkv: qkv.get(),
            cache: layer.cache,
            layer: layer.layer,
            queries,
            heads,
        };
        let scratch = (&self.lent, &mut self.partials);
        call.launch(self.isa, &mut self.pool, scratch, out.get_mut());
        Ok(())
    }
}

impl<I: Dot<D>, D: Float> CopyBlocks<Plain<D>> for Cpu<I> {
    fn copy_blocks(
        &mut self,
        cache: &mut Cache<D>,
        copies: Input<'_, Self, BlockCopy>,
    ) -> Result<(), DeviceError> {
        for &BlockCopy { from, to } in copies.get() {
            cache.copy_block(from as usize, to as usize);
        }
        Ok(())
    }
}
