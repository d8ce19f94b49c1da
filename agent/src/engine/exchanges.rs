//! The exchanges in flight on one connection: hands what the wire crate understands to the folds that make calls of it.

use std::collections::BTreeMap;

use agent_genai::{Call, Decoder, Fold};
use agent_wire::{
    Body, ExchangeEnd, ExchangeId, Interest, MessageEnd, Nanos, RequestHead, ResponseHead, Role, Sink,
};

/// One exchange in flight.
enum Slot {
    /// May be, or is, an LLM call.
    Folding(Box<Fold>),
    /// Is none: nothing more of it is wanted.
    Other,
}

/// What the exchanges of one connection have come to.
#[derive(Default)]
pub(crate) struct Exchanges {
    slots: BTreeMap<ExchangeId, Slot>,
    /// Newest exchange that turned out to be no LLM call.
    newest_other: Option<ExchangeId>,
    /// Newest exchange begun.
    newest: Option<ExchangeId>,
    /// Exchanges that were no LLM calls.
    others: u64,
}

impl Exchanges {
    /// Memory held by the folds, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.slots
            .values()
            .map(|slot| if let Slot::Folding(fold) = slot { fold.held_bytes() } else { 0 })
            .sum()
    }

    /// Whether any exchange may still become a call.
    pub(crate) fn is_folding(&self) -> bool {
        self.slots.values().any(|slot| matches!(slot, Slot::Folding(_)))
    }

    /// The newest exchange, if it is no LLM call and no older one still in flight may be one: the rest of the connection, up to
    /// the next request, need not be copied.
    pub(crate) fn heads_only(&self) -> Option<ExchangeId> {
        self.newest_other.filter(|other| self.newest == Some(*other) && !self.is_folding())
    }

    /// Number of exchanges that were no LLM calls, since the last time this was asked.
    pub(crate) fn take_others(&mut self) -> u64 {
        std::mem::take(&mut self.others)
    }

    /// Ends the exchange that holds most memory as truncated; `None` when there is none.
    pub(crate) fn end_largest(&mut self, at: Nanos) -> Option<(ExchangeId, Vec<Call>)> {
        let largest =
            self.slots
                .iter()
                .filter_map(|(id, slot)| {
                    if let Slot::Folding(fold) = slot { Some((fold.held_bytes(), *id)) } else { None }
                })
                .max()
                .map(|(_, id)| id)?;
        Some((largest, self.cut(largest, at)))
    }

    /// Ends every exchange that may be a call as truncated.
    pub(crate) fn end_all(&mut self, at: Nanos) -> Vec<(ExchangeId, Call)> {
        let ids: Vec<ExchangeId> = self.slots.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.cut(id, at).into_iter().map(move |call| (id, call))).collect()
    }

    fn cut(&mut self, id: ExchangeId, at: Nanos) -> Vec<Call> {
        let Some(Slot::Folding(mut fold)) = self.slots.insert(id, Slot::Other) else { return Vec::new() };
        fold.response_end(&MessageEnd { at, truncated: true, ..MessageEnd::default() });
        fold.finish(&ExchangeEnd { at, ..ExchangeEnd::default() })
    }

    fn give_up(&mut self, id: ExchangeId) {
        self.slots.insert(id, Slot::Other);
        self.others += 1;
        self.newest_other = self.newest_other.max(Some(id));
    }
}

/// Takes the events of one push to one connection.
pub(crate) struct FoldSink<'a> {
    /// Exchanges of the connection.
    pub(crate) exchanges: &'a mut Exchanges,
    /// Makes folds.
    pub(crate) decoder: &'a Decoder,
    /// Role of the observed process; known before the first exchange.
    pub(crate) role: Option<Role>,
    /// The connection is encrypted.
    pub(crate) tls: bool,
    /// Calls that have ended.
    pub(crate) ended: &'a mut Vec<(ExchangeId, Call)>,
}

impl FoldSink<'_> {
    /// Applies `step` to the exchange's fold, and drops the fold when it turns out to be no LLM call.
    fn fold(&mut self, id: ExchangeId, step: impl FnOnce(&mut Fold) -> Interest) -> Interest {
        let Some(Slot::Folding(fold)) = self.exchanges.slots.get_mut(&id) else { return Interest::Skip };
        let interest = step(fold);
        while let Some(call) = fold.take() {
            self.ended.push((id, call));
        }
        if fold.recognised() == Some(false) {
            self.exchanges.give_up(id);
            return Interest::Skip;
        }
        interest
    }
}

impl Sink for FoldSink<'_> {
    fn role(&mut self, role: Role) {
        self.role = Some(role);
    }

    fn request_head(&mut self, id: ExchangeId, head: RequestHead, at: Nanos) -> Interest {
        self.exchanges.newest = self.exchanges.newest.max(Some(id));
        match self.decoder.begin(&head, self.role.unwrap_or(Role::Client), self.tls, at) {
            Some(fold) => {
                self.exchanges.slots.insert(id, Slot::Folding(Box::new(fold)));
                Interest::Full
            }
            None => {
                self.exchanges.give_up(id);
                Interest::Skip
            }
        }
    }

    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.fold(id, |fold| fold.request_body(body, at))
    }

    fn request_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.fold(id, |fold| fold.request_end(&end));
    }

    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, at: Nanos) -> Interest {
        self.fold(id, |fold| fold.response_head(&head, at))
    }

    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.fold(id, |fold| fold.response_body(body, at))
    }

    fn response_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.fold(id, |fold| {
            fold.response_end(&end);
            Interest::Full
        });
    }

    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd) {
        if let Some(Slot::Folding(fold)) = self.exchanges.slots.remove(&id) {
            let ours = fold.recognised() == Some(true);
            let calls = fold.finish(&end);
            if calls.is_empty() && !ours {
                self.exchanges.others += 1;
                self.exchanges.newest_other = self.exchanges.newest_other.max(Some(id));
            }
            self.ended.extend(calls.into_iter().map(|call| (id, call)));
        }
    }
}
