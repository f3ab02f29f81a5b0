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

/// How far a sequence's blocks are known to the index.
#[derive(Debug, Default)]
pub enum Chain {
    #[default]
    Start,
    /// The last block that the index holds.
    At { serial: u64, hash: u64 },
    /// The index has another block in the place of one of ours: what continues it cannot be found.
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
    type Chain = Chain;

    #[inline(never)]
    fn lookup(
        &mut self,
        chain: &mut Chain,
        keys: &CacheKeys,
        tokens: &[u32],
        block_size: usize,
    ) -> Vec<BlockId> {
        let mut blocks = Vec::new();
        for tokens in tokens.chunks_exact(block_size) {
            let Some(parent) = chain.parent(keys) else {
                break;
            };
            let hash = hash::<H>(&parent, tokens);
            let Some((block, entry)) = self.find(hash, &parent, tokens) else {
                break;
            };
            *chain = entry.link();
            blocks.push(block);
        }
        blocks
    }

    #[inline(never)]
    fn register(
        &mut self,
        chain: &mut Chain,
        keys: &CacheKeys,
        tokens: &[u32],
        block: BlockId,
    ) -> Option<BlockId> {
        let parent = chain.parent(keys)?;
        let hash = hash::<H>(&parent, tokens);
        if let Some((kept, entry)) = self.find(hash, &parent, tokens) {
            *chain = entry.link();
            return Some(kept);
        }
        if self.by_hash.contains_key(&hash) {
            *chain = Chain::Broken;
            return None;
        }
        let entry = Entry {
            serial: self.tick(),
            hash,
            parent,
            tokens: tokens.into(),
            retired_at: None,
        };
        *chain = entry.link();
        self.by_hash.insert(hash, block);
        self.entries.insert(block, entry);
        None
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
    fn link(&self) -> Chain {
        Chain::At {
            serial: self.serial,
            hash: self.hash,
        }
    }
}

impl Chain {
    /// What the next block continues, unless the index cannot know it.
    fn parent(&self, keys: &CacheKeys) -> Option<Parent> {
        match *self {
            Self::Start => Some(Parent::Root(keys.clone())),
            Self::At { serial, hash } => Some(Parent::Block { serial, hash }),
            Self::Broken => None,
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
