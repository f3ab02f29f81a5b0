//! What lies between the ops of a forward pass; allocated once for the largest batch.

use super::head_layout;
use crate::backend::{Backend, DeviceError, Ops};
use crate::batch::{Capacity, DeviceBatch};
use crate::recipe::{Act, Array, Recipe};
use engine_model::Dims;

pub(super) struct Activations<R: Recipe> {
    /// [rows, hidden], what the blocks add to.
    pub(super) residual: Array<R, Act<R>>,
    /// [rows, hidden], what the last block wants to add.
    pub(super) delta: Array<R, Act<R>>,
    /// [rows, hidden]
    pub(super) normed: Array<R, Act<R>>,
    /// [rows, (q_heads + 2 * kv_heads) * head_dim]
    pub(super) qkv: Array<R, Act<R>>,
    /// [rows, q_heads * head_dim]
    pub(super) attention: Array<R, Act<R>>,
    /// [rows, 2 * ffn]
    pub(super) gate_up: Array<R, Act<R>>,
    /// [rows, ffn]
    pub(super) inner: Array<R, Act<R>>,
    /// [logits_rows, hidden]
    pub(super) picked_residual: Array<R, Act<R>>,
    /// [logits_rows, hidden]
    pub(super) picked_delta: Array<R, Act<R>>,
}

impl<R: Recipe> Activations<R> {
    pub(super) fn alloc(
        device: &mut R::Backend,
        dims: &Dims,
        capacity: Capacity,
    ) -> Result<Self, DeviceError> {
        let [hidden, qkv, q, gate_up, ffn] = widths(dims);
        let mut rows = |width| device.alloc("activations", capacity.rows * width);
        Ok(Self {
            residual: rows(hidden)?,
            delta: rows(hidden)?,
            normed: rows(hidden)?,
            qkv: rows(qkv)?,
            attention: rows(q)?,
            gate_up: rows(gate_up)?,
            inner: rows(ffn)?,
            picked_residual: device.alloc("activations", capacity.logits_rows * hidden)?,
            picked_delta: device.alloc("activations", capacity.logits_rows * hidden)?,
        })
    }

    /// Elements of all arrays together.
    pub(super) fn elements(dims: &Dims, rows: usize, logits_rows: usize) -> usize {
        let [hidden, qkv, q, gate_up, ffn] = widths(dims);
        let row = 3 * hidden + qkv + q + gate_up + ffn;
        rows.saturating_mul(row)
            .saturating_add(logits_rows.saturating_mul(2 * hidden))
    }

    /// Copies the rows whose logits are wanted to `picked_residual` and `picked_delta`.
    pub(super) fn pick(
        &mut self,
        device: &mut R::Backend,
        dims: &Dims,
        batch: &DeviceBatch<R::Backend>,
    ) -> Result<(), DeviceError> {
        let pairs = [
            (&self.residual, &mut self.picked_residual),
            (&self.delta, &mut self.picked_delta),
        ];
        for (all, picked) in pairs {
            let rows = batch.logits_len;
            device.gather_rows(all, batch.logits_rows(), rows, dims.hidden, picked)?;
        }
        Ok(())
    }
}

/// Elements of a row: residual, fused projection, attention, gate beside up, inside the feed-forward block.
fn widths(dims: &Dims) -> [usize; 5] {
    let heads = head_layout(dims);
    [
        dims.hidden,
        heads.width(),
        heads.q_width(),
        2 * dims.ffn,
        dims.ffn,
    ]
}
