//! Device compilers on this machine. Only names and versions are asked for here; what builds kernels runs them.
//!
//! A variable that is set says where one lies, and an empty one that there is none.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::toolkit::{Found, Tool, Version};

/// All that are found, looked for once: programs that a variable names or the path has, and NVRTC where a variable
/// names it.
pub(super) fn found() -> &'static [Found] {
    static FOUND: LazyLock<Vec<Found>> = LazyLock::new(find);
    &FOUND
}

fn find() -> Vec<Found> {
    let nvcc = program("LATHE_NVCC", &["nvcc"], Tool::Nvcc);
    let nvrtc = named("LATHE_NVRTC")
        .flatten()
        .and_then(|path| library(&path));
    let clang = program("LATHE_CLANG", &["clang-19", "clang"], Tool::Clang);
    [nvcc, nvrtc, clang].into_iter().flatten().collect()
}

/// What a variable says: nothing, that there is none, or a path.
fn named(variable: &str) -> Option<Option<PathBuf>> {
    let value = std::env::var_os(variable)?;
    Some((!value.is_empty()).then(|| PathBuf::from(value)))
}

fn program(variable: &str, names: &[&str], tool: Tool) -> Option<Found> {
    let paths: Vec<PathBuf> = match named(variable) {
        Some(path) => path.into_iter().collect(),
        None => names.iter().filter_map(|name| on_the_path(name)).collect(),
    };
    paths.into_iter().find_map(|path| {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Found::new(tool, version(&text)?, path)
    })
}

/// The version in what a compiler prints: the first line that says one.
fn version(text: &str) -> Option<Version> {
    let line = |line: &&str| line.contains("release") || line.contains("version");
    text.lines().filter(line).find_map(Version::within)
}

fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// NVRTC says its version in the name of the library of its own that lies beside it: `libnvrtc-builtins.so.12.9`.
fn library(path: &Path) -> Option<Found> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let files = std::fs::read_dir(folder).ok()?;
    let versions = files.filter_map(|file| beside(&file.ok()?.file_name()));
    let version = versions.max()?;
    Found::new(Tool::Nvrtc, version, path.to_owned())
}

fn beside(file: &OsStr) -> Option<Version> {
    Version::within(file.to_str()?.strip_prefix("libnvrtc-builtins.so.")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_say_their_version_in_a_line() {
        let nvcc = "nvcc: NVIDIA (R) Cuda compiler driver\nCopyright (c) 2005-2025 NVIDIA Corporation\n\
                    Built on Tue_May_27_02:21:03_PDT_2025\nCuda compilation tools, release 12.9, V12.9.86\n";
        assert_eq!(version(nvcc), Some(Version(12, 9)));
        assert_eq!(
            version("Debian clang version 19.1.7\nTarget: x86_64\n"),
            Some(Version(19, 1))
        );
        assert_eq!(version("no such thing"), None);
    }

    #[test]
    fn nvrtc_is_known_by_its_neighbour() {
        assert_eq!(
            beside(OsStr::new("libnvrtc-builtins.so.12.9")),
            Some(Version(12, 9))
        );
        assert_eq!(
            beside(OsStr::new("libnvrtc-builtins.so.12.9.86")),
            Some(Version(12, 9))
        );
        assert_eq!(beside(OsStr::new("libnvrtc.so.12")), None);
    }
}
