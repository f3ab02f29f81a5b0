//! Answers: a request's events gathered, and the object that they become in JSON.

use engine_runtime::engine::{Event, FinishReason, StopReason};
use engine_runtime::parts::TokenLogprobs;
use engine_runtime::request::ValidatedRequest;
use engine_runtime::text::SpecialTokens;
use engine_runtime::tokenizer::Tokenizer;
use serde::Serialize;
use serde_json::{Value, json};

/// JSON has no minus infinity; OpenAI's clients know this number for it.
const NEVER: f32 = -9999.0;

/// One request's sequences as far as they have come.
pub struct Answer {
    prompt: Vec<u32>,
    sequences: Vec<Sequence>,
}

#[derive(Default)]
struct Sequence {
    tokens: Vec<u32>,
    text: String,
    logprobs: Vec<TokenLogprobs>,
    end: Option<(FinishReason, Option<f64>)>,
}

impl Answer {
    /// Takes a checked request: the place of its sequences is made here, however many an unchecked one asks for.
    pub fn new(request: &ValidatedRequest) -> Self {
        let sequences = 0..request.sampling().n;
        Self {
            prompt: request.prompt().to_vec(),
            sequences: sequences.map(|_| Sequence::default()).collect(),
        }
    }

    /// Takes an event of this request.
    pub fn add(&mut self, event: Event) {
        let (Event::Token { sequence, .. } | Event::Finished { sequence, .. }) = &event;
        let Some(sequence) = usize::try_from(*sequence)
            .ok()
            .and_then(|index| self.sequences.get_mut(index))
        else {
            return;
        };
        match event {
            Event::Token {
                token,
                text,
                logprobs,
                ..
            } => {
                sequence.tokens.push(token);
                sequence.text.push_str(&text);
                sequence.logprobs.extend(logprobs);
            }
            Event::Finished {
                reason,
                cumulative_logprob,
                ..
            } => sequence.end = Some((reason, cumulative_logprob)),
        }
    }

    pub fn is_complete(&self) -> bool {
        self.sequences.iter().all(|sequence| sequence.end.is_some())
    }

    /// What went wrong with the request, if something did.
    pub fn failure(&self) -> Option<String> {
        self.sequences
            .iter()
            .find_map(|sequence| match &sequence.end {
                Some((FinishReason::Error(failure), _)) => Some(failure.to_string()),
                _ => None,
            })
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.sequences.iter().map(|sequence| sequence.text.as_str())
    }

    /// One sequence lies flat beside its prompt; several are a list of `choices`.
    pub fn json(&self, tokenizer: &Tokenizer) -> Value {
        let mut choices: Vec<Value> = self
            .sequences
            .iter()
            .map(|sequence| sequence.json(tokenizer))
            .collect();
        let mut object = json!({ "prompt_token_ids": self.prompt });
        match (choices.as_mut_slice(), object.as_object_mut()) {
            ([Value::Object(only)], Some(object)) => object.append(only),
            (_, Some(object)) => {
                object.insert("choices".to_owned(), Value::Array(choices));
            }
            (_, None) => {}
        }
        object
    }
}

impl Sequence {
    fn json(&self, tokenizer: &Tokenizer) -> Value {
        let (reason, cumulative_logprob) = match &self.end {
            Some((reason, cumulative)) => (Some(reason), *cumulative),
            None => (None, None),
        };
        let mut object = json!({
            "token_ids": self.tokens,
            "text": self.text,
            "finish_reason": reason.map(FinishReason::name),
        });
        if let Some(object) = object.as_object_mut() {
            match reason {
                Some(FinishReason::Stop(StopReason::Text(text))) => {
                    object.insert("stop_reason".to_owned(), json!(&**text));
                }
                Some(FinishReason::Stop(StopReason::Token(id))) => {
                    object.insert("stop_reason".to_owned(), json!(id));
                }
                Some(FinishReason::Error(failure)) => {
                    object.insert("error".to_owned(), json!(failure.to_string()));
                }
                _ => {}
            }
            if let Some(cumulative) = cumulative_logprob {
                let logprobs = self.tokens.iter().zip(&self.logprobs);
                let positions: Vec<Position> = logprobs
                    .map(|(&id, logprobs)| Position::new(id, logprobs, tokenizer))
                    .collect();
                object.insert("logprobs".to_owned(), json!(positions));
                object.insert("cumulative_logprob".to_owned(), json!(cumulative));
            }
        }
        object
    }
}

/// The logprobs at one position of an output.
#[derive(Serialize)]
struct Position {
    #[serde(flatten)]
    chosen: Candidate,
    rank: u32,
    top_logprobs: Vec<Candidate>,
}

#[derive(Serialize)]
struct Candidate {
    token_id: u32,
    token: String,
    logprob: f32,
}

impl Position {
    fn new(id: u32, logprobs: &TokenLogprobs, tokenizer: &Tokenizer) -> Self {
        Self {
            chosen: Candidate::new(id, logprobs.logprob, tokenizer),
            rank: logprobs.rank,
            top_logprobs: logprobs
                .top
                .iter()
                .map(|&(id, logprob)| Candidate::new(id, logprob, tokenizer))
                .collect(),
        }
    }
}

impl Candidate {
    fn new(token_id: u32, logprob: f32, tokenizer: &Tokenizer) -> Self {
        Self {
            token_id,
            token: tokenizer
                .decode(&[token_id], SpecialTokens::Keep)
                .unwrap_or_default(),
            logprob: logprob.max(NEVER),
        }
    }
}
