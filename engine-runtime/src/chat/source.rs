//! Where a folder keeps its chat template and its special tokens.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::ChatError;
use crate::checkpoint::{FileError, Object, read_bounded};

/// Bytes of a template, or of a file that may hold several; the longest published ones have some 20,000.
const TEMPLATE_LIMIT: u64 = 1 << 20;
/// Bytes of `tokenizer_config.json`, which also lists added tokens.
const CONFIG_LIMIT: u64 = 16 << 20;

pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) template: String,
    /// Names such as `bos_token` to their text.
    pub(super) special_tokens: Map<String, Value>,
}

impl Source {
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, ChatError> {
        let config = Object::read(&dir.join("tokenizer_config.json"), CONFIG_LIMIT)?;
        let map = Object::read(&dir.join("special_tokens_map.json"), CONFIG_LIMIT)?;
        // The config is the newer of the two and comes last.
        let mut special_tokens = Map::new();
        for object in [&map, &config].into_iter().flatten() {
            special_tokens.extend(tokens(object));
        }
        let file = dir.join("chat_template.jinja");
        if let Some(bytes) = read_bounded(&file, TEMPLATE_LIMIT)? {
            let template = String::from_utf8(bytes).map_err(|error| ChatError::Syntax {
                file: file.clone(),
                reason: error.to_string(),
            })?;
            return Ok(Some(Self {
                file,
                template,
                special_tokens,
            }));
        }
        let Some(config) = config else {
            return Ok(None);
        };
        let template = in_config(&config)?;
        Ok(template.map(|template| Self {
            file: config.file().to_path_buf(),
            template,
            special_tokens,
        }))
    }
}

/// The special tokens of a file: text, or an object with the text as `content`.
fn tokens(object: &Object) -> impl Iterator<Item = (String, Value)> {
    object.fields().iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Object(token) => token.get("content")?.as_str()?,
            _ => return None,
        };
        name.ends_with("_token")
            .then(|| (name.clone(), Value::from(text)))
    })
}

/// One template, or the one called `default` of a list.
fn in_config(config: &Object) -> Result<Option<String>, FileError> {
    let expected =
        "a template, or a list of objects with `name` and `template` of which one is `default`";
    let refuse = |found: &str| config.refuse("chat_template", expected, found);
    match config.get("chat_template") {
        None => Ok(None),
        Some(Value::String(template)) => Ok(Some(template.clone())),
        Some(Value::Array(named)) => {
            let text = |entry: &Value, field| Some(entry.get(field)?.as_str()?.to_owned());
            let default = named
                .iter()
                .find(|entry| text(entry, "name").as_deref() == Some("default"));
            match default.and_then(|entry| text(entry, "template")) {
                Some(template) => Ok(Some(template)),
                None => Err(refuse("a list without it")),
            }
        }
        Some(_) => Err(refuse("neither")),
    }
}

/// Turns transformers' own `{% generation %}` blocks, which mark the assistant's words for training and change
/// nothing in a prompt, into blocks that Jinja knows.
pub(super) fn without_generation_tags(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tag)) = rest.split_once("{%") {
        out.push_str(before);
        out.push_str("{%");
        let Some((inside, after)) = tag.split_once("%}") else {
            rest = tag;
            continue;
        };
        match inside.trim_matches(['-', '+']).trim() {
            "generation" => out.push_str(&inside.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&inside.replacen("endgeneration", "endif", 1)),
            _ => {
                rest = tag;
                continue;
            }
        }
        out.push_str("%}");
        rest = after;
    }
    out.push_str(rest);
    out
}
