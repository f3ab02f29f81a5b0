//! vLLM's flags, which whoever comes from there types first: where a profile says the same, or that it does not.
//!
//! Flags that are a feature under another name are among its aliases, in its own file.

/// What to write instead of a flag of vLLM's, as a help; dashes or underscores, with or without those in front.
pub(super) fn instead(flag: &str) -> Option<&'static str> {
    let flag = flag.trim_start_matches('-').replace('_', "-");
    FLAGS
        .iter()
        .find(|(names, _)| names.contains(&flag.as_str()))
        .map(|(_, help)| *help)
}

#[rustfmt::skip]
const FLAGS: &[(&[&str], &str)] = &[
    (&["max-num-seqs"],                             "it is `max-seqs` under [limits]"),
    (&["max-num-batched-tokens"],                   "it is `max-batched-tokens` under [limits]"),
    (&["gpu-memory-utilization", "kv-cache-memory", "kv-cache-memory-bytes"],
                                                    "it is `kv-memory` under [limits], a size as in \"8GiB\": what is left of a device is counted, not guessed as a share"),
    (&["num-gpu-blocks-override"],                  "it is `kv-memory` under [limits], a size as in \"8GiB\""),
    (&["quantization"],                             "it is `weights` under [model]"),
    (&["load-format", "hf-config-path"],            "a profile has no such key: checkpoints are Hugging Face folders, and `shape` under [model] names a config.json"),
    (&["kv-cache-dtype"],                           "a profile has no such key yet: keys and values are kept in `dtype` of [model]"),
    (&["model", "served-model-name", "tokenizer", "revision", "hf-token"],
                                                    "the checkpoint is named when the engine starts, not in a profile; the profile says `family` under [model]"),
    (&["tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size", "distributed-executor-backend"],
                                                    "there is no such key: an engine runs on one device"),
    (&["max-loras", "max-lora-rank", "max-cpu-loras", "lora-extra-vocab-size"],
                                                    "it is a setting of a feature: `lora = { max-loras = 4, max-rank = 16, max-cpu-loras = 8, extra-vocab = 256 }` under [features]"),
    (&["num-speculative-tokens", "speculative-config", "ngram-prompt-lookup-min", "ngram-prompt-lookup-max"],
                                                    "it is a setting of a feature: `speculative-decoding = { tokens = 4, lookup-min = 1, lookup-max = 4 }` under [features]"),
    (&["max-logprobs"],                             "it is a setting of a feature: `logprobs = { max = 20 }` under [features]"),
    (&["num-scheduler-steps"],                      "it is a setting of a feature: `multi-step = { steps = 8 }` under [features]"),
    (&["limit-mm-per-prompt"],                      "it is a setting of a feature: `multimodal = { max-images = 1 }` under [features]"),
    (&["max-prompt-adapters", "max-prompt-adapter-token"],
                                                    "it is a setting of a feature: `prompt-adapter = { max-adapters = 1, max-tokens = 128 }` under [features]"),
    (&["enforce-eager", "no-enable-prefix-caching", "no-enable-chunked-prefill", "disable-async-output-proc", "no-async-scheduling"],
                                                    "leave it out: a feature that is not named under [features] is not in the engine"),
    (&["cuda-graph-sizes", "max-seq-len-to-capture", "compilation-config"],
                                                    "it is a setting of a feature: `cuda-graph = { max-batch = 64 }` under [features]"),
    (&["guided-decoding-backend", "structured-outputs-config"],
                                                    "it is a feature: `guided-decoding = true` under [features]"),
    (&["swap-space", "cpu-offload-gb", "preemption-mode"],
                                                    "there is no such key: a sequence that must yield is computed anew, which gives the same tokens"),
    (&["seed", "temperature", "generation-config", "override-generation-config"],
                                                    "that is asked of a running engine, not built into one"),
    (&["trust-remote-code"],                        "there is no such key: an engine runs no code of a checkpoint"),
    (&["host", "port", "api-key"],                  "that is asked of a running engine, not built into one"),
    (&["device"],                                   "it is `target`, at the top"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::features::Feature;
    use crate::profile::fields::SECTIONS;

    #[test]
    fn a_flag_stands_once_and_is_no_key_at_the_same_place() {
        let flags: Vec<&str> = FLAGS
            .iter()
            .flat_map(|(names, _)| *names)
            .copied()
            .collect();
        let once: BTreeSet<&str> = flags.iter().copied().collect();
        assert_eq!(once.len(), flags.len());
        assert!(instead("--max_num_seqs").is_some());
        assert_eq!(instead("max-seqs"), None);
    }

    /// Every key that a help names in backticks is one.
    #[test]
    fn the_helps_name_keys_that_there_are() {
        let sections = SECTIONS.iter().flat_map(|section| section.fields);
        let settings = Feature::ALL.into_iter().flat_map(Feature::fields);
        let features = Feature::ALL.into_iter().map(Feature::name);
        let keys: BTreeSet<&str> = sections
            .chain(settings)
            .map(|field| field.key)
            .chain(features)
            .collect();
        for (flags, help) in FLAGS {
            let words = help.split('`').skip(1).step_by(2);
            let words = words.flat_map(|code| code.split([' ', '=', '{', '}', ',']));
            for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
                assert!(word == "true" || keys.contains(word), "{flags:?}: {word}");
            }
        }
    }
}
