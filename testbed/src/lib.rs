//! What all tests of the workspace share: the one seed of whatever is random in them, and the report of what was
//! executed and what this machine could not execute.
//!
//! A crate of its own, because tests of several crates need it and no product may contain it.

#![forbid(unsafe_code)]

mod random;
mod report;
mod seed;

pub use random::Random;
pub use report::{executed, here, skipped};
pub use seed::{properties, seed};
