//! Text that grows with its tokens.
//!
//! A piece is given out when no later token can change it, so pieces are whole characters and together exactly the
//! text of all tokens decoded at once. Two things can change text in hindsight: bytes that complete a character, and
//! in tokenizers with byte fallback a byte that makes its whole run invalid.

mod window;

use super::Tokenizer;
use super::pieces::{Decoding, Piece};
use crate::text::{Characters, SpecialTokens, TextStream};
use window::Window;

/// The text of one growing sequence.
#[derive(Clone)]
pub(super) struct TokenStream {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    text: Text,
}

/// What is held back, by the way in which the tokenizer makes text.
#[derive(Clone)]
enum Text {
    ByteLevel(Characters),
    ByteFallback(Run),
    Other(Window),
}

impl TokenStream {
    pub(super) fn new(tokenizer: Tokenizer, special: SpecialTokens) -> Self {
        let text = match tokenizer.decoding() {
            Decoding::ByteLevel => Text::ByteLevel(Characters::default()),
            Decoding::ByteFallback { strip, .. } => Text::ByteFallback(Run {
                bytes: Vec::new(),
                strip: *strip,
            }),
            Decoding::Other(inside) => Text::Other(Window::new(*inside)),
        };
        Self {
            tokenizer,
            special,
            text,
        }
    }
}

impl TextStream for TokenStream {
    fn push(&mut self, token: u32, text: &mut String) {
        let Self {
            tokenizer,
            special,
            text: held,
        } = self;
        tokenizer.with_token(token, |found| {
            let Some(found) = found else {
                return;
            };
            if *special == SpecialTokens::Skip && found.special {
                return;
            }
            match (held, &found.piece) {
                (Text::ByteLevel(held), Piece::Bytes(bytes)) => held.push(bytes, text),
                (Text::ByteFallback(run), Piece::Byte(byte)) => run.bytes.push(*byte),
                (Text::ByteFallback(run), Piece::Text(piece)) => {
                    run.end(text);
                    run.give(piece, text);
                }
                (Text::Other(window), Piece::Byte(_)) => window.hold(token),
                (Text::Other(window), _) => window.push(tokenizer, token, text),
                (Text::ByteLevel(_) | Text::ByteFallback(_), _) => {}
            }
        });
    }

    fn finish(&mut self, text: &mut String) {
        match &mut self.text {
            Text::ByteLevel(held) => held.finish(text),
            Text::ByteFallback(run) => run.end(text),
            Text::Other(window) => window.finish(&self.tokenizer, text),
        }
    }

    fn fork(&self) -> Box<dyn TextStream> {
        Box::new(self.clone())
    }
}

/// A run of bytes in a tokenizer with byte fallback.
#[derive(Clone)]
struct Run {
    bytes: Vec<u8>,
    /// Spaces that the text may still lose at its beginning.
    strip: usize,
}

impl Run {
    /// A run that is not UTF-8 as a whole has no characters at all.
    fn end(&mut self, text: &mut String) {
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(run) => self.give(&run, text),
            Err(run) => {
                let replaced = char::REPLACEMENT_CHARACTER.to_string();
                self.give(&replaced.repeat(run.as_bytes().len()), text);
            }
        }
    }

    fn give(&mut self, piece: &str, text: &mut String) {
        let mut rest = piece;
        while self.strip > 0 && !rest.is_empty() {
            match rest.strip_prefix(' ') {
                Some(stripped) => (rest, self.strip) = (stripped, self.strip - 1),
                None => self.strip = 0,
            }
        }
        text.push_str(rest);
    }
}
