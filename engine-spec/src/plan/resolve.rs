//! From what a profile says to an answer for every question.
//!
//! Resolving never fails: it answers as the profile asks, and the rules then judge profile and answers together.

use std::fmt;

use super::{
    Accepted, Adapters, Backend, Beam, BestOf, Decision, Dims, Draft, Encoder, Features, Guide,
    Images, Isa, KvMemory, Launch, Limits, Logprobs, Model, Origin, Output, Plan, Prefill, Prefix,
    PromptAdapters, Steps,
};
use crate::arch::Arch;
use crate::family::BackendKind;
use crate::feature::Feature;
use crate::machine::Machine;
use crate::matrix::Mode;
use crate::model::{Dtype, WeightFormat};
use crate::profile::{Chosen, Profile, Spanned};
use crate::target::Target;
use crate::toolkit::Toolkit;

/// The plan that a profile asks for, whether or not it can work.
pub(crate) fn resolve(profile: &Profile, machine: &Machine) -> Plan {
    let mut ask = Ask {
        profile,
        decisions: Vec::new(),
    };
    let name = ask.said("name", &profile.name.span, profile.name.value.clone());
    let target = Target::new(profile.target.value, machine);
    ask.record(
        "target",
        format!("{} ({})", target.name, target.arch),
        ask.line(&profile.target.span),
    );
    let mode = ask.or("matrix", &profile.mode, Mode::default(), Mode::name);
    let backend = backend(target.arch);
    ask.record("backend", backend_name(backend), Origin::From("target"));
    let toolkit = toolkit(&mut ask, &target, machine);
    let model = model(&mut ask, &target);
    let limits = limits(&mut ask, &model, backend.kind());
    let features = features(&mut ask, &limits);
    let accepted = profile.accept.iter().map(|accept| {
        let pair = [accept.pair[0].value, accept.pair[1].value];
        ask.record(
            "accept",
            format!("`{}` with `{}`", pair[0], pair[1]),
            ask.line(&accept.span),
        );
        Accepted {
            pair,
            reason: accept.reason.value.clone(),
        }
    });
    let accepted = accepted.collect();
    let Ask { decisions, .. } = ask;
    Plan {
        name,
        mode,
        target,
        backend,
        toolkit,
        model,
        features,
        limits,
        accepted,
        decisions,
        profile: profile.source.text.clone(),
    }
}

fn backend(arch: Arch) -> Backend {
    match arch.family().backend() {
        BackendKind::Cuda => Backend::Cuda,
        BackendKind::Hip => Backend::Hip,
        BackendKind::Cpu => Backend::Cpu { isa: isa(arch) },
    }
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

fn backend_name(backend: Backend) -> String {
    match backend {
        Backend::Cpu { isa } => format!("Cpu<{isa}>"),
        Backend::Cuda => "Gpu<Cuda>".to_owned(),
        Backend::Hip => "Gpu<Hip>".to_owned(),
    }
}

/// The one that the profile names, or that this machine has, or that is to be got.
fn toolkit(ask: &mut Ask<'_>, target: &Target, machine: &Machine) -> Toolkit {
    let (toolkit, origin) = match &ask.profile.toolkit {
        Some(only) => (only.value, ask.line(&only.span)),
        None if machine.toolkit_for(target.arch).is_some() => {
            (machine.toolkit(target.arch), Origin::From("this machine"))
        }
        None => (machine.toolkit(target.arch), Origin::From("target")),
    };
    ask.record("toolkit", toolkit.to_string(), origin);
    toolkit
}

fn model(ask: &mut Ask<'_>, target: &Target) -> Model {
    let written = &ask.profile.model;
    let family = ask.said("model.family", &written.family.span, written.family.value);
    let dtype = match &written.dtype {
        Some(dtype) => ask.said("model.dtype", &dtype.span, dtype.value),
        None => {
            let dtype = if Dtype::Bf16.runs_on(target.arch) {
                Dtype::Bf16
            } else {
                Dtype::F16
            };
            ask.record("model.dtype", dtype.to_string(), Origin::From("target"));
            dtype
        }
    };
    let weights = ask.or(
        "model.weights",
        &written.weights,
        WeightFormat::Dense,
        WeightFormat::name,
    );
    let dims = match &written.shape {
        Some(shape) => {
            ask.record(
                "model.shape",
                format!("baked in from {}", shape.value.path),
                ask.line(&shape.span),
            );
            Dims::Baked(shape.value.clone())
        }
        None => {
            ask.record(
                "model.shape",
                "read from the checkpoint".to_owned(),
                Origin::Default,
            );
            Dims::Loaded
        }
    };
    Model {
        family,
        dtype,
        weights,
        dims,
    }
}

/// Tokens of a sequence where neither profile nor shape says.
const MODEL_LEN: u64 = 4096;
/// Above this a model's own limit is not taken without being asked for: keys and values for it fit few devices.
const MODEL_LEN_MOST: u64 = 8192;
/// Tokens a step with chunked prefill, as in vLLM 0.6.
const CHUNKED_STEP: u64 = 512;
/// Tokens a step without it, at least.
const WHOLE_STEP: u64 = 2048;

fn limits(ask: &mut Ask<'_>, model: &Model, backend: BackendKind) -> Limits {
    let (len, from) = match &model.dims {
        Dims::Baked(shape) => (
            shape.max_positions.min(MODEL_LEN_MOST),
            Origin::From("model.shape"),
        ),
        Dims::Loaded => (MODEL_LEN, Origin::Default),
    };
    let max_model_len = ask.limit("max-model-len", len, from);
    let seqs = if backend == BackendKind::Cpu { 32 } else { 256 };
    let max_seqs = ask.limit("max-seqs", seqs, Origin::From("target"));
    let (step, from) = match ask.profile.chosen(Feature::ChunkedPrefill) {
        Some(chosen) => {
            let chunk = chosen
                .settings
                .integer("tokens")
                .map_or(CHUNKED_STEP, |tokens| tokens.value);
            (
                chunk.max(max_seqs),
                Origin::From("features.chunked-prefill"),
            )
        }
        None => (
            max_model_len.max(WHOLE_STEP).max(max_seqs),
            Origin::From("limits.max-model-len"),
        ),
    };
    let max_batched_tokens = ask.limit("max-batched-tokens", step, from);
    let block_size = ask.limit("block-size", 16, Origin::Default);
    let kv_memory = match ask.profile.limits.integer("kv-memory") {
        Some(bytes) => {
            ask.record(
                "limits.kv-memory",
                format!("{} MiB", bytes.value >> 20),
                ask.line(&bytes.span),
            );
            KvMemory::Bytes(bytes.value)
        }
        None if backend == BackendKind::Cpu => {
            ask.record("limits.kv-memory", "4096 MiB".to_owned(), Origin::Default);
            KvMemory::Bytes(4 << 30)
        }
        None => {
            ask.record(
                "limits.kv-memory",
                "what the weights leave of 90 % of the device".to_owned(),
                Origin::Default,
            );
            KvMemory::DeviceShare { percent: 90 }
        }
    };
    Limits {
        max_model_len,
        max_seqs,
        max_batched_tokens,
        block_size,
        kv_memory,
    }
}

/// Tokens of a chunk where the profile does not say: the whole step, in whole blocks if those are to be cached.
fn chunk(profile: &Profile, limits: &Limits) -> u64 {
    let step = limits.max_batched_tokens;
    match profile.chosen(Feature::PrefixCaching) {
        Some(_) if step > limits.block_size => step - step % limits.block_size,
        _ => step,
    }
}

fn features(ask: &mut Ask<'_>, limits: &Limits) -> Features {
    let chunk = chunk(ask.profile, limits);
    Features {
        prefill: ask.part(Feature::ChunkedPrefill, Prefill::Whole, |on| {
            Prefill::Chunked {
                tokens: on.or("tokens", chunk),
            }
        }),
        prefix: ask.part(Feature::PrefixCaching, Prefix::Off, |_| Prefix::Hashed {
            block: limits.block_size,
        }),
        adapters: ask.part(Feature::Lora, Adapters::Off, |on| {
            let max_loras = on.or("max-loras", 1);
            Adapters::Lora {
                max_loras,
                max_rank: on.or("max-rank", 16),
                max_cpu_loras: on.or("max-cpu-loras", max_loras),
                extra_vocab: on.or("extra-vocab", 0),
            }
        }),
        prompt_adapters: ask.part(Feature::PromptAdapter, PromptAdapters::Off, |on| {
            PromptAdapters::Tuned {
                max_adapters: on.or("max-adapters", 1),
                max_tokens: on.or("max-tokens", 128),
            }
        }),
        draft: ask.part(Feature::SpeculativeDecoding, Draft::Off, |on| {
            let tokens = on.or("tokens", 4);
            let lookup_min = on.or("lookup-min", 1);
            match on.settings.text("method").map(|method| method.value) {
                Some("draft-model") => Draft::Model { tokens },
                _ => Draft::NGram {
                    tokens,
                    lookup_min,
                    lookup_max: on.or("lookup-max", lookup_min.max(4)),
                },
            }
        }),
        launch: ask.part(Feature::CudaGraph, Launch::Eager, |on| Launch::Graphs {
            max_batch: on.or("max-batch", limits.max_seqs.min(256)),
        }),
        encoder: ask.part(Feature::EncoderDecoder, Encoder::Off, |on| Encoder::Cross {
            max_encoder_len: on.or("max-encoder-len", limits.max_model_len),
        }),
        logprobs: ask.part(Feature::Logprobs, Logprobs::Off, |on| Logprobs::Top {
            max: on.or("max", 20),
        }),
        prompt_logprobs: ask.part(Feature::PromptLogprobs, Logprobs::Off, |on| Logprobs::Top {
            max: on.or("max", 20),
        }),
        output: ask.part(Feature::AsyncOutput, Output::Inline, |_| Output::Async),
        steps: ask.part(Feature::MultiStep, Steps::Single, |on| Steps::Multi {
            steps: on.or("steps", 8),
        }),
        images: ask.part(Feature::Multimodal, Images::Off, |on| Images::Embedded {
            max_images: on.or("max-images", 1),
        }),
        best_of: ask.part(Feature::BestOf, BestOf::Off, |on| BestOf::Ranked {
            max: on.or("max", 8),
        }),
        beam: ask.part(Feature::BeamSearch, Beam::Off, |on| Beam::Width {
            max: on.or("max-width", 8),
        }),
        guide: ask.part(Feature::GuidedDecoding, Guide::Off, |_| Guide::Grammar),
    }
}

impl Chosen {
    /// A setting, or what holds without it.
    fn or(&self, key: &str, otherwise: u64) -> u64 {
        self.settings
            .integer(key)
            .map_or(otherwise, |number| number.value)
    }
}

/// Asks the profile and keeps a record of every answer.
struct Ask<'p> {
    profile: &'p Profile,
    decisions: Vec<Decision>,
}

impl<'p> Ask<'p> {
    fn record(&mut self, key: &str, value: String, origin: Origin) {
        self.decisions.push(Decision {
            key: key.to_owned(),
            value,
            origin,
        });
    }

    fn line(&self, span: &crate::diagnostics::Span) -> Origin {
        Origin::Line(self.profile.line(span))
    }

    fn said<T: fmt::Display>(&mut self, key: &str, span: &crate::diagnostics::Span, value: T) -> T {
        self.record(key, value.to_string(), self.line(span));
        value
    }

    fn or<T: Copy>(
        &mut self,
        key: &str,
        said: &Option<Spanned<T>>,
        otherwise: T,
        name: fn(T) -> &'static str,
    ) -> T {
        let (value, origin) = match said {
            Some(said) => (said.value, self.line(&said.span)),
            None => (otherwise, Origin::Default),
        };
        self.record(key, name(value).to_owned(), origin);
        value
    }

    fn limit(&mut self, key: &'static str, otherwise: u64, from: Origin) -> u64 {
        let (value, origin) = match self.profile.limits.integer(key) {
            Some(said) => (said.value, self.line(&said.span)),
            None => (otherwise, from),
        };
        self.record(&format!("limits.{key}"), value.to_string(), origin);
        value
    }

    /// The part of a feature: `off`, or what its settings make of it.
    fn part<T: fmt::Debug>(&mut self, feature: Feature, off: T, on: impl Fn(&Chosen) -> T) -> T {
        let named = self
            .profile
            .features
            .iter()
            .find(|chosen| chosen.feature == feature);
        let (part, origin) = match named {
            Some(chosen) if chosen.on => (on(chosen), self.line(&chosen.key)),
            Some(chosen) => (off, self.line(&chosen.key)),
            None => (off, Origin::Default),
        };
        self.record(&format!("features.{feature}"), format!("{part:?}"), origin);
        part
    }
}
