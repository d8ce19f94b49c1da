use agent_wire::{
    Body, ExchangeEnd, Headers, MessageEnd, RequestHead, ResponseHead, Role, SseEvent, Version,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::call::{Api, Call, Operation, Part};
use crate::codec::fixture;
use crate::{Decoder, DecoderOptions};

fn exchange(
    target: &str,
    ask: &Value,
    status: Option<u16>,
    answers: &[Value],
    stream: bool,
    content: bool,
) -> Vec<Call> {
    let head = RequestHead {
        method: "POST".into(),
        target: target.into(),
        version: Version::Http11,
        headers: [("host", "agent:9999")].into_iter().collect(),
    };
    let decoder = Decoder::new(DecoderOptions { content, ..DecoderOptions::default() });
    let mut fold = decoder.begin(&head, Role::Client, false, 0).expect("followed");
    fold.request_body(Body::Data(ask.to_string().as_bytes()), 1);
    fold.request_end(&MessageEnd { at: 1, ..MessageEnd::default() });
    if let Some(status) = status {
        fold.response_head(&ResponseHead { status, version: Version::Http11, headers: Headers::new() }, 2);
        for (at, answer) in (3..).zip(answers) {
            let text = answer.to_string();
            let data = text.as_bytes();
            let event = SseEvent { event: "", data, id: "", truncated: false };
            fold.response_body(if stream { Body::Event(event) } else { Body::Data(data) }, at);
        }
        fold.response_end(&MessageEnd { at: 20, ..MessageEnd::default() });
    }
    fold.finish(&ExchangeEnd { at: 20, no_response: status.is_none(), ..ExchangeEnd::default() })
}

fn ask(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "r-1", "method": method, "params": params})
}

fn said(result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "r-1", "result": result})
}

fn hello() -> Value {
    json!({"message": {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}})
}

fn status(state: &str, last: bool) -> Value {
    said(
        &json!({"kind": "status-update", "taskId": "t", "contextId": "c", "status": {"state": state}, "final": last}),
    )
}

fn one(calls: &[Call]) -> &Call {
    assert_eq!(calls.len(), 1);
    &calls[0]
}

#[test]
fn a_streamed_task() {
    let words = json!({"kind": "message", "role": "agent", "parts": [{"kind": "text", "text": "4"}]});
    let last = said(
        &json!({"kind": "status-update", "taskId": "t", "contextId": "c", "final": true, "status": {"state": "completed", "message": words}}),
    );
    let answers = [status("submitted", false), status("working", false), last];
    let calls = exchange("/", &ask("message/stream", &hello()), Some(200), &answers, true, true);
    let call = one(&calls);
    assert_eq!((call.api, call.operation, call.error.as_ref()), (Api::A2a, Operation::InvokeAgent, None));
    assert_eq!(call.request.conversation_id.as_deref(), Some("c"));
    assert_eq!(call.response.status.as_deref(), Some("completed"));
    let rpc = call.rpc.as_ref().unwrap();
    assert_eq!(
        (rpc.session_id.as_deref(), rpc.messages, rpc.request_id.as_deref()),
        (Some("t"), Some((1, 3)), Some("r-1"))
    );
    assert_eq!((call.timing.first_chunk, call.timing.chunk_gaps.count), (Some(3), 2));
    assert_eq!(call.request.messages[0].parts, [Part::Text("hello".into())]);
    assert_eq!(call.response.messages[0].parts, [Part::Text("4".into())]);
    let bare = exchange("/", &ask("message/stream", &hello()), Some(200), &answers, true, false);
    assert!(one(&bare).request.messages.is_empty() && one(&bare).response.messages.is_empty());
    let cut = exchange("/", &ask("message/stream", &hello()), Some(200), &answers[..2], true, false);
    assert_eq!(one(&cut).error.as_ref().unwrap().kind, "stream_truncated");
}

#[test]
fn answers_in_one_piece_of_every_version() {
    let task = json!({"kind": "task", "id": "t", "contextId": "c", "status": {"state": "completed"}, "artifacts": [{"parts": [{"kind": "text", "text": "a"}]}]});
    let calls = exchange("/a2a", &ask("message/send", &hello()), Some(200), &[said(&task)], false, true);
    assert_eq!(one(&calls).response.messages[0].parts, [Part::Text("a".into())]);
    let newer =
        json!({"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_INPUT_REQUIRED"}}});
    let calls = exchange("/x", &ask("SendMessage", &hello()), Some(200), &[said(&newer)], false, true);
    let call = one(&calls);
    assert_eq!(
        (call.response.status.as_deref(), call.rpc.as_ref().unwrap().session_id.as_deref()),
        (Some("input-required"), Some("t"))
    );
    let plain = exchange("/v1/message:send", &hello(), Some(200), &[newer], false, true);
    assert_eq!(
        (one(&plain).operation, one(&plain).rpc.as_ref().unwrap().request_id.as_ref()),
        (Operation::InvokeAgent, None)
    );
    let get = exchange("/x", &ask("tasks/get", &json!({"id": "t"})), Some(200), &[said(&task)], false, true);
    let call = one(&get);
    assert_eq!((call.operation, call.rpc.as_ref().unwrap().method.as_str()), (Operation::Rpc, "tasks/get"));
}

#[test]
fn failures() {
    let refused = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32603, "message": "Internal"}});
    let calls = exchange("/", &ask("message/send", &hello()), Some(200), &[refused], false, false);
    let call = one(&calls);
    assert_eq!(
        (call.error.as_ref().unwrap().kind.as_str(), call.rpc.as_ref().unwrap().status_code),
        ("-32603", Some(-32603))
    );
    let failed =
        exchange("/", &ask("message/stream", &hello()), Some(200), &[status("failed", true)], true, false);
    assert_eq!(one(&failed).error.as_ref().unwrap().kind, "task_failed");
    let denied = exchange(
        "/",
        &ask("message/send", &hello()),
        Some(401),
        &[json!({"error": "unauthorized"})],
        false,
        false,
    );
    assert_eq!(one(&denied).error.as_ref().unwrap().kind, "401");
    assert_eq!(
        one(&exchange("/", &ask("message/send", &hello()), None, &[], false, false))
            .error
            .as_ref()
            .unwrap()
            .kind,
        "no_response"
    );
}

#[test]
fn others_are_left_alone() {
    for other in [
        ask("tasks/list", &json!({})),
        ask("GetTask", &json!({})),
        ask("message/send", &json!({"message": "hi"})),
        ask("SendMessage", &json!({"to": "x"})),
    ] {
        assert!(exchange("/rpc", &other, Some(200), &[said(&json!({}))], false, false).is_empty(), "{other}");
    }
}

const WORDS: &[&str] = &[
    "jsonrpc",
    "2.0",
    "id",
    "result",
    "error",
    "code",
    "kind",
    "task",
    "message",
    "status",
    "state",
    "parts",
    "text",
    "artifact",
    "artifacts",
    "contextId",
    "taskId",
    "final",
    "file",
    "uri",
    "bytes",
    "data",
    "role",
    "statusUpdate",
    "completed",
    "working",
];

proptest! {
    #[test]
    fn any_answers(params in fixture::json_of(WORDS), answers in prop::collection::vec(fixture::json_of(WORDS), 0..5)) {
        let mut params = params;
        if let (Some(params), Some(hello)) = (params.as_object_mut(), hello().as_object()) {
            params.extend(hello.clone());
        }
        let answers: Vec<Value> = answers.iter().map(said).collect();
        for call in exchange("/", &ask("message/stream", &params), Some(200), &answers, true, true) {
            prop_assert!(call.timing.end >= call.timing.start);
        }
    }
}
