//! Whether the KV blocks of finished prefixes are kept for later requests.

use std::hash::{DefaultHasher, Hasher};
use std::marker::PhantomData;

use super::{Off, Part};
use crate::kv::PrefixIndex;
use crate::kv::prefix_cache::PrefixCache;
use crate::legal::mark;

/// Finds and keeps cached prefixes.
pub trait Prefix: Part {
    type Index: PrefixIndex;
    /// The block size that the part was declared with, if it cares.
    const BLOCK_SIZE: Option<usize>;
}

impl Prefix for Off {
    type Index = ();
    const BLOCK_SIZE: Option<usize> = None;
}

/// Full blocks of `BLOCK` positions are found again by the hash `H` of what led to them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hashed<const BLOCK: usize, H = DefaultHasher>(PhantomData<fn() -> H>);

impl<const BLOCK: usize, H: 'static> Part for Hashed<BLOCK, H> {
    type Mark = mark::PrefixCaching;
}

impl<const BLOCK: usize, H: Hasher + Default + 'static> Prefix for Hashed<BLOCK, H> {
    type Index = PrefixCache<H>;
    const BLOCK_SIZE: Option<usize> = Some(BLOCK);
}
