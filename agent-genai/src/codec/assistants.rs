//! OpenAI assistants: the runs of a thread. A run is the work of an agent that the provider hosts; it is started once (streamed or not)
//! and, when not streamed, polled. Its tokens are known when it is over.

use serde_json::Value;

use super::content::Budget;
use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, CallError, Message, Operation, Part, ToolCall};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("threads/*/runs", Operation::InvokeAgent),
        Row::likely("threads/runs", Operation::InvokeAgent),
        Row::likely("threads/*/runs/*/submit_tool_outputs", Operation::InvokeAgent),
        Row::likely("threads/*/runs/*/cancel", Operation::FetchResponse),
        Row::likely("threads/*/runs/*", Operation::FetchResponse).by("GET"),
    ],
    // Other servers of agents have runs of threads, too.
    vague: true,
    response: |event, body| {
        let ours = |word: &str| word.starts_with("thread.");
        (ours(event) || json::str_at(body, &["object"]).is_some_and(ours)).then_some(true)
    },
    ..Spec::new(
        Api::Assistants,
        Operation::InvokeAgent,
        "openai",
        Make::Codec(|options| Box::new(Assistants::new(options))),
    )
};

/// Folds one exchange about a run.
pub(crate) struct Assistants {
    content: bool,
    budget: Budget,
    text: String,
}

impl Assistants {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, budget: Budget::new(options.max_content), text: String::new() }
    }

    /// The run object, whole each time.
    fn run(&self, run: &Value, call: &mut Call) {
        let set = |field: &mut Option<String>, path: &[&str]| {
            if let Some(text) = json::string_at(run, path) {
                *field = Some(text);
            }
        };
        set(&mut call.response.id, &["id"]);
        set(&mut call.response.model, &["model"]);
        set(&mut call.response.status, &["status"]);
        set(&mut call.request.conversation_id, &["thread_id"]);
        set(&mut call.request.agent, &["assistant_id"]);
        let calls = json::array_at(run, &["required_action", "submit_tool_outputs", "tool_calls"]);
        call.response.tool_calls = calls.iter().map(|tool| self.tool(tool)).collect();
        let reason = match json::str_at(run, &["status"]) {
            Some("completed") => Some("stop"),
            Some("requires_action") => Some("tool_calls"),
            Some("incomplete") => Some(match json::str_at(run, &["incomplete_details", "reason"]) {
                Some("max_completion_tokens" | "max_prompt_tokens") | None => "length",
                Some(other) => other,
            }),
            _ => None,
        };
        call.response.finish_reasons = reason.map(str::to_owned).into_iter().collect();
        if let Some(failure) = json::at(run, &["last_error"]) {
            let kind = json::str_at(failure, &["code"]).unwrap_or("failed").to_owned();
            let message = json::str_at(failure, &["message"]).unwrap_or_default().to_owned();
            call.error = Some(CallError { kind, message });
        }
        if let Some(usage) =
            json::at(run, &["usage"]).and_then(|usage| usage::openai(usage, Dialect::Standard))
        {
            call.usage = usage;
        }
    }

    fn tool(&self, tool: &Value) -> ToolCall {
        let arguments = json::str_at(tool, &["function", "arguments"]).filter(|_| self.content);
        ToolCall {
            id: json::string_at(tool, &["id"]),
            name: json::string_at(tool, &["function", "name"]).unwrap_or_default(),
            kind: json::str_at(tool, &["type"]).unwrap_or("function").to_owned(),
            arguments: arguments.and_then(json::arguments),
        }
    }

    fn keep(&mut self, blocks: &[Value]) {
        for text in blocks.iter().filter_map(|block| json::str_at(block, &["text", "value"])) {
            if self.content && self.budget.content(text.len()) {
                self.text.push_str(text);
            }
        }
    }
}

impl Codec for Assistants {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
        request.agent = json::string_at(body, &["assistant_id"]);
        request.temperature = json::f64_at(body, &["temperature"]);
        request.top_p = json::f64_at(body, &["top_p"]);
        request.max_tokens = json::i64_at(body, &["max_completion_tokens"]);
        request.reasoning_level = json::string_at(body, &["reasoning_effort"]);
        if let (true, Some(text)) = (self.content, json::string_at(body, &["instructions"])) {
            request.system = vec![Part::Text(text)];
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
        } else {
            self.run(body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match event {
            "error" => call.error = Some(error::from_body(data, None)),
            "thread.message.delta" => self.keep(json::array_at(data, &["delta", "content"])),
            _ if json::str_at(data, &["object"]) == Some("thread.run") => self.run(data, call),
            _ => {}
        }
    }

    fn finish(&mut self, call: &mut Call) {
        let text = std::mem::take(&mut self.text);
        let mut parts: Vec<Part> = Vec::new();
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if self.content {
            parts.extend(call.response.tool_calls.iter().cloned().map(Part::ToolCall));
        }
        if !parts.is_empty() {
            let finish_reason = call.response.finish_reasons.first().cloned();
            let role = "assistant".to_owned();
            call.response.messages = vec![Message { role, parts, name: None, finish_reason }];
        }
        call.completeness.body_capped |= self.budget.exceeded();
        self.budget = Budget::new(0);
    }

    fn held_bytes(&self) -> usize {
        self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{BARE, CONTENT, response};
    use super::*;

    #[test]
    fn a_run_that_waits_for_tools() {
        let body = json!({"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "gpt-4o",
            "status": "requires_action", "usage": null,
            "required_action": {"submit_tool_outputs": {"tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}});
        let call = response(&mut Assistants::new(BARE), Api::Assistants, 200, &body);
        assert_eq!(call.response.finish_reasons, ["tool_calls"]);
        assert_eq!(
            (call.request.conversation_id.as_deref(), call.request.agent.as_deref()),
            (Some("thread_1"), Some("asst_1"))
        );
        assert_eq!((call.response.tool_calls[0].arguments.clone(), call.usage.input), (None, None));
    }

    #[test]
    fn a_streamed_run() {
        let mut codec = Assistants::new(CONTENT);
        let mut call = super::super::fixture::call(Api::Assistants);
        let run = |status: &str, usage: Value| json!({"object": "thread.run", "id": "run_1", "status": status, "usage": usage});
        codec.event("thread.run.created", &run("queued", Value::Null), &mut call);
        for text in ["a", "b"] {
            let delta = json!({"object": "thread.message.delta", "delta": {"content": [{"index": 0, "type": "text", "text": {"value": text}}]}});
            codec.event("thread.message.delta", &delta, &mut call);
        }
        codec.event(
            "thread.run.completed",
            &run("completed", json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})),
            &mut call,
        );
        codec.finish(&mut call);
        assert_eq!(call.response.messages[0].parts, [Part::Text("ab".into())]);
        assert_eq!((call.usage.input, call.response.finish_reasons[0].as_str()), (Some(9), "stop"));
    }
}
