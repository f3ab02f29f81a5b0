//! Chats to prompts, by a folder's chat template.
//!
//! A template is a Jinja program from somebody else's folder. It runs with bounds on steps, depth and output, sees
//! nothing but the chat, and is compiled once. What transformers adds to Jinja is here too: its functions, its
//! `tojson`, and Python's way to write values.

mod date;
mod python;
mod source;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::checkpoint::FileError;
use source::Source;

/// Why a chat has no prompt.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the chat template of {} does not compile: {reason}", file.display())]
    Syntax { file: PathBuf, reason: String },
    /// The template's own words: it called `raise_exception`.
    #[error("the model's chat template refuses this chat: {message}")]
    Refused { message: String },
    #[error("the chat template of {} fails: {reason}", file.display())]
    Render { file: PathBuf, reason: String },
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: String,
    pub content: String,
    /// What else templates may look at, such as `name` or `tool_calls`.
    #[serde(flatten)]
    pub more: Map<String, serde_json::Value>,
}

impl Message {
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            more: Map::new(),
        }
    }
}

/// How a chat becomes a prompt.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// End with the beginning of the assistant's answer.
    pub add_generation_prompt: bool,
    /// Further variables, such as `enable_thinking`.
    pub variables: Map<String, serde_json::Value>,
    /// What `strftime_now` tells, as UTC.
    pub now: SystemTime,
}

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    file: PathBuf,
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and their like.
    special_tokens: Map<String, serde_json::Value>,
}

const NAME: &str = "chat_template";
/// Depth of calls and includes.
const RECURSION: usize = 64;
/// Steps that any template may take; each 64 bytes that it makes count as one more.
const FUEL: u64 = 1_000_000;
/// Bytes of a prompt that any template may write, and how many more for each byte of its input.
const OUTPUT: usize = 1 << 20;
const OUTPUT_PER_BYTE: usize = 8;

impl ChatTemplate {
    /// The template of a folder, where it has one: `chat_template.jinja`, else `chat_template` in
    /// `tokenizer_config.json`, which may be a list, of which `default` is taken.
    pub fn open(dir: &Path) -> Result<Option<Self>, ChatError> {
        let Some(source) = Source::find(dir)? else {
            return Ok(None);
        };
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_recursion_limit(RECURSION);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(python::write_value);
        environment.add_filter("tojson", python::to_json);
        environment.add_function("raise_exception", raise_exception);
        environment
            .add_template_owned(NAME, source::without_generation_tags(&source.template))
            .map_err(|error| ChatError::Syntax {
                file: source.file.clone(),
                reason: describe(&error),
            })?;
        Ok(Some(Self {
            file: source.file,
            environment,
            special_tokens: source.special_tokens,
        }))
    }

    /// The prompt of a chat. It holds its special tokens: encode it with [`Around::Leave`](crate::tokenizer::Around).
    pub fn render(&self, messages: &[Message], rendering: &Rendering) -> Result<String, ChatError> {
        let failed = |error: Error| self.failed(&error);
        let input: usize = messages
            .iter()
            .map(|m| m.role.len() + m.content.len())
            .sum();
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL.saturating_add(input as u64)));
        let template = environment.get_template(NAME).map_err(failed)?;
        let mut output = Bounded {
            bytes: Vec::new(),
            limit: OUTPUT.saturating_add(input.saturating_mul(OUTPUT_PER_BYTE)),
        };
        template
            .render_captured_to(self.variables(messages, rendering), &mut output)
            .map_err(failed)?;
        String::from_utf8(output.bytes).map_err(|error| ChatError::Render {
            file: self.file.clone(),
            reason: error.to_string(),
        })
    }

    /// As transformers passes them: special tokens, then the chat, then the caller's own.
    fn variables(&self, messages: &[Message], rendering: &Rendering) -> Value {
        let now = rendering.now;
        let strftime = move |format: String| date::strftime(now, &format);
        let chat = [
            ("messages", Value::from(Serde(messages))),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            (
                "add_generation_prompt",
                Value::from(rendering.add_generation_prompt),
            ),
            ("strftime_now", Value::from_function(strftime)),
        ];
        let json = |(name, value): (&String, &serde_json::Value)| {
            (name.clone(), Value::from(Serde(value)))
        };
        let special = self.special_tokens.iter().map(json);
        let chat = chat
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let own = rendering.variables.iter().map(json);
        Value::from_pairs(special.chain(chat).chain(own))
    }

    fn failed(&self, error: &Error) -> ChatError {
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            if let Some(Refusal(message)) = error.downcast_ref() {
                let message = message.clone();
                return ChatError::Refused { message };
            }
            source = error.source();
        }
        ChatError::Render {
            file: self.file.clone(),
            reason: describe(error),
        }
    }
}

/// As transformers sets Jinja up.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .unwrap_or_default()
}

/// The message of an error with its line.
fn describe(error: &Error) -> String {
    match (error.line(), error.detail()) {
        (Some(line), Some(detail)) => format!("{} in line {line}: {detail}", error.kind()),
        (Some(line), None) => format!("{} in line {line}", error.kind()),
        _ => error.to_string(),
    }
}

/// What `raise_exception` was called with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn raise_exception(message: String) -> Result<Value, Error> {
    let error = Error::new(ErrorKind::InvalidOperation, "raise_exception");
    Err(error.with_source(Refusal(message)))
}

/// Refuses to grow past its limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit.saturating_sub(self.bytes.len()) {
            return Err(io::Error::other(format!(
                "more than {} bytes of output",
                self.limit
            )));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
