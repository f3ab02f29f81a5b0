//! Why a checkpoint is refused. Every message names the file, and the tensor or field where there is one.

use std::path::PathBuf;

use engine_model::FileError;

use crate::backend::DeviceError;

/// A checkpoint that is damaged, or that this engine was not built for.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{}: this engine was built for the {family} family ({accepted}), found the architecture `{found}`",
        file.display()
    )]
    Architecture {
        file: PathBuf,
        family: &'static str,
        accepted: String,
        found: String,
    },
    #[error(
        "{}: this engine was built for {field} = {expected}, found {found}; build it with the shape of this \
         checkpoint, or without a fixed shape",
        file.display()
    )]
    Shape {
        file: PathBuf,
        field: &'static str,
        expected: usize,
        found: usize,
    },
    #[error(
        "{}: this engine was built for attention heads of {built:?}, found {found}; build it with \
         `head-dims = [{found}]` under [model], or with the shape of this checkpoint",
        file.display()
    )]
    HeadDim {
        file: PathBuf,
        built: &'static [usize],
        found: usize,
    },
    #[error(
        "{}: {field} allows sequences of {limit} tokens, this engine is to take {max_model_len}; set max-model-len to \
         {limit} or less",
        file.display()
    )]
    TooLong {
        file: PathBuf,
        field: &'static str,
        limit: usize,
        max_model_len: usize,
    },
    #[error("no model.safetensors and no model.safetensors.index.json in {}{hint}", dir.display())]
    NoWeights { dir: PathBuf, hint: String },
    #[error("{} is not a sound safetensors file: {reason}", file.display())]
    Shard { file: PathBuf, reason: String },
    #[error(
        "{}: tensor `{tensor}` is said to lie in `{shard}`, which is not the name of a file in the same folder",
        file.display()
    )]
    ShardName {
        file: PathBuf,
        tensor: String,
        shard: String,
    },
    #[error("tensor `{tensor}` lies both in {} and in {}", first.display(), second.display())]
    Duplicate {
        tensor: String,
        first: PathBuf,
        second: PathBuf,
    },
    #[error("{}: tensor `{tensor}` is missing, expected shape {expected:?}", file.display())]
    Missing {
        file: PathBuf,
        tensor: String,
        expected: Vec<usize>,
    },
    #[error("{}: tensor `{tensor}` has shape {found:?}, expected {expected:?}", file.display())]
    TensorShape {
        file: PathBuf,
        tensor: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("{}: tensor `{tensor}` has type {found}, expected {expected}", file.display())]
    TensorType {
        file: PathBuf,
        tensor: String,
        expected: String,
        found: String,
    },
    #[error(
        "{}: tensor `{tensor}` has no place in the {family} model that config.json describes, and leaving it out \
         would change the model",
        file.display()
    )]
    Unexpected {
        file: PathBuf,
        tensor: String,
        family: &'static str,
    },
}

/// Why a model did not come onto the device.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Device(#[from] DeviceError),
}
