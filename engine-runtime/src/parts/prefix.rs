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
}

impl Prefix for Off {
    type Index = ();
}

/// Full KV blocks are found again by the hash `H` of what led to them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hashed<H = DefaultHasher>(PhantomData<fn() -> H>);

impl<H: 'static> Part for Hashed<H> {
    type Mark = mark::PrefixCaching;
}

impl<H: Hasher + Default + 'static> Prefix for Hashed<H> {
    type Index = PrefixCache<H>;
}
