//! Rows in, rows out: every op that knows nothing of sequences.

use crate::backend::RouteWeights;

/// out [ids, width] = scale * table [_, width] at `ids`.
pub(super) fn look_up(
    table: &[f32],
    width: usize,
    ids: &[u32],
    scale: f32,
    out: &mut [f32],
) -> Result<(), String> {
    for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
        let start = id as usize * width;
        let row = table
            .get(start..start + width)
            .ok_or_else(|| format!("row {id} of a table of {} rows", table.len() / width))?;
        for (to, from) in out.iter_mut().zip(row) {
            *to = scale * from;
        }
    }
    Ok(())
}

/// row = row / sqrt(mean(row^2) + eps) * weight
pub(super) fn rms_norm(row: &mut [f32], weight: &[f32], eps: f32) {
    let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
    let factor = 1.0 / (squares / row.len() as f64 + f64::from(eps)).sqrt();
    for (x, weight) in row.iter_mut().zip(weight) {
        *x = (f64::from(*x) * factor * f64::from(*weight)) as f32;
    }
}

/// out [rows, outputs] = x [rows, cols] * w [outputs, cols]^T (+ bias [outputs])
pub(super) fn matmul(x: &[f32], w: &[f32], cols: usize, bias: Option<&[f32]>, out: &mut [f32]) {
    let outputs = w.len() / cols;
    for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(outputs)) {
        for (output, out) in out.iter_mut().enumerate() {
            let products = w[output * cols..(output + 1) * cols]
                .iter()
                .zip(x)
                .map(|(w, x)| f64::from(*w) * f64::from(*x));
            let bias = bias.map_or(0.0, |bias| f64::from(bias[output]));
            *out = (products.sum::<f64>() + bias) as f32;
        }
    }
}

/// Rotates the pairs (i, i + half) of one head by the angles given as `cos` and `sin` [half].
pub(super) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = head.split_at_mut(cos.len());
    for ((low, high), (cos, sin)) in low.iter_mut().zip(high).zip(cos.iter().zip(sin)) {
        let (a, b) = (*low, *high);
        *low = a * cos - b * sin;
        *high = b * cos + a * sin;
    }
}

pub(super) fn silu(x: f32) -> f32 {
    (f64::from(x) / (1.0 + f64::from(-x).exp())) as f32
}

/// The approximation by tanh.
pub(super) fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    // (1 + tanh(y)) / 2 = 1 / (1 + e^-2y), which loses nothing where tanh is next to -1.
    (x / (1.0 + (-2.0 * inner).exp())) as f32
}

/// The experts of one row in ascending order, and their weights.
pub(super) fn route(
    logits: &[f32],
    weights: RouteWeights,
    experts: &mut [u32],
    shares: &mut [f32],
) {
    let number = |expert: usize| match logits[expert] {
        logit if logit.is_nan() => f32::NEG_INFINITY,
        logit => logit + 0.0,
    };
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| number(b).total_cmp(&number(a)));
    let largest = number(order[0]);
    // Where all are minus infinity, they are equal.
    let exp = |expert: usize| match number(expert) {
        logit if logit == largest => 1.0,
        logit => (f64::from(logit) - f64::from(largest)).exp(),
    };
    let mut chosen = order[..experts.len()].to_vec();
    chosen.sort_unstable();
    let total: f64 = match weights {
        RouteWeights::OfAll => (0..logits.len()).map(exp).sum(),
        RouteWeights::OfChosen => chosen.iter().copied().map(exp).sum(),
    };
    for (expert, (id, share)) in chosen.into_iter().zip(experts.iter_mut().zip(shares)) {
        *id = expert as u32;
        *share = (exp(expert) / total) as f32;
    }
}
