//! The two verdicts of a cell: what vLLM's matrix says, and what this engine proves, backend by backend.

use std::fmt;

use crate::family::BackendKind;

/// What vLLM's matrix says of a cell.
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

/// Where a proof ran; of two proofs of one cell the later in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// On a host that plays the device: the kernels' own sources, one fiber for each of its threads.
    Emulator,
    /// On the processor that runs the tests, which is of the backend's kind.
    Here,
    /// On the device: a record in `matrix/device.tsv` says which, with which driver, at which commit.
    Device,
}

impl Evidence {
    pub const ALL: [Evidence; 3] = [Evidence::Emulator, Evidence::Here, Evidence::Device];

    pub const fn name(self) -> &'static str {
        match self {
            Evidence::Emulator => "emulator",
            Evidence::Here => "here",
            Evidence::Device => "device",
        }
    }

    /// The one with exactly this name.
    pub fn named(name: &str) -> Option<Evidence> {
        Evidence::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether there can be such evidence for a backend: tests always run on a CPU, and a GPU is either played or there.
    pub const fn is_of(self, backend: BackendKind) -> bool {
        matches!(backend, BackendKind::Cpu) == matches!(self, Evidence::Here)
    }
}

/// A test function that runs the combination, and where it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    pub evidence: Evidence,
    pub test: &'static str,
}

/// What this engine says of a cell on one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineVerdict {
    /// No test runs it there: not built yet.
    No,
    Yes(Proof),
}

impl EngineVerdict {
    pub const fn is_yes(self) -> bool {
        matches!(self, EngineVerdict::Yes(_))
    }
}

/// What this engine says of a cell: a verdict for each backend. Shown as `no`, or as `yes` and where it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine([EngineVerdict; BackendKind::COUNT]);

impl Engine {
    /// Nothing is proven anywhere.
    pub const NO: Engine = Engine([EngineVerdict::No; BackendKind::COUNT]);

    pub const fn on(&self, backend: BackendKind) -> EngineVerdict {
        self.0[backend as usize]
    }

    /// The proofs that there are, in the order of the backends.
    pub fn proofs(&self) -> impl Iterator<Item = (BackendKind, Proof)> {
        BackendKind::ALL
            .into_iter()
            .filter_map(|backend| match self.on(backend) {
                EngineVerdict::No => None,
                EngineVerdict::Yes(proof) => Some((backend, proof)),
            })
    }

    /// Whether some backend has a proof.
    pub fn is_proven(&self) -> bool {
        self.proofs().next().is_some()
    }

    /// The backends that have a proof and of which evidence, as in `cpu:here cuda:emulator`; empty where none has.
    pub fn places(&self) -> String {
        self.proofs()
            .map(|(backend, proof)| format!("{}:{}", backend.name(), proof.evidence.name()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub(super) fn set(&mut self, backend: BackendKind, verdict: EngineVerdict) {
        self.0[backend as usize] = verdict;
    }

    /// Adds a proof, unless a better one is there.
    pub(super) fn prove(&mut self, backend: BackendKind, proof: Proof) {
        let better = match self.on(backend) {
            EngineVerdict::No => true,
            EngineVerdict::Yes(known) => known.evidence < proof.evidence,
        };
        if better {
            self.set(backend, EngineVerdict::Yes(proof));
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_proven() {
            true => write!(out, "yes {}", self.places()),
            false => out.write_str("no"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_evidence_counts_whichever_comes_first() {
        let proof = |evidence| Proof {
            evidence,
            test: "assumed",
        };
        let (played, ran) = (proof(Evidence::Emulator), proof(Evidence::Device));
        for order in [[played, ran], [ran, played]] {
            let mut engine = Engine::NO;
            assert_eq!(engine.to_string(), "no");
            for proof in order {
                engine.prove(BackendKind::Hip, proof);
            }
            engine.prove(BackendKind::Cpu, proof(Evidence::Here));
            assert_eq!(engine.to_string(), "yes cpu:here hip:device");
            assert_eq!(engine.on(BackendKind::Cuda), EngineVerdict::No);
        }
    }
}
