//! Sets of features.

use serde::{Serialize, Serializer};

use super::Feature;

/// A set of features, one bit each, bit `n` for the feature whose index is `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureSet(u16);

impl FeatureSet {
    pub const EMPTY: FeatureSet = FeatureSet(0);
    pub const FULL: FeatureSet = FeatureSet((1 << Feature::COUNT) - 1);

    /// The set with these bits; bits that are no feature are dropped.
    pub const fn from_bits(bits: u16) -> FeatureSet {
        FeatureSet(bits & FeatureSet::FULL.0)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u16) != 0
    }

    pub const fn with(self, feature: Feature) -> FeatureSet {
        FeatureSet(self.0 | 1 << feature as u16)
    }

    pub const fn without(self, feature: Feature) -> FeatureSet {
        FeatureSet(self.0 & !(1 << feature as u16))
    }

    /// What is here and not in `other`.
    pub const fn minus(self, other: FeatureSet) -> FeatureSet {
        FeatureSet(self.0 & !other.0)
    }

    pub const fn intersects(self, other: FeatureSet) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_subset_of(self, other: FeatureSet) -> bool {
        self.0 & !other.0 == 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Its members in the matrix's order.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL
            .into_iter()
            .filter(move |feature| self.contains(*feature))
    }

    /// Its pairs as the matrix writes them, `(later, earlier)`, row by row.
    pub fn pairs(self) -> impl Iterator<Item = (Feature, Feature)> {
        self.iter()
            .flat_map(move |a| self.iter().take_while(move |b| *b < a).map(move |b| (a, b)))
    }

    /// Every subset, the set itself first and the empty set last.
    pub fn subsets(self) -> impl Iterator<Item = FeatureSet> {
        std::iter::successors(Some(self), move |last| {
            (!last.is_empty()).then(|| FeatureSet((last.0 - 1) & self.0))
        })
    }

    /// All 2^15 sets.
    pub fn every() -> impl Iterator<Item = FeatureSet> {
        (0..=FeatureSet::FULL.0).map(FeatureSet)
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> FeatureSet {
        features
            .into_iter()
            .fold(FeatureSet::EMPTY, FeatureSet::with)
    }
}

impl Serialize for FeatureSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Feature::*;

    #[test]
    fn a_set_lists_its_pairs_and_subsets() {
        let set: FeatureSet = [Lora, ChunkedPrefill, Logprobs].into_iter().collect();
        assert_eq!(
            set.pairs().collect::<Vec<_>>(),
            [
                (Lora, ChunkedPrefill),
                (Logprobs, ChunkedPrefill),
                (Logprobs, Lora)
            ]
        );
        assert_eq!(set.subsets().count(), 8);
        assert_eq!(FeatureSet::FULL.pairs().count(), 105);
        assert_eq!(FeatureSet::every().count(), 1 << 15);
    }
}
