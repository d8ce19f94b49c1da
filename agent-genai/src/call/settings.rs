//! Settings of a request that steer the form of its answer.

use serde_json::Value;

/// What the model may or must do with the tools on offer.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No tool may be called.
    None,
    /// At least one tool must be called (`required`, `any`).
    Required,
    /// This tool must be called.
    Tool(String),
    /// Anything else: the provider's object.
    Other(Value),
}

/// Form asked of the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseFormat {
    /// `text`, `json_object`, `json_schema`, or the provider's own word.
    pub kind: String,
    /// Name of the schema.
    pub name: Option<String>,
    /// JSON schema; only when bodies are kept whole (content on).
    pub schema: Option<Value>,
    /// Whether the schema binds strictly, when the request says so.
    pub strict: Option<bool>,
}
