//! Model Context Protocol over HTTP, of both eras (revisions 2024-11-05 to 2025-11-25, and 2026-07-28), and over WebSocket.
//!
//! Each JSON-RPC request is a call of its own, whoever sent it. An answer that comes by another exchange (the standing event stream of
//! a session, a later POST of the client) leaves two halves, which [`crate::Correlator`] joins.

mod facts;
mod known;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use agent_wire::{ExchangeEnd, Nanos, ResponseHead, Version};
use serde_json::Value;

pub(crate) use self::known::at_head;
use super::content::weight;
use super::jsonrpc::{self, Message};
use super::spec::{Make, Row, Spec};
use super::{CodecOptions, RequestFacts, Session, SessionMessage, error};
use crate::call::{Api, Call, CallError, Half, HalfPart, Operation, Rpc};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("mcp", Operation::Rpc),
        Row::likely("sse", Operation::Rpc).by("WS"),
        Row::likely("mcp", Operation::Rpc).by("WS"),
    ],
    request: known::is_message,
    response: |_, body| known::is_message(body).then_some(true),
    sniff: Some(known::is_request),
    thin_response: &[],
    open_ended: true,
    ..Spec::new(Api::Mcp, Operation::Rpc, "", Make::Session(|options| Box::new(Mcp::new(options))))
};

/// What [`at_head`] found to be MCP, whatever its path.
pub(crate) static ANY_PATH: Row = Row::likely("*", Operation::Rpc);

/// Most requests of one exchange that may wait for their answers.
const MAX_OPEN: usize = 256;
/// Most bytes of arguments that they may hold, roughly.
const MAX_HELD: usize = 8 << 20;

/// The first revision without sessions: an answer comes by the exchange of its request or not at all.
const SESSIONLESS: &str = "2026-07-28";

/// The messages of one exchange.
struct Mcp {
    content: bool,
    socket: bool,
    /// The MCP session, or what stands for it in the first protocol: answers are looked for by it.
    channel: Option<String>,
    session_id: Option<String>,
    protocol: Option<String>,
    version: Option<&'static str>,
    traceparent: Option<String>,
    /// Any request counts, because the head proves the protocol.
    certain: bool,
    /// The path is one of MCP's.
    on_path: bool,
    /// The exchange asks for the event stream of a session.
    listens: bool,
    open: Vec<Open>,
    ready: VecDeque<Call>,
    /// An error body that is no JSON-RPC.
    refusal: Option<CallError>,
    confirmed: bool,
    foreign: bool,
    held: usize,
}

/// A request whose answer has not come.
struct Open {
    id: String,
    from_server: bool,
    notifications: u64,
    call: Call,
}

impl Mcp {
    fn new(options: CodecOptions) -> Self {
        Self {
            content: options.content,
            socket: false,
            channel: None,
            session_id: None,
            protocol: None,
            version: None,
            traceparent: None,
            certain: false,
            on_path: false,
            listens: false,
            open: Vec::new(),
            ready: VecDeque::new(),
            refusal: None,
            confirmed: false,
            foreign: false,
            held: 0,
        }
    }

    fn enter(&mut self, session_id: &str) {
        if !session_id.is_empty() && session_id.len() <= 256 {
            self.session_id = Some(session_id.to_owned());
            self.channel = Some(session_id.to_owned());
        }
    }

    fn request(
        &mut self,
        id: &Value,
        method: &str,
        params: &Value,
        message: &SessionMessage<'_>,
        template: &Call,
    ) {
        let bound = method.len() <= known::MAX_METHOD;
        let is_ours = known::is_method(method, params)
            || self.on_path && method == "ping"
            || bound && (self.certain || self.confirmed);
        let (true, Some(id)) = (is_ours, jsonrpc::id_text(id)) else { return };
        self.confirmed = true;
        let from_server = !message.from_client;
        let mut call = template.clone();
        call.operation = if method == "tools/call" { Operation::ExecuteTool } else { Operation::Rpc };
        call.error = None;
        if from_server || self.socket {
            call.timing = crate::call::Timing { start: message.at, end: message.at, ..Default::default() };
        }
        call.timing.request_end = Some(message.at);
        call.timing.first_chunk = None;
        call.timing.chunk_gaps = crate::call::ChunkGaps::default();
        call.completeness.request_bytes = message.bytes;
        call.completeness.response_bytes = 0;
        let mut rpc = Rpc {
            system: "mcp",
            method: method.to_owned(),
            request_id: Some(id.clone()),
            protocol_version: self.protocol.clone(),
            session_id: self.session_id.clone(),
            from_server,
            transport: if self.socket { "websocket" } else { "http" },
            transport_version: self.version,
            ..Rpc::default()
        };
        facts::of_request(method, params, self.content, &mut rpc);
        call.request.traceparent.clone_from(&self.traceparent);
        if let Some(parent) = facts::traceparent(params) {
            rpc.link = call.request.traceparent.take().filter(|transport| *transport != parent);
            call.request.traceparent = Some(parent);
        }
        if from_server {
            // The address is that of the side that answers here.
            call.http.server_address = None;
            call.http.server_port = None;
        }
        let size = rpc.arguments.as_ref().map_or(0, weight);
        if self.held.saturating_add(size) > MAX_HELD {
            rpc.arguments = None;
            call.completeness.body_capped = true;
        } else {
            self.held = self.held.saturating_add(size);
        }
        call.rpc = Some(Box::new(rpc));
        let open = Open { id, from_server, notifications: 0, call };
        if self.open.len() >= MAX_OPEN {
            let oldest = self.open.remove(0);
            self.unanswered(oldest);
        }
        if from_server && !self.socket {
            // Its answer comes by a request of the client's.
            self.unanswered(open);
        } else {
            self.open.push(open);
        }
    }

    fn answer(
        &mut self,
        id: &Value,
        outcome: Result<&Value, &Value>,
        message: &SessionMessage<'_>,
        template: &Call,
    ) {
        let from_server = message.from_client;
        let text = jsonrpc::id_text(id);
        let mut found = self
            .open
            .iter()
            .position(|open| open.from_server == from_server && Some(&open.id) == text.as_ref());
        // A request that could not be read is refused without its id, or with one that the server made up.
        if found.is_none() && outcome.is_err() && self.open.len() == 1 && !from_server {
            found = Some(0);
        }
        if let Some(at) = found {
            let mut open = self.open.remove(at);
            open.call.http.status = template.http.status;
            open.call.response.request_id.clone_from(&template.response.request_id);
            open.call.completeness.lost_bytes = template.completeness.lost_bytes;
            open.call.completeness.body_capped |= template.completeness.body_capped;
            open.call.timing.response_start =
                template.timing.response_start.filter(|_| !self.socket).or(Some(message.at));
            let first = open.call.timing.first_chunk.take();
            self.finish(&mut open, outcome, message.at, message.bytes);
            open.call.timing.first_chunk = first;
            self.ready.push_back(open.call);
            return;
        }
        let (Some(id), Some(channel)) = (text, self.channel.clone()) else { return };
        let mut call = template.clone();
        call.operation = Operation::Rpc;
        call.error = None;
        call.timing.start = message.at;
        call.timing.response_start = Some(message.at);
        call.completeness.request_bytes = 0;
        call.completeness.response_bytes = 0;
        call.rpc = Some(Box::new(Rpc {
            system: "mcp",
            request_id: Some(id.clone()),
            from_server,
            half: Some(Half { part: HalfPart::Answer, channel }),
            ..Rpc::default()
        }));
        let mut open = Open { id, from_server, notifications: 0, call };
        self.finish(&mut open, outcome, message.at, message.bytes);
        self.ready.push_back(open.call);
    }

    fn finish(&mut self, open: &mut Open, outcome: Result<&Value, &Value>, at: Nanos, bytes: u64) {
        let call = &mut open.call;
        call.timing.end = call.timing.start.max(at);
        call.completeness.response_bytes = call.completeness.response_bytes.saturating_add(bytes);
        call.completeness.truncated = false;
        let Some(rpc) = call.rpc.as_mut() else { return };
        self.held = self.held.saturating_sub(rpc.arguments.as_ref().map_or(0, weight));
        if open.notifications > 0 {
            rpc.messages = Some((0, open.notifications));
        }
        match outcome {
            Ok(result) => {
                call.error = facts::of_result(result, self.content, rpc);
                if rpc.method == "initialize" {
                    self.protocol.clone_from(&rpc.protocol_version);
                }
            }
            Err(failure) => {
                let (error, code) = jsonrpc::failure(failure);
                rpc.status_code = code;
                call.error = Some(error);
            }
        }
    }

    /// The request will not be answered here: by another exchange of its session, or not at all.
    fn unanswered(&mut self, mut open: Open) {
        let Some(rpc) = open.call.rpc.as_mut() else { return };
        self.held = self.held.saturating_sub(rpc.arguments.as_ref().map_or(0, weight));
        if open.notifications > 0 {
            rpc.messages = Some((0, open.notifications));
        }
        let elsewhere =
            rpc.protocol_version.as_deref().is_none_or(|version| version < SESSIONLESS) && !self.socket;
        if let (true, None, Some(channel)) = (elsewhere, &open.call.error, &self.channel) {
            rpc.half = Some(Half { part: HalfPart::Request, channel: channel.clone() });
        }
        if open.call.error.is_none() && rpc.method != "subscriptions/listen" {
            open.call.error = Some(error::own("no_response", "no answer came"));
        }
        self.ready.push_back(open.call);
    }
}

impl Session for Mcp {
    fn begin(&mut self, facts: &RequestFacts<'_>, template: &mut Call) {
        let headers = &facts.head.headers;
        self.socket = crate::recognise::is_websocket(facts.head);
        self.version = Some(match facts.head.version {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
            Version::Http2 => "2",
        });
        self.channel = known::channel(&facts.head.target);
        self.session_id = self.channel.clone();
        if let Some(id) = headers.get("mcp-session-id") {
            self.enter(id);
        }
        self.protocol = headers.get("mcp-protocol-version").map(str::to_owned);
        self.certain = known::is_marked(facts.head);
        self.on_path = facts.row.is_some_and(|row| SPEC.rows.contains(row) || *row == ANY_PATH);
        self.listens = facts.head.method == "GET" && !self.socket;
        // Each call decides on its own parent.
        self.traceparent = template.request.traceparent.take();
    }

    fn response_head(&mut self, head: &ResponseHead, _template: &mut Call) {
        if let Some(id) = head.headers.get("mcp-session-id") {
            self.enter(id);
            for open in &mut self.open {
                if let Some(rpc) = open.call.rpc.as_mut().filter(|rpc| rpc.session_id.is_none()) {
                    rpc.session_id.clone_from(&self.session_id);
                }
            }
        }
    }

    fn message(&mut self, message: &SessionMessage<'_>, template: &Call) {
        if self.listens && message.event == "endpoint" {
            if let Some(target) = message.value.as_str() {
                self.confirmed = true;
                self.channel = known::channel(target).or_else(|| Some(known::path_of(target)));
            }
            return;
        }
        match jsonrpc::read(message.value) {
            Some(Message::Request { id, method, params }) => {
                self.request(id, method, params, message, template);
            }
            Some(Message::Notification { method, .. }) => {
                self.confirmed |= method.starts_with("notifications/");
                for open in &mut self.open {
                    open.notifications += u64::from(open.from_server == message.from_client);
                    open.call.timing.first_chunk.get_or_insert(message.at);
                }
            }
            Some(Message::Answer { id, outcome }) => {
                // A stream that a head did not prove is proven by the event that opens it.
                if self.certain || self.confirmed || self.channel.is_some() && !self.listens {
                    self.confirmed |= self.certain;
                    self.answer(id, outcome, message, template);
                }
            }
            None => {
                self.foreign |= self.listens && !self.confirmed;
                if !message.from_client && template.http.status.is_some_and(|status| status >= 400) {
                    self.refusal = Some(error::from_body(message.value, template.http.status));
                }
            }
        }
    }

    fn end(&mut self, end: &ExchangeEnd, template: &Call) {
        let whole_view = template.completeness.lost_bytes == 0 && !end.attached_mid_stream;
        for mut open in std::mem::take(&mut self.open) {
            let call = &mut open.call;
            call.http.status = template.http.status;
            call.completeness = crate::call::Completeness {
                request_bytes: call.completeness.request_bytes,
                ..template.completeness.clone()
            };
            if template.http.status == Some(202) {
                // Taken note of in words; the answer comes elsewhere.
                call.completeness.undecodable = None;
            }
            call.timing.response_start = template.timing.response_start;
            call.timing.end = call.timing.end.max(template.timing.end).max(end.at);
            let refusal = || self.refusal.clone().or_else(|| template.error.clone());
            call.error = match template.http.status {
                Some(status) if status >= 400 => {
                    Some(refusal().unwrap_or_else(|| error::own(&status.to_string(), "")))
                }
                None if whole_view => {
                    call.completeness.truncated = true;
                    Some(error::own("no_response", "the connection ended before a response came"))
                }
                _ => None,
            };
            self.unanswered(open);
        }
    }

    fn take(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn is_foreign(&self) -> bool {
        self.foreign
    }

    fn held_bytes(&self) -> usize {
        self.held + self.open.len() * size_of::<Open>()
    }
}
