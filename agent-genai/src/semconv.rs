//! Names of the OpenTelemetry GenAI semantic conventions v0.1.0 that this project emits, and a few general ones.
//!
//! Our own list: no published package of constants carries v0.1.0.

/// Bounds in seconds of the conventions' duration histograms; the last bucket is unbounded.
pub const DURATION_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Bounds of the conventions' token histograms.
pub const TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Attribute names.
pub mod attribute {
    /// `chat`, `embeddings`, `fetch_response` …
    pub const OPERATION_NAME: &str = "gen_ai.operation.name";
    /// Flavour of the provider.
    pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
    /// Conversation, session or thread id, when the call carries one.
    pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
    /// text, json, image or speech.
    pub const OUTPUT_TYPE: &str = "gen_ai.output.type";
    /// Model asked for.
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    /// Number of choices, when not 1.
    pub const REQUEST_CHOICE_COUNT: &str = "gen_ai.request.choice.count";
    /// Seed.
    pub const REQUEST_SEED: &str = "gen_ai.request.seed";
    /// Present and true when streaming.
    pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
    /// Top-k sampling.
    pub const REQUEST_TOP_K: &str = "gen_ai.request.top_k";
    /// Most output tokens.
    pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    /// Temperature.
    pub const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
    /// Nucleus sampling.
    pub const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
    /// Frequency penalty.
    pub const REQUEST_FREQUENCY_PENALTY: &str = "gen_ai.request.frequency_penalty";
    /// Presence penalty.
    pub const REQUEST_PRESENCE_PENALTY: &str = "gen_ai.request.presence_penalty";
    /// Stop sequences.
    pub const REQUEST_STOP_SEQUENCES: &str = "gen_ai.request.stop_sequences";
    /// Reasoning level exactly as sent.
    pub const REQUEST_REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
    /// `previous_response_id`.
    pub const REQUEST_PREVIOUS_RESPONSE_ID: &str = "gen_ai.request.previous_response.id";
    /// Encoding formats of embeddings.
    pub const REQUEST_ENCODING_FORMATS: &str = "gen_ai.request.encoding_formats";
    /// Length of the vectors asked for or given.
    pub const EMBEDDINGS_DIMENSION_COUNT: &str = "gen_ai.embeddings.dimension.count";
    /// Id of the response.
    pub const RESPONSE_ID: &str = "gen_ai.response.id";
    /// Model that answered.
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    /// One a choice.
    pub const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    /// Status of a stored response.
    pub const RESPONSE_STATUS: &str = "gen_ai.response.status";
    /// Agent that the provider hosts, by its id there.
    pub const AGENT_ID: &str = "gen_ai.agent.id";
    /// Collection, index or knowledge base searched.
    pub const DATA_SOURCE_ID: &str = "gen_ai.data_source.id";
    /// Most hits asked for.
    pub const RETRIEVAL_TOP_K: &str = "gen_ai.retrieval.top_k";
    /// Query (content).
    pub const RETRIEVAL_QUERY_TEXT: &str = "gen_ai.retrieval.query.text";
    /// Hits (content).
    pub const RETRIEVAL_DOCUMENTS: &str = "gen_ai.retrieval.documents";
    /// The vector store's system.
    pub const DB_SYSTEM_NAME: &str = "db.system.name";
    /// Namespace, tenant or database.
    pub const DB_NAMESPACE: &str = "db.namespace";
    /// Tool called.
    pub const TOOL_NAME: &str = "gen_ai.tool.name";
    /// Arguments of a tool call (content).
    pub const TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
    /// Result of a tool call (content).
    pub const TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";
    /// Named prompt.
    pub const PROMPT_NAME: &str = "gen_ai.prompt.name";
    /// MCP method.
    pub const MCP_METHOD_NAME: &str = "mcp.method.name";
    /// MCP protocol version.
    pub const MCP_PROTOCOL_VERSION: &str = "mcp.protocol.version";
    /// MCP session.
    pub const MCP_SESSION_ID: &str = "mcp.session.id";
    /// MCP resource.
    pub const MCP_RESOURCE_URI: &str = "mcp.resource.uri";
    /// `tcp`.
    pub const NETWORK_TRANSPORT: &str = "network.transport";
    /// `http`, `websocket`.
    pub const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
    /// `1.1`, `2`.
    pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
    /// JSON-RPC id.
    pub const JSONRPC_REQUEST_ID: &str = "jsonrpc.request.id";
    /// JSON-RPC error code or gRPC status.
    pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
    /// `grpc` or `jsonrpc`.
    pub const RPC_SYSTEM_NAME: &str = "rpc.system.name";
    /// Service and method.
    pub const RPC_METHOD: &str = "rpc.method";
    /// Bedrock guardrail.
    pub const GUARDRAIL_ID: &str = "aws.bedrock.guardrail.id";
    /// Bedrock knowledge base.
    pub const KNOWLEDGE_BASE_ID: &str = "aws.bedrock.knowledge_base.id";
    /// Seconds.
    pub const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    /// Tokens counted without inference; no usage.
    pub const COUNTED_TOKENS: &str = "wirespan.count_tokens.input_tokens";
    /// All input tokens.
    pub const USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    /// All output tokens.
    pub const USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    /// Subset of input.
    pub const USAGE_CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    /// Subset of input.
    pub const USAGE_CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
    /// The name of [`USAGE_CACHE_WRITE`] before v0.1.0, which some backends still read.
    pub const USAGE_CACHE_CREATION: &str = "gen_ai.usage.cache_creation.input_tokens";
    /// Subset of output.
    pub const USAGE_REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
    /// Subset of input.
    pub const USAGE_TEXT_INPUT: &str = "gen_ai.usage.text.input_tokens";
    /// Subset of input.
    pub const USAGE_IMAGE_INPUT: &str = "gen_ai.usage.image.input_tokens";
    /// Subset of input.
    pub const USAGE_AUDIO_INPUT: &str = "gen_ai.usage.audio.input_tokens";
    /// Subset of output.
    pub const USAGE_TEXT_OUTPUT: &str = "gen_ai.usage.text.output_tokens";
    /// Subset of output.
    pub const USAGE_IMAGE_OUTPUT: &str = "gen_ai.usage.image.output_tokens";
    /// Subset of output.
    pub const USAGE_AUDIO_OUTPUT: &str = "gen_ai.usage.audio.output_tokens";
    /// Subset of cache_read and of text input.
    pub const USAGE_TEXT_CACHE_READ: &str = "gen_ai.usage.text.cache_read.input_tokens";
    /// Subset of cache_read and of image input.
    pub const USAGE_IMAGE_CACHE_READ: &str = "gen_ai.usage.image.cache_read.input_tokens";
    /// Subset of cache_read and of audio input.
    pub const USAGE_AUDIO_CACHE_READ: &str = "gen_ai.usage.audio.cache_read.input_tokens";
    /// US dollars. Not in the conventions; the name that backends read.
    pub const USAGE_COST: &str = "gen_ai.usage.cost";
    /// Instructions apart from the history (content).
    pub const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
    /// The history (content).
    pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
    /// One a choice (content).
    pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
    /// Tools on offer.
    pub const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
    /// `chat_completions` or `responses`.
    pub const OPENAI_API_TYPE: &str = "openai.api.type";
    /// Tier asked for, unless `auto`.
    pub const OPENAI_REQUEST_SERVICE_TIER: &str = "openai.request.service_tier";
    /// Tier served.
    pub const OPENAI_RESPONSE_SERVICE_TIER: &str = "openai.response.service_tier";
    /// System fingerprint.
    pub const OPENAI_RESPONSE_SYSTEM_FINGERPRINT: &str = "openai.response.system_fingerprint";
    /// Azure AI Inference: always `Microsoft.CognitiveServices`.
    pub const AZURE_RESOURCE_PROVIDER_NAMESPACE: &str = "azure.resource_provider.namespace";
    /// Why it failed, low cardinality.
    pub const ERROR_TYPE: &str = "error.type";
    /// Host of the request.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// Its port.
    pub const SERVER_PORT: &str = "server.port";
    /// Address of the other end of the connection.
    pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
    /// Its port.
    pub const NETWORK_PEER_PORT: &str = "network.peer.port";
    /// Region of the cloud that serves the model.
    pub const CLOUD_REGION: &str = "cloud.region";
    /// HTTP status.
    pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
    /// User that the request names.
    pub const USER_ID: &str = "user.id";

    /// All of it was seen and understood; present only when false.
    pub const CAPTURE_COMPLETE: &str = "wirespan.capture.complete";
    /// Bytes known to be missing.
    pub const CAPTURE_LOST_BYTES: &str = "wirespan.capture.lost_bytes";
    /// The exchange ended before its end.
    pub const CAPTURE_TRUNCATED: &str = "wirespan.capture.truncated";
    /// The capture began inside the exchange.
    pub const CAPTURE_ATTACHED_MID_STREAM: &str = "wirespan.capture.attached_mid_stream";
    /// A body was longer than the cap.
    pub const CAPTURE_BODY_CAPPED: &str = "wirespan.capture.body_capped";
    /// What could not be decoded.
    pub const CAPTURE_UNDECODABLE: &str = "wirespan.capture.undecodable";
    /// The provider's request id.
    pub const PROVIDER_REQUEST_ID: &str = "wirespan.provider.request_id";
    /// Number of inputs of an embeddings call.
    pub const EMBEDDINGS_INPUT_COUNT: &str = "wirespan.embeddings.input.count";
    /// Number of vectors given.
    pub const EMBEDDINGS_VECTOR_COUNT: &str = "wirespan.embeddings.vector.count";
    /// Names of the tools that the answer calls.
    pub const TOOL_CALL_NAMES: &str = "wirespan.tool_call.names";
    /// Ids of the tools that the answer calls.
    pub const TOOL_CALL_IDS: &str = "wirespan.tool_call.ids";
    /// Five-minute part of cache_write.
    pub const USAGE_CACHE_WRITE_5M: &str = "wirespan.usage.cache_write_5m.input_tokens";
    /// One-hour part of cache_write.
    pub const USAGE_CACHE_WRITE_1H: &str = "wirespan.usage.cache_write_1h.input_tokens";
    /// Input tokens that are paid for, where the provider tells them apart (int).
    pub const USAGE_BILLED_INPUT: &str = "wirespan.usage.billed.input_tokens";
    /// Output tokens that are paid for, where the provider tells them apart (int).
    pub const USAGE_BILLED_OUTPUT: &str = "wirespan.usage.billed.output_tokens";
    /// Web searches billed beside the tokens.
    pub const USAGE_WEB_SEARCHES: &str = "wirespan.usage.web_searches";
    /// Beginning of the names of quantities billed by other units than tokens; the unit follows.
    pub const USAGE_UNITS_PREFIX: &str = "wirespan.usage.units.";
    /// Tokens of a response made earlier, as its fetch reports them; they count to the call that made it.
    pub const FETCHED_INPUT_TOKENS: &str = "wirespan.fetched.input_tokens";
    /// See [`FETCHED_INPUT_TOKENS`].
    pub const FETCHED_OUTPUT_TOKENS: &str = "wirespan.fetched.output_tokens";
    /// See [`FETCHED_INPUT_TOKENS`].
    pub const FETCHED_CACHE_READ: &str = "wirespan.fetched.cache_read.input_tokens";
    /// See [`FETCHED_INPUT_TOKENS`].
    pub const FETCHED_REASONING: &str = "wirespan.fetched.reasoning.output_tokens";
    /// Whether a moderation or a guardrail flagged anything.
    pub const MODERATION_FLAGGED: &str = "wirespan.moderation.flagged";
    /// Queries in one retrieval, when not 1.
    pub const RETRIEVAL_QUERY_COUNT: &str = "wirespan.retrieval.query.count";
    /// A filter was given.
    pub const RETRIEVAL_FILTERED: &str = "wirespan.retrieval.filtered";
    /// Hits returned.
    pub const RETRIEVAL_HIT_COUNT: &str = "wirespan.retrieval.hit.count";
    /// Score of the first hit.
    pub const RETRIEVAL_BEST_SCORE: &str = "wirespan.retrieval.best_score";
    /// Documents given to be ordered.
    pub const RERANK_DOCUMENT_COUNT: &str = "wirespan.rerank.document.count";
    /// Tools that a listing returned.
    pub const MCP_TOOLS_LISTED: &str = "wirespan.mcp.tools";
    /// MCP client.
    pub const MCP_CLIENT_NAME: &str = "wirespan.mcp.client.name";
    /// Its version.
    pub const MCP_CLIENT_VERSION: &str = "wirespan.mcp.client.version";
    /// MCP server.
    pub const MCP_SERVER_NAME: &str = "wirespan.mcp.server.name";
    /// Its version.
    pub const MCP_SERVER_VERSION: &str = "wirespan.mcp.server.version";
    /// `resultType` of an MCP result.
    pub const MCP_RESULT_TYPE: &str = "wirespan.mcp.result.type";
    /// Kinds of content in a tool's result.
    pub const MCP_CONTENT_TYPES: &str = "wirespan.mcp.result.content_types";
    /// A tool's result has a structured form; present only when true.
    pub const MCP_STRUCTURED: &str = "wirespan.mcp.result.structured";
    /// Notifications that came while the answer was awaited.
    pub const MCP_NOTIFICATION_COUNT: &str = "wirespan.mcp.notification.count";
    /// Bytes of the messages of a gRPC call, sent.
    pub const RPC_BYTES_SENT: &str = "wirespan.rpc.bytes.sent";
    /// Bytes of the messages of a gRPC call, received.
    pub const RPC_BYTES_RECEIVED: &str = "wirespan.rpc.bytes.received";
    /// Task of an agent asked over A2A.
    pub const A2A_TASK_ID: &str = "wirespan.a2a.task.id";
    /// Messages of a gRPC call, sent.
    pub const RPC_MESSAGES_SENT: &str = "wirespan.rpc.messages.sent";
    /// Messages of a gRPC call, received.
    pub const RPC_MESSAGES_RECEIVED: &str = "wirespan.rpc.messages.received";
    /// What was changed to make the reported counts consistent.
    pub const USAGE_CORRECTED: &str = "wirespan.usage.corrected";
    /// Where the price comes from.
    pub const COST_SOURCE: &str = "wirespan.cost.source";
    /// Cost in US dollars that the provider reports.
    pub const COST_PROVIDER_USD: &str = "wirespan.cost.provider_usd";
    /// Service tier asked for, where no attribute of the provider's own says it.
    pub const REQUEST_SERVICE_TIER: &str = "wirespan.request.service_tier";
    /// Service tier served, where no attribute of the provider's own says it.
    pub const RESPONSE_SERVICE_TIER: &str = "wirespan.response.service_tier";
}

/// Metric names.
pub mod metric {
    /// Histogram, seconds.
    pub const INFERENCE_DURATION: &str = "gen_ai.client.inference.duration";
    /// Histogram, seconds; streaming only.
    pub const INFERENCE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.inference.time_to_first_chunk";
    /// Histogram, seconds; one record a chunk after the first.
    pub const INFERENCE_TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.inference.time_per_output_chunk";
    /// Counter, tokens.
    pub const INFERENCE_USAGE_INPUT_TOKENS: &str = "gen_ai.client.inference.usage.input_tokens";
    /// Counter, tokens.
    pub const INFERENCE_USAGE_OUTPUT_TOKENS: &str = "gen_ai.client.inference.usage.output_tokens";
    /// Counter, tokens.
    pub const INFERENCE_USAGE_CACHE_READ: &str = "gen_ai.client.inference.usage.cache_read.input_tokens";
    /// Counter, tokens.
    pub const INFERENCE_USAGE_CACHE_WRITE: &str = "gen_ai.client.inference.usage.cache_write.input_tokens";
    /// Counter, tokens.
    pub const INFERENCE_USAGE_REASONING: &str = "gen_ai.client.inference.usage.reasoning.output_tokens";
    /// Histogram, tokens.
    pub const INFERENCE_OPERATION_INPUT_TOKENS: &str = "gen_ai.client.inference.operation.input_tokens";
    /// Histogram, tokens.
    pub const INFERENCE_OPERATION_OUTPUT_TOKENS: &str = "gen_ai.client.inference.operation.output_tokens";
    /// Histogram, seconds.
    pub const EMBEDDINGS_DURATION: &str = "gen_ai.client.embeddings.duration";
    /// Histogram, tokens.
    pub const EMBEDDINGS_OPERATION_INPUT_TOKENS: &str = "gen_ai.client.embeddings.operation.input_tokens";
    /// Modality of tokens: text, image, audio, unknown.
    pub const TOKEN_MODALITY: &str = "gen_ai.token.modality";
    /// Before v0.1.0: histogram, seconds.
    pub const LEGACY_OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
    /// Before v0.1.0: histogram, tokens.
    pub const LEGACY_TOKEN_USAGE: &str = "gen_ai.client.token.usage";
    /// Before v0.1.0: `input` or `output`.
    pub const LEGACY_TOKEN_TYPE: &str = "gen_ai.token.type";
    /// Before v0.1.0: histogram, seconds.
    pub const LEGACY_TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
    /// Before v0.1.0: histogram, seconds.
    pub const LEGACY_TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.operation.time_per_output_chunk";
}
