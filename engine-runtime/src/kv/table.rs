//! The blocks of one sequence.

use super::BlockId;

/// In position order. `L` is what the prefix index remembers of a block.
#[derive(Debug)]
pub struct BlockTable<L> {
    pub(super) blocks: Vec<BlockId>,
    /// Of the leading blocks that the index has been offered.
    pub(super) links: Vec<L>,
}

impl<L> Default for BlockTable<L> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            links: Vec::new(),
        }
    }
}

impl<L> BlockTable<L> {
    pub fn blocks(&self) -> &[BlockId] {
        &self.blocks
    }
}
