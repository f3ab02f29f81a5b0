//! `docs/profile-reference.md`: every key, target and rule.

use engine_spec::arch::Fp8;
use engine_spec::profile::fields::{Field, Form, Kind, Otherwise, SECTIONS};
use engine_spec::rules::RULES;
use engine_spec::sku::{HostKind, Memory, SKUS};
use engine_spec::target::lead;
use engine_spec::toolkit::Toolkit;
use engine_spec::{Arch, Family, Feature, TargetName};

use super::page::Page;
use engine_model::{Bytes, ModelFamily};

/// The page as Markdown.
pub fn profile() -> String {
    let mut page = Page::titled(
        "Profile reference",
        "A profile is a TOML file. `profiles/default.toml` is a commented example; `cargo lathe plan PROFILE` shows what every key comes to.",
    );
    for section in SECTIONS {
        let name = section.name;
        let title = match section.form {
            Form::Top => "At the top".to_owned(),
            Form::List => format!("`[[{name}]]`"),
            Form::Table | Form::Features => format!("`[{name}]`"),
        };
        page.section(&title, &sentence(section.doc));
        match section.form {
            Form::Features => features(&mut page),
            Form::Top | Form::Table | Form::List => keys(&mut page, section.fields),
        }
    }
    models(&mut page);
    targets(&mut page);
    rules(&mut page);
    page.text()
}

fn keys(page: &mut Page, fields: &[Field]) {
    page.head(&["key", "value", "default", "what it says"]);
    for field in fields {
        page.row([
            format!("`{}`", field.key),
            kind(field.kind),
            otherwise(field.otherwise),
            sentence(field.doc),
        ]);
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Target => "a [target](#targets)".to_owned(),
        Kind::Path => "a file beside the profile".to_owned(),
        Kind::Choice(names) => names
            .iter()
            .map(|name| format!("`\"{name}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Integer(least, most) => format!("{least} to {most}"),
        Kind::Numbers(least, most) => format!("a list of numbers from {least} to {most}"),
        Kind::Size => "as in `\"8GiB\"`".to_owned(),
        Kind::Pair => "two features".to_owned(),
    }
}

fn otherwise(otherwise: Otherwise) -> String {
    match otherwise {
        Otherwise::Required => "required".to_owned(),
        Otherwise::Is(value) => format!("`{value}`"),
        Otherwise::From(how) => how.to_owned(),
    }
}

fn features(page: &mut Page) {
    page.head(&["feature", "setting", "value", "default", "what it says"]);
    for feature in Feature::ALL {
        let name = format!("`{feature}`");
        page.row([
            name,
            String::new(),
            "`true`, `false`".to_owned(),
            "`false`".to_owned(),
            sentence(feature.summary()),
        ]);
        for field in feature.fields() {
            let key = format!("`{}`", field.key);
            page.row([
                String::new(),
                key,
                kind(field.kind),
                otherwise(field.otherwise),
                sentence(field.doc),
            ]);
        }
    }
}

fn models(page: &mut Page) {
    page.section(
        "Model families",
        "A family accepts checkpoints of these classes of transformers. One that is not built is known all the same: `cargo lathe plan` counts what it would take.",
    );
    page.head(&[
        "family",
        "`architectures`",
        "built",
        "has an encoder",
        "sees images",
    ]);
    for family in ModelFamily::ALL {
        // Families of one code take each other's checkpoints.
        let classes: Vec<&str> = match family.code() {
            Some(code) => code.architectures().collect(),
            None => family.architectures().to_vec(),
        };
        let classes: Vec<_> = classes.iter().map(|class| format!("`{class}`")).collect();
        page.row([
            format!("`{family}`"),
            classes.join(", "),
            yes(family.code().is_some()),
            yes(family.has_encoder()),
            yes(family.sees()),
        ]);
    }
}

fn targets(page: &mut Page) {
    page.section(
        "Targets",
        "`native` is the machine that builds. A family stands for one architecture, whose code every listed device of the family runs, with the exceptions \
         named here; a device that is an exception is asked for by its own name.",
    );
    page.head(&["family", "built for", "which does not run on"]);
    for family in Family::ALL {
        let target = TargetName::Family(family);
        let strangers = target
            .left_out()
            .map(|arch| format!("{} (`{arch}`)", arch.what()));
        let strangers: Vec<String> = strangers.collect();
        match target.is_one_architecture() {
            true => page.row([
                format!("`{family}`"),
                format!("`{}`", lead(family)),
                strangers.join(", "),
            ]),
            false => page.row([
                format!("`{family}`"),
                "-".to_owned(),
                "any other: each chip runs its own code alone, so name a device or an architecture"
                    .to_owned(),
            ]),
        }
    }
    page.line("\nArchitectures, with what their chips multiply in instructions of their own (on a CPU without them, kernels widen bf16 to f32):\n");
    page.head(&[
        "architecture",
        "family",
        "bf16",
        "fp8",
        "int8",
        "toolkits",
        "devices",
    ]);
    for arch in Arch::ALL {
        page.row([
            format!("`{arch}`"),
            arch.family().to_string(),
            yes(arch.has_bf16()),
            fp8(arch.fp8()).to_owned(),
            yes(arch.has_int8()),
            toolkits(arch),
            arch.what().to_owned(),
        ]);
    }
    page.line(
        "\nKernels for a GPU are compiled by the first toolkit of this machine that makes code for the architecture: `nvcc` and `clang` where the variables \
         `LATHE_NVCC` and `LATHE_CLANG` say or on the path, NVRTC where `LATHE_NVRTC` says. Where there is none, `cargo lathe plan` says which to get.",
    );
    page.line(
        "\nDevices. Memory is what the driver reports; where none stands it is the machine's own. GB/s are the maker's peak, of one socket for a CPU.\n",
    );
    page.head(&[
        "SKU",
        "architecture",
        "host",
        "memory",
        "GB/s",
        "multiprocessors, compute units or cores",
        "KiB for each",
        "source",
    ]);
    for sku in SKUS {
        page.row([
            format!("`{}`", sku.name),
            format!("`{}`", sku.arch),
            host(sku.host).to_owned(),
            memory(sku.memory),
            sku.bandwidth.to_string(),
            sku.units.to_string(),
            sku.scratch.to_string(),
            sku.source.to_owned(),
        ]);
    }
}

fn yes(has: bool) -> String {
    if has { "yes" } else { "no" }.to_owned()
}

/// What kind of 8-bit floats a chip multiplies.
pub fn fp8(fp8: Fp8) -> &'static str {
    match fp8 {
        Fp8::No => "no",
        Fp8::Ocp => "yes",
        Fp8::Fnuz => "FNUZ",
    }
}

/// The toolkits that make code for an architecture.
pub fn toolkits(arch: Arch) -> String {
    let able = Toolkit::ALL
        .iter()
        .filter(|toolkit| toolkit.builds(arch).is_ok());
    able.map(|toolkit| toolkit.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The processors that a device comes with.
pub fn host(host: HostKind) -> &'static str {
    match host {
        HostKind::Any => "any",
        HostKind::X86 => "x86-64",
        HostKind::Arm => "aarch64",
    }
}

/// A device's memory as its driver reports it.
pub fn memory(memory: Memory) -> String {
    let size = memory.reported().map(|bytes| Bytes(bytes).to_string());
    match (memory, size) {
        (Memory::Machine, _) | (_, None) => "-".to_owned(),
        (Memory::Own(_), Some(size)) => size,
        (Memory::Checked(gib), Some(size)) => format!("{size}, of {gib} GiB with error correction"),
        (Memory::Shared(_), Some(size)) => format!("{size}, shared with the host"),
    }
}

fn rules(page: &mut Page) {
    page.section("Rules", "What a profile is checked for. `cargo lathe explain CODE` says the same; `tests/profiles/bad` has a profile that breaks each.");
    page.head(&["code", "name", "what it demands"]);
    for rule in RULES.iter() {
        page.row([
            rule.code.to_string(),
            rule.name.to_owned(),
            sentence(rule.doc),
        ]);
    }
}

/// A doc of the tables as a sentence of its own.
fn sentence(doc: &str) -> String {
    let mut letters = doc.chars();
    match letters.next() {
        // A name in backticks keeps its case.
        Some(first) => first.to_uppercase().chain(letters).chain(['.']).collect(),
        None => String::new(),
    }
}
