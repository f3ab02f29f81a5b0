//! A tokenizer for tests and examples: token ids 0 to 255 are bytes, all others are special and have no text.

use super::{Detokenize, SpecialTokens, TextStream};

#[derive(Debug, Clone, Copy, Default)]
pub struct ByteText;

impl Detokenize for ByteText {
    fn stream(&self, _: SpecialTokens) -> Box<dyn TextStream> {
        Box::new(ByteStream::default())
    }
}

#[derive(Clone, Default)]
struct ByteStream(Characters);

impl TextStream for ByteStream {
    fn push(&mut self, token: u32, text: &mut String) {
        if let Ok(byte) = u8::try_from(token) {
            self.0.push(&[byte], text);
        }
    }

    fn finish(&mut self, text: &mut String) {
        self.0.finish(text);
    }

    fn fork(&self) -> Box<dyn TextStream> {
        Box::new(self.clone())
    }
}

/// Text from bytes that arrive in pieces: what it holds is not yet a whole character. All that it gives out is together
/// what [`String::from_utf8_lossy`] makes of all bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Characters(Vec<u8>);

impl Characters {
    /// Appends to `text` the characters that `bytes` make whole.
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.0.extend_from_slice(bytes);
        while let Some(end) = certain(&self.0) {
            text.push_str(&String::from_utf8_lossy(&self.0[..end]));
            self.0.drain(..end);
        }
    }

    /// Appends what is left: U+FFFD for the beginning of a character.
    pub(crate) fn finish(&mut self, text: &mut String) {
        text.push_str(&String::from_utf8_lossy(&self.0));
        self.0.clear();
    }
}

/// How many bytes no later byte can change: up to a character that is not whole yet.
fn certain(bytes: &[u8]) -> Option<usize> {
    let end = match std::str::from_utf8(bytes) {
        Ok(whole) => whole.len(),
        Err(error) => error.valid_up_to() + error.error_len().unwrap_or(0),
    };
    (end > 0).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_out_whole() {
        let mut stream = ByteText.stream(SpecialTokens::Skip);
        let mut pieces = Vec::new();
        for byte in "aä€😀".bytes().map(u32::from).chain([300, 0xe2, 0x41]) {
            let mut piece = String::new();
            stream.push(byte, &mut piece);
            pieces.push(piece);
        }
        assert_eq!(
            pieces,
            [
                "a",
                "",
                "ä",
                "",
                "",
                "€",
                "",
                "",
                "",
                "😀",
                "",
                "",
                "\u{fffd}A"
            ]
        );
    }
}
