//! The device half of sampling: its arrays, and the launches from logits to a few words a row.

use crate::backend::{Backend, DeviceError, LogitEdit, SamplingRow, SamplingTable, SeenToken};
use crate::backend::{NO_TOKEN, Ops};
use crate::parts::{Logprobs, TokenLogprobs};
use crate::recipe::{Array, Recipe};
use crate::sampler::TableRows;

/// What was chosen for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// `None` when the row's scores held no number that can be chosen.
    pub token: Option<u32>,
    pub logprobs: Option<TokenLogprobs>,
}

/// The sampler's arrays in device memory.
pub struct DeviceSampler<R: Recipe> {
    vocab: usize,
    /// [rows, vocab]
    scores: Array<R, f32>,
    /// [rows]
    rows: Array<R, SamplingRow>,
    seen: Growing<R, SeenToken>,
    edits: Growing<R, LogitEdit>,
    /// [rows, stride of the logprobs part]
    results: Array<R, u32>,
}

impl<R: Recipe> DeviceSampler<R> {
    /// For batches with at most `rows` rows of logits.
    pub fn alloc(device: &mut R::Backend, rows: usize, vocab: usize) -> Result<Self, DeviceError> {
        Ok(Self {
            vocab,
            scores: device.alloc("scores", rows * vocab)?,
            rows: device.alloc("sampling rows", rows)?,
            seen: Growing::alloc(device, "seen tokens")?,
            edits: Growing::alloc(device, "logit edits")?,
            results: device.alloc("sampling results", rows * R::Logprobs::STRIDE)?,
        })
    }

    /// Chooses a token for each row of `logits` and waits for the device; the step's one read. A table without rows
    /// only waits.
    pub fn sample(
        &mut self,
        device: &mut R::Backend,
        table: &TableRows,
        logits: &Array<R, f32>,
    ) -> Result<Vec<Sampled>, DeviceError> {
        let rows = table.rows.len();
        if rows > 0 {
            self.launch(device, table, logits)?;
        }
        let mut results = vec![0; rows * R::Logprobs::STRIDE];
        device.read(&self.results, &mut results)?;
        let results = results.chunks_exact(R::Logprobs::STRIDE);
        let rows = results.zip(&table.rows).zip(&table.wants_logprobs);
        Ok(rows
            .map(|((result, row), &wanted)| Sampled {
                token: Some(result[0]).filter(|&token| token != NO_TOKEN),
                logprobs: wanted
                    .then(|| R::Logprobs::report(result, row.top_logprobs))
                    .flatten(),
            })
            .collect())
    }

    fn launch(
        &mut self,
        device: &mut R::Backend,
        table: &TableRows,
        logits: &Array<R, f32>,
    ) -> Result<(), DeviceError> {
        let rows = table.rows.len();
        device.upload(&mut self.rows, &table.rows)?;
        self.seen.upload(device, &table.seen)?;
        self.edits.upload(device, &table.edits)?;
        let settings = || SamplingTable {
            rows: &self.rows,
            seen: &self.seen.array,
            edits: &self.edits.array,
        };
        let (vocab, scores, results) = (self.vocab, &mut self.scores, &mut self.results);
        device.process_logits(logits, settings(), rows, vocab, scores)?;
        device.sample(
            scores,
            settings(),
            rows,
            vocab,
            results,
            R::Logprobs::STRIDE,
        )?;
        if table.wants_logprobs.contains(&true) {
            R::Logprobs::launch(device, logits, scores, settings(), rows, vocab, results)?;
        }
        Ok(())
    }
}

/// An array that is replaced by a larger one when its content no longer fits.
struct Growing<R: Recipe, T: crate::dtype::Element> {
    what: &'static str,
    len: usize,
    array: Array<R, T>,
}

impl<R: Recipe, T: crate::dtype::Element> Growing<R, T> {
    fn alloc(device: &mut R::Backend, what: &'static str) -> Result<Self, DeviceError> {
        const FIRST: usize = 1024;
        Ok(Self {
            what,
            len: FIRST,
            array: device.alloc(what, FIRST)?,
        })
    }

    fn upload(&mut self, device: &mut R::Backend, content: &[T]) -> Result<(), DeviceError> {
        if content.len() > self.len {
            self.len = content.len().next_power_of_two();
            self.array = device.alloc(self.what, self.len)?;
        }
        device.upload(&mut self.array, content)
    }
}
