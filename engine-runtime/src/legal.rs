//! The matrix as types: the second safety net, for recipes that no profile stands behind.

/// One mark for each feature of the matrix; parts name theirs in [`crate::parts::Part::Mark`].
pub mod mark {
    #[derive(Debug, Clone, Copy)]
    pub struct Nothing;
    #[derive(Debug, Clone, Copy)]
    pub struct ChunkedPrefill;
    #[derive(Debug, Clone, Copy)]
    pub struct PrefixCaching;
    #[derive(Debug, Clone, Copy)]
    pub struct Lora;
    #[derive(Debug, Clone, Copy)]
    pub struct PromptAdapter;
    #[derive(Debug, Clone, Copy)]
    pub struct SpeculativeDecoding;
    #[derive(Debug, Clone, Copy)]
    pub struct CudaGraph;
    #[derive(Debug, Clone, Copy)]
    pub struct EncoderDecoder;
    #[derive(Debug, Clone, Copy)]
    pub struct Logprobs;
    #[derive(Debug, Clone, Copy)]
    pub struct PromptLogprobs;
    #[derive(Debug, Clone, Copy)]
    pub struct AsyncOutput;
    #[derive(Debug, Clone, Copy)]
    pub struct MultiStep;
    #[derive(Debug, Clone, Copy)]
    pub struct Multimodal;
    #[derive(Debug, Clone, Copy)]
    pub struct BestOf;
    #[derive(Debug, Clone, Copy)]
    pub struct BeamSearch;
    #[derive(Debug, Clone, Copy)]
    pub struct GuidedDecoding;
}

/// One mark for each hardware column of the matrix; backends name theirs in [`crate::backend::Backend::Family`].
pub mod family {
    #[derive(Debug, Clone, Copy)]
    pub struct Volta;
    #[derive(Debug, Clone, Copy)]
    pub struct Turing;
    #[derive(Debug, Clone, Copy)]
    pub struct Ampere;
    #[derive(Debug, Clone, Copy)]
    pub struct Ada;
    #[derive(Debug, Clone, Copy)]
    pub struct Hopper;
    #[derive(Debug, Clone, Copy)]
    pub struct Cpu;
    #[derive(Debug, Clone, Copy)]
    pub struct Amd;
}
