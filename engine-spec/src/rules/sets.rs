//! Features that work pair by pair, and fail together under one more condition: sets of three, which no cell can say.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::features::Feature;

pub static CHUNK_BLOCKS: Rule = Rule {
    code: Code(201),
    name: "chunk-blocks",
    doc: "with chunked prefill and prefix caching a chunk is whole KV blocks, since only full blocks are cached: vLLM 0.6 stops a running server otherwise",
    check: Check::Case(chunk_blocks),
};

pub static CHUNK_ADAPTER: Rule = Rule {
    code: Code(202),
    name: "chunk-adapter",
    doc: "with chunked prefill and a prompt adapter all virtual tokens are in the first chunk: the adapter's rows are put in place once, at its start",
    check: Check::Case(chunk_adapter),
};

fn chunk_blocks(case: &Case<'_>, found: &mut Diagnostics) {
    let features = &case.answers.features;
    let (Some(chunked), Some(_)) = (features.chunked_prefill.on(), features.prefix_caching.on())
    else {
        return;
    };
    let (tokens, block) = (chunked.tokens, case.answers.limits.block_size);
    if tokens % block != 0 {
        let written = case
            .profile
            .chosen(Feature::ChunkedPrefill)
            .and_then(|chosen| chosen.settings.span("tokens"));
        let span = written.cloned().unwrap_or_else(|| {
            case.limit("max-batched-tokens", &case.key(Feature::ChunkedPrefill))
        });
        let less = tokens / block * block;
        found.push(
            Diagnostic::new(
                CHUNK_BLOCKS.code,
                format!("a chunk of {tokens} tokens is not whole blocks of {block}"),
            )
            .at(
                &span,
                format!("{} tokens past the last full block", tokens % block),
            )
            .beside(&case.key(Feature::PrefixCaching), "caches full blocks only")
            .help(format!(
                "use {} tokens",
                if less > 0 {
                    format!("{less} or {}", less + block)
                } else {
                    block.to_string()
                }
            )),
        );
    }
}

/// vLLM 0.6 makes the map from rows to adapter for each piece as if the piece held every virtual token; a piece that
/// is shorter gets a map longer than itself.
fn chunk_adapter(case: &Case<'_>, found: &mut Diagnostics) {
    let features = &case.answers.features;
    let (Some(chunked), Some(adapter)) =
        (features.chunked_prefill.on(), features.prompt_adapter.on())
    else {
        return;
    };
    let (tokens, max_tokens) = (chunked.tokens, adapter.max_tokens);
    if max_tokens > tokens {
        found.push(
            Diagnostic::new(
                CHUNK_ADAPTER.code,
                format!("{max_tokens} virtual tokens do not fit a first chunk of {tokens}"),
            )
            .at(
                &case.setting(Feature::PromptAdapter, "max-tokens"),
                "more than a chunk",
            )
            .beside(
                &case.setting(Feature::ChunkedPrefill, "tokens"),
                format!("{tokens} tokens"),
            )
            .note("the adapter's rows are put in place once, at the start of the first chunk")
            .help(format!(
                "set max-tokens to {tokens} or less, or chunks to {max_tokens} or more"
            )),
        );
    }
}
