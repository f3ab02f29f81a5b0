//! Diagnostics: the interface of this product.
//!
//! All findings on one profile are collected and shown together, each with the places in the TOML that it is about.
//! How they look is in `render`; what they say is written where the rule is, in [`crate::rules`].

mod render;

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

pub use render::{Color, Format};

/// A stretch of the profile's text, in bytes.
pub type Span = Range<usize>;

/// The text that spans point into, and what to call it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// As shown: the path that the user gave.
    pub path: String,
    pub text: String,
}

impl Source {
    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |tail| tail.chars().count())
            + 1;
        (line, column)
    }
}

/// The name of an error, for `cargo lathe explain`: `E0102`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// The code that a person wrote: `E0102`, `e0102` or `102`.
    pub fn parse(word: &str) -> Option<Code> {
        let digits = word.strip_prefix(['E', 'e']).unwrap_or(word);
        (digits.len() >= 3)
            .then(|| digits.parse().ok().map(Code))
            .flatten()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "E{:04}", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a finding is for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The profile asks for what cannot be.
    Wrong,
    /// The profile is sound, and this engine does not have the part yet: `preview` still plans it.
    NotBuilt,
}

/// A place in the profile and what to say beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
    /// The place that the finding is about, rather than one that explains it.
    pub primary: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub kind: Kind,
    pub title: String,
    pub labels: Vec<Label>,
    /// Why, and where that is tracked.
    pub notes: Vec<String>,
    /// Something that works.
    pub helps: Vec<String>,
}

impl Diagnostic {
    pub fn new(code: Code, title: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            kind: Kind::Wrong,
            title: title.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            helps: Vec::new(),
        }
    }

    /// The place that it is about.
    pub fn at(self, span: &Span, text: impl Into<String>) -> Diagnostic {
        self.label(span, text, true)
    }

    /// Another place that explains it.
    pub fn beside(self, span: &Span, text: impl Into<String>) -> Diagnostic {
        self.label(span, text, false)
    }

    fn label(mut self, span: &Span, text: impl Into<String>, primary: bool) -> Diagnostic {
        self.labels.push(Label {
            span: span.clone(),
            text: text.into(),
            primary,
        });
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Several notes at once, or none.
    pub fn notes(mut self, texts: impl IntoIterator<Item = String>) -> Diagnostic {
        self.notes.extend(texts);
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.helps.push(text.into());
        self
    }

    /// Several helps at once, or none.
    pub fn helps(mut self, texts: impl IntoIterator<Item = String>) -> Diagnostic {
        self.helps.extend(texts);
        self
    }

    pub fn not_built(mut self) -> Diagnostic {
        self.kind = Kind::NotBuilt;
        self
    }

    /// Where it is: the first byte of its primary label.
    fn start(&self) -> usize {
        self.labels
            .iter()
            .find(|label| label.primary)
            .map_or(0, |label| label.span.start)
    }
}

/// All findings on one profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a profile with diagnostics must not be built"]
pub struct Diagnostics {
    pub source: Source,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn of(source: Source) -> Diagnostics {
        Diagnostics {
            source,
            list: Vec::new(),
        }
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(more);
    }

    /// Adds what was found in another pass over the same text, and puts all in the order of the text.
    pub fn merge(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
        self.sort();
    }

    /// What is wrong before what is not built; each in the order of the text, and by code where two are about one
    /// place.
    pub(crate) fn sort(&mut self) {
        self.list
            .sort_by_key(|one| (one.kind, one.start(), one.code));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// The last of those that `wanted` picks.
    pub(crate) fn last_mut(
        &mut self,
        wanted: impl Fn(&Diagnostic) -> bool,
    ) -> Option<&mut Diagnostic> {
        self.list.iter_mut().rev().find(|one| wanted(one))
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether nothing stands in the way but what this engine does not have yet. True of no findings at all.
    pub fn only_not_built(&self) -> bool {
        self.list.iter().all(|one| one.kind == Kind::NotBuilt)
    }
}

/// As a terminal without colours shows them.
impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(Format::Human(Color::Never)))
    }
}

impl std::error::Error for Diagnostics {}
