//! vLLM's verdicts, laid out as its compatibility matrix is: hold one against the other and read row by row.
//!
//! What every cell that is not yes links to is in [`super::links`], and why it is not yes in `matrix/cells.tsv`.

use super::Verdict::{self, No as N, Unknown as Q, Yes as Y};
use crate::family::Family;
use crate::features::Feature;

/// Feature pairs: one row for each feature, one column for each feature before it.
#[rustfmt::skip]
pub(super) const PAIRS: [&[Verdict]; Feature::COUNT] = [
    //                           CP    APC   LoRA  prA   SD    graph encd  logP  prlp  async multi mm    best  beam
    /* chunked-prefill      */ &[],
    /* prefix-caching       */ &[Y],
    /* lora                 */ &[N,    Y],
    /* prompt-adapter       */ &[Y,    Y,    Y],
    /* speculative-decoding */ &[N,    Y,    N,    Y],
    /* cuda-graph           */ &[Y,    Y,    Y,    Y,    Y],
    /* encoder-decoder      */ &[N,    N,    N,    N,    N,    Y],
    /* logprobs             */ &[Y,    Y,    Y,    Y,    Y,    Y,    Y],
    /* prompt-logprobs      */ &[Y,    Y,    Y,    Y,    N,    Y,    Y,    Y],
    /* async-output         */ &[Y,    Y,    Y,    Y,    N,    Y,    N,    Y,    Y],
    /* multi-step           */ &[N,    Y,    N,    Y,    N,    Y,    N,    Y,    N,    Y],
    /* multimodal           */ &[N,    N,    N,    Q,    Q,    Y,    N,    Y,    Y,    Y,    Q],
    /* best-of              */ &[Y,    Y,    Y,    Y,    N,    Y,    Y,    Y,    Y,    Q,    N,    Y],
    /* beam-search          */ &[Y,    Y,    Y,    Y,    N,    Y,    Y,    Y,    Y,    Q,    N,    Q,    Y],
    /* guided-decoding      */ &[Y,    Y,    Q,    Q,    Y,    Y,    Q,    Y,    Y,    Y,    N,    Q,    Y,    Y],
];

/// Features on hardware: one row for each feature, one column for each family.
#[rustfmt::skip]
pub(super) const HARDWARE: [[Verdict; Family::COUNT]; Feature::COUNT] = [
    //                          volta   turing  ampere  ada     hopper  cpu     amd
    /* chunked-prefill      */ [N,      Y,      Y,      Y,      Y,      N,      Y],
    /* prefix-caching       */ [N,      Y,      Y,      Y,      Y,      N,      Y],
    /* lora                 */ [Y,      Y,      Y,      Y,      Y,      N,      Y],
    /* prompt-adapter       */ [Y,      Y,      Y,      Y,      Y,      N,      Y],
    /* speculative-decoding */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* cuda-graph           */ [Y,      Y,      Y,      Y,      Y,      N,      Y],
    /* encoder-decoder      */ [Y,      Y,      Y,      Y,      Y,      N,      N],
    /* logprobs             */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* prompt-logprobs      */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* async-output         */ [Y,      Y,      Y,      Y,      Y,      N,      N],
    /* multi-step           */ [Y,      Y,      Y,      Y,      Y,      N,      Y],
    /* multimodal           */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* best-of              */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* beam-search          */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
    /* guided-decoding      */ [Y,      Y,      Y,      Y,      Y,      Y,      Y],
];

const _: () = {
    let mut row = 0;
    while row < Feature::COUNT {
        assert!(PAIRS[row].len() == row, "row n of the triangle has n cells");
        row += 1;
    }
};
