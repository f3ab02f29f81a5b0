//! Small files that are not trusted: how they are read, and why one is refused.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a file is refused. The message names the file and, where there is one, the field.
#[derive(Debug)]
pub struct FileError {
    pub file: PathBuf,
    pub reason: Reason,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    #[error("is not a regular file")]
    NotAFile,
    #[error("has {bytes} bytes, more than the {limit} that a file of its kind may have")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("is not valid JSON: {0}")]
    Json(String),
    #[error("`{field}` must be {expected}, found {found}")]
    Field {
        field: String,
        expected: String,
        found: String,
    },
    #[error("{what} `{found}` is not supported; supported: {supported}")]
    Unsupported {
        what: &'static str,
        found: String,
        supported: String,
    },
}

impl FileError {
    /// Something in `file` that is well written and that this engine has no code for.
    pub(crate) fn unsupported(
        file: &Path,
        what: &'static str,
        found: impl Into<String>,
        supported: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_path_buf(),
            reason: Reason::Unsupported {
                what,
                found: found.into(),
                supported: supported.into(),
            },
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.reason {
            Reason::Unreadable(error) => write!(out, "cannot read {file}: {error}"),
            // These speak of the file, the others of something in it.
            Reason::NotAFile | Reason::TooLarge { .. } | Reason::Json(_) => {
                write!(out, "{file} {}", self.reason)
            }
            Reason::Field { .. } | Reason::Unsupported { .. } => {
                write!(out, "{file}: {}", self.reason)
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

/// The bytes of a regular file of at most `limit` bytes; `None` when there is no such file.
pub fn read_bounded(file: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let refuse = |reason| FileError {
        file: file.to_path_buf(),
        reason,
    };
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(Reason::Unreadable(error))),
    };
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(refuse(Reason::NotAFile));
    }
    let too_large = |bytes| refuse(Reason::TooLarge { bytes, limit });
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let read = File::open(file)
        .and_then(|open| open.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(Reason::Unreadable(error)))?;
    // The file may have grown since.
    match u64::try_from(read) {
        Ok(read) if read <= limit => Ok(Some(bytes)),
        _ => Err(too_large(metadata.len())),
    }
}
