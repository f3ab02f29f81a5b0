//! What each thing of a plan takes, counted from its model and its limits.

use engine_model::{Bytes, Config, FeedForward, bounds};

use super::{Kv, Line};
use crate::family::BackendKind;
use crate::features::lora::Lora;
use crate::features::prompt_adapter::PromptAdapter;
use crate::features::speculative_decoding::Method;
use crate::model::Dtype;
use crate::plan::Answers;

/// Rows of logits that prompt logprobs are computed for at a time: a prompt's would not fit.
const PROMPT_ROWS: u64 = 256;
/// A CPU's memory has a step's input three times: as lists, as the words that they are packed into, and as its device's.
const CPU_INPUTS: u64 = 3;
/// Of a CPU's attention: queries and rows of a task, queries that the registers hold, positions of a partition, and f32
/// numbers in the widest vector; and rows whose partitions threads share.
const QUERIES: u64 = 256;
const ROWS: u64 = 64;
const TILE: u64 = 12;
const PARTITION: u64 = 256;
const VECTOR: u64 = 16;
const SPLIT_ROWS: u64 = 8;
/// What a driver keeps of one captured launch, and the launches of a layer: estimates, since no driver says.
const LAUNCH_BYTES: u64 = 8 << 10;
const LAYER_LAUNCHES: u64 = 12;

/// What lines are counted from.
pub(super) struct Count<'a> {
    pub plan: &'a Answers,
    pub config: &'a Config,
    /// Bytes of an element between ops.
    pub activation: u64,
}

impl Count<'_> {
    pub fn lines(&self) -> [Option<Line>; 10] {
        [
            Some(self.weights()),
            Some(self.rotary()),
            self.adapters(),
            self.prompt_adapters(),
            Some(self.activations()),
            self.scratch(),
            Some(self.logits()),
            self.prompt_logprobs(),
            Some(self.inputs()),
            self.graphs(),
        ]
    }

    pub fn uncounted(&self) -> Vec<&'static str> {
        let features = &self.plan.features;
        let draft = features.speculative_decoding.on();
        let draft = draft.is_some_and(|draft| draft.method == Method::DraftModel);
        let encoder = features.encoder_decoder.on().is_some();
        let images = features.multimodal.on().is_some();
        [
            (draft, "the draft model, its keys and its values"),
            (encoder, "the encoder, its keys and its values"),
            (images, "the image tower and its activations"),
        ]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, what)| what)
        .collect()
    }

    /// Linear layers in the weight format, tables and routers in the model's dtype, norms and biases in f32.
    fn weights(&self) -> Line {
        let model = &self.plan.model;
        let count = self.config.parameters();
        let bits = model.weights.bits(model.dtype);
        let group = self.config.quantization.as_ref().and_then(|q| q.group_size);
        // A 4-bit format has an f16 scale and a 4-bit zero for each group, of 128 weights where nothing is said.
        let scales = match bits {
            4 => count.linear / wide(group.unwrap_or(128)) * (8 * Dtype::F16.bytes() + 4) / 8,
            _ => 0,
        };
        let plain = (count.embedding + count.routers) * model.dtype.bytes() + count.vectors * 4;
        Line {
            what: "weights",
            bytes: count.linear * bits / 8 + scales + plain,
            of: match model.weights.bits(model.dtype) == 8 * model.dtype.bytes() {
                true => model.dtype.name().to_owned(),
                false => format!("{} and {}", model.weights, model.dtype),
            },
            lower: None,
        }
    }

    fn rotary(&self) -> Line {
        let len = self.plan.limits.max_model_len;
        let tables = wide(self.config.ropes.len());
        Line {
            what: "rotary tables",
            bytes: (tables * len).saturating_mul(wide(self.config.dims.head_dim) * 4),
            of: format!("{len} positions"),
            lower: Some("max-model-len"),
        }
    }

    /// Two thin matrices at each linear layer outside experts, for each adapter of a step. A CPU keeps the adapters that
    /// wait in the same memory.
    fn adapters(&self) -> Option<Line> {
        let Lora {
            max_loras,
            max_rank,
            max_cpu_loras,
            extra_vocab,
        } = *self.plan.features.lora.on()?;
        let dims = &self.config.dims;
        let (hidden, q, kv) = (
            wide(dims.hidden),
            wide(dims.q_width()),
            wide(dims.kv_width()),
        );
        let mut widths = wide(dims.layers) * (2 * (hidden + q) + 2 * (hidden + kv));
        for layer in &self.config.layers {
            if let FeedForward::Dense { width } = layer.feed_forward {
                widths += 3 * (hidden + wide(width));
            }
        }
        let slots = match self.plan.backend.kind() {
            BackendKind::Cpu => max_loras.max(max_cpu_loras),
            BackendKind::Cuda | BackendKind::Hip => max_loras,
        };
        let one = widths
            .saturating_mul(max_rank)
            .saturating_add(2 * extra_vocab * hidden);
        Some(Line {
            what: "adapters",
            bytes: slots
                .saturating_mul(one)
                .saturating_mul(self.plan.model.dtype.bytes()),
            of: format!("{slots} of rank {max_rank}"),
            lower: Some("lora's max-loras or max-rank"),
        })
    }

    fn prompt_adapters(&self) -> Option<Line> {
        let PromptAdapter {
            max_adapters,
            max_tokens,
        } = *self.plan.features.prompt_adapter.on()?;
        let row = wide(self.config.dims.hidden) * self.plan.model.dtype.bytes();
        Some(Line {
            what: "prompt adapters",
            bytes: max_adapters.saturating_mul(max_tokens).saturating_mul(row),
            of: format!("{max_adapters} of {max_tokens} tokens"),
            lower: Some("prompt-adapter's max-adapters or max-tokens"),
        })
    }

    /// Residual, delta and norm, the fused projections, what attention and the feed-forward block make; and the rows
    /// that logits are wanted of.
    fn activations(&self) -> Line {
        let rows = self.plan.limits.max_batched_tokens;
        let hidden = wide(self.config.dims.hidden);
        let picked = self.logits_rows().saturating_mul(2 * hidden);
        let elements = rows.saturating_mul(self.row()).saturating_add(picked);
        Line {
            what: "activations",
            bytes: elements.saturating_mul(self.activation),
            of: format!("{rows} tokens"),
            lower: Some(self.step()),
        }
    }

    /// What makes a step shorter. Without chunked prefill it holds a whole prompt.
    fn step(&self) -> &'static str {
        match self.plan.features.chunked_prefill.on() {
            Some(_) => "max-batched-tokens",
            None => "max-batched-tokens and max-model-len, or turn chunked-prefill on",
        }
    }

    /// Elements of a row in all arrays between ops.
    fn row(&self) -> u64 {
        let dims = &self.config.dims;
        let (hidden, q, kv) = (
            wide(dims.hidden),
            wide(dims.q_width()),
            wide(dims.kv_width()),
        );
        let block = |feed_forward: FeedForward| match feed_forward {
            FeedForward::Dense { width } => 3 * wide(width),
            // A row for each expert that a token goes to, and the weights of the router.
            FeedForward::Experts {
                count,
                per_token,
                width,
                ..
            } => wide(per_token) * (3 * wide(width) + hidden) + wide(count),
        };
        let blocks = self
            .config
            .layers
            .iter()
            .map(|layer| block(layer.feed_forward));
        3 * hidden + (q + 2 * kv) + q + blocks.max().unwrap_or(0)
    }

    /// What a CPU's products lay a step's rows out in.
    fn scratch(&self) -> Option<Line> {
        if self.plan.backend.kind() != BackendKind::Cpu {
            return None;
        }
        let dims = &self.config.dims;
        let rows = self.plan.limits.max_batched_tokens;
        let block = |feed_forward: FeedForward| match feed_forward {
            FeedForward::Dense { width } => wide(width),
            FeedForward::Experts {
                per_token, width, ..
            } => wide(per_token) * wide(width).max(wide(dims.hidden)),
        };
        let blocks = self
            .config
            .layers
            .iter()
            .map(|layer| block(layer.feed_forward));
        let widest = blocks.fold(wide(dims.hidden).max(wide(dims.q_width())), u64::max);
        Some(Line {
            what: "scratch",
            bytes: (rows.saturating_mul(widest))
                .saturating_add(self.partials())
                .saturating_mul(4),
            // How many threads there will be is the machine's to say.
            of: format!("{rows} tokens; each thread adds {}", Bytes(self.thread())),
            lower: Some(self.step()),
        })
    }

    /// Numbers that tasks of a CPU's attention leave to each other.
    fn partials(&self) -> u64 {
        let (dims, limits) = (&self.config.dims, &self.plan.limits);
        let width = wide(dims.head_dim).next_multiple_of(VECTOR);
        let slots =
            SPLIT_ROWS.min(limits.max_batched_tokens) * limits.max_model_len.div_ceil(PARTITION);
        slots.saturating_mul(wide(dims.q_heads) * (width + 2))
    }

    /// What each thread of a CPU keeps: a task of attention, and a row of the sampler.
    fn thread(&self) -> u64 {
        let dims = &self.config.dims;
        let (dim, vocab) = (wide(dims.head_dim), wide(dims.vocab));
        let group = wide(dims.q_heads / dims.kv_heads.max(1));
        let rows = (QUERIES / group.max(1)).clamp(1, ROWS);
        let queries = rows.min(self.plan.limits.max_batched_tokens) * group;
        let width = dim.next_multiple_of(VECTOR);
        let tile = TILE * (width + 2 + PARTITION + VECTOR);
        let attention = queries * (dim + width + 2) + tile + PARTITION * (dim + width);
        // A token's rank, its mark, and its place among those that are marked.
        4 * attention + 16 * vocab
    }

    /// Rows of logits in a step: one for each sequence, and one for each token that is drafted for it.
    fn logits_rows(&self) -> u64 {
        let draft = self.plan.features.speculative_decoding.on();
        let drafted = draft.map_or(0, |draft| draft.tokens);
        self.plan.limits.max_seqs.saturating_mul(1 + drafted)
    }

    /// Logits and the scores that are made of them.
    fn logits(&self) -> Line {
        let rows = self.logits_rows();
        let drafts = self.plan.features.speculative_decoding.on().is_some();
        Line {
            what: "logits",
            bytes: rows.saturating_mul(wide(self.config.dims.vocab) * 8),
            of: format!("{rows} rows, and their scores"),
            lower: Some(match drafts {
                true => "max-seqs or speculative-decoding's tokens",
                false => "max-seqs",
            }),
        }
    }

    fn prompt_logprobs(&self) -> Option<Line> {
        self.plan.features.prompt_logprobs.on()?;
        let rows = PROMPT_ROWS.min(self.plan.limits.max_batched_tokens);
        Some(Line {
            what: "prompt logprobs",
            bytes: rows.saturating_mul(wide(self.config.dims.vocab) * 8),
            of: format!("{rows} rows at a time"),
            lower: Some(self.step()),
        })
    }

    /// Ids, positions, slots and block tables, the sampler's rows, and what requests change.
    fn inputs(&self) -> Line {
        let limits = &self.plan.limits;
        let tokens = limits.max_batched_tokens.saturating_mul(4 * 4);
        let tables = limits
            .max_seqs
            .saturating_mul(limits.max_model_len.div_ceil(limits.block_size) * 4);
        let pairs = limits
            .max_seqs
            .saturating_mul(wide(bounds::EDITS))
            .saturating_mul(8);
        let rows = self.logits_rows().saturating_mul(256);
        let all = [tables, pairs, rows];
        let all = all.into_iter().fold(tokens, u64::saturating_add);
        let copies = match self.plan.backend.kind() {
            BackendKind::Cpu => CPU_INPUTS,
            BackendKind::Cuda | BackendKind::Hip => 1,
        };
        Line {
            what: "step inputs",
            bytes: all.saturating_mul(copies),
            of: format!("{} sequences, each with biases", limits.max_seqs),
            lower: Some("max-seqs or max-model-len"),
        }
    }

    fn graphs(&self) -> Option<Line> {
        let max_batch = self.plan.features.cuda_graph.on()?.max_batch;
        // 1, 2, 4 and every eighth size.
        let sizes = 3 + max_batch.div_ceil(8);
        let launches = wide(self.config.dims.layers) * LAYER_LAUNCHES;
        Some(Line {
            what: "graphs",
            bytes: sizes.saturating_mul(launches * LAUNCH_BYTES),
            of: format!("{sizes} batch sizes, estimated"),
            lower: Some("cuda-graph's max-batch"),
        })
    }

    pub fn kv(&self) -> Kv {
        let limits = &self.plan.limits;
        let per_token = self.config.kv_per_token() * self.plan.model.dtype.bytes();
        let per_block = per_token.saturating_mul(limits.block_size);
        let blocks = limits.max_model_len.div_ceil(limits.block_size);
        Kv {
            per_token,
            per_block,
            per_sequence: per_block.saturating_mul(blocks),
            pool: 0,
            blocks: 0,
            full_sequences: 0,
        }
    }
}

/// No machine has sizes of more than 64 bits.
fn wide(size: usize) -> u64 {
    size as u64
}
