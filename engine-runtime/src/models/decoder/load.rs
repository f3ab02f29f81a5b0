//! From a checkpoint onto a device.

use engine_model::{Attention, Config, FeedForward as Kind};

use super::source::{FfnSource, LayerSource, LinearSource};
use super::{Experts, FeedForward, Layer};
use crate::backend::{
    Backend, DeviceError, Head, Linear, Norm, Projection, RopeTable, RouteWeights,
};
use crate::checkpoint::HostVector;
use crate::models::rope::Angles;
use crate::recipe::{Array, Matrix, Recipe};

/// Brings weights onto the device.
pub(super) struct Loader<'a, R: Recipe> {
    pub(super) device: &'a mut R::Backend,
    pub(super) config: &'a Config,
}

impl<R: Recipe> Loader<'_, R> {
    pub(super) fn layer(
        &mut self,
        index: usize,
        source: &LayerSource<'_, R>,
    ) -> Result<Layer<R>, DeviceError> {
        let spec = &self.config.layers[index];
        let head_norms = match &source.head_norms {
            Some([q, k]) => Some([self.norm(q)?, self.norm(k)?]),
            None => None,
        };
        Ok(Layer {
            rope: spec.rope,
            window: match spec.attention {
                Attention::Full => None,
                Attention::Sliding(positions) => Some(positions),
            },
            attention_norm: self.norm(&source.attention_norm)?,
            qkv: self.linear("q, k and v projections", &source.qkv)?,
            head_norms,
            attention_out: self.linear("attention outputs", &source.attention_out)?,
            attention_post_norm: self.optional_norm(source.attention_post_norm.as_ref())?,
            ffn_norm: self.norm(&source.ffn_norm)?,
            ffn: self.feed_forward(spec.feed_forward, &source.ffn)?,
            ffn_post_norm: self.optional_norm(source.ffn_post_norm.as_ref())?,
        })
    }

    fn feed_forward(
        &mut self,
        kind: Kind,
        source: &FfnSource<'_, R>,
    ) -> Result<FeedForward<R>, DeviceError> {
        match (kind, source) {
            (_, FfnSource::Dense { gate_up, down }) => Ok(FeedForward::Dense {
                gate_up: self.linear("gate and up projections", gate_up)?,
                down: self.linear("down projections", down)?,
            }),
            (
                Kind::Experts {
                    count,
                    width,
                    norm_topk_prob,
                    ..
                },
                FfnSource::Experts {
                    router,
                    gate_up,
                    down,
                },
            ) => Ok(FeedForward::Experts(Experts {
                count,
                width,
                weights: match norm_topk_prob {
                    true => RouteWeights::OfChosen,
                    false => RouteWeights::OfAll,
                },
                router: self.device.table("router", router)?,
                gate_up: self
                    .device
                    .pack_experts("gate and up projections of experts", gate_up)?,
                down: self
                    .device
                    .pack_experts("down projections of experts", down)?,
            })),
            (Kind::Dense { .. }, FfnSource::Experts { .. }) => {
                unreachable!("experts are found where the config has them")
            }
        }
    }

    fn linear(
        &mut self,
        what: &'static str,
        source: &LinearSource<'_, R>,
    ) -> Result<Projection<Matrix<R>, Array<R, f32>>, DeviceError> {
        let matrix = self.device.pack(what, &source.stacked)?;
        let values: Vec<f32> = source.biases.iter().flat_map(HostVector::to_f32).collect();
        let bias = match values.as_slice() {
            [] => None,
            values => Some(self.vector("biases", values)?),
        };
        Ok(Projection { matrix, bias })
    }

    fn optional_norm(
        &mut self,
        source: Option<&HostVector<'_>>,
    ) -> Result<Option<Norm<Array<R, f32>>>, DeviceError> {
        source.map(|source| self.norm(source)).transpose()
    }

    pub(super) fn norm(
        &mut self,
        source: &HostVector<'_>,
    ) -> Result<Norm<Array<R, f32>>, DeviceError> {
        let mut values = source.to_f32();
        if self.config.norm.one_plus {
            for value in &mut values {
                *value += 1.0;
            }
        }
        Ok(Norm {
            weight: self.vector("norm weights", &values)?,
            width: source.len,
            eps: self.config.norm.eps,
        })
    }

    pub(super) fn rope(
        &mut self,
        angles: &Angles,
    ) -> Result<RopeTable<Array<R, f32>>, DeviceError> {
        Ok(RopeTable {
            cos: self.vector("rotary cosines", &angles.cos)?,
            sin: self.vector("rotary sines", &angles.sin)?,
        })
    }

    fn vector(&mut self, what: &'static str, values: &[f32]) -> Result<Array<R, f32>, DeviceError> {
        let mut array = self.device.alloc(what, values.len())?;
        self.device.upload(&mut array, values)?;
        Ok(array)
    }
}
