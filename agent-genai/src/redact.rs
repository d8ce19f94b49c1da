//! Takes credentials out of everything that could be stored, printed or sent: headers, addresses, bodies, free text.
//!
//! What is secret follows from names (a header `x-api-key`, a member `client_secret`) and, in free text, from the fixed
//! beginnings that providers give to their keys. Opaque material that only its provider can read (thinking signatures,
//! encrypted reasoning) goes as well. Everything is linear in its input.

mod json;
mod names;
mod text;

use std::borrow::Cow;

use agent_wire::Headers;

pub use self::json::redact_json;
pub use self::text::redact_text;
use crate::call::{Call, Message, Part, ToolCall};

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Removes the fields that carry credentials, and cleans the values of the others (a `location` can hold a signed
/// address).
pub fn redact_headers(headers: &mut Headers) {
    headers.retain(|name, _| !names::is_secret_header(name));
    if headers.iter().any(|(_, value)| matches!(redact_text(value), Cow::Owned(_))) {
        *headers = headers.iter().map(|(name, value)| (name, redact_text(value))).collect();
    }
}

/// An address or request target with the values of secret query parameters, and a password before the host, replaced.
#[must_use]
pub fn redact_query(target: &str) -> String {
    redact_text(target).into_owned()
}

/// Cleans everything in a call that came as content: messages, tools, the words of an error.
pub fn redact_call(call: &mut Call) {
    if let Some(error) = &mut call.error {
        clean(&mut error.message);
        clean(&mut error.kind);
    }
    for (_, value) in &mut call.request.metadata {
        clean(value);
    }
    if let Some(retrieval) = &mut call.retrieval {
        retrieval.query.iter_mut().for_each(clean);
        retrieval.found.iter_mut().filter_map(|hit| hit.content.as_mut()).for_each(redact_json);
    }
    if let Some(rpc) = &mut call.rpc {
        rpc.arguments.iter_mut().chain(&mut rpc.result).for_each(redact_json);
        rpc.resource_uri.iter_mut().for_each(clean);
    }
    redact_parts(&mut call.request.system);
    for message in call.request.messages.iter_mut().chain(&mut call.response.messages) {
        redact_message(message);
    }
    call.response.tool_calls.iter_mut().for_each(redact_tool_call);
    for tool in &mut call.request.tools {
        if let Some(text) = &mut tool.description {
            clean(text);
        }
        if let Some(parameters) = &mut tool.parameters {
            redact_json(parameters);
        }
    }
}

/// Cleans one message.
pub fn redact_message(message: &mut Message) {
    redact_parts(&mut message.parts);
}

/// Cleans the parts of a message. Inline media stay: they are the content itself.
pub fn redact_parts(parts: &mut [Part]) {
    for part in parts {
        match part {
            Part::Text(text) | Part::Reasoning(text) => clean(text),
            Part::ToolCall(call) => redact_tool_call(call),
            Part::ToolCallResponse { response, .. } | Part::ServerToolCallResponse { response, .. } => {
                redact_json(response);
            }
            Part::ServerToolCall { call, .. } => redact_json(call),
            Part::Uri { uri, .. } => clean(uri),
            Part::Generic { value, .. } => redact_json(value),
            Part::Blob { .. } | Part::File { .. } => {}
        }
    }
}

fn redact_tool_call(call: &mut ToolCall) {
    if let Some(arguments) = &mut call.arguments {
        redact_json(arguments);
    }
}

fn clean(text: &mut String) {
    if let Cow::Owned(cleaned) = redact_text(text) {
        *text = cleaned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_headers_go_and_others_stay() {
        let mut headers: Headers = [
            ("Authorization", "Bearer abc"),
            ("X-Api-Key", "k"),
            ("x-goog-api-key", "k"),
            ("X-OpenAI-Api-Key", "k"),
            ("Cookie", "a=b"),
            ("Set-Cookie", "a=b"),
            ("x-amz-security-token", "t"),
            ("ocp-apim-subscription-key", "k"),
            ("helicone-auth", "k"),
            ("cf-aig-authorization", "k"),
            ("sec-websocket-protocol", "realtime, openai-insecure-api-key.x"),
            ("x-codex-turn-state", "s"),
            ("chatgpt-account-id", "a"),
            ("idempotency-key", "stays"),
            ("x-ratelimit-remaining-tokens", "10"),
            ("x-amzn-bedrock-input-token-count", "3"),
            ("x-stainless-lang", "python"),
            ("openai-organization", "org"),
            ("location", "https://x.example/a?sig=abc&b=1"),
        ]
        .into_iter()
        .collect();
        redact_headers(&mut headers);
        let left: Vec<(&str, &str)> = headers.iter().collect();
        assert_eq!(
            left,
            [
                ("idempotency-key", "stays"),
                ("x-ratelimit-remaining-tokens", "10"),
                ("x-amzn-bedrock-input-token-count", "3"),
                ("x-stainless-lang", "python"),
                ("openai-organization", "org"),
                ("location", "https://x.example/a?sig=[redacted]&b=1"),
            ]
        );
    }

    #[test]
    fn addresses_lose_secret_parameters_and_passwords() {
        for (target, expected) in [
            ("/v1beta/models/g:x?key=AIzaSy&alt=sse", "/v1beta/models/g:x?key=[redacted]&alt=sse"),
            ("/x?alt=sse&API_KEY=abc", "/x?alt=sse&API_KEY=[redacted]"),
            ("/x?X-Amz-Signature=ab%2Fc#f", "/x?X-Amz-Signature=[redacted]#f"),
            ("/x?access%5Ftoken=a", "/x?access%5Ftoken=[redacted]"),
            ("https://user:pass@host:8/p?monkey=1", "https://[redacted]@host:8/p?monkey=1"),
            ("/x?key=&b=2", "/x?key=&b=2"),
            ("/x?api-version=2024-10-21", "/x?api-version=2024-10-21"),
        ] {
            assert_eq!(redact_query(target), expected);
        }
    }
}
