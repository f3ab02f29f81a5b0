//! What `tokenizer_config.json` and `special_tokens_map.json` say of a tokenizer.
//!
//! `add_bos_token` and `add_eos_token` are not among it: for a folder with a `tokenizer.json` transformers 5 takes what
//! is put around a text from that file alone (its versions before rebuilt it for Llama's class).

use std::path::Path;

use serde_json::{Map, Value};

use crate::checkpoint::{FileError, Object};

/// Bytes of either file; the first also lists added tokens.
const LIMIT: u64 = 16 << 20;

/// The settings of a folder, where it has any.
#[derive(Debug)]
pub(crate) struct TokenizerSettings {
    /// `tokenizer_config.json`
    pub(crate) config: Option<Object>,
    /// Names such as `bos_token` to their text.
    pub(crate) special_tokens: Map<String, Value>,
}

impl TokenizerSettings {
    pub(crate) fn read(dir: &Path) -> Result<Self, FileError> {
        let config = Object::read(&dir.join("tokenizer_config.json"), LIMIT)?;
        let mut special_tokens = config.as_ref().map(tokens).unwrap_or_default();
        // The second file is the older one. transformers reads it only where the first does not list the added tokens, and
        // then it wins.
        let lists_tokens = |config: &Object| config.get("added_tokens_decoder").is_some();
        if !config.as_ref().is_some_and(lists_tokens)
            && let Some(map) = Object::read(&dir.join("special_tokens_map.json"), LIMIT)?
        {
            special_tokens.extend(tokens(&map));
        }
        Ok(Self {
            config,
            special_tokens,
        })
    }

    /// The text of a special token, such as `eos_token`.
    pub(crate) fn special_token(&self, name: &str) -> Option<&str> {
        self.special_tokens.get(name)?.as_str()
    }
}

/// The special tokens of a file: text, or an object with the text as `content`.
fn tokens(object: &Object) -> Map<String, Value> {
    let named = object.fields().iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Object(token) => token.get("content")?.as_str()?,
            _ => return None,
        };
        name.ends_with("_token")
            .then(|| (name.clone(), Value::from(text)))
    });
    named.collect()
}
