//! The response body of an exchange: items as they come, or one JSON text, skimmed.

use agent_wire::{Body, EventMessage, Nanos, ResponseHead};
use serde_json::Value;

use super::Fold;
use super::request::BARE_STRING;
use super::stand::Standing;
use crate::call::{Api, Operation};
use crate::codec::{error, registry};
use crate::decoder::DecoderOptions;
use crate::providers;
use crate::recognise::{self, Shown};
use crate::skim::{self, Ending, SkimLimits, Skimmer};

/// An item longer than this is skimmed before it is parsed, when content is not kept.
pub(super) const BIG_ITEM: usize = 32 << 10;
/// Beginning of a body kept as it is, for errors that are no JSON.
const HEAD: usize = 4096;
/// Items of unknown shape after which a stream is none of ours.
const MAX_UNKNOWN_ITEMS: u64 = 16;

/// Members that are bulk and say nothing that a span needs.
const BULK_MEMBERS: &[&str] = &[
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "parameters",
    "input_schema",
    "token_ids",
    "prompt_token_ids",
];
/// Vectors of embeddings are counted, not kept. For bodies of an API that is not known yet.
const VECTORS: &[&str] = &["data"];

/// The body so far.
pub(super) struct ResponseBody {
    limits: SkimLimits,
    skimmer: Option<Skimmer>,
    /// A hole in a body that is one JSON text.
    broken: bool,
    head: Vec<u8>,
    /// The media type of a body that is no text, and the bytes of it so far.
    binary: Option<(String, u64)>,
    /// Parsed items.
    pub(super) items: u64,
    /// `[DONE]` or the API's own last event was seen.
    pub(super) done: bool,
    last_item: Option<Nanos>,
    /// The end was seen, and whether it was early.
    pub(super) end: Option<bool>,
    pub(super) lost: u64,
}

impl ResponseBody {
    pub(super) fn new(options: &DecoderOptions, api: Option<Api>) -> Self {
        let spec = api.and_then(registry::spec);
        let thin = spec.map_or(VECTORS, |spec| spec.thin_response);
        let max_numbers = if spec.is_some_and(|spec| spec.short_numbers) { 8 } else { usize::MAX };
        let limits = if options.content {
            SkimLimits {
                max_string: usize::MAX,
                max_numbers,
                budget: options.max_body,
                reserve: 1 << 20,
                thin,
                drop: &[],
            }
        } else {
            SkimLimits {
                max_string: BARE_STRING,
                max_numbers: 8,
                budget: 512 << 10,
                reserve: 64 << 10,
                thin,
                drop: BULK_MEMBERS,
            }
        };
        Self {
            limits,
            skimmer: None,
            broken: false,
            head: Vec::new(),
            binary: None,
            items: 0,
            done: false,
            last_item: None,
            end: None,
            lost: 0,
        }
    }

    pub(super) fn limits(&self) -> SkimLimits {
        self.limits
    }

    pub(super) fn begin(&mut self, head: &ResponseHead) {
        let media = head.headers.get("content-type").unwrap_or_default().trim().to_ascii_lowercase();
        if ["audio/", "image/", "video/"].iter().any(|family| media.starts_with(family)) {
            self.binary = Some((media, 0));
        }
    }

    pub(super) fn ended(&mut self, truncated: bool, lost: u64) {
        self.end = Some(truncated);
        self.lost = lost;
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.skimmer.as_ref().map_or(0, Skimmer::held_bytes) + self.head.capacity()
    }

    fn push(&mut self, data: &[u8]) {
        if let Some((_, bytes)) = &mut self.binary {
            *bytes = bytes.saturating_add(data.len() as u64);
            return;
        }
        if self.broken {
            return;
        }
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend_from_slice(data.get(..room).unwrap_or(data));
        self.skimmer.get_or_insert_with(|| Skimmer::new(self.limits)).push(data);
    }
}

impl Fold {
    pub(super) fn take_response(&mut self, body: Body<'_>, at: Nanos) {
        match body {
            Body::Data(data) => {
                self.response.push(data);
                let foreign = self.response.items == 0
                    && self.response.skimmer.as_ref().is_some_and(Skimmer::is_no_object);
                if foreign && self.stand.is_open() && self.call.http.status.is_some_and(|status| status < 400)
                {
                    self.stand.reject();
                }
            }
            Body::Event(event) => self.item(event.event, event.data, event.truncated, at),
            Body::Line { data, truncated } | Body::Element { data, truncated } => {
                self.item("", data, truncated, at);
            }
            Body::Message(message) => self.event_message(&message, at),
            Body::Frame(message) => self.frame(false, message, at),
            Body::Grpc { bytes, .. } => self.grpc_message(false, bytes, at),
            Body::Gap(_) => self.response.broken |= self.response.skimmer.is_some(),
        }
    }

    /// One streamed item.
    fn item(&mut self, event: &str, data: &[u8], truncated: bool, at: Nanos) {
        let text = data.trim_ascii();
        if text.is_empty() {
            return;
        }
        if text == b"[DONE]" {
            self.response.done = true;
            return;
        }
        self.call.completeness.body_capped |= truncated;
        let value = self.parse_item(text, truncated);
        let Some(value) = value else {
            if self.stand.session.is_some() {
                // An event whose data are plain text (the address that opens an MCP session).
                let text = Value::String(String::from_utf8_lossy(text).into_owned());
                self.session_message(false, event, &text, data.len() as u64, at);
                return;
            }
            // Not an item: perhaps a body that only looked like a stream of them.
            self.response.push(text);
            self.response.push(b"\n");
            return;
        };
        self.time_item(event, &value, at);
        if !self.admit(event, &value) {
            return;
        }
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.event(event, &value, &mut self.call);
        } else {
            self.session_message(false, event, &value, text.len() as u64, at);
        }
    }

    /// One message of an AWS event stream.
    fn event_message(&mut self, message: &EventMessage<'_>, at: Nanos) {
        if message.message_type == "event" {
            if self.payload(message, at) {
                return;
            }
            self.item(message.kind, message.payload, message.truncated, at);
            return;
        }
        let value = self.parse_item(message.payload, message.truncated).unwrap_or_default();
        self.time_item(message.kind, &value, at);
        if let (Standing::Settled | Standing::Claimed, Some(codec)) =
            (self.stand.standing, self.stand.codec.as_mut())
        {
            codec.exception(message.kind, message.error, &value, &mut self.call);
        }
    }

    /// A piece of another stream within an event stream; whether it was one.
    fn payload(&mut self, message: &EventMessage<'_>, at: Nanos) -> bool {
        let shown = match (self.stand.standing, self.stand.codec.as_mut()) {
            (Standing::Settled | Standing::Claimed, Some(codec)) => {
                codec.payload(message.kind, message.payload, &mut self.call)
            }
            _ => None,
        };
        if shown.is_some() {
            self.time_item(message.kind, &Value::Null, at);
        }
        match (shown, self.stand.standing) {
            (Some(true), Standing::Claimed) => self.stand.standing = Standing::Settled,
            (Some(false), Standing::Claimed) => self.give_up_on_unknown_items(),
            _ => {}
        }
        shown.is_some()
    }

    fn time_item(&mut self, event: &str, value: &Value, at: Nanos) {
        self.response.items += 1;
        let kind = value.get("type").and_then(Value::as_str).unwrap_or(event);
        match kind {
            "ping" => return,
            "message_stop" | "response.completed" | "response.incomplete" | "response.failed" => {
                self.response.done = true;
            }
            _ => {}
        }
        match self.response.last_item {
            None => self.call.timing.first_chunk = Some(at),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a gap of nanoseconds loses nothing that a histogram shows"
            )]
            Some(last) => self.call.timing.chunk_gaps.add(at.saturating_sub(last) as f64 / 1e9),
        }
        self.response.last_item = Some(at);
    }

    /// Judges by an item or body where the request left that open; whether the codec may have it.
    fn admit(&mut self, event: &str, value: &Value) -> bool {
        match self.stand.standing {
            Standing::Settled => true,
            Standing::Rejected => false,
            Standing::Claimed if self.stand.session.is_some() => true,
            Standing::Claimed => {
                match registry::spec(self.call.api).and_then(|spec| (spec.response)(event, value)) {
                    Some(true) => self.stand.standing = Standing::Settled,
                    Some(false) => self.stand.reject(),
                    None => self.give_up_on_unknown_items(),
                }
                !self.stand.rejected()
            }
            Standing::Open(candidate) => {
                let waiting = self.stand.waiting.as_ref();
                let shown = match (candidate, waiting) {
                    (Some(candidate), Some(request)) => candidate.response(request, event, value),
                    _ => recognise::attached_response(event, value),
                };
                let likely =
                    candidate.filter(|candidate| candidate.suffices()).and_then(recognise::Candidate::likely);
                match (shown, likely) {
                    (Shown::Api(api), _) => self.settle(api),
                    (Shown::Foreign, _) => self.stand.reject(),
                    (Shown::Nothing, Some(likely)) if error::in_item(event, value).is_some() => {
                        self.settle(likely);
                    }
                    (Shown::Nothing, _) => self.give_up_on_unknown_items(),
                }
                self.stand.standing == Standing::Settled
            }
        }
    }

    fn give_up_on_unknown_items(&mut self) {
        if self.response.items > MAX_UNKNOWN_ITEMS {
            self.stand.reject();
        }
    }

    /// The API of an open exchange is known now.
    pub(super) fn settle(&mut self, api: Api) {
        self.call.api = api;
        if let Some(spec) = registry::spec(api) {
            self.call.operation = spec.operation;
        }
        self.name_provider();
        self.make(api);
        self.stand.standing = Standing::Settled;
        if let Some(body) = self.stand.waiting.take() {
            self.read_request(&body);
        }
        if let (Some(head), Some(codec)) = (self.response_head.as_ref(), self.stand.codec.as_mut()) {
            codec.response_head(head, &mut self.call);
        }
        if let (Some(head), Some(session)) = (self.response_head.as_ref(), self.stand.session.as_mut()) {
            session.response_head(head, &mut self.call);
        }
    }

    /// The response is as complete as it will ever be: reads the body that is one JSON text.
    pub(super) fn settle_response(&mut self) {
        if let (Some((media, bytes)), Some(codec)) = (&self.response.binary, self.stand.codec.as_mut()) {
            codec.binary(media, *bytes, &mut self.call);
        }
        let Some(skimmer) = self.response.skimmer.take() else { return };
        let skimmed = skimmer.finish();
        if self.response.items > 0 {
            return;
        }
        let completeness = &mut self.call.completeness;
        completeness.body_capped |= skimmed.capped;
        let failed = self.call.http.status.is_some_and(|status| status >= 400);
        let mut value = skimmed.value().filter(|value| value.is_object() || value.is_array());
        if let (true, Some(value)) = (skimmed.capped, value.as_mut()) {
            skim::strip_marks(value);
        }
        let cut = self.response.end != Some(false) || self.response.broken || self.response.lost > 0;
        if value.is_none()
            && !failed
            && let Some(codec) = self.stand.codec.as_mut()
            && codec.text(&String::from_utf8_lossy(&self.response.head), &mut self.call)
        {
            return;
        }
        let completeness = &mut self.call.completeness;
        match skimmed.ending {
            Ending::Invalid(at) if value.is_some() || !failed => {
                super::note_undecodable(
                    completeness,
                    "response",
                    Some(&format!("no JSON from byte {at} on")),
                );
            }
            Ending::Truncated if !cut => {
                super::note_undecodable(completeness, "response", Some("the JSON text ends inside a value"));
            }
            _ => {}
        }
        match value {
            Some(value) => {
                if self.admit("", &value) {
                    if let Some(codec) = self.stand.codec.as_mut() {
                        codec.response(&value, &mut self.call);
                    } else {
                        let at = self.call.timing.end;
                        let bytes = self.call.completeness.response_bytes;
                        self.session_message(false, "", &value, bytes, at);
                    }
                } else if self.stand.is_open() && failed {
                    self.call.error = Some(error::from_body(&value, self.call.http.status));
                }
            }
            None if failed => {
                let text = String::from_utf8_lossy(&self.response.head).into_owned();
                self.call.error = Some(error::from_text(&text, self.call.http.status));
            }
            None => {}
        }
    }

    /// Whether the host is a provider's, by the user's rules or the built-in table.
    pub(super) fn is_known_host(&self) -> bool {
        let host = self.call.http.server_address.as_deref();
        host.is_some_and(|host| providers::of_host(&self.options.hosts, host, &self.call.http.path).is_some())
    }

    /// Whether it was a call, now that nothing more comes.
    pub(super) fn decide(&mut self) -> bool {
        let failed = self.call.http.status.is_none_or(|status| status >= 400);
        match self.stand.standing {
            Standing::Settled => true,
            Standing::Rejected => false,
            // Nothing contradicts the path; the host must vouch for it.
            Standing::Claimed => {
                let fetch = self.call.operation == Operation::FetchResponse;
                (failed || !fetch) && (self.is_known_host() || self.anthropic)
            }
            Standing::Open(candidate) => match candidate {
                Some(candidate) if failed && candidate.suffices() => match candidate.likely() {
                    Some(likely) => {
                        self.settle(likely);
                        true
                    }
                    None => false,
                },
                _ => false,
            },
        }
    }
}
