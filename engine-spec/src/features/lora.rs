//! LoRA: low-rank adapters, several of them in one batch.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::rules::{Case, Check, Rule};
use crate::spell;

pub static DEFINITION: Definition = Definition {
    name: "lora",
    title: "LoRA",
    aliases: &["adapters", "enable-lora"],
    summary: "low-rank adapters, several of them in one batch",
    part: Part {
        name: "Adapters",
        on: &["Lora"],
        off: "Off",
    },
    fields: Lora::FIELDS,
    rules: &[&LORA_RANK, &LORA_VOCAB, &LORA_RESIDENT],
};

settings! {
    /// Room for adapters.
    Lora(known: &Known<'_>) {
        /// adapters in one step at most
        max_loras: u64(1..=4096) = 1,
        /// rank of an adapter at most: 8, 16, 32, 64, 128 or 256
        max_rank: u64(1..=MOST) = 16,
        /// adapters kept in host memory, at least max-loras
        max_cpu_loras: u64(1..=MOST) = max_loras => "max-loras",
        /// tokens that an adapter may add to the vocabulary: 0, 256 or 512
        extra_vocab: u64(0..=MOST) = 0,
    }
}

static LORA_RANK: Rule = Rule {
    code: Code(204),
    name: "lora-rank",
    doc: "adapter kernels are made for ranks of 8, 16, 32, 64, 128 and 256; smaller adapters are padded",
    check: Check::Case(lora_rank),
};

static LORA_VOCAB: Rule = Rule {
    code: Code(205),
    name: "lora-vocab",
    doc: "room for added tokens comes in steps that keep the output projection aligned: 0, 256 or 512",
    check: Check::Case(lora_vocab),
};

static LORA_RESIDENT: Rule = Rule {
    code: Code(206),
    name: "lora-resident",
    doc: "every adapter of a step is also kept in host memory: max-cpu-loras is at least max-loras",
    check: Check::Case(lora_resident),
};

fn lora_rank(case: &Case<'_>, found: &mut Diagnostics) {
    if let Some(lora) = case.answers.features.lora.on() {
        let note = "adapters of a smaller rank are padded to it";
        let one_of = [8, 16, 32, 64, 128, 256];
        found.extend(no_kernel(
            case,
            &LORA_RANK,
            "max-rank",
            lora.max_rank,
            &one_of,
            note,
        ));
    }
}

fn lora_vocab(case: &Case<'_>, found: &mut Diagnostics) {
    if let Some(lora) = case.answers.features.lora.on() {
        let note = "the output projection stays aligned only in such steps";
        let one_of = [0, 256, 512];
        found.extend(no_kernel(
            case,
            &LORA_VOCAB,
            "extra-vocab",
            lora.extra_vocab,
            &one_of,
            note,
        ));
    }
}

/// A setting that must be one of a few numbers, and is not.
fn no_kernel(
    case: &Case<'_>,
    rule: &Rule,
    key: &str,
    is: u64,
    one_of: &[u64],
    note: &str,
) -> Option<Diagnostic> {
    (!one_of.contains(&is)).then(|| {
        Diagnostic::new(rule.code, format!("`{key}` of `lora` cannot be {is}"))
            .at(&case.setting(Feature::Lora, key), "no kernel has it")
            .note(note)
            .help(format!("use {}", spell::one_of(one_of)))
    })
}

fn lora_resident(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(lora) = case.answers.features.lora.on() else {
        return;
    };
    let (kept, used) = (lora.max_cpu_loras, lora.max_loras);
    if kept < used {
        found.push(
            Diagnostic::new(
                LORA_RESIDENT.code,
                format!("{kept} adapters in host memory cannot feed {used} in a step"),
            )
            .at(
                &case.setting(Feature::Lora, "max-cpu-loras"),
                "fewer than max-loras",
            )
            .beside(
                &case.setting(Feature::Lora, "max-loras"),
                format!("{used} in a step"),
            )
            .help(format!(
                "set max-cpu-loras to {used} or more, or leave it out"
            )),
        );
    }
}
