//! `generation_config.json`: how the model's makers want it sampled.

use std::path::Path;

use engine_model::{Config, FileError, Object};

/// Defaults for requests that leave a setting open. A setting that the file leaves open is `None`; fields that mean
/// nothing to this engine are not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationConfig {
    pub eos_token_ids: Vec<u32>,
    /// `Some(false)`: the makers want the likeliest token, whatever the other settings say.
    pub do_sample: Option<bool>,
    pub temperature: Option<f32>,
    pub top_k: Option<u32>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub max_new_tokens: Option<usize>,
}

impl GenerationConfig {
    /// The folder's settings; all open where there is no file.
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        match Object::read(&dir.join("generation_config.json"), Config::LIMIT)? {
            Some(object) => Self::from_object(&object),
            None => Ok(Self::default()),
        }
    }

    fn from_object(object: &Object) -> Result<Self, FileError> {
        let share = |field| {
            let number = object.number(field, "a number from 0 to 1", |x| (0.0..=1.0).contains(&x));
            number.map(narrow)
        };
        Ok(Self {
            eos_token_ids: object.token_ids("eos_token_id")?,
            do_sample: object.flag("do_sample")?,
            temperature: narrow(object.number("temperature", "a number from 0 to 100", |x| {
                (0.0..=100.0).contains(&x)
            })?),
            top_k: object
                .count("top_k", 0..=MAX_TOP_K)?
                .and_then(|k| u32::try_from(k).ok()),
            top_p: share("top_p")?,
            min_p: share("min_p")?,
            repetition_penalty: narrow(object.number(
                "repetition_penalty",
                "a number above 0 and up to 100",
                |x| x > 0.0 && x <= 100.0,
            )?),
            max_new_tokens: object.count("max_new_tokens", 1..=usize::MAX)?,
        })
    }
}

const MAX_TOP_K: usize = 1 << 24;

/// Settings are single precision on the device.
fn narrow(number: Option<f64>) -> Option<f32> {
    number.map(|number| number as f32)
}
