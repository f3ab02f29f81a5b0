//! One layer: attention, then the feed-forward block.

use super::activations::Activations;
use super::linear::Linear;
use super::norm::Norm;
use super::progress::Progress;
use super::source::LayerSource;
use super::{Family, head_layout};
use crate::backend::{DeviceError, Ops, RopeTable};
use crate::batch::DeviceBatch;
use crate::checkpoint::Config;
use crate::recipe::{Cache, Recipe};
use engine_model::Dims;

pub(super) struct Layer<R: Recipe> {
    attention_norm: Norm<R>,
    qkv: Linear<R>,
    /// Of q and of k; there in a family with [`Family::HEAD_NORM`].
    head_norms: Option<[Norm<R>; 2]>,
    attention_out: Linear<R>,
    mlp_norm: Norm<R>,
    gate_up: Linear<R>,
    down: Linear<R>,
}

impl<R: Recipe> Layer<R> {
    pub(super) fn load(
        device: &mut R::Backend,
        source: &LayerSource<'_>,
        config: &Config,
        progress: &mut Progress<'_>,
    ) -> Result<Self, DeviceError> {
        let eps = config.norm.eps;
        let layer = Self {
            attention_norm: Norm::load(device, &source.attention_norm, eps)?,
            qkv: Linear::load(device, "q, k and v projections", &source.qkv)?,
            head_norms: match &source.head_norms {
                Some([q, k]) => Some([Norm::load(device, q, eps)?, Norm::load(device, k, eps)?]),
                None => None,
            },
            attention_out: Linear::load(device, "attention outputs", &source.attention_out)?,
            mlp_norm: Norm::load(device, &source.mlp_norm, eps)?,
            gate_up: Linear::load(device, "gate and up projections", &source.gate_up)?,
            down: Linear::load(device, "down projections", &source.down)?,
        };
        progress.add(source.bytes());
        Ok(layer)
    }

    /// Leaves in `x.delta` what is still to be added to `x.residual`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn forward<F: Family>(
        &self,
        device: &mut R::Backend,
        x: &mut Activations<R>,
        dims: &Dims,
        rope: RopeTable<'_, R::Backend>,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        index: usize,
    ) -> Result<(), DeviceError> {
        self.attend::<F>(device, x, dims, rope, batch, cache, index)?;
        self.feed_forward(device, x, dims, batch.rows)
    }

    #[allow(clippy::too_many_arguments)]
    fn attend<F: Family>(
        &self,
        device: &mut R::Backend,
        x: &mut Activations<R>,
        dims: &Dims,
        rope: RopeTable<'_, R::Backend>,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        index: usize,
    ) -> Result<(), DeviceError> {
        let rows = batch.rows;
        let heads = head_layout(dims);
        let norm = &self.attention_norm;
        match index {
            0 => norm.apply(device, &x.residual, rows, dims.hidden, &mut x.normed)?,
            _ => norm.apply_add(
                device,
                &mut x.residual,
                &x.delta,
                rows,
                dims.hidden,
                &mut x.normed,
            )?,
        }
        self.qkv.apply(device, &x.normed, rows, &mut x.qkv)?;
        if F::HEAD_NORM
            && let Some([q, k]) = &self.head_norms
        {
            device.head_norm(&mut x.qkv, &q.weight, &k.weight, q.eps, heads, rows)?;
        }
        device.rope(&mut x.qkv, batch.positions(), rope, heads, rows)?;
        device.store_kv(&x.qkv, batch.slots(), cache, index, heads, rows)?;
        let scale = (dims.head_dim as f32).sqrt().recip();
        device.attention(
            &x.qkv,
            cache,
            index,
            batch.attention(),
            heads,
            scale,
            rows,
            &mut x.attention,
        )?;
        self.attention_out
            .apply(device, &x.attention, rows, &mut x.delta)
    }

    fn feed_forward(
        &self,
        device: &mut R::Backend,
        x: &mut Activations<R>,
        dims: &Dims,
        rows: usize,
    ) -> Result<(), DeviceError> {
        self.mlp_norm.apply_add(
            device,
            &mut x.residual,
            &x.delta,
            rows,
            dims.hidden,
            &mut x.normed,
        )?;
        self.gate_up
            .apply(device, &x.normed, rows, &mut x.gate_up)?;
        device.silu_mul(&x.gate_up, rows, dims.ffn, &mut x.inner)?;
        self.down.apply(device, &x.inner, rows, &mut x.delta)
    }
}
