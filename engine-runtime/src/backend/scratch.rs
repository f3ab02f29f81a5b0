//! What ops keep while they run, and what its size follows from.

use super::HeadLayout;

/// The largest ops that an engine launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Largest {
    /// Rows of a step.
    pub rows: usize,
    /// Bytes in which a matrix product may lay out its rows.
    pub product: usize,
    pub heads: HeadLayout,
    /// Positions that a row sees.
    pub positions: usize,
    /// Logits of a row.
    pub vocab: usize,
}
