//! A packed matrix with its bias.

use super::source::LinearSource;
use crate::backend::{Backend, DeviceError, Ops};
use crate::recipe::{Act, Array, Matrix, Recipe};

pub(super) struct Linear<R: Recipe> {
    /// [out, in]
    matrix: Matrix<R>,
    /// [out]
    bias: Option<Array<R, f32>>,
}

impl<R: Recipe> Linear<R> {
    pub(super) fn load(
        device: &mut R::Backend,
        what: &'static str,
        source: &LinearSource<'_>,
    ) -> Result<Self, DeviceError> {
        let matrix = device.pack(what, &source.parts)?;
        let values: Vec<f32> = source.biases.iter().flat_map(|b| b.to_f32()).collect();
        if values.is_empty() {
            return Ok(Self { matrix, bias: None });
        }
        let mut bias = device.alloc("biases", values.len())?;
        device.upload(&mut bias, &values)?;
        let bias = Some(bias);
        Ok(Self { matrix, bias })
    }

    /// out [rows, out] = x [rows, in] * matrix^T + bias
    pub(super) fn apply(
        &self,
        device: &mut R::Backend,
        x: &Array<R, Act<R>>,
        rows: usize,
        out: &mut Array<R, Act<R>>,
    ) -> Result<(), DeviceError> {
        device.matmul(x, &self.matrix, self.bias.as_ref(), rows, out)
    }
}
