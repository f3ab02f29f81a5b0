//! An error by its code.

use std::io::{self, Write};

use engine_spec::rules::{Check, RULES, Rule};

use crate::paint::{BAD, DIM, STRONG};

pub fn write(rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    let code = BAD.bold();
    writeln!(
        out,
        "{code}{}{code:#} {STRONG}{}{STRONG:#}\n",
        rule.code, rule.name
    )?;
    writeln!(out, "{}\n", rule.doc)?;
    let when = match rule.check {
        Check::Reading => "found while the profile is read",
        Check::Case(_) => {
            "found in a profile that reads well, from what it says and what follows from it"
        }
    };
    writeln!(
        out,
        "{DIM}{when}; tests/profiles/bad/{}.toml shows it{DIM:#}",
        rule.name
    )
}

/// A line for each.
pub fn write_all(out: &mut impl Write) -> io::Result<()> {
    let width = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    for rule in RULES.iter() {
        writeln!(
            out,
            "{BAD}{}{BAD:#}  {:width$}  {DIM}{}{DIM:#}",
            rule.code, rule.name, rule.doc
        )?;
    }
    Ok(())
}
