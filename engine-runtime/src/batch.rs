//! One step's work: what the scheduler decided, as arrays that a model can launch on.
//!
//! All arrays of a step travel in one buffer of words and one copy. Parts of fixed size come first, at places that
//! follow from the numbers of rows and sequences alone; parts of any size come behind them and are addressed from the
//! fixed ones by their place in the buffer. So a captured step can be replayed on another content of the buffer.

mod device;

pub use device::DeviceBatch;

pub use crate::backend::BlockCopy;

use engine_model::bounds;

use crate::backend::NO_TOKEN;
use crate::recipe::Limits;

/// What bounds every batch of an engine; device arrays are allocated at this size, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Rows (tokens) in a step.
    pub rows: usize,
    /// Sequences in a step.
    pub seqs: usize,
    /// Rows of a step whose logits are wanted.
    pub logits_rows: usize,
    /// Tokens that a step chooses; several may be chosen from one row of logits.
    pub table_rows: usize,
    pub blocks_per_seq: usize,
    /// Positions of a sequence.
    pub positions: usize,
    /// Logits that are changed in the choice of a token.
    pub edits_per_row: usize,
}

impl Capacity {
    /// Of an engine within `limits`, whose model has `ends` tokens for the end of a text.
    pub fn of(limits: &Limits, ends: usize) -> Self {
        Self {
            rows: limits.max_batched_tokens,
            seqs: limits.max_seqs,
            logits_rows: limits.max_seqs,
            table_rows: limits.max_seqs,
            blocks_per_seq: limits.max_model_len.div_ceil(limits.block_size),
            positions: limits.max_model_len,
            edits_per_row: bounds::EDITS.saturating_add(ends),
        }
    }

    fn blocks(&self) -> usize {
        self.seqs.saturating_mul(self.blocks_per_seq)
    }

    /// Of a step.
    pub(crate) fn edits(&self) -> usize {
        self.table_rows.saturating_mul(self.edits_per_row)
    }
}

/// A step on the host side. Rows of one sequence are consecutive and in position order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// `[rows]` token ids
    pub ids: Vec<u32>,
    /// `[rows]`: [`NO_TOKEN`], or the result of the step before that holds the id instead
    pub sources: Vec<u32>,
    /// `[rows]`
    pub positions: Vec<u32>,
    /// `[rows]` cache slot of each row: block * block_size + offset
    pub slots: Vec<u32>,
    /// `[seqs]`: where the next sequence's rows begin
    pub query_end: Vec<u32>,
    /// `[seqs]`, this step's rows included
    pub context_len: Vec<u32>,
    /// `[seqs]`: where the sequence's blocks begin in `blocks`
    pub table_start: Vec<u32>,
    /// Block tables, one behind the other.
    pub blocks: Vec<u32>,
    /// Rows whose logits are wanted, ascending.
    pub logits_rows: Vec<u32>,
    /// Blocks to copy before anything else happens.
    pub copies: Vec<BlockCopy>,
}

impl Batch {
    /// An empty batch with room for all that `capacity` allows.
    pub fn reserved(capacity: Capacity) -> Self {
        let of = |len| reserved(len, NO_TOKEN);
        Self {
            ids: of(capacity.rows),
            sources: of(capacity.rows),
            positions: of(capacity.rows),
            slots: of(capacity.rows),
            query_end: of(capacity.seqs),
            context_len: of(capacity.seqs),
            table_start: of(capacity.seqs),
            blocks: of(capacity.blocks()),
            logits_rows: of(capacity.logits_rows),
            copies: reserved(capacity.seqs, BlockCopy { from: 1, to: 1 }),
        }
    }

    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    pub fn seqs(&self) -> usize {
        self.context_len.len()
    }

    /// Adds a row whose id is known.
    pub fn push(&mut self, id: u32, position: u32, slot: u32) {
        self.push_from(id, NO_TOKEN, position, slot);
    }

    /// Adds a row; see `sources`.
    pub fn push_from(&mut self, id: u32, source: u32, position: u32, slot: u32) {
        self.ids.push(id);
        self.sources.push(source);
        self.positions.push(position);
        self.slots.push(slot);
    }

    /// Ends a sequence, whose rows have just been pushed.
    pub fn end_sequence(&mut self, context_len: u32, blocks: &[u32]) {
        self.query_end.push(word(self.rows()));
        self.context_len.push(context_len);
        self.table_start.push(word(self.blocks.len()));
        self.blocks.extend_from_slice(blocks);
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        let Self {
            ids,
            sources,
            positions,
            slots,
            query_end,
            context_len,
            table_start,
            blocks,
            logits_rows,
            copies,
        } = self;
        let lists = [
            ids,
            sources,
            positions,
            slots,
            query_end,
            context_len,
            table_start,
            blocks,
            logits_rows,
        ];
        lists.into_iter().for_each(Vec::clear);
        copies.clear();
    }

    /// Rows of the longest query.
    fn max_query(&self) -> usize {
        let mut start = 0;
        let lengths = self.query_end.iter().map(|&end| {
            let length = end - start;
            start = end;
            length as usize
        });
        lengths.max().unwrap_or(0)
    }
}

/// An empty list with room for `len` elements. Each is written once, and not with zeroes: the system may promise memory
/// that nobody has written to, and not give it.
pub(crate) fn reserved<T: Clone>(len: usize, filler: T) -> Vec<T> {
    let mut list = vec![filler; len];
    list.clear();
    list
}

/// A count or a place as a word of the buffer.
fn word(value: usize) -> u32 {
    u32::try_from(value).expect("a step's buffer has fewer than 2^32 words")
}
