//! Attributes of remote procedure spans: MCP by the conventions for it, A2A and gRPC by those for RPC.

use super::builder::Builder;
use crate::call::{Call, Operation, Rpc};
use crate::codec::grpc::status_name;
use crate::semconv::attribute as name;

/// `{method} {tool or prompt}`.
pub(super) fn span_name(rpc: &Rpc) -> String {
    let about = rpc.tool.as_ref().or(rpc.prompt.as_ref());
    about.map_or_else(|| rpc.method.clone(), |about| format!("{} {about}", rpc.method))
}

/// gRPC's codes have names, JSON-RPC's have none.
fn status_of(rpc: &Rpc) -> impl Fn(i64) -> String {
    let grpc = rpc.system == "grpc";
    move |code| if grpc { status_name(code) } else { code.to_string() }
}

pub(super) fn attributes(rpc: &Rpc, call: &Call, content: bool, out: &mut Builder) {
    let mcp = rpc.system == "mcp";
    if mcp {
        out.set(name::MCP_METHOD_NAME, rpc.method.as_str());
        out.text(name::MCP_PROTOCOL_VERSION, rpc.protocol_version.as_ref());
        out.text(name::MCP_SESSION_ID, rpc.session_id.as_ref());
        out.text(name::MCP_RESOURCE_URI, rpc.resource_uri.as_ref());
        out.set(name::NETWORK_TRANSPORT, "tcp");
        out.set(name::NETWORK_PROTOCOL_NAME, rpc.transport);
        out.some(name::NETWORK_PROTOCOL_VERSION, rpc.transport_version);
        out.text(name::MCP_RESULT_TYPE, rpc.result_type.as_ref());
        out.list(name::MCP_CONTENT_TYPES, &rpc.content_types);
        out.some(name::MCP_STRUCTURED, rpc.structured.then_some(true));
        out.some(name::MCP_NOTIFICATION_COUNT, rpc.messages.map(|(_, received)| received));
    } else {
        out.set(name::RPC_SYSTEM_NAME, if rpc.system == "grpc" { "grpc" } else { "jsonrpc" });
        out.set(name::RPC_METHOD, rpc.method.as_str());
        out.text(name::A2A_TASK_ID, rpc.session_id.as_ref().filter(|_| rpc.system == "a2a"));
    }
    out.text(name::JSONRPC_REQUEST_ID, rpc.request_id.as_ref());
    out.some(name::RPC_RESPONSE_STATUS_CODE, rpc.status_code.map(status_of(rpc)));
    out.text(name::TOOL_NAME, rpc.tool.as_ref());
    out.text(name::PROMPT_NAME, rpc.prompt.as_ref());
    out.list(name::MCP_TOOLS_LISTED, &rpc.tools_listed);
    for (key, version, side) in [
        (name::MCP_CLIENT_NAME, name::MCP_CLIENT_VERSION, &rpc.client),
        (name::MCP_SERVER_NAME, name::MCP_SERVER_VERSION, &rpc.server),
    ] {
        if let Some((who, which)) = side {
            out.set(key, who.as_str());
            out.text(version, which.as_ref());
        }
    }
    if let Some((sent, received)) = rpc.message_bytes {
        out.set(name::RPC_BYTES_SENT, sent);
        out.set(name::RPC_BYTES_RECEIVED, received);
    }
    if let Some((sent, received)) = rpc.messages.filter(|_| !mcp) {
        out.set(name::RPC_MESSAGES_SENT, sent);
        out.set(name::RPC_MESSAGES_RECEIVED, received);
    }
    if content && call.operation == Operation::ExecuteTool {
        out.some(name::TOOL_CALL_ARGUMENTS, rpc.arguments.clone());
        out.some(name::TOOL_CALL_RESULT, rpc.result.clone());
    }
}
