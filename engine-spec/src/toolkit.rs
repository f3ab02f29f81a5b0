//! Toolkits: what compiles an engine's kernels, and which versions of it make code for which architecture.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::arch::Arch;
use crate::family::BackendKind;
use crate::named::named;

named! {
    /// A device compiler, by what it needs of its version. A profile may insist on one.
    Toolkit {
        Rustc = "rustc",
        Cuda11 = "cuda-11",
        Cuda12 = "cuda-12",
        Cuda13 = "cuda-13",
        Rocm5 = "rocm-5",
        Rocm6 = "rocm-6",
        Clang19 = "clang-19",
    }
}

/// Major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8, pub u8);

impl Version {
    /// The first two numbers with a point between them in a text: `Cuda compilation tools, release 12.9, V12.9.86`.
    pub fn within(text: &str) -> Option<Version> {
        let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        words.into_iter().find_map(|word| {
            let mut numbers = word.split('.');
            let (major, minor) = (numbers.next()?, numbers.next()?);
            Some(Version(major.parse().ok()?, minor.parse().ok()?))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The versions of CUDA that make code for an NVIDIA architecture, or of ROCm for one of AMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// From this one on.
    From(Version),
    /// From the first to the second, which is the last that does.
    Between(Version, Version),
    /// No toolkit.
    RustcAlone,
}

impl Versions {
    fn has(self, version: Version) -> bool {
        match self {
            Versions::From(first) => first <= version,
            Versions::Between(first, last) => (first..=last).contains(&version),
            Versions::RustcAlone => false,
        }
    }
}

/// The newest minor version counted for a major one that is still being released.
const NEWEST: u8 = u8::MAX;

impl Toolkit {
    /// Whose code it makes.
    pub const fn backend(self) -> BackendKind {
        match self {
            Toolkit::Rustc => BackendKind::Cpu,
            Toolkit::Cuda11 | Toolkit::Cuda12 | Toolkit::Cuda13 => BackendKind::Cuda,
            Toolkit::Rocm5 | Toolkit::Rocm6 | Toolkit::Clang19 => BackendKind::Hip,
        }
    }

    /// The versions that the name covers, of CUDA or ROCm. CUDA 11 ended with 11.8 and CUDA 12 with 12.9.
    const fn versions(self) -> Option<[Version; 2]> {
        match self {
            Toolkit::Cuda11 => Some([Version(11, 0), Version(11, 8)]),
            Toolkit::Cuda12 => Some([Version(12, 0), Version(12, 9)]),
            Toolkit::Cuda13 => Some([Version(13, 0), Version(13, NEWEST)]),
            Toolkit::Rocm5 => Some([Version(5, 0), Version(5, NEWEST)]),
            Toolkit::Rocm6 => Some([Version(6, 0), Version(6, NEWEST)]),
            Toolkit::Rustc | Toolkit::Clang19 => None,
        }
    }

    /// Why no version of it makes code for the architecture, if none does.
    pub fn builds(self, arch: Arch) -> Result<(), String> {
        match (self.backend(), arch.family().backend()) {
            (BackendKind::Cpu, BackendKind::Cpu) => return Ok(()),
            (_, BackendKind::Cpu) => return Err("a CPU engine is compiled by rustc alone".into()),
            (BackendKind::Cpu, _) => return Err("rustc makes no code for a GPU here".into()),
            (BackendKind::Cuda, BackendKind::Hip) => {
                return Err("it is a toolkit for NVIDIA".into());
            }
            (BackendKind::Hip, BackendKind::Cuda) => {
                return Err("it makes code for AMD here".into());
            }
            (BackendKind::Cuda, BackendKind::Cuda) | (BackendKind::Hip, BackendKind::Hip) => {}
        }
        // clang 19 knows all of AMD's that are listed.
        let Some([first, last]) = self.versions() else {
            return Ok(());
        };
        let name = match self.backend() {
            BackendKind::Cuda => "CUDA",
            BackendKind::Hip | BackendKind::Cpu => "ROCm",
        };
        match arch.toolkits() {
            Versions::From(since) | Versions::Between(since, _) if last < since => {
                Err(format!("{arch} came with {name} {since}"))
            }
            Versions::Between(_, until) if until < first => {
                Err(format!("{name} {until} was the last with {arch}"))
            }
            _ => Ok(()),
        }
    }

    /// The one to get for an architecture where a machine has none: it makes code for everything of its maker that is
    /// listed, and the newest of it needs no root.
    pub const fn to_get(backend: BackendKind) -> Toolkit {
        match backend {
            BackendKind::Cpu => Toolkit::Rustc,
            BackendKind::Cuda => Toolkit::Cuda12,
            BackendKind::Hip => Toolkit::Clang19,
        }
    }

    /// How to get it, as a command or a place.
    pub const fn source(self) -> &'static str {
        match self {
            Toolkit::Rustc => "https://rustup.rs",
            Toolkit::Cuda11 => "pip install nvidia-cuda-nvrtc-cu11",
            Toolkit::Cuda12 => "pip install nvidia-cuda-nvrtc-cu12",
            Toolkit::Cuda13 => "pip install nvidia-cuda-nvrtc",
            Toolkit::Rocm5 | Toolkit::Rocm6 => "https://rocm.docs.amd.com",
            Toolkit::Clang19 => "apt-get install clang-19 lld-19",
        }
    }

    /// The toolkit of a version of CUDA or ROCm, or of clang.
    fn of(tool: Tool, version: Version) -> Option<Toolkit> {
        match (tool, version) {
            (Tool::Nvcc | Tool::Nvrtc, version) => Toolkit::ALL
                .iter()
                .copied()
                .filter(|toolkit| toolkit.backend() == BackendKind::Cuda)
                .find(|toolkit| {
                    toolkit
                        .versions()
                        .is_some_and(|[first, last]| (first..=last).contains(&version))
                }),
            (Tool::Clang, Version(19.., _)) => Some(Toolkit::Clang19),
            (Tool::Clang, _) => None,
        }
    }
}

/// A program or library that compiles device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Nvcc,
    Nvrtc,
    Clang,
}

/// A toolkit on a machine. Plans name the toolkit and not the place, so that they do not differ by where things lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub toolkit: Toolkit,
    pub tool: Tool,
    pub version: Version,
    pub path: PathBuf,
}

impl Found {
    /// What lies there, if it is of a version that is known.
    pub fn new(tool: Tool, version: Version, path: PathBuf) -> Option<Found> {
        Some(Found {
            toolkit: Toolkit::of(tool, version)?,
            tool,
            version,
            path,
        })
    }

    /// Whether this very version makes code for the architecture.
    pub fn builds(&self, arch: Arch) -> bool {
        let known = match self.tool {
            Tool::Nvcc | Tool::Nvrtc => arch.toolkits().has(self.version),
            Tool::Clang => true,
        };
        self.toolkit.builds(arch).is_ok() && known
    }
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = match self.tool {
            Tool::Nvcc => "nvcc",
            Tool::Nvrtc => "NVRTC",
            Tool::Clang => "clang",
        };
        write!(out, "{tool} {} in {}", self.version, self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_tools_say() {
        for (text, version) in [
            (
                "Cuda compilation tools, release 11.8, V11.8.89",
                Some(Version(11, 8)),
            ),
            ("Debian clang version 19.1.7 (3+b1)", Some(Version(19, 1))),
            ("libnvrtc.so.12", None),
            ("", None),
        ] {
            assert_eq!(Version::within(text), version, "{text}");
        }
    }

    #[test]
    fn an_architecture_has_toolkits_from_its_first_to_its_last() {
        let able = |arch| {
            let able = Toolkit::ALL
                .iter()
                .filter(move |one| one.builds(arch).is_ok());
            able.copied().collect::<Vec<_>>()
        };
        use Toolkit::*;
        assert_eq!(able(Arch::Sm70), [Cuda11, Cuda12]);
        assert_eq!(able(Arch::Sm72), [Cuda11, Cuda12]);
        assert_eq!(able(Arch::Sm75), [Cuda11, Cuda12, Cuda13]);
        assert_eq!(able(Arch::Sm90), [Cuda11, Cuda12, Cuda13]);
        assert_eq!(able(Arch::Sm90a), [Cuda12, Cuda13]);
        assert_eq!(able(Arch::Gfx906), [Rocm5, Rocm6, Clang19]);
        assert_eq!(able(Arch::Gfx942), [Rocm6, Clang19]);
        assert_eq!(able(Arch::X86V4), [Rustc]);
    }

    /// What is to be got where nothing is can build everything.
    #[test]
    fn there_is_a_toolkit_for_every_architecture() {
        for arch in Arch::ALL {
            assert_eq!(
                Toolkit::to_get(arch.family().backend()).builds(arch),
                Ok(())
            );
        }
    }

    #[test]
    fn a_toolkit_on_a_machine_is_held_to_its_very_version() {
        let nvcc = |major, minor| Found::new(Tool::Nvcc, Version(major, minor), PathBuf::new());
        assert!(nvcc(11, 8).is_some_and(|found| found.builds(Arch::Sm89)));
        assert!(nvcc(11, 2).is_some_and(|found| !found.builds(Arch::Sm89)));
        assert!(nvcc(13, 0).is_some_and(|found| !found.builds(Arch::Sm70)));
        assert_eq!(nvcc(10, 2), None);
        assert_eq!(
            Found::new(Tool::Clang, Version(14, 0), PathBuf::new()),
            None
        );
    }
}
