//! When a model's dimensions are known, and the config.json that a profile bakes them in from.
//!
//! The file is read by [`engine_model::Config`], as the runtime reads the checkpoint's: what is a shape here is one there.

use std::path::Path;

use engine_model::{Config, FileError};
use serde::{Serialize, Serializer};

/// When a model's dimensions are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Read from the checkpoint when the engine starts.
    Loaded {
        /// Sizes of heads that kernels are made for, ascending; empty where they take any.
        head_dims: Vec<u64>,
    },
    /// Constants of the binary.
    Baked(Box<Baked>),
}

/// A model's config.json, named by the profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Baked {
    /// The path as the profile writes it.
    pub path: String,
    pub config: Config,
}

impl Shape {
    /// The config, where the profile has one.
    pub fn baked(&self) -> Option<&Baked> {
        match self {
            Shape::Loaded { .. } => None,
            Shape::Baked(baked) => Some(baked),
        }
    }

    /// Head sizes that kernels are made for; empty where they take any.
    pub fn head_dims(&self) -> Vec<u64> {
        match self {
            Shape::Loaded { head_dims } => head_dims.clone(),
            Shape::Baked(baked) => vec![baked.config.dims.head_dim as u64],
        }
    }
}

/// The dimensions alone: they are what an engine is built from.
impl Serialize for Baked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.config.dims.serialize(serializer)
    }
}

impl Baked {
    /// Reads a config.json beside the profile.
    pub fn read(folder: &Path, path: &str) -> Result<Baked, FileError> {
        let config = Config::read(&folder.join(path))?;
        let path = path.to_owned();
        Ok(Baked { path, config })
    }
}
