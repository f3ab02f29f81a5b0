//! The table against `cells.tsv`, cell by cell, and against a second checker that shares no code with the first.

use std::sync::OnceLock;

use engine_spec::matrix::legal::Legality;
use engine_spec::matrix::{CELLS, EngineVerdict, Unknown, Verdict};
use engine_spec::{Family, Feature, FeatureSet, MATRIX, Matrix, Mode};

const CELLS_TSV: &str = include_str!("../matrix/cells.tsv");

/// One line of the file, in text.
fn lines() -> impl Iterator<Item = [&'static str; 6]> {
    CELLS_TSV.lines().skip(1).map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        columns.try_into().expect("six columns")
    })
}

/// Every way in which the table is not the file.
fn differences(matrix: &Matrix) -> Vec<String> {
    let rows = matrix.cells().iter().map(|cell| {
        [
            cell.id.kind(),
            cell.id.a().name(),
            cell.id.b(),
            cell.vllm.name(),
            cell.link,
            cell.reason,
        ]
    });
    assert_eq!(lines().count(), CELLS);
    rows.zip(lines())
        .filter(|(row, line)| row != line)
        .map(|(row, line)| format!("{row:?} is not {line:?}"))
        .collect()
}

#[test]
fn the_table_is_the_file() {
    assert_eq!(differences(&MATRIX), Vec::<String>::new());
}

/// The naive checker: goes through the lines of the file and asks of each whether it forbids the set. `true` where
/// the set is legal.
struct Naive {
    /// For each line: features that must be on, the family if it is about one, whether it is unknown rather than no.
    forbids: Vec<(Vec<usize>, Option<usize>, bool)>,
}

impl Naive {
    fn new() -> Naive {
        let mut features: Vec<&str> = Vec::new();
        let mut families: Vec<&str> = Vec::new();
        for [kind, a, b, ..] in lines().filter(|line| line[0] == "hardware") {
            assert_eq!(kind, "hardware");
            if !features.contains(&a) {
                features.push(a);
            }
            if !families.contains(&b) {
                families.push(b);
            }
        }
        assert_eq!((features.len(), families.len()), (15, 7));
        let feature = |name: &str| features.iter().position(|other| *other == name).unwrap();
        let forbids = lines()
            .filter(|line| line[3] != "yes")
            .map(|[kind, a, b, verdict, ..]| match kind {
                "feature" => (vec![feature(a), feature(b)], None, verdict == "unknown"),
                _ => (
                    vec![feature(a)],
                    families.iter().position(|other| *other == b),
                    verdict == "unknown",
                ),
            });
        Naive {
            forbids: forbids.collect(),
        }
    }

    fn allows(&self, on: &[bool; 15], family: usize, accept_unknown: bool) -> bool {
        !self.forbids.iter().any(|(features, only, unknown)| {
            features.iter().all(|feature| on[*feature])
                && only.is_none_or(|only| only == family)
                && !(*unknown && accept_unknown)
        })
    }
}

/// All answers of the naive checker, by policy, family and set.
fn expected() -> &'static [bool] {
    static ANSWERS: OnceLock<Vec<bool>> = OnceLock::new();
    ANSWERS.get_or_init(answers)
}

fn answers() -> Vec<bool> {
    let naive = Naive::new();
    let mut answers = Vec::with_capacity(2 * (7 << 15));
    for accept_unknown in [false, true] {
        for family in 0..7 {
            for set in 0..1_u32 << 15 {
                let on = std::array::from_fn(|feature| set >> feature & 1 == 1);
                answers.push(naive.allows(&on, family, accept_unknown));
            }
        }
    }
    answers
}

/// The first set, family and policy where table and naive checker disagree.
fn disagreement(matrix: &Matrix, expected: &[bool]) -> Option<(Unknown, Family, FeatureSet)> {
    let mut answers = expected.iter();
    for unknown in [Unknown::Refused, Unknown::Accepted] {
        let legality = Legality::of_page(matrix, unknown);
        for family in Family::ALL {
            for set in FeatureSet::every() {
                if Some(&legality.allows(set, family)) != answers.next() {
                    return Some((unknown, family, set));
                }
            }
        }
    }
    None
}

#[test]
fn both_checkers_agree_on_every_set_and_family() {
    let expected = expected();
    assert_eq!(disagreement(&MATRIX, expected), None);
    let (refused, accepted) = expected.split_at(7 << 15);
    assert_eq!(refused.iter().filter(|legal| **legal).count(), 3904);
    assert_eq!(accepted.iter().filter(|legal| **legal).count(), 9744);
}

#[test]
fn the_maximal_sets_are_as_many_as_they_should_be_and_cover_everything() {
    for (unknown, maximal) in [(Unknown::Refused, 68), (Unknown::Accepted, 46)] {
        let legality = Legality::of_page(&MATRIX, unknown);
        let sets: Vec<_> = Family::ALL
            .into_iter()
            .map(|family| (family, legality.maximal(family)))
            .collect();
        assert_eq!(
            sets.iter().map(|(_, sets)| sets.len()).sum::<usize>(),
            maximal
        );
        for (family, sets) in sets {
            for set in FeatureSet::every().filter(|set| legality.allows(*set, family)) {
                assert!(
                    sets.iter().any(|maximal| set.is_subset_of(*maximal)),
                    "{set:?} on {family}"
                );
            }
        }
    }
}

/// The mutation test: whichever cell is changed, and to whatever, both checks see it.
#[test]
fn flipping_any_cell_is_seen() {
    let expected = expected();
    for cell in MATRIX.cells() {
        for verdict in Verdict::ALL
            .into_iter()
            .filter(|verdict| *verdict != cell.vllm)
        {
            let flipped = MATRIX.with_vllm(cell.id, verdict);
            assert_eq!(differences(&flipped).len(), 1, "{} as {verdict:?}", cell.id);
            assert!(
                disagreement(&flipped, expected).is_some(),
                "{} as {verdict:?}",
                cell.id
            );
        }
    }
}

#[test]
fn the_nearest_profiles_are_legal_and_no_nearer_ones_are() {
    let legality = Legality::of_page(&MATRIX, Unknown::Refused);
    // Every 1031st set: odd, so that all features take part.
    for family in Family::ALL {
        for set in FeatureSet::every().step_by(1031) {
            let ways = engine_spec::nearest::by_page(&MATRIX, set, family, &[]);
            if legality.allows(set, family) {
                assert_eq!(ways, engine_spec::nearest::Nearest::default());
                continue;
            }
            let size = ways
                .drop
                .first()
                .expect("the empty set is always legal")
                .len();
            for drop in &ways.drop {
                assert!(
                    drop.is_subset_of(set)
                        && drop.len() == size
                        && legality.allows(set.minus(*drop), family)
                );
            }
            let fewer = set.subsets().filter(|drop| drop.len() < size);
            assert!(
                fewer
                    .into_iter()
                    .all(|drop| !legality.allows(set.minus(drop), family)),
                "{set:?} on {family}"
            );
            for other in ways.families {
                assert!(legality.allows(set, other));
            }
        }
    }
}

#[test]
fn what_must_be_accepted_is_exactly_the_unknown_pairs() {
    let set: FeatureSet = [
        Feature::Lora,
        Feature::GuidedDecoding,
        Feature::PromptAdapter,
    ]
    .into_iter()
    .collect();
    let ways = engine_spec::nearest::by_page(&MATRIX, set, Family::Ampere, &[]);
    assert_eq!(ways.accept.len(), 2);
    let legality = Legality::of_page_accepting(&MATRIX, &ways.accept);
    assert!(legality.allows(set, Family::Ampere));
    let one_short = Legality::of_page_accepting(&MATRIX, &ways.accept[..1]);
    assert!(!one_short.allows(set, Family::Ampere));
}

/// A profile is held to both verdicts or to the engine's alone; a proof opens exactly its cell.
#[test]
fn each_mode_asks_the_verdicts_that_it_should() {
    let proof = EngineVerdict::Yes { test: "assumed" };
    let none = EngineVerdict::No { why: "assumed" };
    let with = |verdict| {
        MATRIX.cells().iter().fold(MATRIX.clone(), |matrix, cell| {
            matrix.with_engine(cell.id, verdict)
        })
    };
    let (all, nothing) = (with(proof), with(none));
    let page = Legality::of_page(&MATRIX, Unknown::Refused);
    for family in Family::ALL {
        for set in FeatureSet::every().step_by(101) {
            let allowed =
                |matrix: &Matrix, mode| Legality::of_mode(matrix, mode, &[]).allows(set, family);
            assert_eq!(allowed(&all, Mode::Vllm), page.allows(set, family));
            assert!(allowed(&all, Mode::Engine));
            assert_eq!(allowed(&nothing, Mode::Vllm), set.is_empty());
            assert_eq!(allowed(&nothing, Mode::Engine), set.is_empty());
        }
    }
}
