//! The KV cache as numbers: which block belongs to which sequence.
//!
//! No tensors here; a block is a number that the device's cache understands. Every block is in exactly one place: on
//! the free list, referenced by tables, or kept by the prefix index for whoever comes with the same prefix.

mod pool;
pub mod prefix_cache;

pub use pool::{BlockId, Pool};

use std::sync::Arc;

/// What a cached block depends on beside the tokens in front of it. Each field hashes and compares under its own
/// tag, so an adapter can never pass for a salt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CacheKeys {
    pub adapter: Option<u32>,
    pub salt: Option<Arc<str>>,
}

/// Finds full blocks again by what they hold. The neutral index keeps nothing and compiles to nothing.
pub trait PrefixIndex: Default + Send + 'static {
    /// What one sequence remembers of its registered blocks.
    type Chain: Default + Send;

    /// The longest run of kept blocks for a prefix of `tokens`, from its start.
    fn lookup(
        &mut self,
        chain: &mut Self::Chain,
        keys: &CacheKeys,
        tokens: &[u32],
        block_size: usize,
    ) -> Vec<BlockId>;

    /// Offers `block`, which holds `tokens` behind the chain's blocks. Returns the block that already holds the
    /// same, if there is one.
    fn register(
        &mut self,
        chain: &mut Self::Chain,
        keys: &CacheKeys,
        tokens: &[u32],
        block: BlockId,
    ) -> Option<BlockId>;

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
    type Chain = ();

    fn lookup(&mut self, (): &mut (), _: &CacheKeys, _: &[u32], _: usize) -> Vec<BlockId> {
        Vec::new()
    }

    fn register(&mut self, (): &mut (), _: &CacheKeys, _: &[u32], _: BlockId) -> Option<BlockId> {
        None
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

/// The blocks of one sequence, in position order.
#[derive(Debug, Default)]
pub struct BlockTable<C> {
    blocks: Vec<BlockId>,
    /// Leading blocks that the index has been offered.
    offered: usize,
    chain: C,
}

impl<C> BlockTable<C> {
    pub fn blocks(&self) -> &[BlockId] {
        &self.blocks
    }
}

/// All blocks of an engine.
#[derive(Debug)]
pub struct KvBlocks<I> {
    pool: Pool,
    index: I,
    block_size: usize,
}

impl<I: PrefixIndex> KvBlocks<I> {
    pub fn new(blocks: usize, block_size: usize) -> Self {
        Self {
            pool: Pool::new(blocks),
            index: I::default(),
            block_size,
        }
    }

    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// A table that begins with the kept blocks of a prefix of `tokens`, and the positions they hold. The last token
    /// is never among them: it must be computed, since its logits are wanted.
    pub fn open(&mut self, keys: &CacheKeys, tokens: &[u32]) -> (BlockTable<I::Chain>, usize) {
        let mut chain = I::Chain::default();
        let prefix = &tokens[..tokens.len().saturating_sub(1)];
        let blocks = self.index.lookup(&mut chain, keys, prefix, self.block_size);
        for &block in &blocks {
            self.acquire(block);
        }
        let held = blocks.len() * self.block_size;
        let table = BlockTable {
            offered: blocks.len(),
            blocks,
            chain,
        };
        (table, held)
    }

    /// Could `table` grow to `positions` now?
    pub fn can_hold(&self, table: &BlockTable<I::Chain>, positions: usize) -> bool {
        self.missing(table, positions) <= self.pool.free() + self.index.retired()
    }

    /// Grows `table` to `positions`, or leaves it as it is and returns `false`.
    pub fn reserve(&mut self, table: &mut BlockTable<I::Chain>, positions: usize) -> bool {
        if !self.can_hold(table, positions) {
            return false;
        }
        for _ in 0..self.missing(table, positions) {
            if self.pool.free() == 0 {
                let evicted = self
                    .index
                    .evict()
                    .expect("counted among the retired blocks");
                self.pool.reclaim(evicted);
            }
            table.blocks.push(self.pool.take());
        }
        true
    }

    /// Offers the index the blocks that `computed`, the tokens whose keys and values are stored, have filled. Where
    /// it has the same block already, the table takes that one and gives up its own: both hold the same bits.
    pub fn commit(&mut self, table: &mut BlockTable<I::Chain>, keys: &CacheKeys, computed: &[u32]) {
        let filled = computed.chunks_exact(self.block_size).enumerate();
        for (place, tokens) in filled.skip(table.offered) {
            let own = table.blocks[place];
            let kept = self.index.register(&mut table.chain, keys, tokens, own);
            if let Some(kept) = kept {
                self.acquire(kept);
                self.release(own);
                table.blocks[place] = kept;
            }
            table.offered = place + 1;
        }
    }

    /// Gives up all blocks of `table`, the last first, so that a prefix is evicted after what continues it.
    pub fn close(&mut self, table: BlockTable<I::Chain>) {
        for block in table.blocks.into_iter().rev() {
            self.release(block);
        }
    }

    /// Panics unless every block is accounted for: free, retired, or referenced exactly as often as by `tables`.
    pub fn audit<'a>(&self, tables: impl Iterator<Item = &'a BlockTable<I::Chain>>)
    where
        I::Chain: 'a,
    {
        let held = tables.flat_map(|table| table.blocks.iter().copied());
        self.pool.audit(held, self.index.retired());
    }

    fn missing(&self, table: &BlockTable<I::Chain>, positions: usize) -> usize {
        positions
            .div_ceil(self.block_size)
            .saturating_sub(table.blocks.len())
    }

    fn acquire(&mut self, block: BlockId) {
        if self.pool.acquire(block) {
            self.index.revive(block);
        }
    }

    fn release(&mut self, block: BlockId) {
        if self.pool.release(block) && !self.index.retire(block) {
            self.pool.reclaim(block);
        }
    }
}

#[cfg(test)]
mod tests;
