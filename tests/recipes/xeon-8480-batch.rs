const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx512Bf16, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::Llama;
    use ::engine_runtime::parts::{
        Eager, Inline, LogprobsSettings, Off, Single, Top, Whole,
    };
    impl Recipe for Build {
        const NAME: &'static str = "xeon-8480-batch";
        const LIMITS: Limits = Limits {
            max_model_len: 2048,
            max_seqs: 256,
            max_batched_tokens: 4096,
            block_size: 16,
            kv_memory: KvMemory::Bytes(96 << 30),
        };
        const LOGPROBS: LogprobsSettings = LogprobsSettings { max: 1 };
        type Backend = Cpu<Avx512Bf16>;
        type Model = Llama<Self>;
        type Weights = Dense<BF16>;
        type Head = Dense<BF16>;
        type Cache = Plain<BF16>;
        type Logprobs = Top;
        /// Not in this engine.
        type Prefill = Whole;
        type Prefix = Off;
        type Adapters = Off;
        type PromptAdapters = Off;
        type Draft = Off;
        type Launch = Eager;
        type Encoder = Off;
        type PromptLogprobs = Off;
        type Output = Inline;
        type Steps = Single;
        type Multimodal = Off;
        type BestOf = Off;
        type BeamSearch = Off;
        type Guide = Off;
    }
};
