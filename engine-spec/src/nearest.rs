//! The nearest profiles that work: what to leave out, where else it would run, what would have to be accepted, and
//! what this engine's own verdicts would allow.
//!
//! Fifteen switches are 32,768 sets, so the search is by brute force and its answers are exact. "Works" means what
//! the rules mean by it: both ask [`Terms`], so that a profile changed in one of these ways is accepted.

use serde::Serialize;

use crate::family::Family;
use crate::features::{Feature, FeatureSet};
use crate::matrix::legal::{Legality, Terms};
use crate::matrix::{CellId, Matrix, Mode, Verdict};

/// Ways out for a feature set on a family. Everything is empty for a set that works as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The smallest sets of features to leave out, all of the same size.
    pub drop: Vec<FeatureSet>,
    /// Families where the whole set works.
    pub families: Vec<Family>,
    /// The unknown pairs to accept, if nothing else stands in the way.
    pub accept: Vec<CellId>,
    /// The smallest sets to leave out with `matrix = "engine"`, if those are smaller; the empty set alone, if that
    /// changes everything that has to be changed.
    pub by_engine: Vec<FeatureSet>,
}

/// The ways out of what a profile on these terms meets on a family.
pub fn nearest(matrix: &Matrix, terms: &Terms, set: FeatureSet, family: Family) -> Nearest {
    let legality = Legality::by_terms(matrix, terms);
    if legality.allows(set, family) {
        return Nearest::default();
    }
    let drop = smallest_drops(&legality, set, family);
    Nearest {
        families: families(matrix, &legality, set, family),
        accept: accepts(matrix, terms, set, family),
        by_engine: by_engine(matrix, terms, set, family, &drop),
        drop,
    }
}

/// All the smallest sets whose removal leaves a legal one. The empty set is legal everywhere, so there is always one.
fn smallest_drops(legality: &Legality, set: FeatureSet, family: Family) -> Vec<FeatureSet> {
    let works = |drop: &FeatureSet| legality.allows(set.minus(*drop), family);
    let of_size = |size| {
        set.subsets()
            .filter(move |drop: &FeatureSet| drop.len() == size)
    };
    let smallest = (0..=set.len()).map(|size| of_size(size).filter(works).collect::<Vec<_>>());
    let mut drops = smallest
        .into_iter()
        .find(|drops| !drops.is_empty())
        .unwrap_or_default();
    drops.sort();
    drops
}

/// The families where the set works. A family whose backend is not built is no way out for one whose backend is.
fn families(matrix: &Matrix, legality: &Legality, set: FeatureSet, family: Family) -> Vec<Family> {
    let is_built = |family: Family| matrix.is_built(family.backend());
    let as_good = |other: &Family| is_built(*other) || !is_built(family);
    let works = |other: &Family| legality.allows(set, *other);
    Family::ALL
        .into_iter()
        .filter(as_good)
        .filter(works)
        .collect()
}

/// The unknown pairs of a set, if accepting them too is all that is missing.
fn accepts(matrix: &Matrix, terms: &Terms, set: FeatureSet, family: Family) -> Vec<CellId> {
    if terms.mode == Mode::Engine {
        return Vec::new();
    }
    let pairs = set.pairs().map(|(a, b)| CellId::Pair(a, b));
    let unknown = pairs.filter(|id| matrix.cell(*id).vllm == Verdict::Unknown);
    let more: Vec<_> = unknown.filter(|id| !terms.accepted.contains(id)).collect();
    let wider = Terms {
        accepted: [terms.accepted.as_slice(), &more].concat(),
        mode: terms.mode,
    };
    match Legality::by_terms(matrix, &wider).allows(set, family) {
        true => more,
        false => Vec::new(),
    }
}

/// What to leave out with `matrix = "engine"`, if fewer features than `drop` are lost that way. Only where the backend
/// is built: elsewhere this engine's verdicts, having no proof at all, are no answer to vLLM's.
fn by_engine(
    matrix: &Matrix,
    terms: &Terms,
    set: FeatureSet,
    family: Family,
    drop: &[FeatureSet],
) -> Vec<FeatureSet> {
    if terms.mode == Mode::Engine || !matrix.is_built(family.backend()) {
        return Vec::new();
    }
    let legality = Legality::by_terms(matrix, &Terms::of_engine());
    let drops = smallest_drops(&legality, set, family);
    let size = |drops: &[FeatureSet]| drops.first().map(|drop| drop.len());
    match size(&drops) < size(drop) {
        true => drops,
        false => Vec::new(),
    }
}

/// The families, other than its own, where a feature works by vLLM's verdicts.
pub fn families_of(matrix: &Matrix, feature: Feature, family: Family) -> Vec<Family> {
    let works =
        |other: &Family| matrix.cell(CellId::Hardware(feature, *other)).vllm == Verdict::Yes;
    let others = Family::ALL.into_iter().filter(|other| *other != family);
    others.filter(works).collect()
}
