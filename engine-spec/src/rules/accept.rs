//! `[[accept]]`: each entry takes one unknown pair that the profile really has, once, and says why.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::matrix::{Mode, Verdict};

pub static KNOWN: Rule = Rule {
    code: Code(701),
    name: "accept-known",
    doc: "only a pair that vLLM's matrix leaves unknown can be accepted: yes needs no acceptance, and no is not for a profile to overrule",
    check: Check::Case(known),
};

pub static UNUSED: Rule = Rule {
    code: Code(702),
    name: "accept-unused",
    doc: "an accepted pair must be on in the profile, and vLLM's matrix must be asked: an entry without effect is a mistake",
    check: Check::Case(unused),
};

pub static TWICE: Rule = Rule {
    code: Code(703),
    name: "accept-twice",
    doc: "a pair is accepted once",
    check: Check::Case(twice),
};

pub static REASON: Rule = Rule {
    code: Code(704),
    name: "accept-reason",
    doc: "the reason stands in the binary's manifest for whoever runs it, so it must say something",
    check: Check::Case(reason),
};

fn known(case: &Case<'_>, found: &mut Diagnostics) {
    for accept in &case.profile.accept {
        let [a, b] = [accept.pair[0].value, accept.pair[1].value];
        let (title, note) = match accept.cell().map(|id| case.matrix.cell(id)) {
            None => (
                format!("`{a}` is no pair with itself"),
                "a pair is two features".to_owned(),
            ),
            Some(cell) => match cell.vllm {
                Verdict::Unknown => continue,
                Verdict::Yes => (
                    format!("`{a}` with `{b}` is not unknown"),
                    "vLLM's matrix says yes: it needs no acceptance".to_owned(),
                ),
                Verdict::No => (
                    format!("`{a}` with `{b}` is not unknown"),
                    format!("vLLM's matrix says no: {}", cell.reason),
                ),
            },
        };
        found.push(
            Diagnostic::new(KNOWN.code, title)
                .at(&accept.span, "cannot be accepted")
                .note(note)
                .help("remove the entry"),
        );
    }
}

fn unused(case: &Case<'_>, found: &mut Diagnostics) {
    for accept in &case.profile.accept {
        let off = accept
            .pair
            .iter()
            .find(|feature| !case.set().contains(feature.value));
        let (what, why) = match off {
            Some(feature) => (&feature.span, format!("`{}` is not on", feature.value)),
            None if case.profile.terms().mode == Mode::Engine => (
                &accept.span,
                "matrix = \"engine\" does not ask vLLM's matrix".to_owned(),
            ),
            None => continue,
        };
        found.push(
            Diagnostic::new(
                UNUSED.code,
                format!("an accepted pair has no effect: {why}"),
            )
            .at(what, "accepted for nothing")
            .help("remove the entry"),
        );
    }
}

fn twice(case: &Case<'_>, found: &mut Diagnostics) {
    for (at, accept) in case.profile.accept.iter().enumerate() {
        let before = case.profile.accept.iter().take(at);
        let first = before
            .filter(|other| other.cell().is_some())
            .find(|other| other.cell() == accept.cell());
        if let Some(first) = first {
            found.push(
                Diagnostic::new(TWICE.code, "a pair is accepted twice")
                    .at(&accept.span, "again here")
                    .beside(&first.span, "first here")
                    .help("remove one of the entries"),
            );
        }
    }
}

fn reason(case: &Case<'_>, found: &mut Diagnostics) {
    for accept in &case.profile.accept {
        if accept.reason.value.trim().is_empty() {
            found.push(
                Diagnostic::new(REASON.code, "an accepted pair needs a reason")
                    .at(&accept.reason.span, "says nothing")
                    .note("it stands in the binary's manifest for whoever runs it")
                    .help("say who vouches for the pair, as in \"covered by our own acceptance suite\""),
            );
        }
    }
}
