//! A recorded exchange, whatever file it came from, and how it becomes a Record.

use std::collections::BTreeMap;

use agent_genai::{
    Call, Compat, Correlator, Decoder, DecoderOptions, HostRule, PriceTable, Record, RecordOptions, SpanIds,
    build_record, record::Attributes,
};
use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Headers, Interest, Limits, MessageEnd, Nanos,
    RequestHead, ResponseHead, Role, Sink, Version, WsKind, WsMessage, replay,
};
use jiff::Timestamp;

use super::corpus::Transcript;
use crate::engine::exchanges::{Exchanges, FoldSink};

/// What a recording says about times, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start: Nanos,
    pub(super) request_end: Nanos,
    pub(super) response_start: Nanos,
    pub(super) end: Nanos,
}

/// One exchange of a recording. Transfer coding is removed; content coding is as the heads say.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) id: String,
    pub(super) request: RequestHead,
    pub(super) request_body: Vec<u8>,
    pub(super) response: Option<(ResponseHead, Vec<u8>)>,
    pub(super) tls: bool,
    pub(super) times: Option<Times>,
}

/// How recordings are decoded.
pub struct Replayer {
    decoder: Decoder,
    options: RecordOptions,
    prices: PriceTable,
    limits: Limits,
}

/// Calls of one recording whose request and answer came by different exchanges.
pub(super) type Halves = Correlator<(), Place>;

/// Where a call stands in a recording: the id of its exchange, whether its times are known, and the date of its answer.
#[derive(Debug)]
pub(super) struct Place {
    id: String,
    timed: bool,
    date: Option<Nanos>,
}

/// Most bytes of one body kept with content on.
pub(super) const MAX_BODY: usize = 64 << 20;

impl Replayer {
    /// A replayer; `content` keeps message content in the Records.
    #[must_use]
    pub fn new(content: bool, hosts: Vec<HostRule>, compat: Compat, prices: PriceTable) -> Self {
        Self {
            decoder: Decoder::new(DecoderOptions { content, max_body: MAX_BODY, hosts }),
            options: RecordOptions { compat, content, tool_descriptions: content, source: "recording" },
            prices,
            limits: Limits::default(),
        }
    }

    /// The Records of one exchange: none when it is no call, several when it carries several.
    pub(super) fn exchange(&self, recorded: &Recorded, halves: &mut Halves) -> Vec<Record> {
        let mut exchanges = Exchanges::default();
        let mut ended = Vec::new();
        let mut sink = TimedSink {
            inner: FoldSink {
                exchanges: &mut exchanges,
                decoder: &self.decoder,
                role: Some(Role::Client),
                tls: recorded.tls,
                ended: &mut ended,
            },
            times: recorded.times,
            dates: BTreeMap::new(),
        };
        let response = recorded.response.as_ref().map(|(head, body)| (head, body.as_slice()));
        replay((&recorded.request, &recorded.request_body), response, self.limits, &mut sink);
        let dates = sink.dates;
        let timed = recorded.times.is_some();
        let place = |number| Place { id: recorded.id.clone(), timed, date: dates.get(&number).copied() };
        let whole = ended.into_iter().flat_map(|(number, call)| halves.offer((), place(number), call));
        self.records(whole)
    }

    /// The Records of the exchanges of one recorded connection: `pieces` are (direction, bytes) in the order seen.
    pub(super) fn connection<'a>(
        &self,
        id: &str,
        pieces: impl Iterator<Item = (Direction, &'a [u8])>,
        halves: &mut Halves,
    ) -> Vec<Record> {
        let mut exchanges = Exchanges::default();
        let mut ended = Vec::new();
        let mut dates = BTreeMap::new();
        let mut wire = Connection::new(self.limits);
        let mut offsets = (0_u64, 0_u64);
        let mut step = |wire: &mut Connection, run: &mut dyn FnMut(&mut Connection, &mut TimedSink<'_>)| {
            let mut sink = TimedSink {
                inner: FoldSink {
                    exchanges: &mut exchanges,
                    decoder: &self.decoder,
                    role: wire.role(),
                    tls: false,
                    ended: &mut ended,
                },
                times: None,
                dates: std::mem::take(&mut dates),
            };
            run(wire, &mut sink);
            dates = sink.dates;
        };
        for (direction, bytes) in pieces {
            let offset = match direction {
                Direction::Egress => &mut offsets.0,
                Direction::Ingress => &mut offsets.1,
            };
            step(&mut wire, &mut |wire, sink| wire.push(direction, *offset, 0, bytes, sink));
            *offset += bytes.len() as u64;
        }
        step(&mut wire, &mut |wire, sink| wire.close(Some(offsets), 0, sink));
        let mut ended: Vec<_> = std::mem::take(&mut ended);
        ended.sort_by_key(|(number, _)| *number);
        let place = |number: ExchangeId| Place {
            id: format!("{id}#{}", number.0),
            timed: false,
            date: dates.get(&number).copied(),
        };
        self.records(ended.into_iter().flat_map(|(number, call)| halves.offer((), place(number), call)))
    }

    /// The Records of whole calls.
    pub(super) fn records(&self, calls: impl IntoIterator<Item = (Place, Call)>) -> Vec<Record> {
        let record = |(place, call): (Place, _)| self.record(&place.id, call, place.timed, place.date);
        calls.into_iter().map(record).collect()
    }

    /// The Records of one WebSocket session.
    pub(super) fn transcript(&self, transcript: &Transcript) -> Vec<Record> {
        let mut exchanges = Exchanges::default();
        let mut ended = Vec::new();
        let url = transcript.url.as_deref();
        let mut sink = FoldSink {
            exchanges: &mut exchanges,
            decoder: &self.decoder,
            role: Some(Role::Client),
            tls: url.is_none_or(is_tls),
            ended: &mut ended,
        };
        let id = ExchangeId(0);
        let head = RequestHead {
            method: "GET".to_owned(),
            target: url.unwrap_or("/").to_owned(),
            version: Version::Http11,
            headers: [("upgrade", "websocket"), ("connection", "Upgrade")].into_iter().collect(),
        };
        let answer = ResponseHead { status: 101, version: Version::Http11, headers: Headers::new() };
        sink.request_head(id, head, 0);
        sink.response_head(id, answer, 0);
        for (sent, data) in &transcript.messages {
            let body = Body::Frame(WsMessage { kind: WsKind::Text, data, truncated: false });
            if *sent {
                sink.request_body(id, body, 0);
            } else {
                sink.response_body(id, body, 0);
            }
        }
        sink.request_end(id, MessageEnd::default());
        sink.response_end(id, MessageEnd::default());
        sink.exchange_end(id, ExchangeEnd { upgraded: true, ..ExchangeEnd::default() });
        ended.into_iter().map(|(_, call)| self.record(&transcript.id, call, false, None)).collect()
    }

    fn record(&self, id: &str, mut call: Call, timed: bool, date: Option<Nanos>) -> Record {
        if !timed {
            // Nothing is known but, at best, the second in which the server answered: no durations are invented.
            let at = date.unwrap_or(0);
            call.timing = agent_genai::call::Timing { start: at, end: at, ..Default::default() };
        }
        let mut seed = b"recording\0".to_vec();
        seed.extend_from_slice(id.as_bytes());
        if call.part > 0 {
            seed.push(0);
            seed.extend_from_slice(&call.part.to_le_bytes());
        }
        let ids = SpanIds::derive(&seed, call.request.traceparent.as_deref());
        let cost = self.prices.cost(&call);
        let mut record = build_record(&call, &ids, &Attributes::new(), cost, &self.options);
        record.exchange = Some(id.to_owned());
        record
    }
}

/// Puts the recording's own times in place of those of the replay, and notes the `Date` of each response.
struct TimedSink<'a> {
    inner: FoldSink<'a>,
    times: Option<Times>,
    dates: BTreeMap<ExchangeId, Nanos>,
}

impl TimedSink<'_> {
    fn at(&self, choose: impl FnOnce(&Times) -> Nanos) -> Nanos {
        self.times.as_ref().map_or(0, choose)
    }
}

impl Sink for TimedSink<'_> {
    fn role(&mut self, role: Role) {
        self.inner.role(role);
    }

    fn request_head(&mut self, id: ExchangeId, head: RequestHead, _: Nanos) -> Interest {
        self.inner.request_head(id, head, self.at(|t| t.start))
    }

    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.inner.request_body(id, body, self.at(|t| t.request_end))
    }

    fn request_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.inner.request_end(id, MessageEnd { at: self.at(|t| t.request_end), ..end });
    }

    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, _: Nanos) -> Interest {
        if let Some(date) = head.headers.get("date").and_then(http_date) {
            self.dates.insert(id, date);
        }
        self.inner.response_head(id, head, self.at(|t| t.response_start))
    }

    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.inner.response_body(id, body, self.at(|t| t.response_start))
    }

    fn response_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.inner.response_end(id, MessageEnd { at: self.at(|t| t.end), ..end });
    }

    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd) {
        self.inner.exchange_end(id, ExchangeEnd { at: self.at(|t| t.end), ..end });
    }
}

/// An HTTP date (RFC 9110 section 5.6.7) as Unix nanoseconds.
pub(super) fn http_date(text: &str) -> Option<Nanos> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    nanos(time)
}

/// Unix nanoseconds of a time that is not before 1970.
pub(super) fn nanos(time: Timestamp) -> Option<Nanos> {
    u64::try_from(time.as_nanosecond()).ok()
}

/// Whether a URL is one of an encrypted connection.
pub(super) fn is_tls(url: &str) -> bool {
    !url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}
