//! Matrix products.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{HostMatrix, Ops};
use engine_runtime::dtype::{Dense, Float};

use super::inputs::{Random, Stored};
use crate::{Subject, THREADS, assert_close, assert_same_bits, get, put};

/// out [rows, outputs] on a device.
fn product<D: Float, B: Subject<D>>(
    device: &mut B,
    parts: &[HostMatrix<'_>],
    x: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (outputs, cols): (usize, _) = (parts.iter().map(|part| part.rows).sum(), parts[0].cols);
    let rows = x.len() / cols;
    let matrix = Ops::<Dense<D>>::pack(device, "a matrix", parts).expect("packs");
    let bias = bias.map(|bias| put(device, bias));
    let x = put(device, x);
    let mut out = put(device, &vec![f32::NAN; rows * outputs]);
    match bias {
        Some(bias) => Ops::<Dense<D>>::matmul(device, &x, &matrix, Some(&bias), rows, &mut out),
        None => Ops::<Dense<D>>::logits(device, &x, &matrix, rows, &mut out),
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
            values: engine_runtime::backend::HostValues::F32(bytes),
            ..*part
        })
        .collect();
    product::<D, _>(&mut reference, &parts, &positive(x.to_vec()), None)
}

pub fn agrees<D: Float, B: Subject<D>>() {
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

fn compare<D: Float, B: Subject<D>>(
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
    assert_close(what, &got, &expected, |i| {
        tolerance * (magnitudes[i] + 1e-3)
    });
}

pub fn is_batch_invariant<D: Float, B: Subject<D>>() {
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
