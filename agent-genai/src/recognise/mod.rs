//! Which API an exchange speaks: by the end of its path, confirmed or refused by the shape of its bodies.
//!
//! Hosts say nothing here, unless a row asks for one: gateways, private names and localhost serve the same APIs.

mod path;
pub(crate) mod shape;

use agent_wire::RequestHead;
use serde_json::Value;

use self::path::Match;
pub(crate) use self::path::percent_decoded;
pub(crate) use self::shape::{
    Candidate, Shown, agrees, attached_response, is_foreign_key, is_own_key, request, session,
};
use crate::call::{Api, Operation};
use crate::codec::mcp;
use crate::codec::spec::{Row, Spec};

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
    /// The row that matched.
    pub(crate) row: &'static Row,
    /// The model that the path names.
    pub(crate) model: Option<String>,
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
    "complete",
    "generations",
    "edits",
    "variations",
    "transcriptions",
    "translations",
    "speech",
    "videos",
    "score",
    "pooling",
    "tokenize",
    "detokenize",
    "ingest",
    "realtime",
    "client_secrets",
    "calls",
    "sessions",
    "invoke",
    "converse",
    "converse-stream",
    "invoke-with-response-stream",
    "invoke-with-bidirectional-stream",
    "count-tokens",
    "apply",
    "async-invoke",
    "retrieve",
    "embed",
    "parse",
    "classify",
    "summarize",
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

/// Judges a request by its head.
pub(crate) fn head(head: &RequestHead) -> Head {
    let method = match head.method.as_str() {
        "" => return Head::Unknown,
        _ if is_websocket(head) => "WS",
        method => method,
    };
    let segments = path::segments(head.path());
    if let Some(certain) = mcp::at_head(head).filter(|_| method != "WS") {
        let found = Match { spec: &mcp::SPEC, row: &mcp::ANY_PATH, model: None };
        let claimed = path::find(method, head, &segments, |_| true).filter(|_| !certain && method == "GET");
        let route = route(claimed.unwrap_or(found), head, &segments);
        return Head::Api(Route { certain: certain || route.certain, ..route });
    }
    let whole = path::split_again(&segments);
    let any = |_: &Spec| true;
    let found = path::find(method, head, &segments, any).or_else(|| path::find(method, head, &whole, any));
    if let Some(found) = found {
        return Head::Api(route(found, head, &segments));
    }
    if method == "WS" {
        return Head::Unknown;
    }
    let path = format!("/{}", whole.join("/"));
    // A path in the unknown part of a compressed head is no path.
    let unseen = head.target.is_empty();
    if method != "POST" || !unseen && is_other(&path) || !may_be_json(head) {
        return Head::Other;
    }
    Head::Unknown
}

/// Another API of the same path that takes this body, when the best by its path alone does not.
pub(crate) fn rival(head: &RequestHead, body: &Value) -> Option<Route> {
    let segments = path::segments(head.path());
    let found = path::find(&head.method, head, &segments, |spec| (spec.request)(body))?;
    Some(route(found, head, &segments))
}

fn route(found: Match, head: &RequestHead, segments: &[String]) -> Route {
    let Match { spec, row, model } = found;
    // The header proves Anthropic's API wherever it is mounted.
    let proven = spec.api == Api::AnthropicMessages && head.headers.get("anthropic-version").is_some();
    let certain = row.certain || proven;
    Route {
        api: spec.api,
        operation: row.operation,
        certain,
        row,
        model,
        deployment: deployment_of(segments),
    }
}

/// The opening of a WebSocket session, over HTTP/1.1 (RFC 6455 section 4.1) or HTTP/2 (RFC 8441).
pub(crate) fn is_websocket(head: &RequestHead) -> bool {
    let is = |name: &str| {
        head.headers.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket"))
    };
    head.method == "GET" && is("upgrade") || head.method == "CONNECT" && is(":protocol")
}

/// `/openai/deployments/{name}/…` (Azure) and `/engines/{name}/…` (its forerunner).
fn deployment_of(segments: &[String]) -> Option<String> {
    let mut segments = segments.iter();
    segments.find(|segment| matches!(segment.as_str(), "deployments" | "engines"))?;
    segments.next().cloned()
}

fn is_other(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    // Google's verbs: models/{m}:generateContent.
    let verb = last
        .rsplit_once(':')
        .is_some_and(|(_, verb)| verb.chars().all(char::is_alphanumeric) && !verb.is_empty());
    OTHER_ENDS.contains(&last) || verb
}

/// JSON by its media type, or without one.
fn may_be_json(head: &RequestHead) -> bool {
    head.headers.get("content-type").is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.contains("json") || kind.trim().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use agent_wire::{Headers, Version};
    use serde_json::json;

    use super::shape::response;
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
        for path in ["/v1/messages/batches", "/v1/traces/ingest"] {
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
    fn ends_of_other_paths_are_none_of_a_row() {
        for end in OTHER_ENDS {
            assert_eq!(request_head("POST", &format!("/x/{end}"), &[]), Head::Other, "{end}");
        }
    }

    #[test]
    fn bodies_on_unknown_paths() {
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(
            request(&chat, false),
            Some(Candidate::Messages { likely: Api::OpenAiChat, certain: true })
        );
        assert_eq!(request(&chat, true).and_then(Candidate::likely), Some(Api::AnthropicMessages));
        let claude = json!({"model": "m", "max_tokens": 1, "system": "s", "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(request(&claude, false).and_then(Candidate::likely), Some(Api::AnthropicMessages));
        assert_eq!(
            request(&json!({"model": "m", "input": "x"}), false).and_then(Candidate::likely),
            Some(Api::OpenAiEmbeddings)
        );
        assert_eq!(
            request(&json!({"model": "m", "input": "x", "stream": true}), false).and_then(Candidate::likely),
            Some(Api::OpenAiResponses)
        );
        assert_eq!(request(&json!({"prompt": "x", "model": "m"}), false), Some(Candidate::Sniffed));
        for none in [
            json!({"prompt": "x"}),
            json!({"jsonrpc": "2.0", "model": "m", "messages": [{"role": "user"}]}),
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
