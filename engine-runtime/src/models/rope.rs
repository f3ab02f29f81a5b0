//! The table of rotary angles, made once when a model loads.
//!
//! Frequencies are single precision, as transformers keeps them, so that angles at long positions agree with it;
//! everything else is computed in double precision and rounded once.

use std::f64::consts::PI;

use engine_model::{Rope, RopeScaling};

/// cos and sin [positions, head_dim / 2].
pub(super) struct Angles {
    pub(super) cos: Vec<f32>,
    pub(super) sin: Vec<f32>,
}

pub(super) fn angles(rope: &Rope, head_dim: usize, positions: usize) -> Angles {
    let frequencies = frequencies(rope, head_dim);
    let factor = match rope.scaling {
        RopeScaling::Yarn {
            attention_factor, ..
        } => attention_factor,
        _ => 1.0,
    };
    // A product of two single-precision numbers, rounded to one: what transformers takes the cosine of.
    let angles = (0..positions).flat_map(|position| {
        let angle = move |frequency| f64::from(position as f32 * frequency);
        frequencies.iter().copied().map(angle)
    });
    let (cos, sin) = angles
        .map(|angle| ((angle.cos() * factor) as f32, (angle.sin() * factor) as f32))
        .unzip();
    Angles { cos, sin }
}

/// [head_dim / 2], radians a position.
fn frequencies(rope: &Rope, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|pair| {
            let exponent = (2 * pair) as f64 / head_dim as f64;
            let frequency = rope.theta.powf(exponent).recip();
            let kept = kept(rope, head_dim, pair, frequency);
            ((1.0 - kept) * frequency / factor(rope.scaling) + kept * frequency) as f32
        })
        .collect()
}

fn factor(scaling: RopeScaling) -> f64 {
    match scaling {
        RopeScaling::Default | RopeScaling::LongRope => 1.0,
        RopeScaling::Linear { factor }
        | RopeScaling::Llama3 { factor, .. }
        | RopeScaling::Yarn { factor, .. } => factor,
    }
}

/// How much of a frequency is kept, from 0, divided by the factor, to 1, left as it is; as transformers'
/// `modeling_rope_utils.py`.
fn kept(rope: &Rope, head_dim: usize, pair: usize, frequency: f64) -> f64 {
    match rope.scaling {
        // No family that is built has the long form.
        RopeScaling::Default | RopeScaling::LongRope => 1.0,
        RopeScaling::Linear { .. } => 0.0,
        RopeScaling::Llama3 {
            low_freq_factor,
            high_freq_factor,
            original_max_positions,
            ..
        } => {
            // Turns of this frequency within the original context.
            let turns = original_max_positions * frequency / (2.0 * PI);
            ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0)
        }
        RopeScaling::Yarn {
            original_max_positions,
            beta_fast,
            beta_slow,
            truncate,
            ..
        } => {
            // The pair, as a real number, that turns so often within the original context.
            let pair_of = |turns: f64| {
                let wavelength = original_max_positions / (turns * 2.0 * PI);
                head_dim as f64 * wavelength.ln() / (2.0 * rope.theta.ln())
            };
            let (mut low, mut high) = (pair_of(beta_fast), pair_of(beta_slow));
            if truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            (low, high) = (low.max(0.0), high.min((head_dim - 1) as f64));
            // As transformers, against a division by nothing.
            if low == high {
                high += 0.001;
            }
            1.0 - ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0)
        }
    }
}
