//! Products with weight matrices: the linear layers in one format, embedding and output head in another.

use super::{DeviceError, Input, Pointwise, Routes};
use crate::dtype::WeightFormat;

/// A matrix [outputs, inputs] as its backend packed it, with the bias `[outputs]` that some have.
pub struct Projection<M, A> {
    pub matrix: M,
    pub bias: Option<A>,
}

/// What each expert of a row is applied to.
pub enum ExpertInput<'a, A> {
    /// [rows, inputs]: the same row for each of its experts.
    Shared(&'a A),
    /// [rows, per_row, inputs]: a row for each.
    Own(&'a A),
}

/// Linear layers with weights of the format `W`. What [`Pointwise`] says of rows and overlap holds here too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no kernels for weights of the format `{W}`",
    note = "choose another `[model] dtype` or another `target` in the profile"
)]
pub trait Linear<W: WeightFormat>: Pointwise {
    /// A weight matrix [outputs, inputs] in the layout that `matmul` wants.
    type Matrix: Send;
    /// A matrix [outputs, inputs] for each expert, in the layout that `grouped_matmul` wants.
    type Experts: Send;

    /// Puts the `stacked` matrices below each other and repacks them once. `what` names them in an error.
    ///
    /// # Panics
    /// Where they have unequal columns.
    fn pack(
        &mut self,
        what: &'static str,
        stacked: &[W::Source<'_>],
    ) -> Result<Self::Matrix, DeviceError>;

    /// As `pack`, for each expert.
    fn pack_experts(
        &mut self,
        what: &'static str,
        experts: &[Vec<W::Source<'_>>],
    ) -> Result<Self::Experts, DeviceError>;

    /// out [rows, outputs] = x [rows, inputs] * matrix^T (+ bias).
    fn matmul(
        &mut self,
        x: &Self::Array<Self::Act>,
        w: &Projection<Self::Matrix, Self::Array<f32>>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [rows, per_row, outputs] = x * matrix^T for the matrix of each expert of each row. Refuses an expert that
    /// there is not.
    fn grouped_matmul(
        &mut self,
        x: ExpertInput<'_, Self::Array<Self::Act>>,
        w: &Self::Experts,
        routes: &Routes<Self>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;
}

/// The tables between tokens and numbers, in the format `H`: embedding and output head, which may be one and the same,
/// and the router of experts. Quantised checkpoints leave these as they were.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no kernels for an output head of the format `{H}`",
    note = "choose another `[model] dtype` or another `target` in the profile"
)]
pub trait Head<H: WeightFormat>: Pointwise {
    /// A table [entries, hidden].
    type Table: Send;

    fn table(
        &mut self,
        what: &'static str,
        source: &H::Source<'_>,
    ) -> Result<Self::Table, DeviceError>;

    /// out [ids, hidden] = scale * table at `ids`. Refuses an id that the table does not have.
    fn embed(
        &mut self,
        table: &Self::Table,
        ids: Input<'_, Self, u32>,
        scale: f32,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [rows, entries] = x [rows, hidden] * table^T, in f32: what choices are made from.
    fn logits(
        &mut self,
        x: &Self::Array<Self::Act>,
        table: &Self::Table,
        rows: usize,
        out: &mut Self::Array<f32>,
    ) -> Result<(), DeviceError>;
}
