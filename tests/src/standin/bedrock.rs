//! The stand-in's Amazon Bedrock side: Converse and InvokeModel (Claude, Titan embeddings), whole and as event streams.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Entity, Question};
use super::seen::Facts;

/// The model and the action of a path: `…/model/MODEL/ACTION`, the model with `%3A` for a colon.
pub(super) fn place(path: &str) -> Option<(String, &str)> {
    let (model, action) = path.rsplit_once("/model/")?.1.split_once('/')?;
    Some((model.replace("%3A", ":").replace("%3a", ":"), action))
}

/// `POST …/model/MODEL/ACTION`
pub(super) fn answer(question: &Question<'_>, model: &str, action: &str) -> Answer {
    if let Some(status) = question.wish.status {
        return error(model, action, status);
    }
    match action {
        "converse" => converse(question, facts(question, model, false)),
        "converse-stream" => converse_stream(question, facts(question, model, true)),
        "invoke" if model.starts_with("amazon.titan-embed") => embeddings(question, model),
        "invoke" => invoke(question, facts(question, model, false)),
        "invoke-with-response-stream" => invoke_stream(question, facts(question, model, true)),
        _ => error(model, action, 404),
    }
}

fn facts(question: &Question<'_>, model: &str, stream: bool) -> Facts {
    Facts {
        operation: "chat".into(),
        model: model.to_owned(),
        // Converse answers carry no id.
        id: String::new(),
        stream,
        input: Some(question.input_tokens()),
        output: Some(question.output_tokens()),
        cached: Some(question.cached_tokens()),
        finish: Some(if function(question).is_some() { "tool_use" } else { "end_turn" }.into()),
        error: None,
    }
}

/// Name of the first tool on offer, in either form, unless one's result was just handed in.
fn function(question: &Question<'_>) -> Option<String> {
    let last = question.body.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
    let parts = last.and_then(|message| message.get("content")).and_then(Value::as_array);
    if parts.is_some_and(|parts| parts.iter().any(|part| part.get("toolResult").is_some())) {
        return None;
    }
    let converse = question.body.pointer("/toolConfig/tools/0/toolSpec/name").and_then(Value::as_str);
    converse.map(str::to_owned).or_else(|| question.tool())
}

fn usage(question: &Question<'_>) -> Value {
    let (input, output, cached) =
        (question.input_tokens(), question.output_tokens(), question.cached_tokens());
    json!({"inputTokens": input - cached, "outputTokens": output, "totalTokens": input + output,
        "cacheReadInputTokens": cached, "cacheWriteInputTokens": 0})
}

fn converse(question: &Question<'_>, facts: Facts) -> Answer {
    let block = match function(question) {
        Some(name) => {
            json!({"toolUse": {"toolUseId": question.id("tooluse_"), "name": name, "input": question.tool_arguments()}})
        }
        None => json!({"text": question.text()}),
    };
    let body = json!({"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": facts.finish,
        "usage": usage(question), "metrics": {"latencyMs": 7}});
    Answer::json(&body, Some(facts))
}

fn converse_stream(question: &Question<'_>, mut facts: Facts) -> Answer {
    let mut events = vec![message("messageStart", &json!({"role": "assistant"}))];
    match function(question) {
        Some(name) => {
            let start = json!({"toolUse": {"toolUseId": question.id("tooluse_"), "name": name}});
            events.push(message("contentBlockStart", &json!({"contentBlockIndex": 0, "start": start})));
            let arguments: Vec<char> = question.tool_arguments().to_string().chars().collect();
            for piece in arguments.chunks(7) {
                let piece: String = piece.iter().collect();
                let delta = json!({"toolUse": {"input": piece}});
                events.push(message("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta})));
            }
        }
        None => {
            for piece in question.text_chunks() {
                let delta = json!({"text": piece});
                events.push(message("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta})));
            }
        }
    }
    if question.wish.error_in_stream {
        events.truncate(3);
        events.push(exception("throttlingException", "too many tokens"));
        facts = Facts { input: None, output: None, cached: None, finish: None, ..facts };
        facts.error = Some("throttlingException".into());
        return event_stream(events, facts);
    }
    events.push(message("contentBlockStop", &json!({"contentBlockIndex": 0})));
    events.push(message("messageStop", &json!({"stopReason": facts.finish})));
    events.push(message("metadata", &json!({"usage": usage(question), "metrics": {"latencyMs": 7}})));
    event_stream(events, facts)
}

/// Claude's own message; it knows its model by Anthropic's name.
fn claude(question: &Question<'_>, facts: &Facts, output: u64) -> Value {
    let cached = question.cached_tokens();
    let model = facts.model.trim_start_matches("anthropic.").trim_end_matches("-v1:0");
    json!({"id": facts.id, "type": "message", "role": "assistant", "model": model,
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": question.input_tokens() - cached, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached, "output_tokens": output}})
}

fn invoke(question: &Question<'_>, facts: Facts) -> Answer {
    let facts = Facts { id: question.id("msg_bdrk_"), ..facts };
    let block = match question.tool() {
        Some(name) => {
            json!({"type": "tool_use", "id": question.id("toolu_bdrk_"), "name": name, "input": question.tool_arguments()})
        }
        None => json!({"type": "text", "text": question.text()}),
    };
    let mut body = claude(question, &facts, question.output_tokens());
    if let Some(body) = body.as_object_mut() {
        body.insert("content".to_owned(), json!([block]));
        body.insert("stop_reason".to_owned(), json!(facts.finish));
    }
    Answer::json(&body, Some(facts))
}

fn invoke_stream(question: &Question<'_>, facts: Facts) -> Answer {
    let facts = Facts { id: question.id("msg_bdrk_"), ..facts };
    let mut events = vec![
        json!({"type": "message_start", "message": claude(question, &facts, 1)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    for piece in question.text_chunks() {
        events.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}));
    }
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events
        .push(json!({"type": "message_delta", "delta": {"stop_reason": facts.finish, "stop_sequence": null},
        "usage": {"output_tokens": question.output_tokens()}}));
    events.push(json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": {
        "inputTokenCount": question.input_tokens() - question.cached_tokens(), "outputTokenCount": question.output_tokens(),
        "cacheReadInputTokenCount": question.cached_tokens(), "invocationLatency": 7, "firstByteLatency": 3}}));
    let chunk = |event: &Value| message("chunk", &json!({"bytes": STANDARD.encode(event.to_string())}));
    event_stream(events.iter().map(chunk).collect(), facts)
}

fn embeddings(question: &Question<'_>, model: &str) -> Answer {
    let dimensions = question.body.get("dimensions").and_then(Value::as_u64).unwrap_or(8);
    let values: Vec<f64> = (0..dimensions).map(|_| 0.5).collect();
    let facts = Facts {
        operation: "embeddings".into(),
        model: model.to_owned(),
        input: Some(question.input_tokens()),
        ..Facts::default()
    };
    Answer::json(&json!({"embedding": values, "inputTextTokenCount": question.input_tokens()}), Some(facts))
}

fn error(model: &str, action: &str, status: u16) -> Answer {
    let kind = match status {
        400 => "ValidationException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    };
    let operation = if model.starts_with("amazon.titan-embed") { "embeddings" } else { "chat" };
    let facts = Facts {
        operation: operation.into(),
        model: model.to_owned(),
        stream: action.ends_with("-stream"),
        error: Some(kind.into()),
        ..Facts::default()
    };
    let answer =
        Answer::error(status, &json!({"message": format!("the stand-in answers {status}")}), Some(facts));
    Answer { headers: vec![("x-amzn-errortype", kind.to_owned())], ..answer }
}

fn event_stream(events: Vec<Bytes>, facts: Facts) -> Answer {
    Answer {
        status: 200,
        content_type: "application/vnd.amazon.eventstream",
        headers: Vec::new(),
        entity: Entity::Stream(events),
        facts: Some(facts),
    }
}

fn message(event: &str, payload: &Value) -> Bytes {
    frame(
        &[(":event-type", event), (":content-type", "application/json"), (":message-type", "event")],
        payload.to_string().as_bytes(),
    )
}

fn exception(kind: &str, text: &str) -> Bytes {
    frame(
        &[(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")],
        json!({"message": text}).to_string().as_bytes(),
    )
}

/// One message of an event stream: total length, length of the headers, their checksum; headers with values of type 7 (string);
/// the payload; the checksum of all of it. Numbers are big-endian.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    const STRING: u8 = 7;
    const AROUND: usize = 16;
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        block.extend_from_slice(name.as_bytes());
        block.push(STRING);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&length(AROUND + block.len() + payload.len()));
    out.extend_from_slice(&length(block.len()));
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&block);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_action_come_from_the_path() {
        let (model, action) = place("/model/anthropic.claude-v1%3A0/converse-stream").unwrap();
        assert_eq!((model.as_str(), action), ("anthropic.claude-v1:0", "converse-stream"));
        assert_eq!(place("/model/x"), None);
    }

    #[test]
    fn frames_have_the_lengths_they_say() {
        let frame = message("metadata", &json!({"a": 1}));
        let length = |at: usize| {
            let bytes = frame.get(at..at + 4).unwrap();
            bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
        };
        assert_eq!(length(0), frame.len());
        assert_eq!(length(4) + 16 + r#"{"a":1}"#.len(), frame.len());
        let (body, sum) = frame.split_at(frame.len() - 4);
        assert_eq!(crc32fast::hash(body).to_be_bytes(), sum);
    }
}
