//! Messages of a chat, in the ways that clients of OpenAI's API write them.
//!
//! What templates see is settled here, as vLLM and transformers settle it: content that is `null` is empty, fields that
//! are `null` are not there, arguments of tool calls are objects and not JSON in a string, and what the model thought
//! has the name that templates read.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Message {
    /// In the client's order. `role` is text, `content` is text or a list of [`text_part`]s.
    fields: Map<String, Value>,
}

/// Why a message cannot be shown to a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("a message has no `role`")]
    NoRole,
    #[error("`role` is {found}; allowed is a string")]
    Role { found: Value },
    #[error("`content` is {found}; allowed is a string, null, or a list of content parts")]
    Content { found: Value },
    #[error("a content part of type `{kind}` needs `{kind}` as a string")]
    Part { kind: String },
    #[error(
        "a content part of type `{kind}` is not supported; this engine reads parts of type `text`"
    )]
    PartType { kind: String },
    #[error("`tool_calls` is not a list of objects with `function`")]
    ToolCalls,
    #[error("`arguments` of the tool call `{name}` are not valid JSON: {reason}")]
    Arguments { name: String, reason: String },
}

/// How a template reads `content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentForm {
    /// As a string.
    Text,
    /// As a string, or as a list of parts.
    Either,
    /// As a list of parts.
    Parts,
}

impl Message {
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        let fields = [
            ("role", Value::String(role.into())),
            ("content", Value::String(content.into())),
        ];
        Self {
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        }
    }

    /// The message as a template of this form wants it.
    pub(super) fn shown(&self, form: ContentForm) -> Value {
        let mut fields = self.fields.clone();
        let role = fields.get("role").and_then(Value::as_str);
        let form = match (form, role) {
            // Most templates that read parts of a user read a tool's result as text.
            (ContentForm::Either, Some("tool")) => ContentForm::Text,
            _ => form,
        };
        if let Some(content) = fields.get_mut("content") {
            match (&*content, form) {
                (Value::String(text), ContentForm::Parts) => *content = json!([text_part(text)]),
                (Value::Array(parts), ContentForm::Text) => *content = joined(parts),
                (Value::Array(parts), ContentForm::Either) if parts.is_empty() => {
                    *content = json!("");
                }
                _ => {}
            }
        }
        Value::Object(fields)
    }

    /// Bytes of text that a template may write out.
    pub(super) fn bytes(&self) -> usize {
        self.fields.values().map(bytes).sum()
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = MessageError;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, MessageError> {
        match fields.get("role") {
            Some(Value::String(_)) => {}
            None | Some(Value::Null) => return Err(MessageError::NoRole),
            Some(found) => {
                return Err(MessageError::Role {
                    found: found.clone(),
                });
            }
        }
        let content = content(fields.get("content"))?;
        // Its place among the fields stays.
        fields.insert("content".to_owned(), content);
        fields.retain(|_, value| !value.is_null());
        if let Some(calls) = fields.get_mut("tool_calls") {
            let calls = calls.as_array_mut().ok_or(MessageError::ToolCalls)?;
            calls.iter_mut().try_for_each(read_arguments)?;
            if calls.is_empty() {
                fields.shift_remove("tool_calls");
            }
        }
        name_reasoning(&mut fields);
        Ok(Self { fields })
    }
}

fn content(content: Option<&Value>) -> Result<Value, MessageError> {
    match content {
        None | Some(Value::Null) => Ok(json!([])),
        Some(Value::String(text)) => Ok(json!(text)),
        Some(Value::Array(parts)) => {
            let parts = parts.iter().filter_map(|part| text_of(part).transpose());
            let parts = parts.map(|text| Ok(text_part(text?)));
            Ok(Value::Array(parts.collect::<Result<_, _>>()?))
        }
        Some(found) => Err(MessageError::Content {
            found: found.clone(),
        }),
    }
}

/// The text of a content part; `None` where it has a place for one and nothing in it.
fn text_of(part: &Value) -> Result<Option<&str>, MessageError> {
    if let Value::String(text) = part {
        return Ok(Some(text));
    }
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("?");
    let field = match kind {
        "text" | "input_text" | "output_text" => "text",
        "refusal" => "refusal",
        _ => {
            let kind = kind.to_owned();
            return Err(MessageError::PartType { kind });
        }
    };
    match part.get(field) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Null) => Ok(None),
        _ => Err(MessageError::Part {
            kind: field.to_owned(),
        }),
    }
}

pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// Parts as one string, a line for each, as vLLM joins them.
fn joined(parts: &[Value]) -> Value {
    let texts = parts
        .iter()
        .filter_map(|part| part.get("text").and_then(Value::as_str));
    Value::from(texts.collect::<Vec<_>>().join("\n"))
}

/// OpenAI's clients send the arguments of a tool call as JSON in a string, templates expect an object.
fn read_arguments(call: &mut Value) -> Result<(), MessageError> {
    let function = call.get_mut("function").and_then(Value::as_object_mut);
    let function = function.ok_or(MessageError::ToolCalls)?;
    let read = match function.get("arguments") {
        None | Some(Value::Null) => json!({}),
        Some(Value::String(text)) if text.trim().is_empty() => json!({}),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(read) => read,
            Err(error) => {
                let name = function.get("name").and_then(Value::as_str);
                return Err(MessageError::Arguments {
                    name: name.unwrap_or_default().to_owned(),
                    reason: error.to_string(),
                });
            }
        },
        Some(_) => return Ok(()),
    };
    function.insert("arguments".to_owned(), read);
    Ok(())
}

/// The names that a message's reasoning is sent under, the one that templates read first, as transformers has them.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

fn name_reasoning(fields: &mut Map<String, Value>) {
    let Some(reasoning) = REASONING.iter().find_map(|name| fields.get(*name)).cloned() else {
        return;
    };
    // The second is read by gpt-oss alone and keeps what the client says.
    fields
        .entry("thinking")
        .or_insert_with(|| reasoning.clone());
    fields.insert("reasoning_content".to_owned(), reasoning);
}

/// Bytes of the texts in a value, and a little for all else, which templates write out as JSON.
pub(super) fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 8 + bytes(item)).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| name.len() + 8 + bytes(field))
            .sum(),
        _ => 24,
    }
}
