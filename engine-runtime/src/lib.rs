//! The inference runtime: everything an engine does between a checkpoint on disk and the tokens of a request.
//!
//! The crate is compiled once and knows no profile. One type parameter, [`Recipe`], says what a deployment chose;
//! code that does not depend on that choice (queues, block pool, tokenizer) does not carry the parameter.

pub mod backend;
pub mod batch;
pub mod dtype;
pub mod kv;
pub mod legal;
pub mod model;
pub mod parts;
pub mod recipe;
pub mod request;
pub mod sampler;
pub mod scheduler;
pub mod text;

pub use recipe::{KvMemory, Limits, Recipe};
