//! The response body of an exchange: items as they come, or one JSON text, skimmed.

use agent_wire::{Body, Nanos};
use serde_json::Value;

use super::Fold;
use super::request::BARE_STRING;
use super::stand::Standing;
use crate::call::{Api, Operation};
use crate::codec::error;
use crate::decoder::DecoderOptions;
use crate::skim::{self, Ending, SkimLimits, Skimmer};
use crate::{providers, recognise};

/// An item longer than this is skimmed before it is parsed, when content is not kept.
const BIG_ITEM: usize = 32 << 10;
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
/// Vectors of embeddings are counted, not kept.
const VECTORS: &[&str] = &["data"];

/// The body so far.
pub(super) struct ResponseBody {
    limits: SkimLimits,
    skimmer: Option<Skimmer>,
    /// A hole in a body that is one JSON text.
    broken: bool,
    head: Vec<u8>,
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
    pub(super) fn new(options: &DecoderOptions) -> Self {
        let limits = if options.content {
            SkimLimits {
                max_string: usize::MAX,
                max_numbers: usize::MAX,
                budget: options.max_body,
                reserve: 1 << 20,
                thin: VECTORS,
                drop: &[],
            }
        } else {
            SkimLimits {
                max_string: BARE_STRING,
                max_numbers: 8,
                budget: 512 << 10,
                reserve: 64 << 10,
                thin: VECTORS,
                drop: BULK_MEMBERS,
            }
        };
        Self {
            limits,
            skimmer: None,
            broken: false,
            head: Vec::new(),
            items: 0,
            done: false,
            last_item: None,
            end: None,
            lost: 0,
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
            Body::Message(_) | Body::Grpc { .. } | Body::Frame(_) => {}
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
        let skims = truncated || !self.options.content && text.len() > BIG_ITEM;
        let parsed = if skims { None } else { serde_json::from_slice::<Value>(text).ok() };
        let value = parsed.or_else(|| {
            let skimmed = Skimmer::skim(self.response.limits, text);
            // A line of a body that only looked like a stream of items must not be completed into one.
            let whole = skimmed.ending == Ending::Whole || truncated;
            self.call.completeness.body_capped |= skimmed.capped;
            skimmed.value().filter(|_| whole)
        });
        let Some(value) = value.filter(|value| value.is_object() || value.is_array()) else {
            // Not an item: perhaps a body that only looked like a stream of them.
            self.response.push(text);
            self.response.push(b"\n");
            return;
        };
        self.time_item(event, &value, at);
        if self.admit(event, &value)
            && let Some(codec) = self.stand.codec.as_mut()
        {
            codec.event(event, &value, &mut self.call);
        }
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
        let shape = || recognise::response(event, value);
        match self.stand.standing {
            Standing::Settled => true,
            Standing::Rejected => false,
            Standing::Claimed => {
                match shape() {
                    Some(api) if api == self.call.api => self.stand.standing = Standing::Settled,
                    Some(_) => self.stand.reject(),
                    None => self.give_up_on_unknown_items(),
                }
                !self.stand.rejected()
            }
            Standing::Open(candidate) => {
                match shape() {
                    Some(api) if candidate.is_none_or(|candidate| candidate.admits(api)) => self.settle(api),
                    Some(_) => self.stand.reject(),
                    None if candidate.is_some_and(recognise::Candidate::suffices)
                        && error::in_item(event, value).is_some() =>
                    {
                        let api = candidate.map_or(Api::OpenAiChat, recognise::Candidate::likely);
                        self.settle(api);
                    }
                    None => self.give_up_on_unknown_items(),
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
        self.call.operation = recognise::operation(api);
        self.name_provider();
        self.stand.make_codec(api, &self.options);
        self.stand.standing = Standing::Settled;
        if let Some(body) = self.stand.waiting.take() {
            self.read_request(&body);
        }
    }

    /// The response is as complete as it will ever be: reads the body that is one JSON text.
    pub(super) fn settle_response(&mut self) {
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
                Some(candidate) if failed && candidate.suffices() => {
                    self.settle(candidate.likely());
                    true
                }
                _ => false,
            },
        }
    }
}
