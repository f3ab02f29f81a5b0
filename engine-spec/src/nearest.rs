//! The nearest profiles that work: what to leave out, where else it would run, what would have to be accepted.
//!
//! Fifteen switches are 32,768 sets, so the search is by brute force and its answers are exact.

use serde::Serialize;

use crate::family::Family;
use crate::feature::{Feature, FeatureSet};
use crate::matrix::legal::Legality;
use crate::matrix::{CellId, Matrix, Mode, Unknown, Verdict};

/// Ways out for a feature set on a family. Everything is empty for a set that works as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The smallest sets of features to leave out, all of the same size.
    pub drop: Vec<FeatureSet>,
    /// Families where the whole set works.
    pub families: Vec<Family>,
    /// The unknown pairs to accept, if nothing else stands in the way.
    pub accept: Vec<CellId>,
}

/// The ways out of what a profile in this mode is held to. For a family whose backend is not built, what the page
/// says is all there is to go by.
pub fn nearest(
    matrix: &Matrix,
    mode: Mode,
    set: FeatureSet,
    family: Family,
    accepted: &[CellId],
) -> Nearest {
    let legality = if family.backend().is_built() {
        Legality::of_mode(matrix, mode, accepted)
    } else {
        Legality::of_page_accepting(matrix, accepted)
    };
    by(matrix, &legality, set, family)
}

/// The ways out by the page alone, whatever this engine has built.
pub fn by_page(matrix: &Matrix, set: FeatureSet, family: Family, accepted: &[CellId]) -> Nearest {
    by(
        matrix,
        &Legality::of_page_accepting(matrix, accepted),
        set,
        family,
    )
}

fn by(matrix: &Matrix, legality: &Legality, set: FeatureSet, family: Family) -> Nearest {
    if legality.allows(set, family) {
        return Nearest::default();
    }
    let families = Family::ALL
        .into_iter()
        .filter(|other| legality.allows(set, *other))
        .collect();
    Nearest {
        drop: smallest_drops(legality, set, family),
        families,
        accept: accepts(matrix, set, family),
    }
}

/// All the smallest sets whose removal leaves a legal one. The empty set is legal everywhere, so there is always one.
fn smallest_drops(legality: &Legality, set: FeatureSet, family: Family) -> Vec<FeatureSet> {
    let works = |drop: &FeatureSet| legality.allows(set.minus(*drop), family);
    let of_size = |size| {
        set.subsets()
            .filter(move |drop: &FeatureSet| drop.len() == size)
    };
    let smallest = (1..=set.len()).map(|size| of_size(size).filter(works).collect::<Vec<_>>());
    let mut drops = smallest
        .into_iter()
        .find(|drops| !drops.is_empty())
        .unwrap_or_default();
    drops.sort();
    drops
}

/// The unknown pairs of a set, if accepting them makes the page agree; none if it does not.
fn accepts(matrix: &Matrix, set: FeatureSet, family: Family) -> Vec<CellId> {
    if !Legality::of_page(matrix, Unknown::Accepted).allows(set, family) {
        return Vec::new();
    }
    let pairs = set.pairs().map(|(a, b)| CellId::Pair(a, b));
    pairs
        .filter(|id| matrix.cell(*id).vllm == Verdict::Unknown)
        .collect()
}

/// The families where the page lets a feature run.
pub fn families_of(matrix: &Matrix, feature: Feature) -> Vec<Family> {
    let works =
        |family: &Family| matrix.cell(CellId::Hardware(feature, *family)).vllm == Verdict::Yes;
    Family::ALL.into_iter().filter(works).collect()
}
