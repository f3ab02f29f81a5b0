//! Where each answer of a plan came from.

use std::fmt;

use serde::Serialize;

/// One answered question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The key in the profile, with its table: `limits.max-seqs`, `features.lora`, `features.lora.max-rank`.
    pub key: String,
    /// The answer, as a profile writes it.
    pub value: String,
    pub origin: Origin,
}

/// Why an answer is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// This line of the profile, from 1.
    Line(usize),
    /// The profile does not say, and this always holds then.
    Default,
    /// The profile does not say, and this is how it is worked out then.
    Otherwise(&'static str),
    /// It follows from something else that was decided.
    From(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Line(line) => write!(out, "line {line}"),
            Origin::Default => out.write_str("default"),
            Origin::Otherwise(how) => write!(out, "default: {how}"),
            Origin::From(what) => write!(out, "from {what}"),
        }
    }
}
