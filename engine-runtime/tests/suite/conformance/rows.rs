//! Ops on rows: embedding, norms, rotation, activation, gathering, experts.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    Head, HeadLayout, NO_TOKEN, Norm, RopeTable, RouteWeights, Routes, Rows,
};
use engine_runtime::dtype::{Dense, Float};

use super::answers::{Answer, spoil};
use super::inputs::{Random, Stored};
use super::{Formats, Staged, Subject, THREADS, assert_close, assert_same_bits, get, put};

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

pub fn embed_agrees<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(3);
    for (vocab, hidden, scale) in [(1, 1, 1.0), (5, 3, 1.0), (33, 31, 5.5), (97, 64, 8.0)] {
        let stored = Stored::random(&mut random, vocab, hidden);
        let ids: Vec<u32> = (0..40).map(|_| random.below(vocab) as u32).collect();
        let got = embed::<D, _>(&mut device, &stored, &ids, scale).expect("launches");
        let expected =
            embed::<D, _>(&mut Reference::default(), &stored, &ids, scale).expect("launches");
        assert_same_bits("embed", &got, &expected);
    }
}

fn embed<D: Float, B: Formats<D>>(
    device: &mut B,
    stored: &Stored,
    ids: &[u32],
    scale: f32,
) -> Result<Vec<f32>, engine_runtime::backend::DeviceError> {
    let table = Head::<Dense<D>>::table(device, "a table", &stored.host())?;
    let array = Staged::put(device, ids);
    let mut out = put(device, &vec![f32::NAN; ids.len() * stored.cols]);
    device.embed(&table, array.get(), scale, &mut out)?;
    let mut data = vec![0.0; ids.len() * stored.cols];
    device.read(&out, &mut data)?;
    Ok(data)
}

pub fn wrong_indices_are_refused<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(4);
    let stored = Stored::random(&mut random, 33, 16);
    for wrong in [33, 64, u32::MAX] {
        let error = embed::<D, _>(&mut device, &stored, &[0, wrong], 1.0).expect_err("refuses");
        assert_eq!(
            error.to_string(),
            format!("embed failed on the device: row {wrong} of a table of 33 rows")
        );
    }
    embed::<D, _>(&mut device, &stored, &[0, 32], 1.0).expect("the device is still usable");
}

/// The results of rms_norm, of add_rms_norm (residual, then out), and of head_norm on one device.
fn norms<B: Subject>(
    device: &mut B,
    layout: HeadLayout,
    x: &[f32],
    delta: &[f32],
    weight: &[f32],
) -> [Vec<f32>; 4] {
    let width = layout.width();
    let rows = x.len() / width;
    let mut norm = |values: &[f32]| Norm {
        weight: put(device, values),
        width: values.len(),
        eps: EPS,
    };
    let whole = norm(&weight[..width]);
    let heads = [0, 1].map(|i| norm(&weight[i * 7..i * 7 + layout.head_dim]));
    let [mut qkv, mut residual, input] = [0; 3].map(|_| put(device, x));
    let delta = put(device, delta);
    let [mut out, mut sum_out] = [0; 2].map(|_| put(device, &vec![f32::NAN; x.len()]));
    device
        .rms_norm(&input, &whole, rows, &mut out)
        .and_then(|()| device.add_rms_norm(&mut residual, &delta, &whole, rows, &mut sum_out))
        .and_then(|()| device.head_norm(&mut qkv, &heads, layout, rows))
        .expect("launches");
    [&out, &residual, &sum_out, &qkv].map(|array| get(device, array, x.len()))
}

pub fn norms_agree<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(5);
    for layout in LAYOUTS {
        for rows in [1, 3, 33] {
            let len = rows * layout.width();
            let (x, delta) = (random.values(len), random.values(len));
            let weight = random.values(layout.width() + layout.head_dim);
            let got = norms(&mut device, layout, &x, &delta, &weight);
            let expected = norms(&mut Reference::default(), layout, &x, &delta, &weight);
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

fn rope<B: Subject>(
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
    let [cos, sin] = table;
    let table = RopeTable { cos, sin };
    device
        .rope(&mut array, positions_array.get(), &table, layout)
        .expect("launches");
    get(device, &array, qkv.len())
}

pub fn rope_agrees<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(6);
    for layout in LAYOUTS {
        for rows in [1, 3, 40] {
            let qkv = random.values(rows * layout.width());
            let positions: Vec<u32> = (0..rows).map(|_| random.below(20) as u32).collect();
            let angles = random.values(20 * layout.head_dim / 2);
            let got = rope(&mut device, layout, &qkv, &positions, &angles);
            let expected = rope(&mut Reference::default(), layout, &qkv, &positions, &angles);
            // Two products of numbers of a few units, and their sum.
            assert_close("rope", &got, &expected, |_| 1e-6);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Gate {
    Silu,
    Gelu,
}

fn gate<B: Subject>(device: &mut B, gate: Gate, gate_up: &[f32], width: usize) -> Vec<f32> {
    let rows = gate_up.len() / (2 * width);
    let array = put(device, gate_up);
    let mut out = put(device, &vec![f32::NAN; rows * width]);
    let input = Rows {
        array: &array,
        rows,
        width: 2 * width,
    };
    match gate {
        Gate::Silu => device.silu_mul(input, &mut out),
        Gate::Gelu => device.gelu_mul(input, &mut out),
    }
    .expect("launches");
    get(device, &out, rows * width)
}

pub fn gates_agree<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(7);
    for width in [1, 3, 16, 31, 33, 1000] {
        for rows in [1, 9, 40] {
            let mut gate_up = random.values(rows * 2 * width);
            // From where a gate is 0 to where it is its input itself.
            for x in gate_up.iter_mut().step_by(3) {
                *x *= 60.0;
            }
            gate_up[0] = [-1e30, 1e30, f32::NAN, 0.0][random.below(4)];
            // exp within 2 units in the last place, three roundings behind it; beyond -87 it is taken as 0. What a
            // GELU takes the exponential of is known within 3 of 2^-24 of itself, and is 87 at most.
            for (kind, tolerance) in [(Gate::Silu, 1e-6), (Gate::Gelu, 2e-5)] {
                let got = gate(&mut device, kind, &gate_up, width);
                let expected = gate(&mut Reference::default(), kind, &gate_up, width);
                assert_close(&format!("{kind:?}"), &got, &expected, |i| {
                    tolerance * expected[i].abs() + 1e-33
                });
            }
        }
    }
    // As torch's gelu(x, approximate="tanh").
    let known = [(1.0, 0.841_192), (-1.0, -0.158_808), (3.0, 2.996_362_7)];
    for (x, expected) in known {
        let got = gate(&mut device, Gate::Gelu, &[x, 1.0], 1);
        assert_close("gelu", &got, &[expected], |_| 1e-5);
    }
}

pub fn gather_rows_agrees<B: Subject>() {
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
        let input = Rows {
            array: &array,
            rows: 20,
            width,
        };
        device
            .gather_rows(input, indices_array.get(), &mut out)
            .expect("launches");
        let got = get(&mut device, &out, 11 * width);
        let expected: Vec<f32> = indices
            .iter()
            .flat_map(|&i| x[i as usize * width..(i as usize + 1) * width].to_vec())
            .collect();
        assert_same_bits("gather_rows", &got, &expected);
    }
}

/// Experts and weights [rows, per_row] of logits [rows, experts].
fn route<B: Subject>(
    device: &mut B,
    logits: &[f32],
    experts: usize,
    per_row: usize,
    weights: RouteWeights,
) -> (Vec<u32>, Vec<f32>) {
    let rows = logits.len() / experts;
    let array = put(device, logits);
    let mut routes = Routes {
        per_row,
        experts: put(device, &vec![u32::MAX; rows * per_row]),
        weights: put(device, &vec![f32::NAN; rows * per_row]),
    };
    let input = Rows {
        array: &array,
        rows,
        width: experts,
    };
    device.route(input, weights, &mut routes).expect("launches");
    let len = rows * per_row;
    (
        get(device, &routes.experts, len),
        get(device, &routes.weights, len),
    )
}

pub fn routes_agree<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(17);
    for (experts, per_row) in [(1, 1), (3, 3), (8, 2), (33, 5), (128, 8)] {
        for weights in [RouteWeights::OfAll, RouteWeights::OfChosen] {
            let rows = 300;
            let mut logits = random.values(rows * experts);
            for row in logits.chunks_exact_mut(experts) {
                let spoiled = random.below(experts);
                match random.below(8) {
                    0 => row.fill(0.5),
                    1 => row.fill(f32::NAN),
                    2 => row[spoiled] = f32::NAN,
                    3 => row[spoiled] = f32::INFINITY,
                    4 => row[spoiled] = f32::NEG_INFINITY,
                    // Equal ones, of both signs of zero.
                    5 => row.iter_mut().for_each(|x| *x = x.round()),
                    _ => {}
                }
            }
            let got = route(&mut device, &logits, experts, per_row, weights);
            let mut reference = Reference::default();
            let expected = route(&mut reference, &logits, experts, per_row, weights);
            assert_eq!(got.0, expected.0, "{per_row} of {experts} experts");
            // exp within 2 units in the last place, and a sum of at most 128 of them.
            assert_close("weights", &got.1, &expected.1, |_| 1e-6);
            for (ids, weights) in got.0.chunks(per_row).zip(got.1.chunks(per_row)) {
                assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?} ascend");
                assert!(weights.iter().all(|x| x.is_finite()), "{weights:?}");
            }
        }
    }
    let got = route(
        &mut device,
        &[0.0, 3.0, -1.0, 3.0],
        4,
        2,
        RouteWeights::OfChosen,
    );
    assert_eq!(got, (vec![1, 3], vec![0.5, 0.5]));
}

/// out [rows, width] of x [rows, per_row, width].
fn combine<B: Subject>(device: &mut B, x: &[f32], weights: &[f32], per_row: usize) -> Vec<f32> {
    let rows = weights.len() / per_row;
    let width = x.len() / weights.len();
    let array = put(device, x);
    let routes = Routes {
        per_row,
        experts: put(device, &vec![0; weights.len()]),
        weights: put(device, weights),
    };
    let mut out = put(device, &vec![f32::NAN; rows * width]);
    let input = Rows {
        array: &array,
        rows,
        width,
    };
    device.combine(input, &routes, &mut out).expect("launches");
    get(device, &out, rows * width)
}

pub fn combine_agrees<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(18);
    for (rows, per_row, width) in [(1, 1, 1), (3, 2, 31), (40, 8, 33), (300, 3, 64)] {
        let x = random.values(rows * per_row * width);
        let weights: Vec<f32> = (0..rows * per_row).map(|_| random.uniform()).collect();
        let got = combine(&mut device, &x, &weights, per_row);
        let expected = combine(&mut Reference::default(), &x, &weights, per_row);
        // Eight products of numbers below 4, each sum rounded.
        assert_close("combine", &got, &expected, |_| 4e-6);
    }
}

pub fn advance_agrees<B: Subject>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let ids = Staged::put(&mut device, &[10, 11, 12, 13]);
    let sources = Staged::put(&mut device, &[NO_TOKEN, 1, 0, 2]);
    // Results of three words a row; the third row found no token.
    let results = put(&mut device, &[50, 1, 2, 60, 3, 4, NO_TOKEN, 5, 6]);
    let mut out = put(&mut device, &[7; 5]);
    device
        .advance(ids.get(), sources.get(), &results, 3, &mut out)
        .expect("launches");
    assert_eq!(get(&mut device, &out, 5), [10, 60, 50, 0, 7]);
}

pub fn are_batch_invariant<B: Subject>() {
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
            let mut results = norms(&mut device, layout, x, delta, &weight).to_vec();
            results.push(rope(
                &mut device,
                layout,
                x,
                &positions[start..end],
                &angles,
            ));
            results.push(gate(&mut device, Gate::Silu, x, width / 2));
            results.push(gate(&mut device, Gate::Gelu, x, width / 2));
            let (_, weights) = route(&mut device, x, width, 6, RouteWeights::OfAll);
            let two: Vec<f32> = weights
                .chunks(6)
                .flat_map(|row| row[..2].to_vec())
                .collect();
            results.push(combine(&mut device, delta, &two, 2));
            results.push(weights);
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

/// What ops on rows answer.
pub fn answer<B: Subject>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(41);
    let mut answer = Answer::default();
    for layout in LAYOUTS {
        for rows in [1, 2, 39] {
            let width = layout.width();
            let mut values = || {
                let mut values = random.values(rows * width);
                spoil(&mut random, &mut values, width);
                values
            };
            let (x, delta) = (values(), values());
            let weight = random.values(width + layout.head_dim);
            for result in norms(&mut device, layout, &x, &delta, &weight) {
                answer.numbers(&result);
            }
            let positions: Vec<u32> = (0..rows).map(|_| random.below(20) as u32).collect();
            let angles = random.values(20 * layout.head_dim / 2);
            answer.numbers(&rope(&mut device, layout, &x, &positions, &angles));
            let steep: Vec<f32> = x.iter().map(|x| 30.0 * x).collect();
            for kind in [Gate::Silu, Gate::Gelu] {
                answer.numbers(&gate(&mut device, kind, &x, width / 2));
                answer.numbers(&gate(&mut device, kind, &steep, width / 2));
            }
            for weights in [RouteWeights::OfAll, RouteWeights::OfChosen] {
                for logits in [&x, &steep] {
                    let (experts, shares) = route(&mut device, logits, width, 7, weights);
                    answer.words(&experts);
                    answer.numbers(&shares);
                    let delta = &delta[..rows * 7];
                    answer.numbers(&combine(&mut device, delta, &shares, 7));
                }
            }
        }
    }
    Some(answer)
}

/// What an embedding answers.
pub fn embedding_answer<D: Float, B: Formats<D>>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(42);
    let mut answer = Answer::default();
    for (vocab, hidden, scale) in [(1, 1, 1.0), (5, 3, 0.3), (33, 31, 5.5), (97, 77, 8.0)] {
        for _ in 0..3 {
            let stored = Stored::random(&mut random, vocab, hidden);
            let ids: Vec<u32> = (0..40).map(|_| random.below(vocab) as u32).collect();
            let got = embed::<D, _>(&mut device, &stored, &ids, scale);
            answer.numbers(&got.expect("launches"));
        }
    }
    Some(answer)
}
