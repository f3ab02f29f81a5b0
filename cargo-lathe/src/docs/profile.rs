//! `docs/profile-reference.md`: every key, target and rule.

use engine_spec::profile::fields::{self, Field, Kind, Otherwise, SECTIONS};
use engine_spec::rules::RULES;
use engine_spec::sku::{Memory, SKUS};
use engine_spec::{Arch, Feature};

use super::page::Page;

/// The page as Markdown.
pub fn profile() -> String {
    let mut page = Page::titled(
        "Profile reference",
        "A profile is a TOML file. `profiles/default.toml` is a commented example; `cargo lathe plan PROFILE` shows what every key comes to.",
    );
    for section in SECTIONS {
        let title = match section.name {
            "" => "At the top".to_owned(),
            "accept" => "`[[accept]]`".to_owned(),
            name => format!("`[{name}]`"),
        };
        page.section(&title, &sentence(section.doc));
        keys(&mut page, section.fields);
    }
    features(&mut page);
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
    page.section(
        "`[features]`",
        "A feature is off unless it stands here: `true`, or a table of settings.",
    );
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
        for field in fields::settings(feature) {
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

fn targets(page: &mut Page) {
    page.section(
        "Targets",
        "`native` is the machine that builds. A family stands for its oldest architecture, whose code the newer ones run. Architectures:",
    );
    page.head(&["architecture", "family", "bf16", "fp8", "devices"]);
    let has = |has: bool| if has { "yes" } else { "no" }.to_owned();
    for arch in Arch::ALL {
        let row = [
            arch.to_string(),
            arch.family().to_string(),
            has(arch.has_bf16()),
            has(arch.has_fp8()),
            arch.what().to_owned(),
        ];
        page.row(row);
    }
    page.line("\nDevices, with the figures that a plan counts with. Memory of a CPU is the machine's own.\n");
    page.head(&[
        "SKU",
        "architecture",
        "memory",
        "GB/s",
        "multiprocessors, compute units or cores",
        "KiB for each",
        "source",
    ]);
    for sku in SKUS {
        let memory = match sku.memory {
            Memory::Gib(gib) => format!("{gib} GiB"),
            Memory::Machine => "-".to_owned(),
        };
        let row = [
            format!("`{}`", sku.name),
            sku.arch.to_string(),
            memory,
            sku.bandwidth.to_string(),
            sku.units.to_string(),
            sku.scratch.to_string(),
            sku.source.to_owned(),
        ];
        page.row(row);
    }
}

fn rules(page: &mut Page) {
    page.section("Rules", "What a profile is checked for. `cargo lathe explain CODE` says the same; `tests/profiles/bad` has a profile that breaks each.");
    page.head(&["code", "name", "what it demands"]);
    for rule in RULES {
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
