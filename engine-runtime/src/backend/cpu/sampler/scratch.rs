//! What a thread keeps for the sampler.

/// Room for one row of a vocabulary.
#[derive(Default)]
pub(in super::super) struct Scratch {
    /// Ranks of tokens, see `order`.
    pub(super) order: Vec<u64>,
    /// `[vocab]`: what has happened to a token; 0 where it is not marked.
    pub(super) marks: Vec<u32>,
    /// Tokens that are marked.
    pub(super) marked: Vec<u32>,
}

/// Stands in the mark of a marked token, whatever else does.
const MARKED: u32 = 1 << 31;

impl Scratch {
    /// Marks a token; whether it was not yet.
    #[inline(always)]
    pub(super) fn mark(&mut self, token: u32) -> bool {
        let mark = &mut self.marks[token as usize];
        let first = *mark == 0;
        if first {
            self.marked.push(token);
            *mark = MARKED;
        }
        first
    }

    /// Marks no token of `vocab` any more. A row begins with this and does not end with it: the one before may have come
    /// to no end.
    pub(super) fn unmark(&mut self, vocab: usize) {
        self.marks.resize(self.marks.len().max(vocab), 0);
        for token in self.marked.drain(..) {
            self.marks[token as usize] = 0;
        }
    }

    /// Bytes for rows of `vocab` scores.
    pub fn bytes_for(vocab: usize) -> usize {
        vocab * (size_of::<u64>() + 2 * size_of::<u32>())
    }

    /// Makes room for rows of `vocab` scores, so that nothing up to it grows again.
    pub fn reserve(&mut self, vocab: usize) {
        // Zeroes may be promised by the system and not given.
        self.order.resize(vocab, 1);
        self.marked.resize(vocab, 1);
        self.marked.clear();
        self.marks.resize(vocab, 1);
        self.marks.fill(0);
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let words = self.marks.capacity() + self.marked.capacity();
        self.order.capacity() * size_of::<u64>() + words * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also of the smallest vocabulary: what was written for the sake of memory marks nothing.
    #[test]
    fn nothing_is_marked_at_first_and_nothing_after_a_row() {
        let mut scratch = Scratch::default();
        scratch.reserve(1);
        for _ in 0..2 {
            scratch.unmark(1);
            assert_eq!(scratch.marks, [0]);
            assert!(scratch.mark(0) && !scratch.mark(0));
            assert_eq!(scratch.marked, [0]);
        }
    }
}
