//! What a profile's `target` may say, and what comes of it: one architecture for kernels, one host for the rest.

mod unlisted;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::arch::Arch;
use crate::family::{BackendKind, Family};
use crate::host::{Host, Processor};
use crate::machine::Machine;
use crate::sku::{SKUS, Sku};

/// A target as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetName {
    /// The machine that builds.
    Native,
    Sku(&'static Sku),
    Arch(Arch),
    /// Stands for the architecture whose code its devices run, with the exceptions of [`TargetName::left_out`].
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

    /// What was meant by a word that is no target, or why there is none for it.
    pub fn hint(word: &str) -> Option<String> {
        unlisted::hint(word)
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

    /// The processor that the engine's own code runs on, where the name leaves no choice.
    pub fn processor(self, machine: &Machine) -> Option<Processor> {
        match self {
            TargetName::Sku(sku) => sku.host.processor(),
            TargetName::Native => Some(machine.host.processor),
            TargetName::Arch(_) | TargetName::Family(_) => self.arch(machine).processor(),
        }
    }

    /// What the engine's own code is compiled for. Where the name leaves a choice it is the kind of machine that builds.
    /// Devices are in servers, and servers run Linux; other code for this machine's processor is for its system too.
    pub fn host(self, machine: &Machine) -> Host {
        let processor = self.processor(machine).unwrap_or(machine.host.processor);
        let is_here = processor == machine.host.processor
            && !matches!(self, TargetName::Sku(_))
            && self.arch(machine).family() == Family::Cpu;
        match is_here {
            true => machine.host,
            false => Host::server(processor),
        }
    }

    /// Whether one architecture's code runs on all, or nearly all, that the name covers. AMD code objects run on the
    /// very chip that they were made for, so the family `amd` does not say enough.
    pub fn is_one_architecture(self) -> bool {
        self != TargetName::Family(Family::Amd)
    }

    /// The architectures of NVIDIA's that do not run what is built for their family.
    pub fn left_out(self) -> impl Iterator<Item = Arch> {
        let family = match self {
            TargetName::Family(family) if family.backend() == BackendKind::Cuda => Some(family),
            _ => None,
        };
        family.into_iter().flat_map(|family| {
            let devices = Arch::of(family).filter(|arch| SKUS.iter().any(|sku| sku.arch == *arch));
            devices.filter(move |arch| !lead(family).runs_on(*arch))
        })
    }
}

/// What is built for a family: the architecture whose code its devices run, but for those that are
/// [left out](TargetName::left_out). AMD's run no code of each other; its most common one stands there for plans.
pub const fn lead(family: Family) -> Arch {
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
    /// What kernels are compiled for.
    pub arch: Arch,
    /// What everything else is compiled for.
    pub host: Host,
}

impl Target {
    pub fn new(name: TargetName, machine: &Machine) -> Target {
        Target {
            name,
            arch: name.arch(machine),
            host: name.host(machine),
        }
    }

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
            TargetName::Family(_) => {
                let strangers = self
                    .name
                    .left_out()
                    .map(|arch| format!("{} ({arch})", arch.what()));
                let strangers: Vec<String> = strangers.collect();
                let remark = match strangers.as_slice() {
                    [] => String::new(),
                    strangers => format!(", which {} does not run", strangers.join(" and ")),
                };
                format!("built for {}{remark}", self.arch)
            }
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            name: String,
            arch: Arch,
            family: Family,
            host: Host,
            /// Bytes, where the name says which device.
            #[serde(skip_serializing_if = "Option::is_none")]
            memory: Option<u64>,
        }
        let memory = match self.name {
            TargetName::Sku(sku) => sku.memory.reported(),
            TargetName::Native | TargetName::Arch(_) | TargetName::Family(_) => None,
        };
        // Figures that nothing is decided by are not part of a plan.
        Written {
            name: self.name.to_string(),
            arch: self.arch,
            family: self.family(),
            host: self.host,
            memory,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::System;

    const MAC: Host = Host {
        processor: Processor::Aarch64,
        system: System::MacOs,
    };

    fn triple(name: &str, machine: &Machine) -> String {
        TargetName::named(name).unwrap().host(machine).triple()
    }

    #[test]
    fn the_host_is_the_devices_or_the_kind_that_builds() {
        let pc = Machine::imagined(Arch::X86V3);
        let arm = Machine::imagined(Arch::Aarch64);
        let mac = Machine { host: MAC, ..arm };
        let (x86_linux, arm_linux) = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu");
        for (name, on_pc, on_arm, on_mac) in [
            ("gh200-96gb", arm_linux, arm_linux, arm_linux),
            ("jetson-agx-orin-64gb", arm_linux, arm_linux, arm_linux),
            ("mi300a", x86_linux, x86_linux, x86_linux),
            ("h100-sxm5-80gb", x86_linux, arm_linux, arm_linux),
            ("hopper", x86_linux, arm_linux, arm_linux),
            ("epyc-9654", x86_linux, x86_linux, x86_linux),
            ("graviton4", arm_linux, arm_linux, arm_linux),
            ("x86-64-v3", x86_linux, x86_linux, x86_linux),
            ("native", x86_linux, arm_linux, "aarch64-apple-darwin"),
            ("portable", x86_linux, arm_linux, "aarch64-apple-darwin"),
            ("aarch64", arm_linux, arm_linux, "aarch64-apple-darwin"),
        ] {
            assert_eq!(triple(name, &pc), on_pc, "{name}");
            assert_eq!(triple(name, &arm), on_arm, "{name}");
            assert_eq!(triple(name, &mac), on_mac, "{name}");
        }
    }

    #[test]
    fn a_family_says_who_does_not_run_its_code() {
        let out = |family| TargetName::Family(family).left_out().collect::<Vec<_>>();
        assert_eq!(out(Family::Volta), [Arch::Sm72]);
        assert_eq!(out(Family::Ampere), [Arch::Sm87]);
        assert_eq!(out(Family::Turing), []);
        assert_eq!(out(Family::Ada), []);
        assert_eq!(out(Family::Hopper), []);
        assert_eq!(out(Family::Cpu), []);
        let machine = Machine::imagined(Arch::X86V3);
        assert_eq!(
            Target::new(TargetName::Family(Family::Ampere), &machine).describe(),
            "built for sm_80, which Orin (sm_87) does not run"
        );
    }
}
