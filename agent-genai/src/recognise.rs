//! Which API an exchange speaks: by the end of its path, confirmed or refused by the shape of its bodies.
//!
//! Hosts say nothing here: gateways, private names and localhost serve the same APIs.

use agent_wire::RequestHead;
use serde_json::Value;

use crate::call::{Api, Operation};
use crate::codec::json;

/// What the head of a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// The path of an API.
    Api(Route),
    /// Nothing known: the bodies decide.
    Unknown,
    /// No call of an API that is decoded here.
    Other,
}

/// A path that belongs to an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) api: Api,
    pub(crate) operation: Operation,
    /// The path alone is proof; else a body must confirm it.
    pub(crate) certain: bool,
    /// Azure's deployment in the path: the model asked for when the body names none.
    pub(crate) deployment: Option<String>,
}

/// Last segments of paths that are known and mean something else than a call decoded here, so that their bodies are never
/// taken for one: they may carry `model` and `messages` or `input` as well.
const OTHER_ENDS: &[&str] = &[
    "count_tokens",
    "batches",
    "files",
    "uploads",
    "models",
    "compact",
    "input_tokens",
    "cancel",
    "decisions",
    "completions",
    "complete",
    "moderations",
    "generations",
    "edits",
    "variations",
    "transcriptions",
    "translations",
    "speech",
    "videos",
    "rerank",
    "score",
    "pooling",
    "tokenize",
    "detokenize",
    "ingest",
    "realtime",
    "client_secrets",
    "calls",
    "sessions",
    "interactions",
    "ocr",
    "invoke",
    "converse",
    "converse-stream",
    "invoke-with-response-stream",
    "invoke-with-bidirectional-stream",
    "count-tokens",
    "apply",
    "async-invoke",
    "retrieve",
    "retrieveAndGenerate",
    "infill",
    "completion",
    "graphql",
    "mcp",
    "embed",
    "parse",
    "classify",
    "summarize",
    "generate_stream",
    "threads",
    "runs",
    "assistants",
    "vector_stores",
    "fine_tuning",
    "jobs",
    "evals",
    "traces",
    "conversations",
    "items",
    "systemone",
    "tts",
];

/// Ends of more than one segment.
const OTHER_TAILS: &[&str] = &[
    "/api/chat",
    "/api/generate",
    "/api/v1/chat",
    "/v2/chat",
    "/v1/generate",
    "/prompts/completions",
    "/telemetry/runs",
    "/fim/completions",
];

/// Judges a request by its head.
pub(crate) fn head(head: &RequestHead) -> Head {
    let path = normal_path(head.path());
    let method = head.method.as_str();
    if method.is_empty() {
        return Head::Unknown;
    }
    if method == "GET" {
        return fetch_route(&path).map_or(Head::Other, Head::Api);
    }
    if method != "POST" {
        return Head::Other;
    }
    if let Some(route) = route(&path, head) {
        return Head::Api(route);
    }
    if is_other(&path) || !may_be_json(head) {
        return Head::Other;
    }
    Head::Unknown
}

/// Percent-decoded, without empty segments and a slash at the end.
fn normal_path(path: &str) -> String {
    let decoded = percent_decoded(path);
    let mut out = String::with_capacity(decoded.len());
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        out.push('/');
        out.push_str(segment);
    }
    out
}

fn percent_decoded(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, after) {
            (b'%', [high, low, tail @ ..]) => {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    out.push(high << 4 | low);
                    rest = tail;
                    continue;
                }
                out.push(byte);
            }
            _ => out.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn route(path: &str, head: &RequestHead) -> Option<Route> {
    let route = |api, certain| {
        let deployment = deployment_of(path);
        Some(Route { api, operation: operation(api), certain, deployment })
    };
    if path.ends_with("/chat/completions") {
        return route(Api::OpenAiChat, true);
    }
    match path.rsplit('/').next().unwrap_or_default() {
        "responses" => route(Api::OpenAiResponses, false),
        "embeddings" | "multimodalembeddings" => route(Api::OpenAiEmbeddings, false),
        "messages" => route(Api::AnthropicMessages, head.headers.get("anthropic-version").is_some()),
        _ => None,
    }
}

pub(crate) fn operation(api: Api) -> Operation {
    match api {
        Api::OpenAiEmbeddings => Operation::Embeddings,
        Api::OpenAiChat | Api::OpenAiResponses | Api::AnthropicMessages => Operation::Chat,
    }
}

/// `GET …/responses/{id}`.
fn fetch_route(path: &str) -> Option<Route> {
    let mut segments = path.rsplit('/');
    let id = segments.next().filter(|id| !id.is_empty())?;
    let certain = id.starts_with("resp_");
    (segments.next() == Some("responses")).then_some(Route {
        api: Api::OpenAiResponses,
        operation: Operation::FetchResponse,
        certain,
        deployment: None,
    })
}

/// `/openai/deployments/{name}/…` (Azure) and `/engines/{name}/…` (its forerunner).
fn deployment_of(path: &str) -> Option<String> {
    let mut segments = path.split('/');
    segments.find(|segment| matches!(*segment, "deployments" | "engines"))?;
    segments.next().filter(|name| !name.is_empty()).map(str::to_owned)
}

fn is_other(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    // Google's verbs: models/{m}:generateContent.
    let verb = last
        .rsplit_once(':')
        .is_some_and(|(_, verb)| verb.chars().all(char::is_alphanumeric) && !verb.is_empty());
    // Mistral's agents speak chat completions below a path of their own.
    let agents = path.ends_with("/agents/completions");
    let model_run = path.contains("/ai/run/");
    (OTHER_ENDS.contains(&last) && !agents)
        || OTHER_TAILS.iter().any(|tail| path.ends_with(tail))
        || verb
        || model_run
}

/// JSON by its media type, or without one.
fn may_be_json(head: &RequestHead) -> bool {
    head.headers.get("content-type").is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.contains("json") || kind.trim().is_empty()
    })
}

/// What a request body may be, on a path that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// `model` and `messages`: chat completions or Anthropic Messages; this one by its details.
    Messages { likely: Api, certain: bool },
    /// `model` and `input`: Responses or embeddings; this one by its details.
    Input { likely: Api },
}

impl Candidate {
    /// The more likely API.
    pub(crate) fn likely(self) -> Api {
        match self {
            Self::Messages { likely, .. } | Self::Input { likely } => likely,
        }
    }

    /// Whether the other body may show this API.
    pub(crate) fn admits(self, api: Api) -> bool {
        match self {
            Self::Messages { .. } => matches!(api, Api::OpenAiChat | Api::AnthropicMessages),
            Self::Input { .. } => matches!(api, Api::OpenAiResponses | Api::OpenAiEmbeddings),
        }
    }

    /// Whether a call may be recognised by the request alone, when the response tells nothing (an error, no answer).
    pub(crate) fn suffices(self) -> bool {
        matches!(self, Self::Messages { certain: true, .. })
    }
}

/// Judges a request body on a path that says nothing.
pub(crate) fn request(body: &Value, anthropic_header: bool) -> Option<Candidate> {
    if json::at(body, &["jsonrpc"]).is_some() {
        return None;
    }
    let model = json::str_at(body, &["model"]).is_some();
    if has_messages(body) {
        let anthropic =
            anthropic_header || model && json::at(body, &["max_tokens"]).is_some() && looks_anthropic(body);
        let likely = if anthropic { Api::AnthropicMessages } else { Api::OpenAiChat };
        return Some(Candidate::Messages { likely, certain: model });
    }
    if !model || json::at(body, &["messages"]).is_some() || json::at(body, &["prompt"]).is_some() {
        return None;
    }
    let responses = [
        "instructions",
        "tools",
        "previous_response_id",
        "max_output_tokens",
        "reasoning",
        "text",
        "stream",
        "store",
    ];
    match json::at(body, &["input"])? {
        Value::String(_) | Value::Array(_) => {
            let messages = has_role(json::array_at(body, &["input"]));
            let settings = responses.iter().any(|key| json::at(body, &[key]).is_some());
            let likely = if messages || settings { Api::OpenAiResponses } else { Api::OpenAiEmbeddings };
            Some(Candidate::Input { likely })
        }
        _ => None,
    }
}

/// Whether the body of a request to that API's path agrees with it.
pub(crate) fn agrees(api: Api, body: &Value) -> bool {
    let has = |key: &str| json::at(body, &[key]).is_some();
    match api {
        Api::OpenAiChat => has("messages") || has("model"),
        Api::OpenAiResponses => {
            let input = body.get("input").is_some_and(|input| input.is_string() || input.is_array());
            let reference =
                has("prompt") || has("previous_response_id") || has("conversation") || has("instructions");
            !has("messages") && !has("jsonrpc") && (reference || input && (has("model") || !has("data")))
        }
        Api::OpenAiEmbeddings => has("input") || has("inputs"),
        Api::AnthropicMessages => {
            has_messages(body) && (has("max_tokens") || has("model") || has("anthropic_version"))
                || has("model") && has("max_tokens")
        }
    }
}

fn has_messages(body: &Value) -> bool {
    has_role(json::array_at(body, &["messages"]))
}

fn has_role(items: &[Value]) -> bool {
    items.first().is_some_and(|first| json::str_at(first, &["role"]).is_some())
}

/// Things that only Anthropic's request has.
fn looks_anthropic(body: &Value) -> bool {
    let blocks = |message: &Value| {
        json::array_at(message, &["content"]).iter().any(|block| {
            matches!(
                json::str_at(block, &["type"]),
                Some("tool_use" | "tool_result" | "thinking" | "image" | "document")
            )
        })
    };
    json::at(body, &["system"]).is_some()
        || json::at(body, &["stop_sequences"]).is_some()
        || json::at(body, &["thinking"]).is_some()
        || json::array_at(body, &["tools"]).iter().any(|tool| json::at(tool, &["name"]).is_some())
        || json::array_at(body, &["messages"]).iter().any(blocks)
}

/// The API that a response body, or one item of a streamed response, shows.
pub(crate) fn response(event: &str, body: &Value) -> Option<Api> {
    match json::str_at(body, &["object"]) {
        Some("chat.completion" | "chat.completion.chunk" | "chat.completions") => {
            return Some(Api::OpenAiChat);
        }
        Some("response") => return Some(Api::OpenAiResponses),
        Some("list") if has_vectors(body) => return Some(Api::OpenAiEmbeddings),
        Some("text_completion" | "list" | "error" | "model") => return None,
        _ => {}
    }
    let kind = json::str_at(body, &["type"]).unwrap_or(event);
    match kind {
        "message" if json::at(body, &["content"]).is_some_and(Value::is_array) => {
            return Some(Api::AnthropicMessages);
        }
        "message_start"
        | "content_block_start"
        | "content_block_delta"
        | "content_block_stop"
        | "message_delta" => {
            return Some(Api::AnthropicMessages);
        }
        _ => {}
    }
    if kind.starts_with("response.")
        && (json::at(body, &["sequence_number"]).is_some() || json::at(body, &["response"]).is_some())
    {
        return Some(Api::OpenAiResponses);
    }
    let choices = json::array_at(body, &["choices"]);
    let chat =
        |choice: &Value| json::at(choice, &["delta"]).is_some() || json::at(choice, &["message"]).is_some();
    if choices.iter().any(chat) {
        return Some(Api::OpenAiChat);
    }
    if has_vectors(body) && json::at(body, &["usage"]).is_some() {
        return Some(Api::OpenAiEmbeddings);
    }
    None
}

/// `data[].embedding`.
fn has_vectors(body: &Value) -> bool {
    json::array_at(body, &["data"]).first().is_some_and(|first| json::at(first, &["embedding"]).is_some())
}

/// Root members that show, before a body has ended, that it is none of ours. Order of members is free, so only what never
/// stands in one of our requests counts.
pub(crate) fn is_foreign_key(key: &str) -> bool {
    matches!(
        key,
        "jsonrpc"
            | "query"
            | "contents"
            | "batch"
            | "resourceSpans"
            | "resourceMetrics"
            | "resourceLogs"
            | "documents"
            | "sql"
    )
}

/// Root members that a request of ours has at least one of.
pub(crate) fn is_own_key(key: &str) -> bool {
    matches!(key, "model" | "messages" | "input")
}

#[cfg(test)]
mod tests {
    use agent_wire::{Headers, Version};
    use serde_json::json;

    use super::*;

    fn request_head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
        let headers: Headers = headers.iter().copied().collect();
        head(&RequestHead { method: method.into(), target: target.into(), version: Version::Http11, headers })
    }

    fn api(method: &str, target: &str) -> Option<(Api, Operation)> {
        match request_head(method, target, &[]) {
            Head::Api(route) => Some((route.api, route.operation)),
            _ => None,
        }
    }

    #[test]
    fn paths_by_their_ends() {
        let chat = Some((Api::OpenAiChat, Operation::Chat));
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/chat/completions?api-version=1",
            "/v1/chat/completions/",
            "//openai/deployments/d/chat/completions",
            "/v1beta/openai/chat%2Fcompletions",
            "http://h/v1/chat/completions",
            "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
            "/serving-endpoints/chat/completions",
        ] {
            assert_eq!(api("POST", path), chat, "{path}");
        }
        assert_eq!(
            api("POST", "/backend-api/codex/responses"),
            Some((Api::OpenAiResponses, Operation::Chat))
        );
        assert_eq!(
            api("GET", "/v1/responses/resp_1?stream=true"),
            Some((Api::OpenAiResponses, Operation::FetchResponse))
        );
        assert_eq!(api("POST", "/v1/embeddings"), Some((Api::OpenAiEmbeddings, Operation::Embeddings)));
        assert_eq!(
            api("POST", "/anthropic/v1/messages?beta=true"),
            Some((Api::AnthropicMessages, Operation::Chat))
        );
        match request_head("POST", "/openai/deployments/my-gpt/chat/completions", &[]) {
            Head::Api(route) => assert_eq!(route.deployment.as_deref(), Some("my-gpt")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_paths_are_left_alone() {
        for path in [
            "/v1/messages/count_tokens",
            "/v1/messages/batches",
            "/v1/responses/compact",
            "/v1/responses/input_tokens",
            "/v1/responses/r/cancel",
            "/v1/completions",
            "/v2/chat",
            "/api/chat",
            "/api/generate",
            "/v1beta/models/g:generateContent",
            "/model/m/converse",
            "/model/us.anthropic.claude%3A0/invoke",
            "/v1/traces/ingest",
            "/v1/moderations",
            "/v1/rerank",
            "/api/embed",
            "/v1/fim/completions",
        ] {
            assert_eq!(request_head("POST", path, &[]), Head::Other, "{path}");
        }
        for (method, path) in [
            ("GET", "/v1/models"),
            ("GET", "/v1/chat/completions"),
            ("DELETE", "/v1/responses/resp_1"),
            ("OPTIONS", "/v1/messages"),
        ] {
            assert_eq!(request_head(method, path, &[]), Head::Other, "{method} {path}");
        }
        assert_eq!(
            request_head("POST", "/x", &[("Content-Type", "application/x-www-form-urlencoded")]),
            Head::Other
        );
        assert_eq!(
            request_head("POST", "/x", &[("Content-Type", "application/json; charset=utf-8")]),
            Head::Unknown
        );
        assert_eq!(request_head("POST", "/x", &[]), Head::Unknown);
        assert_eq!(request_head("", "", &[]), Head::Unknown);
    }

    #[test]
    fn bodies_on_unknown_paths() {
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(
            request(&chat, false),
            Some(Candidate::Messages { likely: Api::OpenAiChat, certain: true })
        );
        assert_eq!(request(&chat, true).map(Candidate::likely), Some(Api::AnthropicMessages));
        let claude = json!({"model": "m", "max_tokens": 1, "system": "s", "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(request(&claude, false).map(Candidate::likely), Some(Api::AnthropicMessages));
        assert_eq!(
            request(&json!({"model": "m", "input": "x"}), false).map(Candidate::likely),
            Some(Api::OpenAiEmbeddings)
        );
        assert_eq!(
            request(&json!({"model": "m", "input": "x", "stream": true}), false).map(Candidate::likely),
            Some(Api::OpenAiResponses)
        );
        for none in [
            json!({"jsonrpc": "2.0", "model": "m", "messages": [{"role": "user"}]}),
            json!({"prompt": "x", "model": "m"}),
            json!([]),
            json!({"model": "m", "input": {"prompt": "x"}}),
            json!({"query": "x"}),
            json!({"messages": ["a"]}),
        ] {
            assert_eq!(request(&none, false), None, "{none}");
        }
    }

    #[test]
    fn responses_by_shape() {
        assert_eq!(
            response("", &json!({"object": "chat.completion.chunk", "choices": []})),
            Some(Api::OpenAiChat)
        );
        assert_eq!(response("", &json!({"choices": [{"delta": {}}]})), Some(Api::OpenAiChat));
        assert_eq!(response("", &json!({"object": "text_completion", "choices": [{"text": ""}]})), None);
        assert_eq!(response("", &json!({"type": "message", "content": []})), Some(Api::AnthropicMessages));
        assert_eq!(response("content_block_delta", &json!({"index": 0})), Some(Api::AnthropicMessages));
        assert_eq!(
            response("", &json!({"type": "response.created", "response": {}})),
            Some(Api::OpenAiResponses)
        );
        assert_eq!(
            response("", &json!({"object": "list", "data": [{"embedding": []}]})),
            Some(Api::OpenAiEmbeddings)
        );
        assert_eq!(response("", &json!({"object": "list", "data": [{"id": "m"}]})), None);
        assert_eq!(response("", &json!({"message": {"role": "assistant"}, "done": true})), None);
    }
}
