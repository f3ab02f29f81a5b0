//! The text of one sequence's output.

use std::sync::Arc;

use super::{StopStrings, TextStream};

/// What one token adds to the output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Text that nothing can take back.
    pub text: String,
    /// The stop string that the token completed.
    pub stop: Option<Arc<str>>,
}

/// Detokenises and cuts at stop strings.
pub struct OutputText {
    stream: Box<dyn TextStream>,
    stops: StopStrings,
    at_stop: AtStop,
    /// Tokens to come in whose text no stop string counts.
    unarmed: usize,
    armed: bool,
}

/// What happens to the text of a stop string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtStop {
    Include,
    Cut,
}

impl OutputText {
    /// No stop string counts that ends in the text of the first `min_tokens` tokens.
    pub fn new(
        stream: Box<dyn TextStream>,
        stops: StopStrings,
        at_stop: AtStop,
        min_tokens: usize,
    ) -> Self {
        Self {
            stream,
            stops,
            at_stop,
            unarmed: min_tokens,
            armed: false,
        }
    }

    /// Adds a token.
    pub fn push(&mut self, token: u32) -> Piece {
        let mut text = String::new();
        self.stream.push(token, &mut text);
        self.armed = self.unarmed == 0;
        self.unarmed = self.unarmed.saturating_sub(1);
        self.search(&text)
    }

    /// Ends the output: what was held back, in which a stop string can still end.
    pub fn finish(&mut self) -> Piece {
        let mut text = String::new();
        self.stream.finish(&mut text);
        let mut piece = self.search(&text);
        if piece.stop.is_none() {
            piece.text.push_str(&self.stops.finish());
        }
        piece
    }

    /// An output that goes on from here by itself.
    pub fn fork(&self) -> Self {
        Self {
            stream: self.stream.fork(),
            stops: self.stops.clone(),
            at_stop: self.at_stop,
            unarmed: self.unarmed,
            armed: self.armed,
        }
    }

    fn search(&mut self, text: &str) -> Piece {
        if !self.armed {
            return Piece {
                text: self.stops.push_unarmed(text),
                stop: None,
            };
        }
        match self.stops.push(text) {
            Ok(text) => Piece { text, stop: None },
            Err(found) => {
                let mut text = found.before;
                if self.at_stop == AtStop::Include {
                    text.push_str(&found.stop);
                }
                Piece {
                    text,
                    stop: Some(found.stop),
                }
            }
        }
    }
}
