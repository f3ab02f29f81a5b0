//! The forward pass, from token ids to logits.
//!
//! A row of the batch is one token. Its `residual` passes through all layers; each block reads the row normalised and
//! leaves in `delta` what it wants to add, which the next norm adds on its way. So every sum has its place, and no op
//! runs only to add.

use std::marker::PhantomData;

use engine_model::Activation;

use super::activations::Activations;
use super::{Experts, Family, FeedForward, Layer, Weights};
use crate::backend::{
    Attention, DeviceError, ExpertInput, Head, HeadLayout, Heads, LayerCache, Linear, Norm,
    Pointwise, Projection, Rows,
};
use crate::batch::DeviceBatch;
use crate::models::Dims;
use crate::recipe::{Act, Array, Cache, Matrix, Recipe};

/// The forward pass of one batch.
pub(super) struct Pass<'a, R: Recipe, F> {
    pub(super) device: &'a mut R::Backend,
    pub(super) weights: &'a Weights<R>,
    pub(super) dims: Dims,
    pub(super) batch: &'a DeviceBatch<R::Backend>,
    pub(super) cache: &'a mut Cache<R>,
    pub(super) x: &'a mut Activations<R>,
    pub(super) family: PhantomData<F>,
}

impl<R: Recipe, F: Family> Pass<'_, R, F> {
    /// Writes the batch's keys and values to the cache, and the logits that it asks for.
    pub(super) fn run(mut self, logits: &mut Array<R, f32>) -> Result<(), DeviceError> {
        let Self {
            device,
            weights,
            batch,
            x,
            ..
        } = &mut self;
        let (weights, scale) = (*weights, weights.embedding_scale);
        device.embed(&weights.embedding, batch.ids(), scale, &mut x.residual)?;
        for (index, layer) in weights.layers.iter().enumerate() {
            match index {
                // Nothing has been computed that could be added.
                0 => self.normalise(&layer.attention_norm)?,
                _ => self.add_and_normalise(&layer.attention_norm)?,
            }
            self.attend(index, layer)?;
            self.add_and_normalise(&layer.ffn_norm)?;
            match &layer.ffn {
                FeedForward::Experts(experts) if F::EXPERTS => self.experts(experts)?,
                FeedForward::Experts(_) => unreachable!("only a family with experts loads them"),
                FeedForward::Dense { gate_up, down } => self.feed_forward(gate_up, down)?,
            }
            self.normalise_delta(layer.ffn_post_norm.as_ref())?;
        }
        self.logits(logits)
    }

    /// normed = norm(residual)
    fn normalise(&mut self, norm: &Norm<Array<R, f32>>) -> Result<(), DeviceError> {
        let (x, rows) = (&mut *self.x, self.batch.rows);
        self.device.rms_norm(&x.residual, norm, rows, &mut x.normed)
    }

    /// residual += delta; normed = norm(residual)
    fn add_and_normalise(&mut self, norm: &Norm<Array<R, f32>>) -> Result<(), DeviceError> {
        let (x, rows) = (&mut *self.x, self.batch.rows);
        self.device
            .add_rms_norm(&mut x.residual, &x.delta, norm, rows, &mut x.normed)
    }

    /// delta = attention(normed)
    fn attend(&mut self, index: usize, layer: &Layer<R>) -> Result<(), DeviceError> {
        let Self {
            device,
            weights,
            batch,
            x,
            ..
        } = self;
        let (rows, layout) = (batch.rows, head_layout(&self.dims));
        device.matmul(&x.normed, &layer.qkv, rows, &mut x.qkv)?;
        if F::HEAD_NORMS
            && let Some(norms) = &layer.head_norms
        {
            device.head_norm(&mut x.qkv, norms, layout, rows)?;
        }
        let rope = &weights.ropes[layer.rope];
        device.rope(&mut x.qkv, batch.positions(), rope, layout)?;
        let written = LayerCache {
            cache: &mut *self.cache,
            layer: index,
        };
        device.store_kv(&x.qkv, batch.slots(), written, layout)?;
        let heads = Heads {
            layout,
            scale: weights.attention_scale,
            window: layer.window,
        };
        let read = LayerCache {
            cache: &*self.cache,
            layer: index,
        };
        device.attention(&x.qkv, read, batch.attention(), heads, &mut x.attention)?;
        let out = block_output::<R, F>(&mut x.normed, &mut x.delta);
        device.matmul(&x.attention, &layer.attention_out, rows, out)?;
        self.normalise_delta(layer.attention_post_norm.as_ref())
    }

    /// delta = down(activation(gate(normed)) * up(normed))
    fn feed_forward(
        &mut self,
        gate_up: &Projection<Matrix<R>, Array<R, f32>>,
        down: &Projection<Matrix<R>, Array<R, f32>>,
    ) -> Result<(), DeviceError> {
        let Self {
            device, batch, x, ..
        } = self;
        let rows = batch.rows;
        device.matmul(&x.normed, gate_up, rows, &mut x.gate_up)?;
        let gated = Rows {
            array: &x.gate_up,
            rows,
            width: 2 * self.dims.ffn,
        };
        activate::<R, F>(device, gated, &mut x.inner)?;
        let out = block_output::<R, F>(&mut x.normed, &mut x.delta);
        device.matmul(&x.inner, down, rows, out)
    }

    /// delta = the sum over a row's experts, each as `feed_forward`, of weight * expert(normed)
    fn experts(&mut self, experts: &Experts<R>) -> Result<(), DeviceError> {
        let Self {
            device, batch, x, ..
        } = self;
        let rows = batch.rows;
        let Some(routed) = &mut x.routed else {
            unreachable!("a model with experts has room for their routes");
        };
        device.logits(&x.normed, &experts.router, rows, &mut routed.logits)?;
        let logits = Rows {
            array: &routed.logits,
            rows,
            width: experts.count,
        };
        device.route(logits, experts.weights, &mut routed.routes)?;
        let (routes, input) = (&routed.routes, ExpertInput::Shared(&x.normed));
        device.grouped_matmul(input, &experts.gate_up, routes, rows, &mut x.gate_up)?;
        let gated = Rows {
            array: &x.gate_up,
            rows: rows * routes.per_row,
            width: 2 * experts.width,
        };
        activate::<R, F>(device, gated, &mut x.inner)?;
        let input = ExpertInput::Own(&x.inner);
        device.grouped_matmul(input, &experts.down, routes, rows, &mut routed.outputs)?;
        let outputs = Rows {
            array: &routed.outputs,
            rows,
            width: self.dims.hidden,
        };
        let out = block_output::<R, F>(&mut x.normed, &mut x.delta);
        device.combine(outputs, routes, out)
    }

    /// delta = norm(what a block has computed), in a family that has such norms
    fn normalise_delta(&mut self, norm: Option<&Norm<Array<R, f32>>>) -> Result<(), DeviceError> {
        let (x, rows) = (&mut *self.x, self.batch.rows);
        match norm {
            Some(norm) if F::POST_NORMS => {
                self.device.rms_norm(&x.normed, norm, rows, &mut x.delta)
            }
            _ => Ok(()),
        }
    }

    /// The logits of the rows that the batch wants them of.
    fn logits(self, logits: &mut Array<R, f32>) -> Result<(), DeviceError> {
        let Self {
            device,
            weights,
            batch,
            x,
            ..
        } = self;
        if batch.logits_len == 0 {
            return Ok(());
        }
        let norm = &weights.norm;
        let picked = [
            (&x.residual, &mut x.picked_residual),
            (&x.delta, &mut x.picked_delta),
        ];
        for (all, picked) in picked {
            let all = Rows {
                array: all,
                rows: batch.rows,
                width: norm.width,
            };
            device.gather_rows(all, batch.logits_rows(), picked)?;
        }
        let (rows, residual) = (batch.logits_len, &mut x.picked_residual);
        device.add_rms_norm(residual, &x.picked_delta, norm, rows, &mut x.normed)?;
        let head = weights.head.as_ref().unwrap_or(&weights.embedding);
        device.logits(&x.normed, head, rows, logits)
    }
}

/// Where a block leaves what it has computed: in `normed`, which it has read, where a norm is still to come, else in
/// `delta`.
fn block_output<'x, R: Recipe, F: Family>(
    normed: &'x mut Array<R, Act<R>>,
    delta: &'x mut Array<R, Act<R>>,
) -> &'x mut Array<R, Act<R>> {
    match F::POST_NORMS {
        true => normed,
        false => delta,
    }
}

/// out [rows, width / 2] = activation(gate) * up of gate_up [rows, width] = [gate | up]
fn activate<R: Recipe, F: Family>(
    device: &mut R::Backend,
    gate_up: Rows<'_, Array<R, Act<R>>>,
    out: &mut Array<R, Act<R>>,
) -> Result<(), DeviceError> {
    match F::ACTIVATION {
        Activation::Silu => device.silu_mul(gate_up, out),
        Activation::GeluTanh => device.gelu_mul(gate_up, out),
    }
}

/// The heads of a fused projection.
pub(super) fn head_layout(dims: &Dims) -> HeadLayout {
    HeadLayout {
        q_heads: dims.q_heads,
        kv_heads: dims.kv_heads,
        head_dim: dims.head_dim,
    }
}
