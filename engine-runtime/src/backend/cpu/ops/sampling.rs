//! The sampler: a row of the table is one task's.

use crate::backend::cpu::memory::Disjoint;
use crate::backend::cpu::{Array, Cpu, Isa, sampler};
use crate::backend::{
    Advance, DeviceError, Input, NO_LOGPROBS, NO_TOKEN, RAW_LOGPROBS, Sampling, SamplingTable,
};

impl<I: Isa> Sampling for Cpu<I> {
    fn process_logits(
        &mut self,
        logits: &Array<f32>,
        table: SamplingTable<'_, Self>,
        scores: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (logits, settings, vocab) = (logits.get(), table.rows.get(), table.vocab);
        let (seen, edits) = (table.seen.get(), table.edits.get());
        let scores = Disjoint::new(scores.get_mut());
        self.each_row_with(settings.len(), vocab, |isa, row, kept| {
            let settings = &settings[row];
            isa.enter(sampler::Process {
                row: settings,
                seen,
                edits,
                logits: &logits[settings.logits_row as usize * vocab..][..vocab],
                // SAFETY: each row is one task's.
                scores: unsafe { scores.slice(row * vocab, vocab) },
                scratch: &mut kept.weights,
            });
        });
        Ok(())
    }

    fn sample(
        &mut self,
        scores: &Array<f32>,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (scores, settings, vocab) = (scores.get(), table.rows.get(), table.vocab);
        let results = Disjoint::new(results.get_mut());
        self.each_row_with(settings.len(), vocab, |isa, row, kept| {
            let token = isa.enter(sampler::Sample {
                row: &settings[row],
                scores: &scores[row * vocab..(row + 1) * vocab],
                scratch: &mut kept.weights,
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
        scores: &Array<f32>,
        table: SamplingTable<'_, Self>,
        results: &mut Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError> {
        let (logits, scores) = (logits.get(), scores.get());
        let (settings, vocab) = (table.rows.get(), table.vocab);
        let results = Disjoint::new(results.get_mut());
        self.each_row_with(settings.len(), vocab, |isa, row, kept| {
            let settings = &settings[row];
            let (source, source_row) = match settings.logprobs {
                NO_LOGPROBS => return,
                RAW_LOGPROBS => (logits, settings.logits_row as usize),
                _ => (scores, row),
            };
            isa.enter(sampler::Logprobs {
                scores: &source[source_row * vocab..(source_row + 1) * vocab],
                top: settings.top_logprobs as usize,
                // SAFETY: each row is one task's.
                result: unsafe { results.slice(row * stride, stride) },
                scratch: &mut kept.weights,
            });
        });
        Ok(())
    }
}

impl<I: Isa> Advance for Cpu<I> {
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
