//! Reference counts and the free list.

/// Number of a block in the device's cache.
pub type BlockId = u32;

/// Knows of each block whether it is free and how many tables hold it; counts what goes in and out.
#[derive(Debug)]
pub struct Pool {
    /// Tables that hold each block.
    references: Vec<u32>,
    free: Vec<BlockId>,
    /// References ever taken, and ever given back.
    acquired: u64,
    released: u64,
}

impl Pool {
    pub fn new(blocks: usize) -> Self {
        let blocks = u32::try_from(blocks).expect("the engine sizes its cache in 32-bit slots");
        Self {
            references: vec![0; blocks as usize],
            free: (0..blocks).rev().collect(),
            acquired: 0,
            released: 0,
        }
    }

    pub fn blocks(&self) -> usize {
        self.references.len()
    }

    /// Blocks on the free list.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// How many tables hold `block`.
    pub fn references(&self, block: BlockId) -> u32 {
        self.references[block as usize]
    }

    /// Takes a block from the free list, which is not empty, with one reference.
    pub fn take(&mut self) -> BlockId {
        let block = self.free.pop().expect("the caller saw a free block");
        self.acquire(block);
        block
    }

    /// Adds a reference. `true` if it is the only one.
    pub fn acquire(&mut self, block: BlockId) -> bool {
        let references = &mut self.references[block as usize];
        *references += 1;
        self.acquired += 1;
        *references == 1
    }

    /// Drops a reference. `true` if it was the last.
    pub fn release(&mut self, block: BlockId) -> bool {
        let references = &mut self.references[block as usize];
        *references = references
            .checked_sub(1)
            .expect("a block is released once for each time it was acquired");
        self.released += 1;
        *references == 0
    }

    /// Puts a block without references on the free list.
    pub fn reclaim(&mut self, block: BlockId) {
        debug_assert_eq!(self.references[block as usize], 0);
        self.free.push(block);
    }

    /// Panics unless `held` are exactly the references, and all other blocks are free but for `retired` ones.
    pub fn audit(&self, held: impl Iterator<Item = BlockId>, retired: usize) {
        let mut counted = vec![0; self.references.len()];
        let mut total = 0;
        for block in held {
            counted[block as usize] += 1;
            total += 1;
        }
        assert_eq!(counted, self.references, "references of each block");
        assert_eq!(self.acquired - self.released, total, "references in all");
        let used = counted.iter().filter(|&&references| references > 0).count();
        assert_eq!(
            self.free.len() + retired + used,
            self.references.len(),
            "blocks free, retired and used"
        );
    }
}
