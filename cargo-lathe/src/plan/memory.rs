//! What a plan takes in memory, as far as it can be known before the engine starts.

use std::io::{self, Write};

use engine_model::Bytes;
use engine_spec::Answers;
use engine_spec::plan::Budget;

use crate::paint::{DIM, STRONG};

pub fn write(plan: &Answers, out: &mut impl Write) -> io::Result<()> {
    match plan.budget() {
        Some(budget) => lines(plan, &budget, out),
        None => {
            let read = "read from the checkpoint: `engine verify DIR` counts them";
            line(out, "weights", read, "")?;
            let hint = "give the profile a [model] shape to have everything counted here";
            line(out, "hint", hint, "")
        }
    }
}

fn lines(plan: &Answers, budget: &Budget, out: &mut impl Write) -> io::Result<()> {
    for one in &budget.lines {
        size(out, one.what, one.bytes, &one.of)?;
    }
    for what in &budget.uncounted {
        line(
            out,
            "not counted",
            what,
            "the profile does not say how large",
        )?;
    }
    let kv = &budget.kv;
    let limits = &plan.limits;
    let one = format!(
        "{} a token, {} a block of {}",
        Bytes(kv.per_token),
        Bytes(kv.per_block),
        limits.block_size
    );
    size(out, "keys and values", kv.pool, &one)?;
    if let Some(total) = budget.total {
        size(
            out,
            "reserve",
            budget.reserve,
            "for the driver and other programs",
        )?;
        let rest = budget.left().map_or(0, |left| left.saturating_sub(kv.pool));
        size(out, "free", rest, "")?;
        size(out, "device", total, "as its driver reports it")?;
    }
    let of = format!(
        "of {} tokens at once, of {} asked for; {} blocks",
        limits.max_model_len, limits.max_seqs, kv.blocks
    );
    let fit = kv.full_sequences;
    writeln!(
        out,
        "  {:15}  {STRONG}{fit} fit{STRONG:#}  {DIM}{of}{DIM:#}",
        "sequences"
    )
}

fn size(out: &mut impl Write, name: &str, bytes: u64, remark: &str) -> io::Result<()> {
    line(out, name, &format!("{:>10}", Bytes(bytes)), remark)
}

fn line(out: &mut impl Write, name: &str, value: &str, remark: &str) -> io::Result<()> {
    match remark {
        "" => writeln!(out, "  {name:15}  {value}"),
        remark => writeln!(out, "  {name:15}  {value}  {DIM}{remark}{DIM:#}"),
    }
}
