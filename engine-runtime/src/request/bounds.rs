//! The bounds of request fields, and the checks that hold a value against them.

use std::fmt::Display;
use std::ops::RangeInclusive;

use engine_model::bounds::LOGIT_BIASES;

use super::RequestError;

pub const N: RangeInclusive<u32> = 1..=128;
/// Below this, dividing logits by the temperature could overflow; 0 itself is greedy.
pub const TEMPERATURE: RangeInclusive<f32> = 0.01..=100.0;
pub const MIN_P: RangeInclusive<f32> = 0.0..=1.0;
pub const REPETITION_PENALTY: RangeInclusive<f32> = 0.01..=100.0;
pub const PRESENCE_PENALTY: RangeInclusive<f32> = -2.0..=2.0;
pub const FREQUENCY_PENALTY: RangeInclusive<f32> = -2.0..=2.0;
pub const LOGIT_BIAS: RangeInclusive<f32> = -100.0..=100.0;
pub const LOGIT_BIAS_ENTRIES: RangeInclusive<usize> = 0..=LOGIT_BIASES;
pub const STOP_STRINGS: RangeInclusive<usize> = 0..=64;
pub const STOP_STRING_BYTES: RangeInclusive<usize> = 1..=1024;
pub const STOP_TOKENS: RangeInclusive<usize> = 0..=engine_model::bounds::STOP_TOKENS;
pub const CACHE_SALT_BYTES: RangeInclusive<usize> = 1..=256;

/// Holds `value` against `range`; a NaN lies in no range.
pub fn within<T: PartialOrd + Display>(
    field: &'static str,
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), RequestError> {
    if range.contains(value) {
        Ok(())
    } else {
        Err(refuse(
            field,
            value,
            format!("{} to {}", range.start(), range.end()),
        ))
    }
}

/// Holds the length of a list or text against `range`; `unit` is what it counts.
pub fn length(
    field: &'static str,
    len: usize,
    range: &RangeInclusive<usize>,
    unit: &str,
) -> Result<(), RequestError> {
    if range.contains(&len) {
        Ok(())
    } else {
        Err(refuse(
            field,
            format_args!("{len} {unit} long"),
            format!("{} to {} {unit}", range.start(), range.end()),
        ))
    }
}

/// Holds a token id against the vocabulary.
pub fn token(field: &'static str, token: u32, vocab: usize) -> Result<(), RequestError> {
    if usize::try_from(token).is_ok_and(|id| id < vocab) {
        Ok(())
    } else {
        Err(refuse(
            field,
            format_args!("token id {token}"),
            format!("below the vocabulary's {vocab}"),
        ))
    }
}

pub fn refuse(field: &'static str, value: impl Display, allowed: String) -> RequestError {
    RequestError::OutOfRange {
        field,
        value: value.to_string(),
        allowed,
    }
}
