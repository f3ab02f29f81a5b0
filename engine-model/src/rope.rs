//! Rotary position embeddings as `config.json` describes them.
//!
//! transformers 4 writes `rope_theta` beside `rope_scaling`, transformers 5 one `rope_parameters` with both; where a
//! file has both, `rope_scaling` wins, as in transformers 5.

use serde::Serialize;

use crate::family::ModelFamily;
use crate::file::FileError;
use crate::json::Object;

/// How positions turn into angles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rope {
    /// Base of the wavelengths.
    pub theta: f64,
    pub scaling: RopeScaling,
}

/// How the frequencies are stretched for long contexts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A factor for each frequency (Phi 3). Known, and not built: its factors are not read.
    LongRope,
}

const SUPPORTED: &str = "default, linear, dynamic, llama3, yarn";

/// The tables of a model: one for all layers, or Gemma 3's two, of layers with full attention and of layers with a
/// window. `max_positions` is the config's `max_position_embeddings`, `theta` the family's own base.
pub(crate) fn tables(
    config: &Object,
    family: ModelFamily,
    theta: f64,
    max_positions: usize,
) -> Result<Vec<Rope>, FileError> {
    let scaling = config.object("rope_scaling")?.filter(is_filled);
    let parameters = config.object("rope_parameters")?.filter(is_filled);
    let written = base(config, "rope_theta")?;
    if family == ModelFamily::Gemma3 {
        return gemma3(config, scaling, parameters, max_positions);
    }
    let settings = scaling.or(parameters);
    if family != ModelFamily::Phi3 {
        whole_heads(config)?;
        settings.as_ref().map_or(Ok(()), whole_heads)?;
    }
    let theta = written.unwrap_or(theta);
    let rope = match settings {
        Some(settings) => Rope::read(&settings, theta, family, max_positions)?,
        None => Rope {
            theta,
            scaling: RopeScaling::Default,
        },
    };
    Ok(vec![rope])
}

/// Gemma 3's two tables. transformers 4 writes `rope_theta` and `rope_scaling` for full attention and
/// `rope_local_base_freq` for windows.
fn gemma3(
    config: &Object,
    scaling: Option<Object>,
    parameters: Option<Object>,
    max_positions: usize,
) -> Result<Vec<Rope>, FileError> {
    const GLOBAL: f64 = 1_000_000.0;
    const LOCAL: f64 = 10_000.0;
    whole_heads(config)?;
    let of_kind = |kind| match &parameters {
        Some(parameters) => parameters.object(kind),
        None => Ok(None),
    };
    let (full, local) = (of_kind("full_attention")?, of_kind("sliding_attention")?);
    if let Some(parameters) = &parameters
        && full.is_none()
        && local.is_none()
    {
        return Err(parameters.refuse(
            "full_attention",
            "set, one object for each kind",
            "nothing",
        ));
    }
    let read = |settings: Option<Object>, theta: f64| match settings {
        Some(settings) => {
            whole_heads(&settings)?;
            Rope::read(&settings, theta, ModelFamily::Gemma3, max_positions)
        }
        None => Ok(Rope {
            theta,
            scaling: RopeScaling::Default,
        }),
    };
    let global = base(config, "rope_theta")?.unwrap_or(GLOBAL);
    let window = base(config, "rope_local_base_freq")?.unwrap_or(LOCAL);
    Ok(vec![read(scaling.or(full), global)?, read(local, window)?])
}

impl Rope {
    /// From one object of settings; `theta` is the base where it names none.
    fn read(
        settings: &Object,
        theta: f64,
        family: ModelFamily,
        max_positions: usize,
    ) -> Result<Self, FileError> {
        let theta = base(settings, "rope_theta")?.unwrap_or(theta);
        let scaling = RopeScaling::read(settings, family, max_positions)?;
        Ok(Self { theta, scaling })
    }
}

impl RopeScaling {
    /// Positions that the scaling is made for, where it says so.
    pub(crate) fn positions(&self) -> Option<usize> {
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

    fn read(
        settings: &Object,
        family: ModelFamily,
        max_positions: usize,
    ) -> Result<Self, FileError> {
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
                let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
                if low >= high {
                    return Err(settings.refuse(
                        "high_freq_factor",
                        "above low_freq_factor",
                        high.to_string(),
                    ));
                }
                let original = positive(settings, "original_max_position_embeddings")?;
                Ok(Self::Llama3 {
                    factor: need("factor")?,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_max_positions: original.unwrap_or(max_positions as f64),
                })
            }
            "yarn" if family != ModelFamily::Phi3 => Self::yarn(settings, max_positions),
            "longrope" | "su" | "yarn" if family == ModelFamily::Phi3 => Ok(Self::LongRope),
            other => Err(settings.unsupported("rope type", other, SUPPORTED)),
        }
    }

    fn yarn(settings: &Object, max_positions: usize) -> Result<Self, FileError> {
        let original = positive(settings, "original_max_position_embeddings")?;
        let original = original.unwrap_or(max_positions as f64);
        let factor = settings.required("factor", positive(settings, "factor")?)?;
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
            original_max_positions: original,
            beta_fast: positive(settings, "beta_fast")?.unwrap_or(32.0),
            beta_slow: positive(settings, "beta_slow")?.unwrap_or(1.0),
            truncate: settings.flag("truncate")?.unwrap_or(true),
            attention_factor,
        })
    }
}

/// An empty object says as little as none.
fn is_filled(object: &Object) -> bool {
    !object.fields().is_empty()
}

/// Refuses heads of which only a part is rotated.
fn whole_heads(object: &Object) -> Result<(), FileError> {
    object
        .number("partial_rotary_factor", "1", |part| part == 1.0)
        .map(|_| ())
}

/// The base of the rotations. A base of 1 turns all pairs alike, and its logarithm, by which yarn divides, is 0.
fn base(object: &Object, field: &str) -> Result<Option<f64>, FileError> {
    object.number(field, "a number above 1 and up to 1e12", |x| {
        x > 1.0 && x <= 1e12
    })
}

fn positive(object: &Object, field: &str) -> Result<Option<f64>, FileError> {
    // Far beyond any real factor on both sides, far from where single precision ends.
    object.number(field, "a number from 1e-6 to 1e12", |x| {
        (1e-6..=1e12).contains(&x)
    })
}
