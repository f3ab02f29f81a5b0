//! What tests and development tools share: recipes written by hand, and a model run without an engine.

mod ahead;
pub mod proof;
pub mod serve;
pub mod tiny;

pub use ahead::OneStepAhead;

use std::path::Path;

use crate::backend::{Attention, Backend, CacheShape, DeviceError, DeviceOptions};
use crate::batch::{Batch, Capacity, DeviceBatch};
use crate::checkpoint::{Checkpoint, LoadError};
use crate::dtype::Plain;
use crate::model::Model;
use crate::recipe::{Array, Cache, KvMemory, Limits, Recipe};
use crate::sampler::TableRows;

/// Limits that suit tiny models.
pub const LIMITS: Limits = Limits {
    max_model_len: 256,
    max_seqs: 8,
    max_batched_tokens: 256,
    block_size: 16,
    kv_memory: KvMemory::Needed,
};

/// Writes a recipe by hand. Head and cache have the format of dense weights, unless they are given. Parts stand in the order of the trait; those that are not asked for have their neutral
/// type. The settings of the parts follow, each under its constant's name.
///
/// ```
/// use engine_runtime::backend::reference::Reference;
/// use engine_runtime::dtype::Dense;
/// use engine_runtime::models::Llama;
/// use engine_runtime::parts::{Chunked, Hashed, Top};
///
/// engine_runtime::recipe! {
///     /// A Llama with everything on.
///     pub Everything {
///         backend: Reference,
///         weights: Dense<f32>,
///         model: Llama<Self>,
///         prefill: Chunked,
///         prefix: Hashed,
///         logprobs: Top,
///         limits: engine_runtime::testing::LIMITS,
///         CHUNKED_PREFILL: ChunkedPrefillSettings { tokens: 32 },
///         LOGPROBS: LogprobsSettings { max: 20 },
///     }
/// }
/// ```
#[macro_export]
macro_rules! recipe {
    (
        $(#[$doc:meta])*
        $visibility:vis $name:ident {
            backend: $backend:ty,
            weights: $weights:ty,
            $(head: $head:ty,)?
            $(cache: $cache:ty,)?
            model: $model:ty,
            $(prefill: $prefill:ty,)?
            $(prefix: $prefix:ty,)?
            $(adapters: $adapters:ty,)?
            $(prompt_adapters: $prompt_adapters:ty,)?
            $(draft: $draft:ty,)?
            $(launch: $launch:ty,)?
            $(encoder: $encoder:ty,)?
            $(logprobs: $logprobs:ty,)?
            $(prompt_logprobs: $prompt_logprobs:ty,)?
            $(output: $output:ty,)?
            $(steps: $steps:ty,)?
            $(multimodal: $multimodal:ty,)?
            $(best_of: $best_of:ty,)?
            $(beam_search: $beam_search:ty,)?
            $(guide: $guide:ty,)?
            $(head_dims: $head_dims:expr,)?
            limits: $limits:expr
            $(, $constant:ident: $settings:ident { $($setting:ident: $value:expr),+ $(,)? })* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        $visibility struct $name;

        impl $crate::Recipe for $name {
            const NAME: &'static str = stringify!($name);
            const LIMITS: $crate::Limits = $limits;
            $(const HEAD_DIMS: &'static [usize] = $head_dims;)?
            $(
                const $constant: $crate::parts::$settings = $crate::parts::$settings { $($setting: $value),+ };
            )*
            type Weights = $weights;
            type Head = $crate::format!(Head, $weights$(, $head)?);
            type Cache = $crate::format!(Cache, $weights$(, $cache)?);
            type Backend = $backend;
            type Model = $model;
            type Prefill = $crate::part!(Whole$(, $prefill)?);
            type Prefix = $crate::part!(Off$(, $prefix)?);
            type Adapters = $crate::part!(Off$(, $adapters)?);
            type PromptAdapters = $crate::part!(Off$(, $prompt_adapters)?);
            type Draft = $crate::part!(Off$(, $draft)?);
            type Launch = $crate::part!(Eager$(, $launch)?);
            type Encoder = $crate::part!(Off$(, $encoder)?);
            type Logprobs = $crate::part!(Off$(, $logprobs)?);
            type PromptLogprobs = $crate::part!(Off$(, $prompt_logprobs)?);
            type Output = $crate::part!(Inline$(, $output)?);
            type Steps = $crate::part!(Single$(, $steps)?);
            type Multimodal = $crate::part!(Off$(, $multimodal)?);
            type BestOf = $crate::part!(Off$(, $best_of)?);
            type BeamSearch = $crate::part!(Off$(, $beam_search)?);
            type Guide = $crate::part!(Off$(, $guide)?);
        }
    };
}

/// The part that a recipe asks for, or the neutral one.
#[doc(hidden)]
#[macro_export]
macro_rules! part {
    ($neutral:ident) => {
        $crate::parts::$neutral
    };
    ($neutral:ident, $on:ty) => {
        $on
    };
}

/// The format that a recipe asks for, or the one that goes with dense weights.
#[doc(hidden)]
#[macro_export]
macro_rules! format {
    ($format:ident, $weights:ty) => {
        <$weights as $crate::testing::Dense>::$format
    };
    ($format:ident, $weights:ty, $given:ty) => {
        $given
    };
}

/// Dense weights, whose head and cache have the same element where a recipe does not say.
pub trait Dense {
    type Head;
    type Cache;
}

impl<D> Dense for crate::dtype::Dense<D> {
    type Head = Self;
    type Cache = Plain<D>;
}

/// `Some` of the function `$function::<R>` for a recipe of the family that has a checkpoint's class name, else `None`.
#[macro_export]
macro_rules! by_family {
    ($architecture:expr, $backend:ty, $weights:ty, $limits:expr, $function:ident) => {
        $crate::by_family!(@ $architecture, $backend, $weights, $limits, $function,
            ("LlamaForCausalLM" | "MistralForCausalLM") => Llama,
            ("Qwen2ForCausalLM") => Qwen2,
            ("Qwen3ForCausalLM") => Qwen3,
            ("Qwen3MoeForCausalLM") => Qwen3Moe,
            ("Gemma3ForCausalLM") => Gemma3,
        )
    };
    (@ $architecture:expr, $backend:ty, $weights:ty, $limits:expr, $function:ident,
        $(($name:pat) => $model:ident,)+
    ) => {
        match $architecture {
            $($name => {
                $crate::recipe! { Build {
                    backend: $backend,
                    weights: $weights,
                    model: $crate::models::$model<Self>,
                    limits: $limits,
                } }
                Some($function::<Build>)
            })+
            _ => None,
        }
    };
}

/// The device that a test runs on; `None`, and a note that the test is skipped, on a machine that cannot open it.
pub fn device<B: Backend>(threads: usize) -> Option<B> {
    let options = DeviceOptions {
        threads: Some(threads),
    };
    testbed::here(&device_name::<B>(), B::open(&options))
}

/// The innermost type in lower case: `avx2` for `Cpu<Avx2>`, `reference` for `Reference`.
fn device_name<B>() -> String {
    let path = std::any::type_name::<B>();
    let mut words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let last = words.rfind(|word| !word.is_empty());
    last.unwrap_or(path).to_lowercase()
}

/// One sequence and one model, with no scheduler and no sampler between them.
pub struct Solo<R: Recipe> {
    pub(crate) device: R::Backend,
    model: R::Model,
    cache: Cache<R>,
    batch: DeviceBatch<R::Backend>,
    logits: Array<R, f32>,
    block_size: usize,
    blocks: u32,
    vocab: usize,
}

impl<R: Recipe> Solo<R> {
    /// Loads a folder within the recipe's limits; `progress` is as in [`Model::load`].
    pub fn load(
        dir: &Path,
        options: &DeviceOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        Self::load_within(dir, options, R::LIMITS, progress)
    }

    /// As [`Solo::load`], within lower limits.
    pub fn load_within(
        dir: &Path,
        options: &DeviceOptions,
        limits: Limits,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        let checkpoint = Checkpoint::open(dir)?;
        let mut device = R::Backend::open(options)?;
        let mut model = R::Model::load(&mut device, &checkpoint, &limits, progress)?;
        let shape = model.shape();
        let blocks = limits.max_model_len.div_ceil(limits.block_size);
        let cache = device.cache(CacheShape {
            layers: shape.layers,
            blocks,
            block_size: limits.block_size,
            kv_heads: shape.kv_heads,
            head_dim: shape.head_dim,
        })?;
        let capacity = Capacity {
            rows: limits.max_batched_tokens,
            seqs: 1,
            logits_rows: limits.max_batched_tokens,
            table_rows: 0,
            blocks_per_seq: blocks,
            positions: limits.max_model_len,
            edits_per_row: 0,
        };
        model.prepare(&mut device, capacity)?;
        let batch = DeviceBatch::alloc(&mut device, capacity)?;
        let logits = device.alloc("logits", capacity.logits_rows * shape.vocab)?;
        Ok(Self {
            device,
            model,
            cache,
            batch,
            logits,
            block_size: limits.block_size,
            blocks: u32::try_from(blocks).expect("a test's context has fewer than 2^32 blocks"),
            vocab: shape.vocab,
        })
    }

    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// Logits [tokens, vocab] after each token, computed `chunk` rows a step.
    pub fn logits(&mut self, tokens: &[u32], chunk: usize) -> Result<Vec<f32>, DeviceError> {
        let mut all = Vec::with_capacity(tokens.len() * self.vocab);
        for (index, piece) in tokens.chunks(chunk).enumerate() {
            let rows: Vec<u32> = (0..count(piece.len())).collect();
            all.extend(self.step(piece, index * chunk, rows)?);
        }
        Ok(all)
    }

    /// The `n` tokens after `prompt` that are likeliest one by one.
    pub fn greedy(&mut self, prompt: &[u32], n: usize) -> Result<Vec<u32>, DeviceError> {
        let mut out = Vec::with_capacity(n);
        let mut pending = prompt.to_vec();
        let mut position = 0;
        while out.len() < n {
            let last = vec![count(pending.len()) - 1];
            let logits = self.step(&pending, position, last)?;
            position += pending.len();
            let token = argmax(&logits);
            out.push(token);
            pending = vec![token];
        }
        Ok(out)
    }

    /// One forward pass over `tokens`, which begin at `position`.
    fn step(
        &mut self,
        tokens: &[u32],
        position: usize,
        logits_rows: Vec<u32>,
    ) -> Result<Vec<f32>, DeviceError> {
        let block_size = self.block_size;
        // Blocks are handed out from the last to the first, so that a table that is not read shows.
        let block = |position: usize| self.blocks - 1 - count(position / block_size);
        let positions = position..position + tokens.len();
        let slot = |p: usize| block(p) * count(block_size) + count(p % block_size);
        let mut batch = Batch {
            logits_rows,
            ..Batch::default()
        };
        for (&token, position) in tokens.iter().zip(positions.clone()) {
            batch.push(token, count(position), slot(position));
        }
        let blocks: Vec<u32> = (0..self.blocks).rev().collect();
        batch.end_sequence(count(positions.end), &blocks);
        self.batch
            .upload(&mut self.device, &batch, &TableRows::default())?;
        self.model.forward(
            &mut self.device,
            &self.batch,
            &mut self.cache,
            &mut self.logits,
        )?;
        let mut logits = vec![0.0; batch.logits_rows.len() * self.vocab];
        self.device.read(&self.logits, &mut logits)?;
        Ok(logits)
    }
}

/// Index of the largest; the first among equals.
pub fn argmax(row: &[f32]) -> u32 {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    count(best)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).expect("a test's sizes are below 2^32")
}
