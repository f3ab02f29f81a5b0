//! What a profile is held to, cell by cell; which feature sets that allows, by bit masks; and how many.
//!
//! One function says what stands against a cell, [`Terms::objection`]. The rules turn each objection into a finding,
//! and the masks of [`Legality`] are made from the same objections, so that neither can know better than the other.
//! Legality is closed downward (a subset of a legal set is legal), so the maximal sets describe all of them.

use super::{Cell, CellId, Matrix, Mode, Verdict};
use crate::family::{BackendKind, Family};
use crate::features::{Feature, FeatureSet};

/// What to do with a cell of which nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Refused,
    Accepted,
}

/// What a profile is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub mode: Mode,
    /// The unknown pairs that it takes by name.
    pub accepted: Vec<CellId>,
}

/// What stands against a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objection {
    /// vLLM's matrix says no.
    No,
    /// vLLM's matrix does not know, and the profile does not take it by name.
    Unknown,
    /// This engine has no proof on the target's backend.
    Unproven,
}

impl Terms {
    /// What `matrix = "engine"` means: this engine's verdicts alone, so that there is nothing to accept.
    pub fn of_engine() -> Terms {
        Terms {
            mode: Mode::Engine,
            accepted: Vec::new(),
        }
    }

    /// What stands against a cell of a profile for this backend; where vLLM's matrix objects, that this engine has not
    /// built it either is no news.
    pub fn objection(&self, cell: &Cell, backend: BackendKind) -> Option<Objection> {
        let by_vllm = match (self.mode, cell.vllm) {
            (Mode::Engine, _) | (Mode::Vllm, Verdict::Yes) => None,
            (Mode::Vllm, Verdict::No) => Some(Objection::No),
            (Mode::Vllm, Verdict::Unknown) => {
                (!self.accepted.contains(&cell.id)).then_some(Objection::Unknown)
            }
        };
        let by_engine = (!cell.engine.on(backend).is_yes()).then_some(Objection::Unproven);
        by_vllm.or(by_engine)
    }

    /// Every cell that a feature set on a family touches and that something stands against.
    pub fn objections<'a>(
        &'a self,
        matrix: &'a Matrix,
        set: FeatureSet,
        family: Family,
    ) -> impl Iterator<Item = (&'a Cell, Objection)> {
        matrix.touched(set, family).filter_map(move |cell| {
            let objection = self.objection(cell, family.backend())?;
            Some((cell, objection))
        })
    }
}

/// For each feature on each backend the features that it may not stand with, and for each family the features that it
/// may not have.
#[derive(Clone, Debug)]
pub struct Legality {
    conflicts: [[FeatureSet; Feature::COUNT]; BackendKind::COUNT],
    absent: [FeatureSet; Family::COUNT],
}

impl Legality {
    /// By vLLM's verdicts alone.
    pub fn by_vllm(matrix: &Matrix, unknown: Unknown) -> Legality {
        Legality::by(|id, _| match matrix.cell(id).vllm {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::Unknown => unknown == Unknown::Accepted,
        })
    }

    /// By what a profile is held to. On a backend that this engine does not have, that nothing is proven yet does not
    /// count: it is said once, of the backend, and the profile can be planned for the day when it is there.
    pub fn by_terms(matrix: &Matrix, terms: &Terms) -> Legality {
        Legality::by(
            |id, backend| match terms.objection(matrix.cell(id), backend) {
                None => true,
                Some(Objection::No | Objection::Unknown) => false,
                Some(Objection::Unproven) => !matrix.is_built(backend),
            },
        )
    }

    fn by(works: impl Fn(CellId, BackendKind) -> bool) -> Legality {
        let conflicts = BackendKind::ALL.map(|backend| {
            Feature::ALL.map(|a| {
                let works = |b| CellId::pair(a, b).is_none_or(|id| works(id, backend));
                Feature::ALL.into_iter().filter(|b| !works(*b)).collect()
            })
        });
        let absent = Family::ALL.map(|family| {
            let works = |feature| works(CellId::Hardware(feature, family), family.backend());
            Feature::ALL
                .into_iter()
                .filter(|feature| !works(*feature))
                .collect()
        });
        Legality { conflicts, absent }
    }

    /// Whether a profile with these features on this family is allowed.
    pub fn allows(&self, set: FeatureSet, family: Family) -> bool {
        let conflicts = &self.conflicts[family.backend() as usize];
        !set.intersects(self.absent[family.index()])
            && set
                .iter()
                .all(|feature| !set.intersects(conflicts[feature.index()]))
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

    /// How many legal and maximal sets each family has, in the matrix's order.
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

/// The counts of vLLM's verdicts, family by family.
pub fn counts(matrix: &Matrix, unknown: Unknown) -> [Counts; Family::COUNT] {
    Legality::by_vllm(matrix, unknown).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MATRIX;

    #[test]
    fn vllm_allows_as_many_profiles_as_it_should() {
        for (unknown, legal, maximal) in
            [(Unknown::Refused, 3904, 68), (Unknown::Accepted, 9744, 46)]
        {
            let counts = counts(&MATRIX, unknown);
            assert_eq!(counts.iter().map(|c| c.legal).sum::<usize>(), legal);
            assert_eq!(counts.iter().map(|c| c.maximal).sum::<usize>(), maximal);
        }
    }
}
