//! Which kernels a plan puts in: the ops of a step, each for one instruction set or architecture and the number formats,
//! head sizes and blocks that it meets.

use engine_model::{Activation, Fact, FactKind, Kernel, Op};

use super::{Answers, Backend};
use crate::model::WeightFormat;

impl Answers {
    /// The kernels that the engine has, in the order of a step.
    pub fn kernels(&self) -> Vec<Kernel> {
        let needed = Op::ALL.iter().filter(|op| self.needs(**op));
        needed.flat_map(|op| self.made_for(*op)).collect()
    }

    fn needs(&self, op: Op) -> bool {
        let family = self.model.family;
        let features = &self.features;
        match op {
            Op::HeadNorm => family.head_norms(),
            Op::SiluMul => family.activation() == Activation::Silu,
            Op::GeluMul => family.activation() == Activation::GeluTanh,
            Op::Route | Op::GroupedMatmul | Op::Combine => family.has_experts(),
            Op::Logprobs => {
                features.logprobs.on().is_some() || features.prompt_logprobs.on().is_some()
            }
            // Every engine takes requests for several answers, which fork after one prompt.
            Op::CopyBlocks => true,
            Op::Advance => {
                features.async_output.on().is_some() || features.multi_step.on().is_some()
            }
            Op::Embed
            | Op::RmsNorm
            | Op::AddRmsNorm
            | Op::Matmul
            | Op::Rope
            | Op::StoreKv
            | Op::Attention
            | Op::GatherRows
            | Op::Logits
            | Op::KeepTokens
            | Op::ProcessLogits
            | Op::Sample => true,
        }
    }

    /// A kernel of the op for each head size that the engine may meet.
    fn made_for(&self, op: Op) -> Vec<Kernel> {
        let sizes = match op.facts().contains(&FactKind::HeadDim) {
            true => self.model.shape.head_dims(),
            false => Vec::new(),
        };
        let kernel = |size: Option<u64>| Kernel {
            op,
            facts: self.kernel_facts(op, size),
        };
        match sizes.is_empty() {
            true => vec![kernel(None)],
            false => sizes.into_iter().map(|size| kernel(Some(size))).collect(),
        }
    }

    fn kernel_facts(&self, op: Op, head_dim: Option<u64>) -> Vec<Fact> {
        let dtype = self.model.dtype.name();
        let (unit, activations) = match self.backend {
            // Activations are f32 on a CPU.
            Backend::Cpu { isa } => (isa.name().to_ascii_lowercase(), None),
            Backend::Cuda | Backend::Hip => (self.target.arch.name().replace('_', ""), Some(dtype)),
        };
        let weights = match self.model.weights {
            WeightFormat::Dense => dtype,
            quantised => quantised.name(),
        };
        let fact = |kind: &FactKind| match kind {
            FactKind::Weights => Some(Fact::Format(weights)),
            FactKind::Head | FactKind::Cache => Some(Fact::Format(dtype)),
            FactKind::HeadDim => head_dim.map(Fact::HeadDim),
            FactKind::Block => Some(Fact::Block(self.limits.block_size)),
            FactKind::Group | FactKind::Rank => None,
        };
        let mut facts = vec![Fact::Unit(unit)];
        facts.extend(activations.map(Fact::Format));
        // A format that is also the activations' is said once.
        let more = op.facts().iter().filter_map(fact);
        facts.extend(more.filter(|fact| *fact != Fact::Format(activations.unwrap_or_default())));
        facts
    }
}
