//! The compatibility matrix: what is known of each pair of features and of each feature on each family.
//!
//! Two verdicts stand in every cell. `vllm` is what the page says, copied from `matrix/cells.tsv` (a test holds both
//! together, cell by cell); `engine` is what *this* engine proves by a named test, and `no` until there is one. The
//! table is a value, [`Matrix`], so that a test can flip a cell and see the checks fail.
//!
//! Not here: rules of any other shape ([`crate::rules`]) and the search for a way out ([`crate::nearest`]).

mod grid;
pub mod legal;
mod notes;
mod proven;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::family::Family;
use crate::feature::{Feature, FeatureSet};

pub use legal::{Counts, Unknown, counts};

/// What the page says of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Yes,
    No,
    /// Nobody said, or nobody tried: refused unless a profile accepts the pair by name.
    Unknown,
}

impl Verdict {
    pub const ALL: [Verdict; 3] = [Verdict::Yes, Verdict::No, Verdict::Unknown];

    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Yes => "yes",
            Verdict::No => "no",
            Verdict::Unknown => "unknown",
        }
    }
}

/// What this engine says of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineVerdict {
    No {
        why: &'static str,
    },
    /// Proven by the test function of this name.
    Yes {
        test: &'static str,
    },
}

impl EngineVerdict {
    pub const fn is_yes(self) -> bool {
        matches!(self, EngineVerdict::Yes { .. })
    }

    pub const fn name(self) -> &'static str {
        match self {
            EngineVerdict::No { .. } => "no",
            EngineVerdict::Yes { .. } => "yes",
        }
    }
}

/// Which cell: a pair is `(later, earlier)` in the page's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellId {
    Pair(Feature, Feature),
    Hardware(Feature, Family),
}

impl CellId {
    /// The pair of these two in the page's order, whichever comes first. A feature has no cell with itself.
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
    /// Where the page tracks it; empty where it does not.
    pub link: &'static str,
    /// Why it is not yes; empty where it is.
    pub reason: &'static str,
    pub engine: EngineVerdict,
}

/// Cells of feature pairs: 15 x 14 / 2.
pub const PAIRS: usize = Feature::COUNT * (Feature::COUNT - 1) / 2;

/// All cells.
pub const CELLS: usize = PAIRS + Feature::COUNT * Family::COUNT;

/// The whole table, in the order of `cells.tsv`.
#[derive(Clone, Debug)]
pub struct Matrix {
    cells: [Cell; CELLS],
}

/// What is known: the page's verdicts and this engine's.
pub static MATRIX: Matrix = Matrix::assemble();

impl Matrix {
    /// Puts grid, notes and proofs together. That every note is of a cell that is not `yes`, and of one that has no
    /// other note, is checked while this crate compiles.
    const fn assemble() -> Matrix {
        let unproven = EngineVerdict::No {
            why: proven::NOT_BUILT,
        };
        let blank = Cell {
            id: CellId::Hardware(Feature::ChunkedPrefill, Family::Volta),
            vllm: Verdict::Unknown,
            link: "",
            reason: "",
            engine: unproven,
        };
        let mut cells = [blank; CELLS];
        let mut row = 0;
        while row < Feature::COUNT {
            assert!(
                grid::PAIRS[row].len() == row,
                "row n of the triangle has n cells"
            );
            let mut column = 0;
            while column < row {
                let id = CellId::Pair(Feature::ALL[row], Feature::ALL[column]);
                cells[id.index()] = Cell {
                    id,
                    vllm: grid::PAIRS[row][column],
                    ..blank
                };
                column += 1;
            }
            let mut column = 0;
            while column < Family::COUNT {
                let id = CellId::Hardware(Feature::ALL[row], Family::ALL[column]);
                cells[id.index()] = Cell {
                    id,
                    vllm: grid::HARDWARE[row][column],
                    ..blank
                };
                column += 1;
            }
            row += 1;
        }
        let mut at = 0;
        while at < notes::NOTES.len() {
            let note = notes::NOTES[at];
            let cell = &mut cells[note.cell.index()];
            assert!(
                !matches!(cell.vllm, Verdict::Yes),
                "a note belongs to a cell that is not yes"
            );
            assert!(cell.reason.is_empty(), "one note for a cell");
            cell.link = note.link;
            cell.reason = note.reason;
            at += 1;
        }
        let mut at = 0;
        while at < proven::PROVEN.len() {
            let (cell, test) = proven::PROVEN[at];
            cells[cell.index()].engine = EngineVerdict::Yes { test };
            at += 1;
        }
        Matrix { cells }
    }

    /// All cells, in the order of `cells.tsv`.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// One cell.
    pub const fn cell(&self, id: CellId) -> &Cell {
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

    /// The same table with another page verdict in one cell, for tests that show that each cell counts.
    pub fn with_vllm(&self, id: CellId, verdict: Verdict) -> Matrix {
        let mut flipped = self.clone();
        flipped.cells[id.index()].vllm = verdict;
        flipped
    }

    /// The same table with another engine verdict in one cell, for tests of what a proof changes.
    pub fn with_engine(&self, id: CellId, verdict: EngineVerdict) -> Matrix {
        let mut flipped = self.clone();
        flipped.cells[id.index()].engine = verdict;
        flipped
    }
}

/// Which verdicts a profile is held to: the `matrix` key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Yes in both, the page and this engine.
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

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
