//! Ops on rows.

use crate::backend::cpu::memory::Disjoint;
use crate::backend::cpu::rows::{self, Activation};
use crate::backend::cpu::{Array, Cpu, Isa};
use crate::backend::{
    DeviceError, HeadLayout, Input, Norm, Pointwise, RopeTable, RouteWeights, Routes, Rows,
};

impl<I: Isa> Pointwise for Cpu<I> {
    type Act = f32;

    fn rms_norm(
        &mut self,
        x: &Array<f32>,
        norm: &Norm<Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Norm { width, eps, .. } = *norm;
        let (x, weight) = (x.get(), &norm.weight.get()[..width]);
        let out = Disjoint::new(out.get_mut());
        self.each_row(rows, width, |isa, row| {
            isa.enter(rows::Norm {
                x: &x[row * width..(row + 1) * width],
                weight,
                eps,
                // SAFETY: each row is one task's.
                out: unsafe { out.slice(row * width, width) },
            });
        });
        Ok(())
    }

    fn add_rms_norm(
        &mut self,
        residual: &mut Array<f32>,
        delta: &Array<f32>,
        norm: &Norm<Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Norm { width, eps, .. } = *norm;
        let (delta, weight) = (delta.get(), &norm.weight.get()[..width]);
        let (residual, out) = (
            Disjoint::new(residual.get_mut()),
            Disjoint::new(out.get_mut()),
        );
        self.each_row(rows, width, |isa, row| {
            // SAFETY: each row is one task's.
            let (to, out) = unsafe {
                (
                    residual.slice(row * width, width),
                    out.slice(row * width, width),
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
        norms: &[Norm<Array<f32>>; 2],
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let dim = layout.head_dim;
        let [q_norm, k_norm] = norms;
        let (q_weight, k_weight) = (&q_norm.weight.get()[..dim], &k_norm.weight.get()[..dim]);
        let qkv = Disjoint::new(qkv.get_mut());
        self.each_row(rows, layout.width(), |isa, row| {
            // SAFETY: each row is one task's.
            let row = unsafe { qkv.slice(row * layout.width(), layout.width()) };
            let (q, kv) = row.split_at_mut(layout.q_width());
            isa.enter(rows::HeadNorm {
                heads: q,
                weight: q_weight,
                eps: q_norm.eps,
            });
            isa.enter(rows::HeadNorm {
                heads: &mut kv[..layout.kv_heads * dim],
                weight: k_weight,
                eps: k_norm.eps,
            });
        });
        Ok(())
    }

    fn rope(
        &mut self,
        qkv: &mut Array<f32>,
        positions: Input<'_, Self, u32>,
        table: &RopeTable<Array<f32>>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError> {
        let half = layout.head_dim / 2;
        let rotated = (layout.q_heads + layout.kv_heads) * layout.head_dim;
        let (positions, cos, sin) = (positions.get(), table.cos.get(), table.sin.get());
        let qkv = Disjoint::new(qkv.get_mut());
        self.each_row(positions.len(), layout.width(), |isa, row| {
            let angles = positions[row] as usize * half..(positions[row] as usize + 1) * half;
            isa.enter(rows::Rotate {
                // SAFETY: each row is one task's.
                heads: unsafe { qkv.slice(row * layout.width(), rotated) },
                cos: &cos[angles.clone()],
                sin: &sin[angles],
            });
        });
        Ok(())
    }

    fn silu_mul(
        &mut self,
        gate_up: Rows<'_, Array<f32>>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.gated::<rows::Silu>(gate_up, out);
        Ok(())
    }

    fn gelu_mul(
        &mut self,
        gate_up: Rows<'_, Array<f32>>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.gated::<rows::Gelu>(gate_up, out);
        Ok(())
    }

    fn gather_rows(
        &mut self,
        x: Rows<'_, Array<f32>>,
        indices: Input<'_, Self, u32>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = x;
        let (x, indices) = (array.get(), indices.get());
        refuse_outside("gather_rows", indices, rows)?;
        for (&index, out) in indices.iter().zip(out.get_mut().chunks_exact_mut(width)) {
            let start = index as usize * width;
            out.copy_from_slice(&x[start..start + width]);
        }
        Ok(())
    }

    fn route(
        &mut self,
        logits: Rows<'_, Array<f32>>,
        weights: RouteWeights,
        routes: &mut Routes<Self>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = logits;
        let (logits, per_row) = (array.get(), routes.per_row);
        let experts = Disjoint::new(routes.experts.get_mut());
        let shares = Disjoint::new(routes.weights.get_mut());
        self.each_row(rows, 8 * width, |isa, row| {
            // SAFETY: each row is one task's.
            let (experts, shares) = unsafe {
                (
                    experts.slice(row * per_row, per_row),
                    shares.slice(row * per_row, per_row),
                )
            };
            isa.enter(rows::Route {
                logits: &logits[row * width..(row + 1) * width],
                weights,
                experts,
                shares,
            });
        });
        Ok(())
    }

    fn combine(
        &mut self,
        x: Rows<'_, Array<f32>>,
        routes: &Routes<Self>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = x;
        let (x, weights, per_row) = (array.get(), routes.weights.get(), routes.per_row);
        let out = Disjoint::new(out.get_mut());
        self.each_row(rows, per_row * width, |isa, row| {
            isa.enter(rows::Combine {
                x: &x[row * per_row * width..(row + 1) * per_row * width],
                weights: &weights[row * per_row..(row + 1) * per_row],
                // SAFETY: each row is one task's.
                out: unsafe { out.slice(row * width, width) },
            });
        });
        Ok(())
    }
}

impl<I: Isa> Cpu<I> {
    fn gated<A: Activation>(&mut self, gate_up: Rows<'_, Array<f32>>, out: &mut Array<f32>) {
        let Rows { array, rows, width } = gate_up;
        let (gate_up, half) = (array.get(), width / 2);
        let out = Disjoint::new(out.get_mut());
        self.each_row(rows, width, |isa, row| {
            let (gate, up) = gate_up[row * width..(row + 1) * width].split_at(half);
            isa.enter(rows::Gated::<A> {
                gate,
                up,
                // SAFETY: each row is one task's.
                out: unsafe { out.slice(row * half, half) },
                activation: std::marker::PhantomData,
            });
        });
    }
}

/// Indices come from the host unchecked; a wrong one must not take the thread pool down.
pub(super) fn refuse_outside(
    op: &'static str,
    indices: &[u32],
    len: usize,
) -> Result<(), DeviceError> {
    match indices.iter().find(|index| **index as usize >= len) {
        None => Ok(()),
        Some(index) => Err(DeviceError::Launch {
            op,
            reason: format!("row {index} of a table of {len} rows"),
        }),
    }
}
