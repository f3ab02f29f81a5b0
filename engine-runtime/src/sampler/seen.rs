//! Which tokens a sequence has seen, for the penalties; kept only where a request uses one.

use std::collections::HashMap;

use crate::backend::SeenToken;

/// Grows by one entry for each distinct token, in order of first sight.
#[derive(Debug, Default)]
pub struct Seen {
    tokens: Vec<SeenToken>,
    /// Place of each token in `tokens`.
    places: HashMap<u32, usize>,
}

impl Seen {
    /// A sequence that begins with `prompt`.
    pub fn new(prompt: &[u32]) -> Self {
        let mut seen = Self::default();
        for &token in prompt {
            seen.entry(token);
        }
        seen
    }

    /// Adds a token of the output.
    pub fn push(&mut self, token: u32) {
        self.entry(token).count += 1;
    }

    pub fn tokens(&self) -> &[SeenToken] {
        &self.tokens
    }

    fn entry(&mut self, token: u32) -> &mut SeenToken {
        let place = *self.places.entry(token).or_insert_with(|| {
            self.tokens.push(SeenToken { token, count: 0 });
            self.tokens.len() - 1
        });
        &mut self.tokens[place]
    }
}
