//! Text that grows with its tokens.
//!
//! A piece is given out when no later token can change it, so pieces are whole characters and together exactly the
//! text of all tokens decoded at once. Two things can change text in hindsight: bytes that complete a character, and
//! in tokenizers with byte fallback a byte that makes its whole run invalid.

use super::{Bytes, Tokenizer};
use crate::text::{SpecialTokens, TextStream};

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Tokens in a window that nothing but invalid bytes can fill.
const LONGEST: usize = 64;

/// The text of one growing sequence.
#[derive(Clone)]
pub(super) struct TokenStream {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    /// The last tokens that have text: those of the piece before, which decide how a decoder treats the beginning
    /// of the next, and those whose text is not all given out.
    window: Vec<u32>,
    /// Where the second kind begins in `window`.
    fresh: usize,
    /// Bytes of the window's text that are given out.
    given: usize,
}

impl TokenStream {
    pub(super) fn new(tokenizer: Tokenizer, special: SpecialTokens) -> Self {
        Self {
            tokenizer,
            special,
            window: Vec::new(),
            fresh: 0,
            given: 0,
        }
    }

    /// Forgets tokens of a long window whose text ends inside a character again and again, as that of a model which
    /// repeats an invalid byte. UTF-8 finds itself again within four bytes, so the last tokens go on as all would.
    fn cut(&mut self) {
        self.window.drain(..self.window.len() - LONGEST / 4);
        self.fresh = 0;
        let whole = self.decode();
        self.given = whole.strip_suffix(REPLACEMENT).unwrap_or(&whole).len();
    }

    fn give(&mut self, whole: &str, end: usize, text: &mut String) {
        if let Some(piece) = whole.get(self.given..end) {
            text.push_str(piece);
            self.given = end;
        }
    }

    /// The window's text. A tokenizer that fails at decoding what it knows has a damaged file: its text is unknown.
    fn decode(&self) -> String {
        self.tokenizer
            .decode(&self.window, SpecialTokens::Keep)
            .unwrap_or_else(|_| REPLACEMENT.to_string())
    }
}

impl TextStream for TokenStream {
    fn push(&mut self, token: u32, text: &mut String) {
        let Some(name) = self.tokenizer.token_name(token) else {
            return;
        };
        if self.special == SpecialTokens::Skip && self.tokenizer.is_special(&name) {
            return;
        }
        self.window.push(token);
        if self.tokenizer.shared.bytes == Bytes::Fallback && is_byte(&name) {
            return;
        }
        let whole = self.decode();
        let certain = whole.strip_suffix(REPLACEMENT).unwrap_or(&whole).len();
        let before = self.given;
        self.give(&whole, certain, text);
        // Only a window whose fresh tokens have text can stand before others: a decoder that strips the first space
        // of a text must find it in tokens that are already out.
        if certain == whole.len() && self.given > before {
            self.window.drain(..self.fresh);
            self.fresh = self.window.len();
            self.given = self.decode().len();
        } else if self.tokenizer.shared.bytes == Bytes::Level && self.window.len() > LONGEST {
            self.cut();
        }
    }

    fn finish(&mut self, text: &mut String) {
        let whole = self.decode();
        self.give(&whole, whole.len(), text);
        self.window.clear();
        self.fresh = 0;
        self.given = 0;
    }

    fn fork(&self) -> Box<dyn TextStream> {
        Box::new(self.clone())
    }
}

/// Whether the decoder takes a token for a byte; the crate's own condition.
fn is_byte(name: &str) -> bool {
    name.len() == 6
        && name.starts_with("<0x")
        && name.ends_with('>')
        && name
            .get(3..5)
            .is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok())
}
