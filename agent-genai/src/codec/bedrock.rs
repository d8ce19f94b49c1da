//! Bedrock around the models: agents and flows, knowledge bases, guardrails.

pub(crate) mod agent;
pub(crate) mod guardrail;
pub(crate) mod knowledge;
#[cfg(test)]
mod tests;

use base64::Engine;
use serde_json::Value;

use super::json;

/// Hosts of the agents' and knowledge bases' runtime.
const AGENT_HOST: &str = "*bedrock-agent-runtime*";

/// Text in the base64 of a `chunk` event.
fn unpacked(data: &Value) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(json::str_at(data, &["bytes"])?).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A document of a flow: text, or any JSON.
fn document(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
