//! Files that are there whole or not at all: written beside their place, then moved.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file where it belongs.
pub struct Placed {
    pub path: PathBuf,
    pub bytes: u64,
}

/// Copies a file with its permissions.
pub fn copy(from: &Path, to: &Path) -> Result<Placed, Failure> {
    let bytes = place(to, |part| fs::copy(from, part))?;
    Ok(Placed {
        path: to.to_owned(),
        bytes,
    })
}

pub fn write(to: &Path, text: &[u8]) -> Result<(), Failure> {
    place(to, |part| fs::write(part, text))
}

fn place<T>(to: &Path, fill: impl FnOnce(&Path) -> std::io::Result<T>) -> Result<T, Failure> {
    let unwritable = |error| Failure::Unwritable {
        path: to.to_owned(),
        error,
    };
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let part = to.with_added_extension("part");
    let filled = fill(&part).map_err(unwritable)?;
    fs::rename(&part, to).map_err(unwritable)?;
    Ok(filled)
}
