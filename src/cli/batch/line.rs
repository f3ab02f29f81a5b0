//! One line of a batch file.

use std::io::{BufRead, Read};

use engine_runtime::chat::Message;
use engine_runtime::request::{
    Fields, Request, RequestError, SamplingDefaults, SamplingFields, take_without_effect,
};
use engine_runtime::tokenizer::Around;
use serde_json::{Map, Value};

use crate::cli::Failure;
use crate::cli::prompt::{Chat, Prompter};

/// Bytes of the longest line: token ids of a context of a million tokens fit many times.
const LIMIT: u64 = 64 << 20;

/// A request as a line of JSON states it.
pub struct Line {
    prompt: Prompt,
    /// With what the tokenizer puts around the prompt's text.
    around: Around,
    sampling: SamplingFields,
    cache_salt: Option<String>,
}

enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    Chat(Chat),
}

/// Reads the next line, or `None` at the end.
pub fn read(input: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, Failure> {
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
    /// Takes all fields; whatever is left is unknown.
    pub fn take(mut fields: Fields) -> Result<Self, Failure> {
        let prompt = Prompt::take(&mut fields)?;
        let around = match (fields.take("add_special_tokens")?, &prompt) {
            (Some(true), _) | (None, Prompt::Text(_)) => Around::Add,
            // A chat template has written the beginning already.
            (Some(false), _) | (None, _) => Around::Leave,
        };
        let sampling = SamplingFields::take(&mut fields)?;
        let cache_salt = fields.take("cache_salt")?;
        take_without_effect(&mut fields)?;
        fields.finish()?;
        Ok(Self {
            prompt,
            around,
            sampling,
            cache_salt,
        })
    }

    /// The request, tokenised.
    pub fn request(
        self,
        prompter: &Prompter,
        defaults: &SamplingDefaults,
    ) -> Result<Request, Failure> {
        Ok(Request {
            prompt: match self.prompt {
                Prompt::Text(text) => prompter.raw(&text, self.around)?,
                Prompt::Tokens(tokens) => tokens,
                Prompt::Chat(chat) => prompter.chat(chat, self.around)?,
            },
            sampling: defaults.complete(self.sampling),
            cache_salt: self.cache_salt,
        })
    }
}

impl Prompt {
    fn take(fields: &mut Fields) -> Result<Self, Failure> {
        let prompt: Option<Value> = fields.take("prompt")?;
        let messages: Option<Vec<Message>> = fields.take("messages")?;
        let tools: Option<Vec<Map<String, Value>>> = fields.take("tools")?;
        let choice: Option<Value> = fields.take("tool_choice")?;
        let variables: Option<Map<String, Value>> = fields.take("chat_template_kwargs")?;
        let tools = match choice.as_ref().map(Value::as_str) {
            None | Some(Some("auto")) => tools.unwrap_or_default(),
            Some(Some("none")) => Vec::new(),
            Some(_) => {
                return Err(Box::new(RequestError::OutOfRange {
                    field: "tool_choice",
                    value: choice.unwrap_or_default().to_string(),
                    allowed: "\"auto\" or \"none\"; this engine cannot force a call".to_owned(),
                }));
            }
        };
        let variables = variables.unwrap_or_default();
        if let Some(name) = variables.keys().find(|name| is_the_chat(name)) {
            return Err(format!("`chat_template_kwargs` may not set `{name}`").into());
        }
        match (prompt, messages) {
            (None, Some(messages)) if messages.is_empty() => {
                Err("`messages` is empty: a chat begins with a message".into())
            }
            (None, Some(messages)) => Ok(Self::Chat(Chat {
                messages,
                tools: tools.into_iter().map(Value::Object).collect(),
                variables,
            })),
            (Some(_), Some(_)) => Err("`prompt` and `messages` exclude each other".into()),
            (None, None) => Err("`prompt` or `messages` is missing".into()),
            (Some(_), None) if !tools.is_empty() => Err("`tools` needs `messages`".into()),
            (Some(_), None) if !variables.is_empty() => {
                Err("`chat_template_kwargs` needs `messages`".into())
            }
            (Some(Value::String(text)), None) => Ok(Self::Text(text)),
            (Some(prompt), None) => match serde_json::from_value(prompt) {
                Ok(tokens) => Ok(Self::Tokens(tokens)),
                Err(error) => Err(format!(
                    "`prompt` is neither a string nor a list of token ids ({error}); a line holds one prompt"
                )
                .into()),
            },
        }
    }
}

/// Whether a template's variable is the chat itself, or code.
fn is_the_chat(name: &str) -> bool {
    [
        "messages",
        "tools",
        "documents",
        "add_generation_prompt",
        "continue_final_message",
        "chat_template",
        "strftime_now",
        "raise_exception",
    ]
    .contains(&name)
}
