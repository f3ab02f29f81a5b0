//! CUDA graphs: the launches of a decode step are captured once and replayed.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "cuda-graph",
    title: "CUDA graph",
    aliases: &["graphs", "graph", "cudagraph"],
    summary: "the launches of a decode step are captured once and replayed",
    part: Part {
        name: "Launch",
        on: &["Graphs"],
        off: "Eager",
    },
    fields: CudaGraph::FIELDS,
    rules: &[&GRAPH_BATCH],
};

settings! {
    /// Which steps are captured.
    CudaGraph(known: &Known<'_>) {
        /// largest decode batch that is captured; larger ones run eagerly
        max_batch: u64(1..=MOST) = known.limits.max_seqs.min(256) => "max-seqs, at most 256",
    }
}

static GRAPH_BATCH: Rule = Rule {
    code: Code(210),
    name: "graph-batch",
    doc: "a graph captured for more sequences than max-seqs would never be replayed",
    check: Check::Case(graph_batch),
};

fn graph_batch(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(&CudaGraph { max_batch }) = case.answers.features.cuda_graph.on() else {
        return;
    };
    let seqs = case.answers.limits.max_seqs;
    if max_batch > seqs {
        let span = case.setting(Feature::CudaGraph, "max-batch");
        found.push(
            Diagnostic::new(
                GRAPH_BATCH.code,
                format!("a graph for {max_batch} sequences is never replayed with {seqs}"),
            )
            .at(&span, "more than max-seqs")
            .beside(&case.limit("max-seqs", &span), format!("{seqs} sequences"))
            .help(format!("set max-batch to {seqs} or less, or leave it out")),
        );
    }
}
