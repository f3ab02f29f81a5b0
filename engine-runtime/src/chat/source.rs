//! Where a folder keeps its chat templates.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::ChatError;
use crate::checkpoint::{FileError, Object, read_bounded};
use crate::tokenizer::TokenizerSettings;

/// Bytes of a template; the longest published ones have some 20,000.
const TEMPLATE_LIMIT: u64 = 1 << 20;

/// The templates of a folder, as text.
pub(super) struct Source {
    /// Where the first lies.
    pub(super) file: PathBuf,
    pub(super) default: String,
    /// For chats with tools, where it is another one.
    pub(super) tool_use: Option<String>,
    /// Names such as `bos_token` to their text.
    pub(super) special_tokens: Map<String, Value>,
}

impl Source {
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, ChatError> {
        let TokenizerSettings {
            config,
            special_tokens,
        } = TokenizerSettings::read(dir)?;
        let file = dir.join("chat_template.jinja");
        if let Some(default) = read(&file)? {
            return Ok(Some(Self {
                file,
                default,
                tool_use: read(&dir.join("additional_chat_templates/tool_use.jinja"))?,
                special_tokens,
            }));
        }
        let Some(config) = config else {
            return Ok(None);
        };
        let (default, tool_use) = in_config(&config)?;
        Ok(default.map(|default| Self {
            file: config.file().to_path_buf(),
            default,
            tool_use,
            special_tokens,
        }))
    }
}

fn read(file: &Path) -> Result<Option<String>, ChatError> {
    let Some(bytes) = read_bounded(file, TEMPLATE_LIMIT)? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(template) => Ok(Some(template)),
        Err(error) => Err(ChatError::Syntax {
            file: file.to_path_buf(),
            reason: error.to_string(),
        }),
    }
}

/// One template, or those called `default` and `tool_use` of a list.
fn in_config(config: &Object) -> Result<(Option<String>, Option<String>), FileError> {
    let expected =
        "a template, or a list of objects with `name` and `template` of which one is `default`";
    let refuse = |found: &str| config.refuse("chat_template", expected, found);
    match config.get("chat_template") {
        None => Ok((None, None)),
        Some(Value::String(template)) => Ok((Some(template.clone()), None)),
        Some(Value::Array(named)) => {
            let text = |entry: &Value, field| Some(entry.get(field)?.as_str()?.to_owned());
            let template = |name: &str| {
                let mut named = named.iter();
                let entry = named.find(|entry| text(entry, "name").as_deref() == Some(name));
                entry.and_then(|entry| text(entry, "template"))
            };
            match template("default") {
                Some(default) => Ok((Some(default), template("tool_use"))),
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
