//! `cargo lathe schema`: JSON Schema of profiles, for editors.
//!
//! Made from [`engine_spec::profile::fields`], the list that the reader itself goes by.

use std::io::Write;

use clap::Args;
use engine_spec::profile::fields::{self, Field, Kind, Otherwise, Section};
use engine_spec::{Feature, TargetName};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::Output;

/// Print the JSON Schema of profiles, for editors.
#[derive(Debug, Args)]
pub struct Schema {}

impl Schema {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        writeln!(out, "{:#}", schema())?;
        Ok(())
    }
}

fn schema() -> Value {
    let mut schema = section(&fields::TOP);
    let accept = json!({ "type": "array", "description": fields::ACCEPT.doc, "items": section(&fields::ACCEPT) });
    let tables = [
        ("model", section(&fields::MODEL)),
        ("features", features()),
        ("limits", section(&fields::LIMITS)),
        ("accept", accept),
    ];
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Lathe profile");
    for (name, table) in tables {
        schema["properties"][name] = table;
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("model"));
    }
    schema
}

/// A table with fields of its own and no others.
fn section(section: &Section) -> Value {
    let mut object = object(section.fields);
    object["description"] = json!(section.doc);
    object
}

fn object(fields: &[Field]) -> Value {
    let properties = fields
        .iter()
        .map(|field| (field.key.to_owned(), property(field)));
    let required = fields
        .iter()
        .filter(|field| field.otherwise == Otherwise::Required)
        .map(|field| field.key);
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<Map<_, _>>(),
        "required": required.collect::<Vec<_>>(),
    })
}

fn property(field: &Field) -> Value {
    let mut property = kind(field.kind);
    let otherwise = match field.otherwise {
        Otherwise::Required => String::new(),
        Otherwise::Is(value) => format!(" (default: {value})"),
        Otherwise::From(how) => format!(" (default: {how})"),
    };
    property["description"] = json!(format!("{}{otherwise}", field.doc));
    property
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Target => {
            json!({ "type": "string", "examples": TargetName::names().collect::<Vec<_>>() })
        }
        Kind::Choice(names) => json!({ "enum": names }),
        Kind::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Size => json!({ "type": "string", "pattern": "^[0-9]+ *(MiB|GiB|TiB)$" }),
        Kind::Pair => json!({
            "type": "array",
            "items": { "enum": Feature::ALL.map(Feature::name) },
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": true,
        }),
    }
}

/// A key for each feature: on or off, or a table of its settings.
fn features() -> Value {
    let features = Feature::ALL.map(|feature| {
        let switch = json!({ "type": "boolean" });
        let mut value = match fields::settings(feature) {
            [] => switch,
            settings => json!({ "oneOf": [switch, object(settings)] }),
        };
        value["description"] = json!(feature.summary());
        (feature.name().to_owned(), value)
    });
    json!({
        "type": "object",
        "description": "what the engine can do; a feature that is not named is not in it",
        "additionalProperties": false,
        "properties": Map::from_iter(features),
    })
}
