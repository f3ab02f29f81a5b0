//! One safetensors file: its header in memory, its tensors mapped.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorInfo};

use engine_model::{FileError, Reason};

use super::CheckpointError;

/// Bytes of a header. The format allows 100 MB; a model of 100,000 tensors has about 12.
const HEADER_LIMIT: u64 = 32 << 20;
/// The header's length stands in front of it, as a little-endian u64.
const LENGTH_BYTES: u64 = 8;

/// A file whose header is sound: offsets are in order, without gaps or overlaps, fit shapes and types, and end with
/// the file.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    map: Mmap,
    /// Where tensor data begin in `map`.
    data_start: usize,
}

impl Shard {
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let (file, bytes) = open_regular(path)?;
        // SAFETY: a map of a file is sound as long as nobody shortens or rewrites the file. That is for whoever
        // runs the engine to keep, as for its own executable; the folder is opened read-only and never written.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| FileError {
            file: path.to_path_buf(),
            reason: Reason::Unreadable(error),
        })?;
        let refuse = |reason| CheckpointError::Shard {
            file: path.to_path_buf(),
            reason,
        };
        check_length(&map, bytes).map_err(refuse)?;
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| refuse(reason(&map, &error)))?;
        let data_start = header.saturating_add(LENGTH_BYTES as usize);
        Ok(Self {
            path: path.to_path_buf(),
            metadata,
            map,
            data_start,
        })
    }

    /// Bytes of a tensor of this file.
    pub(super) fn data(&self, tensor: &TensorInfo) -> Option<&[u8]> {
        let (start, end) = tensor.data_offsets;
        let start = self.data_start.checked_add(start)?;
        let end = self.data_start.checked_add(end)?;
        self.map.get(start..end)
    }
}

fn open_regular(path: &Path) -> Result<(File, u64), FileError> {
    let refuse = |reason| FileError {
        file: path.to_path_buf(),
        reason,
    };
    let failed = |error| refuse(Reason::Unreadable(error));
    let metadata = std::fs::metadata(path).map_err(failed)?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(refuse(Reason::NotAFile));
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

/// Refuses a header that the file is too short for, before anything of its size is allocated.
fn check_length(map: &[u8], bytes: u64) -> Result<(), String> {
    let Some(length) = map.first_chunk::<8>() else {
        return Err(format!("it has {bytes} bytes, a header takes at least 8"));
    };
    let header = u64::from_le_bytes(*length);
    if header > HEADER_LIMIT {
        return Err(format!(
            "its header would have {header} bytes, at most {HEADER_LIMIT} are read"
        ));
    }
    if header > bytes.saturating_sub(LENGTH_BYTES) {
        return Err(format!(
            "its header would have {header} bytes, the whole file has {bytes}"
        ));
    }
    Ok(())
}

/// The crate's error, with the two sizes where they do not agree.
fn reason(map: &[u8], error: &safetensors::SafeTensorError) -> String {
    match error {
        safetensors::SafeTensorError::MetadataIncompleteBuffer => format!(
            "its header describes another number of bytes than the {} that the file has; was it copied whole?",
            map.len()
        ),
        other => other.to_string(),
    }
}
