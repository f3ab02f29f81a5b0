//! Attention over the paged cache, one query head at a time.

use std::ops::{Deref, DerefMut};

use super::memory::Layer;
use crate::backend::{HeadLayout, Heads};
use crate::dtype::Float;

/// [`AttentionBatch`](crate::backend::AttentionBatch), looked up.
pub(super) struct Queries<'a> {
    pub query_start: &'a [u32],
    pub context_len: &'a [u32],
    pub table_start: &'a [u32],
    pub blocks: &'a [u32],
}

/// Writes k and v of each row of qkv to its slot.
pub(super) fn store<D: Float, S: DerefMut<Target = [D]>>(
    qkv: &[f32],
    slots: &[u32],
    layout: HeadLayout,
    layer: &mut Layer<S>,
) {
    let width = layout.kv_heads * layout.head_dim;
    for (row, &slot) in qkv.chunks_exact(layout.width()).zip(slots) {
        let (k, v) = row[layout.q_width()..].split_at(width);
        let start = slot as usize * width;
        for i in 0..width {
            layer.keys[start + i] = D::from_f32(k[i]);
            layer.values[start + i] = D::from_f32(v[i]);
        }
    }
}

/// Every query row of every sequence.
pub(super) fn attend<D: Float, S: Deref<Target = [D]>>(
    qkv: &[f32],
    layer: &Layer<S>,
    queries: Queries<'_>,
    heads: Heads,
    out: &mut [f32],
) {
    let layout = heads.layout;
    for (seq, rows) in queries.query_start.windows(2).enumerate() {
        let (start, end) = (rows[0] as usize, rows[1] as usize);
        let table = &queries.blocks[queries.table_start[seq] as usize..];
        for row in start..end {
            let position = queries.context_len[seq] as usize - (end - row);
            let slots: Vec<usize> = (heads.first_seen(position)..=position)
                .map(|p| {
                    table[p / layer.block_size] as usize * layer.block_size + p % layer.block_size
                })
                .collect();
            let q = &qkv[row * layout.width()..][..layout.q_width()];
            let out = &mut out[row * layout.q_width()..][..layout.q_width()];
            let pairs = q
                .chunks_exact(layout.head_dim)
                .zip(out.chunks_exact_mut(layout.head_dim));
            for (head, (q, out)) in pairs.enumerate() {
                let kv_head = head / (layout.q_heads / layout.kv_heads);
                one_head(q, layer, &slots, kv_head, heads, out);
            }
        }
    }
}

/// out [head_dim] = softmax(scale * q [head_dim] k^T) v over `slots`.
fn one_head<D: Float, S: Deref<Target = [D]>>(
    q: &[f32],
    layer: &Layer<S>,
    slots: &[usize],
    kv_head: usize,
    heads: Heads,
    out: &mut [f32],
) {
    let Heads { layout, scale, .. } = heads;
    let dim = layout.head_dim;
    let at = |slot: usize| (slot * layout.kv_heads + kv_head) * dim;
    let scores: Vec<f64> = slots
        .iter()
        .map(|&slot| {
            let k = &layer.keys[at(slot)..][..dim];
            let products = q
                .iter()
                .zip(k)
                .map(|(q, k)| f64::from(*q) * f64::from(k.to_f32()));
            products.sum::<f64>() * f64::from(scale)
        })
        .collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    for (i, out) in out.iter_mut().enumerate() {
        let values = slots
            .iter()
            .map(|&slot| f64::from(layer.values[at(slot) + i].to_f32()));
        *out = (values.zip(&weights).map(|(v, w)| v * w).sum::<f64>() / total) as f32;
    }
}
