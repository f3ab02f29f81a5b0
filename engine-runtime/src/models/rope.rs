//! The table of rotary angles, made once when a model loads.
//!
//! Frequencies are single precision, as transformers keeps them, so that angles at long positions agree with it;
//! everything else is computed in double precision and rounded once.

use std::f64::consts::PI;

use crate::checkpoint::{RopeConfig, RopeScaling};

/// cos and sin [positions, head_dim / 2].
pub(super) struct Angles {
    pub(super) cos: Vec<f32>,
    pub(super) sin: Vec<f32>,
}

pub(super) fn angles(rope: &RopeConfig, head_dim: usize, positions: usize) -> Angles {
    let frequencies = frequencies(rope, head_dim);
    // A product of two single-precision numbers, rounded to one: what transformers takes the cosine of.
    let angles = (0..positions).flat_map(|position| {
        let angle = move |frequency| f64::from(position as f32 * frequency);
        frequencies.iter().copied().map(angle)
    });
    let (cos, sin) = angles
        .map(|angle| (angle.cos() as f32, angle.sin() as f32))
        .unzip();
    Angles { cos, sin }
}

/// [head_dim / 2], radians a position.
fn frequencies(rope: &RopeConfig, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|pair| {
            let exponent = (2 * pair) as f64 / head_dim as f64;
            scale(rope.theta.powf(exponent).recip(), rope.scaling) as f32
        })
        .collect()
}

/// As transformers' `modeling_rope_utils.py`.
fn scale(frequency: f64, scaling: RopeScaling) -> f64 {
    match scaling {
        RopeScaling::Default => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_positions,
        } => {
            // Turns of this frequency within the original context.
            let turns = original_max_positions * frequency / (2.0 * PI);
            if turns < low_freq_factor {
                frequency / factor
            } else if turns > high_freq_factor {
                frequency
            } else {
                let kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                (1.0 - kept) * frequency / factor + kept * frequency
            }
        }
    }
}
