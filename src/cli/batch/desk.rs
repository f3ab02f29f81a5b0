//! Requests between the input, the engine and the output.
//!
//! Answers are written in the order of the file, so an answer may be done long before it can be written. It no longer
//! counts as one on its way then, or a single long answer at the front would leave the engine with nothing else to do;
//! but it takes memory, and so reading stops when the held answers take too much of it.

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

use engine_runtime::Recipe;
use engine_runtime::engine::{Engine, Event, MAX_QUEUE, RequestId};
use engine_runtime::request::{Fields, SamplingDefaults};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::line::{self, Line};
use super::sink::Sink;
use crate::cli::Failure;
use crate::cli::answer::Answer;
use crate::cli::prompt::Prompter;

/// Requests on their way, for each sequence that can run: enough that no step waits for a line.
const READ_AHEAD: usize = 4;
/// Sequences that wait, at which reading stops: those of one more line would still fit the engine's queue.
const WAITING: usize = MAX_QUEUE / 2;
/// Bytes of answers that wait to be written, at which reading stops.
const HELD: usize = 256 << 20;
/// What a waiting answer takes beside its text.
const OVERHEAD: usize = 64;

/// Requests on their way, in the order of the file.
pub struct Desk<R: Recipe> {
    engine: Engine<R>,
    prompter: Prompter,
    defaults: SamplingDefaults,
    /// What seeds of lines without one are made of.
    seed: u64,
    lines: Lines,
    running: BTreeMap<RequestId, Running>,
    pub failed: u64,
}

struct Running {
    /// Of its line.
    number: u64,
    custom_id: Option<Value>,
    answer: Answer,
}

impl<R: Recipe> Desk<R> {
    pub fn new(
        engine: Engine<R>,
        prompter: Prompter,
        defaults: SamplingDefaults,
        seed: u64,
    ) -> Self {
        Self {
            engine,
            prompter,
            defaults,
            seed,
            lines: Lines::default(),
            running: BTreeMap::new(),
            failed: 0,
        }
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.lines.written
    }

    /// Answers all of `input`.
    pub fn serve(
        &mut self,
        mut input: Box<dyn BufRead>,
        sink: &mut Sink,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let ahead = READ_AHEAD * R::LIMITS.max_seqs;
        let mut read = 0;
        let mut more = true;
        while more || !self.lines.are_written() {
            while more && self.lines.has_room(ahead) && self.engine.load().waiting < WAITING {
                read += 1;
                let line = line::read(&mut input, read)?;
                more = line.is_some();
                if let Some(text) = line {
                    bar.inc(text.len() as u64);
                    if !text.trim_ascii().is_empty() {
                        self.take(&text, read);
                    }
                }
            }
            for event in self.engine.step()? {
                self.hear(event);
            }
            while let Some(answer) = self.lines.next() {
                sink.write(&answer)?;
            }
        }
        Ok(())
    }

    /// Reads one line into a request on its way, or into its error.
    fn take(&mut self, text: &[u8], read: u64) {
        let number = self.lines.open();
        let mut custom_id = None;
        if let Err(error) = self.submit(text, number, read, &mut custom_id) {
            self.failed += 1;
            let error = json!({ "error": format!("line {read}: {error}") });
            self.lines.close(number, with_id(custom_id, error));
        }
    }

    fn submit(
        &mut self,
        text: &[u8],
        number: u64,
        read: u64,
        custom_id: &mut Option<Value>,
    ) -> Result<(), Failure> {
        let mut fields = Fields::parse(text.trim_ascii())?;
        *custom_id = fields.take("custom_id")?;
        let request = Line::take(fields)?.request(&self.prompter, &self.defaults)?;
        let request = self.engine.validate(request, seed(self.seed, read))?;
        let answer = Answer::new(&request);
        let id = self.engine.submit(request)?;
        let running = Running {
            number,
            custom_id: custom_id.clone(),
            answer,
        };
        self.running.insert(id, running);
        Ok(())
    }

    fn hear(&mut self, event: Event) {
        let (Event::Token { id, .. } | Event::Finished { id, .. }) = event;
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        running.answer.add(event);
        if running.answer.is_complete()
            && let Some(running) = self.running.remove(&id)
        {
            self.failed += u64::from(running.answer.failure().is_some());
            let answer = running.answer.json(&self.prompter.tokenizer);
            self.lines
                .close(running.number, with_id(running.custom_id, answer));
        }
    }
}

/// A seed for a line that brings none: the same in every run, and another for each line (SplitMix64's finaliser, Steele
/// et al., "Fast splittable pseudorandom number generators").
fn seed(of_run: u64, line: u64) -> u64 {
    let mixed = of_run.wrapping_add(line.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// `object` with the caller's own name for it in front, as a line of text.
fn with_id(custom_id: Option<Value>, object: Value) -> String {
    match (custom_id, object) {
        (Some(id), Value::Object(fields)) => {
            let mut named = Map::new();
            named.insert("custom_id".to_owned(), id);
            named.extend(fields);
            Value::Object(named).to_string()
        }
        (_, object) => object.to_string(),
    }
}

/// Lines of the input that are not yet written, oldest first: `None` while on the way, else the answer.
#[derive(Default)]
struct Lines {
    open: VecDeque<Option<String>>,
    written: u64,
    on_the_way: usize,
    /// Bytes of answers in `open`.
    held: usize,
}

impl Lines {
    /// Whether another line may be read.
    fn has_room(&self, ahead: usize) -> bool {
        self.on_the_way < ahead && self.held < HELD
    }

    fn are_written(&self) -> bool {
        self.open.is_empty()
    }

    /// The number of a new line.
    fn open(&mut self) -> u64 {
        let number = self.written + self.open.len() as u64;
        self.open.push_back(None);
        self.on_the_way += 1;
        number
    }

    fn close(&mut self, number: u64, answer: String) {
        let slot = number
            .checked_sub(self.written)
            .and_then(|place| usize::try_from(place).ok())
            .and_then(|place| self.open.get_mut(place));
        if let Some(slot) = slot.filter(|slot| slot.is_none()) {
            self.on_the_way -= 1;
            self.held += answer.len() + OVERHEAD;
            *slot = Some(answer);
        }
    }

    /// The next answer to write, if it is there.
    fn next(&mut self) -> Option<String> {
        let answer = self.open.front_mut()?.take()?;
        self.open.pop_front();
        self.written += 1;
        self.held -= answer.len() + OVERHEAD;
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_at_the_front_keeps_no_other_from_running() {
        let mut lines = Lines::default();
        let first = lines.open();
        let mut written = Vec::new();
        for _ in 0..1000 {
            assert!(lines.has_room(4), "only what runs counts");
            let number = lines.open();
            lines.close(number, number.to_string());
            written.extend(lines.next());
        }
        assert!(written.is_empty(), "the order is that of the file");
        lines.close(first, "0".to_owned());
        while let Some(answer) = lines.next() {
            written.push(answer);
        }
        let expected: Vec<String> = (0..=1000).map(|number: u32| number.to_string()).collect();
        assert_eq!(written, expected);
        assert!(lines.are_written() && lines.held == 0 && lines.on_the_way == 0);
    }

    #[test]
    fn what_waits_to_be_written_has_a_bound() {
        let mut lines = Lines::default();
        lines.open();
        let mut read = 0;
        while lines.has_room(4) {
            let number = lines.open();
            lines.close(number, "x".repeat(1 << 20));
            read += 1;
            assert!(read < 1000, "memory has no bound");
        }
        assert!((200..=256).contains(&read), "{read}");
        lines.close(0, String::new());
        while lines.next().is_some() {}
        assert!(lines.has_room(4), "and room comes back");
    }

    #[test]
    fn only_so_many_are_on_the_way() {
        let mut lines = Lines::default();
        while lines.has_room(3) {
            lines.open();
        }
        assert_eq!(lines.on_the_way, 3);
        lines.close(1, String::new());
        assert!(lines.has_room(3));
    }

    #[test]
    fn seeds_of_lines_differ_and_repeat() {
        assert_eq!(seed(0, 1), seed(0, 1));
        assert_ne!(seed(0, 1), seed(0, 2));
        assert_ne!(seed(0, 1), seed(1, 1));
    }
}
