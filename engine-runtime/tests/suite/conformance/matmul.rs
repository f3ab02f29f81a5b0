//! Matrix products.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{DeviceError, ExpertInput, Head, Linear, Projection, Routes};
use engine_runtime::dtype::{Dense, Float, HostMatrix, HostValues};

use super::answers::{Answer, spoil};
use super::inputs::{Random, Stored};
use super::{Formats, THREADS, assert_close, assert_same_bits, get, put};

/// out [rows, outputs] on a device.
pub(super) fn product<D: Float, B: Formats<D>>(
    device: &mut B,
    parts: &[HostMatrix<'_>],
    x: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (outputs, cols): (usize, _) = (parts.iter().map(|part| part.rows).sum(), parts[0].cols);
    let rows = x.len() / cols;
    let array = put(device, x);
    let mut out = put(device, &vec![f32::NAN; rows * outputs]);
    // The output head computes as a linear layer without a bias does.
    match (bias, parts) {
        (None, [table]) => {
            let table = Head::<Dense<D>>::table(device, "a table", table).expect("packs");
            device.logits(&array, &table, rows, &mut out)
        }
        _ => {
            let w = Projection {
                matrix: Linear::<Dense<D>>::pack(device, "a matrix", parts).expect("packs"),
                bias: bias.map(|bias| put(device, bias)),
            };
            device.matmul(&array, &w, rows, &mut out)
        }
    }
    .expect("launches");
    get(device, &out, rows * outputs)
}

/// Sum of the products' magnitudes, which rounding errors are relative to: [rows, outputs].
fn magnitudes<D: Float>(parts: &[HostMatrix<'_>], x: &[f32]) -> Vec<f32> {
    let positive = |values: Vec<f32>| values.into_iter().map(f32::abs).collect::<Vec<_>>();
    let mut reference = Reference::default();
    let bytes: Vec<Vec<u8>> = parts
        .iter()
        .map(|part| {
            part.values
                .iter()
                .flat_map(|w| w.abs().to_le_bytes())
                .collect()
        })
        .collect();
    let parts: Vec<_> = parts
        .iter()
        .zip(&bytes)
        .map(|(part, bytes)| HostMatrix {
            values: HostValues::F32(bytes),
            ..*part
        })
        .collect();
    product::<D, _>(&mut reference, &parts, &positive(x.to_vec()), None)
}

pub fn agrees<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(1);
    for cols in [1, 2, 3, 31, 33, 64, 65, 130] {
        for (outputs, more) in [
            (1, 0),
            (3, 0),
            (31, 2),
            (32, 0),
            (33, 0),
            (65, 33),
            (100, 1),
        ] {
            let rows = [1, 2, 3, 5, 8, 12, 13, 31][random.below(8)];
            let stored = [outputs, more].map(|rows| Stored::random(&mut random, rows, cols));
            let parts = [stored[0].host(), stored[1].host()];
            let bias = random.values(outputs + more);
            for bias in [None, Some(&bias[..])] {
                let what = format!("{rows} rows of {cols}, {outputs} + {more} outputs");
                // Exact but for the f32 sum: an error of 2^-24 a step at most.
                let x = random.bf16_values(rows * cols);
                compare::<D, B>(&mut device, &what, &parts, &x, bias, 2_f32.powi(-18));
                // Activations may be rounded to bf16: 2^-9 of each product.
                let x = random.values(rows * cols);
                compare::<D, B>(&mut device, &what, &parts, &x, bias, 2_f32.powi(-8));
            }
        }
    }
}

pub(super) fn compare<D: Float, B: Formats<D>>(
    device: &mut B,
    what: &str,
    parts: &[HostMatrix<'_>],
    x: &[f32],
    bias: Option<&[f32]>,
    tolerance: f32,
) {
    let expected = product::<D, _>(&mut Reference::default(), parts, x, bias);
    let got = product::<D, _>(device, parts, x, bias);
    let magnitudes = magnitudes::<D>(parts, x);
    // The sum begins or ends with the bias, and is rounded at its size too.
    let of_bias = |i: usize| bias.map_or(0.0, |bias| bias[i % bias.len()].abs());
    assert_close(what, &got, &expected, |i| {
        tolerance * (magnitudes[i] + of_bias(i) + 1e-3)
    });
}

pub fn is_batch_invariant<D: Float, B: Formats<D>>() {
    let mut random = Random(2);
    let (cols, outputs) = (301, 147);
    let stored = Stored::random(&mut random, outputs, cols);
    let bias = random.values(outputs);
    let x = random.values(40 * cols);
    let Some(mut device) = B::start(1) else {
        return;
    };
    let alone: Vec<f32> = x
        .chunks_exact(cols)
        .flat_map(|x| product::<D, _>(&mut device, &[stored.host()], x, Some(&bias)))
        .collect();
    for threads in THREADS {
        let Some(mut device) = B::start(threads) else {
            return;
        };
        for rows in 1..=40 {
            // Not always the first rows: another place in the batch must not matter either.
            let first = random.below(41 - rows);
            let x = &x[first * cols..(first + rows) * cols];
            let together = product::<D, _>(&mut device, &[stored.host()], x, Some(&bias));
            let alone = &alone[first * outputs..(first + rows) * outputs];
            assert_same_bits(&format!("{rows} rows, {threads} threads"), &together, alone);
        }
    }
}

/// Experts of `outputs` outputs each, gate and up as two parts.
fn experts(random: &mut Random, count: usize, outputs: usize, cols: usize) -> Vec<[Stored; 2]> {
    let first = outputs / 2;
    (0..count)
        .map(|_| [first, outputs - first].map(|rows| Stored::random(random, rows, cols)))
        .collect()
}

/// Which experts each row goes to, ascending: none twice.
fn choices(random: &mut Random, rows: usize, count: usize, per_row: usize) -> Vec<u32> {
    let mut choices = Vec::new();
    for _ in 0..rows {
        let mut row: Vec<u32> = random.permutation(count)[..per_row]
            .iter()
            .map(|expert| *expert as u32)
            .collect();
        row.sort_unstable();
        choices.extend(row);
    }
    choices
}

/// out [rows, per_row, outputs] on a device; `x` has a row for each pair if it is long enough, else one for each row.
fn grouped<D: Float, B: Formats<D>>(
    device: &mut B,
    experts: &[[Stored; 2]],
    x: &[f32],
    choices: &[u32],
    per_row: usize,
) -> Result<Vec<f32>, DeviceError> {
    let cols = experts[0][0].cols;
    let outputs: usize = experts[0].iter().map(|part| part.rows).sum();
    let parts: Vec<Vec<HostMatrix<'_>>> = experts
        .iter()
        .map(|parts| parts.iter().map(Stored::host).collect())
        .collect();
    let w = Linear::<Dense<D>>::pack_experts(device, "experts", &parts)?;
    let routes = Routes {
        per_row,
        experts: put(device, choices),
        weights: put(device, &vec![0.0; choices.len()]),
    };
    let array = put(device, x);
    let mut out = put(device, &vec![f32::NAN; choices.len() * outputs]);
    let input = match x.len() == choices.len() * cols && per_row > 1 {
        true => ExpertInput::Own(&array),
        false => ExpertInput::Shared(&array),
    };
    device.grouped_matmul(input, &w, &routes, choices.len() / per_row, &mut out)?;
    let mut data = vec![0.0; choices.len() * outputs];
    device.read(&out, &mut data)?;
    Ok(data)
}

pub fn experts_agree<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(21);
    let sizes = [
        (1, 1, 1, 3, 2),
        (1, 8, 2, 64, 64),
        (5, 4, 4, 33, 31),
        (13, 3, 2, 70, 66),
        (50, 16, 3, 31, 130),
    ];
    for (rows, count, per_row, outputs, cols) in sizes {
        let experts = experts(&mut random, count, outputs, cols);
        let choices = choices(&mut random, rows, count, per_row);
        for inputs in [rows, rows * per_row] {
            let x = random.bf16_values(inputs * cols);
            let run = |device: &mut B| grouped::<D, _>(device, &experts, &x, &choices, per_row);
            let got = run(&mut device).expect("launches");
            let mut reference = Reference::default();
            let expected = grouped::<D, _>(&mut reference, &experts, &x, &choices, per_row);
            let expected = expected.expect("launches");
            // As of a matrix alone: products below 8, an error of 2^-24 of their sum a step at most.
            let what = format!("{rows} rows, {per_row} of {count} experts, {inputs} inputs");
            assert_close(&what, &got, &expected, |_| {
                8.0 * cols as f32 * 2_f32.powi(-18)
            });
        }
    }
}

/// An expert's output is that of its matrix alone, whatever chose it beside.
pub fn experts_are_batch_invariant<D: Float, B: Formats<D>>() {
    let mut random = Random(22);
    let (rows, count, per_row, outputs, cols) = (40, 6, 2, 67, 131);
    let experts = experts(&mut random, count, outputs, cols);
    let choices = choices(&mut random, rows, count, per_row);
    let x = random.values(rows * cols);
    let Some(mut device) = B::start(1) else {
        return;
    };
    let mut alone = Vec::new();
    for (pair, expert) in choices.iter().enumerate() {
        let x = &x[pair / per_row * cols..][..cols];
        let parts = experts[*expert as usize].each_ref().map(Stored::host);
        alone.extend(product::<D, _>(&mut device, &parts, x, None));
    }
    for threads in THREADS {
        let Some(mut device) = B::start(threads) else {
            return;
        };
        for len in [1, 2, 13, 40] {
            let first = random.below(rows + 1 - len);
            let pairs = first * per_row..(first + len) * per_row;
            let x = &x[first * cols..(first + len) * cols];
            let chosen = &choices[pairs.clone()];
            let got = grouped::<D, _>(&mut device, &experts, x, chosen, per_row);
            let expected = &alone[pairs.start * outputs..pairs.end * outputs];
            let what = format!("{len} rows, {threads} threads");
            assert_same_bits(&what, &got.expect("launches"), expected);
        }
    }
}

pub fn wrong_experts_are_refused<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(23);
    let experts = experts(&mut random, 3, 8, 16);
    let x = random.values(16);
    for wrong in [3, u32::MAX] {
        let error = grouped::<D, _>(&mut device, &experts, &x, &[0, wrong], 2);
        assert_eq!(
            error.expect_err("refuses").to_string(),
            format!("grouped_matmul failed on the device: expert {wrong} of 3")
        );
        device.abandon();
    }
    grouped::<D, _>(&mut device, &experts, &x, &[0, 2], 2).expect("the device is still usable");
}

/// What matrix products answer, of one matrix and of experts.
pub fn answer<D: Float, B: Formats<D>>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(43);
    let mut answer = Answer::default();
    for cols in [1, 2, 31, 77, 130, 515] {
        for (outputs, more) in [(1, 0), (31, 2), (32, 0), (65, 36)] {
            for rows in [1, 2, 5, 12, 31] {
                let stored = [outputs, more].map(|rows| Stored::random(&mut random, rows, cols));
                let parts = [stored[0].host(), stored[1].host()];
                let bias = random.values(outputs + more);
                let mut x = random.values(rows * cols);
                spoil(&mut random, &mut x, cols);
                for bias in [None, Some(&bias[..])] {
                    answer.numbers(&product::<D, _>(&mut device, &parts, &x, bias));
                }
            }
        }
    }
    let (rows, count, per_row, outputs, cols) = (13, 6, 2, 67, 131);
    let experts = experts(&mut random, count, outputs, cols);
    let choices = choices(&mut random, rows, count, per_row);
    for inputs in [rows, rows * per_row] {
        let mut x = random.values(inputs * cols);
        spoil(&mut random, &mut x, cols);
        let got = grouped::<D, _>(&mut device, &experts, &x, &choices, per_row);
        answer.numbers(&got.expect("launches"));
    }
    Some(answer)
}
