//! Choosing tokens: from the settings of requests to one small read a step.
//!
//! The host writes a [`SamplingTable`](crate::backend::SamplingTable); the device does everything that touches logits, and
//! keeps the tokens that sequences have seen. Random numbers are a function of a sequence's seed and the position,
//! so no batch can change them.

mod device;
mod philox;
mod settings;

pub use device::{DeviceSampler, Sampled};
pub use philox::{philox4x32, split_seed, uniform};
pub use settings::{SamplingSettings, TableRows};
