//! What lies between the ops of a forward pass; allocated once for the largest batch.

use engine_model::{Config, Dims, FeedForward};

use super::forward::head_layout;
use crate::backend::{Backend, DeviceError, Routes};
use crate::batch::Capacity;
use crate::recipe::{Act, Array, Recipe};

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
    /// [rows, 2 * ffn], or [rows, experts of a row, 2 * width of an expert].
    pub(super) gate_up: Array<R, Act<R>>,
    /// [rows, ffn], or [rows, experts of a row, width of an expert].
    pub(super) inner: Array<R, Act<R>>,
    pub(super) routed: Option<Routed<R>>,
    /// [logits_rows, hidden]
    pub(super) picked_residual: Array<R, Act<R>>,
    /// [logits_rows, hidden]
    pub(super) picked_delta: Array<R, Act<R>>,
}

/// What only layers with experts need.
pub(super) struct Routed<R: Recipe> {
    /// [rows, experts]
    pub(super) logits: Array<R, f32>,
    pub(super) routes: Routes<R::Backend>,
    /// [rows, experts of a row, hidden]
    pub(super) outputs: Array<R, Act<R>>,
}

/// Elements of a row of each array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    hidden: usize,
    qkv: usize,
    attention: usize,
    gate_up: usize,
    inner: usize,
    /// 0 without experts, as `per_row`.
    experts: usize,
    per_row: usize,
}

impl Widths {
    /// The widest of all layers.
    pub(super) fn of(config: &Config) -> Self {
        let dims: &Dims = &config.dims;
        let heads = head_layout(dims);
        let mut widths = Self {
            hidden: dims.hidden,
            qkv: heads.width(),
            attention: heads.q_width(),
            gate_up: 0,
            inner: 0,
            experts: 0,
            per_row: 0,
        };
        for layer in &config.layers {
            let inner = match layer.feed_forward {
                FeedForward::Dense { width } => width,
                FeedForward::Experts {
                    count,
                    per_token,
                    width,
                    ..
                } => {
                    widths.experts = widths.experts.max(count);
                    widths.per_row = widths.per_row.max(per_token);
                    per_token * width
                }
            };
            widths.inner = widths.inner.max(inner);
        }
        widths.gate_up = 2 * widths.inner;
        widths
    }

    /// Bytes of all arrays, with activations of `act` bytes.
    pub(super) fn bytes(&self, act: usize, rows: usize, logits_rows: usize) -> u64 {
        let Self {
            hidden,
            qkv,
            attention,
            gate_up,
            inner,
            experts,
            per_row,
        } = *self;
        let row = (3 + per_row) * hidden + qkv + attention + gate_up + inner;
        let route = 4 * (experts + 2 * per_row);
        let product = |a: usize, b: usize| (a as u64).saturating_mul(b as u64);
        product(rows, row * act + route).saturating_add(product(logits_rows, 2 * hidden * act))
    }
}

impl Widths {
    /// Bytes in which a matrix product may lay out its rows: the widest input of any, in f32, with one element more
    /// where a backend pairs them.
    pub(super) fn scratch(&self, rows: usize) -> usize {
        let routed = self.per_row * (self.hidden + 1);
        let widest = [
            self.hidden,
            self.attention,
            self.inner + self.per_row,
            routed,
        ];
        let widest = widest.into_iter().fold(0, usize::max) + 1;
        rows.saturating_mul(widest).saturating_mul(size_of::<f32>())
    }
}

impl<R: Recipe> Activations<R> {
    pub(super) fn alloc(
        device: &mut R::Backend,
        widths: Widths,
        capacity: Capacity,
    ) -> Result<Self, DeviceError> {
        let Capacity {
            rows, logits_rows, ..
        } = capacity;
        let mut of = |rows: usize, width: usize| device.alloc("activations", rows * width);
        let mut activations = Self {
            residual: of(rows, widths.hidden)?,
            delta: of(rows, widths.hidden)?,
            // The picked rows are normalised here too.
            normed: of(rows.max(logits_rows), widths.hidden)?,
            qkv: of(rows, widths.qkv)?,
            attention: of(rows, widths.attention)?,
            gate_up: of(rows, widths.gate_up)?,
            inner: of(rows, widths.inner)?,
            routed: None,
            picked_residual: of(logits_rows, widths.hidden)?,
            picked_delta: of(logits_rows, widths.hidden)?,
        };
        if widths.experts > 0 {
            let pairs = rows * widths.per_row;
            activations.routed = Some(Routed {
                logits: device.alloc("router logits", rows * widths.experts)?,
                routes: Routes {
                    per_row: widths.per_row,
                    experts: device.alloc("experts of rows", pairs)?,
                    weights: device.alloc("weights of experts", pairs)?,
                },
                outputs: device.alloc("outputs of experts", pairs * widths.hidden)?,
            });
        }
        Ok(activations)
    }
}
