//! Element types, and the formats that a recipe chooses: of the linear layers, of the output head, of the KV cache.

mod cache;
mod host;
mod weights;

pub use cache::{CacheFormat, Plain};
pub use host::{HostMatrix, HostValues};
pub use weights::{Dense, Stored, WeightFormat};

use half::{bf16, f16};

/// A plain value that can lie in device memory: `f32`, `u32`, the halves, and argument structs such as
/// [`SamplingRow`](crate::backend::SamplingRow).
pub trait Element: bytemuck::Pod + Send + Sync + 'static {}

impl Element for f32 {}
impl Element for f16 {}
impl Element for bf16 {}
impl Element for u32 {}

/// A floating-point storage type.
pub trait Float: Element + Default + PartialOrd {
    /// Name as profiles and safetensors files write it, in lower case.
    const NAME: &'static str;
    /// Exact.
    fn to_f32(self) -> f32;
    /// Rounds to nearest, ties to even.
    fn from_f32(value: f32) -> Self;
}

impl Float for f32 {
    const NAME: &'static str = "f32";
    fn to_f32(self) -> f32 {
        self
    }
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Float for f16 {
    const NAME: &'static str = "f16";
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }
}

impl Float for bf16 {
    const NAME: &'static str = "bf16";
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
    fn from_f32(value: f32) -> Self {
        bf16::from_f32(value)
    }
}

/// The names that generated recipes use.
pub type F32 = f32;
/// See [`F32`].
pub type F16 = f16;
/// See [`F32`].
pub type BF16 = bf16;
