//! The compatibility matrix: what is known of each pair of features and of each feature on each family.
//!
//! Two verdicts stand in every cell. `vllm` is what vLLM's compatibility matrix says, copied from `matrix/cells.tsv` (a
//! test holds both together, cell by cell); `engine` is what *this* engine proves, for each backend by a named test and
//! where that ran, and `no` where there is none. The table is a value, [`Matrix`], so that a test can flip a cell and
//! see the checks fail.
//!
//! Not here: rules of any other shape ([`crate::rules`]) and the search for a way out ([`crate::nearest`]).

pub mod files;
mod grid;
pub mod legal;
mod links;
mod verdict;

use std::fmt;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

use crate::family::{BackendKind, Family};
use crate::features::{Feature, FeatureSet};

pub use legal::{Counts, Objection, Terms, Unknown, counts};
pub use verdict::{Engine, EngineVerdict, Evidence, Proof, Verdict};

/// Which cell: a pair is `(later, earlier)` in the matrix's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellId {
    Pair(Feature, Feature),
    Hardware(Feature, Family),
}

impl CellId {
    /// The pair of these two in the matrix's order, whichever comes first. A feature has no cell with itself.
    pub fn pair(a: Feature, b: Feature) -> Option<CellId> {
        match a.cmp(&b) {
            std::cmp::Ordering::Less => Some(CellId::Pair(b, a)),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(CellId::Pair(a, b)),
        }
    }

    /// Its place in the order of `cells.tsv`: pairs row by row, then features by family.
    const fn index(self) -> usize {
        match self {
            CellId::Pair(a, b) => a as usize * (a as usize - 1) / 2 + b as usize,
            CellId::Hardware(a, b) => PAIRS + a as usize * Family::COUNT + b as usize,
        }
    }

    /// Whether the combination can be run on this backend: a pair on any, a feature on hardware on its family's.
    pub fn can_be_on(self, backend: BackendKind) -> bool {
        match self {
            CellId::Pair(..) => true,
            CellId::Hardware(_, family) => family.backend() == backend,
        }
    }

    /// The first column of `cells.tsv`.
    pub const fn kind(self) -> &'static str {
        match self {
            CellId::Pair(..) => "feature",
            CellId::Hardware(..) => "hardware",
        }
    }

    /// The feature whose row it is.
    pub const fn a(self) -> Feature {
        match self {
            CellId::Pair(a, _) | CellId::Hardware(a, _) => a,
        }
    }

    /// The name at the head of its column.
    pub const fn b(self) -> &'static str {
        match self {
            CellId::Pair(_, b) => b.name(),
            CellId::Hardware(_, b) => b.name(),
        }
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CellId::Pair(a, b) => write!(out, "`{a}` with `{b}`"),
            CellId::Hardware(a, b) => write!(out, "`{a}` on `{b}`"),
        }
    }
}

impl Serialize for CellId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([self.a().name(), self.b()])
    }
}

/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub id: CellId,
    pub vllm: Verdict,
    /// Where vLLM tracks it; empty where it does not.
    pub link: &'static str,
    /// Why it is not yes; empty where it is.
    pub reason: &'static str,
    pub engine: Engine,
}

/// Cells of feature pairs: 15 x 14 / 2.
pub const PAIRS: usize = Feature::COUNT * (Feature::COUNT - 1) / 2;

/// All cells.
pub const CELLS: usize = PAIRS + Feature::COUNT * Family::COUNT;

/// The whole table, in the order of `cells.tsv`.
#[derive(Clone, Debug)]
pub struct Matrix {
    cells: Vec<Cell>,
    built: Vec<BackendKind>,
}

/// What is known: vLLM's verdicts and this engine's.
pub static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
    let known = "a test reads the committed tables line by line";
    let proofs = files::proofs(files::PROOFS).expect(known);
    let device = files::device(files::DEVICE).expect(known);
    Matrix::unproven().with_proofs(proofs.into_iter().chain(device))
});

impl Matrix {
    /// Puts grid, links and reasons together, with no proof of anything yet.
    pub fn unproven() -> Matrix {
        let pairs = FeatureSet::FULL.pairs().map(|(a, b)| {
            let verdict = grid::PAIRS[a.index()][b.index()];
            (CellId::Pair(a, b), verdict)
        });
        let hardware = Feature::ALL.into_iter().flat_map(|feature| {
            let row = Family::ALL.into_iter().zip(grid::HARDWARE[feature.index()]);
            row.map(move |(family, verdict)| (CellId::Hardware(feature, family), verdict))
        });
        let cell = |((id, vllm), reason)| Cell {
            id,
            vllm,
            link: links::LINKS
                .iter()
                .find(|(of, _)| *of == id)
                .map_or("", |(_, link)| *link),
            reason,
            engine: Engine::NO,
        };
        let built = BackendKind::ALL.into_iter().filter(|kind| kind.is_built());
        Matrix {
            cells: pairs
                .chain(hardware)
                .zip(files::reasons())
                .map(cell)
                .collect(),
            built: built.collect(),
        }
    }

    /// The same table with these proofs.
    pub fn with_proofs(mut self, proofs: impl IntoIterator<Item = files::Line>) -> Matrix {
        for (id, backend, proof) in proofs {
            self.cells[id.index()].engine.prove(backend, proof);
        }
        self
    }

    /// All cells, in the order of `cells.tsv`.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// One cell.
    pub fn cell(&self, id: CellId) -> &Cell {
        &self.cells[id.index()]
    }

    /// The cells that a feature set on a family touches: its hardware cells, then its pairs.
    pub fn touched(&self, set: FeatureSet, family: Family) -> impl Iterator<Item = &Cell> {
        let hardware = set
            .iter()
            .map(move |feature| CellId::Hardware(feature, family));
        let pairs = set.pairs().map(|(a, b)| CellId::Pair(a, b));
        hardware.chain(pairs).map(|id| self.cell(id))
    }

    /// What this engine proves of a cell on a backend.
    pub fn engine(&self, id: CellId, backend: BackendKind) -> EngineVerdict {
        self.cell(id).engine.on(backend)
    }

    /// Whether this engine has the backend. One that it does not have is a single finding, not one for each cell.
    pub fn is_built(&self, backend: BackendKind) -> bool {
        self.built.contains(&backend)
    }

    /// The same table with another of vLLM's verdicts in one cell, for tests that show that each cell counts.
    pub fn with_vllm(&self, id: CellId, verdict: Verdict) -> Matrix {
        let mut flipped = self.clone();
        flipped.cells[id.index()].vllm = verdict;
        flipped
    }

    /// The same table with another engine verdict in one cell, for tests of what a proof changes.
    pub fn with_engine(&self, id: CellId, backend: BackendKind, verdict: EngineVerdict) -> Matrix {
        let mut flipped = self.clone();
        flipped.cells[id.index()].engine.set(backend, verdict);
        flipped
    }

    /// The same table of an engine that also has this backend, for tests of what holds once it is built.
    pub fn with_built(&self, backend: BackendKind) -> Matrix {
        let mut built = self.clone();
        built.built.push(backend);
        built
    }
}

/// Which verdicts a profile is held to: the `matrix` key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Yes in both, vLLM's matrix and this engine.
    #[default]
    Vllm,
    /// Yes in this engine.
    Engine,
}

impl Mode {
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Vllm => "vllm",
            Mode::Engine => "engine",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
