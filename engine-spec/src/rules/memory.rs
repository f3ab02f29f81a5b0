//! Whether weights, keys and values fit the device. Only where shape and device are known; the engine counts again
//! when it starts.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::plan::{KvMemory, MemoryReport};

pub static WEIGHTS: Rule = Rule {
    code: Code(501),
    name: "memory-weights",
    doc: "the model's weights must fit the device's memory",
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
    doc: "weights and the `kv-memory` that a profile asks for must fit the device's memory together",
    check: Check::Case(pool),
};

/// Bytes in words, with one digit after the point.
pub fn in_words(bytes: u64) -> String {
    let (shift, name) = match bytes {
        0x4000_0000.. => (30, "GiB"),
        0x10_0000.. => (20, "MiB"),
        _ => (10, "KiB"),
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn weights(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(bytes), Some(device)) = (weight_bytes(case), case.plan.device_memory()) else {
        return;
    };
    let shape = shape_span(case);
    if bytes > device {
        found.push(
            Diagnostic::new(
                WEIGHTS.code,
                format!(
                    "the weights take {}, the device has {}",
                    in_words(bytes),
                    in_words(device)
                ),
            )
            .at(
                &shape,
                format!("{} in {}", in_words(bytes), case.plan.model.dtype),
            )
            .beside(&case.profile.target.span, case.plan.target.describe())
            .help("use a smaller model, a smaller weight format, or a device with more memory"),
        );
    }
}

fn sequence(case: &Case<'_>, found: &mut Diagnostics) {
    let MemoryReport::Device {
        weights,
        kv_per_token,
        kv_pool,
        full_sequences: 0,
        ..
    } = case.plan.memory()
    else {
        return;
    };
    if case
        .plan
        .device_memory()
        .is_some_and(|device| weights > device)
    {
        return;
    }
    let shape = shape_span(case);
    let len = case.plan.limits.max_model_len;
    let one = kv_per_token.saturating_mul(len);
    let span = case.limit("max-model-len", &shape);
    let fits = kv_pool / kv_per_token / case.plan.limits.block_size * case.plan.limits.block_size;
    let mut diagnostic = Diagnostic::new(
        SEQUENCE.code,
        format!(
            "one sequence of {len} tokens takes {}, and {} are there",
            in_words(one),
            in_words(kv_pool)
        ),
    )
    .at(&span, format!("{} a token", in_words(kv_per_token)));
    diagnostic = match case.profile.limits.span("kv-memory") {
        Some(memory) => diagnostic.beside(memory, "all the memory for keys and values"),
        None => diagnostic.beside(&case.profile.target.span, case.plan.target.describe()),
    };
    let less = match (fits, case.profile.limits.span("kv-memory")) {
        (0, _) => "use a smaller model, or more memory".to_owned(),
        (_, Some(_)) => format!("set max-model-len to {fits} or less, or kv-memory to more"),
        (_, None) => {
            format!("set max-model-len to {fits} or less, or use a device with more memory")
        }
    };
    found.push(
        diagnostic
            .note(format!("the weights take {}", in_words(weights)))
            .help(less),
    );
}

fn pool(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(weights), Some(device)) = (weight_bytes(case), case.plan.device_memory()) else {
        return;
    };
    let (KvMemory::Bytes(pool), Some(span)) = (
        case.plan.limits.kv_memory,
        case.profile.limits.span("kv-memory"),
    ) else {
        return;
    };
    if weights <= device && weights.saturating_add(pool) > device {
        found.push(
            Diagnostic::new(
                POOL.code,
                format!(
                    "weights and keys take {}, the device has {}",
                    in_words(weights.saturating_add(pool)),
                    in_words(device)
                ),
            )
            .at(span, format!("{} for keys and values", in_words(pool)))
            .beside(&case.profile.target.span, case.plan.target.describe())
            .note(format!("the weights take {}", in_words(weights)))
            .help(format!(
                "set kv-memory to {} MiB or less, or leave it out",
                (device - weights) >> 20
            )),
        );
    }
}

fn weight_bytes(case: &Case<'_>) -> Option<u64> {
    match case.plan.memory() {
        MemoryReport::AtStart => None,
        MemoryReport::Model { weights, .. } | MemoryReport::Device { weights, .. } => Some(weights),
    }
}

fn shape_span(case: &Case<'_>) -> crate::diagnostics::Span {
    case.profile.model.shape.as_ref().map_or_else(
        || case.profile.model.family.span.clone(),
        |shape| shape.span.clone(),
    )
}
