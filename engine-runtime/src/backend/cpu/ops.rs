//! The ops of the CPU backend: each takes its arrays apart and runs a kernel, row by row or task by task.

use super::isa::Dot;
use super::memory::Parts;
use super::{Array, Cache, Cpu, Matrix, attention, matmul, rows, sampler};
use crate::backend::{
    AttentionBatch, BlockCopy, CacheShape, DeviceError, DeviceLimits, HeadLayout, HostMatrix,
    Input, NO_TOKEN, Ops, RopeTable, SamplingTable,
};
use crate::dtype::{Dense, Float};

impl<I: Dot<D>, D: Float> Ops<Dense<D>> for Cpu<I> {
    type Act = f32;
    type Matrix = Matrix<I, D>;
    type Cache = Cache<D>;

    fn pack(
        &mut self,
        what: &'static str,
        parts: &[HostMatrix<'_>],
    ) -> Result<Matrix<I, D>, DeviceError> {
        Matrix::pack(&mut self.pool, what, parts)
    }

    fn measure_limits(&mut self) -> Result<Option<DeviceLimits>, DeviceError> {
        Ok(Some(DeviceLimits {
            read_bandwidth: self.read_bandwidth()?,
            dot_peak: self.dot_peak::<D>(),
        }))
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Cache<D>, DeviceError> {
        Cache::new(shape)
    }

    fn embed(
        &mut self,
        table: &Matrix<I, D>,
        ids: Input<'_, Self, u32>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let ids = &ids.get()[..rows];
        refuse_outside("embed", ids, table.rows)?;
        let out = Parts::new(out.get_mut());
        self.each_row(rows, 8 * table.cols, |_, row| {
            // SAFETY: each row is one task's.
            let out = unsafe { out.part(row * table.cols, table.cols) };
            table.row(ids[row] as usize, out);
        });
        Ok(())
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
        let (x, weight) = (x.get(), &weight.get()[..width]);
        let out = Parts::new(out.get_mut());
        self.each_row(rows, width, |isa, row| {
            isa.enter(rows::Norm {
                x: &x[row * width..(row + 1) * width],
                weight,
                eps,
                // SAFETY: each row is one task's.
                out: unsafe { out.part(row * width, width) },
            });
        });
        Ok(())
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
        let (delta, weight) = (delta.get(), &weight.get()[..width]);
        let (residual, out) = (Parts::new(residual.get_mut()), Parts::new(out.get_mut()));
        self.each_row(rows, width, |isa, row| {
            // SAFETY: each row is one task's.
            let (to, out) = unsafe {
                (
                    residual.part(row * width, width),
                    out.part(row * width, width),
                )
            };
            let from = &delta[row * width..(row + 1) * width];
            isa.enter(rows::Add { to, from });
            isa.enter(rows::Norm {
                x: to,
                weight,
                eps,
                out,
            });
        });
        Ok(())
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
        let dim = layout.head_dim;
        let (q_weight, k_weight) = (&q_weight.get()[..dim], &k_weight.get()[..dim]);
        let qkv = Parts::new(qkv.get_mut());
        self.each_row(rows, layout.width(), |isa, row| {
            // SAFETY: each row is one task's.
            let row = unsafe { qkv.part(row * layout.width(), layout.width()) };
            let (q, kv) = row.split_at_mut(layout.q_width());
            isa.enter(rows::HeadNorm {
                heads: q,
                weight: q_weight,
                eps,
            });
            isa.enter(rows::HeadNorm {
                heads: &mut kv[..layout.kv_heads * dim],
                weight: k_weight,
                eps,
            });
        });
        Ok(())
    }

    fn matmul(
        &mut self,
        x: &Array<f32>,
        w: &Matrix<I, D>,
        bias: Option<&Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        matmul::matmul(
            self.isa,
            &mut self.pool,
            &mut self.scratch,
            x.get(),
            w,
            bias.map(Array::get),
            rows,
            out.get_mut(),
        );
        Ok(())
    }

    fn logits(
        &mut self,
        x: &Array<f32>,
        w: &Matrix<I, D>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        Ops::<Dense<D>>::matmul(self, x, w, None, rows, out)
    }

    fn rope(
        &mut self,
        qkv: &mut Array<f32>,
        positions: Input<'_, Self, u32>,
        table: RopeTable<'_, Self>,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let half = layout.head_dim / 2;
        let rotated = (layout.q_heads + layout.kv_heads) * layout.head_dim;
        let (positions, cos, sin) = (positions.get(), table.cos.get(), table.sin.get());
        let qkv = Parts::new(qkv.get_mut());
        self.each_row(rows, layout.width(), |isa, row| {
            let angles = positions[row] as usize * half..(positions[row] as usize + 1) * half;
            isa.enter(rows::Rotate {
                // SAFETY: each row is one task's.
                heads: unsafe { qkv.part(row * layout.width(), rotated) },
                cos: &cos[angles.clone()],
                sin: &sin[angles],
            });
        });
        Ok(())
    }

    fn store_kv(
        &mut self,
        qkv: &Array<f32>,
        slots: Input<'_, Self, u32>,
        cache: &mut Cache<D>,
        layer: usize,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let slots = &slots.get()[..rows];
        cache.store(&mut self.pool, qkv.get(), slots, layer, layout);
        Ok(())
    }

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

    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Array<u32>,
        stride: usize,
        out: &mut Array<u32>,
    ) -> Result<(), DeviceError> {
        let (results, rows) = (results.get(), ids.get().iter().zip(sources.get()));
        for (out, (&id, &source)) in out.get_mut().iter_mut().zip(rows) {
            *out = match source {
                NO_TOKEN => id,
                source => match results[source as usize * stride] {
                    NO_TOKEN => 0,
                    token => token,
                },
            };
        }
        Ok(())
    }

    fn attention(
        &mut self,
        qkv: &Array<f32>,
        cache: &Cache<D>,
        layer: usize,
        batch: AttentionBatch<'_, Self>,
        layout: HeadLayout,
        scale: f32,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let queries = attention::Queries {
            query_start: &batch.query_start.get()[..=batch.seqs],
            context_len: &batch.context_len.get()[..batch.seqs],
            table_start: batch.table_start.get(),
            blocks: batch.blocks.get(),
            max_query: batch.max_query,
        };
        let call = attention::Attention {
            qkv: &qkv.get()[..rows * layout.width()],
            cache,
            layer,
            queries,
            layout,
            scale,
        };
        let out = &mut out.get_mut()[..rows * layout.q_width()];
        call.launch(self.isa, &mut self.pool, out);
        Ok(())
    }

    fn silu_mul(
        &mut self,
        gate_up: &Array<f32>,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let gate_up = gate_up.get();
        let out = Parts::new(out.get_mut());
        self.each_row(rows, 2 * width, |isa, row| {
            let (gate, up) = gate_up[2 * row * width..2 * (row + 1) * width].split_at(width);
            isa.enter(rows::SiluMul {
                gate,
                up,
                // SAFETY: each row is one task's.
                out: unsafe { out.part(row * width, width) },
            });
        });
        Ok(())
    }

    fn gather_rows(
        &mut self,
        x: &Array<f32>,
        indices: Input<'_, Self, u32>,
        rows: usize,
        width: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, indices) = (x.get(), &indices.get()[..rows]);
        refuse_outside("gather_rows", indices, x.len() / width)?;
        for (&index, out) in indices.iter().zip(out.get_mut().chunks_exact_mut(width)) {
            let start = index as usize * width;
            out.copy_from_slice(&x[start..start + width]);
        }
        Ok(())
    }

    fn process_logits(
        &mut self,
        logits: &Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        scores: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (logits, settings) = (logits.get(), table.rows.get());
        let (seen, edits) = (table.seen.get(), table.edits.get());
        let scores = Parts::new(scores.get_mut());
        self.each_row(rows, vocab, |isa, row| {
            sampler::with_scratch(|scratch| {
                isa.enter(sampler::Process {
                    row: &settings[row],
                    seen,
                    edits,
                    logits: &logits[settings[row].logits_row as usize * vocab..][..vocab],
                    // SAFETY: each row is one task's.
                    scores: unsafe { scores.part(row * vocab, vocab) },
                    scratch,
                });
            });
        });
        Ok(())
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
        let (scores, settings) = (scores.get(), table.rows.get());
        let results = Parts::new(results.get_mut());
        self.each_row(rows, vocab, |isa, row| {
            let token = sampler::with_scratch(|scratch| {
                isa.enter(sampler::Sample {
                    row: &settings[row],
                    scores: &scores[row * vocab..(row + 1) * vocab],
                    scratch,
                })
            });
            // SAFETY: each row is one task's.
            let result = unsafe { results.part(row * stride, 1) };
            result[0] = token;
        });
        Ok(())
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
        let (logits, scores, settings) = (logits.get(), scores.get(), table.rows.get());
        let results = Parts::new(results.get_mut());
        self.each_row(rows, vocab, |isa, row| {
            let (source, source_row) = match settings[row].processed_logprobs {
                0 => (logits, settings[row].logits_row as usize),
                _ => (scores, row),
            };
            sampler::with_scratch(|scratch| {
                isa.enter(sampler::Logprobs {
                    scores: &source[source_row * vocab..(source_row + 1) * vocab],
                    top: settings[row].top_logprobs as usize,
                    // SAFETY: each row is one task's.
                    result: unsafe { results.part(row * stride, stride) },
                    scratch,
                });
            });
        });
        Ok(())
    }
}

/// Indices come from the host unchecked; a wrong one must not take the thread pool down.
fn refuse_outside(op: &'static str, indices: &[u32], len: usize) -> Result<(), DeviceError> {
    match indices.iter().find(|index| **index as usize >= len) {
        None => Ok(()),
        Some(index) => Err(DeviceError::Launch {
            op,
            reason: format!("row {index} of a table of {len} rows"),
        }),
    }
}
