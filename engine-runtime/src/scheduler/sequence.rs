//! A sequence as the scheduler sees it: tokens, and how many of them have their keys and values in the cache.

use super::Turn;
use crate::kv::{BlockTable, CacheKeys};

/// Names a request; later ones are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one of the sequences of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId {
    pub request: RequestId,
    /// From 0 to the request's `n`.
    pub index: u32,
}

/// `C` is what the prefix index remembers of it.
#[derive(Debug)]
pub struct Sequence<C> {
    pub id: SequenceId,
    pub keys: CacheKeys,
    /// Prompt, then output.
    pub tokens: Vec<u32>,
    /// Leading tokens whose keys and values are stored.
    pub computed: usize,
    pub table: BlockTable<C>,
    /// Whether it ever ran.
    pub admitted: bool,
}

impl<C: Default> Sequence<C> {
    pub fn new(id: SequenceId, keys: CacheKeys, prompt: Vec<u32>) -> Self {
        Self {
            id,
            keys,
            tokens: prompt,
            computed: 0,
            table: BlockTable::default(),
            admitted: false,
        }
    }
}

impl<C> Sequence<C> {
    /// Tokens to compute before the next one can be chosen; at least 1.
    pub fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }

    pub fn turn(&self, place: usize, rows: usize) -> Turn {
        Turn {
            id: self.id,
            place,
            rows,
            samples: rows == self.remaining(),
        }
    }
}
