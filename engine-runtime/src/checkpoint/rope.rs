//! Rotary position embeddings as `config.json` describes them.
//!
//! transformers 4 writes `rope_theta` beside `rope_scaling`, transformers 5 one `rope_parameters` with both.

use super::{CheckpointError, Object};

/// How positions turn into angles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeConfig {
    /// Base of the wavelengths.
    pub theta: f64,
    pub scaling: RopeScaling,
}

/// How the frequencies are stretched for long contexts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    Default,
    /// All frequencies divided by `factor` (Chen et al., arXiv 2306.15595).
    Linear { factor: f64 },
    /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, those between interpolated.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_max_positions: f64,
    },
    /// Frequencies that turn less than `beta_slow` times within the original context divided by `factor`, those that
    /// turn more than `beta_fast` times kept, those between interpolated (Peng et al., arXiv 2309.00071).
    Yarn {
        factor: f64,
        original_max_positions: f64,
        beta_fast: f64,
        beta_slow: f64,
        /// The interpolated band begins and ends at whole pairs.
        truncate: bool,
        /// Cosines and sines are multiplied by this.
        attention_factor: f64,
    },
}

/// Base of a config that names none, as in every family here.
const DEFAULT_THETA: f64 = 10_000.0;
const SUPPORTED: &str = "default, linear, dynamic, llama3, yarn";

impl RopeConfig {
    /// `max_positions` is the config's `max_position_embeddings`.
    pub(super) fn from_object(
        config: &Object,
        max_positions: usize,
    ) -> Result<Self, CheckpointError> {
        let settings = match config.object("rope_parameters")? {
            Some(parameters) => Some(parameters),
            None => config.object("rope_scaling")?,
        };
        let theta = match &settings {
            Some(settings) => positive(settings, "rope_theta")?,
            None => None,
        };
        let theta = match theta {
            Some(theta) => theta,
            None => positive(config, "rope_theta")?.unwrap_or(DEFAULT_THETA),
        };
        whole_heads(settings.as_ref().unwrap_or(config))?;
        whole_heads(config)?;
        let scaling = match &settings {
            Some(settings) => RopeScaling::from_object(settings, max_positions)?,
            None => RopeScaling::Default,
        };
        Ok(Self { theta, scaling })
    }
}

impl RopeScaling {
    /// Positions that the scaling is made for, where it says so.
    pub(super) fn positions(&self) -> Option<usize> {
        match *self {
            // A bounded number, cut to a whole one.
            Self::Yarn {
                factor,
                original_max_positions,
                ..
            } => Some((factor * original_max_positions).min(1e9) as usize),
            _ => None,
        }
    }

    fn from_object(settings: &Object, max_positions: usize) -> Result<Self, CheckpointError> {
        let kind = match settings.text("rope_type")? {
            Some(kind) => Some(kind),
            None => settings.text("type")?,
        };
        // transformers 5 keeps one object for each kind of layer where a model mixes them.
        let kind = match kind {
            Some(kind) => kind,
            None if settings.fields().values().any(serde_json::Value::is_object) => {
                return Err(settings.refuse(
                    "rope_type",
                    "one for all layers",
                    "one for each kind",
                ));
            }
            None => "default".to_owned(),
        };
        let need = |field| settings.required(field, positive(settings, field)?);
        match kind.as_str() {
            // Dynamic scaling begins past max_position_embeddings, where this engine never goes.
            "default" | "dynamic" => Ok(Self::Default),
            "linear" => Ok(Self::Linear {
                factor: need("factor")?,
            }),
            "llama3" => {
                let scaling = Self::Llama3 {
                    factor: need("factor")?,
                    low_freq_factor: need("low_freq_factor")?,
                    high_freq_factor: need("high_freq_factor")?,
                    original_max_positions: need("original_max_position_embeddings")?,
                };
                if need("low_freq_factor")? >= need("high_freq_factor")? {
                    return Err(settings.refuse(
                        "high_freq_factor",
                        "above low_freq_factor",
                        need("high_freq_factor")?.to_string(),
                    ));
                }
                Ok(scaling)
            }
            "yarn" => Self::yarn(settings, max_positions),
            other => Err(CheckpointError::Unsupported {
                file: settings.file().to_path_buf(),
                what: "rope type",
                found: other.to_owned(),
                supported: SUPPORTED.to_owned(),
            }),
        }
    }

    fn yarn(settings: &Object, max_positions: usize) -> Result<Self, CheckpointError> {
        let factor = settings.required("factor", positive(settings, "factor")?)?;
        let original = positive(settings, "original_max_position_embeddings")?;
        let scale = |mscale: f64| match factor > 1.0 {
            true => 0.1 * mscale * factor.ln() + 1.0,
            false => 1.0,
        };
        let attention_factor = match positive(settings, "attention_factor")? {
            Some(given) => given,
            None => match (
                positive(settings, "mscale")?,
                positive(settings, "mscale_all_dim")?,
            ) {
                (Some(mscale), Some(all)) => scale(mscale) / scale(all),
                _ => scale(1.0),
            },
        };
        Ok(Self::Yarn {
            factor,
            original_max_positions: original.unwrap_or(max_positions as f64),
            beta_fast: positive(settings, "beta_fast")?.unwrap_or(32.0),
            beta_slow: positive(settings, "beta_slow")?.unwrap_or(1.0),
            truncate: settings.flag("truncate")?.unwrap_or(true),
            attention_factor,
        })
    }
}

/// Refuses heads of which only a part is rotated.
fn whole_heads(object: &Object) -> Result<(), CheckpointError> {
    object
        .number("partial_rotary_factor", "1", |part| part == 1.0)
        .map(|_| ())
}

fn positive(object: &Object, field: &str) -> Result<Option<f64>, CheckpointError> {
    // Far beyond any real base or factor, far below where single precision ends.
    object.number(field, "a number above 0 and up to 1e12", |x| {
        x > 0.0 && x <= 1e12
    })
}
