//! The Responses API over a WebSocket: each `response.create` of the client is a request, the events that follow are its stream.

use std::collections::VecDeque;

use agent_wire::ExchangeEnd;
use serde_json::Value;

use super::{MAX_TURNS, Turn};
use crate::call::{Api, Call, Operation};
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, RequestFacts, Session, SessionMessage, error, json};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("responses", Operation::Chat).by("WS")],
    sniff: Some(|body| {
        json::str_at(body, &["type"]) == Some("response.create") && json::at(body, &["model"]).is_some()
    }),
    ..Spec::new(
        Api::ResponsesSocket,
        Operation::Chat,
        "openai",
        Make::Session(|options| Box::new(ResponsesSocket::new(options))),
    )
};

/// Makes a call of each response of a session.
pub(crate) struct ResponsesSocket {
    options: CodecOptions,
    /// In the order in which they were asked for; the first is being answered.
    turns: VecDeque<Turn>,
    ready: VecDeque<Call>,
    confirmed: bool,
}

impl ResponsesSocket {
    /// A session for one connection.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, turns: VecDeque::new(), ready: VecDeque::new(), confirmed: false }
    }

    fn create(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let mut turn = Turn::new(template, self.options, message.at);
        turn.call.completeness.request_bytes = message.bytes;
        turn.codec.request(message.value, &mut turn.call);
        turn.call.request.stream = true;
        self.turns.push_back(turn);
        if self.turns.len() > MAX_TURNS
            && let Some(oldest) = self.turns.pop_front()
        {
            self.ready.push_back(oldest.finish(true));
        }
    }

    fn answer(&mut self, kind: &str, message: &SessionMessage<'_>, template: &Call) {
        if self.turns.is_empty() && kind.starts_with("response.") {
            // The request was before the capture began.
            let mut turn = Turn::new(template, self.options, message.at);
            turn.call.completeness.attached_mid_stream = true;
            self.turns.push_back(turn);
        }
        let Some(turn) = self.turns.front_mut() else { return };
        if kind == "error" {
            let status =
                json::u64_at(message.value, &["status"]).and_then(|status| u16::try_from(status).ok());
            turn.call.http.status = status.or(turn.call.http.status);
            turn.call.error = Some(error::from_body(message.value, status));
            turn.call.timing.end = message.at;
        } else if kind.starts_with("response.") {
            turn.event(kind, message, message.value);
        } else {
            return;
        }
        let over = matches!(
            kind,
            "error" | "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled"
        );
        if over && let Some(turn) = self.turns.pop_front() {
            self.ready.push_back(turn.finish(false));
        }
    }
}

impl Session for ResponsesSocket {
    fn begin(&mut self, _facts: &RequestFacts<'_>, _template: &mut Call) {}

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let kind = json::str_at(message.value, &["type"]).unwrap_or_default();
        match (message.from_client, kind) {
            (true, "response.create") => {
                self.confirmed = true;
                self.create(message, template);
            }
            (true, _) => {
                if let Some(turn) = self.turns.back_mut() {
                    turn.call.completeness.request_bytes += message.bytes;
                }
            }
            (false, kind) => {
                self.confirmed |= kind.starts_with("response.")
                    && message.value.get("sequence_number").is_some_and(Value::is_number);
                self.answer(kind, message, template);
            }
        }
    }

    fn end(&mut self, _end: &ExchangeEnd, _template: &Call) {
        for turn in self.turns.drain(..) {
            self.ready.push_back(turn.finish(true));
        }
    }

    fn take(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn held_bytes(&self) -> usize {
        self.turns.iter().map(Turn::held_bytes).sum::<usize>() + self.ready.len() * size_of::<Call>()
    }
}

#[cfg(test)]
mod tests {
    use agent_wire::Role;
    use serde_json::json;

    use super::*;
    use crate::codec::fixture::CONTENT;

    fn run(messages: &[(bool, Value)]) -> Vec<Call> {
        let mut session = ResponsesSocket::new(CONTENT);
        let template = Call::new(Api::ResponsesSocket, Operation::Chat, Role::Client);
        for (at, (from_client, value)) in (1_u64..).zip(messages) {
            let message = SessionMessage { from_client: *from_client, event: "", value, bytes: 10, at };
            session.message(&message, &template);
        }
        session.end(&ExchangeEnd::default(), &template);
        assert!(session.is_confirmed());
        std::iter::from_fn(|| session.take()).collect()
    }

    fn completed(id: &str) -> Value {
        json!({"type": "response.completed", "sequence_number": 9, "response": {"object": "response", "id": id, "model": "gpt-5", "status": "completed",
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
            "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}})
    }

    #[test]
    fn two_responses_and_one_that_failed() {
        let create = json!({"type": "response.create", "model": "gpt-5", "input": "x"});
        let later = json!({"type": "response.create", "model": "gpt-5", "input": "y", "previous_response_id": "resp_1"});
        let created = |id: &str| json!({"type": "response.created", "sequence_number": 0, "response": {"object": "response", "id": id, "status": "in_progress"}});
        let calls = run(&[
            (true, create.clone()),
            (false, created("resp_1")),
            (false, completed("resp_1")),
            (true, later),
            (false, created("resp_2")),
            (false, completed("resp_2")),
            (true, create),
            (
                false,
                json!({"type": "error", "status": 429, "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow"}}),
            ),
        ]);
        assert_eq!(calls.len(), 3);
        assert_eq!(
            (calls[0].response.id.as_deref(), calls[0].usage.input, calls[0].timing.start),
            (Some("resp_1"), Some(5), 1)
        );
        assert_eq!(calls[1].request.previous_response_id.as_deref(), Some("resp_1"));
        assert_eq!((calls[2].http.status, calls[2].usage.input), (Some(429), None));
        assert_eq!(calls[2].error.as_ref().map(|error| error.kind.as_str()), Some("rate_limit_exceeded"));
    }

    #[test]
    fn a_session_that_breaks_off() {
        let calls = run(&[
            (true, json!({"type": "response.create", "model": "gpt-5", "input": "x"})),
            (
                false,
                json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "object": "response", "status": "in_progress"}}),
            ),
        ]);
        assert!(calls[0].completeness.truncated && !calls[0].usage.is_reported());
        assert_eq!(calls[0].response.finish_reasons, ["error"]);
    }
}
