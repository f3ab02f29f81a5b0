//! The seven hardware columns of the matrix.

use std::fmt;

use serde::{Serialize, Serializer};

/// A hardware family, in the matrix's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    Volta,
    Turing,
    Ampere,
    Ada,
    Hopper,
    Cpu,
    Amd,
}

impl Family {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All of them, in the matrix's order.
    pub const ALL: [Family; Family::COUNT] = [
        Family::Volta,
        Family::Turing,
        Family::Ampere,
        Family::Ada,
        Family::Hopper,
        Family::Cpu,
        Family::Amd,
    ];

    /// The name in a profile and in `cells.tsv`.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Volta => "volta",
            Family::Turing => "turing",
            Family::Ampere => "ampere",
            Family::Ada => "ada",
            Family::Hopper => "hopper",
            Family::Cpu => "cpu",
            Family::Amd => "amd",
        }
    }

    /// The words for a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Family::Volta => "Volta",
            Family::Turing => "Turing",
            Family::Ampere => "Ampere",
            Family::Ada => "Ada",
            Family::Hopper => "Hopper",
            Family::Cpu => "CPU",
            Family::Amd => "AMD",
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }

    /// The family with exactly this name.
    pub fn named(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The backend that runs it.
    pub const fn backend(self) -> BackendKind {
        match self {
            Family::Volta | Family::Turing | Family::Ampere | Family::Ada | Family::Hopper => {
                BackendKind::Cuda
            }
            Family::Cpu => BackendKind::Cpu,
            Family::Amd => BackendKind::Hip,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which of the runtime's backends; also the name of the Cargo feature that gates its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    Cpu,
    Cuda,
    Hip,
}

impl BackendKind {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// All of them.
    pub const ALL: [BackendKind; BackendKind::COUNT] =
        [BackendKind::Cpu, BackendKind::Cuda, BackendKind::Hip];

    /// The one with exactly this name.
    pub fn named(name: &str) -> Option<BackendKind> {
        BackendKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            BackendKind::Cpu => "cpu",
            BackendKind::Cuda => "cuda",
            BackendKind::Hip => "hip",
        }
    }

    /// Whether this engine has it. A backend that is not built gives one diagnostic, instead of one for each cell.
    pub const fn is_built(self) -> bool {
        matches!(self, BackendKind::Cpu)
    }
}

impl Serialize for BackendKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
