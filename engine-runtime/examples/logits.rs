//! Logits and greedy tokens of a checkpoint, for comparison with another implementation.
//!
//! `logits MODEL_DIR --tokens TOKENS.json --out OUT.safetensors [--dtype f32|f16|bf16] [--backend NAME]
//! [--greedy N] [--chunk ROWS]`: NAME is `reference`, `cpu`, or one instruction set of the CPU backend. TOKENS.json
//! is a list of lists of token ids. OUT.safetensors holds, for list `i`,
//! `logits.<i>` f32 [len, vocab] and, with `--greedy`, `greedy.<i>` i64 [N], the tokens that follow the list.

use std::error::Error;
use std::path::{Path, PathBuf};

use engine_runtime::backend::DeviceOptions;
#[cfg(target_arch = "x86_64")]
use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16, Isa};
use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::checkpoint::Config;
use engine_runtime::dtype::{BF16, Dense, F16, F32};
use engine_runtime::testing::Solo;
use engine_runtime::{KvMemory, Limits, Recipe};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const USAGE: &str = "usage: logits MODEL_DIR --tokens TOKENS.json --out OUT.safetensors \
    [--dtype f32|f16|bf16] [--backend NAME] [--greedy N] [--chunk ROWS]";

const LIMITS: Limits = Limits {
    max_model_len: 2048,
    max_seqs: 1,
    max_batched_tokens: 2048,
    block_size: 16,
    kv_memory: KvMemory::Needed,
};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    let lists: Vec<Vec<u32>> = serde_json::from_slice(&std::fs::read(&arguments.tokens)?)?;
    let config = Config::open(&arguments.model)?;
    let run =
        choose(&arguments.backend, &arguments.dtype, &config.architecture).ok_or_else(|| {
            format!(
                "no engine for --backend {} --dtype {} and {}\n{USAGE}",
                arguments.backend, arguments.dtype, config.architecture
            )
        })?;
    write(&arguments.out, &run(&arguments, &lists)?)
}

type Run = fn(&Arguments, &[Vec<u32>]) -> Result<Vec<Answer>, Failure>;

/// What a checkpoint makes of one list of tokens.
struct Answer {
    vocab: usize,
    /// [len, vocab]
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

/// The run for a backend: `reference`, `cpu` for the best instruction set of this machine, or one by its name.
fn choose(backend: &str, dtype: &str, architecture: &str) -> Option<Run> {
    macro_rules! run {
        ($backend:ty) => {
            match dtype {
                "f32" => run!($backend, F32),
                "f16" => run!($backend, F16),
                "bf16" => run!($backend, BF16),
                _ => None,
            }
        };
        ($backend:ty, $dtype:ty) => {{
            let run: Option<Run> =
                engine_runtime::by_family!(architecture, $backend, Dense<$dtype>, LIMITS, answers);
            run
        }};
    }
    match backend {
        "reference" => run!(Reference),
        "portable" => run!(Cpu<Portable>),
        #[cfg(target_arch = "x86_64")]
        "avx2" => run!(Cpu<Avx2>),
        #[cfg(target_arch = "x86_64")]
        "avx512" => run!(Cpu<Avx512>),
        #[cfg(target_arch = "x86_64")]
        "avx512-bf16" => run!(Cpu<Avx512Bf16>),
        "cpu" => choose(best(), dtype, architecture),
        _ => None,
    }
}

#[cfg(target_arch = "x86_64")]
fn best() -> &'static str {
    match () {
        () if Avx512Bf16::detect().is_ok() => "avx512-bf16",
        () if Avx512::detect().is_ok() => "avx512",
        () if Avx2::detect().is_ok() => "avx2",
        () => "portable",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> &'static str {
    "portable"
}

fn answers<R: Recipe>(arguments: &Arguments, lists: &[Vec<u32>]) -> Result<Vec<Answer>, Failure> {
    let options = DeviceOptions::default();
    let limits = Limits {
        max_model_len: LIMITS
            .max_model_len
            .min(Config::open(&arguments.model)?.max_positions),
        ..LIMITS
    };
    let mut solo = Solo::<R>::load_within(&arguments.model, &options, limits, &mut |_, _| {})?;
    let mut answer = |tokens: &Vec<u32>| {
        let longest = limits.max_model_len.saturating_sub(arguments.greedy);
        if tokens.is_empty() || tokens.len() > longest {
            return Err(format!("a list must have 1 to {longest} tokens").into());
        }
        Ok(Answer {
            vocab: solo.vocab(),
            logits: solo.logits(tokens, arguments.chunk)?,
            greedy: solo.greedy(tokens, arguments.greedy)?,
        })
    };
    lists.iter().map(&mut answer).collect()
}

fn write(out: &Path, answers: &[Answer]) -> Result<(), Failure> {
    let mut tensors = Vec::new();
    for (index, answer) in answers.iter().enumerate() {
        let rows = answer.logits.len() / answer.vocab;
        let bytes = answer.logits.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((
            format!("logits.{index}"),
            Dtype::F32,
            vec![rows, answer.vocab],
            bytes,
        ));
        if !answer.greedy.is_empty() {
            let tokens = answer.greedy.iter().map(|&token| i64::from(token));
            let bytes: Vec<u8> = tokens.flat_map(i64::to_le_bytes).collect();
            let shape = vec![answer.greedy.len()];
            tensors.push((format!("greedy.{index}"), Dtype::I64, shape, bytes));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    safetensors::serialize_to_file(views, None, out)?;
    Ok(())
}

struct Arguments {
    model: PathBuf,
    tokens: PathBuf,
    out: PathBuf,
    dtype: String,
    backend: String,
    greedy: usize,
    chunk: usize,
}

impl Arguments {
    fn parse() -> Result<Self, Failure> {
        let mut parsed = Self {
            model: PathBuf::new(),
            tokens: PathBuf::new(),
            out: PathBuf::new(),
            dtype: "f32".to_owned(),
            backend: "cpu".to_owned(),
            greedy: 0,
            chunk: LIMITS.max_batched_tokens,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(USAGE);
            match word.as_str() {
                "--tokens" => parsed.tokens = value()?.into(),
                "--out" => parsed.out = value()?.into(),
                "--dtype" => parsed.dtype = value()?,
                "--backend" => parsed.backend = value()?,
                "--greedy" => parsed.greedy = value()?.parse()?,
                "--chunk" => parsed.chunk = value()?.parse()?,
                model if !model.starts_with('-') => parsed.model = model.into(),
                _ => return Err(USAGE.into()),
            }
        }
        let paths = [&parsed.model, &parsed.tokens, &parsed.out];
        let sound = (1..=LIMITS.max_batched_tokens).contains(&parsed.chunk)
            && parsed.greedy < LIMITS.max_model_len;
        match paths.iter().all(|path| !path.as_os_str().is_empty()) && sound {
            true => Ok(parsed),
            false => Err(USAGE.into()),
        }
    }
}
