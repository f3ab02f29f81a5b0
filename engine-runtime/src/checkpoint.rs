//! A model as a Hugging Face folder: `config.json`, `generation_config.json` and safetensors shards.
//!
//! Everything here comes from files that somebody else wrote. Opening reads the JSON files and the headers of the
//! shards, each behind a size limit, and checks all that can be known from them; weights stay mapped until a model
//! packs them. Which tensors a model wants is not known here: see [`crate::models`].

mod error;
mod finder;
mod fit;
mod generation;
mod shard;
mod tensors;

use std::path::{Path, PathBuf};

pub use engine_model::{Config, FileError};
pub use error::{CheckpointError, LoadError};
pub use finder::Finder;
pub use fit::{Fit, Memory, StoredAs};
pub use generation::GenerationConfig;
pub use tensors::{HostVector, Tensors};

pub(crate) use engine_model::{Object, read_bounded};

/// A folder whose JSON files and shard headers are sound.
#[derive(Debug)]
pub struct Checkpoint {
    pub dir: PathBuf,
    pub config: Config,
    pub generation: GenerationConfig,
    pub tensors: Tensors,
}

impl Checkpoint {
    /// Reads the small files and the headers; maps the weights without touching them.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        Ok(Self {
            dir: dir.to_path_buf(),
            config: Config::open(dir)?,
            generation: GenerationConfig::read(dir)?,
            tensors: Tensors::open(dir)?,
        })
    }

    /// Token ids that end a text, as vLLM has them: of `generation_config.json`, else of `config.json`; and the
    /// tokenizer's own, which fine-tunes for chats change and the others often forget to.
    pub fn eos_token_ids(&self, tokenizer: Option<u32>) -> Vec<u32> {
        let mut ids = match self.generation.eos_token_ids.as_slice() {
            [] => self.config.eos_token_ids.clone(),
            ids => ids.to_vec(),
        };
        ids.extend(tokenizer.filter(|id| !ids.contains(id)));
        ids
    }
}
