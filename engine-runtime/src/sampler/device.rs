//! The device half of sampling: the launches from logits to a few words a row, and what those words say.

use crate::backend::{DeviceError, NO_TOKEN, Sampling, TokenCache};
use crate::batch::DeviceBatch;
use crate::parts::{Logprobs, TokenLogprobs};
use crate::recipe::{Array, Recipe, Scores};
use crate::sampler::TableRows;

/// What was chosen for one row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// `None` when the row's scores held no number that can be chosen.
    pub token: Option<u32>,
    pub logprobs: Option<TokenLogprobs>,
}

/// The sampler's scratch in device memory. The results of a step are the caller's, so that those of two steps can be
/// there at once.
pub struct DeviceSampler<R: Recipe> {
    vocab: usize,
    /// Of `table_rows` rows.
    scores: Scores<R>,
}

impl<R: Recipe> DeviceSampler<R> {
    /// Words of a row of results.
    pub const STRIDE: usize = R::Logprobs::STRIDE;

    /// For batches that choose `rows` tokens at most.
    pub fn alloc(device: &mut R::Backend, rows: usize, vocab: usize) -> Result<Self, DeviceError> {
        Ok(Self {
            vocab,
            scores: device.scores(rows, vocab)?,
        })
    }

    /// Chooses the tokens of `batch` from `logits` [logits_len, vocab], into `results` [table_len, STRIDE].
    pub fn launch(
        &mut self,
        device: &mut R::Backend,
        batch: &DeviceBatch<R::Backend>,
        tokens: &TokenCache<R::Backend>,
        logits: &Array<R, f32>,
        results: &mut Array<R, u32>,
    ) -> Result<(), DeviceError> {
        if batch.table_len == 0 {
            return Ok(());
        }
        let (vocab, scores) = (self.vocab, &mut self.scores);
        let table = || batch.sampling(vocab, tokens);
        device.process_logits(logits, table(), scores)?;
        device.sample(logits, scores, table(), results, Self::STRIDE)?;
        if batch.wants_logprobs {
            R::Logprobs::launch(device, logits, scores, table(), results)?;
        }
        Ok(())
    }

    /// What `results` [rows of the table, STRIDE] say of each row.
    pub fn report(table: &TableRows, results: &[u32]) -> impl Iterator<Item = Sampled> {
        let results = results.chunks_exact(Self::STRIDE);
        let rows = results.zip(&table.rows).zip(&table.wants_logprobs);
        rows.map(|((result, row), &wanted)| Sampled {
            token: Some(result[0]).filter(|&token| token != NO_TOKEN),
            logprobs: wanted
                .then(|| R::Logprobs::report(result, row.top_logprobs))
                .flatten(),
        })
    }
}
