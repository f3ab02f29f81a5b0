//! What a thread keeps for the sampler.

/// Room for one row of a vocabulary.
#[derive(Default)]
pub(in super::super) struct Scratch {
    /// Ranks of tokens, see `order`.
    pub(super) order: Vec<u64>,
    /// `[vocab]`: what has happened to a token; 0 between rows.
    pub(super) marks: Vec<u32>,
    /// Tokens that are marked.
    pub(super) marked: Vec<u32>,
}

impl Scratch {
    /// Bytes for rows of `vocab` scores.
    pub fn bytes_for(vocab: usize) -> usize {
        vocab * (size_of::<u64>() + 2 * size_of::<u32>())
    }

    /// Makes room for rows of `vocab` scores, so that nothing up to it grows again.
    pub fn reserve(&mut self, vocab: usize) {
        // Zeroes may be promised by the system and not given.
        self.order.resize(vocab, 1);
        self.marked.resize(vocab, 1);
        self.marks.resize(vocab, 1);
        self.marks.fill(0);
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let words = self.marks.capacity() + self.marked.capacity();
        self.order.capacity() * size_of::<u64>() + words * size_of::<u32>()
    }
}
