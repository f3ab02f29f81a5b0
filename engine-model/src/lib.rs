//! What a profile's check and the runtime must read alike, and so read with the same code.
//!
//! [`Config`] is a model as its config.json describes it: dimensions, layers, rotary positions. [`ModelFamily`] is the
//! table of families, [`Op`] the list of what kernels compute. A profile that is accepted and an engine that then
//! refuses to start would break the one promise of this project; with one reader they cannot differ.
//!
//! [`x86`] is the one list of what processors are asked for.
//!
//! Not here: anything of a profile, a GPU or a weight. Nothing is read from disk but small JSON files.
#![forbid(unsafe_code)]

pub mod bounds;
mod bytes;
mod config;
mod dims;
mod family;
mod file;
mod json;
mod layer;
mod op;
mod quantization;
mod rope;
mod weights;
pub mod x86;

pub use bytes::Bytes;
pub use config::{Activation, Biases, Config, Norm};
pub use dims::Dims;
pub use family::{ModelCode, ModelFamily};
pub use file::{FileError, Reason, read_bounded};
pub use json::Object;
pub use layer::{Attention, FeedForward, Layer};
pub use op::{Fact, FactKind, Kernel, Op};
pub use quantization::Quantization;
pub use rope::{Rope, RopeScaling};
pub use weights::Parameters;
