//! What can be wrong with a profile before anything is known of what it asks for. The messages are where the reading
//! is, in [`crate::profile`].

use super::{Check, Rule};
use crate::diagnostics::Code;

pub const UNREADABLE: Code = Code(1);
pub const SYNTAX: Code = Code(2);
pub const UNKNOWN_KEY: Code = Code(3);
pub const MISSING_KEY: Code = Code(4);
pub const WRONG_TYPE: Code = Code(5);
pub const WRONG_VALUE: Code = Code(6);
pub const UNKNOWN_FEATURE: Code = Code(7);
pub const UNKNOWN_TARGET: Code = Code(8);
pub const SHAPE: Code = Code(9);

const fn reading(code: Code, name: &'static str, doc: &'static str) -> Rule {
    Rule {
        code,
        name,
        doc,
        check: Check::Reading,
    }
}

pub static UNREADABLE_RULE: Rule = reading(
    UNREADABLE,
    "unreadable",
    "the profile must be a file that can be read, in UTF-8",
);
pub static SYNTAX_RULE: Rule = reading(
    SYNTAX,
    "syntax",
    "a profile is TOML 1.1; after a slip of syntax nothing else is checked",
);
pub static UNKNOWN_KEY_RULE: Rule = reading(
    UNKNOWN_KEY,
    "unknown-key",
    "every key must be known: a key that nobody reads is a setting that silently does nothing",
);
pub static MISSING_KEY_RULE: Rule = reading(
    MISSING_KEY,
    "missing-key",
    "a profile needs a name, a target and a model family; everything else has a default that `cargo lathe plan` shows",
);
pub static WRONG_TYPE_RULE: Rule =
    reading(WRONG_TYPE, "wrong-type", "a value must have its key's type");
pub static WRONG_VALUE_RULE: Rule = reading(
    WRONG_VALUE,
    "wrong-value",
    "a value must be one that its key can have",
);
pub static UNKNOWN_FEATURE_RULE: Rule = reading(
    UNKNOWN_FEATURE,
    "unknown-feature",
    "the fifteen features have the names of vLLM's matrix, in kebab-case",
);
pub static UNKNOWN_TARGET_RULE: Rule = reading(
    UNKNOWN_TARGET,
    "unknown-target",
    "a target is a SKU of the catalogue, an architecture, a family of vLLM's matrix or `native`",
);
pub static SHAPE_RULE: Rule = reading(
    SHAPE,
    "shape",
    "`model.shape` must be the config.json of a decoder, with dimensions that can be: they become constants of the engine",
);
