//! The fifteen serving features of the page, and sets of them.
//!
//! Names are those of `matrix/cells.tsv`, which are also the keys of a profile's `[features]` table. What a
//! feature's settings are called, and what they may be, is in [`crate::profile::fields`], not here.

use std::fmt;

use serde::{Serialize, Serializer};

/// A serving feature; the order is the page's order, so that a pair is written `(later, earlier)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Feature {
    ChunkedPrefill,
    PrefixCaching,
    Lora,
    PromptAdapter,
    SpeculativeDecoding,
    CudaGraph,
    EncoderDecoder,
    Logprobs,
    PromptLogprobs,
    AsyncOutput,
    MultiStep,
    Multimodal,
    BestOf,
    BeamSearch,
    GuidedDecoding,
}

/// What is said of a feature wherever it is named.
struct Naming {
    feature: Feature,
    name: &'static str,
    title: &'static str,
    aliases: &'static [&'static str],
    summary: &'static str,
}

use Feature::*;

/// One row a feature, in the page's order.
#[rustfmt::skip]
const FEATURES: [Naming; Feature::COUNT] = [
    Naming { feature: ChunkedPrefill,      name: "chunked-prefill",      title: "Chunked prefill",         aliases: &["CP"],                    summary: "a long prompt is prefilled in pieces that share each step with the sequences that decode" },
    Naming { feature: PrefixCaching,       name: "prefix-caching",       title: "Automatic prefix caching",aliases: &["APC", "prefix-cache"],   summary: "full KV blocks of a prompt are kept and found again by their hash" },
    Naming { feature: Lora,                name: "lora",                 title: "LoRA",                    aliases: &["adapters"],              summary: "low-rank adapters, several of them in one batch" },
    Naming { feature: PromptAdapter,       name: "prompt-adapter",       title: "Prompt adapter",          aliases: &["prmpt-adptr", "soft-prompt"], summary: "learned rows stand in for the first token embeddings of a prompt" },
    Naming { feature: SpeculativeDecoding, name: "speculative-decoding", title: "Speculative decoding",    aliases: &["SD", "spec-decode", "draft"], summary: "a cheap proposer drafts tokens that the model scores in one pass" },
    Naming { feature: CudaGraph,           name: "cuda-graph",           title: "CUDA graph",              aliases: &["graphs", "graph"],       summary: "the launches of a decode step are captured once and replayed" },
    Naming { feature: EncoderDecoder,      name: "encoder-decoder",      title: "Encoder-decoder",         aliases: &["enc-dec"],               summary: "models with an encoder whose output the decoder attends to" },
    Naming { feature: Logprobs,            name: "logprobs",             title: "Logprobs",                aliases: &["logP"],                  summary: "log probabilities of the generated tokens and of their best alternatives" },
    Naming { feature: PromptLogprobs,      name: "prompt-logprobs",      title: "Prompt logprobs",         aliases: &["prmpt-logP"],            summary: "log probabilities of the prompt's own tokens" },
    Naming { feature: AsyncOutput,         name: "async-output",         title: "Async output processing", aliases: &["async"],                 summary: "the text of one step is made while the device runs the next" },
    Naming { feature: MultiStep,           name: "multi-step",           title: "Multi-step scheduling",   aliases: &["multistep"],             summary: "one schedule serves several decode steps" },
    Naming { feature: Multimodal,          name: "multimodal",           title: "Multimodal input",        aliases: &["MM", "mm", "vision"],    summary: "images among the prompt's tokens" },
    Naming { feature: BestOf,              name: "best-of",              title: "Best-of",                 aliases: &["bestof"],                summary: "several samples of one prompt, of which the likeliest are returned" },
    Naming { feature: BeamSearch,          name: "beam-search",          title: "Beam search",             aliases: &["beam"],                  summary: "the likeliest continuations are followed side by side" },
    Naming { feature: GuidedDecoding,      name: "guided-decoding",      title: "Guided decoding",         aliases: &["guided", "grammar", "structured-output"], summary: "a grammar, schema, expression or choice says which tokens may follow" },
];

impl Feature {
    /// How many there are.
    pub const COUNT: usize = 15;

    /// All of them, in the page's order.
    pub const ALL: [Feature; Feature::COUNT] = {
        let mut all = [ChunkedPrefill; Feature::COUNT];
        let mut at = 0;
        while at < Feature::COUNT {
            all[at] = FEATURES[at].feature;
            assert!(
                all[at] as usize == at,
                "FEATURES follows the order of the enum"
            );
            at += 1;
        }
        all
    };

    /// The key in a profile and in `cells.tsv`, for example `chunked-prefill`.
    pub const fn name(self) -> &'static str {
        FEATURES[self as usize].name
    }

    /// The words for a heading, for example `Chunked prefill`.
    pub const fn title(self) -> &'static str {
        FEATURES[self as usize].title
    }

    /// Other spellings that people use, the page's own abbreviation first.
    pub const fn aliases(self) -> &'static [&'static str] {
        FEATURES[self as usize].aliases
    }

    /// One sentence on what it does, without a full stop.
    pub const fn summary(self) -> &'static str {
        FEATURES[self as usize].summary
    }

    /// Its place in the page's order, from 0.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The feature with exactly this name.
    pub fn named(name: &str) -> Option<Feature> {
        Feature::ALL
            .into_iter()
            .find(|feature| feature.name() == name)
    }

    /// The feature that a person may mean: by name or alias, whatever the case and the kind of dash.
    pub fn meant(word: &str) -> Option<Feature> {
        let word = word.to_ascii_lowercase().replace('_', "-");
        Feature::ALL.into_iter().find(|feature| {
            feature.name() == word
                || feature
                    .aliases()
                    .iter()
                    .any(|alias| alias.eq_ignore_ascii_case(&word))
        })
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of features, one bit each, bit `n` for the feature whose index is `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureSet(u16);

impl FeatureSet {
    pub const EMPTY: FeatureSet = FeatureSet(0);
    pub const FULL: FeatureSet = FeatureSet((1 << Feature::COUNT) - 1);

    /// The set with these bits; bits that are no feature are dropped.
    pub const fn from_bits(bits: u16) -> FeatureSet {
        FeatureSet(bits & FeatureSet::FULL.0)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u16) != 0
    }

    pub const fn with(self, feature: Feature) -> FeatureSet {
        FeatureSet(self.0 | 1 << feature as u16)
    }

    pub const fn without(self, feature: Feature) -> FeatureSet {
        FeatureSet(self.0 & !(1 << feature as u16))
    }

    /// What is here and not in `other`.
    pub const fn minus(self, other: FeatureSet) -> FeatureSet {
        FeatureSet(self.0 & !other.0)
    }

    pub const fn intersects(self, other: FeatureSet) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_subset_of(self, other: FeatureSet) -> bool {
        self.0 & !other.0 == 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Its members in the page's order.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL
            .into_iter()
            .filter(move |feature| self.contains(*feature))
    }

    /// Its pairs as the page writes them, `(later, earlier)`, row by row.
    pub fn pairs(self) -> impl Iterator<Item = (Feature, Feature)> {
        self.iter()
            .flat_map(move |a| self.iter().take_while(move |b| *b < a).map(move |b| (a, b)))
    }

    /// Every subset, the set itself first and the empty set last.
    pub fn subsets(self) -> impl Iterator<Item = FeatureSet> {
        std::iter::successors(Some(self), move |last| {
            (!last.is_empty()).then(|| FeatureSet((last.0 - 1) & self.0))
        })
    }

    /// All 2^15 sets.
    pub fn every() -> impl Iterator<Item = FeatureSet> {
        (0..=FeatureSet::FULL.0).map(FeatureSet)
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> FeatureSet {
        features
            .into_iter()
            .fold(FeatureSet::EMPTY, FeatureSet::with)
    }
}

impl Serialize for FeatureSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_alias_means_its_feature_and_no_other() {
        for feature in Feature::ALL {
            assert_eq!(Feature::named(feature.name()), Some(feature));
            for alias in feature.aliases().iter().chain([&feature.name()]) {
                assert_eq!(Feature::meant(alias), Some(feature), "{alias}");
                assert_eq!(
                    Feature::meant(&alias.to_uppercase()),
                    Some(feature),
                    "{alias}"
                );
            }
        }
        assert_eq!(Feature::meant("no such thing"), None);
    }

    #[test]
    fn a_set_lists_its_pairs_and_subsets() {
        let set: FeatureSet = [Lora, ChunkedPrefill, Logprobs].into_iter().collect();
        assert_eq!(
            set.pairs().collect::<Vec<_>>(),
            [
                (Lora, ChunkedPrefill),
                (Logprobs, ChunkedPrefill),
                (Logprobs, Lora)
            ]
        );
        assert_eq!(set.subsets().count(), 8);
        assert_eq!(FeatureSet::FULL.pairs().count(), 105);
        assert_eq!(FeatureSet::every().count(), 1 << 15);
    }
}
