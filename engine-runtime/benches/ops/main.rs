//! The ops of the CPU backend at the shapes of small models, on every instruction set of this machine, each beside the
//! limit that it is bound by.
//!
//! `cargo bench -p engine-runtime --bench ops -- [WORD...] [--save FILE] [--against FILE]` measures the cases whose names
//! hold every WORD. docs/performance.md tells how to read it, and how two builds are compared.

mod attention;
mod figures;
mod matmul;
mod pointwise;
mod sampling;

use engine_runtime::backend::cpu::{Cpu, Dot, Portable};
use engine_runtime::backend::{Backend, DeviceOptions};
use engine_runtime::dtype::{BF16, F32};
use figures::{Bench, Figures, Limits};

fn main() {
    let mut figures = Figures::of_arguments();
    #[cfg(target_arch = "x86_64")]
    {
        use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};
        bench::<Avx512Bf16>(&mut figures);
        bench::<Avx512>(&mut figures);
        bench::<Avx2>(&mut figures);
    }
    bench::<Portable>(&mut figures);
    figures.finish();
}

/// Every op of one instruction set, with weights, keys and values in bf16.
fn bench<I: Dot<BF16> + Dot<F32>>(figures: &mut Figures) {
    let set = I::LEVEL.name;
    if !figures.any(
        set,
        [
            matmul::names(),
            attention::names(),
            pointwise::names(),
            sampling::names(),
        ]
        .concat(),
    ) {
        return;
    }
    let mut device = match Cpu::<I>::open(&DeviceOptions::default()) {
        Ok(device) => device,
        Err(error) => return println!("{set}: skipped, {error}"),
    };
    let limits = Limits {
        bandwidth: device.read_bandwidth().expect("memory for the measurement"),
        dot_peak: device.dot_peak::<BF16>(),
        fma_peak: device.dot_peak::<F32>(),
    };
    limits.print(set, &mut device);
    let mut bench = Bench {
        set,
        limits,
        device,
        figures,
    };
    matmul::all(&mut bench);
    attention::all(&mut bench);
    pointwise::all(&mut bench);
    sampling::all(&mut bench);
}
