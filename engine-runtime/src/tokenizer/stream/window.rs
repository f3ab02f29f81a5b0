//! Text by a decoder that only the crate knows: the last tokens are decoded again and again, and what is new and certain
//! is given out.

use super::Tokenizer;
use crate::text::SpecialTokens;
use crate::tokenizer::pieces::Inside;

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Tokens in a window that nothing but invalid bytes can fill.
const LONGEST: usize = 64;

/// The last tokens of one growing sequence.
#[derive(Clone)]
pub(super) struct Window {
    inside: Inside,
    /// The last tokens that have text: those of the piece before, which decide how a decoder treats the beginning
    /// of the next, and those whose text is not all given out.
    tokens: Vec<u32>,
    /// Where the second kind begins in `tokens`.
    fresh: usize,
    /// Bytes of the tokens' text that are given out.
    given: usize,
}

impl Window {
    pub(super) fn new(inside: Inside) -> Self {
        Self {
            inside,
            tokens: Vec::new(),
            fresh: 0,
            given: 0,
        }
    }

    /// Adds a byte of a run, which has text only when the run ends.
    pub(super) fn hold(&mut self, token: u32) {
        self.tokens.push(token);
    }

    pub(super) fn push(&mut self, tokenizer: &Tokenizer, token: u32, text: &mut String) {
        self.tokens.push(token);
        let whole = self.decode(tokenizer);
        let certain = whole.strip_suffix(REPLACEMENT).unwrap_or(&whole).len();
        let before = self.given;
        self.give(&whole, certain, text);
        // Only a window whose fresh tokens have text can stand before others: a decoder that strips the first space
        // of a text must find it in tokens that are already out.
        if certain == whole.len() && self.given > before {
            self.tokens.drain(..self.fresh);
            self.fresh = self.tokens.len();
            self.given = self.decode(tokenizer).len();
        } else if self.inside == Inside::ByteLevel && self.tokens.len() > LONGEST {
            self.cut(tokenizer);
        }
    }

    pub(super) fn finish(&mut self, tokenizer: &Tokenizer, text: &mut String) {
        let whole = self.decode(tokenizer);
        self.give(&whole, whole.len(), text);
        *self = Self::new(self.inside);
    }

    /// Forgets tokens of a long window whose text ends inside a character again and again, as that of a model which
    /// repeats an invalid byte. UTF-8 finds itself again within four bytes, so the last tokens go on as all would.
    fn cut(&mut self, tokenizer: &Tokenizer) {
        self.tokens.drain(..self.tokens.len() - LONGEST / 4);
        self.fresh = 0;
        let whole = self.decode(tokenizer);
        self.given = whole.strip_suffix(REPLACEMENT).unwrap_or(&whole).len();
    }

    fn give(&mut self, whole: &str, end: usize, text: &mut String) {
        if let Some(piece) = whole.get(self.given..end) {
            text.push_str(piece);
            self.given = end;
        }
    }

    /// The window's text. A tokenizer that fails at decoding what it knows has a damaged file: its text is unknown.
    fn decode(&self, tokenizer: &Tokenizer) -> String {
        tokenizer
            .decode(&self.tokens, SpecialTokens::Keep)
            .unwrap_or_else(|_| REPLACEMENT.to_string())
    }
}
