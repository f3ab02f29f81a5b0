//! Real sizes, each once: a context of many attention tiles, a matrix beyond the caches, a vocabulary of 152k.
//!
//! The other tests stay a little beside the tiles of a kernel, where its edges are. What only shows at size (a sum that
//! loses its small terms, an index that is too narrow, a loop whose last round is never reached) shows here.

use engine_runtime::backend::HeadLayout;
use engine_runtime::backend::reference::Reference;
use engine_runtime::dtype::Float;

use super::attention;
use super::inputs::{Random, Stored};
use super::matmul;
use super::sampler;
use super::{Formats, Subject, THREADS, assert_close, assert_same_bits};

/// A prompt of 700 positions, in two pieces and then token by token, on every number of threads.
pub fn a_context_of_many_tiles<D: Float, B: Formats<D>>() {
    const LEN: usize = 700;
    let layout = HeadLayout {
        q_heads: 4,
        kv_heads: 2,
        head_dim: 40,
    };
    let mut random = Random(30);
    let case = attention::Case::random(&mut random, layout, 16, &[LEN]);
    let steps = [(0, 0, 450), (0, 450, 699), (0, 699, LEN)];
    let mut reference = Reference::default();
    let mut cache = case.cache::<D, _>(&mut reference);
    let expected = steps.map(|piece| case.step(&mut reference, &mut cache, &[piece]));
    let mut alone: Option<Vec<f32>> = None;
    for threads in THREADS {
        let Some(mut device) = B::start(threads) else {
            return;
        };
        let mut cache = case.cache::<D, _>(&mut device);
        let got = steps.map(|piece| case.step(&mut device, &mut cache, &[piece]));
        for (got, expected) in got.iter().zip(&expected) {
            // As in `attention`; a sum over more positions has smaller weights, not larger errors.
            assert_close("700 positions", got, expected, |_| 2e-5);
        }
        let got = got.concat();
        assert_same_bits("700 positions", &got, alone.get_or_insert(got.clone()));
    }
}

/// The columns of a 70B model's down projection: a panel of it is larger than a core's own caches on every instruction
/// set. So few outputs that single vectors of them are tasks, and rows are cut too; on one thread, so that of 50 rows some
/// task has several tiles, and goes over them slice by slice.
pub fn a_matrix_beyond_the_caches<D: Float, B: Formats<D>>() {
    const COLS: usize = 28672;
    const OUTPUTS: usize = 40;
    let Some(mut device) = B::start(1) else {
        return;
    };
    let mut random = Random(31);
    let stored = Stored::random(&mut random, OUTPUTS, COLS);
    let parts = [stored.host()];
    let bias = random.values(OUTPUTS);
    let x = random.bf16_values(50 * COLS);
    let mut alone = Vec::new();
    for x in x.chunks_exact(COLS) {
        alone.extend(matmul::product::<D, _>(&mut device, &parts, x, Some(&bias)));
    }
    for rows in [2, 3, 4, 14, 50] {
        let x = &x[..rows * COLS];
        let together = matmul::product::<D, _>(&mut device, &parts, x, Some(&bias));
        let what = format!("{rows} rows of 28672 columns");
        assert_same_bits(&what, &together, &alone[..rows * OUTPUTS]);
    }
    // Exact but for the f32 sum, whose error grows like the square root of its length.
    let tolerance = 2_f32.powi(-17);
    let (what, few) = ("28672 columns", &x[..9 * COLS]);
    matmul::compare::<D, B>(&mut device, what, &parts, few, Some(&bias), tolerance);
}

/// Qwen's vocabulary. Flat logits spread the nucleus over nearly all of it, so that it grows to its last round.
pub fn a_vocabulary_of_152k<B: Subject>() {
    const VOCAB: usize = 151_936;
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(32);
    let mut case = sampler::Case::random(&mut random, 8, VOCAB);
    for (row, logits) in case.logits.chunks_exact_mut(VOCAB).enumerate().skip(4) {
        logits.copy_from_slice(&random.values(VOCAB));
        logits.iter_mut().for_each(|logit| *logit *= 0.01);
        let row = &mut case.rows[row];
        (row.temperature, row.top_k, row.min_p) = (1.0, 0, 0.0);
    }
    for (row, top_p) in [(4, 0.999), (5, 0.9), (6, 0.5), (7, 1.0)] {
        case.rows[row].top_p = top_p;
    }
    sampler::compare_processed(&mut device, &case);
    sampler::compare_drawn(&mut device, &case);
    sampler::compare_logprobs(&mut device, &case, &mut random);
}
