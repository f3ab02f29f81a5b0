//! The fifteen serving features of vLLM's matrix: one file each, which holds all that is said of it anywhere.
//!
//! To add a setting, add it to the feature's `settings!` here and to the settings of its part in the runtime. To add
//! a feature, write such a file and name it in the list below. Its cells are in [`crate::matrix`]; rules on several
//! features are in [`crate::rules`].

mod async_output;
mod beam_search;
mod best_of;
pub(crate) mod chunked_prefill;
mod cuda_graph;
mod encoder_decoder;
mod guided_decoding;
mod logprobs;
pub(crate) mod lora;
mod multi_step;
mod multimodal;
mod prefix_caching;
pub(crate) mod prompt_adapter;
mod prompt_logprobs;
mod set;
pub(crate) mod speculative_decoding;

use std::fmt;

use serde::{Serialize, Serializer};

pub use set::FeatureSet;

use crate::plan::{Ask, Limits};
use crate::profile::Profile;
use crate::profile::fields::{Field, MOST};
use crate::rules::Rule;
use crate::settings::settings;

/// What a feature is.
pub struct Definition {
    /// The key in a profile and in `cells.tsv`.
    pub name: &'static str,
    /// The words for a heading.
    pub title: &'static str,
    /// Other spellings that people use, the matrix's own abbreviation first, then the flags of vLLM that mean it.
    pub aliases: &'static [&'static str],
    /// One sentence on what it does, without a full stop.
    pub summary: &'static str,
    pub part: Part,
    /// Its settings; none for one that is only on or off.
    pub fields: &'static [Field],
    /// The rules that concern it alone.
    pub rules: &'static [&'static Rule],
}

/// What stands for a feature in a recipe.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The associated type of `Recipe`, and its trait in `engine_runtime::parts`.
    pub name: &'static str,
    /// The type that stands for the feature; one for each value of its choice, if it has a setting that is a choice.
    pub on: &'static [&'static str],
    /// The type that stands for its absence.
    pub off: &'static str,
}

/// What a rule on defaults may ask for.
pub(crate) struct Known<'a> {
    pub profile: &'a Profile,
    pub limits: &'a Limits,
}

/// The settings of a feature that is on.
pub trait Settings {
    /// The place of its choice among the choice's values; 0 for settings without one.
    fn choice(&self) -> usize;

    /// Each number by its name in Rust: the fields of the recipe's constant.
    fn numbers(&self) -> Vec<(&'static str, u64)>;
}

/// Whether a feature is in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch<S> {
    Off,
    On(S),
}

impl<S> Switch<S> {
    pub fn on(&self) -> Option<&S> {
        match self {
            Switch::Off => None,
            Switch::On(settings) => Some(settings),
        }
    }
}

/// As a profile writes it: `false`, `true`, or a table of settings.
impl<S: Settings + Serialize> Serialize for Switch<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        match self {
            Switch::Off => serializer.serialize_bool(false),
            Switch::On(settings) if settings.numbers().is_empty() => {
                serializer.serialize_bool(true)
            }
            Switch::On(settings) => settings.serialize(serializer),
        }
    }
}

/// Makes the enum of features, the answers to all of them and the way to their definitions.
macro_rules! features {
    ($($name:ident in $file:ident,)*) => {
        /// A serving feature; the order is the matrix's order, so that a pair is written `(later, earlier)`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Feature { $($name,)* }

        impl Feature {
            /// All of them, in the matrix's order.
            pub const ALL: [Feature; Feature::COUNT] = [$(Feature::$name,)*];

            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name),)*].len();

            /// All that its file says.
            pub const fn definition(self) -> &'static Definition {
                match self { $(Feature::$name => &$file::DEFINITION,)* }
            }
        }

        $(impl Settings for $file::$name {
            fn choice(&self) -> usize {
                $file::$name::choice(self)
            }

            fn numbers(&self) -> Vec<(&'static str, u64)> {
                $file::$name::numbers(self)
            }
        })*

        /// For each feature whether it is in the engine, and with which settings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Features { $(pub $file: Switch<$file::$name>,)* }

        impl Features {
            /// What a profile asks for.
            pub(crate) fn resolve(ask: &mut Ask<'_>, known: &Known<'_>) -> Features {
                Features {
                    $($file: ask.switch(Feature::$name, |ask, table| $file::$name::resolve(ask, table, known)),)*
                }
            }

            /// Each feature with its settings if it is on, in the matrix's order.
            pub fn iter(&self) -> impl Iterator<Item = (Feature, Option<&dyn Settings>)> {
                let all: [(Feature, Option<&dyn Settings>); Feature::COUNT] = [
                    $((Feature::$name, self.$file.on().map(|on| on as &dyn Settings)),)*
                ];
                all.into_iter()
            }
        }
    };
}

features! {
    ChunkedPrefill in chunked_prefill,
    PrefixCaching in prefix_caching,
    Lora in lora,
    PromptAdapter in prompt_adapter,
    SpeculativeDecoding in speculative_decoding,
    CudaGraph in cuda_graph,
    EncoderDecoder in encoder_decoder,
    Logprobs in logprobs,
    PromptLogprobs in prompt_logprobs,
    AsyncOutput in async_output,
    MultiStep in multi_step,
    Multimodal in multimodal,
    BestOf in best_of,
    BeamSearch in beam_search,
    GuidedDecoding in guided_decoding,
}

impl Features {
    /// The features that are in the engine.
    pub fn set(&self) -> FeatureSet {
        let on = self.iter().filter(|(_, settings)| settings.is_some());
        on.map(|(feature, _)| feature).collect()
    }
}

impl Feature {
    /// The key in a profile and in `cells.tsv`, for example `chunked-prefill`.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The words for a heading, for example `Chunked prefill`.
    pub const fn title(self) -> &'static str {
        self.definition().title
    }

    /// Other spellings that people use, the matrix's own abbreviation first.
    pub const fn aliases(self) -> &'static [&'static str] {
        self.definition().aliases
    }

    /// One sentence on what it does, without a full stop.
    pub const fn summary(self) -> &'static str {
        self.definition().summary
    }

    /// Its settings; none for one that is only on or off.
    pub const fn fields(self) -> &'static [Field] {
        self.definition().fields
    }

    /// What stands for it in a recipe.
    pub const fn part(self) -> Part {
        self.definition().part
    }

    /// The type that stands for it in a recipe where it has these settings, or is off.
    pub fn stand_in(self, settings: Option<&dyn Settings>) -> &'static str {
        let Part { on, off, .. } = self.part();
        settings.map_or(off, |settings| on.get(settings.choice()).unwrap_or(&off))
    }

    /// Its place in the matrix's order, from 0.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fields::Kind;

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
    fn a_part_has_a_type_for_each_value_of_its_choice() {
        for feature in Feature::ALL {
            let choice = feature.fields().iter().find_map(|field| match field.kind {
                Kind::Choice(names) => Some(names.len()),
                _ => None,
            });
            assert_eq!(feature.part().on.len(), choice.unwrap_or(1), "{feature}");
        }
    }

    /// The name in profiles, the file's name and the variant are one name.
    #[test]
    fn a_feature_has_one_name() {
        for feature in Feature::ALL {
            let variant: String = feature
                .name()
                .split('-')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            assert_eq!(format!("{feature:?}"), variant);
        }
    }
}
