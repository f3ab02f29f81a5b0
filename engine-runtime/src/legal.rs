//! The matrix as types: the second safety net, for recipes that no profile stands behind.
//!
//! Made, with the files of `legal/`, from engine-spec's tables by its test `proofs`, which fails when one of them
//! is stale. Declare a proof at its test, then run: LATHE_BLESS=1 cargo test -p engine-spec --test proofs
pub mod backend;
pub mod family;
pub mod mark;
mod proven;
use crate::backend::Backend;
use crate::parts::Part;
use crate::recipe::Recipe;

/// This engine proves these two features together on a backend. The later one of the matrix's order is `Self`.
#[diagnostic::on_unimplemented(
    message = "this engine has no proof that `{Self}` works with `{Other}` on `{On}`",
    label = "these two parts may not stand in one recipe",
    note = "`cargo lathe explain {Self} {Other}` says why, and what works instead"
)]
pub trait WorksWith<Other, On> {}
impl<Other, On> WorksWith<Other, On> for mark::Nothing {}
impl<On> WorksWith<mark::Nothing, On> for mark::ChunkedPrefill {}
impl<On> WorksWith<mark::Nothing, On> for mark::PrefixCaching {}
impl<On> WorksWith<mark::Nothing, On> for mark::Lora {}
impl<On> WorksWith<mark::Nothing, On> for mark::PromptAdapter {}
impl<On> WorksWith<mark::Nothing, On> for mark::SpeculativeDecoding {}
impl<On> WorksWith<mark::Nothing, On> for mark::CudaGraph {}
impl<On> WorksWith<mark::Nothing, On> for mark::EncoderDecoder {}
impl<On> WorksWith<mark::Nothing, On> for mark::Logprobs {}
impl<On> WorksWith<mark::Nothing, On> for mark::PromptLogprobs {}
impl<On> WorksWith<mark::Nothing, On> for mark::AsyncOutput {}
impl<On> WorksWith<mark::Nothing, On> for mark::MultiStep {}
impl<On> WorksWith<mark::Nothing, On> for mark::Multimodal {}
impl<On> WorksWith<mark::Nothing, On> for mark::BestOf {}
impl<On> WorksWith<mark::Nothing, On> for mark::BeamSearch {}
impl<On> WorksWith<mark::Nothing, On> for mark::GuidedDecoding {}

/// This engine proves this feature on hardware of the family.
#[diagnostic::on_unimplemented(
    message = "this engine has no proof that `{Self}` runs on `{Hardware}`",
    label = "this part may not stand in a recipe for this backend",
    note = "`cargo lathe explain {Self} {Hardware}` says why, and what works instead"
)]
pub trait RunsOn<Hardware> {}
impl<Hardware> RunsOn<Hardware> for mark::Nothing {}

/// A recipe that the matrix allows: every pair of its features is proven on its backend, and every feature on
/// its hardware.
pub trait Legal: Recipe {}
impl<R: Recipe> Legal for R
where
    Prefix<R>: WorksWith<Prefill<R>, On<R>>,
    Adapters<R>: WorksWith<Prefill<R>, On<R>>,
    Adapters<R>: WorksWith<Prefix<R>, On<R>>,
    PromptAdapters<R>: WorksWith<Prefill<R>, On<R>>,
    PromptAdapters<R>: WorksWith<Prefix<R>, On<R>>,
    PromptAdapters<R>: WorksWith<Adapters<R>, On<R>>,
    Draft<R>: WorksWith<Prefill<R>, On<R>>,
    Draft<R>: WorksWith<Prefix<R>, On<R>>,
    Draft<R>: WorksWith<Adapters<R>, On<R>>,
    Draft<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Launch<R>: WorksWith<Prefill<R>, On<R>>,
    Launch<R>: WorksWith<Prefix<R>, On<R>>,
    Launch<R>: WorksWith<Adapters<R>, On<R>>,
    Launch<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Launch<R>: WorksWith<Draft<R>, On<R>>,
    Encoder<R>: WorksWith<Prefill<R>, On<R>>,
    Encoder<R>: WorksWith<Prefix<R>, On<R>>,
    Encoder<R>: WorksWith<Adapters<R>, On<R>>,
    Encoder<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Encoder<R>: WorksWith<Draft<R>, On<R>>,
    Encoder<R>: WorksWith<Launch<R>, On<R>>,
    Logprobs<R>: WorksWith<Prefill<R>, On<R>>,
    Logprobs<R>: WorksWith<Prefix<R>, On<R>>,
    Logprobs<R>: WorksWith<Adapters<R>, On<R>>,
    Logprobs<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Logprobs<R>: WorksWith<Draft<R>, On<R>>,
    Logprobs<R>: WorksWith<Launch<R>, On<R>>,
    Logprobs<R>: WorksWith<Encoder<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Prefill<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Prefix<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Adapters<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<PromptAdapters<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Draft<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Launch<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Encoder<R>, On<R>>,
    PromptLogprobs<R>: WorksWith<Logprobs<R>, On<R>>,
    Output<R>: WorksWith<Prefill<R>, On<R>>,
    Output<R>: WorksWith<Prefix<R>, On<R>>,
    Output<R>: WorksWith<Adapters<R>, On<R>>,
    Output<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Output<R>: WorksWith<Draft<R>, On<R>>,
    Output<R>: WorksWith<Launch<R>, On<R>>,
    Output<R>: WorksWith<Encoder<R>, On<R>>,
    Output<R>: WorksWith<Logprobs<R>, On<R>>,
    Output<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    Steps<R>: WorksWith<Prefill<R>, On<R>>,
    Steps<R>: WorksWith<Prefix<R>, On<R>>,
    Steps<R>: WorksWith<Adapters<R>, On<R>>,
    Steps<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Steps<R>: WorksWith<Draft<R>, On<R>>,
    Steps<R>: WorksWith<Launch<R>, On<R>>,
    Steps<R>: WorksWith<Encoder<R>, On<R>>,
    Steps<R>: WorksWith<Logprobs<R>, On<R>>,
    Steps<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    Steps<R>: WorksWith<Output<R>, On<R>>,
    Multimodal<R>: WorksWith<Prefill<R>, On<R>>,
    Multimodal<R>: WorksWith<Prefix<R>, On<R>>,
    Multimodal<R>: WorksWith<Adapters<R>, On<R>>,
    Multimodal<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Multimodal<R>: WorksWith<Draft<R>, On<R>>,
    Multimodal<R>: WorksWith<Launch<R>, On<R>>,
    Multimodal<R>: WorksWith<Encoder<R>, On<R>>,
    Multimodal<R>: WorksWith<Logprobs<R>, On<R>>,
    Multimodal<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    Multimodal<R>: WorksWith<Output<R>, On<R>>,
    Multimodal<R>: WorksWith<Steps<R>, On<R>>,
    BestOf<R>: WorksWith<Prefill<R>, On<R>>,
    BestOf<R>: WorksWith<Prefix<R>, On<R>>,
    BestOf<R>: WorksWith<Adapters<R>, On<R>>,
    BestOf<R>: WorksWith<PromptAdapters<R>, On<R>>,
    BestOf<R>: WorksWith<Draft<R>, On<R>>,
    BestOf<R>: WorksWith<Launch<R>, On<R>>,
    BestOf<R>: WorksWith<Encoder<R>, On<R>>,
    BestOf<R>: WorksWith<Logprobs<R>, On<R>>,
    BestOf<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    BestOf<R>: WorksWith<Output<R>, On<R>>,
    BestOf<R>: WorksWith<Steps<R>, On<R>>,
    BestOf<R>: WorksWith<Multimodal<R>, On<R>>,
    BeamSearch<R>: WorksWith<Prefill<R>, On<R>>,
    BeamSearch<R>: WorksWith<Prefix<R>, On<R>>,
    BeamSearch<R>: WorksWith<Adapters<R>, On<R>>,
    BeamSearch<R>: WorksWith<PromptAdapters<R>, On<R>>,
    BeamSearch<R>: WorksWith<Draft<R>, On<R>>,
    BeamSearch<R>: WorksWith<Launch<R>, On<R>>,
    BeamSearch<R>: WorksWith<Encoder<R>, On<R>>,
    BeamSearch<R>: WorksWith<Logprobs<R>, On<R>>,
    BeamSearch<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    BeamSearch<R>: WorksWith<Output<R>, On<R>>,
    BeamSearch<R>: WorksWith<Steps<R>, On<R>>,
    BeamSearch<R>: WorksWith<Multimodal<R>, On<R>>,
    BeamSearch<R>: WorksWith<BestOf<R>, On<R>>,
    Guide<R>: WorksWith<Prefill<R>, On<R>>,
    Guide<R>: WorksWith<Prefix<R>, On<R>>,
    Guide<R>: WorksWith<Adapters<R>, On<R>>,
    Guide<R>: WorksWith<PromptAdapters<R>, On<R>>,
    Guide<R>: WorksWith<Draft<R>, On<R>>,
    Guide<R>: WorksWith<Launch<R>, On<R>>,
    Guide<R>: WorksWith<Encoder<R>, On<R>>,
    Guide<R>: WorksWith<Logprobs<R>, On<R>>,
    Guide<R>: WorksWith<PromptLogprobs<R>, On<R>>,
    Guide<R>: WorksWith<Output<R>, On<R>>,
    Guide<R>: WorksWith<Steps<R>, On<R>>,
    Guide<R>: WorksWith<Multimodal<R>, On<R>>,
    Guide<R>: WorksWith<BestOf<R>, On<R>>,
    Guide<R>: WorksWith<BeamSearch<R>, On<R>>,
    Prefill<R>: RunsOn<Hardware<R>>,
    Prefix<R>: RunsOn<Hardware<R>>,
    Adapters<R>: RunsOn<Hardware<R>>,
    PromptAdapters<R>: RunsOn<Hardware<R>>,
    Draft<R>: RunsOn<Hardware<R>>,
    Launch<R>: RunsOn<Hardware<R>>,
    Encoder<R>: RunsOn<Hardware<R>>,
    Logprobs<R>: RunsOn<Hardware<R>>,
    PromptLogprobs<R>: RunsOn<Hardware<R>>,
    Output<R>: RunsOn<Hardware<R>>,
    Steps<R>: RunsOn<Hardware<R>>,
    Multimodal<R>: RunsOn<Hardware<R>>,
    BestOf<R>: RunsOn<Hardware<R>>,
    BeamSearch<R>: RunsOn<Hardware<R>>,
    Guide<R>: RunsOn<Hardware<R>>,
{}
type Hardware<R> = <<R as Recipe>::Backend as Backend>::Family;
type On<R> = <Hardware<R> as family::Column>::Backend;
type Prefill<R> = <<R as Recipe>::Prefill as Part>::Mark;
type Prefix<R> = <<R as Recipe>::Prefix as Part>::Mark;
type Adapters<R> = <<R as Recipe>::Adapters as Part>::Mark;
type PromptAdapters<R> = <<R as Recipe>::PromptAdapters as Part>::Mark;
type Draft<R> = <<R as Recipe>::Draft as Part>::Mark;
type Launch<R> = <<R as Recipe>::Launch as Part>::Mark;
type Encoder<R> = <<R as Recipe>::Encoder as Part>::Mark;
type Logprobs<R> = <<R as Recipe>::Logprobs as Part>::Mark;
type PromptLogprobs<R> = <<R as Recipe>::PromptLogprobs as Part>::Mark;
type Output<R> = <<R as Recipe>::Output as Part>::Mark;
type Steps<R> = <<R as Recipe>::Steps as Part>::Mark;
type Multimodal<R> = <<R as Recipe>::Multimodal as Part>::Mark;
type BestOf<R> = <<R as Recipe>::BestOf as Part>::Mark;
type BeamSearch<R> = <<R as Recipe>::BeamSearch as Part>::Mark;
type Guide<R> = <<R as Recipe>::Guide as Part>::Mark;

/// A recipe whose part for this feature is on.
pub trait Has<Feature> {}
impl<R: Recipe> Has<mark::ChunkedPrefill> for R
where
    R::Prefill: Part<Mark = mark::ChunkedPrefill>,
{}
impl<R: Recipe> Has<mark::PrefixCaching> for R
where
    R::Prefix: Part<Mark = mark::PrefixCaching>,
{}
impl<R: Recipe> Has<mark::Lora> for R
where
    R::Adapters: Part<Mark = mark::Lora>,
{}
impl<R: Recipe> Has<mark::PromptAdapter> for R
where
    R::PromptAdapters: Part<Mark = mark::PromptAdapter>,
{}
impl<R: Recipe> Has<mark::SpeculativeDecoding> for R
where
    R::Draft: Part<Mark = mark::SpeculativeDecoding>,
{}
impl<R: Recipe> Has<mark::CudaGraph> for R
where
    R::Launch: Part<Mark = mark::CudaGraph>,
{}
impl<R: Recipe> Has<mark::EncoderDecoder> for R
where
    R::Encoder: Part<Mark = mark::EncoderDecoder>,
{}
impl<R: Recipe> Has<mark::Logprobs> for R
where
    R::Logprobs: Part<Mark = mark::Logprobs>,
{}
impl<R: Recipe> Has<mark::PromptLogprobs> for R
where
    R::PromptLogprobs: Part<Mark = mark::PromptLogprobs>,
{}
impl<R: Recipe> Has<mark::AsyncOutput> for R
where
    R::Output: Part<Mark = mark::AsyncOutput>,
{}
impl<R: Recipe> Has<mark::MultiStep> for R
where
    R::Steps: Part<Mark = mark::MultiStep>,
{}
impl<R: Recipe> Has<mark::Multimodal> for R
where
    R::Multimodal: Part<Mark = mark::Multimodal>,
{}
impl<R: Recipe> Has<mark::BestOf> for R
where
    R::BestOf: Part<Mark = mark::BestOf>,
{}
impl<R: Recipe> Has<mark::BeamSearch> for R
where
    R::BeamSearch: Part<Mark = mark::BeamSearch>,
{}
impl<R: Recipe> Has<mark::GuidedDecoding> for R
where
    R::Guide: Part<Mark = mark::GuidedDecoding>,
{}
