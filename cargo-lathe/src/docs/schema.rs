//! JSON Schema of a profile, for editors: made from the fields that the reader itself goes by.
//!
//! Keys are written in the order of the tables, so that the committed file reads like the reference and does not
//! depend on how a JSON map is sorted.
//!
//! By hand and not by schemars, which makes a schema of Rust types: a profile's keys are no type's fields but rows of a
//! table, in which ranges, defaults and words stand that the reader, the reference and the hints go by too.

use engine_spec::profile::fields::{self, Field, Form, Kind, Otherwise, SECTIONS, Section};
use engine_spec::{Feature, TargetName};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The schema as pretty JSON with a newline at the end: `docs/profile.schema.json`.
pub fn schema() -> String {
    let mut top = Node::section(&fields::TOP);
    for section in SECTIONS {
        let table = || Node::section(section);
        match section.form {
            Form::Top => {}
            Form::Table => top.property(section.name, table()),
            Form::Features => top.property(section.name, features(section.doc)),
            Form::List => {
                let list = Node::of("array", section.doc);
                let items = Some(Box::new(table()));
                top.property(section.name, Node { items, ..list });
            }
        }
        if section.form == Form::Table && !table().required.is_empty() {
            top.required.push(section.name);
        }
    }
    top.schema = Some("https://json-schema.org/draft/2020-12/schema");
    top.title = Some("Lathe profile");
    serde_json::to_string_pretty(&top).expect("a schema is always JSON") + "\n"
}

/// A schema or a part of one, with the words that profiles need.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    schema: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    of: Option<&'static str>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    names: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Node>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_items: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    one_of: Vec<Node>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    properties: Vec<(&'static str, Node)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_properties: Option<bool>,
}

fn as_map<S: Serializer>(
    properties: &[(&'static str, Node)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(properties.len()))?;
    for (key, node) in properties {
        map.serialize_entry(key, node)?;
    }
    map.end()
}

impl Node {
    fn of(of: &'static str, description: impl Into<String>) -> Node {
        Node {
            of: Some(of),
            description: description.into(),
            ..Node::default()
        }
    }

    /// A table with these fields and no others.
    fn table(fields: &[Field], description: &str) -> Node {
        let required = fields
            .iter()
            .filter(|field| field.otherwise == Otherwise::Required);
        Node {
            properties: fields
                .iter()
                .map(|field| (field.key, Node::field(field)))
                .collect(),
            required: required.map(|field| field.key).collect(),
            additional_properties: Some(false),
            ..Node::of("object", description)
        }
    }

    fn section(section: &Section) -> Node {
        Node::table(section.fields, section.doc)
    }

    fn property(&mut self, key: &'static str, node: Node) {
        self.properties.push((key, node));
    }

    fn field(field: &Field) -> Node {
        let description = match field.otherwise {
            Otherwise::Required => field.doc.to_owned(),
            Otherwise::Is(value) => format!("{} (default: {value})", field.doc),
            Otherwise::From(how) => format!("{} (default: {how})", field.doc),
        };
        match field.kind {
            Kind::Text | Kind::Path => Node::of("string", description),
            Kind::Target => Node {
                examples: TargetName::names().collect(),
                ..Node::of("string", description)
            },
            Kind::Choice(names) => Node {
                names: names.to_vec(),
                ..Node::of("string", description)
            },
            Kind::Integer(least, most) => Node {
                minimum: Some(least),
                maximum: Some(most),
                ..Node::of("integer", description)
            },
            Kind::Numbers(least, most) => Node {
                items: Some(Box::new(Node {
                    minimum: Some(least),
                    maximum: Some(most),
                    ..Node::of("integer", "")
                })),
                min_items: Some(1),
                ..Node::of("array", description)
            },
            Kind::Size => Node {
                pattern: Some("^[0-9]+ *(MiB|GiB|TiB)$"),
                ..Node::of("string", description)
            },
            Kind::Pair => {
                let names = Feature::ALL.map(Feature::name).to_vec();
                Node {
                    items: Some(Box::new(Node {
                        names,
                        ..Node::of("string", "")
                    })),
                    min_items: Some(2),
                    max_items: Some(2),
                    ..Node::of("array", description)
                }
            }
        }
    }
}

/// A key for each feature: on or off, or a table of its settings.
fn features(doc: &str) -> Node {
    let feature = |feature: Feature| match feature.fields() {
        [] => Node::of("boolean", feature.summary()),
        settings => Node {
            description: feature.summary().to_owned(),
            one_of: vec![Node::of("boolean", ""), Node::table(settings, "")],
            ..Node::default()
        },
    };
    Node {
        properties: Feature::ALL
            .map(|one| (one.name(), feature(one)))
            .into_iter()
            .collect(),
        additional_properties: Some(false),
        ..Node::of("object", doc)
    }
}
