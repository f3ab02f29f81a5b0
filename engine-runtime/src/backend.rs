//! What a device must offer: memory and an ordered queue of launches ([`Backend`]), and the ops that models and sampler
//! are composed of, cut by what varies.
//!
//! Every engine needs [`Pointwise`] and [`Sampling`]; [`Linear`] is there for a format of the linear layers' weights,
//! [`Head`] for one of embedding and output head, [`Attention`] for one of the KV cache. What only a part of an engine
//! needs is a trait of its own, which that part demands: [`CopyBlocks`]. Knowing one backend is knowing all: each
//! implements exactly these, and `tests/suite/conformance.rs` holds every op of every backend against the `reference` one.
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
mod linear;
mod measure;
mod pointwise;
pub mod reference;
mod sampling;
mod scratch;

use attention::check;
pub use attention::{
    Attention, AttentionBatch, BlockCopy, CacheShape, CopyBlocks, HeadLayout, Heads, LayerCache,
};
pub use input::Input;
pub use linear::{ExpertInput, Head, Linear, Projection};
pub use measure::{DeviceLimits, Measure};
pub use pointwise::{Norm, Pointwise, RopeTable, RouteWeights, Routes, Rows};
pub use sampling::{
    Advance, LogitEdit, NO_LOGPROBS, NO_TOKEN, PROCESSED_LOGPROBS, RAW_LOGPROBS, Sampling,
    SamplingRow, SamplingTable, Seen, TokenCache,
};
pub use scratch::Largest;

use crate::dtype::Element;

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

    /// What the host must have for code of this backend. Asked before anything else runs, see [`cpu::isa::Level`].
    fn host_levels() -> [&'static cpu::isa::Level; 2] {
        [cpu::isa::Level::of_this_build(); 2]
    }

    fn open(options: &DeviceOptions) -> Result<Self, DeviceError>;

    /// Bytes of device memory that are free now, where the device can tell.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Threads that share the work of an op, where it is the host's threads that do it.
    fn threads(&self) -> usize {
        1
    }

    /// Bytes that each of [`Backend::threads`] keeps while ops no larger than `largest` run.
    fn scratch_of_thread(largest: &Largest) -> usize {
        let _ = largest;
        0
    }

    /// Bytes that all of them keep together while ops no larger than `largest` run, matrix products aside.
    fn shared_scratch(largest: &Largest) -> usize {
        let _ = largest;
        0
    }

    /// Makes room for what ops and their threads keep while they run, so that it never grows under a request.
    fn reserve_scratch(&mut self, largest: &Largest) {
        let _ = largest;
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
