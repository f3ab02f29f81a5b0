const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Cpu, Portable};
    use ::engine_runtime::dtype::{Dense, F32, Plain};
    use ::engine_runtime::models::Llama;
    use ::engine_runtime::parts::{Eager, Inline, Off, Single, Whole};
    impl Recipe for Build {
        const NAME: &'static str = "portable";
        const LIMITS: Limits = Limits {
            max_model_len: 2048,
            max_seqs: 8,
            max_batched_tokens: 2048,
            block_size: 16,
            kv_memory: KvMemory::Bytes(1 << 30),
        };
        type Backend = Cpu<Portable>;
        type Model = Llama<Self>;
        type Weights = Dense<F32>;
        type Head = Dense<F32>;
        type Cache = Plain<F32>;
        /// Not in this engine.
        type Prefill = Whole;
        type Prefix = Off;
        type Adapters = Off;
        type PromptAdapters = Off;
        type Draft = Off;
        type Launch = Eager;
        type Encoder = Off;
        type Logprobs = Off;
        type PromptLogprobs = Off;
        type Output = Inline;
        type Steps = Single;
        type Multimodal = Off;
        type BestOf = Off;
        type BeamSearch = Off;
        type Guide = Off;
    }
};
