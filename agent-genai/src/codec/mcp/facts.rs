//! What the parameters and results of MCP's methods say.

use serde_json::Value;

use crate::call::{CallError, Rpc};
use crate::codec::content::scrubbed;
use crate::codec::{error, json};
use crate::skim;

/// Prefix of the members of `_meta` that the protocol itself defines.
const PREFIX: &str = "io.modelcontextprotocol/";
/// Most tools of a listing whose names are kept.
const MAX_TOOLS: usize = 512;
/// Most kinds of content that are told.
const MAX_KINDS: usize = 16;

/// The context that the sender put into the message: W3C `traceparent`.
pub(super) fn traceparent(params: &Value) -> Option<String> {
    json::str_at(params, &["_meta", "traceparent"]).filter(|text| text.len() <= 128).map(str::to_owned)
}

pub(super) fn of_request(method: &str, params: &Value, content: bool, rpc: &mut Rpc) {
    let name = || text(params, &["name"]);
    match method {
        "tools/call" => {
            rpc.tool = name();
            rpc.arguments = json::at(params, &["arguments"]).filter(|_| content).map(scrubbed);
        }
        "prompts/get" => rpc.prompt = name(),
        "completion/complete" => {
            rpc.prompt = text(params, &["ref", "name"]);
            rpc.resource_uri = text(params, &["ref", "uri"]);
        }
        _ => rpc.resource_uri = text(params, &["uri"]),
    }
    let meta = |name: &str| json::at(params, &["_meta", &format!("{PREFIX}{name}")]);
    if let Some(version) =
        meta("protocolVersion").and_then(Value::as_str).or_else(|| json::str_at(params, &["protocolVersion"]))
    {
        rpc.protocol_version = Some(version.to_owned());
    }
    rpc.client = json::at(params, &["clientInfo"]).or_else(|| meta("clientInfo")).and_then(side);
}

/// Reads a result; the error of a tool that failed. The members are read by their names, because the method of a request that came by
/// another exchange is not known here.
pub(super) fn of_result(result: &Value, content: bool, rpc: &mut Rpc) -> Option<CallError> {
    if let Some(version) = json::string_at(result, &["protocolVersion"]) {
        rpc.protocol_version = Some(version);
    }
    let info = json::at(result, &["_meta", &format!("{PREFIX}serverInfo")]);
    rpc.server = json::at(result, &["serverInfo"]).or(info).and_then(side);
    rpc.result_type = text(result, &["resultType"]);
    rpc.tools_listed = json::array_at(result, &["tools"])
        .iter()
        .filter_map(|tool| text(tool, &["name"]))
        .take(MAX_TOOLS)
        .collect();
    let blocks = json::array_at(result, &["content"]);
    for kind in blocks.iter().filter_map(|block| json::str_at(block, &["type"])) {
        if rpc.content_types.len() < MAX_KINDS && !rpc.content_types.iter().any(|known| known == kind) {
            rpc.content_types.push(kind.to_owned());
        }
    }
    rpc.structured = json::at(result, &["structuredContent"]).is_some();
    if content {
        // Wherever the method is not one of a tool the span leaves it out.
        rpc.result = Some(scrubbed(result));
    }
    if json::bool_at(result, &["isError"]) != Some(true) {
        return None;
    }
    // What the tool said about it is content.
    Some(error::own("tool_error", "the tool reported a failure"))
}

/// Name and version of a side.
fn side(info: &Value) -> Option<(String, Option<String>)> {
    text(info, &["name"]).map(|name| (name, text(info, &["version"])))
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    json::str_at(value, path).map(|text| skim::text_head(text).0.to_owned())
}
