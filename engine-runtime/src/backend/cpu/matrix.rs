//! Weight matrices in panels.
//!
//! A panel holds two vectors of outputs, and for each group of columns their weights together:
//! [outputs / (2 * LANES), groups, 2 * LANES, GROUP]. So one vector register holds the weights of as many outputs, each
//! output's sum is one chain in one lane, and a panel is read from front to end.

use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::Range;

use half::{bf16, f16};

use super::isa::Dot;
use super::memory::{Array, Disjoint};
use super::pool::Pool;
use crate::backend::DeviceError;
use crate::dtype::{Float, HostMatrix, HostValues};

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

    pub(super) fn groups(&self) -> usize {
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
        self.groups() * Self::PANEL * I::GROUP
    }

    /// Where `groups` of the weights of `V` vectors of outputs begin, [2, LANES, GROUP] elements from one group to the
    /// next, from vector `first` on; a panel has two.
    #[inline(always)]
    pub(super) fn vectors<const V: usize>(
        &self,
        first: usize,
        groups: Range<usize>,
    ) -> [*const D; V] {
        let mut starts = [std::ptr::null(); V];
        for (vector, start) in (first..).zip(&mut starts) {
            let panel = &self.panel(vector / 2)[..self.panel_len()];
            let group = Self::PANEL * I::GROUP;
            let slice = &panel[groups.start * group..groups.end * group];
            *start = slice[vector % 2 * I::LANES * I::GROUP..].as_ptr();
        }
        starts
    }

    /// out [cols] = scale * the weights of one output.
    pub(super) fn row(&self, row: usize, scale: f32, out: &mut [f32]) {
        let panel = self.panel(row / Self::PANEL);
        let groups = panel.chunks_exact(Self::PANEL * I::GROUP);
        let lane = row % Self::PANEL * I::GROUP;
        for (out, group) in out.chunks_mut(I::GROUP).zip(groups) {
            for (out, weight) in out.iter_mut().zip(&group[lane..]) {
                *out = scale * weight.to_f32();
            }
        }
    }

    pub(super) fn pack(
        pool: &mut Pool,
        what: &'static str,
        stacked: &[HostMatrix<'_>],
    ) -> Result<Self, DeviceError> {
        let cols = stacked.first().map_or(0, |host| host.cols);
        assert!(
            stacked.iter().all(|host| host.cols == cols),
            "stacked matrices have equal columns"
        );
        let mut matrix = Self {
            rows: stacked.iter().map(|host| host.rows).sum(),
            cols,
            values: Array::new(what, 0)?,
            isa: PhantomData,
        };
        let (panels, panel_len) = (matrix.panels(), matrix.panel_len());
        matrix.values = Array::new(what, panels * panel_len)?;
        let target = Disjoint::new(matrix.values.get_mut());
        pool.run(panels, |panel| {
            // SAFETY: each task has its own panel.
            let target = unsafe { target.slice(panel * panel_len, panel_len) };
            for lane in 0..Self::PANEL {
                if let Some((host, row)) = locate(stacked, panel * Self::PANEL + lane) {
                    scatter::<I, D>(host, row, &mut target[lane * I::GROUP..]);
                }
            }
        });
        Ok(matrix)
    }
}

/// The matrix, and the row in it, of a row of all that are stacked.
fn locate<'s, 'm>(
    stacked: &'s [HostMatrix<'m>],
    mut row: usize,
) -> Option<(&'s HostMatrix<'m>, usize)> {
    for host in stacked {
        if row < host.rows {
            return Some((host, row));
        }
        row -= host.rows;
    }
    None
}

/// Writes a row to its lane of a panel that starts at `lane`.
fn scatter<I: Dot<D>, D: Float>(host: &HostMatrix<'_>, row: usize, lane: &mut [D]) {
    match host.values {
        HostValues::F32(bytes) => scatter_from::<I, f32, D>(bytes, row, host.cols, lane),
        HostValues::F16(bytes) => scatter_from::<I, f16, D>(bytes, row, host.cols, lane),
        HostValues::BF16(bytes) => scatter_from::<I, bf16, D>(bytes, row, host.cols, lane),
    }
}

fn scatter_from<I: Dot<D>, S: Float, D: Float>(
    bytes: &[u8],
    row: usize,
    cols: usize,
    lane: &mut [D],
) {
    let row = &bytes[row * cols * size_of::<S>()..(row + 1) * cols * size_of::<S>()];
    let groups = lane.chunks_mut(Matrix::<I, D>::PANEL * I::GROUP);
    for (values, group) in row.chunks(I::GROUP * size_of::<S>()).zip(groups) {
        for (value, weight) in values.chunks_exact(size_of::<S>()).zip(group) {
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
