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
