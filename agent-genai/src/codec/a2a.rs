//! Agent2Agent: an agent asked by another program, over JSON-RPC (versions 0.2 to 1.0) or over plain HTTP and JSON.
//!
//! Messages sent to an agent are calls of it (`invoke_agent`); reading, listing and cancelling tasks are remote procedures.

mod parts;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use agent_wire::{ExchangeEnd, Nanos};
use serde_json::Value;

use super::content::Budget;
use super::jsonrpc::{self, Message};
use super::spec::{Make, Row, Spec};
use super::{CodecOptions, RequestFacts, Session, SessionMessage, error, json};
use crate::call::{Api, Call, CallError, ChunkGaps, Operation, Rpc};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("a2a", Operation::InvokeAgent),
        Row::likely("message:send", Operation::InvokeAgent),
        Row::likely("message:stream", Operation::InvokeAgent),
    ],
    request: |body| is_request(body) || is_plain(body),
    sniff: Some(is_request),
    thin_response: &[],
    open_ended: true,
    ..Spec::new(Api::A2a, Operation::InvokeAgent, "", Make::Session(|options| Box::new(A2a::new(options))))
};

/// Most requests of one exchange that may wait for their answers.
const MAX_OPEN: usize = 64;

/// What a method does.
fn operation(method: &str) -> Option<Operation> {
    Some(match method {
        "message/send"
        | "message/stream"
        | "SendMessage"
        | "SendStreamingMessage"
        | "tasks/send"
        | "tasks/sendSubscribe" => Operation::InvokeAgent,
        "tasks/get"
        | "tasks/list"
        | "tasks/cancel"
        | "tasks/resubscribe"
        | "tasks/pushNotificationConfig/set"
        | "tasks/pushNotificationConfig/get"
        | "tasks/pushNotificationConfig/list"
        | "tasks/pushNotificationConfig/delete"
        | "agent/getAuthenticatedExtendedCard"
        | "agent/authenticatedExtendedCard"
        | "GetTask"
        | "ListTasks"
        | "CancelTask"
        | "SubscribeToTask"
        | "CreateTaskPushNotificationConfig"
        | "GetTaskPushNotificationConfig"
        | "ListTaskPushNotificationConfigs"
        | "DeleteTaskPushNotificationConfig"
        | "GetExtendedAgentCard" => Operation::Rpc,
        _ => return None,
    })
}

/// Whether a body is A2A's wherever it stands: names of tasks alone are not enough, others have them, too.
fn is_request(body: &Value) -> bool {
    let Some(Message::Request { method, params, .. }) = jsonrpc::read(body) else { return false };
    match operation(method) {
        Some(Operation::InvokeAgent) => is_plain(params),
        Some(_) => {
            method.contains("ushNotificationConfig")
                || method.contains("xtendedCard")
                || method.contains("AgentCard")
                || json::str_at(params, &["id"]).is_some() && json::at(params, &["taskId"]).is_none()
        }
        None => false,
    }
}

/// Parameters of a message: all of the body where the binding is plain HTTP.
fn is_plain(body: &Value) -> bool {
    let parts = json::at(body, &["message", "parts"]).or_else(|| json::at(body, &["message", "content"]));
    parts.is_some_and(Value::is_array)
}

/// The messages of one exchange.
struct A2a {
    options: CodecOptions,
    budget: Budget,
    /// Method of a plain HTTP binding.
    plain: Option<&'static str>,
    open: Vec<Open>,
    ready: VecDeque<Call>,
    refusal: Option<CallError>,
    confirmed: bool,
}

/// A request under way.
struct Open {
    id: String,
    last: Option<Nanos>,
    call: Call,
    said: parts::Said,
}

impl A2a {
    fn new(options: CodecOptions) -> Self {
        Self {
            budget: Budget::new(options.max_content),
            options,
            plain: None,
            open: Vec::new(),
            ready: VecDeque::new(),
            refusal: None,
            confirmed: false,
        }
    }

    fn request(
        &mut self,
        id: String,
        method: &str,
        params: &Value,
        message: &SessionMessage<'_>,
        template: &Call,
    ) {
        let Some(operation) = operation(method).filter(|_| self.open.len() < MAX_OPEN) else { return };
        self.confirmed = true;
        let mut call = template.clone();
        call.operation = operation;
        call.error = None;
        call.timing.request_end = Some(message.at);
        call.timing.first_chunk = None;
        call.timing.chunk_gaps = ChunkGaps::default();
        call.completeness.request_bytes = message.bytes;
        call.completeness.response_bytes = 0;
        call.request.stream =
            matches!(method, "message/stream" | "SendStreamingMessage" | "tasks/sendSubscribe");
        let asked = json::at(params, &["message"]);
        let word = |path: &[&str]| json::string_at(params, path);
        call.request.conversation_id =
            word(&["message", "contextId"]).or_else(|| word(&["contextId"])).or_else(|| word(&["sessionId"]));
        let task = match operation {
            Operation::InvokeAgent => word(&["message", "taskId"]),
            _ => word(&["id"]).or_else(|| word(&["taskId"])).or_else(|| word(&["name"])),
        };
        call.rpc = Some(Box::new(Rpc {
            system: "a2a",
            method: method.to_owned(),
            request_id: Some(id.clone()).filter(|id| !id.is_empty()),
            session_id: task,
            transport: "http",
            ..Rpc::default()
        }));
        if let Some(asked) = asked.filter(|_| self.options.content) {
            call.request.messages.extend(parts::message(asked, "user", &mut self.budget));
        }
        self.open.push(Open { id, last: None, call, said: parts::Said::default() });
    }

    fn answer(
        &mut self,
        id: Option<&str>,
        outcome: Result<&Value, &Value>,
        message: &SessionMessage<'_>,
        template: &Call,
    ) {
        let alone = self.open.len() == 1 && (id.is_none() || outcome.is_err());
        let found = self.open.iter().position(|open| Some(open.id.as_str()) == id).or(alone.then_some(0));
        let Some(open) = found.and_then(|at| self.open.get_mut(at)) else { return };
        let call = &mut open.call;
        call.http.status = template.http.status;
        call.timing.response_start = template.timing.response_start;
        call.timing.end = call.timing.end.max(message.at);
        call.completeness.response_bytes = call.completeness.response_bytes.saturating_add(message.bytes);
        if call.request.stream {
            match open.last {
                None => call.timing.first_chunk = Some(message.at),
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gap of nanoseconds loses nothing that a histogram shows"
                )]
                Some(last) => call.timing.chunk_gaps.add(message.at.saturating_sub(last) as f64 / 1e9),
            }
            open.last = Some(message.at);
        }
        let Some(rpc) = call.rpc.as_mut() else { return };
        let (_, events) = rpc.messages.unwrap_or_default();
        rpc.messages = call.request.stream.then_some((1, events + 1));
        match outcome {
            Err(failure) => {
                let (error, code) = jsonrpc::failure(failure);
                rpc.status_code = code;
                call.error = Some(error);
            }
            Ok(result) => {
                let content = self.options.content && call.operation == Operation::InvokeAgent;
                open.said.take(result, content, call, &mut self.budget);
            }
        }
    }

    fn conclude(&mut self, mut open: Open) {
        open.said.conclude(&mut open.call);
        if self.budget.exceeded() {
            open.call.completeness.body_capped = true;
        }
        self.ready.push_back(open.call);
    }
}

impl Session for A2a {
    fn begin(&mut self, facts: &RequestFacts<'_>, _template: &mut Call) {
        self.plain = match facts.row.map(|row| row.path) {
            Some("message:send") => Some("message/send"),
            Some("message:stream") => Some("message/stream"),
            _ => None,
        };
    }

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let failed = template.http.status.is_some_and(|status| status >= 400);
        match (jsonrpc::read(message.value), self.plain) {
            (Some(Message::Request { id, method, params }), _) if message.from_client => {
                if let Some(id) = jsonrpc::id_text(id) {
                    self.request(id, method, params, message, template);
                }
            }
            (Some(Message::Answer { id, outcome }), _) if !message.from_client => {
                self.answer(jsonrpc::id_text(id).as_deref(), outcome, message, template);
            }
            (None, Some(method)) if message.from_client => {
                self.request(String::new(), method, message.value, message, template);
            }
            (None, _) if failed => self.refusal = Some(error::from_body(message.value, template.http.status)),
            (None, Some(_)) => self.answer(Some(""), Ok(message.value), message, template),
            _ => {}
        }
    }

    fn end(&mut self, end: &ExchangeEnd, template: &Call) {
        let whole_view = template.completeness.lost_bytes == 0 && !end.attached_mid_stream;
        for mut open in std::mem::take(&mut self.open) {
            let call = &mut open.call;
            call.http.status = template.http.status;
            let seen = (call.completeness.request_bytes, call.completeness.response_bytes);
            call.completeness = template.completeness.clone();
            (call.completeness.request_bytes, call.completeness.response_bytes) = seen;
            call.timing.end = call.timing.end.max(template.timing.end);
            let answered = seen.1 > 0;
            if call.error.is_none() {
                let refusal = || self.refusal.clone().or_else(|| template.error.clone());
                let streams = call.request.stream;
                call.error = match template.http.status {
                    Some(status) if status >= 400 => {
                        Some(refusal().unwrap_or_else(|| error::own(&status.to_string(), "")))
                    }
                    _ if !whole_view => None,
                    None => Some(error::own("no_response", "the connection ended before a response came")),
                    Some(_) if streams && !open.said.is_over() => {
                        Some(error::own("stream_truncated", "the stream ended before the task did"))
                    }
                    Some(_) if !answered => Some(error::own("no_response", "no answer came")),
                    Some(_) => None,
                };
            }
            call.completeness.truncated |= template.http.status.is_none();
            self.conclude(open);
        }
    }

    fn take(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn held_bytes(&self) -> usize {
        self.budget.held() + self.open.len() * size_of::<Open>()
    }
}
