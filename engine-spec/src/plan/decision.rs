//! Where each answer of a plan came from.

use std::fmt;

use serde::Serialize;

/// One answered question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The key in the profile, with its table: `limits.max-seqs`, `features.lora`.
    pub key: String,
    /// The answer, as the recipe's types and constants say it.
    pub value: String,
    pub origin: Origin,
}

/// Why an answer is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// This line of the profile, from 1.
    Line(usize),
    /// The profile does not say, and this is what holds then.
    Default,
    /// It follows from something else that was decided.
    From(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Line(line) => write!(out, "line {line}"),
            Origin::Default => out.write_str("default"),
            Origin::From(what) => write!(out, "from {what}"),
        }
    }
}
