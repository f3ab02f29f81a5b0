//! The ops of the reference backend, as launches.

use super::memory::{Array, Cache, Matrix, View};
use super::{Reference, attention, dense, sampler};
use crate::backend::{
    AttentionBatch, BlockCopy, CacheShape, DeviceError, HeadLayout, HostMatrix, Input, NO_TOKEN,
    Ops, RopeTable, SamplingTable,
};
use crate::dtype::{Float, WeightFormat};

impl<W: WeightFormat> Ops<W> for Reference {
    type Act = f32;
    type Matrix = Matrix<W::Stored>;
    type Cache = Cache<W::Stored>;

    fn pack(
        &mut self,
        what: &'static str,
        parts: &[HostMatrix<'_>],
    ) -> Result<Self::Matrix, DeviceError> {
        let cols = parts.first().map_or(0, |part| part.cols);
        let rows = parts.iter().map(|part| part.rows).sum();
        let values = self.memory.alloc(what, rows * cols)?;
        let mut target = self.memory.get_mut::<W::Stored>(values);
        for (to, from) in target
            .iter_mut()
            .zip(parts.iter().flat_map(|part| part.values.iter()))
        {
            *to = W::Stored::from_f32(from);
        }
        Ok(Matrix { rows, cols, values })
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Self::Cache, DeviceError> {
        let len = shape.layers * shape.blocks * shape.block_size * shape.kv_heads * shape.head_dim;
        Ok(Cache {
            shape,
            keys: self.memory.alloc("the key cache", len)?,
            values: self.memory.alloc("the value cache", len)?,
        })
    }

    fn embed(
        &mut self,
        table: &Self::Matrix,
        ids: Input<'_, Self, u32>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (table, ids, out) = (*table, View::of(ids), *out);
        self.launch("embed", move |memory| {
            let values = memory.get(table.values);
            dense::embed(
                &values,
                table.cols,
                &memory.view(ids)[..rows],
                &mut memory.get_mut(out),
            )
        })
    }

    fn rms_norm(
        &mut self,
        x: &Array<f32>,
        weight: &Array<f32>,
        eps: f32,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, weight, out) = (*x, *weight, *out);
        self.launch("rms_norm", move |memory| {
            let mut out = memory.get_mut(out);
            out[..rows * width].copy_from_slice(&memory.get(x)[..rows * width]);
            for row in out[..rows * width].chunks_exact_mut(width) {
                dense::rms_norm(row, &memory.get(weight), eps);
            }
            Ok(())
        })
    }

    fn add_rms_norm(
        &mut self,
        residual: &mut Array<f32>,
        delta: &Array<f32>,
        weight: &Array<f32>,
        eps: f32,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (sum, delta) = (*residual, *delta);
        self.launch("add_rms_norm", move |memory| {
            let delta = memory.get(delta);
            for (to, from) in memory.get_mut(sum)[..rows * width].iter_mut().zip(&*delta) {
                *to += from;
            }
            Ok(())
        })?;
        Ops::<W>::rms_norm(self, residual, weight, eps, rows, width, out)
    }

    fn head_norm(
        &mut self,
        qkv: &mut Array<f32>,
        q_weight: &Array<f32>,
        k_weight: &Array<f32>,
        eps: f32,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let (qkv, q_weight, k_weight) = (*qkv, *q_weight, *k_weight);
        self.launch("head_norm", move |memory| {
            let (q_weight, k_weight) = (memory.get(q_weight), memory.get(k_weight));
            for row in memory.get_mut(qkv)[..rows * layout.width()].chunks_exact_mut(layout.width())
            {
                let (q, kv) = row.split_at_mut(layout.q_width());
                let k = &mut kv[..layout.kv_heads * layout.head_dim];
                for head in q.chunks_exact_mut(layout.head_dim) {
                    dense::rms_norm(head, &q_weight, eps);
                }
                for head in k.chunks_exact_mut(layout.head_dim) {
                    dense::rms_norm(head, &k_weight, eps);
                }
            }
            Ok(())
        })
    }

    fn matmul(
        &mut self,
        x: &Array<f32>,
        w: &Self::Matrix,
        bias: Option<&Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, w, bias, out) = (*x, *w, bias.copied(), *out);
        self.launch("matmul", move |memory| {
            let bias = bias.map(|bias| memory.get(bias));
            dense::matmul(
                &memory.get(x)[..rows * w.cols],
                &memory.get(w.values),
                w.cols,
                bias.as_ref().map(|bias| bias.as_slice()),
                &mut memory.get_mut(out)[..rows * w.rows],
            );
            Ok(())
        })
    }

    fn logits(
        &mut self,
        x: &Array<f32>,
        w: &Self::Matrix,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        Ops::<W>::matmul(self, x, w, None, rows, out)
    }

    fn rope(
        &mut self,
        qkv: &mut Array<f32>,
        positions: Input<'_, Self, u32>,
        table: RopeTable<'_, Self>,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let (qkv, positions) = (*qkv, View::of(positions));
        let (cos, sin) = (*table.cos, *table.sin);
        self.launch("rope", move |memory| {
            let (cos, sin) = (memory.get(cos), memory.get(sin));
            let half = layout.head_dim / 2;
            let rotated = (layout.q_heads + layout.kv_heads) * layout.head_dim;
            for (row, &position) in memory
                .get_mut(qkv)
                .chunks_exact_mut(layout.width())
                .zip(&memory.view(positions)[..rows])
            {
                let angles = position as usize * half..(position as usize + 1) * half;
                for head in row[..rotated].chunks_exact_mut(layout.head_dim) {
                    dense::rotate(head, &cos[angles.clone()], &sin[angles.clone()]);
                }
            }
            Ok(())
        })
    }

    fn store_kv(
        &mut self,
        qkv: &Array<f32>,
        slots: Input<'_, Self, u32>,
        cache: &mut Self::Cache,
        layer: usize,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let (qkv, slots, cache) = (*qkv, View::of(slots), *cache);
        self.launch("store_kv", move |memory| {
            attention::store(
                &memory.get(qkv),
                &memory.view(slots)[..rows],
                layout,
                &mut cache.layer_mut(memory, layer),
            );
            Ok(())
        })
    }

    fn copy_blocks(
        &mut self,
        cache: &mut Self::Cache,
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

    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Array<u32>,
        stride: usize,
        out: &mut Array<u32>,
    ) -> Result<(), DeviceError> {
        let (ids, sources) = (View::of(ids), View::of(sources));
        let (results, out) = (*results, *out);
        self.launch("advance", move |memory| {
            let (ids, sources) = (memory.view(ids), memory.view(sources));
            let results = memory.get(results);
            let rows = ids.iter().zip(&*sources);
            for (out, (&id, &source)) in memory.get_mut(out).iter_mut().zip(rows) {
                *out = match source {
                    NO_TOKEN => id,
                    source => match results[source as usize * stride] {
                        NO_TOKEN => 0,
                        token => token,
                    },
                };
            }
            Ok(())
        })
    }

    fn attention(
        &mut self,
        qkv: &Array<f32>,
        cache: &Self::Cache,
        layer: usize,
        batch: AttentionBatch<'_, Self>,
        layout: HeadLayout,
        scale: f32,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (qkv, cache, out) = (*qkv, *cache, *out);
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
            attention::attend(
                &memory.get(qkv)[..rows * layout.width()],
                &cache.layer(memory, layer),
                queries,
                layout,
                scale,
                &mut memory.get_mut(out)[..rows * layout.q_width()],
            );
            Ok(())
        })
    }

    fn silu_mul(
        &mut self,
        gate_up: &Array<f32>,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (gate_up, out) = (*gate_up, *out);
        self.launch("silu_mul", move |memory| {
            let gate_up = memory.get(gate_up);
            let mut out = memory.get_mut(out);
            let rows = gate_up.chunks_exact(2 * width).take(rows);
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                let (gate, up) = row.split_at(width);
                for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                    *out = dense::silu(*gate) * up;
                }
            }
            Ok(())
        })
    }

    fn gather_rows(
        &mut self,
        x: &Array<f32>,
        indices: Input<'_, Self, u32>,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, indices, out) = (*x, View::of(indices), *out);
        self.launch("gather_rows", move |memory| {
            dense::embed(
                &memory.get(x),
                width,
                &memory.view(indices)[..rows],
                &mut memory.get_mut(out),
            )
        })
    }

    fn process_logits(
        &mut self,
        logits: &Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        scores: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (logits, scores) = (*logits, *scores);
        let settings = View::of(table.rows);
        let (seen, edits) = (View::of(table.seen), View::of(table.edits));
        self.launch("process_logits", move |memory| {
            let (seen, edits) = (memory.view(seen), memory.view(edits));
            let logits = memory.get(logits);
            let mut scores = memory.get_mut(scores);
            for (i, row) in memory.view(settings)[..rows].iter().enumerate() {
                let scores = &mut scores[i * vocab..(i + 1) * vocab];
                let start = row.logits_row as usize * vocab;
                scores.copy_from_slice(&logits[start..start + vocab]);
                sampler::process(row, &seen, &edits, scores);
            }
            Ok(())
        })
    }

    fn sample(
        &mut self,
        scores: &Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (scores, settings, results) = (*scores, View::of(table.rows), *results);
        self.launch("sample", move |memory| {
            let scores = memory.get(scores);
            let mut results = memory.get_mut(results);
            for (i, row) in memory.view(settings)[..rows].iter().enumerate() {
                results[i * stride] = sampler::sample(row, &scores[i * vocab..(i + 1) * vocab]);
            }
            Ok(())
        })
    }

    fn logprobs(
        &mut self,
        logits: &Array<f32>,
        scores: &Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (logits, scores, results) = (*logits, *scores, *results);
        let settings = View::of(table.rows);
        self.launch("logprobs", move |memory| {
            let (logits, scores) = (memory.get(logits), memory.get(scores));
            let mut results = memory.get_mut(results);
            for (i, row) in memory.view(settings)[..rows].iter().enumerate() {
                let (source, source_row) = match row.processed_logprobs {
                    0 => (&logits, row.logits_row as usize),
                    _ => (&scores, i),
                };
                sampler::logprobs(
                    &source[source_row * vocab..(source_row + 1) * vocab],
                    row.top_logprobs as usize,
                    &mut results[i * stride..(i + 1) * stride],
                );
            }
            Ok(())
        })
    }
}
