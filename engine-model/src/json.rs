//! JSON objects from files that are not trusted, read field by field with errors that name file and field.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::file::{FileError, Reason, read_bounded};

/// A JSON object and where it stands.
#[derive(Debug, Clone)]
pub struct Object {
    file: PathBuf,
    /// Path of this object in the file: empty, or ends with a dot.
    prefix: String,
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a file of at most `limit` bytes that holds one object. `None` when there is no such file.
    pub fn read(file: &Path, limit: u64) -> Result<Option<Self>, FileError> {
        let bytes = read_bounded(file, limit)?;
        bytes.map(|bytes| Self::parse(file, &bytes)).transpose()
    }

    /// The object that `bytes` hold; errors call them `file`.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, FileError> {
        let refuse = |reason| FileError {
            file: file.to_path_buf(),
            reason: Reason::Json(reason),
        };
        // serde_json refuses nesting deeper than 128 by itself.
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self {
                file: file.to_path_buf(),
                prefix: String::new(),
                fields,
            }),
            Ok(other) => Err(refuse(format!(
                "expected an object, found {}",
                excerpt(&other)
            ))),
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The value of a field; `null` counts as absent, as it does for most fields of transformers.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Whether the field is written, be it as `null`.
    pub fn names(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub fn object(&self, field: &str) -> Result<Option<Self>, FileError> {
        let object = |value: &Value| value.as_object().cloned();
        Ok(self.typed(field, "an object", object)?.map(|fields| Self {
            file: self.file.clone(),
            prefix: format!("{}{field}.", self.prefix),
            fields,
        }))
    }

    pub fn text(&self, field: &str) -> Result<Option<String>, FileError> {
        self.typed(field, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub fn flag(&self, field: &str) -> Result<Option<bool>, FileError> {
        self.typed(field, "true or false", Value::as_bool)
    }

    pub fn count(
        &self,
        field: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, FileError> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.typed(field, &expected, |value| in_range(value, &range))
    }

    /// A list of whole numbers, none outside `range`.
    pub fn counts(
        &self,
        field: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<Vec<usize>>, FileError> {
        let expected = format!(
            "a list of whole numbers from {} to {}",
            range.start(),
            range.end()
        );
        self.typed(field, &expected, |value| {
            let numbers = value.as_array()?.iter();
            numbers.map(|number| in_range(number, &range)).collect()
        })
    }

    /// A number for which `valid` holds; never NaN or infinite.
    pub fn number(
        &self,
        field: &str,
        expected: &str,
        valid: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, FileError> {
        self.typed(field, expected, |value| {
            value
                .as_f64()
                .filter(|&number| number.is_finite() && valid(number))
        })
    }

    /// Token ids, written as one number or as a list.
    pub fn token_ids(&self, field: &str) -> Result<Vec<u32>, FileError> {
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let ids = self.typed(field, "a token id or a list of them", |value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => id(one).map(|id| vec![id]),
        })?;
        Ok(ids.unwrap_or_default())
    }

    /// The value, or the error that the field is not set.
    pub fn required<T>(&self, field: &str, value: Option<T>) -> Result<T, FileError> {
        value.ok_or_else(|| self.refuse(field, "set", "nothing"))
    }

    /// The error for a field of this object.
    pub fn refuse(
        &self,
        field: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> FileError {
        self.error(Reason::Field {
            field: format!("{}{field}", self.prefix),
            expected: expected.into(),
            found: found.into(),
        })
    }

    /// The error for something that is well written and that this engine has no code for.
    pub fn unsupported(
        &self,
        what: &'static str,
        found: impl Into<String>,
        supported: impl Into<String>,
    ) -> FileError {
        FileError::unsupported(&self.file, what, found, supported)
    }

    fn error(&self, reason: Reason) -> FileError {
        FileError {
            file: self.file.clone(),
            reason,
        }
    }

    fn typed<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, FileError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(typed) => Ok(Some(typed)),
                None => Err(self.refuse(field, expected, excerpt(value))),
            },
        }
    }
}

fn in_range(value: &Value, range: &RangeInclusive<usize>) -> Option<usize> {
    let number = usize::try_from(value.as_u64()?).ok()?;
    range.contains(&number).then_some(number)
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
