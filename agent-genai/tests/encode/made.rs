//! Calls made by hand.

use agent_genai::Call;
use agent_genai::call::{
    Api, Message, Operation, Part, Request, ResponseFormat, ToolCall, ToolChoice, ToolDefinition, Usage,
};
use agent_wire::Role;
use serde_json::{Value, json};

/// A plain question.
pub(crate) fn asking() -> Request {
    Request {
        model: Some("m-1".into()),
        max_tokens: Some(64),
        messages: vec![message("user", vec![text("hi")])],
        ..Request::default()
    }
}

fn message(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.into(), parts, name: None, finish_reason: None }
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn tool(arguments: Value) -> Part {
    Part::ToolCall(ToolCall {
        id: Some("call_1".into()),
        name: "weather".into(),
        kind: "function".into(),
        arguments: Some(arguments),
    })
}

fn answer(request: Request, reason: &str, parts: Vec<Part>, usage: Usage) -> Call {
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    call.request = request;
    call.response.finish_reasons = vec![reason.into()];
    call.response.messages =
        vec![Message { finish_reason: Some(reason.into()), ..message("assistant", parts) }];
    call.usage = usage;
    call
}

fn counts() -> Usage {
    Usage { input: Some(100), output: Some(20), cache_read: Some(40), ..Usage::default() }
}

/// Calls and their names.
pub(crate) fn calls() -> Vec<(&'static str, Call)> {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = vec![ToolDefinition {
        kind: "function".into(),
        name: "weather".into(),
        description: Some("Weather of a city \"now\"\n".into()),
        parameters: Some(schema.clone()),
    }];
    let history = vec![
        message("system", vec![text("Be brief.")]),
        message("user", vec![text("Weather in Zürich?\u{1F324}")]),
        message("assistant", vec![text("Let me look."), tool(json!({"city": "Zürich"}))]),
        message(
            "tool",
            vec![Part::ToolCallResponse { id: Some("call_1".into()), response: json!("12 degrees") }],
        ),
    ];
    let with_tools = Request {
        tools: tools.clone(),
        tool_choice: Some(ToolChoice::Auto),
        temperature: Some(0.2),
        top_p: Some(0.9),
        messages: history.clone(),
        ..asking()
    };
    let image =
        Part::Blob { modality: "image".into(), mime_type: Some("image/png".into()), content: "AAAA".into() };
    let long = "a \"quoted\" line\nand \u{1F600} more ".repeat(40);
    vec![
        ("plain", answer(asking(), "stop", vec![text("hello")], counts())),
        ("nothing reported", answer(asking(), "stop", vec![text("hello")], Usage::default())),
        (
            "tools",
            answer(
                with_tools.clone(),
                "tool_calls",
                vec![text("Again."), tool(json!({"city": "Bern", "n": [1, null, {"a": "\\"}]}))],
                counts(),
            ),
        ),
        (
            "forced tool",
            answer(
                Request { tool_choice: Some(ToolChoice::Tool("weather".into())), ..with_tools.clone() },
                "tool_calls",
                vec![tool(json!({}))],
                counts(),
            ),
        ),
        (
            "required tool",
            answer(
                Request { tool_choice: Some(ToolChoice::Required), ..with_tools },
                "tool_calls",
                vec![tool(json!({"city": ""}))],
                counts(),
            ),
        ),
        (
            "image",
            answer(
                Request { messages: vec![message("user", vec![text("what?"), image])], ..asking() },
                "length",
                vec![text(&long)],
                counts(),
            ),
        ),
        (
            "schema",
            answer(
                Request {
                    response_format: Some(ResponseFormat {
                        kind: "json_schema".into(),
                        name: None,
                        schema: Some(schema),
                        strict: None,
                    }),
                    stop: vec!["END".into()],
                    ..asking()
                },
                "stop",
                vec![text("{\"city\":\"Bern\"}")],
                counts(),
            ),
        ),
        (
            "reasoning",
            answer(
                Request { reasoning_level: Some("low".into()), ..asking() },
                "stop",
                vec![Part::Reasoning("first this\nthen that".into()), text("so")],
                Usage { reasoning: Some(8), ..counts() },
            ),
        ),
        (
            "several turns",
            answer(
                Request {
                    messages: vec![
                        message("user", vec![text("a")]),
                        message("assistant", vec![text("b")]),
                        message("user", vec![text("c"), text("d")]),
                    ],
                    ..asking()
                },
                "content_filter",
                vec![text("no")],
                counts(),
            ),
        ),
        ("streamed", answer(Request { stream: true, ..asking() }, "stop", vec![text(&long)], counts())),
    ]
}
