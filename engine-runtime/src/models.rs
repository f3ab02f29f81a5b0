//! The model families: each a few constants of one decoder, whose forward pass stands in `decoder/forward.rs`.
//!
//! A recipe names a family with itself as the first parameter, `type Model = Llama<Self>` for dimensions from
//! `config.json`, or `Llama<Self, BakedShape>` for dimensions compiled in.

mod decoder;
mod gemma3;
mod llama;
mod qwen2;
mod qwen3;
mod qwen3_moe;
mod rope;
mod shape;

pub use decoder::Decoder;
pub use engine_model::Dims;
pub use gemma3::Gemma3;
pub use llama::Llama;
pub use qwen2::Qwen2;
pub use qwen3::Qwen3;
pub use qwen3_moe::Qwen3Moe;
pub use shape::{LoadedShape, Shape};
