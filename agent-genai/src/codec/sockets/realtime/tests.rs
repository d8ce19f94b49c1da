use agent_wire::Role;

use super::*;
use crate::codec::fixture::{BARE, CONTENT};

fn run(options: CodecOptions, messages: &[(bool, Value)]) -> Vec<Call> {
    let mut session = Realtime::new(options);
    let template = Call::new(Api::Realtime, Operation::Chat, Role::Client);
    for (time, (from_client, value)) in (1_u64..).zip(messages) {
        session.message(
            &SessionMessage { from_client: *from_client, event: "", value, bytes: 10, at: time },
            &template,
        );
    }
    session.end(&ExchangeEnd::default(), &template);
    std::iter::from_fn(|| session.take()).collect()
}

fn session() -> (bool, Value) {
    (
        false,
        json!({"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime", "output_modalities": ["audio"],
        "audio": {"input": {"transcription": {"model": "whisper-1"}}}, "tools": [{"type": "function", "name": "weather"}]}}),
    )
}

fn done(status: &str, details: &Value, output: &Value) -> (bool, Value) {
    (
        false,
        json!({"type": "response.done", "response": {"object": "realtime.response", "id": "resp_1", "status": status, "status_details": details,
        "conversation_id": "conv_1", "output": output,
        "usage": {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10, "input_token_details": {"text_tokens": 15, "audio_tokens": 5, "cached_tokens": 4},
            "output_token_details": {"text_tokens": 4, "audio_tokens": 6}}}}),
    )
}

#[test]
fn what_waits_is_counted() {
    let mut session = Realtime::new(CONTENT);
    let template = Call::new(Api::Realtime, Operation::Chat, Role::Client);
    let mut send = |value: &Value| {
        let message = SessionMessage { from_client: true, event: "", value, bytes: 10, at: 1 };
        session.message(&message, &template);
        session.held_bytes()
    };
    let long = "x".repeat(10_000);
    assert!(send(&json!({"type": "session.update", "session": {"instructions": long}})) > 9_999);
    let input = json!({"type": "response.create", "response": {"input": [{"type": "message", "content": long}], "temperature": 0.5}});
    assert!(send(&input) < 12_000, "what is not read is not held");
    assert!(send(&json!({"type": "response.create", "response": {"instructions": long}})) > 20_000);
}

#[test]
fn a_turn_with_a_tool_call() {
    let output = json!([{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Bern\"}"}]);
    let calls = run(
        CONTENT,
        &[
            session(),
            (
                true,
                json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Bern?"}]}}),
            ),
            (true, json!({"type": "response.create"})),
            (
                false,
                json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}),
            ),
            (false, json!({"type": "response.function_call_arguments.done", "response_id": "resp_1"})),
            done("completed", &Value::Null, &output),
        ],
    );
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    assert_eq!(
        (call.request.model.as_deref(), call.response.id.as_deref()),
        (Some("gpt-realtime"), Some("resp_1"))
    );
    assert_eq!(
        (call.usage.input, call.usage.audio_input, call.usage.cache_read, call.usage.audio_output),
        (Some(20), Some(5), Some(4), Some(6))
    );
    assert_eq!(
        (call.response.finish_reasons.as_slice(), call.response.tool_calls[0].name.as_str()),
        (&["tool_calls".to_owned()][..], "weather")
    );
    assert_eq!(
        (call.request.conversation_id.as_deref(), call.timing.start, call.timing.first_chunk),
        (Some("conv_1"), 3, Some(5))
    );
    assert_eq!(
        (call.request.messages.len(), call.request.tools.len(), call.request.output_type.as_deref()),
        (1, 1, Some("speech"))
    );
}

#[test]
fn endings() {
    let ending = |status: &str, details: Value| {
        let created = (false, json!({"type": "response.created", "response": {"id": "resp_1"}}));
        run(BARE, &[session(), created, done(status, &details, &json!([]))]).remove(0)
    };
    assert_eq!(
        ending("incomplete", json!({"reason": "max_output_tokens"})).response.finish_reasons,
        ["length"]
    );
    assert_eq!(
        ending("cancelled", json!({"reason": "turn_detected"})).response.finish_reasons,
        ["cancelled"]
    );
    let failed = ending(
        "failed",
        json!({"error": {"type": "server_error", "code": "insufficient_quota", "message": "no"}}),
    );
    assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("insufficient_quota"));
    let cut =
        run(BARE, &[session(), (false, json!({"type": "response.created", "response": {"id": "resp_1"}}))])
            .remove(0);
    assert!(cut.completeness.truncated && !cut.usage.is_reported());
}

#[test]
fn transcriptions_are_billed_apart() {
    let calls = run(
        BARE,
        &[
            session(),
            (false, json!({"type": "input_audio_buffer.committed"})),
            (
                false,
                json!({"type": "conversation.item.input_audio_transcription.completed", "transcript": "hi", "usage": {"type": "duration", "seconds": 3}}),
            ),
        ],
    );
    assert_eq!(
        (calls[0].request.model.as_deref(), calls[0].usage.units.len(), calls[0].timing.start),
        (Some("whisper-1"), 1, 2)
    );
}

#[test]
fn a_refused_request_is_a_failed_call_and_other_errors_are_none() {
    let error = (
        false,
        json!({"type": "error", "error": {"type": "invalid_request_error", "code": "bad", "message": "no"}}),
    );
    assert_eq!(run(BARE, &[session(), error.clone()]).len(), 0);
    let calls = run(BARE, &[session(), (true, json!({"type": "response.create"})), error]);
    assert_eq!(calls[0].error.as_ref().map(|error| error.message.as_str()), Some("no"));
}
