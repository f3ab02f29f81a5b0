//! The tokens of a sequence: a prompt that other sequences may share, then its own output.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct Tokens {
    prompt: Arc<[u32]>,
    output: Vec<u32>,
}

impl Tokens {
    pub fn new(prompt: Arc<[u32]>) -> Self {
        let output = Vec::new();
        Self { prompt, output }
    }

    /// The prompt, for another sequence.
    pub fn share_prompt(&self) -> Arc<[u32]> {
        Arc::clone(&self.prompt)
    }

    pub fn len(&self) -> usize {
        self.prompt.len() + self.output.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of the prompt.
    pub fn prompt_len(&self) -> usize {
        self.prompt.len()
    }

    pub fn at(&self, position: usize) -> Option<u32> {
        let behind = || self.output.get(position - self.prompt.len());
        self.prompt.get(position).or_else(behind).copied()
    }

    pub fn extend(&mut self, tokens: &[u32]) {
        self.output.extend_from_slice(tokens);
    }

    /// Those at `positions`, which exist; copied only where they lie partly in the prompt.
    pub fn range(&self, positions: Range<usize>) -> Cow<'_, [u32]> {
        let edge = self.prompt.len();
        if positions.end <= edge {
            return self.prompt[positions].into();
        }
        if positions.start >= edge {
            return self.output[positions.start - edge..positions.end - edge].into();
        }
        let (prompt, output) = (&self.prompt[positions.start..], &self.output);
        [prompt, &output[..positions.end - edge]].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_and_output_read_as_one() {
        let mut tokens = Tokens::new([1, 2, 3].into());
        tokens.extend(&[4, 5]);
        let whole = [1, 2, 3, 4, 5];
        for start in 0..=5 {
            for end in start..=5 {
                assert_eq!(*tokens.range(start..end), whole[start..end]);
            }
            assert_eq!(tokens.at(start), whole.get(start).copied());
        }
    }
}
