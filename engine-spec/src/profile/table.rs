//! One TOML table against its list of fields: unknown keys, wrong types and missing keys, all of them, with their
//! spans.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::fields::{self, Field, Kind, SECTIONS, Section};
use super::{Spanned, vllm};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::features::Feature;
use crate::rules::reading;
use crate::spell;
use crate::target::TargetName;

/// A value of the right kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Integer(u64),
    /// A text, choice, path or target.
    Text(String),
    /// Bytes.
    Size(u64),
    List(Vec<Spanned<String>>),
    Numbers(Vec<u64>),
}

/// What a table has, by the keys of its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(BTreeMap<&'static str, Spanned<Value>>);

impl Values {
    pub fn integer(&self, key: &str) -> Option<Spanned<u64>> {
        self.find(key, |value| match value {
            Value::Integer(number) | Value::Size(number) => Some(*number),
            Value::Text(_) | Value::List(_) | Value::Numbers(_) => None,
        })
    }

    pub fn text(&self, key: &str) -> Option<Spanned<&str>> {
        self.find(key, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Integer(_) | Value::Size(_) | Value::List(_) | Value::Numbers(_) => None,
        })
    }

    pub(super) fn list(&self, key: &str) -> Option<Spanned<&[Spanned<String>]>> {
        self.find(key, |value| match value {
            Value::List(list) => Some(list.as_slice()),
            Value::Integer(_) | Value::Size(_) | Value::Text(_) | Value::Numbers(_) => None,
        })
    }

    pub(super) fn numbers(&self, key: &str) -> Option<Spanned<Vec<u64>>> {
        self.find(key, |value| match value {
            Value::Numbers(numbers) => Some(numbers.clone()),
            _ => None,
        })
    }

    /// Where the value of a key stands.
    pub fn span(&self, key: &str) -> Option<&Span> {
        self.0.get(key).map(|spanned| &spanned.span)
    }

    fn find<'a, T>(
        &'a self,
        key: &str,
        pick: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let spanned = self.0.get(key)?;
        pick(&spanned.value).map(|value| Spanned {
            value,
            span: spanned.span.clone(),
        })
    }
}

/// Reads a table whose keys are `fields`, and `others` that the caller reads itself. `place` is how a message calls
/// it; `whole` is what a message on a missing key points at.
pub(super) fn read(
    table: &DeTable<'_>,
    fields: &'static [Field],
    others: &[&'static str],
    place: &str,
    whole: &Span,
    found: &mut Diagnostics,
) -> Values {
    let mut values = Values::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if others.contains(&name) {
            continue;
        }
        let Some(field) = fields.iter().find(|field| field.key == name) else {
            let known = fields
                .iter()
                .map(|field| field.key)
                .chain(others.iter().copied());
            found.push(unknown_key(name, &key.span(), place, known.collect()));
            continue;
        };
        match convert(field, value.get_ref(), &value.span()) {
            Ok(value) => {
                values.0.insert(field.key, value);
            }
            Err(diagnostic) => found.push(*diagnostic),
        }
    }
    for field in fields
        .iter()
        .filter(|field| field.otherwise == fields::Otherwise::Required)
    {
        if !table.contains_key(field.key) {
            found.push(missing_key(field, whole, place));
        }
    }
    values
}

fn convert(
    field: &Field,
    value: &DeValue<'_>,
    span: &Span,
) -> Result<Spanned<Value>, Box<Diagnostic>> {
    let wrong_type = |wanted: &str| {
        Diagnostic::new(
            reading::WRONG_TYPE,
            format!("`{}` must be {wanted}", field.key),
        )
        .at(span, format!("this is {}", describe(value)))
        .note(field.doc)
    };
    let wrong_value = |why: String| {
        Diagnostic::new(reading::WRONG_VALUE, format!("`{}` {why}", field.key))
            .at(span, "not possible here")
            .note(field.doc)
    };
    let value = match (field.kind, value) {
        (Kind::Text | Kind::Path | Kind::Target, DeValue::String(text)) => {
            Value::Text(text.to_string())
        }
        (Kind::Text, _) => return Err(Box::new(wrong_type("a text in quotes"))),
        (Kind::Path, _) => return Err(Box::new(wrong_type("the name of a file, in quotes"))),
        (Kind::Target, _) => return Err(Box::new(wrong_type("the name of a target, in quotes"))),
        (Kind::Choice(names), DeValue::String(text)) if names.contains(&text.as_ref()) => {
            Value::Text(text.to_string())
        }
        (Kind::Choice(names), DeValue::String(text)) => {
            let near = spell::hint(text, names.iter().copied());
            let wrong = wrong_value(format!("cannot be `{text}`"))
                .help(format!("it is {}", spell::one_of(names)));
            return Err(Box::new(wrong.helps(near)));
        }
        (Kind::Choice(names), _) => {
            let wrong = wrong_type("a name in quotes");
            return Err(Box::new(
                wrong.help(format!("it is {}", spell::one_of(names))),
            ));
        }
        (Kind::Integer(least, most), DeValue::Integer(digits)) => {
            match u64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) if (least..=most).contains(&number) => Value::Integer(number),
                _ => {
                    let wrong = wrong_value(format!("cannot be {digits}"));
                    return Err(Box::new(
                        wrong.help(format!("it is a number from {least} to {most}")),
                    ));
                }
            }
        }
        (Kind::Integer(..), _) => return Err(Box::new(wrong_type("a whole number"))),
        (Kind::Numbers(least, most), DeValue::Array(items)) => {
            let number = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::Integer(digits) => {
                    let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok()?;
                    (least..=most).contains(&number).then_some(number)
                }
                _ => None,
            };
            match items.iter().map(number).collect::<Option<Vec<_>>>() {
                Some(numbers) if !numbers.is_empty() => Value::Numbers(numbers),
                _ => {
                    let wrong = wrong_value("cannot be this list".to_owned());
                    let help = format!("it is one or more numbers from {least} to {most}");
                    return Err(Box::new(wrong.help(help)));
                }
            }
        }
        (Kind::Numbers(..), _) => {
            return Err(Box::new(wrong_type("a list of numbers, as in [64, 128]")));
        }
        (Kind::Size, DeValue::String(text)) => match size(text) {
            Some(bytes) => Value::Size(bytes),
            None => {
                let wrong = wrong_value(format!("cannot be `{text}`"));
                return Err(Box::new(wrong.help(
                    "write a whole number and a unit: \"512MiB\", \"8GiB\" or \"1TiB\"",
                )));
            }
        },
        (Kind::Size, _) => return Err(Box::new(wrong_type("a size in quotes, as in \"8GiB\""))),
        (Kind::Pair, DeValue::Array(items))
            if items.len() == 2 && items.iter().all(|item| item.get_ref().is_str()) =>
        {
            let text = |item: &toml::Spanned<DeValue<'_>>| Spanned {
                value: item.get_ref().as_str().unwrap_or_default().to_owned(),
                span: item.span(),
            };
            Value::List(items.iter().map(text).collect())
        }
        (Kind::Pair, _) => {
            return Err(Box::new(wrong_type(
                "a list of two features, as in [\"lora\", \"guided-decoding\"]",
            )));
        }
    };
    Ok(Spanned {
        value,
        span: span.clone(),
    })
}

/// `4GiB` in bytes. Only binary units, so that nobody has to guess which giga is meant.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.trim_start() {
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn unknown_key(name: &str, span: &Span, place: &str, known: Vec<&str>) -> Diagnostic {
    let help = (spell::hint(name, known.iter().copied()))
        .or_else(|| vllm::instead(name).map(str::to_owned))
        .or_else(|| elsewhere(name))
        .unwrap_or_else(|| format!("{place} has {}", known.join(", ")));
    Diagnostic::new(reading::UNKNOWN_KEY, format!("{place} has no key `{name}`"))
        .at(span, "not a key here")
        .help(help)
}

/// Where a key belongs that stands in a place where it is none; written as a key or as a flag.
pub(super) fn elsewhere(name: &str) -> Option<String> {
    if let Some(feature) = Feature::meant(name) {
        return Some(format!("it is a feature: `{feature}` under [features]"));
    }
    let name = name.trim_start_matches('-').replace('_', "-");
    let has = |section: &&Section| section.fields.iter().any(|field| field.key == name);
    let section = SECTIONS.iter().find(has)?;
    Some(match section.name {
        "" => format!("`{name}` belongs at the top, before any table"),
        "accept" => format!("`{name}` belongs in an `[[accept]]`"),
        table => format!("`{name}` belongs under [{table}]"),
    })
}

pub(super) fn missing_key(field: &Field, whole: &Span, place: &str) -> Diagnostic {
    let example = match field.kind {
        Kind::Target => "\"native\"".to_owned(),
        Kind::Choice(names) => format!("\"{}\"", names.first().unwrap_or(&"")),
        Kind::Pair => "[\"lora\", \"guided-decoding\"]".to_owned(),
        Kind::Integer(least, _) => least.to_string(),
        Kind::Numbers(..) => "[64, 128]".to_owned(),
        Kind::Size => "\"8GiB\"".to_owned(),
        Kind::Text | Kind::Path => "\"...\"".to_owned(),
    };
    Diagnostic::new(
        reading::MISSING_KEY,
        format!("{place} has no `{}`", field.key),
    )
    .at(whole, format!("`{}` is missing here", field.key))
    .note(field.doc)
    .help(format!("add `{} = {example}`", field.key))
}

/// The target with this name, or what is wrong with it.
pub(super) fn target(name: &Spanned<&str>) -> Result<TargetName, Box<Diagnostic>> {
    TargetName::named(name.value).ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                reading::UNKNOWN_TARGET,
                format!("no target is called `{}`", name.value),
            )
            .at(&name.span, "not a SKU, an architecture or a family")
            .helps(TargetName::hint(name.value))
            .help("docs/profile-reference.md lists them; `native` is the machine that builds"),
        )
    })
}
