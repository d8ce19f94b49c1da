//! By what a head or a body shows that it is MCP.

use agent_wire::RequestHead;
use serde_json::Value;

use crate::codec::json;
use crate::codec::jsonrpc::{self, Message};

/// Longest name of a method.
pub(super) const MAX_METHOD: usize = 128;

/// Header fields that nothing else has.
const FIELDS: &[&str] = &["mcp-session-id", "mcp-protocol-version", "mcp-method"];

/// Whether the head of a request is MCP's whatever its path, and whether it alone is proof.
///
/// Besides its header fields there are two forms of the first protocol: the event stream that every session opens with, and the
/// messages sent to the address that this stream gave.
pub(crate) fn at_head(head: &RequestHead) -> Option<bool> {
    let posts = head.method == "POST";
    let listens = head.method == "GET" && accepts_events(head);
    if (posts || listens) && is_marked(head) {
        return Some(true);
    }
    let path = head.path().trim_end_matches('/');
    let addressed = posts
        && channel(&head.target).is_some()
        && (path.ends_with("/messages") || path.ends_with("/message"));
    (addressed || listens && head.headers.get("last-event-id").is_none()).then_some(false)
}

/// Whether the head carries one of MCP's own fields.
pub(super) fn is_marked(head: &RequestHead) -> bool {
    FIELDS.iter().any(|field| head.headers.get(field).is_some())
}

fn accepts_events(head: &RequestHead) -> bool {
    head.headers.get("accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"))
}

/// The session named by the query of an address, as the servers of the first protocol write it.
pub(super) fn channel(target: &str) -> Option<String> {
    let (_, query) = target.trim().split_once('?')?;
    let pairs = query.split('#').next().unwrap_or_default().split('&');
    let named = pairs.filter_map(|pair| pair.split_once('='));
    let mut ids = named.filter(|(name, _)| matches!(*name, "session_id" | "sessionId" | "sessionid"));
    ids.next().map(|(_, id)| id.to_owned()).filter(|id| !id.is_empty() && id.len() <= 256)
}

/// The path of an address without scheme and host: it stands for a session that the query does not name.
pub(super) fn path_of(target: &str) -> String {
    let target = target.trim();
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    path.chars().take(256).collect()
}

/// Whether a body is a JSON-RPC message that may be MCP's, on a path or under a head that says so.
pub(super) fn is_message(body: &Value) -> bool {
    match jsonrpc::read(body) {
        Some(Message::Request { method, params, .. }) => method == "ping" || is_method(method, params),
        Some(Message::Notification { method, .. }) => method.starts_with("notifications/"),
        Some(Message::Answer { .. }) => true,
        None => false,
    }
}

/// Whether a body is MCP's wherever it stands.
pub(super) fn is_request(body: &Value) -> bool {
    match jsonrpc::read(body) {
        Some(Message::Request { method, params, .. }) => is_method(method, params),
        Some(Message::Notification { method, .. }) => NOTIFICATIONS.contains(&method),
        Some(Message::Answer { .. }) | None => false,
    }
}

/// Whether a method, with its parameters where the name alone is not enough, is one of MCP's.
pub(super) fn is_method(method: &str, params: &Value) -> bool {
    match method {
        // The language server protocol has it, too.
        "initialize" => json::str_at(params, &["protocolVersion"]).is_some(),
        // A2A has them, too, and names the task `id`.
        "tasks/get" | "tasks/result" | "tasks/list" | "tasks/cancel" | "tasks/update" => {
            json::at(params, &["taskId"]).is_some() || json::at(params, &["_meta"]).is_some()
        }
        _ => METHODS.contains(&method),
    }
}

const METHODS: &[&str] = &[
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "subscriptions/listen",
];

const NOTIFICATIONS: &[&str] = &[
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/prompts/list_changed",
    "notifications/tools/list_changed",
    "notifications/roots/list_changed",
    "notifications/elicitation/complete",
    "notifications/tasks/status",
];
