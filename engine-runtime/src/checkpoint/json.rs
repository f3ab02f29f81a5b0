//! JSON objects from files that are not trusted: bounded in size, read field by field with errors that name both.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::CheckpointError;

/// A JSON object and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    file: PathBuf,
    /// Path of this object in the file: empty, or ends with a dot.
    prefix: String,
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a file of at most `limit` bytes that holds one object. `None` when there is no such file.
    pub(crate) fn read(file: &Path, limit: u64) -> Result<Option<Self>, CheckpointError> {
        let Some(bytes) = read_bounded(file, limit)? else {
            return Ok(None);
        };
        // serde_json refuses nesting deeper than 128 by itself.
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Some(Self {
                file: file.to_path_buf(),
                prefix: String::new(),
                fields,
            })),
            Ok(other) => Err(CheckpointError::Json {
                file: file.to_path_buf(),
                reason: format!("expected an object, found {}", excerpt(&other)),
            }),
            Err(error) => Err(CheckpointError::Json {
                file: file.to_path_buf(),
                reason: error.to_string(),
            }),
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The value of a field; `null` counts as absent, as it does for transformers.
    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(crate) fn object(&self, field: &str) -> Result<Option<Self>, CheckpointError> {
        let object = |value: &Value| value.as_object().cloned();
        Ok(self.typed(field, "an object", object)?.map(|fields| Self {
            file: self.file.clone(),
            prefix: format!("{}{field}.", self.prefix),
            fields,
        }))
    }

    pub(crate) fn text(&self, field: &str) -> Result<Option<String>, CheckpointError> {
        self.typed(field, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>, CheckpointError> {
        self.typed(field, "true or false", Value::as_bool)
    }

    pub(crate) fn count(
        &self,
        field: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, CheckpointError> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.typed(field, &expected, |value| {
            usize::try_from(value.as_u64()?)
                .ok()
                .filter(|count| range.contains(count))
        })
    }

    /// A number for which `valid` holds; never NaN or infinite.
    pub(crate) fn number(
        &self,
        field: &str,
        expected: &str,
        valid: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, CheckpointError> {
        self.typed(field, expected, |value| {
            value
                .as_f64()
                .filter(|&number| number.is_finite() && valid(number))
        })
    }

    /// Token ids, written as one number or as a list.
    pub(crate) fn token_ids(&self, field: &str) -> Result<Vec<u32>, CheckpointError> {
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let ids = self.typed(field, "a token id or a list of them", |value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => id(one).map(|id| vec![id]),
        })?;
        Ok(ids.unwrap_or_default())
    }

    pub(crate) fn required<T>(&self, field: &str, value: Option<T>) -> Result<T, CheckpointError> {
        value.ok_or_else(|| self.refuse(field, "set", "nothing"))
    }

    /// The error for a field of this object.
    pub(crate) fn refuse(
        &self,
        field: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> CheckpointError {
        CheckpointError::Field {
            file: self.file.clone(),
            field: format!("{}{field}", self.prefix),
            expected: expected.into(),
            found: found.into(),
        }
    }

    fn typed<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, CheckpointError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(typed) => Ok(Some(typed)),
                None => Err(self.refuse(field, expected, excerpt(value))),
            },
        }
    }
}

/// The bytes of a regular file of at most `limit` bytes; `None` when there is no such file.
pub(crate) fn read_bounded(file: &Path, limit: u64) -> Result<Option<Vec<u8>>, CheckpointError> {
    let failed = |source| CheckpointError::Read {
        file: file.to_path_buf(),
        source,
    };
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(CheckpointError::NotAFile {
            file: file.to_path_buf(),
        });
    }
    let too_large = |bytes| CheckpointError::TooLarge {
        file: file.to_path_buf(),
        bytes,
        limit,
    };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let read = File::open(file)
        .and_then(|open| open.take(limit + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    // The file may have grown since.
    match u64::try_from(read) {
        Ok(read) if read <= limit => Ok(Some(bytes)),
        _ => Err(too_large(metadata.len())),
    }
}

/// A value as messages show it: JSON, cut at a length that fits a line.
fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
