//! Which feature sets a table allows, by bit masks; and how many.
//!
//! Legality is closed downward (a subset of a legal set is legal), so the maximal sets describe all of them.

use super::{CellId, Matrix, Mode, Verdict};
use crate::family::Family;
use crate::feature::{Feature, FeatureSet};

/// What to do with a cell of which nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Refused,
    Accepted,
}

/// For each feature the features that it may not stand with, and for each family the features that it may not have.
#[derive(Clone, Debug)]
pub struct Legality {
    conflicts: [FeatureSet; Feature::COUNT],
    absent: [FeatureSet; Family::COUNT],
}

impl Legality {
    /// By the page's verdicts alone.
    pub fn of_page(matrix: &Matrix, unknown: Unknown) -> Legality {
        Legality::by(|id| match matrix.cell(id).vllm {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::Unknown => unknown == Unknown::Accepted,
        })
    }

    /// By the verdicts that a profile in this mode is held to, with these unknown pairs accepted by name.
    pub fn of_mode(matrix: &Matrix, mode: Mode, accepted: &[CellId]) -> Legality {
        Legality::by(|id| {
            let cell = matrix.cell(id);
            let page = match cell.vllm {
                Verdict::Yes => true,
                Verdict::No => false,
                Verdict::Unknown => accepted.contains(&id),
            };
            match mode {
                Mode::Vllm => page && cell.engine.is_yes(),
                Mode::Engine => cell.engine.is_yes(),
            }
        })
    }

    /// By the page, with these unknown pairs accepted by name.
    pub fn of_page_accepting(matrix: &Matrix, accepted: &[CellId]) -> Legality {
        Legality::by(|id| match matrix.cell(id).vllm {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::Unknown => accepted.contains(&id),
        })
    }

    fn by(works: impl Fn(CellId) -> bool) -> Legality {
        let conflicts = Feature::ALL.map(|a| {
            let clash = |b: &Feature| CellId::pair(a, *b).is_some_and(|id| !works(id));
            Feature::ALL.into_iter().filter(clash).collect()
        });
        let absent = Family::ALL.map(|family| {
            let missing = |feature: &Feature| !works(CellId::Hardware(*feature, family));
            Feature::ALL.into_iter().filter(missing).collect()
        });
        Legality { conflicts, absent }
    }

    /// Whether a profile with these features on this family is allowed.
    pub fn allows(&self, set: FeatureSet, family: Family) -> bool {
        !set.intersects(self.absent[family.index()])
            && set
                .iter()
                .all(|feature| !set.intersects(self.conflicts[feature.index()]))
    }

    /// Whether it is allowed and no feature can be added.
    pub fn is_maximal(&self, set: FeatureSet, family: Family) -> bool {
        self.allows(set, family)
            && FeatureSet::FULL
                .minus(set)
                .iter()
                .all(|feature| !self.allows(set.with(feature), family))
    }

    /// The maximal sets of a family, largest first.
    pub fn maximal(&self, family: Family) -> Vec<FeatureSet> {
        let mut sets: Vec<_> = FeatureSet::every()
            .filter(|set| self.is_maximal(*set, family))
            .collect();
        sets.sort_by_key(|set| (std::cmp::Reverse(set.len()), set.bits()));
        sets
    }

    /// How many legal and maximal sets each family has, in the page's order.
    pub fn count(&self) -> [Counts; Family::COUNT] {
        Family::ALL.map(|family| {
            let legal = FeatureSet::every().filter(|set| self.allows(*set, family));
            legal.fold(
                Counts {
                    family,
                    legal: 0,
                    maximal: 0,
                },
                |counts, set| Counts {
                    legal: counts.legal + 1,
                    maximal: counts.maximal + usize::from(self.is_maximal(set, family)),
                    ..counts
                },
            )
        })
    }
}

/// How many feature sets a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub family: Family,
    pub legal: usize,
    pub maximal: usize,
}

/// The counts of the page's verdicts, family by family.
pub fn counts(matrix: &Matrix, unknown: Unknown) -> [Counts; Family::COUNT] {
    Legality::of_page(matrix, unknown).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MATRIX;

    #[test]
    fn the_page_allows_as_many_profiles_as_it_should() {
        for (unknown, legal, maximal) in
            [(Unknown::Refused, 3904, 68), (Unknown::Accepted, 9744, 46)]
        {
            let counts = counts(&MATRIX, unknown);
            assert_eq!(counts.iter().map(|c| c.legal).sum::<usize>(), legal);
            assert_eq!(counts.iter().map(|c| c.maximal).sum::<usize>(), maximal);
        }
    }
}
