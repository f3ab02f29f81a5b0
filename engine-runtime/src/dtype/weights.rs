//! How weight matrices are stored, and where their arrays lie in a checkpoint.

use std::marker::PhantomData;

use super::{Float, HostMatrix};
use crate::checkpoint::{CheckpointError, Finder};

/// A format of weight matrices.
///
/// The format finds its own arrays in a checkpoint, so that one of several (integers, scales, zero points) is found,
/// checked and counted like one of a single array. How it is laid out for a machine is each backend's own, in
/// [`Linear::pack`](crate::backend::Linear::pack).
pub trait WeightFormat: Send + Sync + 'static {
    /// Name as profiles write it.
    const NAME: &'static str;

    /// One matrix where it lies in a checkpoint: found and checked, not yet read.
    type Source<'a>: Send + Sync;

    /// The matrix of the layer `name` (`model.layers.0.mlp.down_proj`), [rows, cols]; rows are outputs.
    fn find<'a>(
        finder: &mut Finder<'a>,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Self::Source<'a>, CheckpointError>;

    /// Rows and columns.
    fn shape(source: &Self::Source<'_>) -> [usize; 2];

    /// The numbers of one row, `out` `[cols]`: what the format means. The reference backend computes with these, and
    /// every kernel for the format is held against it.
    fn widen(source: &Self::Source<'_>, row: usize, out: &mut [f32]);

    /// `value` as an element of this format holds it; itself where the format has no elements of its own.
    fn round(value: f32) -> f32;

    /// The arrays of a matrix, for a report of what a checkpoint holds.
    fn stored(source: &Self::Source<'_>) -> Vec<Stored>;

    /// Bytes of a matrix [rows, cols] on a device, without what a kernel's layout adds.
    fn bytes(rows: usize, cols: usize) -> u64;
}

/// An array in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Name of the element type, in lower case.
    pub format: &'static str,
    pub bytes: u64,
}

/// One element a value, in `D`. A checkpoint may hold it in any dense format: loading converts.
#[derive(Debug, Clone, Copy)]
pub struct Dense<D>(PhantomData<D>);

impl<D: Float> WeightFormat for Dense<D> {
    const NAME: &'static str = D::NAME;

    type Source<'a> = HostMatrix<'a>;

    fn find<'a>(
        finder: &mut Finder<'a>,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<HostMatrix<'a>, CheckpointError> {
        finder.matrix(&format!("{name}.weight"), rows, cols)
    }

    fn shape(source: &HostMatrix<'_>) -> [usize; 2] {
        [source.rows, source.cols]
    }

    fn widen(source: &HostMatrix<'_>, row: usize, out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(source.row(row).iter()) {
            *out = D::from_f32(value).to_f32();
        }
    }

    fn round(value: f32) -> f32 {
        D::from_f32(value).to_f32()
    }

    fn stored(source: &HostMatrix<'_>) -> Vec<Stored> {
        vec![source.values.stored()]
    }

    fn bytes(rows: usize, cols: usize) -> u64 {
        (rows as u64)
            .saturating_mul(cols as u64)
            .saturating_mul(size_of::<D>() as u64)
    }
}
