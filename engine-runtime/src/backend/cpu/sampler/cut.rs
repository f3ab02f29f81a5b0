//! Where the tokens that are kept end.

use crate::dtype::Element;

/// Tokens up to `last` are kept if their score is at least `score`, those behind it only if it is larger.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(in super::super) struct Cut {
    pub score: f32,
    pub last: u32,
}

impl Element for Cut {}

impl Cut {
    /// Keeps all.
    pub const NONE: Self = Self {
        score: f32::NEG_INFINITY,
        last: u32::MAX,
    };

    #[inline(always)]
    pub fn keeps(self, token: u32, score: f32) -> bool {
        score > self.score || score == self.score && token <= self.last
    }

    /// Also drops all scores below `floor`.
    pub fn above(self, floor: f32) -> Self {
        match floor > self.score {
            true => Self {
                score: floor,
                last: u32::MAX,
            },
            false => self,
        }
    }
}

/// The least score whose weight is at least `share` of that of the largest: the logarithm tells it, with no weight
/// computed.
pub(super) fn floor(largest: f32, share: f32) -> f32 {
    if share <= 0.0 || largest.is_infinite() {
        // Those that equal an infinite score share all the weight.
        return if share > 0.0 {
            largest
        } else {
            f32::NEG_INFINITY
        };
    }
    let exact = f64::from(largest) + f64::from(share).ln();
    let near = exact as f32;
    match f64::from(near) < exact {
        true => near.next_up(),
        false => near,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_the_least_score_of_so_much_weight() {
        for (largest, share) in [(0.0, 0.05), (17.3, 0.1), (-4.0, 1.0), (100.0, 1e-6)] {
            let least = floor(largest, share);
            let weight = |score: f32| (f64::from(score) - f64::from(largest)).exp();
            let share = f64::from(share) * (1.0 - 1e-12);
            assert!(weight(least) >= share && weight(least.next_down()) < share);
        }
        assert_eq!(floor(3.0, 1.0), 3.0);
        assert_eq!(floor(3.0, 0.0), f32::NEG_INFINITY);
        assert_eq!(floor(f32::INFINITY, 0.1), f32::INFINITY);
    }

    #[test]
    fn equal_scores_are_kept_up_to_a_token() {
        let cut = Cut {
            score: 1.0,
            last: 5,
        };
        assert!(cut.keeps(5, 1.0) && cut.keeps(9, 1.5));
        assert!(!cut.keeps(6, 1.0) && !cut.keeps(0, 0.5) && !cut.keeps(0, f32::NAN));
        assert_eq!(cut.above(0.5), cut);
        assert!(cut.above(1.25).keeps(9, 1.25));
    }
}
