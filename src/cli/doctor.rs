//! `engine doctor`: does this engine fit this machine?

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use engine_model::Bytes;
use engine_runtime::backend::{Backend, DeviceOptions};
use engine_runtime::checkpoint::Fit;
use engine_runtime::engine::{Budget, Engine, Host};
use engine_runtime::model::{Model, ModelShape};
use engine_runtime::{KvMemory, Limits, Recipe};
use serde::Serialize;

use super::Failure;
use super::format::Format;
use super::model::{LimitFlags, ThreadFlag, checkpoint};
use super::prompt::Prompter;

/// Say whether this engine fits this machine, and a model where one is named; reads no weights
///
/// All that would be refused at a start is told at once. Exit status: 0 it fits, 1 it does not.
#[derive(clap::Args)]
pub struct Doctor {
    /// Hugging Face folder that the engine is to serve
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    threads: ThreadFlag,
    #[command(flatten)]
    limits: LimitFlags,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    profile: &'static str,
    fits: bool,
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    fits: bool,
    detail: String,
}

impl Doctor {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let mut findings = vec![instructions::<R>(), threads(self.threads.threads)];
        let (threads, free) = match R::Backend::open(&DeviceOptions {
            threads: self.threads.threads,
        }) {
            Ok(device) => (device.threads(), device.free_memory()),
            Err(error) => {
                findings.push(Finding::refused("device", error));
                (1, None)
            }
        };
        match &self.folder {
            Some(folder) => findings.extend(self.model::<R>(folder, threads, free)),
            None => findings.push(memory_of_the_profile(R::LIMITS.kv_memory, free)),
        }
        let report = Report {
            profile: R::NAME,
            fits: findings.iter().all(|finding| finding.fits),
            findings,
        };
        report.write(self.format)?;
        if report.fits {
            return Ok(());
        }
        let refused = report.findings.iter().filter(|finding| !finding.fits);
        let refused: Vec<_> = refused.map(|finding| finding.what).collect();
        Err(format!("this engine would not start: {}", refused.join(", ")).into())
    }

    /// What a start with this folder would look at, as far as each can be looked at without the others.
    fn model<R: Recipe>(&self, folder: &Path, threads: usize, free: Option<u64>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let prompter = Prompter::open(folder);
        let tokenizer = prompter.as_ref().map(|prompter| &prompter.tokenizer);
        match checkpoint(folder) {
            Err(error) => findings.push(Finding::refused("model", error)),
            Ok(checkpoint) => {
                let limits = self.limits.of::<R>(&checkpoint);
                match R::Model::check(&checkpoint, &limits) {
                    Err(error) => findings.push(Finding::refused("model", error)),
                    Ok(fit) => {
                        let found = format!("{}, {} parameters", fit.architecture, fit.parameters);
                        findings.push(Finding::fits("model", found));
                        let eos = tokenizer.map_or(None, |tokenizer| tokenizer.eos_token_id());
                        let eos = checkpoint.eos_token_ids(eos);
                        let host = Host { threads, eos: &eos };
                        findings.push(memory(&Budget::of::<R>(&fit, &limits, host), free));
                        findings.push(opening::<R>(&limits, &eos, &fit));
                    }
                }
            }
        }
        findings.push(match &prompter {
            Err(error) => Finding::refused("tokenizer", error),
            Ok(prompter) if prompter.has_template() => {
                let size = prompter.tokenizer.vocab_size();
                Finding::fits("tokenizer", format!("{size} tokens, with a chat template"))
            }
            Ok(prompter) => {
                let size = prompter.tokenizer.vocab_size();
                let found = format!("{size} tokens; no chat template, so only bare prompts");
                Finding::fits("tokenizer", found)
            }
        });
        findings
    }
}

/// A machine that lacks some has not come here: `main` has refused it.
fn instructions<R: Recipe>() -> Finding {
    let levels = R::Backend::host_levels();
    let missing: Vec<_> = levels.iter().flat_map(|level| level.missing()).collect();
    let names = levels.map(|level| level.name);
    let name = names.last().copied().unwrap_or_default();
    match missing.as_slice() {
        [] => Finding::fits("instructions", name),
        missing => Finding::refused(
            "instructions",
            format!("{name} needs {}", missing.join(", ")),
        ),
    }
}

fn threads(wanted: Option<usize>) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = wanted.unwrap_or(cores);
    let slow = if threads > cores {
        "; they will wait for each other, give at most one for each core"
    } else {
        ""
    };
    Finding::fits(
        "threads",
        format!("{threads} on the {cores} cores that this process may use{slow}"),
    )
}

fn memory(budget: &Budget, free: Option<u64>) -> Finding {
    match budget.hold(free) {
        Err(shortage) => Finding::refused("memory", shortage),
        Ok(()) => Finding::fits("memory", format!("{} free; {budget}", shown(free))),
    }
}

/// What is known without a model: how much is there for weights, and for keys and values that take what weights leave.
fn memory_of_the_profile(kv_memory: KvMemory, free: Option<u64>) -> Finding {
    let free_now = shown(free);
    match kv_memory {
        KvMemory::Needed => Finding::fits("memory", format!("{free_now} free; name a model")),
        KvMemory::Within(bytes) => Finding::fits(
            "memory",
            format!(
                "{free_now} free, {} used at most; name a model",
                Bytes(bytes)
            ),
        ),
        KvMemory::Bytes(bytes) => {
            let found = format!("{free_now} free, {} asked for", Bytes(bytes));
            match free.is_some_and(|free| free < bytes) {
                true => Finding::refused("memory", found),
                false => Finding::fits("memory", found),
            }
        }
    }
}

fn shown(free: Option<u64>) -> String {
    free.map_or_else(|| "unknown".to_owned(), |free| Bytes(free).to_string())
}

/// What is held against each other when the engine opens.
fn opening<R: Recipe>(limits: &Limits, eos: &[u32], fit: &Fit) -> Finding {
    let shape = ModelShape {
        layers: fit.dims.layers,
        kv_heads: fit.dims.kv_heads,
        head_dim: fit.dims.head_dim,
        vocab: fit.dims.vocab,
        max_positions: fit.max_positions,
    };
    if let Err(error) = Engine::<R>::check(limits, eos, &shape) {
        return Finding::refused("engine", error);
    }
    let ids: Vec<_> = eos.iter().map(u32::to_string).collect();
    let end = match ids.as_slice() {
        [] => "no token ends a text, only max_tokens and stop do".to_owned(),
        ids => format!("token {} ends a text", ids.join(" or ")),
    };
    Finding::fits(
        "engine",
        format!(
            "{} sequences of up to {} tokens; {end}",
            limits.max_seqs, limits.max_model_len
        ),
    )
}

impl Finding {
    fn fits(what: &'static str, detail: impl Display) -> Self {
        Self {
            what,
            fits: true,
            detail: detail.to_string(),
        }
    }

    fn refused(what: &'static str, detail: impl Display) -> Self {
        Self {
            what,
            fits: false,
            detail: detail.to_string(),
        }
    }
}

impl Report {
    fn write(&self, format: Format) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if format == Format::Json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        for Finding { what, fits, detail } in &self.findings {
            let verdict = if *fits { "fits" } else { "REFUSED" };
            writeln!(out, "{verdict:<8} {what:<13} {detail}")?;
        }
        if self.fits {
            writeln!(out, "engine `{}` fits", self.profile)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device's size bounds what an engine takes; a smaller model takes less.
    #[test]
    fn only_memory_that_a_start_would_take_is_refused_without_a_model() {
        let fits = |kv_memory, free| memory_of_the_profile(kv_memory, free).fits;
        assert!(!fits(KvMemory::Bytes(2 << 30), Some(1 << 30)));
        assert!(fits(KvMemory::Bytes(1 << 30), Some(1 << 30)));
        assert!(fits(KvMemory::Within(2 << 30), Some(1 << 30)));
        assert!(fits(KvMemory::Needed, Some(0)));
        assert!(fits(KvMemory::Bytes(1 << 30), None));
    }
}
