//! From what a user wrote to token ids.

use std::path::Path;
use std::time::SystemTime;

use engine_runtime::chat::{ChatTemplate, Message, Rendering};
use engine_runtime::tokenizer::{Around, Tokenizer};

use super::Failure;

/// A folder's tokenizer and chat template.
pub struct Prompter {
    pub tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    folder: String,
}

impl Prompter {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            tokenizer: Tokenizer::open(folder)?,
            template: ChatTemplate::open(folder)?,
            folder: folder.display().to_string(),
        })
    }

    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// The bare text, with what the tokenizer puts around it.
    pub fn raw(&self, text: &str) -> Result<Vec<u32>, Failure> {
        Ok(self.tokenizer.encode(text, Around::Add)?)
    }

    /// A chat by the model's template, up to where the assistant's answer begins.
    pub fn chat(&self, messages: &[Message]) -> Result<Vec<u32>, Failure> {
        let Some(template) = &self.template else {
            return Err(format!(
                "{} has no chat template; give the prompt as it is instead (`--raw`, or `prompt` in a batch)",
                self.folder
            )
            .into());
        };
        let rendering = Rendering {
            add_generation_prompt: true,
            variables: serde_json::Map::new(),
            now: SystemTime::now(),
        };
        let text = template.render(messages, &rendering)?;
        Ok(self.tokenizer.encode(&text, Around::Leave)?)
    }
}
