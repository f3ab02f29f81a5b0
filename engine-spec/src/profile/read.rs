//! From TOML to a [`Profile`], collecting everything that is wrong on the way.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::table::{self, missing_key};
use super::{Accept, Chosen, Model, Profile, Spanned, Values, fields, vllm};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, Span};
use crate::features::Feature;
use crate::matrix::Mode;
use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::rules::reading;
use crate::shape::Baked;
use crate::spell;
use crate::toolkit::Toolkit;

/// What stands in a file.
pub fn file(path: &Path) -> Result<String, Diagnostics> {
    std::fs::read_to_string(path).map_err(|error| {
        let label = path.display().to_string();
        let unreadable = Diagnostic::new(
            reading::UNREADABLE,
            format!("cannot read the profile `{label}`"),
        );
        let mut found = Diagnostics::of(Source {
            path: label,
            text: String::new(),
        });
        found.push(
            unreadable.note(error.to_string()).help(
                "give the path of a TOML file; `cargo lathe init` writes one for this machine",
            ),
        );
        found
    })
}

pub(super) fn text(source: Source, folder: &Path) -> (Option<Profile>, Diagnostics) {
    let mut found = Diagnostics::of(source.clone());
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        found.push(
            Diagnostic::new(
                reading::SYNTAX,
                format!("not TOML: {}", error.message().replace('\n', ", ")),
            )
            .at(&error.span().unwrap_or(0..0), "here"),
        );
    }
    // After a slip of syntax the tree may lack what stands in the file, and every message about that would be untrue.
    if !found.is_empty() {
        found.sort();
        return (None, found);
    }
    let profile = top(&source, document.get_ref(), folder, &mut found);
    found.sort();
    (profile, found)
}

fn top(
    source: &Source,
    document: &DeTable<'_>,
    folder: &Path,
    found: &mut Diagnostics,
) -> Option<Profile> {
    let start = first_line(&source.text);
    let tables = fields::SECTIONS.iter().map(|section| section.name);
    let tables: Vec<&str> = tables.filter(|name| !name.is_empty()).collect();
    let values = table::read(
        document,
        fields::TOP.fields,
        &tables,
        "a profile",
        &start,
        found,
    );
    let name = values.text("name").and_then(|name| kebab(name, found));
    let target = values
        .text("target")
        .and_then(|written| match table::target(&written) {
            Ok(target) => Some(Spanned {
                value: target,
                span: written.span,
            }),
            Err(diagnostic) => {
                found.push(*diagnostic);
                None
            }
        });
    let model = section(document, "model", found);
    if model.is_none() && !document.contains_key("model") {
        found.push(missing_key(&fields::MODEL.fields[0], &start, "`[model]`"));
    }
    let model = model.and_then(|(table, span)| model_section(table, &span, folder, found));
    let features =
        section(document, "features", found).map(|(table, _)| features_section(table, found));
    let limits = section(document, "limits", found).map(|(table, span)| {
        table::read(
            table,
            fields::LIMITS.fields,
            &[],
            "`[limits]`",
            &span,
            found,
        )
    });
    let accept = accept_section(document, found);
    Some(Profile {
        source: source.clone(),
        name: name?,
        target: target?,
        mode: values.text("matrix").and_then(|text| {
            let mode = [Mode::Vllm, Mode::Engine]
                .into_iter()
                .find(|mode| mode.name() == text.value);
            mode.map(|value| Spanned {
                value,
                span: text.span,
            })
        }),
        toolkit: named(&values, "toolkit", Toolkit::named),
        model: model?,
        features: features.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
        accept,
    })
}

fn named<T>(values: &Values, key: &str, named: impl Fn(&str) -> Option<T>) -> Option<Spanned<T>> {
    let text = values.text(key)?;
    named(text.value).map(|value| Spanned {
        value,
        span: text.span,
    })
}

/// Letters of a name at most.
pub const LONGEST_NAME: usize = 64;

/// The name becomes a file name and a Cargo feature, so only what both can have is taken.
fn kebab(name: Spanned<&str>, found: &mut Diagnostics) -> Option<Spanned<String>> {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let why = match (name.value.split('-').all(word), name.value.len()) {
        (true, ..=LONGEST_NAME) => {
            return Some(Spanned {
                value: name.value.to_owned(),
                span: name.span,
            });
        }
        (true, letters) => format!("{letters} letters"),
        (false, _) => "not kebab-case".to_owned(),
    };
    found.push(
        Diagnostic::new(
            reading::WRONG_VALUE,
            format!("`name` cannot be `{}`", name.value),
        )
        .at(&name.span, why)
        .note("it becomes the binary `engine-<name>` and the Cargo feature `deploy-<name>`")
        .help(format!("use at most {LONGEST_NAME} small letters, digits and single dashes, as in \"v100-chat\"")),
    );
    None
}

/// A table of the document, if it is there and is one.
fn section<'d, 'i>(
    document: &'d DeTable<'i>,
    name: &str,
    found: &mut Diagnostics,
) -> Option<(&'d DeTable<'i>, Span)> {
    let value = document.get(name)?;
    let table = value.get_ref().as_table();
    if table.is_none() {
        found.push(
            Diagnostic::new(reading::WRONG_TYPE, format!("`{name}` must be a table"))
                .at(&value.span(), "this is not a table")
                .help(format!(
                    "write `[{name}]` on a line of its own and its keys below it"
                )),
        );
    }
    table.map(|table| (table, value.span()))
}

fn model_section(
    table: &DeTable<'_>,
    span: &Span,
    folder: &Path,
    found: &mut Diagnostics,
) -> Option<Model> {
    let values = table::read(table, fields::MODEL.fields, &[], "`[model]`", span, found);
    let shape = values
        .text("shape")
        .and_then(|path| match Baked::read(folder, path.value) {
            Ok(shape) => Some(Spanned {
                value: shape,
                span: path.span,
            }),
            Err(error) => {
                found.push(
                    Diagnostic::new(
                        reading::SHAPE,
                        format!("cannot use `{}` as the model's shape", path.value),
                    )
                    .at(&path.span, error.reason.to_string())
                    .note("`shape` is a Hugging Face config.json, looked for beside the profile"),
                );
                None
            }
        });
    Some(Model {
        family: named(&values, "family", ModelFamily::named)?,
        dtype: named(&values, "dtype", Dtype::named),
        weights: named(&values, "weights", WeightFormat::named),
        shape,
        head_dims: values.numbers("head-dims"),
        says_heads: ["shape", "head-dims"]
            .iter()
            .any(|key| table.contains_key(*key)),
    })
}

fn features_section(table: &DeTable<'_>, found: &mut Diagnostics) -> Vec<Chosen> {
    let mut features = Vec::new();
    for (key, value) in table {
        let Some(feature) = Feature::named(key.get_ref()) else {
            found.push(unknown_feature(key.get_ref(), &key.span()));
            continue;
        };
        let fields = feature.fields();
        let (on, settings) = match value.get_ref() {
            DeValue::Boolean(on) => (*on, Values::default()),
            DeValue::Table(_) if fields.is_empty() => {
                found.push(
                    Diagnostic::new(
                        reading::WRONG_TYPE,
                        format!("`{feature}` must be true or false"),
                    )
                    .at(&value.span(), "it has no settings")
                    .help(format!("write `{feature} = true`")),
                );
                (true, Values::default())
            }
            DeValue::Table(table) => (
                true,
                table::read(
                    table,
                    fields,
                    &[],
                    &format!("`{feature}`"),
                    &value.span(),
                    found,
                ),
            ),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                found.push(
                    Diagnostic::new(
                        reading::WRONG_TYPE,
                        format!("`{feature}` must be true, false or a table of settings"),
                    )
                    .at(&value.span(), "neither")
                    .note(feature.summary())
                    .help(match fields.first() {
                        Some(first) => format!(
                            "write `{feature} = true`, or `{feature} = {{ {} = ... }}`",
                            first.key
                        ),
                        None => format!("write `{feature} = true`"),
                    }),
                );
                continue;
            }
        };
        features.push(Chosen {
            feature,
            key: key.span(),
            on,
            settings,
        });
    }
    features.sort_by_key(|chosen| chosen.feature);
    features
}

fn unknown_feature(name: &str, span: &Span) -> Diagnostic {
    let meant = Feature::meant(name).map(|feature| format!("did you mean `{feature}`?"));
    let help = meant
        .or_else(|| spell::hint(name, Feature::ALL.into_iter().map(Feature::name)))
        .or_else(|| vllm::instead(name).map(str::to_owned))
        .or_else(|| table::elsewhere(name))
        .unwrap_or_else(|| {
            let names = Feature::ALL.map(Feature::name);
            format!("the features are {}", names.join(", "))
        });
    Diagnostic::new(
        reading::UNKNOWN_FEATURE,
        format!("no feature is called `{name}`"),
    )
    .at(span, "not one of the fifteen")
    .help(help)
}

fn accept_section(document: &DeTable<'_>, found: &mut Diagnostics) -> Vec<Accept> {
    let Some(value) = document.get("accept") else {
        return Vec::new();
    };
    let Some(entries) = value.get_ref().as_array() else {
        found.push(
            Diagnostic::new(reading::WRONG_TYPE, "`accept` must be a list of tables")
                .at(&value.span(), "this is not a list")
                .help("write `[[accept]]`, with two brackets, once for each pair"),
        );
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|entry| accept_entry(entry.get_ref(), &entry.span(), found))
        .collect()
}

fn accept_entry(entry: &DeValue<'_>, span: &Span, found: &mut Diagnostics) -> Option<Accept> {
    let Some(entry) = entry.as_table() else {
        found.push(
            Diagnostic::new(reading::WRONG_TYPE, "`accept` must hold tables")
                .at(span, "this is not a table"),
        );
        return None;
    };
    let values = table::read(
        entry,
        fields::ACCEPT.fields,
        &[],
        "`[[accept]]`",
        span,
        found,
    );
    let pair = values.list("pair")?;
    let mut features = pair.value.iter().filter_map(|name| {
        let feature = Feature::named(&name.value);
        if feature.is_none() {
            found.push(unknown_feature(&name.value, &name.span));
        }
        feature.map(|value| Spanned {
            value,
            span: name.span.clone(),
        })
    });
    let (first, second) = (features.next(), features.next());
    drop(features);
    let reason = values.text("reason")?;
    Some(Accept {
        pair: [first?, second?],
        span: pair.span,
        reason: Spanned {
            value: reason.value.to_owned(),
            span: reason.span,
        },
    })
}

/// What a message about the whole file points at.
fn first_line(text: &str) -> Span {
    let end = text.find('\n').unwrap_or(text.len());
    0..end
}
