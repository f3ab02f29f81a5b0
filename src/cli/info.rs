//! `engine info`: what this engine is made of.

use std::io::{self, Write};

use engine_runtime::{KvMemory, Recipe};
use serde_json::Value;

use super::Failure;
use super::format::Format;

/// Tell what this engine is made of; as JSON it is the whole manifest, with the profile in it
#[derive(clap::Args)]
pub struct Info {
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Info {
    pub fn execute<R: Recipe>(self, manifest: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Json => writeln!(out, "{}", manifest.trim_end())?,
            Format::Text => describe::<R>(&serde_json::from_str(manifest)?, &mut out)?,
        }
        Ok(())
    }
}

fn describe<R: Recipe>(manifest: &Value, out: &mut impl Write) -> io::Result<()> {
    let text = |field: &str| manifest[field].as_str().unwrap_or("unknown");
    writeln!(
        out,
        "engine      {}, made by lathe {}, plan {}",
        R::NAME,
        text("lathe"),
        text("hash")
    )?;
    writeln!(
        out,
        "target      {}: {} on {}",
        text("target"),
        text("arch"),
        text("backend")
    )?;
    writeln!(out, "model       {}, {}", text("model"), text("dtype"))?;
    let features = names(&manifest["features"]);
    let features = match features.as_slice() {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    writeln!(out, "features    {features}")?;
    let limits = R::LIMITS;
    writeln!(
        out,
        "limits      sequences of {} tokens, {} at once, {} tokens a step",
        limits.max_model_len, limits.max_seqs, limits.max_batched_tokens
    )?;
    let cache = match limits.kv_memory {
        KvMemory::Needed => "as many bytes as these sequences need".to_owned(),
        KvMemory::Bytes(bytes) => engine_model::Bytes(bytes).to_string(),
        KvMemory::Within(bytes) => {
            format!("what is left of {}", engine_model::Bytes(bytes))
        }
    };
    writeln!(
        out,
        "KV cache    {cache}, in blocks of {} tokens",
        limits.block_size
    )?;
    writeln!(out, "matrix      {}", text("matrix"))?;
    for accepted in manifest["accepted"].as_array().into_iter().flatten() {
        writeln!(out, "accepted    {}", names(accepted).join(", "))?;
    }
    Ok(())
}

/// The texts in a list, or the values of an object.
fn names(value: &Value) -> Vec<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields.values().map(plain).collect(),
        other => vec![plain(other)],
    }
}
