//! Gemini's live sessions over a WebSocket: one call a turn of the model, from what the client said last to `turnComplete`, or to the
//! calls of functions that the turn waits for.

#[cfg(test)]
mod tests;
mod turn;

use std::collections::VecDeque;

use agent_wire::{ExchangeEnd, Nanos};
use serde_json::Value;

use self::turn::{Ended, Turn};
use super::content::Budget;
use super::gemini::{names, parts, settings};
use super::spec::{Make, Row, Spec};
use super::{CodecOptions, RequestFacts, Session, SessionMessage};
use crate::call::{Api, Call, Message, Operation, Part, Request};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("google.ai.generativelanguage.*", Operation::GenerateContent).by("WS"),
        // Vertex.
        Row::certain("google.cloud.aiplatform.*/BidiGenerateContent", Operation::GenerateContent).by("WS"),
    ],
    sniff: Some(|body| names::get(body, &["setup", "model"]).is_some()),
    ..Spec::new(
        Api::GeminiLive,
        Operation::GenerateContent,
        "gcp.gemini",
        Make::Session(|options| Box::new(GeminiLive::new(options))),
    )
};

/// Most messages of input kept for the next turn.
const MAX_INPUT: usize = 4096;

/// Makes a call of each turn of a session.
pub(crate) struct GeminiLive {
    options: CodecOptions,
    /// Settings of the session; the request side of each call.
    setup: Request,
    session: Option<String>,
    turn: Option<Turn>,
    /// A turn that has ended, whose counts may still come.
    ended: Option<Call>,
    ready: VecDeque<Call>,
    /// What was said since the last turn began.
    input: Vec<Message>,
    budget: Budget,
    /// Bytes of the client since the last turn began, and when they came last.
    sent: u64,
    heard: Option<Nanos>,
    confirmed: bool,
}

impl GeminiLive {
    /// A session for one connection.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            setup: Request::default(),
            session: None,
            turn: None,
            ended: None,
            ready: VecDeque::new(),
            input: Vec::new(),
            budget: Budget::new(options.max_content),
            sent: 0,
            heard: None,
            confirmed: false,
        }
    }

    fn client(&mut self, message: &SessionMessage<'_>) {
        let value = message.value;
        self.sent = self.sent.saturating_add(message.bytes);
        if let Some(setup) = names::get(value, &["setup"]) {
            self.confirmed = true;
            settings(setup, self.options.content, &mut self.setup);
            // `models/…`, or at Vertex a whole resource name.
            let model = names::string(setup, &["model"]);
            self.setup.model = model.map(|model| model.trim_start_matches("models/").to_owned());
            return;
        }
        if let Some(said) = names::get(value, &["clientContent"]) {
            self.confirmed = true;
            self.heard = Some(message.at);
            for message in names::get(said, &["turns"]).map(parts::messages).unwrap_or_default() {
                self.said(message);
            }
        } else if let Some(piece) = names::get(value, &["realtimeInput"]) {
            self.confirmed = true;
            self.heard = Some(message.at);
            if let Some(text) = names::string(piece, &["text"]) {
                self.said(spoken("user", Part::Text(text)));
            }
        } else if let Some(answer) = names::get(value, &["toolResponse"]) {
            self.confirmed = true;
            // What asked for it has ended, and what follows is another call.
            self.close(Ended::Calls);
            self.heard = Some(message.at);
            for response in names::array(answer, &["functionResponses"]) {
                let part = Part::ToolCallResponse {
                    id: names::string(response, &["id"]),
                    response: names::get(response, &["response"]).cloned().unwrap_or_default(),
                };
                self.said(spoken("tool", part));
            }
        }
    }

    fn server(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let value = message.value;
        let content = names::get(value, &["serverContent"]);
        let called = names::get(value, &["toolCall"]);
        let counts = names::get(value, &["usageMetadata"]);
        if let Some(complete) = names::get(value, &["setupComplete"]) {
            self.confirmed = true;
            self.session = names::string(complete, &["sessionId"]).or_else(|| self.session.take());
        }
        if content.is_none() && called.is_none() {
            // Counts that come behind the end of their turn.
            match (&mut self.turn, &mut self.ended, counts) {
                (Some(turn), _, Some(counts)) => turn.counts(counts),
                (None, Some(ended), Some(counts)) => turn::count(ended, counts),
                _ => {}
            }
            if counts.is_some() {
                self.flush();
            }
            return;
        }
        self.confirmed = true;
        if let Some(said) =
            content.and_then(|content| names::string(content, &["inputTranscription", "text"]))
        {
            self.heard_words(&said);
        }
        let speaks = called.is_some()
            || content.is_some_and(|content| {
                ["modelTurn", "outputTranscription", "turnComplete", "generationComplete", "interrupted"]
                    .iter()
                    .any(|key| names::get(content, &[key]).is_some())
            });
        if !speaks && self.turn.is_none() {
            return;
        }
        // An end without a beginning is the end of a turn that was counted.
        let ends_only = called.is_none()
            && content.is_some_and(|content| {
                names::get(content, &["modelTurn"]).is_none()
                    && names::get(content, &["outputTranscription"]).is_none()
            });
        if self.turn.is_none() && ends_only && (self.ended.is_some() || self.heard.is_none()) {
            if let (Some(ended), Some(counts)) = (&mut self.ended, counts) {
                turn::count(ended, counts);
            }
            return;
        }
        if self.turn.is_none() {
            self.begin_turn(message.at, template);
        }
        let Some(turn) = self.turn.as_mut() else { return };
        turn.take(message, self.options.content);
        if let Some(content) = content {
            let told = |key: &str| names::get(content, &[key]).and_then(Value::as_bool) == Some(true);
            if told("turnComplete") {
                let reason = names::string(content, &["turnCompleteReason"]);
                self.close(Ended::Turn(reason));
            } else if told("interrupted") {
                turn.interrupted = true;
            }
        }
    }

    fn begin_turn(&mut self, at: Nanos, template: &Call) {
        self.flush();
        let mut call = template.clone();
        call.timing.start = self.heard.take().unwrap_or(at);
        call.timing.request_end = Some(call.timing.start);
        call.timing.end = call.timing.start;
        call.completeness.request_bytes = std::mem::take(&mut self.sent);
        call.completeness.response_bytes = 0;
        let traceparent = call.request.traceparent.take();
        let named = call.request.model.take();
        call.request = self.setup.clone();
        call.request.stream = true;
        call.request.traceparent = traceparent;
        call.request.model = call.request.model.take().or(named);
        call.request.conversation_id.clone_from(&self.session);
        call.request.messages = std::mem::take(&mut self.input);
        self.budget = Budget::new(self.options.max_content);
        self.turn = Some(Turn::new(call, self.options));
    }

    /// The turn under way has ended.
    fn close(&mut self, how: Ended) {
        if let Some(turn) = self.turn.take() {
            self.flush();
            let call = turn.finish(how, self.options.content);
            if call.usage.is_reported() {
                self.ready.push_back(call);
            } else {
                self.ended = Some(call);
            }
        }
    }

    fn flush(&mut self) {
        self.ready.extend(self.ended.take());
    }

    fn said(&mut self, message: Message) {
        let weight = message.parts.iter().map(bytes_of).sum();
        if self.options.content && self.input.len() < MAX_INPUT && self.budget.content(weight) {
            self.input.push(message);
        }
    }

    /// A piece of what the user said aloud, as text. It may come when the answer has begun.
    fn heard_words(&mut self, text: &str) {
        if !self.options.content || !self.budget.content(text.len()) {
            return;
        }
        let messages = match &mut self.turn {
            Some(turn) => &mut turn.call.request.messages,
            None => &mut self.input,
        };
        let full = messages.len() >= MAX_INPUT;
        match messages.last_mut().filter(|last| last.role == "user") {
            Some(last) => match last.parts.last_mut() {
                Some(Part::Text(before)) => before.push_str(text),
                _ => last.parts.push(Part::Text(text.to_owned())),
            },
            None if full => {}
            None => messages.push(spoken("user", Part::Text(text.to_owned()))),
        }
    }
}

impl Session for GeminiLive {
    fn begin(&mut self, _facts: &RequestFacts<'_>, _template: &mut Call) {}

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        if message.from_client {
            self.client(message);
        } else {
            self.server(message, template);
        }
    }

    fn opaque(&mut self, from_client: bool, bytes: u64, at: Nanos) {
        if from_client {
            self.sent = self.sent.saturating_add(bytes);
            self.heard = Some(at);
        }
    }

    fn end(&mut self, end: &ExchangeEnd, _template: &Call) {
        if let Some(turn) = &mut self.turn {
            turn.call.completeness.attached_mid_stream |= end.attached_mid_stream;
        }
        // A call of a function that nobody answered has ended all the same.
        let asks = self.turn.as_ref().is_some_and(Turn::asks);
        self.close(if asks { Ended::Calls } else { Ended::Cut });
        self.flush();
    }

    fn take(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn held_bytes(&self) -> usize {
        let turn = self.turn.as_ref().map_or(0, Turn::held_bytes);
        self.budget.held() + turn + size_of::<Call>() * (self.ready.len() + 1)
    }
}

fn spoken(role: &str, part: Part) -> Message {
    Message { role: role.to_owned(), parts: vec![part], name: None, finish_reason: None }
}

/// What a part weighs, roughly.
fn bytes_of(part: &Part) -> usize {
    64 + match part {
        Part::Text(text) | Part::Reasoning(text) => text.len(),
        Part::Blob { content, .. } => content.len(),
        Part::ToolCallResponse { response, .. } => super::content::weight(response),
        Part::Generic { value, .. } => super::content::weight(value),
        Part::ToolCall(call) => call.arguments.as_ref().map_or(0, super::content::weight),
        _ => 0,
    }
}
