//! Chats to prompts, by a folder's chat template.
//!
//! A template is a Jinja program from somebody else's folder. It runs with bounds on steps, depth and output, sees
//! nothing but the chat, and is compiled once. What transformers adds to Jinja is here too: its functions, its
//! `tojson`, and Python's way to write values.

mod date;
mod message;
mod python;
mod source;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Map;

use crate::checkpoint::FileError;
use message::{ContentForm, text_part};
use source::Source;

pub use message::{Message, MessageError};

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

/// How a chat becomes a prompt.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// End with the beginning of the assistant's answer.
    pub add_generation_prompt: bool,
    /// The tools that the model may call, as OpenAI's API has them: `{"type": "function", "function": {...}}`.
    pub tools: Vec<serde_json::Value>,
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
    /// How the templates read content: that of all chats, and that of chats with tools where it is another one.
    forms: Vec<ContentForm>,
    /// `bos_token`, `eos_token` and their like.
    special_tokens: Map<String, serde_json::Value>,
}

/// Names of the templates, in transformers' words.
const NAMES: [&str; 2] = ["default", "tool_use"];
/// Depth of calls and includes.
const RECURSION: usize = 64;
/// Steps that any template may take; each 64 bytes that it makes count as one more.
const FUEL: u64 = 1_000_000;
/// Bytes of a prompt that any template may write, and how many more for each byte of its input.
const OUTPUT: usize = 1 << 20;
const OUTPUT_PER_BYTE: usize = 8;

impl ChatTemplate {
    /// The template of a folder, where it has one: `chat_template.jinja`, else `chat_template` in
    /// `tokenizer_config.json`, which may be a list, of which `default` is taken. A second one for chats with tools is
    /// `additional_chat_templates/tool_use.jinja`, or `tool_use` of that list.
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
        let templates = [Some(source.default), source.tool_use];
        let templates: Vec<String> = templates.into_iter().flatten().collect();
        for (name, template) in NAMES.into_iter().zip(&templates) {
            environment
                .add_template_owned(name, source::without_generation_tags(template))
                .map_err(|error| ChatError::Syntax {
                    file: source.file.clone(),
                    reason: describe(&error),
                })?;
        }
        let mut opened = Self {
            file: source.file,
            environment,
            forms: Vec::new(),
            special_tokens: source.special_tokens,
        };
        let named = NAMES.into_iter().zip(&templates);
        opened.forms = named.map(|(name, _)| opened.form(name)).collect();
        Ok(Some(opened))
    }

    /// How a template reads `content`, by what it makes of a chat in either form. vLLM looks for a loop over it in the
    /// template's code instead.
    fn form(&self, name: &str) -> ContentForm {
        const MARK: &str = "3c1f9a";
        let rendering = Rendering {
            add_generation_prompt: false,
            tools: Vec::new(),
            variables: Map::new(),
            now: SystemTime::UNIX_EPOCH,
        };
        let reads = |content: serde_json::Value| {
            let messages = [serde_json::json!({ "role": "user", "content": content })];
            let prompt = self.prompt(name, &messages, MARK.len(), &rendering);
            // A list that is written out as it stands has not been read.
            prompt.is_ok_and(|prompt| prompt.contains(MARK) && !prompt.contains("{'type'"))
        };
        match (reads(MARK.into()), reads(vec![text_part(MARK)].into())) {
            (true, true) => ContentForm::Either,
            (false, true) => ContentForm::Parts,
            (_, false) => ContentForm::Text,
        }
    }

    /// The prompt of a chat. It holds its special tokens: encode it with [`Around::Leave`](crate::tokenizer::Around).
    ///
    /// # Errors
    /// If the template refuses the chat, fails, or takes more steps or writes more bytes than any sound one would.
    pub fn render(&self, messages: &[Message], rendering: &Rendering) -> Result<String, ChatError> {
        let mut templates = NAMES.into_iter().zip(self.forms.iter().copied());
        let default = templates.next();
        let tool_use = templates.next().filter(|_| !rendering.tools.is_empty());
        let (name, form) = tool_use
            .or(default)
            .expect("a template that opens has a form");
        let shown: Vec<_> = messages.iter().map(|message| message.shown(form)).collect();
        let messages: usize = messages.iter().map(Message::bytes).sum();
        let tools: usize = rendering.tools.iter().map(message::bytes).sum();
        self.prompt(name, &shown, messages + tools, rendering)
    }

    /// `input` is how many bytes the chat has.
    fn prompt(
        &self,
        name: &str,
        messages: &[serde_json::Value],
        input: usize,
        rendering: &Rendering,
    ) -> Result<String, ChatError> {
        let failed = |error: Error| self.failed(&error);
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL.saturating_add(input as u64)));
        let template = environment.get_template(name).map_err(failed)?;
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
    fn variables(&self, messages: &[serde_json::Value], rendering: &Rendering) -> Value {
        let now = rendering.now;
        let strftime = move |format: String| date::strftime(now, &format);
        let tools = match rendering.tools.as_slice() {
            [] => Value::from(()),
            tools => Value::from(Serde(tools)),
        };
        let chat = [
            ("messages", Value::from(Serde(messages))),
            ("tools", tools),
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
