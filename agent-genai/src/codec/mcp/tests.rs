use agent_wire::{Body, ExchangeEnd, MessageEnd, RequestHead, ResponseHead, Role, SseEvent, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::call::{Api, Call, HalfPart, Operation};
use crate::codec::fixture;
use crate::{Correlator, Decoder, DecoderOptions, Fold};

/// One exchange, made step by step.
struct Exchange(Option<Fold>, Vec<Call>);

impl Exchange {
    fn begin(method: &str, target: &str, fields: &[(&str, &str)], content: bool) -> Self {
        let head = RequestHead {
            method: method.into(),
            target: target.into(),
            version: Version::Http11,
            headers: [("host", "h:81"), ("content-type", "application/json")]
                .iter()
                .chain(fields)
                .copied()
                .collect(),
        };
        let decoder = Decoder::new(DecoderOptions { content, ..DecoderOptions::default() });
        Self(decoder.begin(&head, Role::Client, true, 100), Vec::new())
    }

    fn step(mut self, step: impl FnOnce(&mut Fold)) -> Self {
        if let Some(fold) = self.0.as_mut() {
            step(fold);
            while let Some(call) = fold.take() {
                self.1.push(call);
            }
        }
        self
    }

    fn sends(self, body: &Value) -> Self {
        let text = body.to_string();
        let parts: Vec<String> = body.as_array().into_iter().flatten().map(Value::to_string).collect();
        self.step(|fold| {
            if body.is_array() {
                for data in &parts {
                    fold.request_body(Body::Element { data: data.as_bytes(), truncated: false }, 110);
                }
            } else if !body.is_null() {
                fold.request_body(Body::Data(text.as_bytes()), 110);
            }
            fold.request_end(&MessageEnd { at: 110, wire_bytes: 500, ..MessageEnd::default() });
        })
    }

    fn head(self, status: u16, fields: &[(&str, &str)]) -> Self {
        let head =
            ResponseHead { status, version: Version::Http11, headers: fields.iter().copied().collect() };
        self.step(|fold| {
            fold.response_head(&head, 120);
        })
    }

    fn event(self, event: &str, data: &str, at: u64) -> Self {
        self.step(|fold| {
            fold.response_body(
                Body::Event(SseEvent { event, data: data.as_bytes(), id: "", truncated: false }),
                at,
            );
        })
    }

    fn answers(self, body: &Value) -> Self {
        let text = body.to_string();
        let parts: Vec<String> = body.as_array().into_iter().flatten().map(Value::to_string).collect();
        self.step(|fold| {
            for data in &parts {
                fold.response_body(Body::Element { data: data.as_bytes(), truncated: false }, 130);
            }
            if parts.is_empty() {
                fold.response_body(Body::Data(text.as_bytes()), 130);
            }
        })
    }

    fn ends(self) -> Vec<Call> {
        let end = MessageEnd { at: 140, wire_bytes: 700, ..MessageEnd::default() };
        let mut this = self.step(|fold| fold.response_end(&end));
        if let Some(fold) = this.0 {
            this.1.extend(fold.finish(&ExchangeEnd { at: 140, ..ExchangeEnd::default() }));
        }
        this.1
    }
}

fn post(target: &str, fields: &[(&str, &str)], request: &Value, status: u16, answer: &Value) -> Vec<Call> {
    Exchange::begin("POST", target, fields, true).sends(request).head(status, &[]).answers(answer).ends()
}

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
fn result(id: impl Into<Value>, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "result": result})
}

fn one(calls: &[Call]) -> &Call {
    match calls {
        [call] => call,
        other => panic!("{} calls", other.len()),
    }
}

#[test]
fn a_tool_call_with_its_facts() {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"}});
    let ask = request(3, "tools/call", json!({"name": "add", "arguments": {"a": 2}, "_meta": meta}));
    let content =
        json!([{"type": "text", "text": "42"}, {"type": "image", "data": ""}, {"type": "text", "text": ""}]);
    let said = result(
        3,
        json!({"content": content, "structuredContent": {"r": 42}, "isError": false, "resultType": "complete",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": ""}}}),
    );
    let transport = "00-11111111111111111111111111111111-2222222222222222-01";
    let calls = post(
        "/anything",
        &[("mcp-protocol-version", "2026-07-28"), ("traceparent", transport)],
        &ask,
        200,
        &said,
    );
    let call = one(&calls);
    assert_eq!((call.api, call.operation, call.error.as_ref()), (Api::Mcp, Operation::ExecuteTool, None));
    assert_eq!((call.timing.start, call.timing.response_start, call.timing.end), (100, Some(120), 140));
    assert_eq!((call.completeness.request_bytes, call.completeness.response_bytes), (500, 700));
    assert!(call.completeness.is_complete(), "{:?}", call.completeness);
    let rpc = call.rpc.as_ref().unwrap();
    assert_eq!(
        (rpc.method.as_str(), rpc.tool.as_deref(), rpc.request_id.as_deref()),
        ("tools/call", Some("add"), Some("3"))
    );
    assert_eq!(rpc.protocol_version.as_deref(), Some("2026-07-28"));
    assert_eq!(
        (&rpc.client, &rpc.server),
        (&Some(("c".into(), Some("1".into()))), &Some(("s".into(), None)))
    );
    assert_eq!(
        (rpc.content_types.as_slice(), rpc.structured),
        (&["text".to_owned(), "image".to_owned()][..], true)
    );
    assert_eq!((rpc.result_type.as_deref(), rpc.link.as_deref()), (Some("complete"), Some(transport)));
    assert_eq!(rpc.arguments, Some(json!({"a": 2})));
    assert!(rpc.result.is_some() && rpc.half.is_none());
    assert!(call.request.traceparent.as_ref().unwrap().contains("4bf92f"));
    let bare = Exchange::begin("POST", "/mcp", &[], false).sends(&ask).head(200, &[]).answers(&said).ends();
    let rpc = one(&bare).rpc.as_ref().unwrap();
    assert!(rpc.arguments.is_none() && rpc.result.is_none() && rpc.structured);
}

#[test]
fn failures_of_every_kind() {
    let ask = request("a", "tools/call", json!({"name": "f"}));
    let failed = result("a", json!({"content": [{"type": "text", "text": "boom"}], "isError": true}));
    let calls = post("/mcp", &[], &ask, 200, &failed);
    let error = one(&calls).error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("tool_error", "the tool reported a failure"));
    let unknown =
        json!({"jsonrpc": "2.0", "id": "a", "error": {"code": -32601, "message": "Method not found"}});
    let calls = post("/mcp", &[], &ask, 404, &unknown);
    let call = one(&calls);
    assert_eq!((call.http.status, call.error.as_ref().unwrap().kind.as_str()), (Some(404), "-32601"));
    assert_eq!(call.rpc.as_ref().unwrap().status_code, Some(-32601));
    // An id that the server made up.
    let odd = json!({"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "Missing session ID"}});
    assert_eq!(one(&post("/mcp", &[], &ask, 400, &odd)).error.as_ref().unwrap().kind, "-32600");
    let refused = json!({"error": "invalid_token", "error_description": "expired"});
    let calls = post("/mcp", &[], &ask, 401, &refused);
    assert_eq!(one(&calls).error.as_ref().unwrap().message, "invalid_token");
    let silent = Exchange::begin("POST", "/mcp", &[("mcp-session-id", "s")], true).sends(&ask).ends();
    let call = one(&silent);
    assert_eq!(call.error.as_ref().unwrap().kind, "no_response");
    assert!(call.rpc.as_ref().unwrap().half.is_none(), "nobody took it, so nobody will answer");
}

#[test]
fn a_stream_with_notifications_and_questions() {
    let ask = request(8, "tools/call", json!({"name": "slow"}));
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}).to_string();
    let question = request(1, "sampling/createMessage", json!({"messages": []})).to_string();
    let calls = Exchange::begin("POST", "/mcp", &[("mcp-session-id", "s")], true)
        .sends(&ask)
        .head(200, &[("content-type", "text/event-stream")])
        .event("message", &progress, 121)
        .event("message", &question, 122)
        .event("message", &progress, 123)
        .event("message", &result(8, json!({"content": []})).to_string(), 125)
        .ends();
    let [asked, answered] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    let rpc = asked.rpc.as_ref().unwrap();
    assert!(rpc.from_server && rpc.half.as_ref().is_some_and(|half| half.part == HalfPart::Request));
    assert_eq!((asked.timing.start, asked.http.server_address.as_ref()), (122, None));
    let rpc = answered.rpc.as_ref().unwrap();
    assert_eq!(
        (rpc.messages, answered.timing.end, answered.timing.first_chunk),
        (Some((0, 2)), 125, Some(121))
    );
    assert_eq!(rpc.session_id.as_deref(), Some("s"));

    // The client answers by a request of its own.
    let answer = Exchange::begin("POST", "/mcp", &[("mcp-session-id", "s")], true)
        .sends(&result(1, json!({"role": "assistant"})))
        .head(202, &[])
        .ends();
    let mut correlator = Correlator::default();
    assert!(correlator.offer(0, (), asked.clone()).is_empty());
    let joined = correlator.offer(0, (), one(&answer).clone());
    let [((), call)] = joined.as_slice() else { panic!("not joined") };
    assert!(call.error.is_none() && call.rpc.as_ref().unwrap().method == "sampling/createMessage");
}

#[test]
fn the_first_protocol_answers_on_the_stream_that_opened_it() {
    let mut correlator = Correlator::default();
    let stream = Exchange::begin("GET", "/sse", &[("accept", "text/event-stream")], true)
        .sends(&Value::Null)
        .head(200, &[("content-type", "text/event-stream")])
        .event("endpoint", "/messages/?session_id=abc", 121)
        .event("message", &result(1, json!({"tools": [{"name": "t"}]})).to_string(), 160);
    let asked = Exchange::begin("POST", "/messages/?session_id=abc", &[], true)
        .sends(&request(1, "tools/list", json!({})))
        .head(202, &[])
        .ends();
    let request = one(&asked);
    assert_eq!(request.rpc.as_ref().unwrap().session_id.as_deref(), Some("abc"));
    assert!(correlator.offer(0, "post", request.clone()).is_empty());
    let joined = correlator.offer(0, "stream", one(&stream.ends()).clone());
    let [("post", call)] = joined.as_slice() else { panic!("not joined") };
    assert_eq!((call.timing.start, call.timing.end), (100, 160));
    assert_eq!(call.rpc.as_ref().unwrap().tools_listed, ["t"]);
    assert!(call.error.is_none());
}

#[test]
fn batches_are_calls_each() {
    let ask = json!([request(1, "tools/list", json!({})), request(2, "ping", json!({})), {"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    let answer = json!([result(2, json!({})), result(1, json!({"tools": []}))]);
    let calls = post("/x", &[], &ask, 200, &answer);
    let methods: Vec<&str> = calls.iter().map(|call| call.rpc.as_ref().unwrap().method.as_str()).collect();
    assert_eq!(methods, ["ping", "tools/list"]);
    assert_eq!(calls.iter().map(|call| call.part).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn sessions_begin_with_initialize() {
    let ask = request(0, "initialize", json!({"protocolVersion": "2025-11-25", "clientInfo": {"name": "c"}}));
    let said =
        result(0, json!({"protocolVersion": "2025-06-18", "serverInfo": {"name": "s", "version": "2"}}));
    let calls = Exchange::begin("POST", "/api", &[], false)
        .sends(&ask)
        .head(200, &[("mcp-session-id", "x")])
        .answers(&said)
        .ends();
    let rpc = one(&calls).rpc.as_ref().unwrap();
    assert_eq!((rpc.session_id.as_deref(), rpc.protocol_version.as_deref()), (Some("x"), Some("2025-06-18")));
    // In the new era nothing is looked for elsewhere.
    let cut = Exchange::begin(
        "POST",
        "/api",
        &[("mcp-protocol-version", "2026-07-28"), ("mcp-session-id", "x")],
        false,
    )
    .sends(&request(5, "tools/call", json!({"name": "t"})))
    .head(200, &[("content-type", "text/event-stream")])
    .ends();
    let call = one(&cut);
    assert!(call.rpc.as_ref().unwrap().half.is_none() && call.error.is_some());
    let listen = Exchange::begin("POST", "/api", &[("mcp-protocol-version", "2026-07-28")], false)
        .sends(&request(5, "subscriptions/listen", json!({})))
        .head(200, &[("content-type", "text/event-stream")])
        .ends();
    assert!(one(&listen).error.is_none());
}

#[test]
fn other_json_rpc_and_other_streams_are_left_alone() {
    for other in [
        request(1, "eth_call", json!({})),
        request(1, "initialize", json!({"capabilities": {}, "processId": 1})),
        request(1, "ping", json!({})),
        request(1, "tasks/get", json!({"id": "t"})),
        result(1, json!({})),
        json!({"jsonrpc": "2.0", "method": "notifications/other"}),
        json!({"id": 1, "method": "tools/list"}),
    ] {
        let calls = post("/rpc", &[], &other, 200, &result(1, json!({})));
        assert!(calls.iter().all(|call| call.api != Api::Mcp), "{other}");
    }
    let stream = Exchange::begin("GET", "/v1/streams/x", &[("accept", "text/event-stream")], true)
        .sends(&Value::Null)
        .head(200, &[("content-type", "text/event-stream")])
        .event("output", "Sure", 121);
    assert_eq!(stream.0.as_ref().and_then(Fold::recognised), Some(false));
    assert!(stream.ends().is_empty());
    let page = Exchange::begin("GET", "/page", &[("accept", "text/html")], true);
    assert!(page.0.is_none());
}

#[test]
fn the_server_sees_the_same_call_from_its_side() {
    let head = RequestHead {
        method: "POST".into(),
        target: "/mcp".into(),
        version: Version::Http2,
        headers: [(":authority", "h")].into_iter().collect(),
    };
    let decoder = Decoder::new(DecoderOptions::default());
    let mut fold = decoder.begin(&head, Role::Server, true, 0).unwrap();
    fold.request_body(Body::Data(request(1, "ping", json!({})).to_string().as_bytes()), 0);
    fold.request_end(&MessageEnd::default());
    fold.response_head(
        &ResponseHead { status: 200, version: Version::Http2, headers: agent_wire::Headers::new() },
        0,
    );
    fold.response_body(Body::Data(result(1, json!({})).to_string().as_bytes()), 0);
    fold.response_end(&MessageEnd::default());
    let calls = fold.finish(&ExchangeEnd::default());
    let call = one(&calls);
    assert_eq!((call.role, call.rpc.as_ref().unwrap().transport_version), (Role::Server, Some("2")));
}

const WORDS: &[&str] = &[
    "jsonrpc",
    "2.0",
    "id",
    "method",
    "params",
    "result",
    "error",
    "code",
    "message",
    "tools/call",
    "tools/list",
    "initialize",
    "protocolVersion",
    "name",
    "arguments",
    "content",
    "type",
    "text",
    "isError",
    "tools",
    "_meta",
    "notifications/progress",
    "sampling/createMessage",
    "taskId",
    "tasks/get",
    "serverInfo",
    "ping",
    "structuredContent",
];

proptest! {
    #[test]
    fn any_messages(asks in prop::collection::vec(fixture::json_of(WORDS), 1..4), answers in prop::collection::vec(fixture::json_of(WORDS), 0..6)) {
        let mut exchange = Exchange::begin("POST", "/mcp", &[("mcp-session-id", "s")], true)
            .sends(&Value::Array(asks))
            .head(200, &[("content-type", "text/event-stream")]);
        for answer in answers {
            exchange = exchange.event("message", &answer.to_string(), 130);
        }
        for call in exchange.ends() {
            prop_assert!(call.timing.end >= call.timing.start);
        }
    }
}
