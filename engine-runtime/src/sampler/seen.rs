//! Which tokens a sequence has seen, for the penalties; kept only where a request uses one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::SeenToken;

/// Grows by one entry for each distinct token, in order of first sight. What the prompt has brought is shared by all
/// sequences that begin with it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    tokens: Vec<SeenToken>,
    /// Place in `tokens` of each token of the prompt.
    prompt: Arc<HashMap<u32, usize>>,
    /// The same of those that came with the output.
    output: HashMap<u32, usize>,
}

impl Seen {
    /// A sequence that begins with `prompt`.
    pub fn new(prompt: &[u32]) -> Self {
        let (mut tokens, mut places) = (Vec::new(), HashMap::new());
        for &token in prompt {
            places.entry(token).or_insert_with(|| {
                tokens.push(SeenToken { token, count: 0 });
                tokens.len() - 1
            });
        }
        Self {
            tokens,
            prompt: Arc::new(places),
            output: HashMap::new(),
        }
    }

    /// Adds a token of the output.
    pub fn push(&mut self, token: u32) {
        if let Some(place) = self.place(token) {
            self.tokens[place].count += 1;
        } else {
            self.output.insert(token, self.tokens.len());
            self.tokens.push(SeenToken { token, count: 1 });
        }
    }

    pub fn tokens(&self) -> &[SeenToken] {
        &self.tokens
    }

    /// Appends the tokens to `table`, as they will be once `pending` have become output.
    pub fn write(&self, pending: &[u32], table: &mut Vec<SeenToken>) {
        let start = table.len();
        table.extend_from_slice(&self.tokens);
        for &token in pending {
            let new = || table[start + self.tokens.len()..].iter();
            let place = self.place(token).or_else(|| {
                let place = new().position(|seen| seen.token == token)?;
                Some(self.tokens.len() + place)
            });
            match place {
                Some(place) => table[start + place].count += 1,
                None => table.push(SeenToken { token, count: 1 }),
            }
        }
    }

    fn place(&self, token: u32) -> Option<usize> {
        let output = || self.output.get(&token);
        self.prompt.get(&token).or_else(output).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_tokens_count_as_if_they_were_output() {
        let mut seen = Seen::new(&[5, 6, 5]);
        seen.push(6);
        seen.push(7);
        let pending = [7, 8, 5, 8];
        let mut table = vec![SeenToken { token: 9, count: 9 }];
        seen.write(&pending, &mut table);
        let mut later = seen.clone();
        pending.into_iter().for_each(|token| later.push(token));
        assert_eq!(table[1..], *later.tokens());
        let counts: Vec<_> = later.tokens().iter().map(|s| (s.token, s.count)).collect();
        assert_eq!(counts, [(5, 1), (6, 1), (7, 2), (8, 2)]);
    }
}
