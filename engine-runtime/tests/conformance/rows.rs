//! Ops on rows: embedding, norms, rotation, activation, gathering.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{HeadLayout, NO_TOKEN, Ops, RopeTable};
use engine_runtime::dtype::{Dense, Float};

use super::inputs::{Random, Stored};
use crate::{Staged, Subject, THREADS, assert_close, assert_same_bits, get, put};

const EPS: f32 = 1e-5;
const LAYOUTS: [HeadLayout; 3] = [
    HeadLayout {
        q_heads: 4,
        kv_heads: 2,
        head_dim: 8,
    },
    HeadLayout {
        q_heads: 3,
        kv_heads: 1,
        head_dim: 34,
    },
    HeadLayout {
        q_heads: 8,
        kv_heads: 8,
        head_dim: 64,
    },
];

pub fn embed_agrees<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(3);
    for (vocab, hidden) in [(1, 1), (5, 3), (33, 31), (97, 64)] {
        let stored = Stored::random(&mut random, vocab, hidden);
        let ids: Vec<u32> = (0..40).map(|_| random.below(vocab) as u32).collect();
        let got = embed::<D, _>(&mut device, &stored, &ids).expect("launches");
        let expected = embed::<D, _>(&mut Reference::default(), &stored, &ids).expect("launches");
        assert_same_bits("embed", &got, &expected);
    }
}

fn embed<D: Float, B: Subject<D>>(
    device: &mut B,
    stored: &Stored,
    ids: &[u32],
) -> Result<Vec<f32>, engine_runtime::backend::DeviceError> {
    let table = Ops::<Dense<D>>::pack(device, "a table", &[stored.host()])?;
    let array = Staged::put(device, ids);
    let mut out = put(device, &vec![f32::NAN; ids.len() * stored.cols]);
    Ops::<Dense<D>>::embed(device, &table, array.get(), ids.len(), &mut out)?;
    let mut data = vec![0.0; ids.len() * stored.cols];
    device.read(&out, &mut data)?;
    Ok(data)
}

pub fn wrong_indices_are_refused<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(4);
    let stored = Stored::random(&mut random, 33, 16);
    for wrong in [33, 64, u32::MAX] {
        let error = embed::<D, _>(&mut device, &stored, &[0, wrong]).expect_err("refuses");
        assert_eq!(
            error.to_string(),
            format!("embed failed on the device: row {wrong} of a table of 33 rows")
        );
    }
    embed::<D, _>(&mut device, &stored, &[0, 32]).expect("the device is still usable");
}

/// The results of rms_norm, of add_rms_norm (residual, then out), and of head_norm on one device.
fn norms<D: Float, B: Subject<D>>(
    device: &mut B,
    layout: HeadLayout,
    x: &[f32],
    delta: &[f32],
    weight: &[f32],
) -> [Vec<f32>; 4] {
    let width = layout.width();
    let rows = x.len() / width;
    let weights = put(device, &weight[..width]);
    let heads = [0, 1].map(|i| put(device, &weight[i * 7..i * 7 + layout.head_dim]));
    let [mut qkv, mut residual, input] = [0; 3].map(|_| put(device, x));
    let delta = put(device, delta);
    let [mut out, mut sum_out] = [0; 2].map(|_| put(device, &vec![f32::NAN; x.len()]));
    Ops::<Dense<D>>::rms_norm(device, &input, &weights, EPS, rows, width, &mut out)
        .expect("launches");
    Ops::<Dense<D>>::add_rms_norm(
        device,
        &mut residual,
        &delta,
        &weights,
        EPS,
        rows,
        width,
        &mut sum_out,
    )
    .expect("launches");
    Ops::<Dense<D>>::head_norm(device, &mut qkv, &heads[0], &heads[1], EPS, layout, rows)
        .expect("launches");
    [&out, &residual, &sum_out, &qkv].map(|array| get(device, array, x.len()))
}

pub fn norms_agree<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(5);
    for layout in LAYOUTS {
        for rows in [1, 3, 33] {
            let len = rows * layout.width();
            let (x, delta) = (random.values(len), random.values(len));
            let weight = random.values(layout.width() + layout.head_dim);
            let got = norms::<D, _>(&mut device, layout, &x, &delta, &weight);
            let expected = norms::<D, _>(&mut Reference::default(), layout, &x, &delta, &weight);
            // The mean of squares within 1e-6 of itself, four roundings behind it.
            for (got, expected) in got.iter().zip(&expected) {
                assert_close("norm", got, expected, |i| 2e-6 * expected[i].abs() + 1e-7);
            }
            assert_same_bits("the sum of residual and delta", &got[1], &expected[1]);
            let (v, kept) = (layout.width() - layout.kv_heads * layout.head_dim, &x);
            for (got, kept) in got[3]
                .chunks(layout.width())
                .zip(kept.chunks(layout.width()))
            {
                assert_same_bits("v is no business of head_norm", &got[v..], &kept[v..]);
            }
        }
    }
}

fn rope<D: Float, B: Subject<D>>(
    device: &mut B,
    layout: HeadLayout,
    qkv: &[f32],
    positions: &[u32],
    angles: &[f32],
) -> Vec<f32> {
    let mut array = put(device, qkv);
    let table = [f32::cos, f32::sin].map(|f| {
        let values: Vec<f32> = angles.iter().map(|angle| f(*angle)).collect();
        put(device, &values)
    });
    let positions_array = Staged::put(device, positions);
    let table = RopeTable {
        cos: &table[0],
        sin: &table[1],
    };
    let rows = positions.len();
    Ops::<Dense<D>>::rope(
        device,
        &mut array,
        positions_array.get(),
        table,
        layout,
        rows,
    )
    .expect("launches");
    get(device, &array, qkv.len())
}

pub fn rope_agrees<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(6);
    for layout in LAYOUTS {
        for rows in [1, 3, 40] {
            let qkv = random.values(rows * layout.width());
            let positions: Vec<u32> = (0..rows).map(|_| random.below(20) as u32).collect();
            let angles = random.values(20 * layout.head_dim / 2);
            let got = rope::<D, _>(&mut device, layout, &qkv, &positions, &angles);
            let expected =
                rope::<D, _>(&mut Reference::default(), layout, &qkv, &positions, &angles);
            // Two products of numbers of a few units, and their sum.
            assert_close("rope", &got, &expected, |_| 1e-6);
        }
    }
}

fn silu_mul<D: Float, B: Subject<D>>(device: &mut B, gate_up: &[f32], width: usize) -> Vec<f32> {
    let rows = gate_up.len() / (2 * width);
    let array = put(device, gate_up);
    let mut out = put(device, &vec![f32::NAN; rows * width]);
    Ops::<Dense<D>>::silu_mul(device, &array, rows, width, &mut out).expect("launches");
    get(device, &out, rows * width)
}

pub fn silu_mul_agrees<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(7);
    for width in [1, 3, 16, 31, 33, 1000] {
        for rows in [1, 9, 40] {
            let mut gate_up = random.values(rows * 2 * width);
            // From where silu is 0 to where it is the gate itself.
            for x in gate_up.iter_mut().step_by(3) {
                *x *= 60.0;
            }
            gate_up[0] = [-1e30, 1e30, f32::NAN, 0.0][random.below(4)];
            let got = silu_mul::<D, _>(&mut device, &gate_up, width);
            let expected = silu_mul::<D, _>(&mut Reference::default(), &gate_up, width);
            // exp within 2 units in the last place, three roundings behind it; beyond -87 it is taken as 0.
            assert_close("silu_mul", &got, &expected, |i| {
                1e-6 * expected[i].abs() + 1e-33
            });
        }
    }
}

pub fn gather_rows_agrees<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(8);
    for width in [1, 3, 33] {
        let x = random.values(20 * width);
        let mut indices: Vec<u32> = (0..11).map(|_| random.below(20) as u32).collect();
        indices[..2].copy_from_slice(&[19, 0]);
        let [array, mut out] = [&x[..], &[f32::NAN; 11 * 33]].map(|data| put(&mut device, data));
        let indices_array = Staged::put(&mut device, &indices);
        Ops::<Dense<D>>::gather_rows(
            &mut device,
            &array,
            indices_array.get(),
            11,
            width,
            &mut out,
        )
        .expect("launches");
        let got = get(&mut device, &out, 11 * width);
        let expected: Vec<f32> = indices
            .iter()
            .flat_map(|&i| x[i as usize * width..(i as usize + 1) * width].to_vec())
            .collect();
        assert_same_bits("gather_rows", &got, &expected);
    }
}

pub fn advance_agrees<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let ids = Staged::put(&mut device, &[10, 11, 12, 13]);
    let sources = Staged::put(&mut device, &[NO_TOKEN, 1, 0, 2]);
    // Results of three words a row; the third row found no token.
    let results = put(&mut device, &[50, 1, 2, 60, 3, 4, NO_TOKEN, 5, 6]);
    let mut out = put(&mut device, &[7; 5]);
    Ops::<Dense<D>>::advance(&mut device, ids.get(), sources.get(), &results, 3, &mut out)
        .expect("launches");
    assert_eq!(get(&mut device, &out, 5), [10, 60, 50, 0, 7]);
}

pub fn are_batch_invariant<D: Float, B: Subject<D>>() {
    let mut random = Random(9);
    let layout = LAYOUTS[1];
    let width = layout.width();
    // Wide enough, with 600 rows, that an op is cut into several tasks.
    for rows in [1, 7, 40, 600] {
        let (x, delta) = (random.values(rows * width), random.values(rows * width));
        let weight = random.values(width + layout.head_dim);
        let positions: Vec<u32> = (0..rows).map(|_| random.below(20) as u32).collect();
        let angles = random.values(20 * layout.head_dim / 2);
        let all = |threads, start: usize, end: usize| {
            let mut device = B::start(threads)?;
            let range = start * width..end * width;
            let (x, delta) = (&x[range.clone()], &delta[range]);
            let mut results = norms::<D, _>(&mut device, layout, x, delta, &weight).to_vec();
            results.push(rope::<D, _>(
                &mut device,
                layout,
                x,
                &positions[start..end],
                &angles,
            ));
            results.push(silu_mul::<D, _>(&mut device, x, width / 2));
            Some(results)
        };
        let Some(expected) = all(1, 0, rows) else {
            return;
        };
        for threads in THREADS {
            let got = all(threads, 0, rows).expect("opened before");
            for (got, expected) in got.iter().zip(&expected) {
                assert_same_bits(&format!("{rows} rows, {threads} threads"), got, expected);
            }
        }
        for row in [0, rows / 2, rows - 1] {
            let got = all(1, row, row + 1).expect("opened before");
            for (got, expected) in got.iter().zip(&expected) {
                let len = got.len();
                assert_same_bits("a row alone", got, &expected[row * len..(row + 1) * len]);
            }
        }
    }
}
