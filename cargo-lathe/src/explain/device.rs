//! A device, or another target that is one architecture: its figures, and what they come to.

use std::io::{self, Write};

use engine_spec::dtype::Dtype;
use engine_spec::sku::HostKind;
use engine_spec::{Arch, BackendKind, Machine, SKUS, Sku, Target, TargetName};

use crate::docs::profile::{fp8, memory, toolkits};
use crate::paint::{DIM, NAME, STRONG};
use crate::target::compiler;

pub fn write(name: TargetName, out: &mut impl Write) -> io::Result<()> {
    let machine = Machine::detect();
    let target = Target::new(name, &machine);
    let (arch, family) = (target.arch, target.family());
    writeln!(out, "{STRONG}{name}{STRONG:#}")?;
    line(
        out,
        "architecture",
        &format!("{arch}, the {} family: {}", family.title(), arch.what()),
    )?;
    match name {
        TargetName::Sku(sku) => figures(sku, out)?,
        TargetName::Native | TargetName::Arch(_) | TargetName::Family(_) => {
            let named: Vec<&str> = SKUS
                .iter()
                .filter(|sku| sku.arch == arch)
                .map(|sku| sku.name)
                .collect();
            line(out, "by name", &named.join(", "))?;
        }
    }
    line(out, "host", &host(name, &target))?;
    multiplies(arch, out)?;
    instructions(arch, out)?;
    compiled_by(arch, &machine, out)?;
    if let TargetName::Sku(sku) = name {
        line(out, "source", sku.source)?;
    }
    writeln!(
        out,
        "\n{DIM}cargo lathe explain {family} says which features work there{DIM:#}"
    )
}

/// The maker's figures, and how long it takes to read the memory once: no token can be faster, of a model that fills it.
fn figures(sku: &Sku, out: &mut impl Write) -> io::Result<()> {
    let unit = match sku.family().backend() {
        BackendKind::Cuda => ["multiprocessors", "KiB of shared memory for a block"],
        BackendKind::Hip => ["compute units", "KiB of LDS for a workgroup"],
        BackendKind::Cpu => ["cores", "KiB of L2 for each"],
    };
    match sku.memory.reported() {
        Some(bytes) => {
            line(out, "memory", &memory(sku.memory))?;
            let milliseconds = bytes as f64 / f64::from(sku.bandwidth) / 1e6;
            let once = format!("all of the memory in {milliseconds:.1} ms");
            line(out, "bandwidth", &format!("{} GB/s: {once}", sku.bandwidth))?;
        }
        None => {
            line(out, "memory", "the machine's")?;
            line(
                out,
                "bandwidth",
                &format!("{} GB/s a socket", sku.bandwidth),
            )?;
        }
    }
    let [units, scratch] = unit;
    line(
        out,
        "units",
        &format!("{} {units}, {} {scratch}", sku.units, sku.scratch),
    )
}

fn host(name: TargetName, target: &Target) -> String {
    let triple = target.host.triple();
    match name {
        TargetName::Sku(sku) if sku.host == HostKind::Any => {
            format!("x86-64 or aarch64, here the kind that builds: {triple}")
        }
        _ => triple,
    }
}

fn multiplies(arch: Arch, out: &mut impl Write) -> io::Result<()> {
    let bf16 = match (arch.has_bf16(), Dtype::Bf16.runs_on(arch)) {
        (true, _) => "yes",
        (false, true) => "widened to f32",
        (false, false) => "no",
    };
    let int8 = if arch.has_int8() { "yes" } else { "no" };
    let fp8 = fp8(arch.fp8());
    line(
        out,
        "multiplies",
        &format!("bf16 {bf16}, 8-bit floats {fp8}, 8-bit integers {int8}"),
    )
}

fn instructions(arch: Arch, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> = arch.instructions().map(|one| one.name).collect();
    for (at, names) in names.chunks(8).enumerate() {
        line(
            out,
            if at == 0 { "instructions" } else { "" },
            &names.join(" "),
        )?;
    }
    Ok(())
}

fn compiled_by(arch: Arch, machine: &Machine, out: &mut impl Write) -> io::Result<()> {
    line(out, "compiled by", &toolkits(arch))?;
    match compiler(machine.toolkit(arch), arch) {
        Some(here) => line(out, "on this machine", &here),
        None => Ok(()),
    }
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {NAME}{name:15}{NAME:#} {value}")
}
