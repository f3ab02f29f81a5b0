//! Ops on rows.

use crate::backend::reference::Reference;
use crate::backend::reference::dense;
use crate::backend::reference::memory::{Array, View};
use crate::backend::{
    DeviceError, HeadLayout, Input, Norm, Pointwise, RopeTable, RouteWeights, Routes, Rows,
};

impl Pointwise for Reference {
    type Act = f32;

    fn rms_norm(
        &mut self,
        x: &Array<f32>,
        norm: &Norm<Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, out) = (*x, *out);
        let Norm { weight, width, eps } = *norm;
        self.launch("rms_norm", move |memory| {
            let mut out = memory.get_mut(out);
            let out = &mut out[..rows * width];
            out.copy_from_slice(&memory.get(x)[..rows * width]);
            for row in out.chunks_exact_mut(width) {
                dense::rms_norm(row, &memory.get(weight), eps);
            }
            Ok(())
        })
    }

    fn add_rms_norm(
        &mut self,
        residual: &mut Array<f32>,
        delta: &Array<f32>,
        norm: &Norm<Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (sum, delta, width) = (*residual, *delta, norm.width);
        self.launch("add_rms_norm", move |memory| {
            let delta = &memory.get(delta)[..rows * width];
            for (to, from) in memory.get_mut(sum)[..rows * width].iter_mut().zip(delta) {
                *to += from;
            }
            Ok(())
        })?;
        self.rms_norm(residual, norm, rows, out)
    }

    fn head_norm(
        &mut self,
        qkv: &mut Array<f32>,
        norms: &[Norm<Array<f32>>; 2],
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError> {
        let qkv = *qkv;
        let [(q_weight, q_eps), (k_weight, k_eps)] =
            [0, 1].map(|i| (norms[i].weight, norms[i].eps));
        self.launch("head_norm", move |memory| {
            let (q_weight, k_weight) = (memory.get(q_weight), memory.get(k_weight));
            for row in memory.get_mut(qkv)[..rows * layout.width()].chunks_exact_mut(layout.width())
            {
                let (q, kv) = row.split_at_mut(layout.q_width());
                let k = &mut kv[..layout.kv_heads * layout.head_dim];
                for head in q.chunks_exact_mut(layout.head_dim) {
                    dense::rms_norm(head, &q_weight, q_eps);
                }
                for head in k.chunks_exact_mut(layout.head_dim) {
                    dense::rms_norm(head, &k_weight, k_eps);
                }
            }
            Ok(())
        })
    }

    fn rope(
        &mut self,
        qkv: &mut Array<f32>,
        positions: Input<'_, Self, u32>,
        table: &RopeTable<Array<f32>>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError> {
        let (qkv, positions) = (*qkv, View::of(positions));
        let (cos, sin) = (table.cos, table.sin);
        self.launch("rope", move |memory| {
            let (cos, sin) = (memory.get(cos), memory.get(sin));
            let positions = memory.view(positions);
            let half = layout.head_dim / 2;
            let rotated = (layout.q_heads + layout.kv_heads) * layout.head_dim;
            let mut qkv = memory.get_mut(qkv);
            let rows = qkv[..positions.len() * layout.width()].chunks_exact_mut(layout.width());
            for (row, &position) in rows.zip(&*positions) {
                let angles = position as usize * half..(position as usize + 1) * half;
                for head in row[..rotated].chunks_exact_mut(layout.head_dim) {
                    dense::rotate(head, &cos[angles.clone()], &sin[angles.clone()]);
                }
            }
            Ok(())
        })
    }

    fn silu_mul(
        &mut self,
        gate_up: Rows<'_, Array<f32>>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.gated("silu_mul", gate_up, dense::silu, out)
    }

    fn gelu_mul(
        &mut self,
        gate_up: Rows<'_, Array<f32>>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.gated("gelu_mul", gate_up, dense::gelu, out)
    }

    fn gather_rows(
        &mut self,
        x: Rows<'_, Array<f32>>,
        indices: Input<'_, Self, u32>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = x;
        let (x, indices, out) = (*array, View::of(indices), *out);
        self.launch("gather_rows", move |memory| {
            let x = &memory.get(x)[..rows * width];
            let mut out = memory.get_mut(out);
            dense::look_up(x, width, &memory.view(indices), 1.0, &mut out)
        })
    }

    fn route(
        &mut self,
        logits: Rows<'_, Array<f32>>,
        weights: RouteWeights,
        routes: &mut Routes<Self>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = logits;
        let (logits, per_row) = (*array, routes.per_row);
        let (experts, shares) = (routes.experts, routes.weights);
        self.launch("route", move |memory| {
            let logits = &memory.get(logits)[..rows * width];
            let (mut experts, mut shares) = (memory.get_mut(experts), memory.get_mut(shares));
            let experts = experts[..rows * per_row].chunks_exact_mut(per_row);
            let shares = shares[..rows * per_row].chunks_exact_mut(per_row);
            for (logits, (experts, shares)) in logits.chunks_exact(width).zip(experts.zip(shares)) {
                dense::route(logits, weights, experts, shares);
            }
            Ok(())
        })
    }

    fn combine(
        &mut self,
        x: Rows<'_, Array<f32>>,
        routes: &Routes<Self>,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = x;
        let (x, weights, out, per_row) = (*array, routes.weights, *out, routes.per_row);
        self.launch("combine", move |memory| {
            let (x, weights) = (memory.get(x), memory.get(weights));
            let mut out = memory.get_mut(out);
            for row in 0..rows {
                let weights = &weights[row * per_row..(row + 1) * per_row];
                for i in 0..width {
                    let parts = weights.iter().enumerate().map(|(expert, weight)| {
                        f64::from(*weight) * f64::from(x[(row * per_row + expert) * width + i])
                    });
                    out[row * width + i] = parts.sum::<f64>() as f32;
                }
            }
            Ok(())
        })
    }
}

impl Reference {
    /// out [rows, width / 2] = activation(gate) * up
    fn gated(
        &mut self,
        op: &'static str,
        gate_up: Rows<'_, Array<f32>>,
        activation: fn(f32) -> f32,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let Rows { array, rows, width } = gate_up;
        let (gate_up, out) = (*array, *out);
        self.launch(op, move |memory| {
            let gate_up = memory.get(gate_up);
            let mut out = memory.get_mut(out);
            let rows = gate_up[..rows * width].chunks_exact(width);
            for (row, out) in rows.zip(out.chunks_exact_mut(width / 2)) {
                let (gate, up) = row.split_at(width / 2);
                for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                    *out = activation(*gate) * up;
                }
            }
            Ok(())
        })
    }
}
