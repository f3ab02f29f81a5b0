//! A tokenizer for tests and examples: token ids 0 to 255 are bytes, all others are special and have no text.

use super::{Detokenize, SpecialTokens, TextStream};

#[derive(Debug, Clone, Copy, Default)]
pub struct ByteText;

impl Detokenize for ByteText {
    fn stream(&self, _: SpecialTokens) -> Box<dyn TextStream> {
        Box::new(ByteStream(Vec::new()))
    }
}

/// The bytes that are not yet a whole character.
#[derive(Clone)]
struct ByteStream(Vec<u8>);

impl TextStream for ByteStream {
    fn push(&mut self, token: u32, text: &mut String) {
        self.0.extend(u8::try_from(token));
        while let Some(end) = certain(&self.0) {
            text.push_str(&String::from_utf8_lossy(&self.0[..end]));
            self.0.drain(..end);
        }
    }

    fn finish(&mut self, text: &mut String) {
        text.push_str(&String::from_utf8_lossy(&self.0));
        self.0.clear();
    }

    fn fork(&self) -> Box<dyn TextStream> {
        Box::new(self.clone())
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
