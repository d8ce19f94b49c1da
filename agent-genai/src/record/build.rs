//! A call to its span, by the semantic conventions v0.1.0.

use super::builder::Builder;
use super::ids::{SpanIds, hex};
use super::{
    Attributes, Capture, Cost, CostSource, Link, RECORD_VERSION, Record, Status, StatusCode, UsageSource,
    content,
};
use super::{retrieval, rpc};
use crate::call::{Api, Call, Operation, OperationKind};
use crate::semconv::attribute as name;
use rust_decimal::prelude::ToPrimitive;

/// Names of older versions of the conventions that are emitted beside the current ones, for consumers that still read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compat {
    /// `gen_ai.usage.cache_creation.input_tokens` beside `…cache_write…`.
    pub cache_creation_alias: bool,
    /// Metrics by their names before v0.1.0 beside the current ones.
    pub legacy_metrics: bool,
    /// The finish reason inside each output message.
    pub finish_reason_in_messages: bool,
    /// `gen_ai.workflow.name` beside `gen_ai.agent.name`.
    pub workflow_name: bool,
}

impl Default for Compat {
    fn default() -> Self {
        Self {
            cache_creation_alias: true,
            legacy_metrics: true,
            finish_reason_in_messages: true,
            workflow_name: true,
        }
    }
}

/// Settings of [`build_record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOptions {
    /// Older names.
    pub compat: Compat,
    /// Emit message content, as far as the call has it.
    pub content: bool,
    /// With content: descriptions and parameters of the tools on offer, not only type and name.
    pub tool_descriptions: bool,
    /// `capture.source`: `uprobe`, `socket`, `proxy` or `recording`.
    pub source: &'static str,
}

/// Builds the span of a call.
///
/// `call.timing` must be Unix time in nanoseconds (0 in replays without times). `resource` describes the observed process,
/// `cost` is what the price table made of the call.
#[must_use]
pub fn build_record(
    call: &Call,
    ids: &SpanIds,
    resource: &Attributes,
    cost: Cost,
    options: &RecordOptions,
) -> Record {
    let completeness = &call.completeness;
    let status = match &call.error {
        Some(error) => Status { code: StatusCode::Error, message: error.message.clone() },
        None => Status { code: StatusCode::Unset, message: String::new() },
    };
    Record {
        v: RECORD_VERSION,
        exchange: None,
        trace_id: hex(&ids.trace_id),
        span_id: hex(&ids.span_id),
        parent_span_id: ids.parent_span_id.map(|id| hex(&id)),
        links: call.rpc.as_ref().and_then(|rpc| rpc.link.as_deref()).and_then(link).into_iter().collect(),
        name: span_name(call),
        kind: if began(call) { "CLIENT" } else { "SERVER" }.to_owned(),
        start: rfc3339(call.timing.start),
        end: rfc3339(call.timing.end.max(call.timing.start)),
        status,
        resource: resource.clone(),
        attributes: attributes(call, &cost, options),
        events: Vec::new(),
        usage_source: if call.usage.is_reported() { UsageSource::Reported } else { UsageSource::Absent },
        cost,
        checks: Vec::new(),
        capture: Capture {
            source: options.source.to_owned(),
            complete: completeness.is_complete(),
            request_bytes: completeness.request_bytes,
            response_bytes: completeness.response_bytes,
            lost_bytes: completeness.lost_bytes,
            truncated: completeness.truncated,
            attached_mid_stream: completeness.attached_mid_stream,
            undecodable: completeness.undecodable.clone(),
        },
        inferred: false,
    }
}

/// Whether the observed process began the call: as the HTTP client, or as the HTTP server of a call that goes the other way.
fn began(call: &Call) -> bool {
    (call.role == agent_wire::Role::Client) != call.rpc.as_ref().is_some_and(|rpc| rpc.from_server)
}

/// The span that a `traceparent` names.
fn link(traceparent: &str) -> Option<Link> {
    let ids = SpanIds::derive(&[], Some(traceparent));
    let span_id = ids.parent_span_id?;
    Some(Link { trace_id: hex(&ids.trace_id), span_id: hex(&span_id), attributes: Attributes::new() })
}

/// Name of the span: `{operation} {model}`, with what the conventions put in the model's place for other operations.
fn span_name(call: &Call) -> String {
    if let (OperationKind::Rpc, Some(rpc)) = (call.operation.kind(), &call.rpc) {
        return rpc::span_name(rpc);
    }
    let operation = call.operation.name();
    let about = match call.operation {
        Operation::FetchResponse => None,
        Operation::Retrieval => call.retrieval.as_ref().and_then(|retrieval| retrieval.data_source.as_ref()),
        Operation::InvokeAgent => call.request.agent.as_ref(),
        _ => call.request.model.as_ref(),
    };
    about.map_or_else(|| operation.to_owned(), |about| format!("{operation} {about}"))
}

/// RFC 3339 in UTC with nanoseconds.
fn rfc3339(unix_nanos: u64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(unix_nanos)) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string(),
        // Unreachable: 2^64 nanoseconds after 1970 is the year 2554.
        Err(_) => String::new(),
    }
}

fn attributes(call: &Call, cost: &Cost, options: &RecordOptions) -> Attributes {
    let mut out = Builder(Attributes::new());
    if !call.operation.name().is_empty() {
        out.set(name::OPERATION_NAME, call.operation.name());
    }
    if !call.provider.is_empty() {
        out.set(name::PROVIDER_NAME, call.provider.as_str());
    }
    out.some(name::ERROR_TYPE, call.error.as_ref().map(|error| error.kind.as_str()));
    out.text(name::SERVER_ADDRESS, call.http.server_address.as_ref());
    if call.http.server_address.is_some() {
        out.some(name::SERVER_PORT, call.http.server_port);
    }
    if let Some(peer) = call.http.peer {
        out.set(name::NETWORK_PEER_ADDRESS, peer.ip().to_string());
        out.set(name::NETWORK_PEER_PORT, peer.port());
    }
    out.text(name::CLOUD_REGION, call.http.region.as_ref());
    out.some(name::HTTP_RESPONSE_STATUS_CODE, call.http.status);
    response(call, &mut out);
    match call.operation.kind() {
        OperationKind::Inference => request(call, &mut out),
        OperationKind::Embeddings => embeddings(call, &mut out),
        OperationKind::Retrieval | OperationKind::Other => {
            out.text(name::REQUEST_MODEL, call.request.model.as_ref());
            out.text(name::USER_ID, call.request.user.as_ref());
        }
        OperationKind::Fetch | OperationKind::Rpc => {}
    }
    if call.operation.kind() != OperationKind::Fetch {
        usage(call, options, &mut out);
    }
    if let Some(fetched) = &call.fetched_usage {
        out.some(name::FETCHED_INPUT_TOKENS, fetched.input);
        out.some(name::FETCHED_OUTPUT_TOKENS, fetched.output);
        out.some(name::FETCHED_CACHE_READ, fetched.cache_read);
        out.some(name::FETCHED_REASONING, fetched.reasoning);
    }
    out.some(name::COUNTED_TOKENS, call.response.counted_tokens);
    out.some(name::MODERATION_FLAGGED, call.response.flagged);
    if let Some(retrieval) = &call.retrieval {
        retrieval::attributes(retrieval, options.content, &mut out);
    }
    if let Some(rpc) = &call.rpc {
        rpc::attributes(rpc, call, options.content, &mut out);
    }
    provider(call, &mut out);
    money(call, cost, &mut out);
    capture(call, &mut out);
    if options.content && call.operation != Operation::Embeddings {
        messages(call, options, &mut out);
    }
    out.0
}

fn request(call: &Call, out: &mut Builder) {
    let request = &call.request;
    out.text(name::REQUEST_MODEL, request.model.as_ref());
    out.text(name::CONVERSATION_ID, request.conversation_id.as_ref());
    out.text(name::AGENT_ID, request.agent.as_ref());
    out.text(name::OUTPUT_TYPE, request.output_type.as_ref());
    out.some(name::REQUEST_CHOICE_COUNT, request.choice_count.filter(|count| *count != 1));
    out.some(name::REQUEST_SEED, request.seed);
    out.some(name::REQUEST_TOP_K, request.top_k);
    out.some(name::REQUEST_MAX_TOKENS, request.max_tokens);
    out.some(name::REQUEST_TEMPERATURE, request.temperature);
    out.some(name::REQUEST_TOP_P, request.top_p);
    out.some(name::REQUEST_FREQUENCY_PENALTY, request.frequency_penalty);
    out.some(name::REQUEST_PRESENCE_PENALTY, request.presence_penalty);
    out.list(name::REQUEST_STOP_SEQUENCES, &request.stop);
    out.text(name::REQUEST_REASONING_LEVEL, request.reasoning_level.as_ref());
    out.text(name::REQUEST_PREVIOUS_RESPONSE_ID, request.previous_response_id.as_ref());
    out.text(name::USER_ID, request.user.as_ref());
}

fn embeddings(call: &Call, out: &mut Builder) {
    let request = &call.request;
    out.text(name::REQUEST_MODEL, request.model.as_ref());
    out.list(name::REQUEST_ENCODING_FORMATS, &request.encoding_formats);
    let asked = request.dimensions.and_then(|count| u64::try_from(count).ok());
    out.some(name::EMBEDDINGS_DIMENSION_COUNT, asked.or(call.response.vector_dimension));
    out.some(name::EMBEDDINGS_INPUT_COUNT, request.input_count);
    out.some(name::EMBEDDINGS_VECTOR_COUNT, call.response.vector_count);
    out.text(name::USER_ID, request.user.as_ref());
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of a nanosecond count: what is lost is below a nanosecond"
)]
fn response(call: &Call, out: &mut Builder) {
    let response = &call.response;
    if call.request.stream {
        out.set(name::REQUEST_STREAM, true);
        let first = call.timing.first_chunk.map(|at| at.saturating_sub(call.timing.start) as f64 / 1e9);
        // Without the beginning, the time to the first chunk seen says nothing.
        out.some(
            name::RESPONSE_TIME_TO_FIRST_CHUNK,
            first.filter(|_| !call.completeness.attached_mid_stream),
        );
    }
    out.text(name::RESPONSE_ID, response.id.as_ref());
    out.text(name::RESPONSE_MODEL, response.model.as_ref());
    out.list(name::RESPONSE_FINISH_REASONS, &response.finish_reasons);
    out.text(name::RESPONSE_STATUS, response.status.as_ref());
    out.text(name::PROVIDER_REQUEST_ID, response.request_id.as_ref());
    let names: Vec<String> = response.tool_calls.iter().map(|call| call.name.clone()).collect();
    out.list(name::TOOL_CALL_NAMES, &names);
    let ids: Vec<String> = response.tool_calls.iter().filter_map(|call| call.id.clone()).collect();
    out.list(name::TOOL_CALL_IDS, &ids);
}

fn usage(call: &Call, options: &RecordOptions, out: &mut Builder) {
    let usage = &call.usage;
    out.some(name::USAGE_INPUT_TOKENS, usage.input);
    out.some(name::USAGE_OUTPUT_TOKENS, usage.output);
    out.some(name::USAGE_CACHE_READ, usage.cache_read);
    out.some(name::USAGE_CACHE_WRITE, usage.cache_write);
    if options.compat.cache_creation_alias {
        out.some(name::USAGE_CACHE_CREATION, usage.cache_write);
    }
    out.some(name::USAGE_CACHE_WRITE_5M, usage.cache_write_5m);
    out.some(name::USAGE_CACHE_WRITE_1H, usage.cache_write_1h);
    out.some(name::USAGE_REASONING, usage.reasoning);
    out.some(name::USAGE_TEXT_INPUT, usage.text_input);
    out.some(name::USAGE_IMAGE_INPUT, usage.image_input);
    out.some(name::USAGE_AUDIO_INPUT, usage.audio_input);
    out.some(name::USAGE_TEXT_OUTPUT, usage.text_output);
    out.some(name::USAGE_IMAGE_OUTPUT, usage.image_output);
    out.some(name::USAGE_AUDIO_OUTPUT, usage.audio_output);
    out.some(name::USAGE_TEXT_CACHE_READ, usage.text_cache_read);
    out.some(name::USAGE_IMAGE_CACHE_READ, usage.image_cache_read);
    out.some(name::USAGE_AUDIO_CACHE_READ, usage.audio_cache_read);
    out.some(name::USAGE_BILLED_INPUT, usage.billed_input);
    out.some(name::USAGE_BILLED_OUTPUT, usage.billed_output);
    out.some(name::USAGE_WEB_SEARCHES, usage.web_searches);
    for units in &usage.units {
        out.some(&format!("{}{}", name::USAGE_UNITS_PREFIX, units.unit.name()), units.quantity.to_f64());
    }
    out.text(name::USAGE_CORRECTED, usage.corrected.as_ref());
}

/// Attributes of the wire API's own family.
fn provider(call: &Call, out: &mut Builder) {
    let (request, response) = (&call.request, &call.response);
    let asked = request.service_tier.as_ref().filter(|tier| *tier != "auto");
    if call.provider == "azure.ai.inference" {
        out.set(name::AZURE_RESOURCE_PROVIDER_NAMESPACE, "Microsoft.CognitiveServices");
    }
    match call.api {
        Api::OpenAiChat => out.set(name::OPENAI_API_TYPE, "chat_completions"),
        Api::OpenAiResponses | Api::ResponsesSocket => out.set(name::OPENAI_API_TYPE, "responses"),
        Api::OpenAiEmbeddings => return,
        _ => {
            out.text(name::REQUEST_SERVICE_TIER, asked);
            out.text(name::RESPONSE_SERVICE_TIER, response.service_tier.as_ref());
            out.text(name::GUARDRAIL_ID, request.guardrail.as_ref());
            if call.api == Api::BedrockKnowledge {
                let base = call.retrieval.as_ref().and_then(|retrieval| retrieval.data_source.as_ref());
                out.text(name::KNOWLEDGE_BASE_ID, base);
            }
            return;
        }
    }
    out.text(name::OPENAI_REQUEST_SERVICE_TIER, asked);
    out.text(name::OPENAI_RESPONSE_SERVICE_TIER, response.service_tier.as_ref());
    out.text(name::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, response.system_fingerprint.as_ref());
}

fn money(call: &Call, cost: &Cost, out: &mut Builder) {
    if call.operation == Operation::FetchResponse {
        return;
    }
    out.some(name::USAGE_COST, cost.usd.and_then(|usd| usd.to_f64()));
    let source = match cost.source {
        CostSource::Override => "override",
        CostSource::Provider => "provider",
        CostSource::Table => "table",
        CostSource::None => return,
    };
    out.set(name::COST_SOURCE, source);
    out.some(name::COST_PROVIDER_USD, cost.provider_usd.and_then(|usd| usd.to_f64()));
}

/// What is missing, on the span itself; a complete capture says nothing.
fn capture(call: &Call, out: &mut Builder) {
    let completeness = &call.completeness;
    if completeness.is_complete() {
        return;
    }
    out.set(name::CAPTURE_COMPLETE, false);
    out.some(name::CAPTURE_LOST_BYTES, Some(completeness.lost_bytes).filter(|bytes| *bytes > 0));
    out.some(name::CAPTURE_TRUNCATED, completeness.truncated.then_some(true));
    out.some(name::CAPTURE_ATTACHED_MID_STREAM, completeness.attached_mid_stream.then_some(true));
    out.some(name::CAPTURE_BODY_CAPPED, completeness.body_capped.then_some(true));
    out.text(name::CAPTURE_UNDECODABLE, completeness.undecodable.as_ref());
}

fn messages(call: &Call, options: &RecordOptions, out: &mut Builder) {
    let (request, response) = (&call.request, &call.response);
    if !request.system.is_empty() {
        out.set(name::SYSTEM_INSTRUCTIONS, content::parts(&request.system));
    }
    if !request.messages.is_empty() && call.operation != Operation::FetchResponse {
        out.set(name::INPUT_MESSAGES, content::input(&request.messages));
    }
    if !response.messages.is_empty() {
        out.set(
            name::OUTPUT_MESSAGES,
            content::output(&response.messages, options.compat.finish_reason_in_messages),
        );
    }
    if !request.tools.is_empty() {
        out.set(name::TOOL_DEFINITIONS, content::tools(&request.tools, options.tool_descriptions));
    }
}
