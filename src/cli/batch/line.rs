//! One line of a batch file.

use std::io::{BufRead, Read};

use engine_runtime::chat::Message;
use engine_runtime::request::{Request, SamplingParams};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::cli::prompt::Prompter;

/// Bytes of the longest line: token ids of a context of a million tokens fit many times.
const LIMIT: u64 = 64 << 20;

/// A request as a line of JSON states it.
pub struct Line {
    pub custom_id: Option<Value>,
    source: Source,
    sampling: SamplingParams,
    cache_salt: Option<String>,
}

/// A line that is no request.
pub struct Unreadable {
    pub custom_id: Option<Value>,
    pub reason: String,
}

enum Source {
    Text(String),
    Tokens(Vec<u32>),
    Chat(Vec<Message>),
}

/// Reads the next line, or `None` at the end.
pub fn read(input: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = input
        .take(LIMIT + 1)
        .read_until(b'\n', &mut line)
        .map_err(|error| format!("cannot read line {number} of the requests: {error}"))?;
    if read as u64 > LIMIT {
        return Err(format!("line {number} is longer than {LIMIT} bytes").into());
    }
    Ok((read > 0).then_some(line))
}

impl Line {
    /// Settings that the line leaves open are those of `defaults`.
    pub fn parse(text: &[u8], defaults: &SamplingParams) -> Result<Self, Unreadable> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| Unreadable {
                custom_id: None,
                reason: format!("not a JSON object: {error}"),
            })?;
        let custom_id = fields.remove("custom_id");
        Self::from_fields(fields, defaults, custom_id.clone())
            .map_err(|reason| Unreadable { custom_id, reason })
    }

    fn from_fields(
        mut fields: Map<String, Value>,
        defaults: &SamplingParams,
        custom_id: Option<Value>,
    ) -> Result<Self, String> {
        let source = Source::from_fields(&mut fields)?;
        let cache_salt = fields
            .remove("cache_salt")
            .map(|salt| field("cache_salt", salt))
            .transpose()?;
        for (name, default) in open_settings(defaults) {
            fields.entry(name).or_insert(default);
        }
        Ok(Self {
            custom_id,
            source,
            cache_salt,
            sampling: SamplingParams::deserialize(Value::Object(fields))
                .map_err(|error| error.to_string())?,
        })
    }

    /// The request, tokenised.
    pub fn request(self, prompter: &Prompter) -> Result<Request, Failure> {
        Ok(Request {
            prompt: match self.source {
                Source::Text(text) => prompter.raw(&text)?,
                Source::Tokens(tokens) => tokens,
                Source::Chat(messages) => prompter.chat(&messages)?,
            },
            sampling: self.sampling,
            cache_salt: self.cache_salt,
        })
    }
}

impl Source {
    fn from_fields(fields: &mut Map<String, Value>) -> Result<Self, String> {
        match (fields.remove("prompt"), fields.remove("messages")) {
            (Some(Value::String(text)), None) => Ok(Self::Text(text)),
            (Some(tokens), None) => Ok(Self::Tokens(field("prompt", tokens)?)),
            (None, Some(messages)) => Ok(Self::Chat(field("messages", messages)?)),
            (Some(_), Some(_)) => Err("`prompt` and `messages` exclude each other".to_owned()),
            (None, None) => Err("`prompt` or `messages` is missing".to_owned()),
        }
    }
}

fn field<T: for<'de> Deserialize<'de>>(name: &str, value: Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{name}`: {error}"))
}

/// The settings that a model's makers may have chosen, as a line would write them.
fn open_settings(defaults: &SamplingParams) -> [(&'static str, Value); 6] {
    [
        ("temperature", json!(defaults.temperature)),
        ("top_k", json!(defaults.top_k)),
        ("top_p", json!(defaults.top_p)),
        ("min_p", json!(defaults.min_p)),
        ("repetition_penalty", json!(defaults.repetition_penalty)),
        ("max_tokens", json!(defaults.max_tokens)),
    ]
}
