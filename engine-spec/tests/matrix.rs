//! The table against `cells.tsv`, cell by cell, and against a second checker that shares no code with the first.

use std::sync::OnceLock;

use engine_spec::matrix::legal::Legality;
use engine_spec::matrix::{
    CELLS, CellId, EngineVerdict, Evidence, Objection, Proof, Terms, Unknown, Verdict,
};
use engine_spec::nearest::{Nearest, nearest};
use engine_spec::{BackendKind, Family, Feature, FeatureSet, MATRIX, Matrix, Mode};

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
        let legality = Legality::by_vllm(matrix, unknown);
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
        let legality = Legality::by_vllm(&MATRIX, unknown);
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

/// vLLM's verdicts and proofs of everything on the CPU, so that the first alone decide there.
fn all_proven() -> Matrix {
    let proof = EngineVerdict::Yes(Proof {
        evidence: Evidence::Here,
        test: "assumed",
    });
    let cells = MATRIX.cells().iter().map(|cell| cell.id);
    cells
        .filter(|id| id.can_be_on(BackendKind::Cpu))
        .fold(Matrix::unproven(), |matrix, id| {
            matrix.with_engine(id, BackendKind::Cpu, proof)
        })
}

fn terms(mode: Mode, accepted: &[CellId]) -> Terms {
    Terms {
        mode,
        accepted: accepted.to_vec(),
    }
}

/// What the rules object to, over all sets and families: the same as the naive checker, and as the masks that the ways
/// out are searched with.
#[test]
fn the_objections_are_those_of_the_masks_and_of_the_naive_checker() {
    let matrix = all_proven();
    let terms = terms(Mode::Vllm, &[]);
    let legality = Legality::by_terms(&matrix, &terms);
    let mut expected = expected().iter();
    for family in Family::ALL {
        for set in FeatureSet::every() {
            let refused = terms
                .objections(&matrix, set, family)
                // That nothing is proven on a backend that is not built is said once, of the backend.
                .any(|(_, why)| why != Objection::Unproven || matrix.is_built(family.backend()));
            assert_eq!(
                legality.allows(set, family),
                !refused,
                "{set:?} on {family}"
            );
            assert_eq!(expected.next(), Some(&!refused), "{set:?} on {family}");
        }
    }
}

#[test]
fn the_nearest_profiles_are_legal_and_no_nearer_ones_are() {
    let matrix = all_proven();
    let terms = terms(Mode::Vllm, &[]);
    let legality = Legality::by_terms(&matrix, &terms);
    // Every 1031st set: odd, so that all features take part.
    for family in Family::ALL {
        for set in FeatureSet::every().step_by(1031) {
            let ways = nearest(&matrix, &terms, set, family);
            if legality.allows(set, family) {
                assert_eq!(ways, Nearest::default());
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
                assert!(matrix.is_built(other.backend()) || family != Family::Cpu);
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
    let ways = nearest(&MATRIX, &terms(Mode::Vllm, &[]), set, Family::Ampere);
    assert_eq!(ways.accept.len(), 2);
    let allowed = |accepted: &[CellId]| {
        Legality::by_terms(&MATRIX, &terms(Mode::Vllm, accepted)).allows(set, Family::Ampere)
    };
    assert!(allowed(&ways.accept));
    assert!(!allowed(&ways.accept[..1]));
}

/// Everything that vLLM allows works once this engine proves it too, and nothing does while it proves nothing.
#[test]
fn each_mode_asks_the_verdicts_that_it_should() {
    let (all, nothing) = (all_proven(), Matrix::unproven());
    let vllm = Legality::by_vllm(&MATRIX, Unknown::Refused);
    let by = |matrix: &Matrix, mode| Legality::by_terms(matrix, &terms(mode, &[]));
    let [all_vllm, all_engine] = [Mode::Vllm, Mode::Engine].map(|mode| by(&all, mode));
    let [no_vllm, no_engine] = [Mode::Vllm, Mode::Engine].map(|mode| by(&nothing, mode));
    for set in FeatureSet::every() {
        let allows = |legality: &Legality| legality.allows(set, Family::Cpu);
        assert_eq!(allows(&all_vllm), allows(&vllm), "{set:?}");
        assert!(allows(&all_engine), "{set:?}");
        assert_eq!(allows(&no_vllm), set.is_empty(), "{set:?}");
        assert_eq!(allows(&no_engine), set.is_empty(), "{set:?}");
    }
}

/// A proof on one backend opens its cell there and on no other, also when the others are built.
#[test]
fn a_proof_counts_on_its_own_backend_alone() {
    let built = BackendKind::ALL
        .into_iter()
        .fold(Matrix::unproven(), |matrix, kind| matrix.with_built(kind));
    let engine = Terms::of_engine();
    let (a, b) = (Feature::Logprobs, Feature::CudaGraph);
    let set = FeatureSet::EMPTY.with(a).with(b);
    for on in [Family::Volta, Family::Amd, Family::Cpu] {
        let cells = [
            CellId::pair(a, b).unwrap(),
            CellId::Hardware(a, on),
            CellId::Hardware(b, on),
        ];
        for missing in cells.into_iter().map(Some).chain([None]) {
            let evidence = match on {
                Family::Cpu => Evidence::Here,
                _ => Evidence::Emulator,
            };
            let proof = EngineVerdict::Yes(Proof {
                evidence,
                test: "assumed",
            });
            let matrix = cells
                .into_iter()
                .filter(|cell| Some(*cell) != missing)
                .fold(built.clone(), |matrix, cell| {
                    matrix.with_engine(cell, on.backend(), proof)
                });
            let legality = Legality::by_terms(&matrix, &engine);
            for family in Family::ALL {
                assert_eq!(
                    legality.allows(set, family),
                    family == on && missing.is_none(),
                    "proven on {on} without {missing:?}, asked of {family}"
                );
            }
        }
    }
}

/// What fewer features are lost by with this engine's verdicts is a way out, and only where its backend is there.
#[test]
fn the_engines_own_verdicts_are_a_way_out() {
    let matrix = all_proven();
    let set: FeatureSet = [Feature::ChunkedPrefill, Feature::Lora]
        .into_iter()
        .collect();
    let by_vllm = terms(Mode::Vllm, &[]);
    let ways = nearest(&matrix, &by_vllm, set, Family::Cpu);
    assert_eq!(ways.drop, [set], "vLLM has neither on a CPU");
    assert_eq!(ways.by_engine, [FeatureSet::EMPTY]);
    let ways = nearest(&matrix, &by_vllm, set, Family::Volta);
    assert_eq!(ways.by_engine, [], "no GPU backend is built");
    let none = nearest(&Matrix::unproven(), &by_vllm, set, Family::Cpu);
    assert_eq!(none.by_engine, [], "nothing is proven, so it is no nearer");
}
