//! A remote procedure call: MCP and A2A over JSON-RPC, and gRPC.

use serde_json::Value;

/// Facts of one remote procedure call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rpc {
    /// `mcp`, `a2a` or `grpc`.
    pub system: &'static str,
    /// Method: `tools/call`, `message/send`, `qdrant.Points/Search`.
    pub method: String,
    /// JSON-RPC id of the request, as a string.
    pub request_id: Option<String>,
    /// Protocol version (MCP).
    pub protocol_version: Option<String>,
    /// Session id (MCP), task or context id (A2A).
    pub session_id: Option<String>,
    /// JSON-RPC error code or gRPC status of the answer. gRPC's 0 is success.
    pub status_code: Option<i64>,
    /// Tool that the call is about.
    pub tool: Option<String>,
    /// Prompt that the call is about.
    pub prompt: Option<String>,
    /// Resource that the call is about.
    pub resource_uri: Option<String>,
    /// Names of the tools that a listing returned.
    pub tools_listed: Vec<String>,
    /// `clientInfo.name` and `clientInfo.version`.
    pub client: Option<(String, Option<String>)>,
    /// `serverInfo.name` and `serverInfo.version`.
    pub server: Option<(String, Option<String>)>,
    /// Arguments of the tool call; only with content on.
    pub arguments: Option<Value>,
    /// Result of the tool call; only with content on.
    pub result: Option<Value>,
    /// Sizes of the messages sent and received, in bytes (gRPC).
    pub message_bytes: Option<(u64, u64)>,
    /// Messages sent and received (gRPC streams, notifications while an answer was awaited).
    pub messages: Option<(u64, u64)>,
    /// The side that began this call was the HTTP server (MCP's sampling and elicitation).
    pub from_server: bool,
    /// The transport: `http` or `websocket`.
    pub transport: &'static str,
    /// Version of HTTP: `1.1`, `2`.
    pub transport_version: Option<&'static str>,
    /// `resultType` of an MCP result: `complete`, or what the server wants first.
    pub result_type: Option<String>,
    /// Kinds of content in the result of a tool: `text`, `image` …
    pub content_types: Vec<String>,
    /// The result of a tool has a structured form, too.
    pub structured: bool,
    /// `traceparent` of the transport, where the message carries another one of its own.
    pub link: Option<String>,
    /// The call is not whole: the other half came, or will come, by another exchange. [`crate::Correlator`] takes such calls.
    pub half: Option<Half>,
}

/// What is known of the other half of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// Which half this is.
    pub part: HalfPart,
    /// The session within which the JSON-RPC id is unique.
    pub channel: String,
}

/// Half of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfPart {
    /// The request. It is a failed call if no answer is found.
    Request,
    /// The answer. It is nothing if no request is found.
    Answer,
}
