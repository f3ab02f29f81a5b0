//! What this engine proves: one line for each cell that a named test runs.
//!
//! A line here is all that turns an engine verdict to yes. A test of this crate looks for each named function in the
//! repository's test sources, so that a proof cannot be claimed and not be there.

use super::CellId::{self, Hardware, Pair};
use crate::family::Family::Cpu;
use crate::feature::Feature::{ChunkedPrefill, Logprobs, PrefixCaching};

/// Why every other cell is no.
pub(super) const NOT_BUILT: &str = "not built yet";

/// Cell and the test function that runs the combination.
#[rustfmt::skip]
pub(super) const PROVEN: &[(CellId, &str)] = &[
    (Hardware(ChunkedPrefill, Cpu),        "chunked_prefill_on_cpu"),
    (Hardware(PrefixCaching, Cpu),         "prefix_caching_on_cpu"),
    (Hardware(Logprobs, Cpu),              "logprobs_on_cpu"),
    (Pair(PrefixCaching, ChunkedPrefill),  "prefix_caching_with_chunked_prefill"),
    (Pair(Logprobs, ChunkedPrefill),       "logprobs_with_chunked_prefill"),
    (Pair(Logprobs, PrefixCaching),        "logprobs_with_prefix_caching"),
];
