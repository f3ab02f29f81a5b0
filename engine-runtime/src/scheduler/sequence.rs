//! A sequence as the scheduler sees it: tokens, and how many of them have their keys and values in the cache.

use std::ops::Range;
use std::sync::Arc;

use super::{Tokens, Turn};
use crate::kv::{BlockTable, CacheKeys};

/// Names a request; later ones are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one of the sequences of one request. Their order is the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId {
    pub request: RequestId,
    /// From 0 to the request's `n`.
    pub index: u32,
}

/// What a caller adds: the first of one or more sequences that begin with one prompt.
#[derive(Debug)]
pub struct Arrival<O> {
    pub id: SequenceId,
    pub keys: CacheKeys,
    /// At least one token.
    pub prompt: Arc<[u32]>,
    /// Indices of the sequences that begin where this one's prompt ends.
    pub siblings: Range<u32>,
    /// Tokens of its output at most; at least 1.
    pub max_tokens: usize,
    /// What the caller keeps beside the sequence.
    pub output: O,
}

/// `L` is what the prefix index remembers of a block, `O` what the caller keeps.
#[derive(Debug)]
pub struct Sequence<L, O> {
    pub id: SequenceId,
    pub keys: CacheKeys,
    pub tokens: Tokens,
    /// Sequences that are waiting for the end of this one's prompt.
    pub siblings: Range<u32>,
    /// Tokens at most, prompt included.
    pub max_len: usize,
    /// Leading positions whose keys and values are stored.
    pub computed: usize,
    /// The same once all steps on their way have come to their end.
    pub launched: usize,
    /// Turns of it in steps on their way.
    pub turns: usize,
    /// Tokens that they will bring.
    pub coming: usize,
    /// The row of the last step's results that will hold the last of them.
    pub source: u32,
    pub table: BlockTable<L>,
    /// Prompt tokens that were found in the prefix cache when it was first admitted.
    pub cached: Option<usize>,
    /// What it lacked when it was last looked at in the queue.
    pub need: Option<Need>,
    pub output: O,
}

/// What the admission of a sequence takes.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Rows to compute.
    pub rows: usize,
    pub blocks: usize,
}

impl<L, O> Sequence<L, O> {
    pub fn new(arrival: Arrival<O>) -> Self {
        let tokens = Tokens::new(arrival.prompt);
        Self {
            id: arrival.id,
            keys: arrival.keys,
            siblings: arrival.siblings,
            max_len: tokens.len() + arrival.max_tokens,
            tokens,
            computed: 0,
            launched: 0,
            turns: 0,
            coming: 0,
            source: 0,
            table: BlockTable::default(),
            cached: None,
            need: None,
            output: arrival.output,
        }
    }

    /// Sequences that run once this one's prompt is computed.
    pub fn seats(&self) -> usize {
        1 + self.siblings.len()
    }

    /// Tokens, those included that are coming.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.coming
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens to compute before the next one can be chosen; 0 where a step on its way has to end first.
    pub fn remaining(&self) -> usize {
        let known = self.coming == 0;
        // The device takes the last token from the step before.
        let follows = self.siblings.is_empty();
        if self.len() < self.max_len && (known || follows) {
            self.len() - self.launched
        } else {
            0
        }
    }

    /// The turn that computes the next `rows` tokens.
    pub fn turn(&self, rows: usize) -> Turn {
        let rows = self.launched..self.launched + rows;
        let last = rows.end - 1..rows.end;
        let (chosen, siblings) = if rows.end == self.len() {
            (last, self.siblings.clone())
        } else {
            (rows.end..rows.end, 0..0)
        };
        Turn {
            id: self.id,
            rows,
            logits: chosen.clone(),
            chosen,
            siblings,
            drafted: Vec::new(),
            source: self.source,
            copy: None,
        }
    }
}
