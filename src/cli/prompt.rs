//! From what a user wrote to token ids.

use std::path::Path;
use std::time::SystemTime;

use engine_runtime::chat::{ChatTemplate, Message, Rendering};
use engine_runtime::tokenizer::{Around, Tokenizer};
use serde_json::{Map, Value};

use super::Failure;

/// A folder's tokenizer and chat template.
pub struct Prompter {
    pub tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    folder: String,
    /// What templates that write the date see: one for the whole run, which may last past midnight.
    now: SystemTime,
}

/// A chat as a request states it.
#[derive(Default)]
pub struct Chat {
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Value>,
    /// Further variables of the template.
    pub variables: Map<String, Value>,
}

impl Prompter {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            tokenizer: Tokenizer::open(folder)?,
            template: ChatTemplate::open(folder)?,
            folder: folder.display().to_string(),
            now: SystemTime::now(),
        })
    }

    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// The bare text, with or without what the tokenizer puts around it.
    pub fn raw(&self, text: &str, around: Around) -> Result<Vec<u32>, Failure> {
        Ok(self.tokenizer.encode(text, around)?)
    }

    /// A chat by the model's template, up to where the assistant's answer begins. `around` is for templates that leave
    /// the beginning to the tokenizer, which is rare.
    pub fn chat(&self, chat: Chat, around: Around) -> Result<Vec<u32>, Failure> {
        let Some(template) = &self.template else {
            return Err(format!(
                "{} has no chat template; give the prompt as it is instead (`--raw`, or `prompt` in a batch)",
                self.folder
            )
            .into());
        };
        let rendering = Rendering {
            add_generation_prompt: true,
            tools: chat.tools,
            variables: chat.variables,
            now: self.now,
        };
        let text = template.render(&chat.messages, &rendering)?;
        Ok(self.tokenizer.encode(&text, around)?)
    }
}
