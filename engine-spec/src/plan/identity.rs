//! What makes two engines the same: the answers, without the name, the words and the places of the profile that asked.

use serde::Serialize;
use serde_json::Value;

use super::{Answers, Backend, Limits, Model};
use crate::arch::Arch;
use crate::features::Features;
use crate::host::Host;
use crate::matrix::{CellId, Mode};
use crate::toolkit::Toolkit;

/// The form of [`Identity`]. A change of form is a change of every hash; the number says that it is no more than that.
const FORM: u32 = 1;

/// Every answer that something of the engine depends on.
///
/// Not here: the profile's name, which the binary carries and nothing is built from; where an answer stands; what a
/// device's row of the tables says beside its architecture; the order and the reasons of accepted pairs, which the
/// manifest has for whoever reads them.
#[derive(Serialize)]
struct Identity<'a> {
    form: u32,
    matrix: Mode,
    target: String,
    arch: Arch,
    host: Host,
    backend: Backend,
    toolkit: Toolkit,
    model: &'a Model,
    features: &'a Features,
    limits: &'a Limits,
    accept: Vec<CellId>,
}

impl Answers {
    /// As JSON, in the order of the profile reference.
    fn identity(&self) -> Value {
        let Answers {
            name: _,
            mode,
            target,
            backend,
            toolkit,
            model,
            features,
            limits,
            accepted,
            decisions: _,
            profile: _,
        } = self;
        let identity = Identity {
            form: FORM,
            matrix: *mode,
            target: target.name.to_string(),
            arch: target.arch,
            host: target.host,
            backend: *backend,
            toolkit: *toolkit,
            model,
            features,
            limits,
            accept: accepted.iter().map(|accepted| accepted.pair).collect(),
        };
        serde_json::to_value(identity).expect("answers are always JSON")
    }

    /// 16 hexadecimal digits over every answer: the same for the same engine, whatever the profile is called, how it
    /// is commented and on which lines it says things. FNV-1a with 64 bits, which is enough to tell builds apart and
    /// nothing to trust a stranger with.
    pub fn hash(&self) -> String {
        let identity = self.identity().to_string();
        let hash = identity
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        format!("{hash:016x}")
    }

    /// What the hash is over, answer by answer, each with its key: `limits.max-seqs`, `model.shape.baked.layers`. Two
    /// plans make the same engine exactly if these are equal.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        flatten("", &self.identity(), &mut facts);
        facts
    }
}

fn flatten(key: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    let below = |name: &str| match key {
        "" => name.to_owned(),
        key => format!("{key}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&below(name), value, facts);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                flatten(&below(&place.to_string()), item, facts);
            }
        }
        Value::String(text) => facts.push((key.to_owned(), text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            facts.push((key.to_owned(), value.to_string()));
        }
    }
}
