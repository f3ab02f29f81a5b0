//! What `engine verify` reports of a checkpoint that this engine can load.

use std::collections::BTreeMap;
use std::fmt;

use engine_model::Bytes;

use crate::models::Dims;

/// A checkpoint that fits an engine, and what it costs there.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The engine's family and the checkpoint's own class name.
    pub family: &'static str,
    pub architecture: String,
    pub dims: Dims,
    pub max_positions: usize,
    /// The embedding is also the output matrix.
    pub tied: bool,
    pub parameters: u64,
    /// Those of experts that a token does not meet; 0 without experts.
    pub unmet: u64,
    /// Formats in the checkpoint.
    pub stored: StoredAs,
    /// Format of matrices in the engine; where it differs from `stored`, loading converts.
    pub weights_format: &'static str,
    pub memory: Memory,
}

/// Bytes of tensors for each format in a checkpoint.
pub type StoredAs = BTreeMap<&'static str, u64>;

/// Device memory in bytes, without what a kernel's layout adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    pub weights: u64,
    /// Cached keys and values of one position, all layers.
    pub kv_per_token: u64,
    /// Activations of a step of the largest size.
    pub activations: u64,
    /// What its matrix products lay out their rows in.
    pub scratch: u64,
}

impl Fit {
    /// Formats that loading converts to [`Fit::weights_format`].
    pub fn converted(&self) -> impl Iterator<Item = &'static str> {
        let to = self.weights_format;
        self.stored.keys().copied().filter(move |&from| from != to)
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims = &self.dims;
        writeln!(f, "architecture   {} ({})", self.architecture, self.family)?;
        writeln!(
            f,
            "shape          {} layers, hidden {}, {} heads ({} kv) of {}, ffn {}, vocabulary {}{}",
            dims.layers,
            dims.hidden,
            dims.q_heads,
            dims.kv_heads,
            dims.head_dim,
            dims.ffn,
            dims.vocab,
            if self.tied { " (tied)" } else { "" },
        )?;
        writeln!(f, "positions      {}", self.max_positions)?;
        write!(f, "parameters     {}", self.parameters)?;
        match self.unmet {
            0 => writeln!(f)?,
            unmet => writeln!(f, ", of which a token meets {}", self.parameters - unmet)?,
        }
        let stored: Vec<_> = self.stored.keys().copied().collect();
        write!(f, "weights        {}", stored.join(", "))?;
        let converted: Vec<_> = self.converted().collect();
        if !converted.is_empty() {
            write!(f, ", of which {} become", converted.join(" and "))?;
            write!(f, " {} on loading", self.weights_format)?;
        }
        writeln!(f)?;
        let memory = &self.memory;
        writeln!(f, "memory         weights {}", Bytes(memory.weights))?;
        writeln!(
            f,
            "               activations {}",
            Bytes(memory.activations)
        )?;
        writeln!(f, "               scratch {}", Bytes(memory.scratch))?;
        write!(
            f,
            "               kv cache {} a token",
            Bytes(memory.kv_per_token)
        )
    }
}
