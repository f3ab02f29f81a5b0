//! `engine batch`: many requests from a file of JSON lines.

mod line;
mod sink;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use engine_runtime::Recipe;
use engine_runtime::engine::{Engine, Event, RequestId};
use engine_runtime::request::SamplingParams;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::Failure;
use super::answer::Answer;
use super::entropy::entropy;
use super::model::{ModelFlags, progress_bar};
use super::prompt::Prompter;
use super::sampling::model_defaults;
use line::Line;
use sink::Sink;

/// Answer a file of requests, one JSON object a line, in the order of the file
///
/// A line has `prompt` (text or token ids) or `messages`, any sampling parameter by its vLLM name, and a `custom_id` that
/// comes back with the answer. A request that cannot be answered gets a line with `error`.
#[derive(clap::Args)]
pub struct Batch {
    /// Requests; `-` is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Where answers go; the file is there only when all of them are [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    model: ModelFlags,
}

/// Requests read ahead of the ones that run, for each sequence that can run: enough that no step waits for a line.
const READ_AHEAD: usize = 4;

impl Batch {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let (input, bytes) = open(&self.input)?;
        let checkpoint = self.model.checkpoint()?;
        let prompter = Prompter::open(&self.model.model)?;
        let engine = self
            .model
            .open::<R>(&checkpoint, Arc::new(prompter.tokenizer.clone()))?;
        let bar = progress_bar("answering", "bytes");
        bar.set_length(bytes);
        let mut desk = Desk {
            engine,
            prompter,
            defaults: model_defaults(&checkpoint.generation),
            open: VecDeque::new(),
            running: BTreeMap::new(),
            failed: 0,
            answered: 0,
        };
        let mut sink = Sink::create(self.out.as_deref())?;
        desk.serve(input, &mut sink, &bar)?;
        sink.finish()?;
        bar.finish_and_clear();
        match desk.failed {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} requests failed", desk.answered).into()),
        }
    }
}

/// Requests on their way, in the order of the file.
struct Desk<R: Recipe> {
    engine: Engine<R>,
    prompter: Prompter,
    defaults: SamplingParams,
    /// Lines that have not been written yet.
    open: VecDeque<Slot>,
    running: BTreeMap<RequestId, Running>,
    failed: usize,
    answered: usize,
}

/// A line of the input that is not yet one of the output.
enum Slot {
    Waiting(RequestId),
    Done(Value),
}

struct Running {
    custom_id: Option<Value>,
    answer: Answer,
}

impl<R: Recipe> Desk<R> {
    fn serve(
        &mut self,
        mut input: Box<dyn BufRead>,
        sink: &mut Sink,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let ahead = READ_AHEAD * R::LIMITS.max_seqs;
        let mut number = 0;
        let mut more = true;
        while more || !self.open.is_empty() {
            while more && self.running.len() < ahead {
                number += 1;
                let line = line::read(&mut input, number)?;
                more = line.is_some();
                if let Some(text) = line {
                    bar.inc(text.len() as u64);
                    if !text.trim_ascii().is_empty() {
                        self.take(&text, number);
                    }
                }
            }
            for event in self.engine.step()? {
                self.hear(event);
            }
            self.write(sink)?;
        }
        Ok(())
    }

    /// Reads one line into a request on its way, or into its error.
    fn take(&mut self, text: &[u8], number: usize) {
        let slot = match Line::parse(text, &self.defaults) {
            Ok(line) => {
                let custom_id = line.custom_id.clone();
                match self.submit(line) {
                    Ok(id) => Slot::Waiting(id),
                    Err(error) => self.refuse(custom_id, number, &error.to_string()),
                }
            }
            Err(line::Unreadable { custom_id, reason }) => self.refuse(custom_id, number, &reason),
        };
        self.open.push_back(slot);
    }

    fn submit(&mut self, line: Line) -> Result<RequestId, Failure> {
        let custom_id = line.custom_id.clone();
        let request = line.request(&self.prompter)?;
        let answer = Answer::new(request.prompt.clone(), request.sampling.n);
        let request = self.engine.validate(request, entropy())?;
        let id = self.engine.submit(request)?;
        self.running.insert(id, Running { custom_id, answer });
        Ok(id)
    }

    fn refuse(&mut self, custom_id: Option<Value>, number: usize, reason: &str) -> Slot {
        self.failed += 1;
        Slot::Done(with_id(
            custom_id,
            json!({ "error": format!("line {number}: {reason}") }),
        ))
    }

    fn hear(&mut self, event: Event) {
        let (Event::Token { id, .. } | Event::Finished { id, .. }) = &event;
        if let Some(running) = self.running.get_mut(id) {
            running.answer.add(event);
        }
    }

    /// Writes what is complete, up to the first line that is not.
    fn write(&mut self, sink: &mut Sink) -> Result<(), Failure> {
        while let Some(slot) = self.open.front() {
            let value = match slot {
                Slot::Done(value) => value.clone(),
                Slot::Waiting(id) => {
                    let Some(running) = self
                        .running
                        .get(id)
                        .filter(|running| running.answer.is_complete())
                    else {
                        return Ok(());
                    };
                    self.failed += usize::from(running.answer.failure().is_some());
                    let value = with_id(
                        running.custom_id.clone(),
                        running.answer.json(&self.prompter.tokenizer),
                    );
                    self.running.remove(id);
                    value
                }
            };
            self.open.pop_front();
            self.answered += 1;
            sink.write(&value)?;
        }
        Ok(())
    }
}

/// `object` with the caller's own name for it in front.
fn with_id(custom_id: Option<Value>, object: Value) -> Value {
    match (custom_id, object) {
        (Some(id), Value::Object(fields)) => {
            let mut named = serde_json::Map::new();
            named.insert("custom_id".to_owned(), id);
            named.extend(fields);
            Value::Object(named)
        }
        (_, object) => object,
    }
}

/// The requests, and how many bytes of them there are where that is known.
fn open(path: &std::path::Path) -> Result<(Box<dyn BufRead>, u64), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let named = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if metadata.is_dir() {
        return Err(format!("cannot read {}: it is a folder", path.display()).into());
    }
    Ok((Box::new(BufReader::new(file)), metadata.len()))
}
