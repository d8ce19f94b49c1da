//! The canonical LLM call: one structure for every provider.

mod api;
mod retrieval;
mod rpc;
mod settings;
mod units;

use agent_wire::{Nanos, Role};
use rust_decimal::Decimal;
use serde_json::Value;

pub use self::api::{Api, Operation, OperationKind};
pub use self::retrieval::{Hit, Retrieval};
pub use self::rpc::{Half, HalfPart, Rpc};
pub use self::settings::{ResponseFormat, ToolChoice};
pub use self::units::{Unit, UsageUnits};
use crate::semconv::DURATION_BOUNDS;

/// One call, folded from one exchange (or from a part of it: a WebSocket session and a JSON-RPC stream carry many).
///
/// Everything is optional that a provider may leave out; nothing is invented. Message content is filled only when the
/// decoder was told to keep it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which call of its exchange this is, from 0. More than one come of a WebSocket session, a JSON-RPC batch or stream.
    pub part: u32,
    /// Wire API.
    pub api: Api,
    /// Operation.
    pub operation: Operation,
    /// `gen_ai.provider.name`.
    pub provider: String,
    /// Which end the observed process was.
    pub role: Role,
    /// What was asked.
    pub request: Request,
    /// What was answered.
    pub response: Response,
    /// Tokens, by the conventions' meaning (input includes cached, output includes reasoning).
    pub usage: Usage,
    /// Tokens that a response made earlier cost, as its fetch reports them. They are not this call's: counting them at each fetch would
    /// count them many times.
    pub fetched_usage: Option<Box<Usage>>,
    /// The failure, if it failed in any way.
    pub error: Option<CallError>,
    /// Peer and HTTP facts.
    pub http: Http,
    /// Times.
    pub timing: Timing,
    /// How much of it was seen.
    pub completeness: Completeness,
    /// What was searched and found: retrievals and reranking.
    pub retrieval: Option<Box<Retrieval>>,
    /// The remote procedure: JSON-RPC (MCP, A2A) and gRPC.
    pub rpc: Option<Box<Rpc>>,
}

impl Call {
    /// A call of which nothing but its API is known.
    #[must_use]
    pub fn new(api: Api, operation: Operation, role: Role) -> Self {
        Self {
            part: 0,
            api,
            operation,
            provider: String::new(),
            role,
            request: Request::default(),
            response: Response::default(),
            usage: Usage::default(),
            fetched_usage: None,
            error: None,
            http: Http::default(),
            timing: Timing::default(),
            completeness: Completeness::default(),
            retrieval: None,
            rpc: None,
        }
    }
}

/// The request side.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Model asked for, exactly as sent.
    pub model: Option<String>,
    /// Streaming was asked for.
    pub stream: bool,
    /// Sampling and limits.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Top-k sampling.
    pub top_k: Option<i64>,
    /// Most output tokens.
    pub max_tokens: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// Stop sequences.
    pub stop: Vec<String>,
    /// Seed.
    pub seed: Option<i64>,
    /// Number of choices asked for.
    pub choice_count: Option<i64>,
    /// Reasoning level exactly as sent (`reasoning_effort`, `reasoning.effort`, `output_config.effort`).
    pub reasoning_level: Option<String>,
    /// `gen_ai.output.type`: text, json, image or speech, when the request asks for a format.
    pub output_type: Option<String>,
    /// Service tier asked for.
    pub service_tier: Option<String>,
    /// Speed asked for, where that is apart from the service tier (Anthropic: `fast`).
    pub speed: Option<String>,
    /// `previous_response_id`.
    pub previous_response_id: Option<String>,
    /// Conversation id, only when the request really carries one.
    pub conversation_id: Option<String>,
    /// Agent that the provider hosts, asked to do the work.
    pub agent: Option<String>,
    /// Guardrail that the request names.
    pub guardrail: Option<String>,
    /// User id carried by the request (`user`, `safety_identifier`, `metadata.user_id`).
    pub user: Option<String>,
    /// Embeddings: `dimensions`.
    pub dimensions: Option<i64>,
    /// Embeddings: encoding formats asked for.
    pub encoding_formats: Vec<String>,
    /// Embeddings: number of inputs.
    pub input_count: Option<u64>,
    /// Tool definitions.
    pub tools: Vec<ToolDefinition>,
    /// What the model may or must do with the tools.
    pub tool_choice: Option<ToolChoice>,
    /// Whether more than one tool may be called in one answer, when the request says so.
    pub parallel_tool_calls: Option<bool>,
    /// Form asked of the answer.
    pub response_format: Option<ResponseFormat>,
    /// Most tokens for reasoning, where that is a number (`thinking.budget_tokens`, `thinkingBudget`).
    pub reasoning_budget: Option<i64>,
    /// Metadata that the request carries for its sender's own use, in order; only strings, without secrets.
    pub metadata: Vec<(String, String)>,
    /// System instructions sent apart from the history; only with content on.
    pub system: Vec<Part>,
    /// Message history; only with content on.
    pub messages: Vec<Message>,
    /// W3C trace context of the outgoing request.
    pub traceparent: Option<String>,
}

/// The response side.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Provider's id of the response.
    pub id: Option<String>,
    /// Model that answered.
    pub model: Option<String>,
    /// One a choice, in the provider's order and words.
    pub finish_reasons: Vec<String>,
    /// Responses API status (`completed`, `incomplete`, `queued` …).
    pub status: Option<String>,
    /// Service tier served.
    pub service_tier: Option<String>,
    /// Speed served, where that is apart from the service tier (Anthropic: `standard`, `fast`).
    pub speed: Option<String>,
    /// Where the model ran, as far as the price depends on it (Anthropic's `inference_geo`: `us`, `global`).
    pub region: Option<String>,
    /// The server that a router handed the call to, in the router's word (Hugging Face's `x-inference-provider`).
    pub upstream: Option<String>,
    /// How much was searched for the answer, where the price depends on it (Perplexity: `low`, `medium`, `high`).
    pub search_context: Option<String>,
    /// OpenAI system fingerprint.
    pub system_fingerprint: Option<String>,
    /// Tools that the model asked the client to call, and hosted tools that the provider ran.
    pub tool_calls: Vec<ToolCall>,
    /// One a choice; only with content on.
    pub messages: Vec<Message>,
    /// Counting of tokens: the count.
    pub counted_tokens: Option<u64>,
    /// Moderations and guardrails: whether anything was flagged.
    pub flagged: Option<bool>,
    /// Embeddings: number of vectors.
    pub vector_count: Option<u64>,
    /// Embeddings: length of the vectors.
    pub vector_dimension: Option<u64>,
    /// The provider's request id (`x-request-id`, `request-id`).
    pub request_id: Option<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// system, user, assistant, tool, or the provider's own word.
    pub role: String,
    /// Content.
    pub parts: Vec<Part>,
    /// Participant's name.
    pub name: Option<String>,
    /// Output messages: the finish reason in the provider's words.
    pub finish_reason: Option<String>,
}

/// One part of a message, as the conventions name them.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// Reasoning or thinking text.
    Reasoning(String),
    /// The model asks for a tool.
    ToolCall(ToolCall),
    /// A tool's answer.
    ToolCallResponse {
        /// Id of the call that it answers.
        id: Option<String>,
        /// The answer.
        response: Value,
    },
    /// A tool that the provider runs.
    ServerToolCall {
        /// Id.
        id: Option<String>,
        /// Name.
        name: String,
        /// The provider's object, with a `type`.
        call: Value,
    },
    /// What such a tool gave.
    ServerToolCallResponse {
        /// Id of the call.
        id: Option<String>,
        /// The provider's object, with a `type`.
        response: Value,
    },
    /// Inline media.
    Blob {
        /// image, video, audio or document.
        modality: String,
        /// Media type.
        mime_type: Option<String>,
        /// Base64.
        content: String,
    },
    /// Media by provider file id.
    File {
        /// image, video, audio or document.
        modality: String,
        /// Id.
        file_id: String,
        /// Media type.
        mime_type: Option<String>,
    },
    /// Media by address.
    Uri {
        /// image, video, audio or document.
        modality: String,
        /// Address.
        uri: String,
        /// Media type.
        mime_type: Option<String>,
    },
    /// Anything else: the provider's object and its type.
    Generic {
        /// The provider's `type`.
        kind: String,
        /// The provider's object.
        value: Value,
    },
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolCall {
    /// Provider's id (for the Responses API the `call_id`; the item id where there is no `call_id`).
    pub id: Option<String>,
    /// Tool name.
    pub name: String,
    /// The provider's item type: `function`, `custom`, `tool_use`, `server_tool_use`, `mcp_call` …
    pub kind: String,
    /// Arguments: parsed when they are valid JSON, else the raw string; absent when not sent or not kept.
    pub arguments: Option<Value>,
}

/// A tool offered to the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolDefinition {
    /// `function`, or the provider's type.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Description; only with content on.
    pub description: Option<String>,
    /// JSON schema of the parameters.
    pub parameters: Option<Value>,
}

/// Token counts by the meaning of the conventions. `None` is "not reported", never 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: Option<u64>,
    /// All output tokens, reasoning included.
    pub output: Option<u64>,
    /// Subset of input read from a cache.
    pub cache_read: Option<u64>,
    /// Subset of input written to a cache.
    pub cache_write: Option<u64>,
    /// Subset of `cache_write` with a life of five minutes.
    pub cache_write_5m: Option<u64>,
    /// Subset of `cache_write` with a life of one hour.
    pub cache_write_1h: Option<u64>,
    /// Subset of output spent on reasoning.
    pub reasoning: Option<u64>,
    /// Audio tokens within input.
    pub audio_input: Option<u64>,
    /// Audio tokens within output.
    pub audio_output: Option<u64>,
    /// Audio tokens within `cache_read`.
    pub audio_cache_read: Option<u64>,
    /// Image tokens within `cache_read`.
    pub image_cache_read: Option<u64>,
    /// Text tokens within `cache_read`, only when reported.
    pub text_cache_read: Option<u64>,
    /// Image tokens within input.
    pub image_input: Option<u64>,
    /// Image tokens within output.
    pub image_output: Option<u64>,
    /// Text tokens within input, only when reported.
    pub text_input: Option<u64>,
    /// Text tokens within output, only when reported.
    pub text_output: Option<u64>,
    /// Web searches billed beside the tokens.
    pub web_searches: Option<u64>,
    /// Input tokens that are paid for, where the provider tells them apart from those read (Cohere).
    pub billed_input: Option<u64>,
    /// Output tokens that are paid for, told in the same way.
    pub billed_output: Option<u64>,
    /// What is billed by other units than tokens.
    pub units: Vec<UsageUnits>,
    /// Cost that the provider itself reports, in US dollars.
    pub provider_usd: Option<Decimal>,
    /// What was changed to make the numbers consistent (a subset larger than its whole), in words.
    pub corrected: Option<String>,
}

impl Usage {
    /// Whether tokens read from a cache are told apart by modality.
    pub(crate) fn splits_cache_read(&self) -> bool {
        [self.audio_cache_read, self.image_cache_read, self.text_cache_read].iter().any(Option::is_some)
    }

    /// Whether the provider reported any token count.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// `error.type`: the provider's code or type, else the HTTP status, else a low-cardinality word.
    pub kind: String,
    /// The provider's words, without secrets.
    pub message: String,
}

/// Peer and HTTP facts.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Status; `None` when there was no response.
    pub status: Option<u16>,
    /// Host of the request.
    pub server_address: Option<String>,
    /// Port: the one in the authority, else 443 for TLS.
    pub server_port: Option<u16>,
    /// The other end of the connection.
    pub peer: Option<std::net::SocketAddr>,
    /// Cloud region, where the host or the signature of the request names it.
    pub region: Option<String>,
}

/// Times, in the unit and origin of the wire crate's caller.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    /// First byte of the request.
    pub start: Nanos,
    /// Last byte of the request.
    pub request_end: Option<Nanos>,
    /// First byte of the response.
    pub response_start: Option<Nanos>,
    /// First chunk of a streamed answer.
    pub first_chunk: Option<Nanos>,
    /// Gaps between the following chunks, folded into a histogram-ready list; bounded.
    pub chunk_gaps: ChunkGaps,
    /// Last byte received, or the end of the connection.
    pub end: Nanos,
}

/// Times between output chunks: count, sum and the counts of the conventions' duration buckets, so that a stream of any
/// length costs the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkGaps {
    /// Number of gaps (chunks after the first).
    pub count: u64,
    /// Sum of the gaps in seconds.
    pub sum: f64,
    /// Longest gap in seconds.
    pub max: f64,
    /// Counts by bucket of `gen_ai.client.inference.time_per_output_chunk` (15 buckets, the last unbounded).
    pub buckets: [u64; 15],
}

impl ChunkGaps {
    /// Counts one gap. Buckets take their upper bound, as OTLP's explicit buckets do.
    pub fn add(&mut self, seconds: f64) {
        self.count = self.count.saturating_add(1);
        self.sum += seconds;
        self.max = self.max.max(seconds);
        let bucket =
            DURATION_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATION_BOUNDS.len());
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }
}

/// How much of the exchange was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Bytes of the request on the connection.
    pub request_bytes: u64,
    /// Bytes of the response on the connection.
    pub response_bytes: u64,
    /// Bytes known to be missing.
    pub lost_bytes: u64,
    /// The connection, the capture or a cap ended it before its end.
    pub truncated: bool,
    /// The capture began inside it.
    pub attached_mid_stream: bool,
    /// Content coding that could not be decoded, or JSON that does not parse: what and where.
    pub undecodable: Option<String>,
    /// A body was longer than the cap: only what the span needs was kept.
    pub body_capped: bool,
}

impl Completeness {
    /// Whether all of it was seen and understood.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost_bytes == 0
            && !self.truncated
            && !self.attached_mid_stream
            && self.undecodable.is_none()
            && !self.body_capped
    }
}
