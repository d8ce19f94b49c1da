//! Results of batches, as they are fetched: each is a response made earlier. What a batch costs stands with each result, apart from the
//! usage of this program's own calls, because a batch may be fetched any number of times.

use std::collections::VecDeque;

use agent_wire::{ExchangeEnd, ResponseHead};
use serde_json::Value;

use super::anthropic::Anthropic;
use super::openai_chat::OpenAiChat;
use super::responses::Responses;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, Session, SessionMessage, error, json};
use crate::call::{Api, Call, Operation};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("messages/batches/*/results", Operation::FetchResponse).by("GET"),
        Row::certain("v1/batches/*/results", Operation::FetchResponse).by("GET").at("api.x.ai"),
    ],
    ..Spec::new(
        Api::Batches,
        Operation::FetchResponse,
        "anthropic",
        Make::Session(|options| Box::new(Batches::new(options))),
    )
};

/// Results that wait to be taken. The caller takes them after each step.
const MAX_READY: usize = 4096;

/// Makes a call of each result.
pub(crate) struct Batches {
    options: CodecOptions,
    status: Option<u16>,
    failure: Option<Value>,
    results: u64,
    ready: VecDeque<Call>,
}

impl Batches {
    /// A session for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, status: None, failure: None, results: 0, ready: VecDeque::new() }
    }

    /// One result: the body that the call would have had on its own.
    fn result(&mut self, body: &Value, failed: bool, at: agent_wire::Nanos, template: &Call) {
        self.results += 1;
        let mut call = template.clone();
        call.timing.end = call.timing.end.max(at);
        call.response.service_tier = Some("batch".to_owned());
        let mut codec: Box<dyn Codec> = match json::str_at(body, &["object"]) {
            Some("chat.completion") => Box::new(OpenAiChat::new(self.options)),
            Some("response") => Box::new(Responses::new(self.options)),
            _ => Box::new(Anthropic::new(self.options)),
        };
        if failed {
            call.error = Some(error::from_body(body, None));
        } else {
            codec.response(body, &mut call);
            codec.finish(&mut call);
        }
        let usage = std::mem::take(&mut call.usage);
        if usage.is_reported() {
            call.fetched_usage = Some(Box::new(usage));
        }
        if self.ready.len() < MAX_READY {
            self.ready.push_back(call);
        }
    }
}

impl Session for Batches {
    fn begin(&mut self, _facts: &RequestFacts<'_>, _template: &mut Call) {}

    fn response_head(&mut self, head: &ResponseHead, _template: &mut Call) {
        self.status = Some(head.status);
    }

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        if message.from_client {
            return;
        }
        if self.status.is_some_and(|status| status >= 400) {
            self.failure = Some(message.value.clone());
            return;
        }
        let anthropic = json::at(message.value, &["result"]);
        if let Some(body) = anthropic.and_then(|result| json::at(result, &["message"])) {
            self.result(body, false, message.at, template);
        } else if let Some(body) = anthropic.and_then(|result| json::at(result, &["error"])) {
            self.result(body, true, message.at, template);
        }
        // xAI: a page of results in one body, each under the name of the API that made it.
        for item in json::array_at(message.value, &["results"]) {
            let named = json::at(item, &["batch_result", "response"]).and_then(Value::as_object);
            if let Some(body) = named.and_then(|apis| apis.values().find(|body| body.is_object())) {
                self.result(body, false, message.at, template);
            } else if let Some(body) = json::at(item, &["batch_result", "error"]) {
                self.result(body, true, message.at, template);
            }
        }
    }

    fn end(&mut self, _end: &ExchangeEnd, template: &Call) {
        if let Some(status) = self.status.filter(|status| *status >= 400) {
            let mut call = template.clone();
            let said = self.failure.take().unwrap_or_default();
            call.error = Some(error::from_body(&said, Some(status)));
            self.ready.push_back(call);
        }
    }

    fn take(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }

    fn is_confirmed(&self) -> bool {
        self.results > 0
    }

    fn held_bytes(&self) -> usize {
        self.ready.len() * size_of::<Call>()
    }
}

#[cfg(test)]
mod tests {
    use agent_wire::{Role, Version};
    use serde_json::json;

    use super::super::fixture::BARE;
    use super::*;

    fn calls(status: u16, lines: &[Value]) -> Vec<Call> {
        let mut session = Batches::new(BARE);
        let mut template = Call::new(Api::Batches, Operation::FetchResponse, Role::Client);
        let head = ResponseHead { status, version: Version::Http11, headers: agent_wire::Headers::new() };
        session.response_head(&head, &mut template);
        for value in lines {
            session.message(
                &SessionMessage { from_client: false, event: "", value, bytes: 0, at: 0 },
                &template,
            );
        }
        session.end(&ExchangeEnd::default(), &template);
        std::iter::from_fn(|| session.take()).collect()
    }

    #[test]
    fn each_result_is_a_response_fetched() {
        let message = json!({"type": "message", "id": "msg_1", "model": "claude", "role": "assistant", "content": [], "stop_reason": "end_turn",
            "usage": {"input_tokens": 15, "output_tokens": 3}});
        let found = calls(
            200,
            &[
                json!({"custom_id": "a", "result": {"type": "succeeded", "message": message}}),
                json!({"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}}}),
            ],
        );
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].response.id.as_deref(), found[0].usage.input), (Some("msg_1"), None));
        assert_eq!(found[0].fetched_usage.as_ref().and_then(|usage| usage.input), Some(15));
        assert_eq!(found[1].error.as_ref().map(|error| error.kind.as_str()), Some("invalid_request_error"));
    }

    #[test]
    fn a_page_of_results_and_a_failed_fetch() {
        let chat = json!({"id": "x", "object": "chat.completion", "model": "grok", "choices": [{"index": 0, "message": {}, "finish_reason": "stop"}]});
        let page = json!({"results": [{"batch_result": {"response": {"chat_get_completion": chat}}}]});
        assert_eq!(calls(200, &[page])[0].response.finish_reasons, ["stop"]);
        let found =
            calls(404, &[json!({"type": "error", "error": {"type": "not_found_error", "message": "none"}})]);
        assert_eq!(found[0].error.as_ref().map(|error| error.kind.as_str()), Some("not_found_error"));
    }
}
