//! How diagnostics look: rustc's own renderer for people, a line each for editors, JSON for programs.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::{Code, Diagnostic, Diagnostics, Kind, Source};

/// Whether to write terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Always,
    Never,
}

/// What to render as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With excerpts of the profile, as rustc does.
    Human(Color),
    /// `path:line:column: error[E0102]: title`, a line each.
    Short,
    /// A JSON array, one object each.
    Json,
}

impl Diagnostics {
    /// All of them as text, each ending in a newline; empty if there is none (`[]` in JSON).
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Human(_) => self
                .iter()
                .map(|one| self.render_one(one, format) + "\n")
                .collect::<Vec<_>>()
                .join("\n"),
            Format::Short => self
                .iter()
                .map(|one| self.render_one(one, format) + "\n")
                .collect(),
            Format::Json => {
                let rows: Vec<_> = self.iter().map(|one| Row::of(one, &self.source)).collect();
                serde_json::to_string_pretty(&rows).expect("strings and numbers are always JSON")
                    + "\n"
            }
        }
    }

    /// One of them, without a newline at the end: what the macro gives to `compile_error!`.
    pub fn render_one(&self, one: &Diagnostic, format: Format) -> String {
        match format {
            Format::Human(color) => human(one, &self.source, color),
            Format::Short => {
                let (line, column) = self.source.position(one.start());
                format!(
                    "{}:{line}:{column}: error[{}]: {}",
                    self.source.path, one.code, one.title
                )
            }
            Format::Json => serde_json::to_string(&Row::of(one, &self.source))
                .expect("strings and numbers are always JSON"),
        }
    }
}

fn human(one: &Diagnostic, source: &Source, color: Color) -> String {
    let code = one.code.to_string();
    let annotations = one.labels.iter().map(|label| {
        let kind = if label.primary {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let end = label.span.end.min(source.text.len());
        kind.span(label.span.start.min(end)..end)
            .label(label.text.as_str())
    });
    let mut group = Level::ERROR
        .primary_title(one.title.as_str())
        .id(code.as_str())
        .elements(Vec::<annotate_snippets::Element<'_>>::new());
    if !one.labels.is_empty() {
        group = group.element(
            Snippet::source(source.text.as_str())
                .path(source.path.as_str())
                .annotations(annotations),
        );
    }
    let group = group
        .elements(
            one.notes
                .iter()
                .map(|note| Level::NOTE.message(note.as_str())),
        )
        .elements(
            one.helps
                .iter()
                .map(|help| Level::HELP.message(help.as_str())),
        );
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    renderer.render(&[group])
}

/// A diagnostic as a program reads it. Lines and columns are counted from 1.
#[derive(Serialize)]
struct Row<'a> {
    code: Code,
    level: &'static str,
    kind: Kind,
    title: &'a str,
    path: &'a str,
    labels: Vec<Place<'a>>,
    notes: &'a [String],
    helps: &'a [String],
    rendered: String,
}

#[derive(Serialize)]
struct Place<'a> {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    primary: bool,
    text: &'a str,
}

impl<'a> Row<'a> {
    fn of(one: &'a Diagnostic, source: &'a Source) -> Row<'a> {
        let place = |label: &'a super::Label| {
            let (line, column) = source.position(label.span.start);
            let (end_line, end_column) = source.position(label.span.end);
            Place {
                line,
                column,
                end_line,
                end_column,
                primary: label.primary,
                text: &label.text,
            }
        };
        Row {
            code: one.code,
            level: "error",
            kind: one.kind,
            title: &one.title,
            path: &source.path,
            labels: one.labels.iter().map(place).collect(),
            notes: &one.notes,
            helps: &one.helps,
            rendered: human(one, source, Color::Never),
        }
    }
}
