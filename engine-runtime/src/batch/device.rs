//! A batch and its sampling settings in device memory.

use super::{Batch, Capacity, reserved, word};
use crate::backend::{
    Advance, AttentionBatch, Backend, BlockCopy, DeviceError, Input, LogitEdit, NO_TOKEN,
    SamplingRow, SamplingTable, Seen, TokenCache,
};
use crate::dtype::Element;
use crate::sampler::TableRows;

/// What one upload brings to the device. The buffer begins with the numbers of rows, sequences, logits rows and chosen
/// tokens.
pub struct DeviceBatch<B: Backend> {
    pub rows: usize,
    pub seqs: usize,
    /// Rows of the longest query.
    pub max_query: usize,
    pub logits_len: usize,
    /// Tokens to choose.
    pub table_len: usize,
    /// Whether any of them comes with logprobs.
    pub wants_logprobs: bool,
    /// Whether ids must be taken from the results of the step before.
    pub advances: bool,
    places: Places,
    buffer: B::Array<u32>,
    /// `[rows]`, the ids where they do not all come from the host.
    advanced: B::Array<u32>,
    /// What was uploaded last; kept for its memory.
    staging: Vec<u32>,
}

/// First words of the parts.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    ids: usize,
    sources: usize,
    positions: usize,
    slots: usize,
    query_start: usize,
    context_len: usize,
    table_start: usize,
    logits_rows: usize,
    sampling: usize,
    copies: (usize, usize),
    end: usize,
}

/// Words in front of the first part.
const COUNTS: usize = 4;
/// Words of a sampling row, and of an edit.
const ROW: usize = size_of::<SamplingRow>() / 4;
const PAIR: usize = 2;

impl Capacity {
    /// Words of a step's input.
    pub fn words(&self) -> usize {
        let rows = 4 * self.rows + 3 * self.seqs + 1 + self.logits_rows + ROW * self.table_rows;
        // One block to copy for each sequence, and a word in front of the pairs.
        let fixed = COUNTS + rows + PAIR * self.seqs + 1;
        let pairs = self.edits().saturating_mul(PAIR);
        fixed.saturating_add(self.blocks()).saturating_add(pairs)
    }
}

impl<B: Backend> DeviceBatch<B> {
    /// Fails where the device has no room for it.
    pub fn alloc(device: &mut B, capacity: Capacity) -> Result<Self, DeviceError> {
        let words = capacity.words();
        Ok(Self {
            rows: 0,
            seqs: 0,
            max_query: 0,
            logits_len: 0,
            table_len: 0,
            wants_logprobs: false,
            advances: false,
            places: Places::default(),
            buffer: device.alloc("a step's input", words)?,
            advanced: device.alloc("token ids", capacity.rows)?,
            staging: reserved(words, NO_TOKEN),
        })
    }

    /// Replaces the content, in one copy. `batch` and `table` fit the capacity this was allocated with.
    ///
    /// # Panics
    /// If they do not.
    pub fn upload(
        &mut self,
        device: &mut B,
        batch: &Batch,
        table: &TableRows,
    ) -> Result<(), DeviceError> {
        self.rows = batch.rows();
        self.seqs = batch.seqs();
        self.max_query = batch.max_query();
        self.logits_len = batch.logits_rows.len();
        self.table_len = table.rows.len();
        self.wants_logprobs = table.wants_logprobs.contains(&true);
        self.advances = batch.sources.iter().any(|&source| source != NO_TOKEN);
        self.places = pack(batch, table, &mut self.staging);
        device.upload(&mut self.buffer, &self.staging)
    }

    /// `[rows]` token ids
    pub fn ids(&self) -> Input<'_, B, u32> {
        match self.advances {
            true => Input::new(&self.advanced, 0, self.rows),
            false => self.host_ids(),
        }
    }

    /// `[rows]` positions
    pub fn positions(&self) -> Input<'_, B, u32> {
        self.part(self.places.positions, self.rows)
    }

    /// `[rows]` cache slots
    pub fn slots(&self) -> Input<'_, B, u32> {
        self.part(self.places.slots, self.rows)
    }

    /// Rows whose logits are wanted.
    pub fn logits_rows(&self) -> Input<'_, B, u32> {
        self.part(self.places.logits_rows, self.logits_len)
    }

    pub fn copies(&self) -> Input<'_, B, BlockCopy> {
        let (start, len) = self.places.copies;
        self.part(start, len)
    }

    pub fn attention(&self) -> AttentionBatch<'_, B> {
        AttentionBatch {
            seqs: self.seqs,
            max_query: self.max_query,
            query_start: self.part(self.places.query_start, self.seqs + 1),
            context_len: self.part(self.places.context_len, self.seqs),
            table_start: self.part(self.places.table_start, self.seqs),
            blocks: self.part(0, self.places.end),
        }
    }

    /// Over `vocab` logits, for sequences whose tokens are kept in `tokens`.
    pub fn sampling<'a>(&'a self, vocab: usize, tokens: &'a TokenCache<B>) -> SamplingTable<'a, B> {
        SamplingTable {
            vocab,
            rows: self.part(self.places.sampling, self.table_len),
            edits: self.part::<LogitEdit>(0, self.places.end / PAIR),
            seen: Seen {
                tokens,
                table_start: self.part(self.places.table_start, self.seqs),
                blocks: self.part(0, self.places.end),
            },
        }
    }

    /// Completes the ids with what the step before has left in `results`, rows of `stride` words.
    pub fn advance(
        &mut self,
        device: &mut B,
        results: &B::Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError>
    where
        B: Advance,
    {
        let at = |start| Input::new(&self.buffer, start, self.rows);
        let (ids, sources) = (at(self.places.ids), at(self.places.sources));
        device.advance(ids, sources, results, stride, &mut self.advanced)
    }

    /// Words that an upload has room for on the host.
    #[cfg(test)]
    pub(crate) fn staging_capacity(&self) -> usize {
        self.staging.capacity()
    }

    fn host_ids(&self) -> Input<'_, B, u32> {
        self.part(self.places.ids, self.rows)
    }

    fn part<T: Element>(&self, start: usize, len: usize) -> Input<'_, B, T> {
        Input::new(&self.buffer, start, len)
    }
}

/// Writes all of a step to `words`, whose old content is dropped.
fn pack(batch: &Batch, table: &TableRows, words: &mut Vec<u32>) -> Places {
    words.clear();
    let counts = [
        batch.rows(),
        batch.seqs(),
        batch.logits_rows.len(),
        table.rows.len(),
    ];
    words.extend(counts.map(word));
    let mut add = |part: &[u32]| {
        let start = words.len();
        words.extend_from_slice(part);
        start
    };
    let mut places = Places {
        ids: add(&batch.ids),
        sources: add(&batch.sources),
        positions: add(&batch.positions),
        slots: add(&batch.slots),
        query_start: add(&[0]),
        ..Places::default()
    };
    add(&batch.query_end);
    places.context_len = add(&batch.context_len);
    places.table_start = add(&batch.table_start);
    places.logits_rows = add(&batch.logits_rows);
    places.sampling = add(bytemuck::cast_slice(&table.rows));
    let blocks = add(&batch.blocks);
    places.copies = (add(bytemuck::cast_slice(&batch.copies)), batch.copies.len());
    // Edits are addressed as pairs of words.
    let pairs = words.len().next_multiple_of(PAIR);
    words.resize(pairs, 0);
    let edits = word(pairs / PAIR);
    words.extend_from_slice(bytemuck::cast_slice(&table.edits));
    places.end = words.len();
    for start in &mut words[places.table_start..places.logits_rows] {
        *start += word(blocks);
    }
    let sampling = places.sampling..places.sampling + table.rows.len() * ROW;
    for row in bytemuck::cast_slice_mut::<_, SamplingRow>(&mut words[sampling]) {
        row.edits_start += edits;
        row.edits_end += edits;
    }
    places
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;
    use crate::recipe::Limits;
    use crate::testing::LIMITS;

    /// No step has a word more than is counted, and the fullest one has at most a word of padding less.
    #[test]
    fn the_fullest_step_fits_its_buffer() {
        for seqs in [1, 2, 5] {
            let limits = Limits {
                max_model_len: 90,
                max_seqs: seqs,
                max_batched_tokens: 100,
                ..LIMITS
            };
            let capacity = Capacity::of(&limits, 3);
            let mut batch = Batch::reserved(capacity);
            let mut table = TableRows::reserved(capacity);
            for _ in 0..capacity.rows {
                batch.push(0, 0, 0);
            }
            for _ in 0..seqs {
                batch.end_sequence(90, &[0; 6]);
                batch.logits_rows.push(0);
                batch.copies.push(BlockCopy { from: 0, to: 1 });
                table.rows.push(SamplingRow::zeroed());
                // 1024 biases, 128 stop tokens, 3 ends of a text.
                let edit = |token| LogitEdit { token, bias: 1.0 };
                table.edits.extend((0..1155).map(edit));
            }
            let mut words = Vec::new();
            let places = pack(&batch, &table, &mut words);
            let (counted, used) = (capacity.words(), places.end);
            assert!(
                [counted, counted - 1].contains(&used),
                "{used} of {counted}"
            );
        }
    }

    /// The words of a batch, read back by the places and by nothing else.
    #[test]
    fn everything_is_found_where_the_buffer_says() {
        let mut batch = Batch::default();
        batch.push(7, 0, 40);
        batch.push(8, 1, 41);
        batch.end_sequence(2, &[10]);
        batch.push_from(0, 3, 9, 49);
        batch.end_sequence(10, &[11, 12, 13]);
        batch.logits_rows.extend([1, 2]);
        batch.copies.push(BlockCopy { from: 5, to: 6 });
        let row = |edits: [u32; 2]| SamplingRow {
            edits_start: edits[0],
            edits_end: edits[1],
            ..SamplingRow::zeroed()
        };
        let table = TableRows {
            rows: vec![row([0, 0]), row([0, 1])],
            edits: vec![LogitEdit {
                token: 31,
                bias: 1.0,
            }],
            wants_logprobs: vec![false; 2],
        };
        let mut words = vec![99; 500];
        let places = pack(&batch, &table, &mut words);
        assert_eq!(words[..COUNTS], [3, 2, 2, 2]);
        assert_eq!(words[places.ids..][..3], [7, 8, 0]);
        assert_eq!(words[places.sources..][..3], [NO_TOKEN, NO_TOKEN, 3]);
        assert_eq!(words[places.positions..][..3], [0, 1, 9]);
        assert_eq!(words[places.slots..][..3], [40, 41, 49]);
        assert_eq!(words[places.query_start..][..3], [0, 2, 3]);
        assert_eq!(words[places.context_len..][..2], [2, 10]);
        assert_eq!(words[places.logits_rows..][..2], [1, 2]);
        assert_eq!(words[places.copies.0..][..2], [5, 6]);
        let starts = [0, 1].map(|seq| words[places.table_start + seq] as usize);
        assert_eq!(words[starts[0]], 10);
        assert_eq!(words[starts[1]..][..3], [11, 12, 13]);
        let rows: &[SamplingRow] = bytemuck::cast_slice(&words[places.sampling..][..2 * ROW]);
        let pairs = |start: u32, end: u32| -> Vec<u32> {
            let pairs = words[start as usize * PAIR..end as usize * PAIR].chunks(PAIR);
            pairs.map(|pair| pair[0]).collect()
        };
        assert_eq!(rows[0].edits_start, rows[0].edits_end);
        assert_eq!(pairs(rows[1].edits_start, rows[1].edits_end), [31]);
    }
}
