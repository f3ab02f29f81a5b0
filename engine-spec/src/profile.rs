//! Profile: what the user asks for, as written, every value with its span.
//!
//! Raw and resolved are two types. A `Profile` says only what stands in the file (a value that is not there is
//! absent); defaults and consequences belong to [`crate::Plan`]. That names, types and spellings are right is
//! settled here; whether the whole can work is not.

pub mod fields;
mod read;
mod table;
mod vllm;

use std::path::Path;

use crate::diagnostics::{Diagnostics, Source, Span};
use crate::features::{Feature, FeatureSet};
use crate::matrix::{CellId, Mode, Terms};
use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::shape::Baked;
use crate::target::TargetName;
use crate::toolkit::Toolkit;

pub use read::LONGEST_NAME;
pub(crate) use read::file as text;
pub use table::{Value, Values};

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// A profile as written.
#[derive(Clone, Debug)]
pub struct Profile {
    pub source: Source,
    pub name: Spanned<String>,
    pub target: Spanned<TargetName>,
    pub mode: Option<Spanned<Mode>>,
    pub toolkit: Option<Spanned<Toolkit>>,
    pub model: Model,
    /// Every feature that the file names, on or off, in the matrix's order.
    pub features: Vec<Chosen>,
    /// `[limits]`, by key.
    pub limits: Values,
    pub accept: Vec<Accept>,
}

/// `[model]`.
#[derive(Clone, Debug)]
pub struct Model {
    pub family: Spanned<ModelFamily>,
    pub dtype: Option<Spanned<Dtype>>,
    pub weights: Option<Spanned<WeightFormat>>,
    pub shape: Option<Spanned<Baked>>,
    pub head_dims: Option<Spanned<Vec<u64>>>,
    /// Whether the file has `shape` or `head-dims`, even one that cannot be read.
    pub says_heads: bool,
}

/// A feature that the file names.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub feature: Feature,
    /// Where its name stands.
    pub key: Span,
    pub on: bool,
    /// Its settings, by key; empty for `true` and `false`.
    pub settings: Values,
}

/// `[[accept]]`: an unknown pair, taken knowingly.
#[derive(Clone, Debug)]
pub struct Accept {
    pub pair: [Spanned<Feature>; 2],
    /// Where the pair stands.
    pub span: Span,
    pub reason: Spanned<String>,
}

impl Accept {
    /// The cell, unless both are the same feature.
    pub fn cell(&self) -> Option<CellId> {
        CellId::pair(self.pair[0].value, self.pair[1].value)
    }
}

impl Profile {
    /// Reads a profile from a file; `model.shape` is looked for beside it.
    pub fn read(path: &Path) -> Result<Profile, Diagnostics> {
        Profile::parse(&path.display().to_string(), &text(path)?)
    }

    /// Reads a profile from its text. `path` is what diagnostics call it, and `model.shape` is looked for beside it.
    pub fn parse(path: &str, text: &str) -> Result<Profile, Diagnostics> {
        let (profile, found) = Profile::recover(path, text);
        match profile {
            Some(profile) if found.is_empty() => Ok(profile),
            _ => Err(found),
        }
    }

    /// What can be understood of a text, with all that cannot: nothing if it is not TOML or lacks `name`, `target`
    /// or `model.family`.
    pub fn recover(path: &str, text: &str) -> (Option<Profile>, Diagnostics) {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        read::text(
            Source {
                path: path.to_owned(),
                text: text.to_owned(),
            },
            folder,
        )
    }

    /// The features that are on.
    pub fn set(&self) -> FeatureSet {
        self.features
            .iter()
            .filter(|chosen| chosen.on)
            .map(|chosen| chosen.feature)
            .collect()
    }

    /// What it is held to by the matrix.
    pub fn terms(&self) -> Terms {
        Terms {
            mode: self
                .mode
                .as_ref()
                .map(|mode| mode.value)
                .unwrap_or_default(),
            accepted: self.accept.iter().filter_map(Accept::cell).collect(),
        }
    }

    /// A feature that is on.
    pub fn chosen(&self, feature: Feature) -> Option<&Chosen> {
        self.features
            .iter()
            .find(|chosen| chosen.on && chosen.feature == feature)
    }

    /// The line that a span starts on, from 1.
    pub fn line(&self, span: &Span) -> usize {
        self.source.position(span.start).0
    }
}
