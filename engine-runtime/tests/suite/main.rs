//! What computes: ops, models and engines, on every backend. One binary, because each binary compiles anew every kernel
//! and engine that it runs; `memory.rs` reads how much memory its process has, so it is apart.

mod answers;
mod cancellation;
mod conformance;
mod engine;
mod families;
mod formats;
mod goldens;
mod hostile_folders;
mod isolation;
mod ops;
mod recipes;
mod sampler;
mod traffic;
mod verdicts;
