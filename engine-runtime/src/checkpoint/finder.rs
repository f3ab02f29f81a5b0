//! The tensors of a checkpoint, each of which a model must have a use for.

use std::collections::BTreeSet;

use safetensors::Dtype;

use super::{CheckpointError, HostVector, Tensors};
use crate::dtype::HostMatrix;

/// Looks tensors up and remembers which.
pub struct Finder<'a> {
    tensors: &'a Tensors,
    found: BTreeSet<String>,
}

impl<'a> Finder<'a> {
    pub fn new(tensors: &'a Tensors) -> Self {
        Self {
            tensors,
            found: BTreeSet::new(),
        }
    }

    /// The matrix [rows, cols] of this name, in a dense format.
    pub fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<HostMatrix<'a>, CheckpointError> {
        self.found.insert(name.to_owned());
        self.tensors.matrix(name, rows, cols)
    }

    /// The vector `[len]` of this name, in a dense format.
    pub fn vector(&mut self, name: &str, len: usize) -> Result<HostVector<'a>, CheckpointError> {
        self.found.insert(name.to_owned());
        self.tensors.vector(name, len)
    }

    /// The bytes of an array of this name, shape and element type: what packed formats are made of.
    pub fn array(
        &mut self,
        name: &str,
        shape: &[usize],
        dtype: Dtype,
    ) -> Result<&'a [u8], CheckpointError> {
        self.found.insert(name.to_owned());
        self.tensors.array(name, shape, dtype)
    }

    /// Refuses a tensor that nothing asked for, but those that say no more than another does: a bias that is left out
    /// gives wrong tokens with no sign of it.
    pub fn refuse_others(
        &self,
        family: &'static str,
        redundant: &[&str],
    ) -> Result<(), CheckpointError> {
        let other = self.tensors.names().find(|(name, _)| {
            // Older versions of transformers saved this table.
            let redundant = redundant.contains(name) || name.ends_with("rotary_emb.inv_freq");
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
