//! The list of ops: what kernels compute, and the facts that a kernel of each is made for.
//!
//! The runtime's op traits have one method for each op, by its name; a plan lists the kernels that its engine holds.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Makes the enum and its table; the rows are the only list of ops.
macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($fact:ident),*],)*) => {
        /// What a kernel computes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Op { $($(#[$doc])* $variant,)* }

        impl Op {
            /// In the order of a step.
            pub const ALL: &[Op] = &[$(Op::$variant,)*];

            /// The name of the runtime's method and the first word of a kernel's symbol.
            pub const fn name(self) -> &'static str {
                match self { $(Op::$variant => $name,)* }
            }

            /// What a kernel of this op is made for, beside its instruction set or architecture.
            pub const fn facts(self) -> &'static [FactKind] {
                match self { $(Op::$variant => &[$(FactKind::$fact),*],)* }
            }
        }
    };
}

ops! {
    /// Rows of the embedding table.
    Embed = "embed" [Head],
    /// Root mean square normalisation.
    RmsNorm = "rms_norm" [],
    /// A block's result added to the row, then its norm.
    AddRmsNorm = "add_rms_norm" [],
    /// Products of rows with a weight matrix.
    Matmul = "matmul" [Weights],
    /// The norm of each query and key head.
    HeadNorm = "head_norm" [HeadDim],
    /// Rotary positions.
    Rope = "rope" [HeadDim],
    /// Keys and values into the cache.
    StoreKv = "store_kv" [Cache, HeadDim, Block],
    /// Attention over the paged cache, full or within a window.
    Attention = "attention" [Cache, HeadDim, Block],
    /// The gated block of Llama's kin.
    SiluMul = "silu_mul" [],
    /// The gated block of Gemma.
    GeluMul = "gelu_mul" [],
    /// Which experts a token goes to, and with what weight.
    Route = "route" [Head],
    /// Products of rows with the matrices of their experts.
    GroupedMatmul = "grouped_matmul" [Weights],
    /// Outputs of a row's experts, added up.
    Combine = "combine" [],
    /// Rows picked by index.
    GatherRows = "gather_rows" [],
    /// Products of rows with the output matrix, in f32.
    Logits = "logits" [Head],
    /// A step's tokens to where their keys and values are, for penalties.
    KeepTokens = "keep_tokens" [],
    /// Penalties, temperature and truncation.
    ProcessLogits = "process_logits" [],
    /// Tokens of one step as the ids of the next.
    Advance = "advance" [],
    /// The draw.
    Sample = "sample" [],
    /// Logprobs, rank and the likeliest alternatives.
    Logprobs = "logprobs" [],
    /// Whole blocks of the cache, for sequences that fork.
    CopyBlocks = "copy_blocks" [Cache, HeadDim, Block],
}

/// A kind of thing that a kernel may be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// Format of the linear layers' weights.
    Weights,
    /// Format of embedding and output matrix.
    Head,
    /// Format of the KV cache.
    Cache,
    HeadDim,
    /// Positions in a KV block.
    Block,
    /// Weights that share a scale.
    Group,
    /// Rank of an adapter.
    Rank,
}

/// What one kernel is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Instruction set or architecture, in lower case and without underscores: `avx2`, `sm90`.
    Unit(String),
    /// A number format: of activations where they are not f32, of weights, output matrix or cache.
    Format(&'static str),
    HeadDim(u64),
    Block(u64),
    Group(u64),
    Rank(u64),
}

impl fmt::Display for Fact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Unit(name) => out.write_str(name),
            Fact::Format(name) => out.write_str(name),
            Fact::HeadDim(size) => write!(out, "d{size}"),
            Fact::Block(size) => write!(out, "b{size}"),
            Fact::Group(size) => write!(out, "g{size}"),
            Fact::Rank(rank) => write!(out, "r{rank}"),
        }
    }
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One kernel by its facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    pub op: Op,
    /// The unit first, the others in the order of [`Op::facts`].
    pub facts: Vec<Fact>,
}

/// With the symbol beside what it is made of.
impl Serialize for Kernel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut kernel = serializer.serialize_struct("Kernel", 3)?;
        kernel.serialize_field("op", &self.op)?;
        kernel.serialize_field("symbol", &self.symbol())?;
        kernel.serialize_field("facts", &self.facts)?;
        kernel.end()
    }
}

impl Kernel {
    /// The name in a binary, which states the facts: `attention_sm90_bf16_d128_b16`.
    pub fn symbol(&self) -> String {
        let mut symbol = self.op.name().to_owned();
        for fact in &self.facts {
            symbol.push_str(&format!("_{fact}"));
        }
        symbol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_states_the_facts() {
        let kernel = Kernel {
            op: Op::Attention,
            facts: vec![
                Fact::Unit("sm90".to_owned()),
                Fact::Format("bf16"),
                Fact::HeadDim(128),
                Fact::Block(16),
            ],
        };
        assert_eq!(kernel.symbol(), "attention_sm90_bf16_d128_b16");
    }
}
