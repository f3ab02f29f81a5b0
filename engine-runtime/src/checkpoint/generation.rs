//! `generation_config.json`: how the model's makers want it sampled.

use std::path::Path;

use engine_model::{Config, FileError, Object};

use crate::request::SamplingFields;

/// What the file says; fields that mean nothing to this engine are not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationConfig {
    pub eos_token_ids: Vec<u32>,
    /// Defaults for requests that leave a setting open. vLLM takes the same ones, but for `do_sample`: where that is
    /// false the temperature is 0 here, whatever the file says of it, as transformers has it.
    pub sampling: SamplingFields,
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
        let temperature = narrow(object.number("temperature", "a number from 0 to 100", |x| {
            (0.0..=100.0).contains(&x)
        })?);
        let greedy = object.flag("do_sample")? == Some(false);
        let top_k = object.number(
            "top_k",
            &format!("a whole number from -1 to {MAX_TOP_K}"),
            |x| x.fract() == 0.0 && (-1.0..=MAX_TOP_K).contains(&x),
        )?;
        let max_tokens = object.count("max_new_tokens", 1..=usize::MAX)?;
        Ok(Self {
            eos_token_ids: object.token_ids("eos_token_id")?,
            sampling: SamplingFields {
                temperature: if greedy { Some(0.0) } else { temperature },
                // Whole and in range; -1 is all, as 0 is.
                top_k: top_k.map(|k| k.max(0.0) as u32),
                top_p: share("top_p")?,
                min_p: share("min_p")?,
                repetition_penalty: narrow(object.number(
                    "repetition_penalty",
                    "a number above 0 and up to 100",
                    |x| x > 0.0 && x <= 100.0,
                )?),
                // More than a number can say is more than fits.
                max_tokens: max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
                ..SamplingFields::default()
            },
        })
    }
}

const MAX_TOP_K: f64 = 16_777_216.0;

/// Settings are single precision on the device.
fn narrow(number: Option<f64>) -> Option<f32> {
    number.map(|number| number as f32)
}
