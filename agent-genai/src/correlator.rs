//! Joins the halves of remote procedure calls: requests and answers that came by different exchanges.

use std::collections::VecDeque;

use agent_wire::Nanos;

use crate::call::{Call, HalfPart};
use crate::codec::content::weight;

/// Most halves that wait, of all sessions together.
const MAX_WAITING: usize = 1024;
/// Most bytes of content that they hold, roughly.
const MAX_HELD: usize = 16 << 20;

/// Halves that wait for their other half. `S` is what JSON-RPC sessions are told apart by besides their names (an observed process), `T` what
/// the caller knows of a request.
#[derive(Debug)]
pub struct Correlator<S, T> {
    /// Oldest first.
    waiting: VecDeque<Waiting<S, T>>,
    held: usize,
}

#[derive(Debug)]
struct Waiting<S, T> {
    scope: S,
    part: HalfPart,
    tag: T,
    call: Call,
    size: usize,
}

impl<S, T> Default for Correlator<S, T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), held: 0 }
    }
}

impl<S: PartialEq, T> Correlator<S, T> {
    /// Takes a call that has ended and gives back what is whole by now: a call that was whole to begin with at once, one that is joined with the
    /// tag of its request, and requests that made way unanswered.
    pub fn offer(&mut self, scope: S, tag: T, mut call: Call) -> Vec<(T, Call)> {
        let Some(half) = call.rpc.as_mut().and_then(|rpc| rpc.half.clone()) else { return vec![(tag, call)] };
        let mut out = Vec::new();
        let same = |waiting: &Waiting<S, T>| {
            waiting.scope == scope
                && waiting.call.rpc.as_ref().zip(call.rpc.as_ref()).is_some_and(|(theirs, ours)| {
                    let channel = theirs.half.as_ref().is_some_and(|half_of| half_of.channel == half.channel);
                    channel && theirs.request_id == ours.request_id && theirs.from_server == ours.from_server
                })
        };
        if let Some(at) = self.waiting.iter().position(same)
            && let Some(other) = self.remove(at)
        {
            match (other.part, half.part) {
                (HalfPart::Request, HalfPart::Answer) => return vec![(other.tag, join(other.call, &call))],
                (HalfPart::Answer, HalfPart::Request) => return vec![(tag, join(call, &other.call))],
                // The id is used again: the elder will not be answered.
                (HalfPart::Request, HalfPart::Request) => out.push((other.tag, alone(other.call))),
                (HalfPart::Answer, HalfPart::Answer) => {}
            }
        }
        let size = call.rpc.as_ref().map_or(0, |rpc| {
            rpc.arguments.as_ref().map_or(0, weight).saturating_add(rpc.result.as_ref().map_or(0, weight))
        });
        self.held = self.held.saturating_add(size);
        self.waiting.push_back(Waiting { scope, part: half.part, tag, call, size });
        while self.waiting.len() > MAX_WAITING || self.held > MAX_HELD && self.waiting.len() > 1 {
            out.extend(self.remove(0).and_then(Waiting::unanswered));
        }
        out
    }

    /// Gives up the halves of which the last byte came before this.
    pub fn expire(&mut self, before: Nanos) -> Vec<(T, Call)> {
        self.give_up(|waiting| waiting.call.timing.end < before)
    }

    /// Gives up the halves of one scope: nothing more comes of it.
    pub fn end(&mut self, scope: &S) -> Vec<(T, Call)> {
        self.give_up(|waiting| waiting.scope == *scope)
    }

    /// Gives up all.
    pub fn flush(&mut self) -> Vec<(T, Call)> {
        self.give_up(|_| true)
    }

    /// Memory held, roughly, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held + self.waiting.len() * size_of::<Waiting<S, T>>()
    }

    fn give_up(&mut self, over: impl Fn(&Waiting<S, T>) -> bool) -> Vec<(T, Call)> {
        let (gone, kept) = std::mem::take(&mut self.waiting).into_iter().partition(over);
        self.waiting = kept;
        self.held = self.waiting.iter().map(|waiting| waiting.size).sum();
        let gone: VecDeque<Waiting<S, T>> = gone;
        gone.into_iter().filter_map(Waiting::unanswered).collect()
    }

    fn remove(&mut self, at: usize) -> Option<Waiting<S, T>> {
        let waiting = self.waiting.remove(at)?;
        self.held = self.held.saturating_sub(waiting.size);
        Some(waiting)
    }
}

impl<S, T> Waiting<S, T> {
    fn unanswered(self) -> Option<(T, Call)> {
        (self.part == HalfPart::Request).then(|| (self.tag, alone(self.call)))
    }
}

/// A request without an answer: the call as it is, its error with it.
fn alone(mut call: Call) -> Call {
    if let Some(rpc) = call.rpc.as_mut() {
        rpc.half = None;
    }
    call.completeness.truncated = true;
    call
}

/// The call of a request and its answer.
fn join(mut call: Call, answer: &Call) -> Call {
    call.error.clone_from(&answer.error);
    call.timing.response_start = answer.timing.response_start;
    call.timing.end = call.timing.start.max(answer.timing.end);
    let (whole, other) = (&mut call.completeness, &answer.completeness);
    whole.response_bytes = other.response_bytes;
    whole.lost_bytes = whole.lost_bytes.saturating_add(other.lost_bytes);
    whole.body_capped |= other.body_capped;
    if let (Some(rpc), Some(answered)) = (call.rpc.as_mut(), answer.rpc.as_ref()) {
        rpc.half = None;
        rpc.status_code = answered.status_code;
        rpc.protocol_version = answered.protocol_version.clone().or(rpc.protocol_version.take());
        rpc.server.clone_from(&answered.server);
        rpc.tools_listed.clone_from(&answered.tools_listed);
        rpc.result.clone_from(&answered.result);
        rpc.result_type.clone_from(&answered.result_type);
        rpc.content_types.clone_from(&answered.content_types);
        rpc.structured = answered.structured;
    }
    call
}

#[cfg(test)]
mod tests {
    use agent_wire::Role;

    use super::*;
    use crate::call::{Api, CallError, Half, Operation, Rpc};

    fn half(part: HalfPart, channel: &str, id: &str, end: Nanos) -> Call {
        let mut call = Call::new(Api::Mcp, Operation::Rpc, Role::Client);
        call.timing.start = end;
        call.timing.end = end;
        if part == HalfPart::Request {
            call.error = Some(CallError { kind: "no_response".into(), message: String::new() });
        }
        call.rpc = Some(Box::new(Rpc {
            request_id: Some(id.to_owned()),
            half: Some(Half { part, channel: channel.to_owned() }),
            status_code: (part == HalfPart::Answer).then_some(7),
            ..Rpc::default()
        }));
        call
    }

    #[test]
    fn halves_meet_in_either_order() {
        for answer_first in [false, true] {
            let mut correlator = Correlator::default();
            let (request, answer) =
                (half(HalfPart::Request, "s", "1", 10), half(HalfPart::Answer, "s", "1", 30));
            let pair =
                if answer_first { [("a", answer), ("q", request)] } else { [("q", request), ("a", answer)] };
            let [(tag, first), (other, second)] = pair;
            assert!(correlator.offer(0, tag, first).is_empty());
            let joined = correlator.offer(0, other, second);
            let [(tag, call)] = joined.as_slice() else { panic!("one call") };
            let rpc = call.rpc.as_ref().unwrap();
            assert_eq!((*tag, call.timing.start, call.timing.end, rpc.status_code), ("q", 10, 30, Some(7)));
            assert!(call.error.is_none() && rpc.half.is_none());
            assert_eq!((correlator.flush().len(), correlator.held_bytes()), (0, 0));
        }
    }

    #[test]
    fn strangers_do_not_meet() {
        let mut correlator = Correlator::default();
        assert!(correlator.offer(0, (), half(HalfPart::Request, "s", "1", 0)).is_empty());
        let mut flipped = half(HalfPart::Answer, "s", "1", 0);
        flipped.rpc.as_mut().unwrap().from_server = true;
        for (scope, answer) in [
            (1, half(HalfPart::Answer, "s", "1", 0)),
            (0, half(HalfPart::Answer, "t", "1", 0)),
            (0, half(HalfPart::Answer, "s", "2", 0)),
            (0, flipped),
        ] {
            assert!(correlator.offer(scope, (), answer).is_empty());
        }
        assert_eq!(correlator.flush().len(), 1, "answers alone are nothing");
    }

    #[test]
    fn what_waits_too_long_ends_as_it_is() {
        let mut correlator = Correlator::default();
        correlator.offer(0, "old", half(HalfPart::Request, "s", "1", 10));
        correlator.offer(0, "new", half(HalfPart::Request, "s", "2", 20));
        correlator.offer(1, "other", half(HalfPart::Request, "s", "2", 30));
        let gone = correlator.expire(20);
        assert_eq!(gone.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), ["old"]);
        assert!(gone.iter().all(|(_, call)| call.error.is_some() && call.completeness.truncated));
        assert_eq!(correlator.end(&0).len(), 1);
        // The same id again: the elder is given up.
        assert_eq!(correlator.offer(1, "again", half(HalfPart::Request, "s", "2", 40)).len(), 1);
        assert_eq!(correlator.flush().len(), 1);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut correlator = Correlator::default();
        let out: usize = (0..3 * MAX_WAITING)
            .map(|id| correlator.offer(0, (), half(HalfPart::Request, "s", &id.to_string(), 0)).len())
            .sum();
        assert_eq!((out, correlator.flush().len()), (2 * MAX_WAITING, MAX_WAITING));
        let mut large = half(HalfPart::Answer, "s", "1", 0);
        large.rpc.as_mut().unwrap().result = Some("x".repeat(MAX_HELD).into());
        correlator.offer(0, (), large.clone());
        correlator.offer(1, (), large);
        assert!(correlator.held_bytes() < 2 * MAX_HELD);
    }

    #[test]
    fn whole_calls_pass() {
        let call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
        assert_eq!(Correlator::default().offer((), 1, call).len(), 1);
    }
}
