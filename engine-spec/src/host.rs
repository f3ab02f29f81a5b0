//! Hosts: the processor and the system that an engine's own code is compiled for, whatever computes its kernels.

use serde::{Serialize, Serializer};

/// A kind of processor, by its instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    X86_64,
    Aarch64,
    /// Another one, as Rust calls it: only portable code runs there.
    Other(&'static str),
}

impl Processor {
    /// As Cargo says it in `CARGO_CFG_TARGET_ARCH`.
    pub const fn name(self) -> &'static str {
        match self {
            Processor::X86_64 => "x86_64",
            Processor::Aarch64 => "aarch64",
            Processor::Other(name) => name,
        }
    }

    /// Runs on every processor of the kind: what the host side of a GPU engine is compiled for.
    pub const fn any(self) -> &'static str {
        match self {
            Processor::X86_64 => "x86-64",
            Processor::Aarch64 | Processor::Other(_) => "generic",
        }
    }
}

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Linux,
    MacOs,
}

/// What an engine's own code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    pub processor: Processor,
    pub system: System,
}

impl Host {
    /// Servers run Linux.
    pub const fn server(processor: Processor) -> Host {
        Host {
            processor,
            system: System::Linux,
        }
    }

    /// The one that this program was compiled for.
    pub const fn this() -> Host {
        let processor = match std::env::consts::ARCH.as_bytes() {
            b"x86_64" => Processor::X86_64,
            b"aarch64" => Processor::Aarch64,
            _ => Processor::Other(std::env::consts::ARCH),
        };
        let system = match std::env::consts::OS.as_bytes() {
            b"macos" => System::MacOs,
            _ => System::Linux,
        };
        Host { processor, system }
    }

    /// The `--target` of cargo.
    pub fn triple(self) -> String {
        let processor = match self.processor {
            // Rust names the extensions that a Linux distribution may count on.
            Processor::Other("riscv64") => "riscv64gc",
            Processor::Other("powerpc64") => "powerpc64le",
            processor => processor.name(),
        };
        match self.system {
            System::Linux => format!("{processor}-unknown-linux-gnu"),
            System::MacOs => format!("{processor}-apple-darwin"),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.triple())
    }
}
