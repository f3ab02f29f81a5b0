//! The tensors of a checkpoint, each of which a model must have a use for.

use std::collections::BTreeSet;

use crate::backend::HostMatrix;
use crate::checkpoint::{CheckpointError, HostVector, Tensors};

/// The output matrix.
pub(super) const HEAD: &str = "lm_head.weight";

/// Looks tensors up and remembers which.
pub(super) struct Finder<'a> {
    tensors: &'a Tensors,
    found: BTreeSet<String>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(tensors: &'a Tensors) -> Self {
        Self {
            tensors,
            found: BTreeSet::new(),
        }
    }

    pub(super) fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<HostMatrix<'a>, CheckpointError> {
        self.found.insert(name.to_owned());
        self.tensors.matrix(name, rows, cols)
    }

    pub(super) fn vector(
        &mut self,
        name: &str,
        len: usize,
    ) -> Result<HostVector<'a>, CheckpointError> {
        self.found.insert(name.to_owned());
        self.tensors.vector(name, len)
    }

    /// Refuses a tensor that nothing asked for: a bias that is left out gives wrong tokens with no sign of it.
    pub(super) fn refuse_others(
        &self,
        family: &'static str,
        tied: bool,
    ) -> Result<(), CheckpointError> {
        let other = self.tensors.names().find(|(name, _)| {
            // A copy of the embedding, and a table that older versions of transformers saved.
            let redundant = (tied && *name == HEAD) || name.ends_with("rotary_emb.inv_freq");
            !redundant && !self.found.contains(*name)
        });
        match other {
            None => Ok(()),
            Some((tensor, file)) => Err(CheckpointError::Unexpected {
                file: file.to_path_buf(),
                tensor: tensor.to_owned(),
                family,
            }),
        }
    }
}
