//! Choosing tokens: from the settings of requests to one small read a step.
//!
//! The host keeps what a sequence has seen and writes it as a [`SamplingTable`](crate::backend::SamplingTable); the
//! device does everything that touches logits. Random numbers are a function of a sequence's seed and the position,
//! so no batch can change them.

mod device;
mod philox;
mod seen;
mod settings;

pub use device::{DeviceSampler, Sampled};
pub use philox::{philox4x32, split_seed, uniform};
pub use seen::Seen;
pub use settings::{SamplingSettings, TableRows};
