//! `engine run`: one prompt, one answer.

use std::io::{self, IsTerminal, Read, Write};

use engine_runtime::Recipe;
use engine_runtime::chat::Message;
use engine_runtime::engine::Event;
use engine_runtime::request::{Request, SamplingDefaults, SamplingFields};
use engine_runtime::tokenizer::Around;

use super::Failure;
use super::answer::Answer;
use super::entropy::entropy;
use super::format::Format;
use super::model::ModelFlags;
use super::prompt::{Chat, Prompter};
use super::sampling::SamplingFlags;

/// Answer one prompt: a chat turn by the model's template, or with --raw its bare continuation
#[derive(clap::Args)]
pub struct Run {
    /// What to ask [default: standard input]
    #[arg(value_name = "PROMPT")]
    text: Option<String>,
    /// The same, as a flag
    #[arg(long, value_name = "TEXT", conflicts_with = "text")]
    prompt: Option<String>,
    /// A system message in front of the prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the prompt as it is, without the chat template
    #[arg(long)]
    raw: bool,
    /// Text is streamed; JSON is one object at the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
}

impl Run {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let text = match self.text.or(self.prompt) {
            Some(text) => text,
            None => read_prompt()?,
        };
        let checkpoint = self.model.checkpoint()?;
        let prompter = Prompter::open(&self.model.model)?;
        let prompt = if self.raw {
            prompter.raw(&text, Around::Add)?
        } else {
            let system = self.system.map(|text| Message::new("system", text));
            let messages = system
                .into_iter()
                .chain([Message::new("user", text)])
                .collect();
            let chat = Chat {
                messages,
                ..Chat::default()
            };
            prompter.chat(chat, Around::Leave)?
        };
        // The flags are the request here.
        let defaults = SamplingDefaults {
            flags: SamplingFields::default(),
            model: checkpoint.generation.sampling.clone(),
        };
        let sampling = defaults.complete(self.sampling.fields());
        let mut engine = self.model.open::<R>(&checkpoint, &prompter.tokenizer)?;

        let stream = self.format == Format::Text && sampling.n == 1;
        let request = Request {
            prompt,
            sampling,
            cache_salt: None,
        };
        let request = engine.validate(request, entropy())?;
        let mut answer = Answer::new(&request);
        engine.submit(request)?;
        let mut out = io::stdout().lock();
        while !engine.is_idle() {
            for event in engine.step()? {
                if let Event::Token { text, .. } = &event
                    && stream
                {
                    out.write_all(text.as_bytes())?;
                    out.flush()?;
                }
                answer.add(event);
            }
        }
        match self.format {
            Format::Json => writeln!(out, "{}", answer.json(&prompter.tokenizer))?,
            Format::Text if stream => writeln!(out)?,
            Format::Text => {
                for (index, text) in answer.texts().enumerate() {
                    writeln!(out, "[{index}] {text}")?;
                }
            }
        }
        match answer.failure() {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }
}

fn read_prompt() -> Result<String, Failure> {
    let mut stdin = io::stdin();
    if stdin.is_terminal() {
        return Err("what should the model answer? give a PROMPT".into());
    }
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the prompt from standard input: {error}"))?;
    Ok(text)
}
