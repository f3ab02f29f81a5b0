//! Whether the KV blocks of finished prefixes are kept for later requests.

use super::{Off, Part};
use crate::legal::mark;

/// Finds and keeps cached prefixes.
pub trait Prefix: Part {}

impl Prefix for Off {}

/// Full blocks of `BLOCK` positions are found again by the hash of what led to them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hashed<const BLOCK: usize>;

impl<const BLOCK: usize> Part for Hashed<BLOCK> {
    type Mark = mark::PrefixCaching;
}

impl<const BLOCK: usize> Prefix for Hashed<BLOCK> {}
