//! What a plan takes in memory, as far as it can be known before the engine starts.

use std::io::{self, Write};

use engine_spec::Answers;
use engine_spec::plan::MemoryReport;

use crate::paint::{DIM, STRONG};

pub fn write(plan: &Answers, out: &mut impl Write) -> io::Result<()> {
    match plan.memory() {
        MemoryReport::AtStart => {
            line(
                out,
                "weights",
                "read from the checkpoint: `engine verify DIR` counts them",
                "",
            )?;
            line(
                out,
                "hint",
                "give the profile a [model] shape to have them counted here",
                "",
            )
        }
        MemoryReport::Model {
            weights,
            kv_per_token,
            kv_per_block,
        } => {
            model(plan, weights, kv_per_token, kv_per_block, out)?;
            line(out, "sequences", "known when the target is a device", "")
        }
        MemoryReport::Device {
            weights,
            kv_per_token,
            kv_per_block,
            kv_pool,
            blocks,
            full_sequences,
        } => {
            model(plan, weights, kv_per_token, kv_per_block, out)?;
            if let Some(device) = plan.device_memory() {
                line(out, "device", &size(device), "")?;
            }
            line(out, "KV pool", &size(kv_pool), &format!("{blocks} blocks"))?;
            let of = format!(
                "of {} tokens at once, of {} asked for",
                plan.limits.max_model_len, plan.limits.max_seqs
            );
            writeln!(
                out,
                "  {:14}  {STRONG}{full_sequences} fit{STRONG:#}  {DIM}{of}{DIM:#}",
                "sequences"
            )
        }
    }
}

fn model(
    plan: &Answers,
    weights: u64,
    token: u64,
    block: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    line(out, "weights", &size(weights), plan.model.weights.name())?;
    line(out, "KV of a token", &size(token), "")?;
    line(
        out,
        "KV of a block",
        &size(block),
        &format!("{} tokens", plan.limits.block_size),
    )
}

fn line(out: &mut impl Write, name: &str, value: &str, remark: &str) -> io::Result<()> {
    match remark {
        "" => writeln!(out, "  {name:14}  {value}"),
        remark => writeln!(out, "  {name:14}  {value}  {DIM}{remark}{DIM:#}"),
    }
}

/// A number of bytes for people, with three figures.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match value {
        value if unit == 0 || value >= 100.0 => format!("{value:.0} {}", UNITS[unit]),
        value if value >= 10.0 => format!("{value:.1} {}", UNITS[unit]),
        value => format!("{value:.2} {}", UNITS[unit]),
    }
}
