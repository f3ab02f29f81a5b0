//! Rows in, rows out: every op that knows nothing of sequences.

use crate::dtype::Float;

/// out [ids, width] = table [_, width] at `ids`.
pub(super) fn embed<D: Float>(
    table: &[D],
    width: usize,
    ids: &[u32],
    out: &mut [f32],
) -> Result<(), String> {
    for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
        let start = id as usize * width;
        let row = table
            .get(start..start + width)
            .ok_or_else(|| format!("row {id} of a table of {} rows", table.len() / width))?;
        for (to, from) in out.iter_mut().zip(row) {
            *to = from.to_f32();
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
pub(super) fn matmul<D: Float>(
    x: &[f32],
    w: &[D],
    cols: usize,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let outputs = w.len() / cols;
    for (x, out) in x.chunks_exact(cols).zip(out.chunks_exact_mut(outputs)) {
        for (output, out) in out.iter_mut().enumerate() {
            let products = w[output * cols..(output + 1) * cols]
                .iter()
                .zip(x)
                .map(|(w, x)| f64::from(w.to_f32()) * f64::from(*x));
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
