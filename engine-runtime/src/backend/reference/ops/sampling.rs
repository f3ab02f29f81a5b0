//! The sampler.

use crate::backend::reference::memory::{Array, View};
use crate::backend::reference::{Reference, sampler};
use crate::backend::{
    Advance, Backend, BlockCopy, DeviceError, Input, NO_LOGPROBS, NO_TOKEN, RAW_LOGPROBS, Sampling,
    SamplingTable, TokenCache,
};

impl Sampling for Reference {
    type Scores = Array<f32>;

    fn scores(&mut self, rows: usize, vocab: usize) -> Result<Array<f32>, DeviceError> {
        self.alloc("scores", rows * vocab)
    }

    fn process_logits(
        &mut self,
        logits: &Array<f32>,
        table: SamplingTable<'_, Self>,
        scores: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (logits, scores, vocab) = (*logits, *scores, table.vocab);
        let settings = View::of(table.rows);
        let edits = View::of(table.edits);
        let (ids, block_size) = (table.seen.tokens.ids, table.seen.tokens.block_size);
        let (starts, blocks) = (
            View::of(table.seen.table_start),
            View::of(table.seen.blocks),
        );
        self.launch("process_logits", move |memory| {
            let edits = memory.view(edits);
            let (ids, starts, blocks) = (memory.get(ids), memory.view(starts), memory.view(blocks));
            let logits = memory.get(logits);
            let mut scores = memory.get_mut(scores);
            for (i, row) in memory.view(settings).iter().enumerate() {
                let scores = &mut scores[i * vocab..(i + 1) * vocab];
                let start = row.logits_row as usize * vocab;
                scores.copy_from_slice(&logits[start..start + vocab]);
                let seen: Vec<u32> = (0..row.seen as usize)
                    .map(|position| {
                        let start = starts[row.sequence as usize] as usize;
                        let block = blocks[start + position / block_size] as usize;
                        ids[block * block_size + position % block_size]
                    })
                    .collect();
                sampler::process(row, &seen, &edits, scores);
            }
            Ok(())
        })
    }

    fn sample(
        &mut self,
        _: &Array<f32>,
        scores: &mut Array<f32>,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (scores, settings, results) = (*scores, View::of(table.rows), *results);
        let vocab = table.vocab;
        self.launch("sample", move |memory| {
            let scores = memory.get(scores);
            let mut results = memory.get_mut(results);
            for (i, row) in memory.view(settings).iter().enumerate() {
                results[i * stride] = sampler::sample(row, &scores[i * vocab..(i + 1) * vocab]);
            }
            Ok(())
        })
    }

    fn logprobs(
        &mut self,
        logits: &Array<f32>,
        scores: &mut Array<f32>,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (logits, scores, results) = (*logits, *scores, *results);
        let (settings, vocab) = (View::of(table.rows), table.vocab);
        self.launch("logprobs", move |memory| {
            let (logits, scores) = (memory.get(logits), memory.get(scores));
            let mut results = memory.get_mut(results);
            for (i, row) in memory.view(settings).iter().enumerate() {
                let (source, source_row) = match row.logprobs {
                    NO_LOGPROBS => continue,
                    RAW_LOGPROBS => (&logits, row.logits_row as usize),
                    _ => (&scores, i),
                };
                sampler::logprobs(
                    &source[source_row * vocab..(source_row + 1) * vocab],
                    row.top_logprobs as usize,
                    &mut results[i * stride..(i + 1) * stride],
                );
            }
            Ok(())
        })
    }
}

impl Advance for Reference {
    fn keep_tokens(
        &mut self,
        ids: Input<'_, Self, u32>,
        slots: Input<'_, Self, u32>,
        copies: Input<'_, Self, BlockCopy>,
        tokens: &mut TokenCache<Self>,
    ) -> Result<(), DeviceError> {
        let (ids, slots, copies) = (View::of(ids), View::of(slots), View::of(copies));
        let (tokens, block_size) = (tokens.ids, tokens.block_size);
        self.launch("keep_tokens", move |memory| {
            let (ids, slots) = (memory.view(ids), memory.view(slots));
            let copies = memory.view(copies);
            let mut tokens = memory.get_mut(tokens);
            for &BlockCopy { from, to } in &*copies {
                let [from, to] = [from, to].map(|block| block as usize * block_size);
                tokens.copy_within(from..from + block_size, to);
            }
            for (&id, &slot) in ids.iter().zip(&*slots) {
                tokens[slot as usize] = id;
            }
            Ok(())
        })
    }

    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Array<u32>,
        stride: usize,
        out: &mut Array<u32>,
    ) -> Result<(), DeviceError> {
        let (ids, sources) = (View::of(ids), View::of(sources));
        let (results, out) = (*results, *out);
        self.launch("advance", move |memory| {
            let (ids, sources) = (memory.view(ids), memory.view(sources));
            let results = memory.get(results);
            let rows = ids.iter().zip(&*sources);
            for (out, (&id, &source)) in memory.get_mut(out).iter_mut().zip(rows) {
                *out = match source {
                    NO_TOKEN => id,
                    source => match results[source as usize * stride] {
                        NO_TOKEN => 0,
                        token => token,
                    },
                };
            }
            Ok(())
        })
    }
}
