//! Whether everything fits the device: the plan's budget, held against one total.
//!
//! Only where shape and device are known; the engine counts again when it starts. All rules count with the same lines
//! and the same reserve, so that a profile which asks for less is never refused where one that asks for more is taken.

use engine_model::Bytes;

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::{Budget, KvMemory, Line};

pub static WEIGHTS: Rule = Rule {
    code: Code(501),
    name: "memory-weights",
    doc: "weights, and what a step takes beside keys and values, must fit the device's memory",
    check: Check::Case(weights),
};

pub static SEQUENCE: Rule = Rule {
    code: Code(502),
    name: "memory-sequence",
    doc: "keys and values of one sequence of max-model-len tokens must fit what is there for them, or a long request could never be served",
    check: Check::Case(sequence),
};

pub static POOL: Rule = Rule {
    code: Code(503),
    name: "memory-pool",
    doc: "the `kv-memory` that a profile asks for must fit the device's memory beside everything else",
    check: Check::Case(pool),
};

fn weights(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(budget) = case.answers.budget() else {
        return;
    };
    let Some(usable) = budget.usable().filter(|usable| budget.used() > *usable) else {
        return;
    };
    let weights = budget.lines.first().map_or(0, |line| line.bytes);
    let (title, help) = match weights > usable {
        true => (
            format!(
                "the weights take {}, the device has {} for the engine",
                Bytes(weights),
                Bytes(usable)
            ),
            "use a smaller model, a smaller weight format, or a device with more memory".to_owned(),
        ),
        false => (
            format!(
                "weights and a step take {}, the device has {} for the engine",
                Bytes(budget.used()),
                Bytes(usable)
            ),
            {
                let less = |line: &Line| Some((line.bytes, line.what, line.lower?));
                match budget.lines.iter().filter_map(less).max() {
                    Some((_, what, lower)) => {
                        format!("for less {what} lower {lower}; or use a device with more memory")
                    }
                    None => "use a device with more memory".to_owned(),
                }
            },
        ),
    };
    found.push(
        Diagnostic::new(WEIGHTS.code, title)
            .at(
                &shape_span(case),
                format!("{} in {}", Bytes(weights), case.answers.model.dtype),
            )
            .beside(&case.profile.target.span, case.answers.target.describe())
            .note(lines(&budget))
            .notes(reserve(case))
            .help(help),
    );
}

fn sequence(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(budget) = case.answers.budget() else {
        return;
    };
    let fits_at_all = budget.usable().is_none_or(|usable| budget.used() <= usable);
    if budget.kv.full_sequences > 0 || !fits_at_all {
        return;
    }
    let shape = shape_span(case);
    let limits = &case.answers.limits;
    let len = limits.max_model_len;
    let one = budget.kv.per_sequence;
    let fits = budget.kv.blocks * limits.block_size;
    let written = case.profile.limits.span("kv-memory");
    let mut diagnostic = Diagnostic::new(
        SEQUENCE.code,
        format!(
            "one sequence of {len} tokens takes {}, and {} are there",
            Bytes(one),
            Bytes(budget.kv.pool)
        ),
    )
    .at(
        &case.limit("max-model-len", &shape),
        format!("{} a token", Bytes(budget.kv.per_token)),
    );
    diagnostic = match written {
        Some(memory) => diagnostic.beside(memory, "all the memory for keys and values"),
        None => diagnostic.beside(&case.profile.target.span, case.answers.target.describe()),
    };
    let shorter = (fits > 0).then(|| format!("set max-model-len to {fits} or less"));
    // Where the device has room for it, the profile's own figure is what stands in the way.
    let room = budget
        .left()
        .is_none_or(|left| mebibytes(one) << 20 <= left);
    let more = (written.is_some() && room)
        .then(|| format!("set kv-memory to \"{}MiB\" or more", mebibytes(one)));
    let help = match (more, shorter) {
        (Some(more), _) => more,
        (None, Some(shorter)) => format!("{shorter}, or use a device with more memory"),
        (None, None) => "use a smaller model, or a device with more memory".to_owned(),
    };
    found.push(diagnostic.note(lines(&budget)).help(help));
}

fn pool(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(budget), Some(span)) = (case.answers.budget(), case.profile.limits.span("kv-memory"))
    else {
        return;
    };
    let (Some(left), Some(usable)) = (budget.left(), budget.usable()) else {
        return;
    };
    let KvMemory::Bytes(pool) = case.answers.limits.kv_memory else {
        return;
    };
    if budget.used() > usable || pool <= left {
        return;
    }
    let most = left >> 20;
    let help = match most << 20 >= budget.kv.per_sequence {
        true => format!("set kv-memory to \"{most}MiB\" or less, or leave it out"),
        false => "use a shorter max-model-len, or a device with more memory".to_owned(),
    };
    found.push(
        Diagnostic::new(
            POOL.code,
            format!(
                "with {} for keys and values the engine takes {}, the device has {} for it",
                Bytes(pool),
                Bytes(budget.used().saturating_add(pool)),
                Bytes(usable)
            ),
        )
        .at(span, format!("{} at most", Bytes(left)))
        .beside(&case.profile.target.span, case.answers.target.describe())
        .note(lines(&budget))
        .notes(reserve(case))
        .help(help),
    );
}

/// What takes the memory, largest first.
fn lines(budget: &Budget) -> String {
    let mut lines: Vec<_> = budget.lines.iter().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.bytes));
    let shown = lines.iter().filter(|line| line.bytes >= 1 << 20);
    let shown: Vec<_> = shown
        .map(|line| format!("{} {}", line.what, Bytes(line.bytes)))
        .collect();
    format!("beside keys and values: {}", shown.join(", "))
}

fn reserve(case: &Case<'_>) -> Option<String> {
    let total = case.answers.device_memory()?;
    Some(format!(
        "of the device's {}, {} stay free for its driver and other programs",
        Bytes(total),
        Bytes(case.answers.reserve())
    ))
}

/// Rounded up.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn shape_span(case: &Case<'_>) -> Span {
    case.profile.model.shape.as_ref().map_or_else(
        || case.profile.model.family.span.clone(),
        |shape| shape.span.clone(),
    )
}
