//! Takes exchanges and keeps the calls that they were.

use agent_genai::call::HalfPart;
use agent_genai::{Call, Decoder, Fold};
use agent_wire::{
    Body, ExchangeEnd, ExchangeId, Interest, MessageEnd, Nanos, RequestHead, ResponseHead, Role, Sink,
};
use std::collections::BTreeMap;

/// A decoder, the folds in flight, and the calls that ended.
pub(crate) struct Calls<'a> {
    decoder: &'a Decoder,
    folds: BTreeMap<ExchangeId, Fold>,
    /// In the order in which they ended.
    pub(crate) calls: Vec<Call>,
    /// Most bytes that the folds held at once.
    pub(crate) peak: usize,
}

impl<'a> Calls<'a> {
    /// No exchange yet.
    pub(crate) fn new(decoder: &'a Decoder) -> Self {
        Self { decoder, folds: BTreeMap::new(), calls: Vec::new(), peak: 0 }
    }

    fn step(&mut self, id: ExchangeId, step: impl FnOnce(&mut Fold) -> Interest) -> Interest {
        let interest = self.folds.get_mut(&id).map_or(Interest::Skip, step);
        self.peak = self.peak.max(self.folds.values().map(Fold::held_bytes).sum());
        interest
    }
}

impl Sink for Calls<'_> {
    fn request_head(&mut self, id: ExchangeId, head: RequestHead, at: Nanos) -> Interest {
        match self.decoder.begin(&head, Role::Client, true, at) {
            Some(fold) => {
                self.folds.insert(id, fold);
                Interest::Full
            }
            None => Interest::Skip,
        }
    }
    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.step(id, |fold| fold.request_body(body, at))
    }
    fn request_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.step(id, |fold| fold.request_end(&end));
    }
    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, at: Nanos) -> Interest {
        self.step(id, |fold| fold.response_head(&head, at))
    }
    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.step(id, |fold| fold.response_body(body, at))
    }
    fn response_end(&mut self, id: ExchangeId, end: MessageEnd) {
        if let Some(fold) = self.folds.get_mut(&id) {
            fold.response_end(&end);
        }
    }
    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd) {
        let calls = self.folds.remove(&id).into_iter().flat_map(|fold| fold.finish(&end));
        // The answer to a request of another exchange is no call by itself.
        let half = |call: &Call| call.rpc.as_ref().and_then(|rpc| rpc.half.as_ref()).map(|half| half.part);
        self.calls.extend(calls.filter(|call| half(call) != Some(HalfPart::Answer)));
    }
}
