//! How many profiles vLLM's matrix allows: every feature set on every family, by brute force.

use std::io::{self, Write};

use engine_spec::matrix::{Counts, MATRIX, Unknown, counts};

use super::View;
use crate::paint::{DIM, STRONG};

pub fn write(view: &View, out: &mut impl Write) -> io::Result<()> {
    let refused = shown(view, Unknown::Refused);
    let accepted = shown(view, Unknown::Accepted);
    writeln!(
        out,
        "{DIM}{:8} {:>19} {:>19}{DIM:#}",
        "", "unknown refused", "unknown accepted"
    )?;
    writeln!(
        out,
        "{DIM}{:8} {:>9} {:>9} {:>9} {:>9}{DIM:#}",
        "family", "legal", "maximal", "legal", "maximal"
    )?;
    for (refused, accepted) in refused.iter().zip(&accepted) {
        writeln!(
            out,
            "{:8} {:>9} {:>9} {:>9} {:>9}",
            refused.family,
            grouped(refused.legal),
            refused.maximal,
            grouped(accepted.legal),
            accepted.maximal
        )?;
    }
    if refused.len() > 1 {
        let (refused, accepted) = (total(&refused), total(&accepted));
        writeln!(
            out,
            "{STRONG}{:8} {:>9} {:>9} {:>9} {:>9}{STRONG:#}",
            "all",
            grouped(refused.0),
            refused.1,
            grouped(accepted.0),
            accepted.1
        )?;
    }
    Ok(())
}

fn shown(view: &View, unknown: Unknown) -> Vec<Counts> {
    let all = counts(&MATRIX, unknown).into_iter();
    all.filter(|count| view.families.contains(&count.family))
        .collect()
}

/// Legal and maximal sets of all families together.
pub fn total(counts: &[Counts]) -> (usize, usize) {
    let legal = counts.iter().map(|count| count.legal).sum();
    (legal, counts.iter().map(|count| count.maximal).sum())
}

/// A number with a comma between thousands.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
