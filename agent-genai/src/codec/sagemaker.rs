//! SageMaker endpoints that serve language models: chat completions, or the prompt of Text Generation Inference or of a vendor.
//!
//! An endpoint may serve any model at all, so the answer must show that text was made. In streams, the parts of the payload are cut
//! anywhere: the lines within them are put together here.

use agent_wire::ResponseHead;
use serde_json::Value;

use super::aws::Told;
use super::invoke::text::Texts;
use super::native::TGI;
use super::openai_chat::OpenAiChat;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Operation};

/// Longest line put together.
const MAX_LINE: usize = 1 << 20;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("endpoints/{model}/invocations", Operation::TextCompletion),
        Row::likely("endpoints/{model}/invocations-response-stream", Operation::TextCompletion),
    ],
    request: |body| ["messages", "inputs", "prompt"].iter().any(|key| json::at(body, &[key]).is_some()),
    response,
    thin_response: &[],
    ..Spec::new(
        Api::SageMaker,
        Operation::TextCompletion,
        "aws.sagemaker",
        Make::Codec(|options| Box::new(SageMaker::new(options))),
    )
};

/// An endpoint of Amazon's that answers with anything but text, or an error, serves another kind of model.
fn response(_event: &str, body: &Value) -> Option<bool> {
    let failure =
        ["message", "Message", "ErrorCode", "error"].iter().any(|key| json::at(body, &[key]).is_some());
    if failure { None } else { Some(is_text(body)) }
}

/// Whether a body is text that a model made, or a piece of it.
fn is_text(body: &Value) -> bool {
    let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
    let has = |path: &[&str]| json::at(body, path).is_some();
    let choice = json::array_at(body, &["choices"]).first();
    has(&["generated_text"])
        || has(&["token", "text"])
        || has(&["generation"])
        || json::array_at(body, &["outputs"]).first().is_some_and(|one| one.get("text").is_some())
        || choice.is_some_and(|one| ["message", "delta", "text"].iter().any(|key| one.get(key).is_some()))
}

/// Folds one exchange.
pub(crate) struct SageMaker {
    options: CodecOptions,
    inner: Option<Box<dyn Codec>>,
    model: Option<String>,
    stream: bool,
    told: Told,
    /// The line under way.
    line: Vec<u8>,
    shown: bool,
    /// No answer came, or one that says that it failed.
    failed: bool,
    done: bool,
}

impl SageMaker {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            inner: None,
            model: None,
            stream: false,
            told: Told::default(),
            line: Vec::new(),
            shown: false,
            failed: true,
            done: false,
        }
    }

    fn choose(&mut self, chat: bool, inputs: bool, call: &mut Call) {
        call.operation = if chat { Operation::Chat } else { Operation::TextCompletion };
        self.inner = Some(match TGI.make {
            _ if chat => Box::new(OpenAiChat::new(self.options)),
            Make::Codec(make) if inputs => make(self.options),
            _ => Box::new(Texts::new(self.options)),
        });
    }

    /// One line of a stream: an SSE field or a JSON text of its own.
    fn line(&mut self, call: &mut Call) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii();
        let text = text.strip_prefix(b"data:").unwrap_or(text).trim_ascii();
        if text == b"[DONE]" {
            self.done = true;
        } else if let Ok(value @ Value::Object(_)) = serde_json::from_slice(text) {
            self.event("", &value, call);
        }
    }
}

impl Codec for SageMaker {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.model = facts.model.map(str::to_owned);
        self.stream = facts.row.is_some_and(|row| row.path.ends_with("-stream"));
        call.request.stream = self.stream;
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let has = |key: &str| json::at(body, &[key]).is_some();
        self.choose(has("messages"), has("inputs"), call);
        if let Some(inner) = self.inner.as_mut() {
            inner.request(body, call);
        }
        call.request.stream |= self.stream;
        // The endpoint stands for the model that nothing names.
        if call.request.model.is_none() {
            call.request.model.clone_from(&self.model);
        }
    }

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        self.told = Told::new(head);
        self.failed = head.status >= 400;
        if let Some(inner) = self.inner.as_mut() {
            inner.response_head(head, call);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        if let Some(status) = call.http.status.filter(|status| *status >= 400) {
            call.error = Some(error::from_body(body, Some(status)));
            return;
        }
        self.shown |= is_text(body);
        if let Some(inner) = self.inner.as_mut() {
            inner.response(body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.shown |= is_text(data);
        if let Some(inner) = self.inner.as_mut() {
            inner.event(event, data, call);
        }
    }

    fn payload(&mut self, kind: &str, data: &[u8], call: &mut Call) -> Option<bool> {
        if kind != "PayloadPart" {
            return None;
        }
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len().saturating_add(piece.len()) <= MAX_LINE {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                self.line(call);
            }
        }
        Some(self.shown)
    }

    fn finish(&mut self, call: &mut Call) {
        self.line(call);
        if let Some(inner) = self.inner.as_mut() {
            inner.finish(call);
        }
        self.told.name_error(call);
        self.failed |= call.error.is_some();
    }

    fn has_ended(&self) -> bool {
        self.done || self.inner.as_ref().is_some_and(|inner| inner.has_ended())
    }

    fn is_call(&self) -> bool {
        self.shown || self.failed
    }

    fn held_bytes(&self) -> usize {
        self.line.capacity() + self.inner.as_ref().map_or(0, |inner| inner.held_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::Part;
    use crate::codec::fixture::{BARE, CONTENT, call, request, response};

    const API: Api = Api::SageMaker;

    #[test]
    fn lines_are_put_together_from_parts_cut_anywhere() {
        let mut codec = SageMaker::new(CONTENT);
        let mut made = call(API);
        codec.request(&json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 5}), &mut made);
        let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]";
        for piece in stream.as_bytes().chunks(7) {
            assert!(codec.payload("PayloadPart", piece, &mut made).is_some());
        }
        assert_eq!(codec.payload("Other", b"x", &mut made), None);
        codec.finish(&mut made);
        assert!(codec.has_ended());
        assert_eq!((made.usage.input, made.operation), (Some(3), Operation::Chat));
        assert_eq!(made.response.messages[0].parts, [Part::Text("ab".into())]);
        assert_eq!(made.response.finish_reasons, ["stop"]);
    }

    #[test]
    fn whole_answers_and_other_models() {
        assert!(is_text(&json!([{"generated_text": "x"}])));
        assert!(!is_text(&json!({"predictions": [0.1]})) && !is_text(&json!([[0.1]])));
        let made = request(
            &mut SageMaker::new(BARE),
            API,
            &json!({"inputs": "x", "parameters": {"max_new_tokens": 7}}),
        );
        assert_eq!((made.request.max_tokens, made.operation), (Some(7), Operation::TextCompletion));
        let mut codec = SageMaker::new(CONTENT);
        codec.choose(false, true, &mut call(API));
        let made = response(&mut codec, API, 200, &json!([{"generated_text": "x"}]));
        assert_eq!(made.response.messages[0].parts, [Part::Text("x".into())]);
    }
}
