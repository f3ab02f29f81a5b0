//! `cargo lathe build`: one cargo call for each profile, and an engine with its manifest beside it.
//!
//! It only plans, passes flags, names the result and verifies it; plain cargo with `LATHE_PROFILE` builds the same
//! engine. Features unify within a cargo call, so that two profiles are two calls.

mod cargo;
mod place;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use engine_spec::{Manifest, Plan};
use serde_json::Value;

use crate::failure::Failure;
use crate::inspect;
use crate::output::Output;
use crate::paint::{DIM, GOOD, STRONG};
use crate::profile;
use engine_model::Bytes;

/// Build the engine of each profile: OUT/engine-NAME, with its manifest beside it.
#[derive(Debug, Args)]
pub struct Build {
    #[arg(required = true, value_name = "PROFILE")]
    profiles: Vec<PathBuf>,
    /// Where the engines go.
    #[arg(long, default_value = "dist", value_name = "DIR")]
    out: PathBuf,
    /// Without optimisation: quicker to build, for a look.
    #[arg(long)]
    debug: bool,
}

impl Build {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let plans: Vec<Result<Plan, Failure>> = self
            .profiles
            .iter()
            .map(|path| profile::plan(path))
            .collect();
        let plans: Vec<Plan> = plans.into_iter().collect::<Result<_, _>>()?;
        self.differ_in_name(&plans)?;
        for (at, (path, plan)) in self.profiles.iter().zip(&plans).enumerate() {
            let step = format!("[{}/{}]", at + 1, plans.len());
            self.build(path, plan, &step, out)?;
        }
        Ok(())
    }

    /// An engine is called as its profile, so that one of two with the same name would take the place of the other.
    fn differ_in_name(&self, plans: &[Plan]) -> Result<(), Failure> {
        let mut seen = BTreeMap::new();
        for (path, plan) in self.profiles.iter().zip(plans) {
            if let Some(first) = seen.insert(&plan.name, path) {
                return Err(Failure::SameName {
                    name: plan.name.clone(),
                    paths: [first.clone(), path.clone()],
                });
            }
        }
        Ok(())
    }

    fn build(&self, path: &Path, plan: &Plan, step: &str, out: &mut Output) -> Result<(), Failure> {
        let start = Instant::now();
        let name = format!("engine-{}", plan.name);
        let built = cargo::build(path, plan, self.debug, &format!("{step} {name}"))?;
        let manifest = verify(&built, plan)?;
        let binary = place::copy(&built, &self.out.join(&name))?;
        place::write(
            &self.out.join(format!("{name}.json")),
            format!("{manifest:#}\n").as_bytes(),
        )?;
        let seconds = start.elapsed().as_secs_f64();
        let (path, bytes) = (binary.path.display(), Bytes(binary.bytes));
        writeln!(
            out,
            "{DIM}{step}{DIM:#} {GOOD}{STRONG}{path}{STRONG:#}{GOOD:#}  {bytes}  {DIM}in {seconds:.1} s{DIM:#}"
        )?;
        Ok(out.flush()?)
    }
}

/// The built binary's manifest, if it is the plan's.
fn verify(binary: &Path, plan: &Plan) -> Result<Value, Failure> {
    let found = inspect::manifest(binary)?;
    let expected: Value = serde_json::from_str(&Manifest::of(plan).json())?;
    if found == expected {
        return Ok(found);
    }
    let field = first_difference(&found, &expected);
    let shown = |manifest: &Value| manifest.get(&field).unwrap_or(&Value::Null).to_string();
    Err(Failure::Mismatch {
        binary: binary.to_owned(),
        found: shown(&found),
        expected: shown(&expected),
        field,
    })
}

/// The first field of a plan's manifest that another one says otherwise.
fn first_difference(found: &Value, expected: &Value) -> String {
    let fields = expected.as_object().into_iter().flatten();
    let mut other = fields.filter(|(name, value)| found.get(name) != Some(value));
    other.next().map_or("manifest", |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Profiles that differ in their names alone have one hash.
    #[test]
    fn a_mismatch_is_told_by_the_field_that_differs() {
        let plan = json!({ "lathe": "0.1.0", "name": "a", "hash": "1" });
        let of = |found: Value| first_difference(&found, &plan);
        assert_eq!(
            of(json!({ "lathe": "0.1.0", "name": "b", "hash": "1" })),
            "name"
        );
        assert_eq!(
            of(json!({ "lathe": "0.1.0", "name": "a", "hash": "2" })),
            "hash"
        );
        assert_eq!(of(json!({ "lathe": "0.1.0", "name": "a" })), "hash");
    }
}
