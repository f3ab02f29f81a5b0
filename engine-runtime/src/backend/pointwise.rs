//! Ops that work row by row and know nothing of weights in a format or of sequences.

use super::{Backend, DeviceError, HeadLayout, Input};
use crate::dtype::Element;

/// `rows` rows of `width` elements at the start of an array.
pub struct Rows<'a, A> {
    pub array: &'a A,
    pub rows: usize,
    pub width: usize,
}

/// The weights of a root mean square norm over rows of `width` elements.
pub struct Norm<A> {
    /// `[width]`
    pub weight: A,
    pub width: usize,
    /// Added to the mean of squares.
    pub eps: f32,
}

/// The rotation of rotary position embeddings: `cos` and `sin` are [positions, head_dim / 2] and hold the scaling.
pub struct RopeTable<A> {
    pub cos: A,
    pub sin: A,
}

/// The experts of each row: `per_row` of them, in ascending order, which is the order that their outputs are added in.
pub struct Routes<B: Backend> {
    pub per_row: usize,
    /// [rows, per_row]
    pub experts: B::Array<u32>,
    /// [rows, per_row]
    pub weights: B::Array<f32>,
}

/// What the weights of chosen experts add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteWeights {
    /// Their share of the softmax over all experts.
    OfAll,
    /// 1: the softmax over all, divided by the sum of the chosen.
    OfChosen,
}

/// Ops on rows of activations.
///
/// The rows of a call are the first of their arrays, which are allocated once and may hold more; what lies behind them
/// is neither read nor written. A call for more rows than an array holds is a mistake of the caller and panics. An
/// output never is an input of the same call but where the op says `in place`.
pub trait Pointwise: Backend {
    /// Element of activations.
    type Act: Element;

    /// out [rows, width] = x / sqrt(mean(x^2) + eps) * weight `[width]` (Zhang and Sennrich, arXiv 1910.07467).
    fn rms_norm(
        &mut self,
        x: &Self::Array<Self::Act>,
        norm: &Norm<Self::Array<f32>>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// residual [rows, width] += delta [rows, width], in place; out [rows, width] = rms_norm(residual).
    fn add_rms_norm(
        &mut self,
        residual: &mut Self::Array<Self::Act>,
        delta: &Self::Array<Self::Act>,
        norm: &Norm<Self::Array<f32>>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// Normalises every q head and every k head of qkv [rows, layout.width()] in place, as `rms_norm` over head_dim,
    /// with the norms `[q, k]` (Qwen 3, Gemma 3).
    fn head_norm(
        &mut self,
        qkv: &mut Self::Array<Self::Act>,
        norms: &[Norm<Self::Array<f32>>; 2],
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError>;

    /// Rotates q and k of qkv [rows, layout.width()] in place by their `positions` `[rows]`, which the table has; halves
    /// are paired (i, i + head_dim / 2), as in Hugging Face's layout (Su et al., arXiv 2104.09864).
    fn rope(
        &mut self,
        qkv: &mut Self::Array<Self::Act>,
        positions: Input<'_, Self, u32>,
        table: &RopeTable<Self::Array<f32>>,
        layout: HeadLayout,
    ) -> Result<(), DeviceError>;

    /// out [rows, width / 2] = silu(gate) * up of gate_up [rows, width] = [gate | up], with silu(x) = x / (1 + e^-x).
    fn silu_mul(
        &mut self,
        gate_up: Rows<'_, Self::Array<Self::Act>>,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// As `silu_mul`, with gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), the approximation by tanh
    /// (Hendrycks and Gimpel, arXiv 1606.08415).
    fn gelu_mul(
        &mut self,
        gate_up: Rows<'_, Self::Array<Self::Act>>,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [indices, width] = x [rows, width] at `indices`. Refuses an index that x does not have.
    fn gather_rows(
        &mut self,
        x: Rows<'_, Self::Array<Self::Act>>,
        indices: Input<'_, Self, u32>,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// The `routes.per_row` experts of the largest logits [rows, experts] of each row, the lowest id first among equals,
    /// and their weights. A logit that is not a number counts as minus infinity.
    fn route(
        &mut self,
        logits: Rows<'_, Self::Array<f32>>,
        weights: RouteWeights,
        routes: &mut Routes<Self>,
    ) -> Result<(), DeviceError>;

    /// out [rows, width] = the sum over a row's experts, in their order, of weight * x [rows * per_row, width].
    fn combine(
        &mut self,
        x: Rows<'_, Self::Array<Self::Act>>,
        routes: &Routes<Self>,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;
}
