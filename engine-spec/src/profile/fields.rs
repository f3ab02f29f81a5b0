//! Every key that a profile may have, for the reader, the editor's schema and the reference page. Those of a feature
//! are in its file, [`crate::features`].

use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::plan::Limits;
use crate::toolkit::Toolkit;

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub otherwise: Otherwise,
    /// One sentence without a full stop.
    pub doc: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    /// A SKU, an architecture, a family or `native`.
    Target,
    /// A file beside the profile.
    Path,
    Choice(&'static [&'static str]),
    /// A whole number, both ends included.
    Integer(u64, u64),
    /// Memory as text with a unit: `4GiB`, `512MiB`.
    Size,
    /// Two names of features.
    Pair,
    /// A list of whole numbers, both ends included, at least one of them.
    Numbers(u64, u64),
}

/// What holds if the key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It must be there.
    Required,
    /// This value, as written in TOML.
    Is(&'static str),
    /// Worked out; the text says how.
    From(&'static str),
}

/// A table of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Empty for the top of the file.
    pub name: &'static str,
    pub form: Form,
    pub fields: &'static [Field],
    pub doc: &'static str,
}

/// How a section is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Keys before any table.
    Top,
    Table,
    /// A list of tables.
    List,
    /// A table with a key for each feature, whose settings are in [`crate::features`].
    Features,
}

use Otherwise::{From, Is, Required};

const fn field(key: &'static str, kind: Kind, otherwise: Otherwise, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        otherwise,
        doc,
    }
}

/// Most tokens, sequences and the like that a profile may ask for: past this a number is a slip of the finger.
pub(crate) const MOST: u64 = 1 << 24;

/// What may stand at the top, before any table.
#[rustfmt::skip]
pub const TOP: Section = Section { name: "", form: Form::Top, doc: "what is built, and for what", fields: &[
    field("name",    Kind::Text,                       Required,                         "the deployment's name in kebab-case: the engine's binary is called `engine-<name>`"),
    field("target",  Kind::Target,                     Required,                         "the hardware: a SKU, an architecture, a family, or `native` for the machine that builds"),
    field("matrix",  Kind::Choice(&["vllm", "engine"]),Is("\"vllm\""),                   "whose verdicts the profile is held to: `vllm` demands yes from vLLM's matrix and from this engine, `engine` from this engine alone"),
    field("toolkit", Kind::Choice(Toolkit::NAMES),     From("the first on this machine that makes code for the target, else the one to get"), "insists on one device compiler"),
]};

#[rustfmt::skip]
pub const MODEL: Section = Section { name: "model", form: Form::Table, doc: "which model's code goes in", fields: &[
    field("family",  Kind::Choice(ModelFamily::NAMES), Required,                         "the architectures whose code goes in"),
    field("dtype",   Kind::Choice(Dtype::NAMES),       From("bf16 where the hardware multiplies it, else f16"), "the number format of activations, keys and values, and plain weights"),
    field("weights", Kind::Choice(WeightFormat::NAMES),Is("\"dense\""),                  "how the weights of linear layers are stored"),
    field("head-dims", Kind::Numbers(1, 4096),          From("any on a CPU; a GPU profile must have this or `shape`"), "sizes of attention heads that kernels are made for, where no shape says which the model has"),
    field("shape",   Kind::Path,                       From("read from the checkpoint when the engine starts"), "a config.json beside the profile: bakes the dimensions in, and lets the plan count memory"),
]};

pub const FEATURES: Section = Section {
    name: "features",
    form: Form::Features,
    doc: "what the engine can do; a feature that is not named is not in it",
    fields: &[],
};

pub const LIMITS: Section = Section {
    name: "limits",
    form: Form::Table,
    doc: "how much at once",
    fields: Limits::FIELDS,
};

#[rustfmt::skip]
pub const ACCEPT: Section = Section { name: "accept", form: Form::List, doc: "unknown pairs, taken knowingly", fields: &[
    field("pair",   Kind::Pair, Required, "two features whose cell in vLLM's matrix is unknown"),
    field("reason", Kind::Text, Required, "why it is taken; it stands in the binary's manifest"),
]};

/// In the order of the reference.
pub const SECTIONS: &[Section] = &[TOP, MODEL, FEATURES, LIMITS, ACCEPT];
