//! The sampler: what passes over whole rows is cut into spans, a task each, and what is left of a row is one task's.

use crate::backend::cpu::memory::Disjoint;
use crate::backend::cpu::sampler::{self, Cut, History, Scores, Size, Source};
use crate::backend::cpu::{Array, Cpu, Isa};
use crate::backend::{
    Advance, Backend, BlockCopy, DeviceError, Input, NO_LOGPROBS, NO_TOKEN, RAW_LOGPROBS, Sampling,
    SamplingRow, SamplingTable, TokenCache,
};

impl<I: Isa> Sampling for Cpu<I> {
    type Scores = Scores;

    fn scores(&mut self, rows: usize, vocab: usize) -> Result<Scores, DeviceError> {
        let chunks = rows * Size::of(vocab).chunks;
        Ok(Scores {
            scores: self.alloc("scores", rows * vocab)?,
            peaks: self.alloc("largest scores", chunks)?,
            sums: self.alloc("sums of weights", chunks)?,
            cuts: self.alloc("cuts", rows)?,
        })
    }

    fn bytes_of_scores(rows: usize, vocab: usize) -> usize {
        rows.saturating_mul(Size::of(vocab).bytes())
    }

    fn process_logits(
        &mut self,
        logits: &Array<f32>,
        table: SamplingTable<'_, Self>,
        scores: &mut Scores,
    ) -> Result<(), DeviceError> {
        let size = Size::of(table.vocab);
        let source = Source::of_scores(size, logits.get());
        let rows = table.rows.get();
        self.scale(source, size, rows, scores);
        if rows.iter().any(sampler::changes) {
            self.change(source, size, table, scores);
        }
        self.truncate(source, size, rows, scores);
        Ok(())
    }

    fn sample(
        &mut self,
        logits: &Array<f32>,
        scores: &mut Scores,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let size = Size::of(table.vocab);
        let source = Source::of_scores(size, logits.get());
        let rows = table.rows.get();
        self.sum(source, size, rows, scores, |row| row.temperature > 0.0);
        let results = Disjoint::new(results.get_mut());
        let (scores_of, peaks) = (scores.scores.get(), scores.peaks.get());
        let (sums, cuts) = (scores.sums.get(), scores.cuts.get());
        self.each_row(rows.len(), size.chunks, |isa, row| {
            let chunks = row * size.chunks..(row + 1) * size.chunks;
            let token = isa.enter(sampler::Draw {
                row: &rows[row],
                scores: source.row(&rows[row], row, scores_of),
                peaks: &peaks[chunks.clone()],
                sums: &sums[chunks],
                cut: cuts[row],
            });
            // SAFETY: each row is one task's.
            let result = unsafe { results.slice(row * stride, 1) };
            result[0] = token;
        });
        Ok(())
    }

    fn logprobs(
        &mut self,
        logits: &Array<f32>,
        scores: &mut Scores,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let size = Size::of(table.vocab);
        let source = Source::of_logprobs(size, logits.get());
        let rows = table.rows.get();
        self.look_at_logits(source, size, rows, scores);
        self.sum(source, size, rows, scores, |row| {
            row.logprobs != NO_LOGPROBS
        });
        let results = Disjoint::new(results.get_mut());
        let (scores_of, peaks) = (scores.scores.get(), scores.peaks.get());
        let (sums, cuts) = (scores.sums.get(), scores.cuts.get());
        self.each_row_with(rows.len(), size.chunks, |isa, row, kept| {
            let settings = &rows[row];
            if settings.logprobs == NO_LOGPROBS {
                return;
            }
            let chunks = row * size.chunks..(row + 1) * size.chunks;
            isa.enter(sampler::Logprobs {
                scores: source.row(settings, row, scores_of),
                peaks: &peaks[chunks.clone()],
                sums: &sums[chunks],
                cut: cuts[row],
                top: settings.top_logprobs as usize,
                // SAFETY: each row is one task's.
                result: unsafe { results.slice(row * stride, stride) },
                scratch: &mut kept.sampler,
            });
        });
        Ok(())
    }
}

impl<I: Isa> Cpu<I> {
    /// The scores of rows that have some, without edits and penalties, and the peaks of all.
    fn scale(&mut self, source: Source<'_>, size: Size, rows: &[SamplingRow], scores: &mut Scores) {
        let scores_of = Disjoint::new(scores.scores.get_mut());
        let peaks = Disjoint::new(scores.peaks.get_mut());
        self.each_span(rows.len(), size, |isa, row, span| {
            let (tokens, chunks) = (size.tokens(span), size.chunks_of(span));
            // SAFETY: each span of a row is one task's.
            let peaks = unsafe { peaks.slice(row * size.chunks + chunks.start, chunks.len()) };
            let logits = &source.logits(&rows[row])[tokens.clone()];
            if source.is_logits(&rows[row]) {
                let scores = logits;
                return isa.enter(sampler::Peaks { scores, peaks });
            }
            isa.enter(sampler::Scale {
                row: &rows[row],
                logits,
                // SAFETY: as above.
                scores: unsafe { scores_of.slice(row * size.vocab + tokens.start, tokens.len()) },
                peaks,
            });
        });
    }

    /// Applies edits and penalties.
    fn change(
        &mut self,
        source: Source<'_>,
        size: Size,
        table: SamplingTable<'_, Self>,
        scores: &mut Scores,
    ) {
        let (rows, edits) = (table.rows.get(), table.edits.get());
        let seen = History {
            ids: table.seen.tokens.ids.get(),
            block_size: table.seen.tokens.block_size,
            table_start: table.seen.table_start.get(),
            blocks: table.seen.blocks.get(),
        };
        let scores_of = Disjoint::new(scores.scores.get_mut());
        let peaks = Disjoint::new(scores.peaks.get_mut());
        self.each_row_with(rows.len(), size.vocab, |isa, row, kept| {
            if !sampler::changes(&rows[row]) {
                return;
            }
            isa.enter(sampler::Change {
                row: &rows[row],
                seen,
                edits,
                logits: source.logits(&rows[row]),
                // SAFETY: each row is one task's.
                scores: unsafe { scores_of.slice(row * size.vocab, size.vocab) },
                // SAFETY: as above.
                peaks: unsafe { peaks.slice(row * size.chunks, size.chunks) },
                scratch: &mut kept.sampler,
            });
        });
    }

    /// The cuts of all rows.
    fn truncate(
        &mut self,
        source: Source<'_>,
        size: Size,
        rows: &[SamplingRow],
        scores: &mut Scores,
    ) {
        let (scores_of, peaks) = (scores.scores.get(), scores.peaks.get());
        let cuts = Disjoint::new(scores.cuts.get_mut());
        self.each_row_with(rows.len(), size.chunks, |isa, row, kept| {
            // SAFETY: each row is one task's.
            let cut = unsafe { cuts.slice(row, 1) };
            cut[0] = isa.enter(sampler::Truncate {
                row: &rows[row],
                scores: source.row(&rows[row], row, scores_of),
                peaks: &peaks[row * size.chunks..][..size.chunks],
                scratch: &mut kept.sampler,
            });
        });
        let needs_sums = |row: &SamplingRow| sampler::sums(row, size.vocab);
        if !rows.iter().any(needs_sums) {
            return;
        }
        self.sum(source, size, rows, scores, needs_sums);
        let (scores_of, peaks) = (scores.scores.get(), scores.peaks.get());
        let (sums, cuts) = (scores.sums.get(), Disjoint::new(scores.cuts.get_mut()));
        self.each_row_with(rows.len(), size.vocab, |isa, row, kept| {
            if !needs_sums(&rows[row]) {
                return;
            }
            let chunks = row * size.chunks..(row + 1) * size.chunks;
            // SAFETY: each row is one task's.
            let cut = unsafe { cuts.slice(row, 1) };
            cut[0] = isa.enter(sampler::Nucleus {
                row: &rows[row],
                scores: source.row(&rows[row], row, scores_of),
                peaks: &peaks[chunks.clone()],
                sums: &sums[chunks],
                cut: cut[0],
                scratch: &mut kept.sampler,
            });
        });
    }

    /// Sums the weights that the cuts keep, in the rows that are `wanted`.
    fn sum(
        &mut self,
        source: Source<'_>,
        size: Size,
        rows: &[SamplingRow],
        scores: &mut Scores,
        wanted: impl Fn(&SamplingRow) -> bool + Sync,
    ) {
        if !rows.iter().any(&wanted) {
            return;
        }
        let (scores_of, peaks, cuts) = (scores.scores.get(), scores.peaks.get(), scores.cuts.get());
        let sums = Disjoint::new(scores.sums.get_mut());
        self.each_span(rows.len(), size, |isa, row, span| {
            if !wanted(&rows[row]) {
                return;
            }
            let (tokens, chunks) = (size.tokens(span), size.chunks_of(span));
            let peaks = &peaks[row * size.chunks..][..size.chunks];
            isa.enter(sampler::Sum {
                first: tokens.start as u32,
                largest: sampler::largest(peaks),
                scores: &source.row(&rows[row], row, scores_of)[tokens],
                peaks: &peaks[chunks.clone()],
                cut: cuts[row],
                // SAFETY: each span of a row is one task's.
                sums: unsafe { sums.slice(row * size.chunks + chunks.start, chunks.len()) },
            });
        });
    }

    /// Replaces what is known of scores by what there is to know of logits, in rows that report of those.
    fn look_at_logits(
        &mut self,
        source: Source<'_>,
        size: Size,
        rows: &[SamplingRow],
        scores: &mut Scores,
    ) {
        let raw = |row: &SamplingRow| row.logprobs == RAW_LOGPROBS;
        for (cut, row) in scores.cuts.get_mut().iter_mut().zip(rows) {
            if raw(row) {
                *cut = Cut::NONE;
            }
        }
        let wanted = |row: &SamplingRow| raw(row) && !sampler::plain(row);
        if !rows.iter().any(wanted) {
            return;
        }
        let peaks = Disjoint::new(scores.peaks.get_mut());
        self.each_span(rows.len(), size, |isa, row, span| {
            if !wanted(&rows[row]) {
                return;
            }
            let chunks = size.chunks_of(span);
            isa.enter(sampler::Peaks {
                scores: &source.logits(&rows[row])[size.tokens(span)],
                // SAFETY: each span of a row is one task's.
                peaks: unsafe { peaks.slice(row * size.chunks + chunks.start, chunks.len()) },
            });
        });
    }

    /// Runs `op` on each span of each row.
    fn each_span(&mut self, rows: usize, size: Size, op: impl Fn(I, usize, usize) + Sync) {
        let (tasks, width) = (rows * size.spans, size.tokens(0).len());
        self.each_row(tasks, width, |isa, task| {
            op(isa, task / size.spans, task % size.spans);
        });
    }
}

impl<I: Isa> Advance for Cpu<I> {
    fn keep_tokens(
        &mut self,
        ids: Input<'_, Self, u32>,
        slots: Input<'_, Self, u32>,
        copies: Input<'_, Self, BlockCopy>,
        tokens: &mut TokenCache<Self>,
    ) -> Result<(), DeviceError> {
        let block_size = tokens.block_size;
        let tokens = tokens.ids.get_mut();
        for &BlockCopy { from, to } in copies.get() {
            let [from, to] = [from, to].map(|block| block as usize * block_size);
            tokens.copy_within(from..from + block_size, to);
        }
        for (&id, &slot) in ids.get().iter().zip(slots.get()) {
            tokens[slot as usize] = id;
        }
        Ok(())
    }

    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Array<u32>,
        stride: usize,
        out: &mut Array<u32>,
    ) -> Result<(), DeviceError> {
        let (results, rows) = (results.get(), ids.get().iter().zip(sources.get()));
        for (out, (&id, &source)) in out.get_mut().iter_mut().zip(rows) {
            *out = match source {
                NO_TOKEN => id,
                source => match results[source as usize * stride] {
                    NO_TOKEN => 0,
                    token => token,
                },
            };
        }
        Ok(())
    }
}
