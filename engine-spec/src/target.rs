//! What a profile's `target` may say, and the one architecture that comes of it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::arch::Arch;
use crate::family::Family;
use crate::machine::Machine;
use crate::sku::{SKUS, Sku};

/// A target as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetName {
    /// The machine that builds.
    Native,
    Sku(&'static Sku),
    Arch(Arch),
    /// Stands for the oldest architecture of the family, whose code its newer ones run.
    Family(Family),
}

/// Spellings that compilers and people use, beside the names of the tables.
const ALIASES: &[(&str, Arch)] = &[
    ("x86-64-v4+vnni+bf16", Arch::X86V4Bf16),
    ("x86-64", Arch::Portable),
    ("arm64", Arch::Aarch64),
];

impl TargetName {
    /// The target with this name: a SKU, an architecture, a family or `native`.
    pub fn named(name: &str) -> Option<TargetName> {
        if name == "native" {
            return Some(TargetName::Native);
        }
        let alias = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map(|(_, arch)| *arch);
        (Sku::named(name).map(TargetName::Sku))
            .or_else(|| Arch::named(name).or(alias).map(TargetName::Arch))
            .or_else(|| Family::named(name).map(TargetName::Family))
    }

    /// Every name that [`TargetName::named`] knows, but for aliases: coarse before fine.
    pub fn names() -> impl Iterator<Item = &'static str> {
        std::iter::once("native")
            .chain(Family::ALL.into_iter().map(Family::name))
            .chain(Arch::ALL.into_iter().map(Arch::name))
            .chain(SKUS.iter().map(|sku| sku.name))
    }

    /// The architecture that code is made for.
    pub fn arch(self, machine: &Machine) -> Arch {
        match self {
            TargetName::Native => machine.arch,
            TargetName::Sku(sku) => sku.arch,
            TargetName::Arch(arch) => arch,
            TargetName::Family(family) => lead(family),
        }
    }

    /// Whether one architecture's code runs on all that the name covers. AMD code objects run on the very chip that
    /// they were made for, so the family `amd` does not say enough.
    pub fn is_one_architecture(self) -> bool {
        self != TargetName::Family(Family::Amd)
    }
}

/// The architecture whose code every device of the family runs (for AMD: its most common one).
fn lead(family: Family) -> Arch {
    match family {
        Family::Volta => Arch::Sm70,
        Family::Turing => Arch::Sm75,
        Family::Ampere => Arch::Sm80,
        Family::Ada => Arch::Sm89,
        Family::Hopper => Arch::Sm90,
        Family::Cpu => Arch::Portable,
        Family::Amd => Arch::Gfx90a,
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            TargetName::Native => "native",
            TargetName::Sku(sku) => sku.name,
            TargetName::Arch(arch) => arch.name(),
            TargetName::Family(family) => family.name(),
        })
    }
}

/// A target as resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub name: TargetName,
    pub arch: Arch,
}

impl Target {
    pub fn family(&self) -> Family {
        self.arch.family()
    }

    /// What the target's name stands for, for a label beside it: `sm_70, the Volta family`.
    pub fn describe(&self) -> String {
        let family = self.family();
        match self.name {
            TargetName::Native => {
                format!("this machine: {}, the {} family", self.arch, family.title())
            }
            TargetName::Sku(_) => format!("{}, the {} family", self.arch, family.title()),
            TargetName::Arch(_) => format!("the {} family", family.title()),
            TargetName::Family(_) => format!("built for {}", self.arch),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            name: String,
            arch: Arch,
            family: Family,
            #[serde(skip_serializing_if = "Option::is_none")]
            sku: Option<&'a Sku>,
        }
        let sku = match self.name {
            TargetName::Sku(sku) => Some(sku),
            TargetName::Native | TargetName::Arch(_) | TargetName::Family(_) => None,
        };
        Written {
            name: self.name.to_string(),
            arch: self.arch,
            family: self.family(),
            sku,
        }
        .serialize(serializer)
    }
}
