//! Text to tokens and back, by a folder's `tokenizer.json`.
//!
//! The tokenizers crate does the work. It can panic on a damaged file, in loading and later, so every call into it
//! is made behind a guard that turns a panic into an error.

mod pieces;
mod settings;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{FileError, read_bounded};
use crate::guard;
use crate::text::{Detokenize, SpecialTokens, TextStream};

use pieces::{Decoding, Pieces, Token};
use stream::TokenStream;
use tokenizers::Model;

pub(crate) use settings::TokenizerSettings;

/// Bytes of a `tokenizer.json`; those of the largest vocabularies have some 35 million.
const FILE_LIMIT: u64 = 128 << 20;

/// Why a text cannot become tokens, or tokens a text.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("there is no {}", file.display())]
    Missing { file: PathBuf },
    #[error("{} is not a sound tokenizer: {reason}", file.display())]
    Invalid { file: PathBuf, reason: String },
    #[error("cannot encode a text of {bytes} bytes with {}: {reason}", file.display())]
    Encode {
        file: PathBuf,
        bytes: usize,
        reason: String,
    },
    #[error("cannot decode {tokens} tokens with {}: {reason}", file.display())]
    Decode {
        file: PathBuf,
        tokens: usize,
        reason: String,
    },
}

/// Whether an encoded text gets what the tokenizer puts around it, such as a token for its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// For a bare prompt.
    Add,
    /// For a text that has it already, as what a chat template makes.
    Leave,
}

/// A tokenizer; clones share one.
#[derive(Clone)]
pub struct Tokenizer {
    shared: Arc<Shared>,
}

struct Shared {
    file: PathBuf,
    inner: tokenizers::Tokenizer,
    pieces: Pieces,
    eos: Option<u32>,
}

impl Tokenizer {
    /// Reads the `tokenizer.json` of a folder, and its special tokens from the files beside it.
    ///
    /// # Errors
    /// If a file is missing, too large, damaged, or makes the tokenizers crate panic.
    pub fn open(dir: &Path) -> Result<Self, TokenizerError> {
        let file = dir.join("tokenizer.json");
        let Some(bytes) = read_bounded(&file, FILE_LIMIT)? else {
            return Err(TokenizerError::Missing { file });
        };
        let settings = TokenizerSettings::read(dir)?;
        match guard(|| load(&bytes)) {
            Ok((inner, pieces)) => {
                let eos = settings.special_token("eos_token");
                let eos = eos.and_then(|name| inner.token_to_id(name));
                let shared = Shared {
                    file,
                    inner,
                    pieces,
                    eos,
                };
                Ok(Self {
                    shared: Arc::new(shared),
                })
            }
            Err(reason) => Err(TokenizerError::Invalid { file, reason }),
        }
    }

    /// The token that ends a text by the tokenizer's own settings (`eos_token` of `tokenizer_config.json` or
    /// `special_tokens_map.json`), where it knows the token.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.shared.eos
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// If the tokenizer has no token for a part of it and none for the unknown, or panics.
    pub fn encode(&self, text: &str, around: Around) -> Result<Vec<u32>, TokenizerError> {
        let add = around == Around::Add;
        guard(|| self.shared.inner.encode_fast(text, add))
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|reason| TokenizerError::Encode {
                file: self.shared.file.clone(),
                bytes: text.len(),
                reason,
            })
    }

    /// The text of tokens; ids that the tokenizer does not know have none.
    pub fn decode(&self, tokens: &[u32], special: SpecialTokens) -> Result<String, TokenizerError> {
        let skip = special == SpecialTokens::Skip;
        guard(|| self.shared.inner.decode(tokens, skip)).map_err(|reason| TokenizerError::Decode {
            file: self.shared.file.clone(),
            tokens: tokens.len(),
            reason,
        })
    }

    /// The id of a token by its exact name.
    pub fn token_id(&self, name: &str) -> Option<u32> {
        self.shared.inner.token_to_id(name)
    }

    /// The exact name of a token; its text may differ.
    pub fn token_name(&self, id: u32) -> Option<String> {
        self.shared.inner.id_to_token(id)
    }

    /// Tokens that the tokenizer knows, added ones included. A model's vocabulary may be larger, for alignment.
    pub fn vocab_size(&self) -> usize {
        self.shared.inner.get_vocab_size(true)
    }

    fn decoding(&self) -> &Decoding {
        self.shared.pieces.decoding()
    }

    /// Hands a token to `with`; `None` where the tokenizer does not know it.
    fn with_token<T>(&self, id: u32, with: impl FnOnce(Option<&Token>) -> T) -> T {
        let inner = &self.shared.inner;
        let name = || {
            let added = inner.get_added_vocabulary();
            // The name that the crate decodes, which for an added token can be a normalised one.
            let name = added.simple_id_to_token(id);
            let name = name.or_else(|| inner.get_model().id_to_token(id))?;
            let special = added.is_special_token(&name);
            Some((name, special))
        };
        self.shared.pieces.with(id, name, with)
    }
}

impl Detokenize for Tokenizer {
    fn stream(&self, special: SpecialTokens) -> Box<dyn TextStream> {
        Box::new(TokenStream::new(self.clone(), special))
    }
}

fn load(bytes: &[u8]) -> tokenizers::Result<(tokenizers::Tokenizer, Pieces)> {
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes)?;
    // A limit from the tokenizer's training would cut prompts without a word; the engine has its own.
    inner.with_truncation(None)?;
    inner.with_padding(None);
    let decoder = serde_json::to_value(inner.get_decoder())?;
    let pieces = Pieces::new(Decoding::of(&decoder), inner.get_vocab_size(true));
    Ok((inner, pieces))
}

/// Runs a call into the crate; an error or a panic of it becomes its message.
fn guard<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    // Nothing of ours is changed by the call, and the crate's tokenizer is not changed by encoding and decoding.
    match guard::guard(call) {
        Ok(result) => result.map_err(|error| error.to_string()),
        // What it panics with is of its own arithmetic, and differs between builds.
        Err(panicked) => Err(format!("the tokenizers crate fails with: {panicked}")),
    }
}
