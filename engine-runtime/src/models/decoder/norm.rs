//! Root mean square normalisation with its weights.

use crate::backend::{Backend, DeviceError, Ops};
use crate::checkpoint::HostVector;
use crate::recipe::{Act, Array, Recipe};

pub(super) struct Norm<R: Recipe> {
    /// [width]
    pub(super) weight: Array<R, f32>,
    pub(super) eps: f32,
}

impl<R: Recipe> Norm<R> {
    pub(super) fn load(
        device: &mut R::Backend,
        source: &HostVector<'_>,
        eps: f32,
    ) -> Result<Self, DeviceError> {
        let mut weight = device.alloc("norm weights", source.len)?;
        device.upload(&mut weight, &source.to_f32())?;
        Ok(Self { weight, eps })
    }

    /// out [rows, width] = norm(x)
    pub(super) fn apply(
        &self,
        device: &mut R::Backend,
        x: &Array<R, Act<R>>,
        rows: usize,
        width: usize,
        out: &mut Array<R, Act<R>>,
    ) -> Result<(), DeviceError> {
        device.rms_norm(x, &self.weight, self.eps, rows, width, out)
    }

    /// residual [rows, width] += delta; out = norm(residual)
    pub(super) fn apply_add(
        &self,
        device: &mut R::Backend,
        residual: &mut Array<R, Act<R>>,
        delta: &Array<R, Act<R>>,
        rows: usize,
        width: usize,
        out: &mut Array<R, Act<R>>,
    ) -> Result<(), DeviceError> {
        device.add_rms_norm(residual, delta, &self.weight, self.eps, rows, width, out)
    }
}
