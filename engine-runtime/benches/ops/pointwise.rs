//! Ops on rows of activations, which lie in caches when their turn comes: shares of the read bandwidth of memory may be
//! far above 100 %.

use engine_runtime::backend::cpu::Dot;
use engine_runtime::backend::{Backend, Norm, Pointwise, Rows};
use engine_runtime::dtype::{BF16, F32};

use crate::figures::{Bench, Work, values};

const ROWS: usize = 512;
const HIDDEN: usize = 2048;
const GATE_UP: usize = 11264;

pub fn names() -> Vec<String> {
    vec![norm_name(), gate_name()]
}

fn norm_name() -> String {
    format!("add_rms_norm [{ROWS}, {HIDDEN}]")
}

fn gate_name() -> String {
    format!("silu_mul [{ROWS}, {GATE_UP}]")
}

pub fn all<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>) {
    let mut array = |width: usize| {
        let mut array = bench.device.alloc("rows", ROWS * width).expect("memory");
        bench
            .device
            .upload(&mut array, &values(ROWS * width))
            .expect("upload");
        array
    };
    let (mut residual, delta, mut out) = (array(HIDDEN), array(HIDDEN), array(HIDDEN));
    let (gate_up, mut gated) = (array(GATE_UP), array(GATE_UP / 2));
    let weight = array(HIDDEN);
    let norm = Norm {
        weight,
        width: HIDDEN,
        eps: 1e-5,
    };
    // Two inputs that are read, and two outputs that are written.
    let work = moved(4 * ROWS * HIDDEN, bench.limits.fma_peak);
    bench.case(&norm_name(), work, |device| {
        device
            .add_rms_norm(&mut residual, &delta, &norm, ROWS, &mut out)
            .expect("launch");
    });
    let work = moved(ROWS * GATE_UP * 3 / 2, bench.limits.fma_peak);
    bench.case(&gate_name(), work, |device| {
        let gate_up = Rows {
            array: &gate_up,
            rows: ROWS,
            width: GATE_UP,
        };
        device.silu_mul(gate_up, &mut gated).expect("launch");
    });
}

/// So many elements in f32, which are moved rather than computed with.
fn moved(elements: usize, peak: f64) -> Work {
    Work {
        bytes: (elements * size_of::<f32>()) as f64,
        flops: 0.0,
        peak,
    }
}
