//! The tensors of all shards under their names.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use safetensors::Dtype;

use super::shard::Shard;
use super::{CheckpointError, Object};
use crate::dtype::{HostMatrix, HostValues};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Bytes of an index; one of 100,000 tensors has about 10 million.
const INDEX_LIMIT: u64 = 32 << 20;

/// Names to shards; no two shards hold the same name.
#[derive(Debug)]
pub struct Tensors {
    /// The file that names them all: the single shard or the index.
    list: PathBuf,
    shards: Vec<Shard>,
    /// Index into `shards`.
    shard_of: BTreeMap<String, usize>,
}

/// A vector as a checkpoint holds it: `[len]`.
#[derive(Debug, Clone, Copy)]
pub struct HostVector<'a> {
    pub len: usize,
    pub values: HostValues<'a>,
}

impl HostVector<'_> {
    /// Exact: every format that a checkpoint may use widens to f32.
    pub fn to_f32(&self) -> Vec<f32> {
        self.values.iter().collect()
    }
}

impl Tensors {
    /// Maps the shards of a folder and reads their headers.
    pub(super) fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let single = dir.join(SINGLE);
        if single.exists() {
            let mut tensors = Self::empty(single.clone());
            tensors.add(Shard::open(&single)?)?;
            return Ok(tensors);
        }
        let index = dir.join(INDEX);
        match Object::read(&index, INDEX_LIMIT)? {
            Some(object) => Self::open_indexed(dir, &object),
            None => Err(CheckpointError::NoWeights {
                dir: dir.to_path_buf(),
                hint: hint(dir),
            }),
        }
    }

    fn open_indexed(dir: &Path, index: &Object) -> Result<Self, CheckpointError> {
        let map = index.required("weight_map", index.object("weight_map")?)?;
        let mut tensors = Self::empty(index.file().to_path_buf());
        let mut opened = BTreeMap::new();
        for tensor in map.fields().keys() {
            let name = map.required(tensor, map.text(tensor)?)?;
            if !opened.contains_key(&name) {
                if !is_file_name(&name) {
                    return Err(CheckpointError::ShardName {
                        file: index.file().to_path_buf(),
                        tensor: tensor.clone(),
                        shard: name,
                    });
                }
                let shard = tensors.add(Shard::open(&dir.join(&name))?)?;
                opened.insert(name.clone(), shard);
            }
            if tensors.shard_of.get(tensor) != opened.get(&name) {
                return Err(map.refuse(tensor, "the shard that holds it", name).into());
            }
        }
        Ok(tensors)
    }

    fn empty(list: PathBuf) -> Self {
        Self {
            list,
            shards: Vec::new(),
            shard_of: BTreeMap::new(),
        }
    }

    fn add(&mut self, shard: Shard) -> Result<usize, CheckpointError> {
        let index = self.shards.len();
        for name in shard.metadata.offset_keys() {
            if let Some(first) = self.shard_of.insert(name.clone(), index) {
                return Err(CheckpointError::Duplicate {
                    tensor: name,
                    first: self
                        .shards
                        .get(first)
                        .map_or_else(PathBuf::new, |s| s.path.clone()),
                    second: shard.path,
                });
            }
        }
        self.shards.push(shard);
        Ok(index)
    }

    /// Names with the file that each lies in, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Path)> {
        let file = |&shard: &usize| Some(self.shards.get(shard)?.path.as_path());
        self.shard_of
            .iter()
            .filter_map(move |(name, shard)| Some((name.as_str(), file(shard)?)))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.shard_of.contains_key(name)
    }

    /// The matrix [rows, cols] of this name.
    pub fn matrix(
        &self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<HostMatrix<'_>, CheckpointError> {
        let values = self.values(name, &[rows, cols])?;
        Ok(HostMatrix { rows, cols, values })
    }

    /// The vector `[len]` of this name.
    pub fn vector(&self, name: &str, len: usize) -> Result<HostVector<'_>, CheckpointError> {
        let values = self.values(name, &[len])?;
        Ok(HostVector { len, values })
    }

    /// The bytes of an array of this name, shape and element type.
    pub fn array(
        &self,
        name: &str,
        expected: &[usize],
        dtype: Dtype,
    ) -> Result<&[u8], CheckpointError> {
        let (shard, found, bytes) = self.tensor(name, expected)?;
        if found != dtype {
            return Err(wrong_type(shard, name, found, &dtype.to_string()));
        }
        Ok(bytes)
    }

    fn values(&self, name: &str, expected: &[usize]) -> Result<HostValues<'_>, CheckpointError> {
        let (shard, found, bytes) = self.tensor(name, expected)?;
        match found {
            Dtype::F32 => Ok(HostValues::F32(bytes)),
            Dtype::F16 => Ok(HostValues::F16(bytes)),
            Dtype::BF16 => Ok(HostValues::BF16(bytes)),
            other => Err(wrong_type(shard, name, other, "F32, F16 or BF16")),
        }
    }

    /// The shard, element type and bytes of a tensor of this name and shape.
    fn tensor(
        &self,
        name: &str,
        expected: &[usize],
    ) -> Result<(&Shard, Dtype, &[u8]), CheckpointError> {
        let found = self.shard_of.get(name).and_then(|&shard| {
            let shard = self.shards.get(shard)?;
            let info = shard.metadata.info(name)?;
            Some((shard, info, shard.data(info)?))
        });
        let Some((shard, info, bytes)) = found else {
            return Err(CheckpointError::Missing {
                file: self.list.clone(),
                tensor: name.to_owned(),
                expected: expected.to_vec(),
            });
        };
        if info.shape != expected {
            return Err(CheckpointError::TensorShape {
                file: shard.path.clone(),
                tensor: name.to_owned(),
                expected: expected.to_vec(),
                found: info.shape.clone(),
            });
        }
        Ok((shard, info.dtype, bytes))
    }
}

fn wrong_type(shard: &Shard, name: &str, found: Dtype, expected: &str) -> CheckpointError {
    CheckpointError::TensorType {
        file: shard.path.clone(),
        tensor: name.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
    }
}

/// Whether `name` stays in its folder: one plain component. What it is a link to is for the folder's owner; the hub's
/// cache is made of links.
fn is_file_name(name: &str) -> bool {
    // A backslash separates folders on Windows and has no place in a name elsewhere.
    let mut components = Path::new(name).components();
    let plain = matches!(components.next(), Some(Component::Normal(first)) if first == name);
    plain && components.next().is_none() && !name.contains(['/', '\\', '\0'])
}

/// What else lies in a folder without safetensors.
fn hint(dir: &Path) -> String {
    if !dir.is_dir() {
        return ", which is not a folder".to_owned();
    }
    let others = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
    match others.into_iter().find(|name| dir.join(name).exists()) {
        Some(name) => format!(
            "; {name} is there, which can run code when it is read: convert it with transformers' save_pretrained"
        ),
        None => String::new(),
    }
}
