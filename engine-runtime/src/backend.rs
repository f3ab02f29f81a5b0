//! What a device must offer: memory, an ordered queue of launches, and the ops that models are composed of.
//!
//! Every op is *launched*: it may return before it has run, and nothing above this trait may look at device memory
//! except through [`Backend::fetch`] and [`Backend::wait`]. That is how a GPU works; the `reference` backend
//! imposes it on the CPU so that code which peeks is found without one.
//!
//! Shapes stand in square brackets, row-major, slowest first. `rows` is the number of valid rows of a call: arrays
//! are allocated once at their capacity and may be longer.
//!
//! **Batch invariance.** On every backend the result of a row (a token, a head, a query position) is a function of
//! that row's inputs alone: every reduction has an order fixed by the shape of the model, never by `rows`, by the
//! other rows, or by the number of threads.

mod attention;
pub mod cpu;
mod input;
pub mod reference;
mod sampling;

pub use attention::{AttentionBatch, BlockCopy, CacheShape, HeadLayout, RopeTable};
pub use input::Input;
pub use sampling::{LogitEdit, NO_TOKEN, SamplingRow, SamplingTable, SeenToken};

use half::{bf16, f16};

use crate::dtype::{Element, WeightFormat};

/// What can go wrong with a device, as opposed to with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("cannot open the {backend} device: {reason}")]
    Open {
        backend: &'static str,
        reason: String,
    },
    #[error("out of device memory: {what} needs {bytes} bytes")]
    OutOfMemory { what: &'static str, bytes: usize },
    /// One launch failed; the device can go on.
    #[error("{op} failed on the device: {reason}")]
    Launch { op: &'static str, reason: String },
    /// Nothing on the device can be used any more.
    #[error("the {backend} device is lost: {reason}; start the engine again")]
    Lost {
        backend: &'static str,
        reason: String,
    },
}

/// How to open a device.
#[derive(Debug, Clone, Default)]
pub struct DeviceOptions {
    /// Worker threads of a CPU device; `None` takes one for each core that this process may use.
    pub threads: Option<usize>,
}

/// The bounds that a benchmark's figures are held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceLimits {
    /// Bytes a second that the device reads from its memory.
    pub read_bandwidth: f64,
    /// Floating-point operations a second, a product and a sum being two, that its dot products reach in registers.
    pub dot_peak: f64,
}

/// Device memory and an ordered queue of launches.
pub trait Backend: Sized + Send + 'static {
    /// Name in manifests and messages.
    const NAME: &'static str;

    /// The matrix column of this hardware, one of [`crate::legal::family`]; [`crate::legal`] holds recipes against it.
    type Family: crate::legal::family::Column;

    /// An array in device memory: an opaque handle that the host can move and pass on, not look into.
    type Array<T: Element>: Send;

    /// Stands for elements on their way to the host.
    type Ticket<T: Element>: Send;

    fn open(options: &DeviceOptions) -> Result<Self, DeviceError>;

    /// Bytes of device memory that are free now, where the device can tell.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Forgets launches that have not run, and what their tickets stand for. The engine calls it after a launch
    /// failed or panicked, before it launches again.
    fn abandon(&mut self) {}

    /// A zeroed array of `len` elements. `what` names it in an out-of-memory error.
    fn alloc<T: Element>(
        &mut self,
        what: &'static str,
        len: usize,
    ) -> Result<Self::Array<T>, DeviceError>;

    /// Copies `source` to `array[0..source.len()]`, in launch order. `source` may be reused when this returns.
    ///
    /// # Panics
    /// If `source` is longer than the array.
    fn upload<T: Element>(
        &mut self,
        array: &mut Self::Array<T>,
        source: &[T],
    ) -> Result<(), DeviceError>;

    /// Launches a copy of `array[0..len]` to the host. It holds what the launches before this one have left there,
    /// whatever is launched behind it.
    ///
    /// # Panics
    /// If `len` is longer than the array.
    fn fetch<T: Element>(
        &mut self,
        array: &Self::Array<T>,
        len: usize,
    ) -> Result<Self::Ticket<T>, DeviceError>;

    /// Waits for a fetch and all launches before it, and fills `out`, which has the length that was fetched. The one
    /// place where the host waits; what was launched behind the fetch may still run.
    fn wait<T: Element>(
        &mut self,
        ticket: Self::Ticket<T>,
        out: &mut [T],
    ) -> Result<(), DeviceError>;

    /// Copies `array[0..out.len()]` to the host and waits for it.
    fn read<T: Element>(
        &mut self,
        array: &Self::Array<T>,
        out: &mut [T],
    ) -> Result<(), DeviceError> {
        let ticket = self.fetch(array, out.len())?;
        self.wait(ticket, out)
    }
}

/// A weight matrix as a checkpoint holds it: [rows, cols], row-major, little-endian. `rows` are outputs.
#[derive(Debug, Clone, Copy)]
pub struct HostMatrix<'a> {
    pub rows: usize,
    pub cols: usize,
    pub values: HostValues<'a>,
}

/// Values in one of the formats that checkpoints use; bytes, because a mapped file promises no alignment.
#[derive(Debug, Clone, Copy)]
pub enum HostValues<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    BF16(&'a [u8]),
}

impl<'a> HostValues<'a> {
    /// The values in order, exactly.
    pub fn iter(self) -> Box<dyn Iterator<Item = f32> + 'a> {
        match self {
            Self::F32(bytes) => {
                Box::new(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)))
            }
            Self::F16(bytes) => Box::new(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f16::from_le_bytes(*b).to_f32()),
            ),
            Self::BF16(bytes) => Box::new(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| bf16::from_le_bytes(*b).to_f32()),
            ),
        }
    }

    /// Name of the format, as [`Float::NAME`](crate::dtype::Float::NAME).
    pub fn format(&self) -> &'static str {
        match self {
            Self::F32(_) => "f32",
            Self::F16(_) => "f16",
            Self::BF16(_) => "bf16",
        }
    }

    pub fn bytes(&self) -> u64 {
        let (Self::F32(bytes) | Self::F16(bytes) | Self::BF16(bytes)) = self;
        bytes.len() as u64
    }

    pub fn elements(&self) -> u64 {
        match self {
            Self::F32(_) => self.bytes() / 4,
            Self::F16(_) | Self::BF16(_) => self.bytes() / 2,
        }
    }
}

/// The ops that models, cache and sampler are composed of, for weights of the format `W`.
///
/// Knowing one backend is knowing all: each implements exactly these, and `tests/conformance.rs` holds every op of
/// every backend against the `reference` one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no kernels for weights of the format `{W}`",
    note = "choose another `[model] dtype` or another `target` in the profile"
)]
pub trait Ops<W: WeightFormat>: Backend {
    /// Element of activations.
    type Act: Element;
    /// A weight matrix [rows, cols] in the layout that `matmul` wants.
    type Matrix: Send;
    /// The paged KV cache.
    type Cache: Send;

    /// Stacks `parts`, which have equal `cols`, below each other and repacks them once.
    fn pack(
        &mut self,
        what: &'static str,
        parts: &[HostMatrix<'_>],
    ) -> Result<Self::Matrix, DeviceError>;

    /// What this device can do at most with weights of this format, measured now; `None` where it means nothing.
    fn measure_limits(&mut self) -> Result<Option<DeviceLimits>, DeviceError> {
        Ok(None)
    }

    /// A zeroed cache.
    fn cache(&mut self, shape: CacheShape) -> Result<Self::Cache, DeviceError>;

    /// out [rows, hidden] = table [vocab, hidden] at `ids` `[rows]`.
    fn embed(
        &mut self,
        table: &Self::Matrix,
        ids: Input<'_, Self, u32>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [rows, width] = x / sqrt(mean(x^2) + eps) * weight `[width]` (Zhang and Sennrich, arXiv 1910.07467).
    fn rms_norm(
        &mut self,
        x: &Self::Array<Self::Act>,
        weight: &Self::Array<f32>,
        eps: f32,
        rows: usize,
        width: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// residual [rows, width] += delta; out = rms_norm(residual).
    #[allow(clippy::too_many_arguments)]
    fn add_rms_norm(
        &mut self,
        residual: &mut Self::Array<Self::Act>,
        delta: &Self::Array<Self::Act>,
        weight: &Self::Array<f32>,
        eps: f32,
        rows: usize,
        width: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// Normalises every q head and every k head of qkv [rows, layout.width()] in place, as `rms_norm` over head_dim,
    /// with weights `[head_dim]` (Qwen 3).
    #[allow(clippy::too_many_arguments)]
    fn head_norm(
        &mut self,
        qkv: &mut Self::Array<Self::Act>,
        q_weight: &Self::Array<f32>,
        k_weight: &Self::Array<f32>,
        eps: f32,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError>;

    /// out [rows, w.rows] = x [rows, w.cols] * w^T (+ bias [w.rows]).
    fn matmul(
        &mut self,
        x: &Self::Array<Self::Act>,
        w: &Self::Matrix,
        bias: Option<&Self::Array<f32>>,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// As `matmul`, into f32 logits [rows, vocab].
    fn logits(
        &mut self,
        x: &Self::Array<Self::Act>,
        w: &Self::Matrix,
        rows: usize,
        out: &mut Self::Array<f32>,
    ) -> Result<(), DeviceError>;

    /// Rotates q and k of qkv in place by their `positions` `[rows]`; halves are paired (i, i + head_dim / 2), as in
    /// Hugging Face's layout (Su et al., arXiv 2104.09864).
    fn rope(
        &mut self,
        qkv: &mut Self::Array<Self::Act>,
        positions: Input<'_, Self, u32>,
        table: RopeTable<'_, Self>,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError>;

    /// Writes k and v of each row to cache slot `slots[row]` (block * block_size + offset) of `layer`.
    fn store_kv(
        &mut self,
        qkv: &Self::Array<Self::Act>,
        slots: Input<'_, Self, u32>,
        cache: &mut Self::Cache,
        layer: usize,
        layout: HeadLayout,
        rows: usize,
    ) -> Result<(), DeviceError>;

    /// Copies whole blocks of the cache, in all layers. No block is written that another copy of the call reads or
    /// writes.
    fn copy_blocks(
        &mut self,
        cache: &mut Self::Cache,
        copies: Input<'_, Self, BlockCopy>,
    ) -> Result<(), DeviceError>;

    /// out `[rows]` = `ids`, but where `sources` is not [`NO_TOKEN`] the token at `results[source * stride]`, which a
    /// step before this one has left on the device; 0 where that step found no token.
    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Self::Array<u32>,
        stride: usize,
        out: &mut Self::Array<u32>,
    ) -> Result<(), DeviceError>;

    /// out [rows, q_heads * head_dim] = softmax(scale * q k^T) v over the cached positions, causal. q head h reads
    /// kv head h / (q_heads / kv_heads). Never reads a position past a query's own.
    #[allow(clippy::too_many_arguments)]
    fn attention(
        &mut self,
        qkv: &Self::Array<Self::Act>,
        cache: &Self::Cache,
        layer: usize,
        batch: AttentionBatch<'_, Self>,
        layout: HeadLayout,
        scale: f32,
        rows: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [rows, width] = silu(gate) * up of gate_up [rows, 2 * width] = [gate | up].
    fn silu_mul(
        &mut self,
        gate_up: &Self::Array<Self::Act>,
        rows: usize,
        width: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// out [rows, width] = x [_, width] at `indices` `[rows]`.
    fn gather_rows(
        &mut self,
        x: &Self::Array<Self::Act>,
        indices: Input<'_, Self, u32>,
        rows: usize,
        width: usize,
        out: &mut Self::Array<Self::Act>,
    ) -> Result<(), DeviceError>;

    /// scores [rows, vocab] = logits [_, vocab] at each row's `logits_row`, after edits, penalties, temperature, then top-k, top-p and min-p, which set
    /// what they drop to minus infinity. A row of temperature 0 keeps its scores unscaled and untruncated.
    fn process_logits(
        &mut self,
        logits: &Self::Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        scores: &mut Self::Array<f32>,
    ) -> Result<(), DeviceError>;

    /// results[row * stride] = the token drawn from softmax(scores `[row]`), or [`NO_TOKEN`]: the first id, in
    /// ascending order, at which the cumulative probability exceeds `uniform`; at temperature 0 the largest.
    fn sample(
        &mut self,
        scores: &Self::Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        results: &mut Self::Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError>;

    /// Reads the token at `results[row * stride]` and writes behind it: its logprob (bits of an f32), its rank from
    /// 1 (one more than the tokens with a larger logprob), then `top_logprobs` pairs of id and logprob, largest
    /// first, lowest id first among equals. `stride` is at least 3 + 2 * top_logprobs.
    #[allow(clippy::too_many_arguments)]
    fn logprobs(
        &mut self,
        logits: &Self::Array<f32>,
        scores: &Self::Array<f32>,
        table: SamplingTable<'_, Self>,
        rows: usize,
        vocab: usize,
        results: &mut Self::Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError>;
}
