//! Files that are there whole or not at all: written in a folder of their own beside their place, then moved.

use std::path::{Path, PathBuf};
use std::{fs, io};

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

/// A temporary folder and not a temporary file, whose permissions would be its owner's alone.
fn place<T>(to: &Path, fill: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, Failure> {
    let placed = || {
        let folder = match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let beside = tempfile::tempdir_in(folder)?;
        let part = beside.path().join("part");
        let filled = fill(&part)?;
        fs::rename(&part, to)?;
        Ok(filled)
    };
    placed().map_err(|error| Failure::Unwritable {
        path: to.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_another_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("out/to"));
        fs::write(&from, "engine").unwrap();
        for _ in 0..2 {
            let placed = copy(&from, &to).unwrap();
            assert_eq!((placed.path, placed.bytes), (to.clone(), 6));
        }
        let permissions = |path: &Path| fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(&from), permissions(&to));
        write(&to, b"manifest").unwrap();
        let beside: Vec<_> = fs::read_dir(folder.path().join("out")).unwrap().collect();
        assert_eq!(beside.len(), 1);
        assert!(copy(&folder.path().join("none"), &to).is_err());
        assert_eq!(fs::read(&to).unwrap(), b"manifest");
    }
}
