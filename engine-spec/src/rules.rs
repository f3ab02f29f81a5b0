//! The rules, one list: what `plan` checks, what `explain` explains, and what the tests demand a bad profile for.
//!
//! A rule is a code, a doc, a predicate and a bad profile of its name in `tests/profiles/bad`. Rules on one feature
//! are in its file, and there is one file here for each family of others. Every rule looks at the profile as written,
//! for its spans, and at what it asks for, the answers. What a feature set breaks, its supersets break too, so that leaving features out is always
//! a way out; the one exception is [`limits::STEP_LEN`], which chunked prefill lifts.

pub mod accept;
pub mod cells;
pub mod formats;
pub mod heads;
pub mod limits;
pub mod memory;
pub mod model;
pub mod reading;
pub mod sets;
pub mod target;

use std::sync::LazyLock;

use crate::diagnostics::{Code, Diagnostic, Diagnostics, Span};
use crate::family::{BackendKind, Family};
use crate::features::{Feature, FeatureSet};
use crate::matrix::Matrix;
use crate::plan::Answers;
use crate::profile::Profile;

/// One rule.
pub struct Rule {
    pub code: Code,
    /// In kebab-case: also the name of its bad profile.
    pub name: &'static str,
    /// What it says and why, for `cargo lathe explain`.
    pub doc: &'static str,
    pub check: Check,
}

/// When a rule is checked.
pub enum Check {
    /// While the TOML is read.
    Reading,
    /// On a profile and its answers.
    Case(fn(&Case<'_>, &mut Diagnostics)),
}

/// What a rule looks at.
pub struct Case<'a> {
    pub profile: &'a Profile,
    /// What the profile asks for; not a promise that it can work.
    pub answers: &'a Answers,
    pub matrix: &'a Matrix,
}

impl Case<'_> {
    pub fn set(&self) -> FeatureSet {
        self.profile.set()
    }

    /// Where a feature is named; only for one that is on.
    pub fn key(&self, feature: Feature) -> Span {
        self.profile
            .chosen(feature)
            .map_or(0..0, |chosen| chosen.key.clone())
    }

    /// Where a setting of a feature stands, or the feature's name if it is not written.
    pub fn setting(&self, feature: Feature, key: &str) -> Span {
        let written = self
            .profile
            .chosen(feature)
            .and_then(|chosen| chosen.settings.span(key));
        written.cloned().unwrap_or_else(|| self.key(feature))
    }

    /// Where a limit stands, or `otherwise` if it is not written.
    pub fn limit(&self, key: &str, otherwise: &Span) -> Span {
        self.profile.limits.span(key).unwrap_or(otherwise).clone()
    }

    pub fn family(&self) -> Family {
        self.answers.target.family()
    }

    /// The backend that the profile is held to.
    pub fn backend(&self) -> BackendKind {
        self.family().backend()
    }

    /// Whether this engine has that backend.
    pub fn is_built(&self) -> bool {
        self.matrix.is_built(self.backend())
    }

    /// Tokens of the vocabulary, where the profile has a shape.
    pub fn vocab(&self) -> Option<u64> {
        let baked = self.answers.model.shape.baked();
        baked.map(|baked| baked.config.dims.vocab as u64)
    }

    /// What is wrong with so many sequences for one prompt, if there are not as many places in a step.
    pub fn side_by_side(
        &self,
        rule: &Rule,
        feature: Feature,
        key: &str,
        (count, what): (u64, &str),
    ) -> Option<Diagnostic> {
        let seqs = self.answers.limits.max_seqs;
        let span = self.setting(feature, key);
        (count > seqs).then(|| {
            Diagnostic::new(
                rule.code,
                format!("{count} {what} of one prompt do not fit {seqs} sequences"),
            )
            .at(&span, "more than max-seqs")
            .beside(&self.limit("max-seqs", &span), format!("{seqs} sequences"))
            .help(format!(
                "set {key} to {seqs} or less, or max-seqs to {count} or more"
            ))
        })
    }
}

/// The rules that concern more than one feature, or none.
const GENERAL: &[&Rule] = &[
    &reading::UNREADABLE_RULE,
    &reading::SYNTAX_RULE,
    &reading::UNKNOWN_KEY_RULE,
    &reading::MISSING_KEY_RULE,
    &reading::WRONG_TYPE_RULE,
    &reading::WRONG_VALUE_RULE,
    &reading::UNKNOWN_FEATURE_RULE,
    &reading::UNKNOWN_TARGET_RULE,
    &reading::SHAPE_RULE,
    &cells::PAIR,
    &cells::HARDWARE,
    &cells::UNKNOWN,
    &cells::UNPROVEN_PAIR,
    &cells::UNPROVEN_HARDWARE,
    &target::BACKEND,
    &target::VAGUE,
    &sets::CHUNK_BLOCKS,
    &sets::CHUNK_ADAPTER,
    &formats::DTYPE,
    &formats::WEIGHTS,
    &heads::HEAD_SIZE,
    &formats::WEIGHTS_BUILT,
    &formats::WEIGHTS_DTYPE,
    &heads::HEAD_DIMS,
    &heads::HEADS_MISSING,
    &target::TOOLKIT,
    &memory::WEIGHTS,
    &memory::SEQUENCE,
    &memory::POOL,
    &limits::STEP_SEQS,
    &limits::STEP_LEN,
    &limits::BLOCK_SIZE,
    &limits::POSITIONS,
    &model::BUILT,
    &model::SHAPE,
    &model::IMAGES,
    &model::ENCODER,
    &model::WINDOW,
    &model::UNSERVED,
    &model::CHECKPOINT,
    &model::CROSS,
    &accept::KNOWN,
    &accept::UNUSED,
    &accept::TWICE,
    &accept::REASON,
];

/// Every rule, by code.
pub static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let of_features = Feature::ALL
        .iter()
        .flat_map(|feature| feature.definition().rules);
    let mut rules: Vec<&Rule> = GENERAL.iter().chain(of_features).copied().collect();
    rules.sort_by_key(|rule| rule.code);
    rules
});

impl Rule {
    /// The rule with this code.
    pub fn with_code(code: Code) -> Option<&'static Rule> {
        RULES.iter().copied().find(|rule| rule.code == code)
    }
}

/// Checks all rules and reports every finding, in the order of the text.
pub(crate) fn check(case: &Case<'_>) -> Diagnostics {
    let mut found = Diagnostics::of(case.profile.source.clone());
    for rule in RULES.iter() {
        if let Check::Case(check) = rule.check {
            check(case, &mut found);
        }
    }
    found.sort();
    cells::way_out(case, &mut found);
    found
}
