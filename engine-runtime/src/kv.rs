//! The KV cache as numbers: which block belongs to which sequence.
//!
//! No tensors here; a block is a number that the device's cache understands. Every block is in exactly one place: on
//! the free list, referenced by tables, or kept by the prefix index for whoever comes with the same prefix. Tables may
//! share a block as long as nobody writes to it: who wants to, gets a copy first.

mod index;
mod pool;
pub mod prefix_cache;
mod table;

pub use index::{CacheKeys, PrefixIndex};
pub use pool::{BlockId, Pool};
pub use table::BlockTable;

use std::borrow::Cow;
use std::ops::Range;

use crate::batch::BlockCopy;

/// All blocks of an engine.
#[derive(Debug)]
pub struct KvBlocks<I> {
    pool: Pool,
    index: I,
    block_size: usize,
}

/// There are too few blocks at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl<I: PrefixIndex> KvBlocks<I> {
    pub fn new(blocks: usize, block_size: usize) -> Self {
        Self {
            pool: Pool::new(blocks),
            index: I::default(),
            block_size,
        }
    }

    /// All there are.
    pub fn blocks(&self) -> usize {
        self.pool.blocks()
    }

    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// A table that begins with the kept blocks of a prefix of `tokens`, and the positions they hold. The last token
    /// is never among them: it must be computed, since its logits are wanted.
    pub fn open(&mut self, keys: &CacheKeys, tokens: &[u32]) -> (BlockTable<I::Link>, usize) {
        let prefix = &tokens[..tokens.len().saturating_sub(1)];
        let found = self.index.lookup(keys, prefix, self.block_size);
        let (blocks, links): (Vec<_>, _) = found.into_iter().unzip();
        for &block in &blocks {
            self.acquire(block);
        }
        let held = blocks.len() * self.block_size;
        (BlockTable { blocks, links }, held)
    }

    /// A second table with the blocks of the first `positions` of `table`.
    pub fn fork(&mut self, table: &BlockTable<I::Link>, positions: usize) -> BlockTable<I::Link> {
        let blocks = table.blocks[..positions.div_ceil(self.block_size)].to_vec();
        for &block in &blocks {
            self.acquire(block);
        }
        let full = table.links.len().min(positions / self.block_size);
        let links = table.links[..full].to_vec();
        BlockTable { blocks, links }
    }

    /// Blocks that can be had now.
    pub fn available(&self) -> usize {
        self.pool.free() + self.index.retired()
    }

    /// Blocks that [`KvBlocks::reserve`] would take.
    pub fn missing(&self, table: &BlockTable<I::Link>, written: &Range<usize>) -> usize {
        let grown = written.end.div_ceil(self.block_size);
        let copied = usize::from(self.shared(table, written).is_some());
        grown.saturating_sub(table.blocks.len()) + copied
    }

    /// Grows `table` so that the positions `written` can be written, or leaves it as it is. Where the first of them
    /// lies in a block that others read, the table gets another, and the caller must have that filled before the
    /// write. The block to copy from stays as it is until [`KvBlocks::copied`] or [`KvBlocks::undo`].
    pub fn reserve(
        &mut self,
        table: &mut BlockTable<I::Link>,
        written: Range<usize>,
    ) -> Result<Option<BlockCopy>, NoRoom> {
        if self.missing(table, &written) > self.available() {
            return Err(NoRoom);
        }
        let copy = self.shared(table, &written).map(|place| {
            let (from, to) = (table.blocks[place], self.take());
            table.blocks[place] = to;
            BlockCopy { from, to }
        });
        while table.blocks.len() * self.block_size < written.end {
            let block = self.take();
            table.blocks.push(block);
        }
        Ok(copy)
    }

    /// A copy was made, and need not be made again.
    pub fn copied(&mut self, copy: BlockCopy) {
        self.release(copy.from);
    }

    /// A copy into `table` will not be made: it has the shared block again.
    pub fn undo(&mut self, table: &mut BlockTable<I::Link>, copy: BlockCopy) {
        let place = table.blocks.iter().rposition(|&block| block == copy.to);
        let place = place.expect("a copy belongs to the table that it was made for");
        table.blocks[place] = copy.from;
        self.release(copy.to);
    }

    /// Offers the index the blocks that are full up to `computed`, the positions whose keys and values are stored;
    /// `tokens` reads the tokens at some of them. Where it has the same block already, the table takes that one and
    /// gives up its own: both hold the same bits.
    pub fn commit<'t>(
        &mut self,
        table: &mut BlockTable<I::Link>,
        keys: &CacheKeys,
        computed: usize,
        tokens: impl Fn(Range<usize>) -> Cow<'t, [u32]>,
    ) {
        for place in table.links.len()..computed / self.block_size {
            let own = table.blocks[place];
            let tokens = tokens(place * self.block_size..(place + 1) * self.block_size);
            let before = table.links.last().copied();
            let (link, kept) = self.index.register(before, keys, &tokens, own);
            if let Some(kept) = kept {
                self.acquire(kept);
                self.release(own);
                table.blocks[place] = kept;
            }
            table.links.push(link);
        }
    }

    /// Gives up what `table` holds behind the first `positions`.
    pub fn truncate(&mut self, table: &mut BlockTable<I::Link>, positions: usize) {
        let blocks = positions.div_ceil(self.block_size).min(table.blocks.len());
        for block in table.blocks.drain(blocks..).rev() {
            if self.pool.release(block) && !self.index.retire(block) {
                self.pool.reclaim(block);
            }
        }
        table.links.truncate(positions / self.block_size);
    }

    /// Gives up all blocks of `table`, the last first, so that a prefix is evicted after what continues it.
    pub fn close(&mut self, mut table: BlockTable<I::Link>) {
        self.truncate(&mut table, 0);
    }

    /// Panics unless every block is accounted for: free, retired, or referenced exactly as often as by `tables` and
    /// by the copies that are on their way, whose sources are `copied`.
    pub fn audit<'a>(
        &self,
        tables: impl Iterator<Item = &'a BlockTable<I::Link>>,
        copied: impl Iterator<Item = BlockId>,
    ) where
        I::Link: 'a,
    {
        let held = tables.flat_map(|table| table.blocks.iter().copied());
        self.pool.audit(held.chain(copied), self.index.retired());
    }

    /// The place in `table` of a block that holds the first of the positions `written`, and something before it, and
    /// that others may read.
    fn shared(&self, table: &BlockTable<I::Link>, written: &Range<usize>) -> Option<usize> {
        let place = written.start / self.block_size;
        let block = *table.blocks.get(place)?;
        let read = self.pool.references(block) > 1 || self.index.holds(block);
        (read && !written.is_empty()).then_some(place)
    }

    /// A block that can be had, for the caller alone.
    fn take(&mut self) -> BlockId {
        if self.pool.free() == 0 {
            let evicted = self
                .index
                .evict()
                .expect("the caller has counted the retired blocks");
            self.pool.reclaim(evicted);
        }
        self.pool.take()
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
