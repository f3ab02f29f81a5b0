//! What each token adds to a text, kept from one use to the next.
//!
//! With the decoders of nearly all models of today the text of tokens is made of what each of them stands for: bytes, in
//! byte-level tokenizers, or characters and single bytes, in those with byte fallback. For these a stream needs no decoder,
//! and a token's name is asked for once. All other decoders look at several tokens together and stay with the crate.

use std::sync::OnceLock;

use serde_json::Value;

/// How a tokenizer's decoder makes text of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decoding {
    /// Every token is a string of bytes, and text is their concatenation, with U+FFFD for what is no UTF-8.
    ByteLevel,
    /// Tokens `<0x00>` to `<0xFF>` are bytes, a run of which becomes text as a whole; all others are text with spaces
    /// written as `space`. Up to `strip` spaces at the beginning of the whole text are left out.
    ByteFallback { space: String, strip: usize },
    /// In another way, which has one of the two in it or none.
    Other(Inside),
}

/// What kind of bytes an unknown decoder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    ByteLevel,
    ByteFallback,
    Neither,
}

impl Decoding {
    /// By the tokenizer's decoder, as JSON. Whatever differs from the two known ways by a single field is another one.
    pub(super) fn of(decoder: &Value) -> Self {
        if kind(decoder) == Some("ByteLevel") {
            return Self::ByteLevel;
        }
        let decoders = decoder.get("decoders").and_then(Value::as_array);
        let known = match decoders.map(Vec::as_slice).unwrap_or_default() {
            [one] if kind(one) == Some("ByteLevel") => Some(Self::ByteLevel),
            [replace, fallback, fuse] => by_fallback([replace, fallback, fuse], Some(0)),
            [replace, fallback, fuse, strip] => {
                by_fallback([replace, fallback, fuse], stripped(strip))
            }
            _ => None,
        };
        known.unwrap_or_else(|| {
            let text = decoder.to_string();
            Self::Other(match text {
                _ if text.contains("\"ByteFallback\"") => Inside::ByteFallback,
                _ if text.contains("\"ByteLevel\"") => Inside::ByteLevel,
                _ => Inside::Neither,
            })
        })
    }
}

fn kind(decoder: &Value) -> Option<&str> {
    decoder.get("type")?.as_str()
}

/// `Replace`, `ByteFallback` and `Fuse` in this order, then a strip of spaces.
fn by_fallback(decoders: [&Value; 3], strip: Option<usize>) -> Option<Decoding> {
    let [replace, _, _] = decoders;
    let space = replace.pointer("/pattern/String")?.as_str()?;
    let known = decoders.map(kind) == [Some("Replace"), Some("ByteFallback"), Some("Fuse")]
        && replace.get("content")?.as_str() == Some(" ")
        && !space.is_empty();
    let space = space.to_owned();
    known.then_some(Decoding::ByteFallback {
        space,
        strip: strip?,
    })
}

/// How many spaces a `Strip` takes from the beginning, if that is all it does.
fn stripped(decoder: &Value) -> Option<usize> {
    let is = |field: &str, value: &str| decoder.get(field).and_then(Value::as_str) == Some(value);
    let count = |field: &str| decoder.get(field).and_then(Value::as_u64);
    let spaces = is("type", "Strip") && is("content", " ") && count("stop") == Some(0);
    spaces
        .then(|| usize::try_from(count("start")?).ok())
        .flatten()
}

/// A token that the tokenizer knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) special: bool,
    pub(super) piece: Piece,
}

/// What one token adds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A byte of a run.
    Byte(u8),
    Bytes(Box<[u8]>),
    Text(Box<str>),
    /// Something that only the crate's decoder can tell.
    Opaque,
}

/// Tokens by id, made when they are first asked for; `None` where there is no such token.
pub(super) struct Pieces {
    decoding: Decoding,
    known: Box<[OnceLock<Option<Token>>]>,
}

impl Pieces {
    /// Keeps the pieces of ids below `len`.
    pub(super) fn new(decoding: Decoding, len: usize) -> Self {
        Self {
            decoding,
            known: (0..len).map(|_| OnceLock::new()).collect(),
        }
    }

    pub(super) fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// Hands the token `id` to `with`. `name` tells its name in texts, and whether it is special.
    pub(super) fn with<T>(
        &self,
        id: u32,
        name: impl FnOnce() -> Option<(String, bool)>,
        with: impl FnOnce(Option<&Token>) -> T,
    ) -> T {
        let make = || {
            name().map(|(name, special)| Token {
                special,
                piece: self.decoding.piece(&name),
            })
        };
        let kept = usize::try_from(id).ok().and_then(|id| self.known.get(id));
        match kept {
            Some(kept) => with(kept.get_or_init(make).as_ref()),
            None => with(make().as_ref()),
        }
    }
}

impl Decoding {
    fn piece(&self, name: &str) -> Piece {
        match self {
            Self::ByteLevel => Piece::Bytes(bytes(name).into()),
            Self::ByteFallback { space, .. } => match byte(name) {
                Some(byte) => Piece::Byte(byte),
                None => Piece::Text(name.replace(space.as_str(), " ").into()),
            },
            Self::Other(Inside::ByteFallback) => byte(name).map_or(Piece::Opaque, Piece::Byte),
            Self::Other(_) => Piece::Opaque,
        }
    }
}

/// The bytes that a byte-level token's name writes, a character each, as GPT-2 introduced it; a name with other
/// characters, as added tokens have, is text.
fn bytes(name: &str) -> Vec<u8> {
    let written: Option<Vec<u8>> = name.chars().map(byte_of).collect();
    written.unwrap_or_else(|| name.as_bytes().to_vec())
}

/// Printable characters of Latin 1 stand for their own bytes; the others, in order, for what follows them from U+0100.
fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The byte that a token of a byte fallback stands for, by the crate's own condition.
fn byte(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2)
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_byte_has_one_character() {
        let mut seen = [0; 256];
        for code in 0..=0x400 {
            if let Some(byte) = char::from_u32(code).and_then(byte_of) {
                seen[usize::from(byte)] += 1;
            }
        }
        assert_eq!(seen, [1; 256]);
        assert_eq!(bytes("Ġä"), b" \xe4");
        assert_eq!(
            bytes("<|é—|>"),
            "<|é—|>".as_bytes(),
            "not all of it is written so"
        );
    }

    #[test]
    fn only_the_two_known_ways_are_taken_apart() {
        let replace = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
        let fallback = json!({"type": "ByteFallback"});
        let fuse = json!({"type": "Fuse"});
        let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
        let sequence =
            |decoders: &[&Value]| Decoding::of(&json!({"type": "Sequence", "decoders": decoders}));
        let known = |strip| Decoding::ByteFallback {
            space: "▁".to_owned(),
            strip,
        };
        assert_eq!(sequence(&[&replace, &fallback, &fuse, &strip]), known(1));
        assert_eq!(sequence(&[&replace, &fallback, &fuse]), known(0));
        let level = json!({"type": "ByteLevel", "add_prefix_space": true});
        assert_eq!(Decoding::of(&level), Decoding::ByteLevel);
        assert_eq!(sequence(&[&level]), Decoding::ByteLevel);
        let both_ends = json!({"type": "Strip", "content": " ", "start": 1, "stop": 1});
        for other in [
            &[&replace, &fallback, &fuse, &both_ends][..],
            &[&fallback, &replace, &fuse],
            &[&replace, &fallback],
            &[&level, &fuse],
            &[],
        ] {
            assert!(matches!(sequence(other), Decoding::Other(_)), "{other:?}");
        }
        let other = |decoder| match Decoding::of(&decoder) {
            Decoding::Other(inside) => inside,
            known => panic!("{known:?} is one of the two"),
        };
        assert_eq!(other(Value::Null), Inside::Neither);
        assert_eq!(other(json!({"type": "Metaspace"})), Inside::Neither);
        assert_eq!(
            other(json!({"type": "Sequence", "decoders": [level, fuse]})),
            Inside::ByteLevel
        );
        assert_eq!(other(fallback), Inside::ByteFallback);
    }
}
