//! The prefix index: full blocks, found again by the hash of what led to them.
//!
//! A block's identity is its parent block and its tokens; the hash only finds candidates. Two blocks that collide are
//! told apart by comparing both, so a collision is a miss, never a wrong answer. A block is younger in use than every
//! block that continues it (tables give up their last block first), so eviction never leaves an unreachable block.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

use super::{BlockId, CacheKeys, PrefixIndex};

/// The index. `H` is replaced only to prove that its collisions do no harm.
#[derive(Debug)]
pub struct PrefixCache<H = DefaultHasher> {
    by_hash: HashMap<u64, BlockId>,
    entries: HashMap<BlockId, Entry>,
    /// Retired blocks by the time of their last use.
    retired: BTreeMap<u64, BlockId>,
    /// Counts entries and uses.
    clock: u64,
    hasher: PhantomData<fn() -> H>,
}

/// A kept block.
#[derive(Debug)]
struct Entry {
    /// Never used again for another entry.
    serial: u64,
    hash: u64,
    parent: Parent,
    tokens: Box<[u32]>,
    /// Key in `retired`.
    retired_at: Option<u64>,
}

/// What a block continues.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Parent {
    Root(CacheKeys),
    Block { serial: u64, hash: u64 },
}

/// What a sequence remembers of a block of its own.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The index has it, or one that holds the same.
    Known { serial: u64, hash: u64 },
    /// The index has another block in its place: what continues it cannot be found.
    Broken,
}

impl<H> Default for PrefixCache<H> {
    fn default() -> Self {
        Self {
            by_hash: HashMap::new(),
            entries: HashMap::new(),
            retired: BTreeMap::new(),
            clock: 0,
            hasher: PhantomData,
        }
    }
}

impl<H: Hasher + Default + 'static> PrefixIndex for PrefixCache<H> {
    type Link = Link;

    #[inline(never)]
    fn lookup(
        &mut self,
        keys: &CacheKeys,
        tokens: &[u32],
        block_size: usize,
    ) -> Vec<(BlockId, Link)> {
        let mut blocks = Vec::new();
        let mut parent = Parent::Root(keys.clone());
        for tokens in tokens.chunks_exact(block_size) {
            let hash = hash::<H>(&parent, tokens);
            let Some((block, entry)) = self.find(hash, &parent, tokens) else {
                break;
            };
            let (serial, hash) = (entry.serial, entry.hash);
            blocks.push((block, Link::Known { serial, hash }));
            parent = Parent::Block { serial, hash };
        }
        blocks
    }

    #[inline(never)]
    fn register(
        &mut self,
        before: Option<Link>,
        keys: &CacheKeys,
        tokens: &[u32],
        block: BlockId,
    ) -> (Link, Option<BlockId>) {
        let parent = match before {
            None => Parent::Root(keys.clone()),
            Some(Link::Known { serial, hash }) => Parent::Block { serial, hash },
            Some(Link::Broken) => return (Link::Broken, None),
        };
        let hash = hash::<H>(&parent, tokens);
        if let Some((kept, entry)) = self.find(hash, &parent, tokens) {
            return (entry.link(), Some(kept).filter(|&kept| kept != block));
        }
        debug_assert!(
            !self.entries.contains_key(&block),
            "nobody writes to a block that the index holds"
        );
        if self.by_hash.contains_key(&hash) {
            return (Link::Broken, None);
        }
        let entry = Entry {
            serial: self.tick(),
            hash,
            parent,
            tokens: tokens.into(),
            retired_at: None,
        };
        let link = entry.link();
        self.by_hash.insert(hash, block);
        self.entries.insert(block, entry);
        (link, None)
    }

    fn holds(&self, block: BlockId) -> bool {
        self.entries.contains_key(&block)
    }

    fn retire(&mut self, block: BlockId) -> bool {
        let now = self.tick();
        let Some(entry) = self.entries.get_mut(&block) else {
            return false;
        };
        entry.retired_at = Some(now);
        self.retired.insert(now, block);
        true
    }

    fn revive(&mut self, block: BlockId) {
        let entry = self.entries.get_mut(&block);
        if let Some(at) = entry.and_then(|entry| entry.retired_at.take()) {
            self.retired.remove(&at);
        }
    }

    fn evict(&mut self) -> Option<BlockId> {
        let (_, block) = self.retired.pop_first()?;
        if let Some(entry) = self.entries.remove(&block) {
            self.by_hash.remove(&entry.hash);
        }
        Some(block)
    }

    fn retired(&self) -> usize {
        self.retired.len()
    }
}

impl<H> PrefixCache<H> {
    /// The entry that holds `tokens` behind `parent`; the hash alone proves nothing.
    fn find(&self, hash: u64, parent: &Parent, tokens: &[u32]) -> Option<(BlockId, &Entry)> {
        let block = *self.by_hash.get(&hash)?;
        let entry = self.entries.get(&block)?;
        (entry.parent == *parent && *entry.tokens == *tokens).then_some((block, entry))
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Entry {
    fn link(&self) -> Link {
        Link::Known {
            serial: self.serial,
            hash: self.hash,
        }
    }
}

/// Chained over the parent's hash, not its serial: the same content hashes alike whenever it is computed.
fn hash<H: Hasher + Default>(parent: &Parent, tokens: &[u32]) -> u64 {
    let mut hasher = H::default();
    match parent {
        Parent::Root(keys) => (0_u8, keys).hash(&mut hasher),
        Parent::Block { hash, .. } => (1_u8, hash).hash(&mut hasher),
    }
    tokens.hash(&mut hasher);
    hasher.finish()
}
