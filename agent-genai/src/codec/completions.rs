//! OpenAI's first text completions, and the servers that still have them: the answer is a chat completion whose choices hold `text`.

use serde_json::Value;

use super::openai_chat::{OpenAiChat, request};
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, json};
use crate::call::{Api, Call, Message, Operation, Part};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("completions", Operation::TextCompletion)],
    request: |body| json::at(body, &["prompt"]).is_some() || json::at(body, &["messages"]).is_some(),
    response,
    sniff: Some(|body| {
        json::str_at(body, &["model"]).is_some()
            && body.get("prompt").is_some_and(|prompt| prompt.is_string() || prompt.is_array())
    }),
    ..Spec::new(
        Api::Completions,
        Operation::TextCompletion,
        "openai",
        Make::Codec(|options| Box::new(Completions::new(options))),
    )
};

fn response(_event: &str, body: &Value) -> Option<bool> {
    if let Some("text_completion" | "text.completion") = json::str_at(body, &["object"]) {
        return Some(true);
    }
    let choices = json::array_at(body, &["choices"]);
    (!choices.is_empty() && choices.iter().all(|choice| json::at(choice, &["text"]).is_some()))
        .then_some(true)
}

/// Folds one exchange.
pub(crate) struct Completions {
    chat: OpenAiChat,
    content: bool,
    /// Writer's stream of bare `value`s, which has neither a reason nor a last event.
    bare: bool,
}

impl Completions {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { chat: OpenAiChat::new(options), content: options.content, bare: false }
    }
}

impl Codec for Completions {
    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.content, call);
        if json::at(body, &["messages"]).is_some() {
            // A client that was given the whole address as its base.
            call.operation = Operation::Chat;
        } else if self.content {
            call.request.messages = prompts(body.get("prompt").unwrap_or(&Value::Null));
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.chat.response(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match json::at(data, &["value"]).and_then(Value::as_str) {
            Some(piece) if json::at(data, &["choices"]).is_none() => {
                self.bare = true;
                if let Some(mut slot) = self.chat.answers().slot(0) {
                    slot.text(Some(piece));
                }
            }
            _ => self.chat.event(event, data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.chat.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.bare
    }

    fn held_bytes(&self) -> usize {
        self.chat.held_bytes()
    }
}

/// One message a prompt. Prompts given as token numbers have no text.
fn prompts(prompt: &Value) -> Vec<Message> {
    let texts: Vec<&str> = match prompt {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    texts.into_iter().map(|text| said("user", text)).collect()
}

/// A message of one text.
pub(super) fn said(role: &str, text: &str) -> Message {
    Message {
        role: role.to_owned(),
        parts: vec![Part::Text(text.to_owned())],
        name: None,
        finish_reason: None,
    }
}

#[cfg(test)]
mod tests;
