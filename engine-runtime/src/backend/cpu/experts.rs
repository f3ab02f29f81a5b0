//! Experts: which rows chose which.

use std::ops::Range;

/// The pairs of a row and one of its experts (row * per_row + place), by expert.
pub(super) struct Grouping {
    /// Where each expert's pairs begin, and the last one's end: [experts + 1].
    starts: Vec<usize>,
    /// Each pair once: ascending within an expert.
    pub pairs: Vec<u32>,
}

impl Grouping {
    /// From the expert of each pair; `experts` is their number. Refuses an expert that there is not.
    pub fn new(expert_of: &[u32], experts: usize) -> Result<Self, String> {
        let mut starts = vec![0; experts + 1];
        for &expert in expert_of {
            match starts.get_mut(expert as usize + 1) {
                Some(count) => *count += 1,
                None => return Err(format!("expert {expert} of {experts}")),
            }
        }
        for expert in 0..experts {
            starts[expert + 1] += starts[expert];
        }
        let mut next = starts.clone();
        let mut pairs = vec![0; expert_of.len()];
        for (pair, &expert) in (0..).zip(expert_of) {
            let place = &mut next[expert as usize];
            pairs[*place] = pair;
            *place += 1;
        }
        Ok(Self { starts, pairs })
    }

    /// The experts that some row chose, each with its range of `pairs`.
    pub fn experts(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let ranges = self.starts.windows(2).map(|pair| pair[0]..pair[1]);
        ranges.enumerate().filter(|(_, range)| !range.is_empty())
    }
}
