//! The forward pass, from token ids to logits.
//!
//! A row of the batch is one token. Its `residual` passes through all layers; each block reads the row normalised and
//! leaves in `delta` what it wants to add, which the next norm adds on its way. So every sum has its place, and no op
//! runs only to add.

use engine_model::Activation;

use super::activations::Activations;
use super::{Decoder, Experts, Family, FeedForward, Layer};
use crate::backend::{
    Attention, DeviceError, ExpertInput, Head, HeadLayout, Heads, LayerCache, Linear, Norm,
    Pointwise, Projection, RopeTable, Rows,
};
use crate::batch::DeviceBatch;
use crate::models::{Dims, Shape};
use crate::recipe::{Act, Array, Cache, Matrix, Recipe, Table};

impl<R: Recipe, F: Family, S: Shape> Decoder<R, F, S> {
    pub(super) fn pass(
        &mut self,
        device: &mut R::Backend,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        logits: &mut Array<R, f32>,
    ) -> Result<(), DeviceError> {
        let dims = self.dims();
        let Some(x) = &mut self.activations else {
            return Err(DeviceError::Launch {
                op: "forward",
                reason: "no activations were prepared".to_owned(),
            });
        };
        device.embed(
            &self.embedding,
            batch.ids(),
            self.embedding_scale,
            &mut x.residual,
        )?;
        let mut pass = Pass::<R> {
            device,
            x,
            batch,
            dims,
        };
        for (index, layer) in self.layers.iter().enumerate() {
            pass.normalise(index == 0, &layer.attention_norm)?;
            let cache = LayerCache {
                cache: &mut *cache,
                layer: index,
            };
            pass.attend::<F>(layer, &self.ropes[layer.rope], self.attention_scale, cache)?;
            pass.normalise(false, &layer.ffn_norm)?;
            pass.feed_forward::<F>(layer)?;
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        pass.logits(&self.norm, head, logits)
    }
}

/// The forward pass of one batch.
struct Pass<'a, R: Recipe> {
    device: &'a mut R::Backend,
    x: &'a mut Activations<R>,
    batch: &'a DeviceBatch<R::Backend>,
    dims: Dims,
}

impl<R: Recipe> Pass<'_, R> {
    /// normed = norm(residual), after what the block before wants to add; at the very first there is nothing to add.
    fn normalise(&mut self, first: bool, norm: &Norm<Array<R, f32>>) -> Result<(), DeviceError> {
        let (x, rows) = (&mut *self.x, self.batch.rows);
        match first {
            true => self.device.rms_norm(&x.residual, norm, rows, &mut x.normed),
            false => self
                .device
                .add_rms_norm(&mut x.residual, &x.delta, norm, rows, &mut x.normed),
        }
    }

    /// delta = attention(normed)
    fn attend<F: Family>(
        &mut self,
        layer: &Layer<R>,
        rope: &RopeTable<Array<R, f32>>,
        scale: f32,
        cache: LayerCache<&mut Cache<R>>,
    ) -> Result<(), DeviceError> {
        let Self {
            device,
            x,
            batch,
            dims,
        } = self;
        let (rows, layout) = (batch.rows, head_layout(dims));
        device.matmul(&x.normed, &layer.qkv, rows, &mut x.qkv)?;
        if F::HEAD_NORMS
            && let Some(norms) = &layer.head_norms
        {
            device.head_norm(&mut x.qkv, norms, layout, rows)?;
        }
        device.rope(&mut x.qkv, batch.positions(), rope, layout)?;
        let LayerCache {
            cache,
            layer: index,
        } = cache;
        let written = LayerCache {
            cache: &mut *cache,
            layer: index,
        };
        device.store_kv(&x.qkv, batch.slots(), written, layout)?;
        let read = LayerCache {
            cache: &*cache,
            layer: index,
        };
        let heads = Heads {
            layout,
            scale,
            window: layer.window,
        };
        device.attention(&x.qkv, read, batch.attention(), heads, &mut x.attention)?;
        match &layer.attention_post_norm {
            Some(norm) if F::POST_NORMS => {
                device.matmul(&x.attention, &layer.attention_out, rows, &mut x.normed)?;
                device.rms_norm(&x.normed, norm, rows, &mut x.delta)
            }
            _ => device.matmul(&x.attention, &layer.attention_out, rows, &mut x.delta),
        }
    }

    /// delta = feed_forward(normed)
    fn feed_forward<F: Family>(&mut self, layer: &Layer<R>) -> Result<(), DeviceError> {
        match &layer.ffn {
            FeedForward::Experts(experts) if F::EXPERTS => self.experts::<F>(experts)?,
            FeedForward::Experts(_) => unreachable!("only a family with experts loads them"),
            FeedForward::Dense { gate_up, down } => self.dense::<F>(gate_up, down)?,
        }
        let (x, rows) = (&mut *self.x, self.batch.rows);
        match &layer.ffn_post_norm {
            Some(norm) if F::POST_NORMS => {
                self.device.rms_norm(&x.normed, norm, rows, &mut x.delta)
            }
            _ => Ok(()),
        }
    }

    /// down(activation(gate(normed)) * up(normed)), to `normed` where a norm is still to come, else to `delta`
    fn dense<F: Family>(
        &mut self,
        gate_up: &Projection<Matrix<R>, Array<R, f32>>,
        down: &Projection<Matrix<R>, Array<R, f32>>,
    ) -> Result<(), DeviceError> {
        let Self {
            device,
            x,
            batch,
            dims,
        } = self;
        let rows = batch.rows;
        device.matmul(&x.normed, gate_up, rows, &mut x.gate_up)?;
        let gated = Rows {
            array: &x.gate_up,
            rows,
            width: 2 * dims.ffn,
        };
        gate::<R, F>(device, gated, &mut x.inner)?;
        let out = match F::POST_NORMS {
            true => &mut x.normed,
            false => &mut x.delta,
        };
        device.matmul(&x.inner, down, rows, out)
    }

    /// As `dense`, for each expert of a row: the sum of weight * expert(normed)
    fn experts<F: Family>(&mut self, experts: &Experts<R>) -> Result<(), DeviceError> {
        let Self {
            device,
            x,
            batch,
            dims,
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
        gate::<R, F>(device, gated, &mut x.inner)?;
        let input = ExpertInput::Own(&x.inner);
        device.grouped_matmul(input, &experts.down, routes, rows, &mut routed.outputs)?;
        let outputs = Rows {
            array: &routed.outputs,
            rows,
            width: dims.hidden,
        };
        let out = match F::POST_NORMS {
            true => &mut x.normed,
            false => &mut x.delta,
        };
        device.combine(outputs, routes, out)
    }

    /// The logits of the rows that the batch wants them of.
    fn logits(
        self,
        norm: &Norm<Array<R, f32>>,
        head: &Table<R>,
        logits: &mut Array<R, f32>,
    ) -> Result<(), DeviceError> {
        let Self {
            device, x, batch, ..
        } = self;
        if batch.logits_len == 0 {
            return Ok(());
        }
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
        let rows = batch.logits_len;
        device.add_rms_norm(
            &mut x.picked_residual,
            &x.picked_delta,
            norm,
            rows,
            &mut x.normed,
        )?;
        device.logits(&x.normed, head, rows, logits)
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

/// out [rows, width / 2] = activation(gate) * up of gate_up [rows, width] = [gate | up]
fn gate<R: Recipe, F: Family>(
    device: &mut R::Backend,
    gate_up: Rows<'_, Array<R, Act<R>>>,
    out: &mut Array<R, Act<R>>,
) -> Result<(), DeviceError> {
    match F::ACTIVATION {
        Activation::Silu => device.silu_mul(gate_up, out),
        Activation::GeluTanh => device.gelu_mul(gate_up, out),
    }
}
