//! Matrix products with weights that come from memory, as in a model, where each matrix is used once a step.

use engine_runtime::backend::cpu::Dot;
use engine_runtime::backend::{Backend, Linear, Projection};
use engine_runtime::dtype::{BF16, Dense, F32, HostMatrix, HostValues};

use crate::figures::{Bench, Work, values};

/// Outputs and inputs: gate and up, and down, of a Llama of 1.1 billion parameters; one wide, one deep.
const SHAPES: [[usize; 2]; 2] = [[11264, 2048], [2048, 5632]];
const ROWS: [usize; 3] = [1, 8, 512];
/// More than caches hold: so many bytes are read before a matrix has its turn again.
const BYTES: usize = 256 << 20;

pub fn names() -> Vec<String> {
    let cases = SHAPES
        .iter()
        .flat_map(|shape| ROWS.map(|rows| (shape, rows)));
    cases.map(|(shape, rows)| name(*shape, rows)).collect()
}

fn name([outputs, inputs]: [usize; 2], rows: usize) -> String {
    format!("matmul [{outputs}, {inputs}] x {rows}")
}

pub fn all<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>) {
    for shape in SHAPES {
        if ROWS.iter().any(|rows| bench.wanted(&name(shape, *rows))) {
            products(bench, shape);
        }
    }
}

fn products<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>, shape: [usize; 2]) {
    let [outputs, inputs] = shape;
    let bytes: Vec<u8> = values(outputs * inputs)
        .into_iter()
        .flat_map(|x| BF16::from_f32(x).to_le_bytes())
        .collect();
    let host = HostMatrix {
        rows: outputs,
        cols: inputs,
        values: HostValues::BF16(&bytes),
    };
    let device = &mut bench.device;
    let copies = BYTES / bytes.len() + 1;
    let matrices: Vec<_> = (0..copies)
        .map(|_| Projection {
            matrix: Linear::<Dense<BF16>>::pack(device, "weights", &[host])
                .expect("memory for weights"),
            bias: None,
        })
        .collect();
    let most = ROWS[ROWS.len() - 1];
    let mut x = device.alloc("x", most * inputs).expect("memory");
    device
        .upload(&mut x, &values(most * inputs))
        .expect("upload");
    let mut out = device.alloc("out", most * outputs).expect("memory");
    for rows in ROWS {
        let mut turn = 0;
        let work = Work {
            bytes: bytes.len() as f64,
            flops: (2 * outputs * inputs * rows) as f64,
            peak: bench.limits.dot_peak,
        };
        bench.case(&name(shape, rows), work, |device| {
            turn += 1;
            let w = &matrices[turn % copies];
            Linear::<Dense<BF16>>::matmul(device, &x, w, rows, &mut out).expect("launch");
        });
    }
}
