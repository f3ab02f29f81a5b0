//! The model families: each a shape and a composition of shared blocks.
//!
//! A recipe names a family with itself as the first parameter, `type Model = Llama<Self>` for dimensions from
//! `config.json`, or `Llama<Self, Baked>` for dimensions compiled in.

mod decoder;
mod llama;
mod qwen2;
mod qwen3;
mod rope;
mod shape;

pub use decoder::Decoder;
pub use engine_model::Dims;
pub use llama::Llama;
pub use qwen2::Qwen2;
pub use qwen3::Qwen3;
pub use shape::{Dynamic, Shape};
