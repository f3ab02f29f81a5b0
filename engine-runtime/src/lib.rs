//! The inference runtime: everything an engine does between a checkpoint on disk and the tokens of a request.
//!
//! The crate is compiled once and knows no profile. One type parameter, [`Recipe`], says what a deployment chose;
//! code that does not depend on that choice (queues, block pool, tokenizer) does not carry the parameter.

pub mod backend;
pub mod batch;
pub mod chat;
pub mod checkpoint;
pub mod dtype;
pub mod engine;
pub mod guard;
pub mod kv;
// Made by a test of engine-spec, which compares it letter by letter.
#[rustfmt::skip]
pub mod legal;
pub mod model;
pub mod models;
pub mod parts;
pub mod recipe;
pub mod request;
pub mod sampler;
pub mod scheduler;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod tokenizer;

pub use engine::Engine;
pub use recipe::{KvMemory, Limits, Recipe};
