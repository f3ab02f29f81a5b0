//! The fields of a request that came as a JSON object.
//!
//! Each part of a request takes what it knows, and [`Fields::finish`] refuses what nobody took: a setting that does
//! nothing would be an answer that is wrong in silence. `null` leaves a field open, as clients mean it that send every
//! field they know, and so an unknown field that is `null` asks for nothing.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::RequestError;

/// Fields that nobody has taken yet, and the names of those that somebody asked for.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    fields: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a JSON object. serde_json refuses nesting deeper than 128 by itself. Of two fields of one name the last
    /// counts, as for the servers whose clients these are (Python's `json` reads objects so).
    pub fn parse(json: &[u8]) -> Result<Self, RequestError> {
        match serde_json::from_slice(json) {
            Ok(fields) => Ok(Self {
                fields,
                known: Vec::new(),
            }),
            Err(error) => Err(RequestError::NotAnObject {
                reason: error.to_string(),
            }),
        }
    }

    /// Takes a field; `None` where it is open.
    pub fn take<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, RequestError> {
        self.known.push(name);
        // Not `remove`, which would move the last field to its place: what is left is told in the client's order.
        match self.fields.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                T::deserialize(value)
                    .map(Some)
                    .map_err(|error| RequestError::Unreadable {
                        field: name,
                        reason: error.to_string(),
                    })
            }
        }
    }

    /// Refuses the first field that nobody took.
    pub fn finish(self) -> Result<(), RequestError> {
        let left = self.fields.into_iter().find(|(_, value)| !value.is_null());
        let Some((field, _)) = left else {
            return Ok(());
        };
        let near = |known: &&&'static str| {
            let distance = strsim::osa_distance(known, &field);
            distance <= 1 + field.len() / 6
        };
        let hint = self
            .known
            .iter()
            .filter(near)
            .min_by_key(|known| strsim::osa_distance(known, &field))
            .map_or_else(String::new, |known| format!(", did you mean `{known}`?"));
        Err(RequestError::Unknown { field, hint })
    }
}
