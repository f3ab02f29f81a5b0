//! Weight matrices in panels.
//!
//! A panel holds two vectors of outputs, and for each step of columns their weights together:
//! [outputs / (2 * LANES), steps, 2 * LANES, GROUP]. So one vector register holds the weights of as many outputs, each
//! output's sum is one chain in one lane, and a panel is read from front to end.

use std::any::TypeId;
use std::marker::PhantomData;

use half::{bf16, f16};

use super::isa::Dot;
use super::memory::{Array, Parts};
use super::pool::Pool;
use crate::backend::{DeviceError, HostMatrix, HostValues};
use crate::dtype::Float;

const _: () = assert!(
    cfg!(target_endian = "little"),
    "checkpoints are little-endian, and read as they are"
);

/// A packed weight matrix [rows, cols]; `rows` are outputs.
pub struct Matrix<I, D> {
    pub(super) rows: usize,
    pub(super) cols: usize,
    values: Array<D>,
    isa: PhantomData<I>,
}

impl<I: Dot<D>, D: Float> Matrix<I, D> {
    /// Outputs of a panel.
    pub(super) const PANEL: usize = 2 * I::LANES;

    pub(super) fn steps(&self) -> usize {
        self.cols.div_ceil(I::GROUP)
    }

    pub(super) fn panels(&self) -> usize {
        self.rows.div_ceil(Self::PANEL)
    }

    /// Panels `first..`, one after the other.
    pub(super) fn panel(&self, first: usize) -> &[D] {
        &self.values.get()[first * self.panel_len()..]
    }

    pub(super) fn panel_len(&self) -> usize {
        self.steps() * Self::PANEL * I::GROUP
    }

    /// out [cols] = the weights of one output.
    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let panel = self.panel(row / Self::PANEL);
        let steps = panel.chunks_exact(Self::PANEL * I::GROUP);
        let lane = row % Self::PANEL * I::GROUP;
        for (out, step) in out.chunks_mut(I::GROUP).zip(steps) {
            for (out, weight) in out.iter_mut().zip(&step[lane..]) {
                *out = weight.to_f32();
            }
        }
    }

    pub(super) fn pack(
        pool: &mut Pool,
        what: &'static str,
        parts: &[HostMatrix<'_>],
    ) -> Result<Self, DeviceError> {
        let cols = parts.first().map_or(0, |part| part.cols);
        let mut matrix = Self {
            rows: parts.iter().map(|part| part.rows).sum(),
            cols,
            values: Array::new(what, 0)?,
            isa: PhantomData,
        };
        let (panels, panel_len) = (matrix.panels(), matrix.panel_len());
        matrix.values = Array::new(what, panels * panel_len)?;
        let target = Parts::new(matrix.values.get_mut());
        pool.run(panels, |panel| {
            // SAFETY: each task has its own panel.
            let target = unsafe { target.part(panel * panel_len, panel_len) };
            for lane in 0..Self::PANEL {
                if let Some((part, row)) = locate(parts, panel * Self::PANEL + lane) {
                    scatter::<I, D>(part, row, &mut target[lane * I::GROUP..]);
                }
            }
        });
        Ok(matrix)
    }
}

/// The part, and the row in it, of a row of all parts stacked.
fn locate<'p, 'm>(
    parts: &'p [HostMatrix<'m>],
    mut row: usize,
) -> Option<(&'p HostMatrix<'m>, usize)> {
    for part in parts {
        if row < part.rows {
            return Some((part, row));
        }
        row -= part.rows;
    }
    None
}

/// Writes a row to its lane of a panel that starts at `lane`.
fn scatter<I: Dot<D>, D: Float>(part: &HostMatrix<'_>, row: usize, lane: &mut [D]) {
    match part.values {
        HostValues::F32(bytes) => scatter_from::<I, f32, D>(bytes, row, part.cols, lane),
        HostValues::F16(bytes) => scatter_from::<I, f16, D>(bytes, row, part.cols, lane),
        HostValues::BF16(bytes) => scatter_from::<I, bf16, D>(bytes, row, part.cols, lane),
    }
}

fn scatter_from<I: Dot<D>, S: Float, D: Float>(
    bytes: &[u8],
    row: usize,
    cols: usize,
    lane: &mut [D],
) {
    let row = &bytes[row * cols * size_of::<S>()..(row + 1) * cols * size_of::<S>()];
    let steps = lane.chunks_mut(Matrix::<I, D>::PANEL * I::GROUP);
    for (values, step) in row.chunks(I::GROUP * size_of::<S>()).zip(steps) {
        for (value, weight) in values.chunks_exact(size_of::<S>()).zip(step) {
            *weight = convert(bytemuck::pod_read_unaligned::<S>(value));
        }
    }
}

/// Bits are kept where the format is.
fn convert<S: Float, D: Float>(value: S) -> D {
    if TypeId::of::<S>() == TypeId::of::<D>() {
        bytemuck::cast(value)
    } else {
        D::from_f32(value.to_f32())
    }
}
