//! OpenAI Realtime, and the servers that speak it (Azure, xAI, gateways): one call a response, and one a transcription of what the user said.

use std::collections::VecDeque;

use agent_wire::{ExchangeEnd, Nanos};
use serde_json::{Value, json};

use super::{MAX_TURNS, Turn};
use crate::call::{Api, Call, CallError, Message, Operation, Part, ToolDefinition, Unit, UsageUnits};
use crate::codec::content::{Budget, weight};
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::usage::Dialect;
use crate::codec::{CodecOptions, RequestFacts, Session, SessionMessage, error, json as at, usage};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("realtime", Operation::Chat).by("WS"),
        Row::likely("realtime/calls/*", Operation::Chat).by("WS"),
        Row::likely("voice-agent/realtime", Operation::Chat).by("WS"),
    ],
    sniff: Some(|body| at::str_at(body, &["type"]).is_some_and(is_opening)),
    ..Spec::new(
        Api::Realtime,
        Operation::Chat,
        "openai",
        Make::Session(|options| Box::new(Realtime::new(options))),
    )
};

/// Messages that only this API begins with.
fn is_opening(kind: &str) -> bool {
    matches!(kind, "session.created" | "session.update" | "session.updated" | "transcription_session.update")
}

/// Facts of the session, the newest of each.
#[derive(Default)]
struct Facts {
    model: Option<String>,
    session: Option<String>,
    conversation: Option<String>,
    instructions: Option<String>,
    transcriber: Option<String>,
    temperature: Option<f64>,
    max_tokens: Option<i64>,
    speech: Option<bool>,
    tools: Vec<ToolDefinition>,
}

impl Facts {
    /// Bytes held, roughly.
    fn held_bytes(&self) -> usize {
        let tool = |tool: &ToolDefinition| {
            let text = tool.name.len() + tool.description.as_deref().map_or(0, str::len);
            text + tool.parameters.as_ref().map_or(0, weight)
        };
        self.instructions.as_deref().map_or(0, str::len) + self.tools.iter().map(tool).sum::<usize>()
    }
}

/// Makes a call of each response of a session.
pub(crate) struct Realtime {
    options: CodecOptions,
    facts: Facts,
    turns: VecDeque<Turn>,
    ready: VecDeque<Call>,
    /// When the client asked for a response that has not begun yet, and with what.
    asked: VecDeque<(Nanos, Value)>,
    /// What was said since the last response began.
    input: Vec<Message>,
    budget: Budget,
    /// Bytes of the client since the last response began.
    sent: u64,
    /// When the user's last turn was committed.
    committed: Option<Nanos>,
    confirmed: bool,
}

impl Realtime {
    /// A session for one connection.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            facts: Facts::default(),
            turns: VecDeque::new(),
            ready: VecDeque::new(),
            asked: VecDeque::new(),
            input: Vec::new(),
            budget: Budget::new(options.max_content),
            sent: 0,
            committed: None,
            confirmed: false,
        }
    }

    fn session(&mut self, session: &Value) {
        let facts = &mut self.facts;
        let set = |field: &mut Option<String>, paths: &[&[&str]]| {
            if let Some(text) = paths.iter().find_map(|path| at::string_at(session, path)) {
                *field = Some(text);
            }
        };
        set(&mut facts.model, &[&["model"]]);
        set(&mut facts.session, &[&["id"]]);
        set(
            &mut facts.transcriber,
            &[&["audio", "input", "transcription", "model"], &["input_audio_transcription", "model"]],
        );
        if self.options.content {
            set(&mut facts.instructions, &[&["instructions"]]);
        }
        facts.temperature = at::f64_at(session, &["temperature"]).or(facts.temperature);
        let most = at::i64_at(session, &["max_output_tokens"]);
        facts.max_tokens =
            most.or_else(|| at::i64_at(session, &["max_response_output_tokens"])).or(facts.max_tokens);
        facts.speech = speech(session).or(facts.speech);
        if let Some(tools) = at::at(session, &["tools"]).and_then(Value::as_array) {
            facts.tools =
                tools.iter().filter_map(|tool| definition(tool, self.options.content)).take(512).collect();
        }
    }

    /// A response begins.
    fn begin_turn(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let response = at::at(message.value, &["response"]).unwrap_or(&Value::Null);
        let (start, asked) =
            self.asked.pop_front().unwrap_or((self.committed.take().unwrap_or(message.at), Value::Null));
        let mut turn = Turn::new(template, self.options, start);
        turn.id = at::string_at(response, &["id"]);
        turn.call.completeness.request_bytes = std::mem::take(&mut self.sent);
        let facts = &self.facts;
        let request = &mut turn.call.request;
        request.model = facts.model.clone().or_else(|| request.model.take());
        request.conversation_id = at::string_at(response, &["conversation_id"])
            .or_else(|| facts.conversation.clone())
            .or_else(|| facts.session.clone());
        request.temperature = at::f64_at(&asked, &["temperature"]).or(facts.temperature);
        request.max_tokens = at::i64_at(&asked, &["max_output_tokens"]).or(facts.max_tokens);
        request.tools.clone_from(&facts.tools);
        let spoken = speech(response).or_else(|| speech(&asked)).or(facts.speech);
        request.output_type = spoken.map(|speech| if speech { "speech" } else { "text" }.to_owned());
        if self.options.content {
            let said = at::string_at(&asked, &["instructions"]).or_else(|| facts.instructions.clone());
            request.system = said.map(Part::Text).into_iter().collect();
            request.messages = std::mem::take(&mut self.input);
        }
        // What the input held is the call's now.
        self.budget = Budget::new(self.options.max_content);
        self.turns.push_back(turn);
        if self.turns.len() > MAX_TURNS
            && let Some(oldest) = self.turns.pop_front()
        {
            self.ready.push_back(oldest.finish(true));
        }
    }

    /// The response that an event belongs to: by its id, else the newest.
    fn turn_of(&self, value: &Value) -> Option<usize> {
        let id = at::str_at(value, &["response_id"]).or_else(|| at::str_at(value, &["response", "id"]));
        match id {
            Some(id) => self.turns.iter().position(|turn| turn.id.as_deref() == Some(id)),
            None => self.turns.len().checked_sub(1),
        }
    }

    fn done(&mut self, message: &SessionMessage<'_>, template: &Call) {
        if self.turn_of(message.value).is_none() {
            // Its beginning was before the capture.
            self.begin_turn(message, template);
            if let Some(turn) = self.turns.back_mut() {
                turn.call.completeness.attached_mid_stream = true;
            }
        }
        let Some(mut turn) = self.turn_of(message.value).and_then(|place| self.turns.remove(place)) else {
            return;
        };
        let response = at::at(message.value, &["response"]).unwrap_or(&Value::Null);
        let status = at::str_at(response, &["status"]).unwrap_or("completed").to_owned();
        // The Responses API ends with an event of its status.
        let kind = format!("response.{status}");
        let event = json!({"type": kind, "response": response});
        turn.event(&kind, message, &event);
        if let Some(conversation) = at::string_at(response, &["conversation_id"]) {
            turn.call.request.conversation_id = Some(conversation);
        }
        let details = at::at(response, &["status_details"]).unwrap_or(&Value::Null);
        let mut call = turn.finish(false);
        match status.as_str() {
            "incomplete" => {
                let reason = match at::str_at(details, &["reason"]) {
                    Some("max_output_tokens") | None => "length",
                    Some(reason) => reason,
                };
                call.response.finish_reasons = vec![reason.to_owned()];
                call.error = None;
            }
            "cancelled" => {
                call.response.finish_reasons = vec!["cancelled".to_owned()];
                call.error = None;
            }
            "failed" => {
                let failure = at::at(details, &["error"]).unwrap_or(details);
                let kind = at::str_at(failure, &["code"]).or_else(|| at::str_at(failure, &["type"]));
                let message = at::str_at(failure, &["message"]).unwrap_or_default().to_owned();
                call.error = Some(CallError { kind: kind.unwrap_or("failed").to_owned(), message });
                call.response.finish_reasons = vec!["error".to_owned()];
            }
            _ => {}
        }
        self.ready.push_back(call);
    }

    /// What the user said, as text: a call of its own model, billed apart.
    fn transcribed(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let value = message.value;
        if let Some(text) = at::str_at(value, &["transcript"]) {
            self.said("user", Part::Text(text.to_owned()), text.len());
        }
        let Some(reported) = at::at(value, &["usage"]) else { return };
        let mut call = template.clone();
        call.operation = Operation::GenerateContent;
        call.timing.start = self.committed.unwrap_or(message.at);
        call.timing.end = message.at;
        call.completeness.request_bytes = 0;
        call.completeness.response_bytes = message.bytes;
        call.request.model.clone_from(&self.facts.transcriber);
        call.request.output_type = Some("text".to_owned());
        call.request.conversation_id = self.facts.conversation.clone().or_else(|| self.facts.session.clone());
        call.usage = usage::openai(reported, Dialect::Standard).unwrap_or_default();
        if at::str_at(reported, &["type"]) == Some("duration")
            && let Some(quantity) = at::at(reported, &["seconds"]).and_then(at::as_decimal)
        {
            call.usage.units.push(UsageUnits { unit: Unit::AudioSecond, quantity });
        }
        self.ready.push_back(call);
    }

    fn said(&mut self, role: &str, part: Part, bytes: usize) {
        if self.options.content && self.input.len() < 4096 && self.budget.content(bytes) {
            let message =
                Message { role: role.to_owned(), parts: vec![part], name: None, finish_reason: None };
            self.input.push(message);
        }
    }

    fn item(&mut self, item: &Value) {
        if at::str_at(item, &["type"]) == Some("function_call_output") {
            let output = at::at(item, &["output"]).cloned().unwrap_or_default();
            let bytes = output.as_str().map_or(64, str::len);
            let id = at::string_at(item, &["call_id"]);
            self.said("tool", Part::ToolCallResponse { id, response: output }, bytes);
            return;
        }
        let role = at::str_at(item, &["role"]).unwrap_or("user").to_owned();
        for content in at::array_at(item, &["content"]) {
            if let Some(text) =
                at::str_at(content, &["text"]).or_else(|| at::str_at(content, &["transcript"]))
            {
                self.said(&role, Part::Text(text.to_owned()), text.len());
            }
        }
    }

    fn failed(&mut self, message: &SessionMessage<'_>, template: &Call) {
        // An error without a response that it could be about is the session's, not a call's.
        let Some((start, _)) = self.asked.pop_front() else { return };
        let mut turn = Turn::new(template, self.options, start);
        turn.call.request.model = self.facts.model.clone().or_else(|| turn.call.request.model.take());
        turn.call.error = Some(error::from_body(message.value, None));
        turn.call.timing.end = message.at;
        turn.call.completeness.response_bytes = message.bytes;
        self.ready.push_back(turn.finish(false));
    }
}

/// What is read of the settings of one response, and nothing else: what waits for an answer may be long.
fn settings(response: &Value) -> Value {
    let kept = ["instructions", "temperature", "max_output_tokens", "output_modalities", "modalities"];
    let members = kept.iter().filter_map(|key| Some(((*key).to_owned(), at::at(response, &[key])?.clone())));
    Value::Object(members.collect())
}

/// Whether sound is asked for; `None` when nothing is said of it.
fn speech(holder: &Value) -> Option<bool> {
    let kinds = ["output_modalities", "modalities"].iter().find_map(|key| at::at(holder, &[key]))?;
    let kinds = kinds.as_array()?;
    Some(kinds.iter().any(|kind| kind == "audio"))
}

fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    let kind = at::str_at(tool, &["type"]).unwrap_or("function").to_owned();
    Some(ToolDefinition {
        name: at::string_at(tool, &["name"]).unwrap_or_else(|| kind.clone()),
        description: at::string_at(tool, &["description"]).filter(|_| content),
        parameters: tool
            .as_object()?
            .get("parameters")
            .filter(|schema| content && schema.is_object())
            .cloned(),
        kind,
    })
}

impl Session for Realtime {
    fn begin(&mut self, facts: &RequestFacts<'_>, template: &mut Call) {
        let query = facts.head.query().unwrap_or_default();
        let of = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name))
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        template.request.model = of("model=").or_else(|| of("deployment="));
    }

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        let value = message.value;
        let kind = at::str_at(value, &["type"]).unwrap_or_default();
        if message.from_client {
            self.sent += message.bytes;
            match kind {
                "session.update" => {
                    self.confirmed = true;
                    self.session(at::at(value, &["session"]).unwrap_or(&Value::Null));
                }
                "conversation.item.create" => self.item(at::at(value, &["item"]).unwrap_or(&Value::Null)),
                "response.create" if self.asked.len() < MAX_TURNS => {
                    let asked = at::at(value, &["response"]).map(settings).unwrap_or_default();
                    self.asked.push_back((message.at, asked));
                }
                _ => {}
            }
            return;
        }
        match kind {
            "session.created" | "session.updated" => {
                self.confirmed = true;
                self.session(at::at(value, &["session"]).unwrap_or(&Value::Null));
            }
            "conversation.created" => {
                self.facts.conversation = at::string_at(value, &["conversation", "id"]);
            }
            "input_audio_buffer.committed" => self.committed = Some(message.at),
            "conversation.item.input_audio_transcription.completed" => self.transcribed(message, template),
            "response.created" => {
                self.confirmed = true;
                self.begin_turn(message, template);
            }
            "response.done" => {
                self.confirmed = true;
                self.done(message, template);
            }
            "error" => self.failed(message, template),
            kind if kind.starts_with("response.") => {
                if let Some(turn) = self.turn_of(value).and_then(|place| self.turns.get_mut(place)) {
                    turn.event(kind, message, value);
                }
            }
            _ => {}
        }
    }

    fn opaque(&mut self, from_client: bool, bytes: u64, _at: Nanos) {
        if from_client {
            self.sent += bytes;
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
        self.turns.iter().map(Turn::held_bytes).sum::<usize>()
            + self.ready.len() * size_of::<Call>()
            + self.budget.held()
            + self.facts.held_bytes()
            + self.asked.iter().map(|(_, asked)| weight(asked)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
