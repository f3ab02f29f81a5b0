//! Seeds for requests that bring none. The engine holds no source of randomness; it is handed over here.

use std::hash::{BuildHasher, RandomState};

/// Differs from call to call and from run to run: the standard library keys its hash maps from the system's source.
pub fn entropy() -> u64 {
    RandomState::new().hash_one(0_u8)
}
