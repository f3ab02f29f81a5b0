//! Fields that clients of OpenAI's API and of vLLM send and that change no answer of this engine.
//!
//! Each is accepted with the values for which that is true and refused with all others, so that no wish is ignored.
//! What is in no list of this crate is unknown, and refused too.

use serde_json::{Value, json};

use super::{Fields, RequestError};

/// When a field asks for nothing.
enum Neutral {
    /// Always: a name or note for the client's own books.
    Always,
    /// With this value, which is what happens anyway.
    As(Value),
}

use Neutral::*;

/// The fields, and why they change nothing.
fn fields() -> [(&'static str, Neutral); 18] {
    [
        // One engine has one model, and is called by the one who chose it.
        ("model", Always),
        // For accounting and abuse reports of a service.
        ("user", Always),
        ("safety_identifier", Always),
        ("metadata", Always),
        ("store", As(json!(false))),
        ("service_tier", Always),
        // Where a request's prefix is cached; sharing is `cache_salt`'s matter.
        ("prompt_cache_key", Always),
        // An answer is given whole.
        ("stream", As(json!(false))),
        // The prompt's tokens are in every answer.
        ("echo", As(json!(false))),
        ("suffix", As(json!(""))),
        ("modalities", As(json!(["text"]))),
        ("response_format", As(json!({ "type": "text" }))),
        ("use_beam_search", As(json!(false))),
        ("length_penalty", As(json!(1.0))),
        ("early_stopping", As(json!(false))),
        ("detokenize", As(json!(true))),
        // Requests run in the order in which they came.
        ("priority", As(json!(0))),
        ("parallel_tool_calls", As(json!(true))),
    ]
}

/// Takes the fields that ask for nothing, and refuses them where they ask for something.
pub fn take_without_effect(fields: &mut Fields) -> Result<(), RequestError> {
    for (field, neutral) in self::fields() {
        match (fields.take::<Value>(field)?, neutral) {
            (None, _) | (Some(_), Always) => {}
            (Some(value), As(allowed)) if same(&value, &allowed) => {}
            (Some(value), As(allowed)) => {
                return Err(RequestError::OutOfRange {
                    field,
                    value: value.to_string(),
                    allowed: format!("{allowed}, which is what this engine does"),
                });
            }
        }
    }
    Ok(())
}

/// Numbers are equal by what they are worth, not by how they are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
