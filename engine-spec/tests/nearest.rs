//! What is proposed instead of a refused profile is accepted: random profiles against random tables, each proposal
//! written as a profile and checked again.

use engine_spec::matrix::{CellId, EngineVerdict, Evidence, Proof, Terms, Verdict};
use engine_spec::nearest::nearest;
use engine_spec::{
    Arch, BackendKind, Family, Feature, FeatureSet, MATRIX, Machine, Matrix, Mode, Profile,
};
use testbed::Random;

/// A machine that is the same everywhere.
const MACHINE: Machine = Machine::imagined(Arch::X86V3);

/// A profile to be, as far as the matrix is asked about it.
#[derive(Clone, Debug)]
struct Asked {
    set: FeatureSet,
    family: Family,
    mode: Mode,
    accepted: Vec<CellId>,
}

impl Asked {
    fn random(random: &mut Random) -> Asked {
        let few = 1 + random.below(6);
        let set: FeatureSet = (0..few)
            .map(|_| Feature::ALL[random.below(Feature::COUNT)])
            .collect();
        let mode = match random.below(4) {
            0 => Mode::Engine,
            _ => Mode::Vllm,
        };
        let unknown = |(a, b): (Feature, Feature)| {
            let id = CellId::Pair(a, b);
            (MATRIX.cell(id).vllm == Verdict::Unknown).then_some(id)
        };
        let mut accepted: Vec<_> = set.pairs().filter_map(unknown).collect();
        accepted.retain(|_| mode == Mode::Vllm && random.below(2) == 0);
        Asked {
            set,
            family: Family::ALL[random.below(Family::COUNT)],
            mode,
            accepted,
        }
    }

    /// Without these features, and without the entries that accept a pair with one of them.
    fn without(&self, drop: FeatureSet) -> Asked {
        let mut less = self.clone();
        less.set = self.set.minus(drop);
        let both_on = |id: &CellId| match id {
            CellId::Pair(a, b) => less.set.contains(*a) && less.set.contains(*b),
            CellId::Hardware(..) => false,
        };
        less.accepted.retain(both_on);
        less
    }

    fn text(&self) -> String {
        let target = match self.family {
            Family::Amd => "mi210",
            family => family.name(),
        };
        let mut text = format!(
            "name = \"x\"\ntarget = \"{target}\"\nmatrix = \"{}\"\n[model]\nfamily = \"llama\"\ndtype = \"f16\"\nhead-dims = [128]\n[features]\n",
            self.mode.name()
        );
        for feature in self.set.iter() {
            text += &format!("{feature} = true\n");
        }
        for cell in &self.accepted {
            let (a, b) = (cell.a(), cell.b());
            text += &format!("[[accept]]\npair = [\"{a}\", \"{b}\"]\nreason = \"tried\"\n");
        }
        text
    }

    /// What `check` says of it: whether the backend is there, and the codes of cells and of accepted pairs.
    fn check(&self, matrix: &Matrix) -> (bool, Vec<u16>) {
        let checked = engine_spec::check_against("x.toml", &self.text(), &MACHINE, matrix);
        let found = checked.found();
        let codes: Vec<_> = found.iter().map(|one| one.code.0).collect();
        let cells = |code: &u16| (101..=105).contains(code) || (701..=704).contains(code);
        let about_cells = codes.iter().copied().filter(cells).collect();
        (!codes.contains(&106), about_cells)
    }
}

/// vLLM's verdicts with random proofs on random backends. The CPU's is always built.
fn random_table(random: &mut Random) -> Matrix {
    let mut matrix = Matrix::unproven();
    for backend in [BackendKind::Cuda, BackendKind::Hip] {
        if random.below(2) == 0 {
            matrix = matrix.with_built(backend);
        }
    }
    let often = 1 + random.below(8);
    for (id, backend) in places() {
        if random.below(often) > 0 {
            matrix = matrix.with_engine(id, backend, EngineVerdict::Yes(ASSUMED));
        }
    }
    matrix
}

/// Everything is built, and proven everywhere.
fn full_table() -> Matrix {
    let built = BackendKind::ALL.into_iter();
    let built = built.fold(Matrix::unproven(), |matrix, kind| matrix.with_built(kind));
    places().fold(built, |matrix, (id, backend)| {
        matrix.with_engine(id, backend, EngineVerdict::Yes(ASSUMED))
    })
}

const ASSUMED: Proof = Proof {
    evidence: Evidence::Here,
    test: "assumed",
};

/// Every cell with every backend that it can be on.
fn places() -> impl Iterator<Item = (CellId, BackendKind)> {
    let cells = MATRIX.cells().iter().map(|cell| cell.id);
    cells.flat_map(|id| {
        let backends = BackendKind::ALL.into_iter();
        backends
            .filter(move |backend| id.can_be_on(*backend))
            .map(move |backend| (id, backend))
    })
}

/// Checks that a refused profile has a way out, and that each is accepted; which kinds of ways there were.
fn follow(asked: &Asked, matrix: &Matrix) -> [bool; 4] {
    let (built, found) = asked.check(matrix);
    let profile = Profile::parse("x.toml", &asked.text()).expect("it reads well");
    let ways = nearest(matrix, &profile.terms(), asked.set, asked.family);
    let refused = !found.is_empty();
    assert_eq!(
        !ways.drop.is_empty(),
        refused,
        "{asked:?}: {found:?}, {ways:?}"
    );
    let drops = ways.drop.iter().map(|drop| asked.without(*drop));
    let families = ways.families.iter().map(|family| Asked {
        family: *family,
        ..asked.clone()
    });
    let accepting = (!ways.accept.is_empty()).then(|| {
        let mut knowingly = asked.clone();
        knowingly.accepted.extend(&ways.accept);
        knowingly
    });
    let by_engine = ways.by_engine.iter().map(|drop| Asked {
        mode: Mode::Engine,
        accepted: Vec::new(),
        ..asked.without(*drop)
    });
    for proposed in drops.chain(families).chain(accepting).chain(by_engine) {
        let (still_built, found) = proposed.check(matrix);
        assert!(
            found.is_empty() && (still_built || !built),
            "{asked:?} was told to be {proposed:?}, of which {found:?} is said"
        );
    }
    [
        !ways.drop.is_empty(),
        !ways.families.is_empty(),
        !ways.accept.is_empty(),
        !ways.by_engine.is_empty(),
    ]
}

#[test]
fn whatever_is_proposed_is_accepted() {
    let asked = |set: &[Feature], family| Asked {
        set: set.iter().copied().collect(),
        family,
        mode: Mode::Vllm,
        accepted: Vec::new(),
    };
    let full = full_table();
    let chunks = asked(&[Feature::ChunkedPrefill], Family::Volta);
    assert_eq!(follow(&chunks, &full), [true, true, false, true]);
    let unknown = asked(&[Feature::GuidedDecoding, Feature::Lora], Family::Amd);
    assert_eq!(follow(&unknown, &full), [true, false, true, true]);

    let mut random = Random::stream(0x6e65_6172);
    for _ in 0..60 {
        let matrix = random_table(&mut random);
        for _ in 0..10 {
            follow(&Asked::random(&mut random), &matrix);
        }
    }
}

/// No single verdict of this engine can change unseen: on its backend it decides whether its cell's features may stand
/// together there, and nothing on another backend.
#[test]
fn every_engine_verdict_counts_and_only_where_it_is() {
    let all = full_table();
    for (id, backend) in places() {
        let flipped = all.with_engine(id, backend, EngineVerdict::No);
        let set: FeatureSet = match id {
            CellId::Pair(a, b) => [a, b].into_iter().collect(),
            CellId::Hardware(a, _) => [a].into_iter().collect(),
        };
        for family in Family::ALL {
            let asked = Asked {
                set,
                family,
                mode: Mode::Engine,
                accepted: Vec::new(),
            };
            let of_this = match id {
                CellId::Pair(..) => family.backend() == backend,
                CellId::Hardware(_, column) => family == column,
            };
            let (_, found) = asked.check(&flipped);
            assert_eq!(found.len(), usize::from(of_this), "{id} on {family}");
        }
    }
}

/// What a profile accepts already counts: of two unknown pairs the other is left to accept.
#[test]
fn the_rest_of_the_unknown_pairs_is_proposed() {
    let (matrix, family) = (full_table(), Family::Hopper);
    let mut tried = 0;
    for set in FeatureSet::every().filter(|set| set.len() == 3) {
        let cells = matrix.touched(set, family);
        let every: Vec<_> = cells.map(|cell| (cell.id, cell.vllm)).collect();
        let unknown = every
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Unknown);
        let unknown: Vec<CellId> = unknown.map(|(id, _)| *id).collect();
        let refused = every.iter().any(|(_, verdict)| *verdict == Verdict::No);
        if let ([first, other], false) = (unknown.as_slice(), refused) {
            let terms = Terms {
                mode: Mode::Vllm,
                accepted: vec![*first],
            };
            let ways = nearest(&matrix, &terms, set, family);
            assert_eq!(ways.accept, [*other], "{set:?}");
            tried += 1;
        }
    }
    assert!(tried > 0, "there are such sets");
}
