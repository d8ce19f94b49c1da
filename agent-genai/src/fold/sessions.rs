//! Exchanges that carry any number of calls: hands messages to the session and numbers the calls that it makes.

use agent_wire::{Nanos, WsKind, WsMessage};
use serde_json::Value;

use super::Fold;
use super::stand::Standing;
use crate::call::Call;
use crate::codec::{SessionMessage, registry};
use crate::{recognise, redact, skim};

/// Messages of unknown shape after which a session is none of ours.
const MAX_UNKNOWN_MESSAGES: u64 = 16;
/// Calls that wait to be taken; the caller takes them after each step, so this bounds one step.
const MAX_READY: usize = 4096;

/// Calls made so far of one exchange.
#[derive(Default)]
pub(super) struct Ready {
    calls: std::collections::VecDeque<Call>,
    parts: u32,
    /// Messages given to the session.
    messages: u64,
}

impl Ready {
    pub(super) fn take(&mut self) -> Option<Call> {
        self.calls.pop_front()
    }

    pub(super) fn push(&mut self, mut call: Call) {
        call.part = self.parts;
        self.parts = self.parts.saturating_add(1);
        redact::redact_call(&mut call);
        if self.calls.len() < MAX_READY {
            self.calls.push_back(call);
        }
    }

    pub(super) fn into_calls(self) -> Vec<Call> {
        self.calls.into()
    }

    pub(super) fn made(&self) -> u32 {
        self.parts
    }
}

impl Fold {
    /// One JSON text for the session.
    pub(super) fn session_message(
        &mut self,
        from_client: bool,
        event: &str,
        value: &Value,
        bytes: u64,
        at: Nanos,
    ) {
        let Some(session) = self.stand.session.as_mut() else { return };
        self.ready.messages += 1;
        session.message(&SessionMessage { from_client, event, value, bytes, at }, &self.call);
        if self.stand.standing == Standing::Claimed {
            if session.is_confirmed() {
                self.stand.standing = Standing::Settled;
            } else if session.is_foreign() || self.ready.messages > MAX_UNKNOWN_MESSAGES {
                self.stand.reject();
                return;
            }
        }
        self.collect();
    }

    /// Takes the calls that the session has ended.
    pub(super) fn collect(&mut self) {
        if let Some(session) = self.stand.session.as_mut() {
            while let Some(call) = session.take() {
                self.ready.push(call);
            }
        }
    }

    /// One WebSocket message.
    pub(super) fn frame(&mut self, from_client: bool, message: WsMessage<'_>, at: Nanos) {
        self.call.timing.end = self.call.timing.end.max(at);
        if !matches!(message.kind, WsKind::Text | WsKind::Binary) || self.stand.rejected() {
            return;
        }
        let bytes = message.data.len() as u64;
        if self.stand.is_open() && !self.opens_session(message) {
            return;
        }
        // Binary frames hold JSON at some providers (Gemini) and sound at others.
        match self.parse_item(message.data, message.truncated) {
            Some(value) => self.session_message(from_client, "", &value, bytes, at),
            None => {
                if let Some(session) = self.stand.session.as_mut() {
                    session.opaque(from_client, bytes, at);
                }
            }
        }
    }

    /// Whether the messages of a session on an unknown path have shown by now whose it is.
    fn opens_session(&mut self, message: WsMessage<'_>) -> bool {
        self.ready.messages += 1;
        let shown =
            self.parse_item(message.data, message.truncated).and_then(|value| recognise::session(&value));
        match shown {
            Some(api) => self.settle(api),
            None if self.ready.messages > MAX_UNKNOWN_MESSAGES => self.stand.reject(),
            None => {}
        }
        shown.is_some()
    }

    /// One element of a request body that is an array: a batch of JSON-RPC.
    pub(super) fn request_element(&mut self, data: &[u8], truncated: bool, at: Nanos) {
        self.request.elements = true;
        let Some(value) = self.parse_item(data, truncated) else { return };
        if self.stand.is_open() {
            match recognise::session(&value) {
                Some(api) => self.settle(api),
                None => self.stand.reject(),
            }
        }
        self.session_message(true, "", &value, data.len() as u64, at);
    }

    /// An item as a tree, skimmed when it is long.
    pub(super) fn parse_item(&mut self, data: &[u8], truncated: bool) -> Option<Value> {
        let text = data.trim_ascii();
        let packed = registry::spec(self.call.api).is_some_and(|spec| spec.packed);
        let big = text.len() > super::response::BIG_ITEM && !packed;
        let skims = truncated || !self.options.content && big;
        let parsed = if skims { None } else { serde_json::from_slice::<Value>(text).ok() };
        let value = parsed.or_else(|| {
            let skimmed = skim::Skimmer::skim(self.response.limits(), text);
            // A line of a body that only looked like a stream of items must not be completed into one.
            let whole = skimmed.ending == skim::Ending::Whole || truncated;
            self.call.completeness.body_capped |= skimmed.capped;
            skimmed.value().filter(|_| whole)
        });
        value.filter(|value| value.is_object() || value.is_array())
    }
}
