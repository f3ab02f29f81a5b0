//! What the block pool asks of a prefix index, and the neutral index.

use std::sync::Arc;

use super::BlockId;

/// What a cached block depends on beside the tokens in front of it. Each field hashes and compares under its own
/// tag, so an adapter can never pass for a salt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CacheKeys {
    pub adapter: Option<u32>,
    pub salt: Option<Arc<str>>,
}

/// Finds full blocks again by what they hold. The neutral index keeps nothing and compiles to nothing.
pub trait PrefixIndex: Default + Send + 'static {
    /// What one sequence remembers of each block that it has registered.
    type Link: Copy + Send;

    /// The longest run of kept blocks for a prefix of `tokens`, from its start.
    fn lookup(
        &mut self,
        keys: &CacheKeys,
        tokens: &[u32],
        block_size: usize,
    ) -> Vec<(BlockId, Self::Link)>;

    /// Offers `block`, which holds `tokens` behind the block that `before` was given for. Returns its own link, and
    /// the block that already holds the same, if there is one.
    fn register(
        &mut self,
        before: Option<Self::Link>,
        keys: &CacheKeys,
        tokens: &[u32],
        block: BlockId,
    ) -> (Self::Link, Option<BlockId>);

    /// Whether others may find `block`, so that nobody may write to it.
    fn holds(&self, block: BlockId) -> bool;

    /// `block` has lost its last reference. `true` if the index keeps it.
    fn retire(&mut self, block: BlockId) -> bool;

    /// A retired block is referenced again.
    fn revive(&mut self, block: BlockId);

    /// Forgets the retired block that was used longest ago.
    fn evict(&mut self) -> Option<BlockId>;

    /// Number of retired blocks.
    fn retired(&self) -> usize;
}

impl PrefixIndex for () {
    type Link = ();

    fn lookup(&mut self, _: &CacheKeys, _: &[u32], _: usize) -> Vec<(BlockId, ())> {
        Vec::new()
    }

    fn register(
        &mut self,
        _: Option<()>,
        _: &CacheKeys,
        _: &[u32],
        _: BlockId,
    ) -> ((), Option<BlockId>) {
        ((), None)
    }

    fn holds(&self, _: BlockId) -> bool {
        false
    }

    fn retire(&mut self, _: BlockId) -> bool {
        false
    }

    fn revive(&mut self, _: BlockId) {}

    fn evict(&mut self) -> Option<BlockId> {
        None
    }

    fn retired(&self) -> usize {
        0
    }
}
