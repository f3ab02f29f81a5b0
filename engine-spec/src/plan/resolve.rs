//! From what a profile says to an answer for every question.
//!
//! Resolving never fails: it answers as the profile asks, and the rules then judge profile and answers together.

use super::limits::Known;
use super::memory::KvMemory;
use super::{Accepted, Answers, Ask, Backend, Decision, Isa, Limits, Model, Origin};
use crate::arch::Arch;
use crate::family::BackendKind;
use crate::features::{self, Features};
use crate::machine::Machine;
use crate::matrix::Mode;
use crate::model::{Dtype, WeightFormat};
use crate::profile::Profile;
use crate::settings::{Answer, Table};
use crate::shape::Shape;
use crate::target::Target;
use crate::toolkit::Toolkit;

/// What a profile asks for, whether or not it can work.
pub(crate) fn resolve(profile: &Profile, machine: &Machine) -> Answers {
    let mut ask = Ask::new(profile);
    let name = ask.said("name", profile.name.clone());
    let target = Target::new(profile.target.value, machine);
    let origin = ask.line(&profile.target.span);
    ask.record(
        "target",
        format!("{} ({})", target.name, target.arch),
        origin,
    );
    let mode = ask.or(
        "matrix",
        profile.mode.clone(),
        Mode::default(),
        Origin::Default,
    );
    let backend = backend(&mut ask, target.arch);
    let toolkit = toolkit(&mut ask, &target, machine);
    let model = model(&mut ask, &target);
    let limits = limits(&mut ask, &model, backend.kind());
    let known = features::Known {
        profile,
        limits: &limits,
    };
    let features = Features::resolve(&mut ask, &known);
    let accepted = accepted(&mut ask);
    let mut answers = Answers {
        name,
        mode,
        target,
        backend,
        toolkit,
        model,
        features,
        limits,
        accepted,
        decisions: ask.decisions(),
        profile: profile.source.text.clone(),
    };
    settle(&mut answers);
    answers
}

/// Gives keys and values what everything else leaves, unless the profile says how much they get.
fn settle(answers: &mut Answers) {
    let kv_memory = answers.kv_memory();
    let decision = answers
        .decisions
        .iter_mut()
        .find(|one| one.key == "limits.kv-memory");
    if let Some(Decision { value, origin, .. }) = decision
        && !matches!(origin, Origin::Line(_))
    {
        *value = kv_memory.words();
        *origin = match kv_memory {
            KvMemory::Needed => Origin::Default,
            KvMemory::Bytes(_) | KvMemory::Within(_) => Origin::From("target"),
        };
        answers.limits.kv_memory = kv_memory;
    }
}

fn backend(ask: &mut Ask<'_>, arch: Arch) -> Backend {
    let backend = match arch.family().backend() {
        BackendKind::Cuda => Backend::Cuda,
        BackendKind::Hip => Backend::Hip,
        BackendKind::Cpu => Backend::Cpu { isa: isa(arch) },
    };
    let name = match backend {
        Backend::Cpu { isa } => format!("cpu ({isa})"),
        Backend::Cuda | Backend::Hip => backend.kind().name().to_owned(),
    };
    ask.record("backend", name, Origin::From("target"));
    backend
}

/// The CPU kernels for an architecture. There are none for aarch64 yet, and the portable ones run there.
fn isa(arch: Arch) -> Isa {
    match arch {
        Arch::X86V4Bf16 => Isa::Avx512Bf16,
        Arch::X86V4 => Isa::Avx512,
        Arch::X86V3 => Isa::Avx2,
        _ => Isa::Portable,
    }
}

/// The one that the profile names, or that this machine has, or that is to be got.
fn toolkit(ask: &mut Ask<'_>, target: &Target, machine: &Machine) -> Toolkit {
    let origin = match machine.toolkit_for(target.arch) {
        Some(_) => Origin::From("this machine"),
        None => Origin::From("target"),
    };
    let toolkit = machine.toolkit(target.arch);
    ask.or("toolkit", ask.profile.toolkit.clone(), toolkit, origin)
}

fn model(ask: &mut Ask<'_>, target: &Target) -> Model {
    let written = &ask.profile.model;
    let family = ask.said("model.family", written.family.clone());
    let native = match Dtype::Bf16.runs_on(target.arch) {
        true => Dtype::Bf16,
        false => Dtype::F16,
    };
    let dtype = ask.or(
        "model.dtype",
        written.dtype.clone(),
        native,
        Origin::From("target"),
    );
    let weights = ask.or(
        "model.weights",
        written.weights.clone(),
        WeightFormat::Dense,
        Origin::Default,
    );
    let shape = match &written.shape {
        Some(shape) => {
            let origin = ask.line(&shape.span);
            let value = format!("baked in from {}", shape.value.path);
            ask.record("model.shape", value, origin);
            Shape::Baked(Box::new(shape.value.clone()))
        }
        None => {
            ask.record("model.shape", "read from the checkpoint", Origin::Default);
            Shape::Loaded {
                head_dims: head_dims(ask),
            }
        }
    };
    Model {
        family,
        dtype,
        weights,
        shape,
    }
}

/// Kernels of a GPU are made for certain head sizes, and a rule demands that its profile says which; those of a CPU take
/// any.
fn head_dims(ask: &mut Ask<'_>) -> Vec<u64> {
    let (mut sizes, origin) = match &ask.profile.model.head_dims {
        Some(written) => (written.value.clone(), ask.line(&written.span)),
        None => (Vec::new(), Origin::From("target")),
    };
    sizes.sort_unstable();
    sizes.dedup();
    let names: Vec<_> = sizes.iter().map(u64::to_string).collect();
    let value = match names.is_empty() {
        true => "any".to_owned(),
        false => names.join(", "),
    };
    ask.record("model.head-dims", value, origin);
    sizes
}

fn limits(ask: &mut Ask<'_>, model: &Model, backend: BackendKind) -> Limits {
    let profile = ask.profile;
    let table = Table {
        name: "limits",
        values: &profile.limits,
    };
    let known = Known {
        profile,
        model,
        backend,
    };
    Limits::resolve(ask, table, &known)
}

/// The pairs by their cells, so that it does not matter in which order they are written. What is no pair is left out:
/// a rule says so.
fn accepted(ask: &mut Ask<'_>) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    for accept in &ask.profile.accept {
        let [a, b] = [accept.pair[0].value, accept.pair[1].value];
        let origin = ask.line(&accept.span);
        ask.record("accept", format!("{a} with {b}"), origin);
        accepted.extend(accept.cell().map(|pair| Accepted {
            pair,
            reason: accept.reason.value.clone(),
        }));
    }
    accepted.sort_by_key(|accepted| accepted.pair);
    accepted
}
