//! A recorded exchange as the bytes of an HTTP/1.1 connection, and ways to deliver them.

use std::collections::BTreeSet;

use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Connection, Direction, Headers, Limits};

use crate::load::Exchange;
use crate::sink::Calls;

/// One delivery: bytes of one direction at an offset.
pub(crate) struct Step {
    direction: Direction,
    offset: usize,
    data: Vec<u8>,
}

/// Both directions of the exchange.
#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    /// Response head and body again, to make another head.
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    /// Every number that stands in the response, and every sum of two or three of the counts of one usage is not needed: sums are checked
    /// against the undamaged call.
    said: BTreeSet<u64>,
}

impl Feed {
    /// `None` without a response.
    pub(crate) fn new(exchange: &Exchange) -> Option<Self> {
        let (head, body) = exchange.response.as_ref()?;
        let (request, request_body) = &exchange.request;
        let mut first = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
        fields(&mut first, &request.headers, None);
        first.extend_from_slice(format!("content-length: {}\r\n\r\n", request_body.len()).as_bytes());
        first.extend_from_slice(request_body);
        let text = String::from_utf8_lossy(body);
        let digits = text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
        Some(Self {
            request: first,
            response: response(head.status, &head.headers, body, None),
            status: head.status,
            headers: head.headers.clone(),
            body: body.clone(),
            said: digits.collect(),
        })
    }

    /// Whether the response says this number somewhere (or it may have, being compressed).
    pub(crate) fn says(&self, number: u64) -> bool {
        let coded = self.headers.get("content-encoding").is_some() || !self.body.is_ascii();
        let sum = || {
            self.said
                .iter()
                .any(|part| number.checked_sub(*part).is_some_and(|rest| self.said.contains(&rest)))
        };
        coded || self.said.contains(&number) || sum()
    }

    /// The same exchange under another media type of the response.
    pub(crate) fn with_media_type(&self, kind: &str) -> Self {
        Self { response: response(self.status, &self.headers, &self.body, Some(kind)), ..self.clone() }
    }

    fn asked(&self) -> Step {
        Step { direction: Direction::Egress, offset: 0, data: self.request.clone() }
    }

    fn answer(&self, from: usize, to: usize) -> Step {
        Step { direction: Direction::Ingress, offset: from, data: self.response[from..to].to_vec() }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Vec<Step> {
        vec![self.asked(), self.answer(0, self.response.len())]
    }

    /// The response in pieces.
    pub(crate) fn split(&self, at: &[usize]) -> Vec<Step> {
        let mut steps = vec![self.asked()];
        let mut from = 0;
        for to in at.iter().copied().chain([self.response.len()]) {
            steps.push(self.answer(from, to));
            from = to;
        }
        steps
    }

    /// The response ends early.
    pub(crate) fn cut(&self, at: usize) -> Vec<Step> {
        vec![self.asked(), self.answer(0, at)]
    }

    /// The request ends early, and there is no response.
    pub(crate) fn cut_request(&self, at: usize) -> Vec<Step> {
        vec![Step { data: self.request[..at].to_vec(), ..self.asked() }]
    }

    /// A hole in the response.
    pub(crate) fn lose(&self, from: usize, to: usize) -> Vec<Step> {
        vec![self.asked(), self.answer(0, from), self.answer(to, self.response.len())]
    }

    /// Part of the response is told again, at the same place.
    pub(crate) fn again(&self, from: usize, to: usize) -> Vec<Step> {
        vec![self.asked(), self.answer(0, to), self.answer(from, to), self.answer(to, self.response.len())]
    }

    /// Part of the response comes again, behind itself.
    pub(crate) fn repeat(&self, from: usize, to: usize) -> Vec<Step> {
        let mut twice = self.response[..to].to_vec();
        twice.extend_from_slice(&self.response[from..]);
        vec![self.asked(), Step { direction: Direction::Ingress, offset: 0, data: twice }]
    }

    /// The calls that come of it, and the most bytes held.
    pub(crate) fn run(&self, steps: &[Step], options: &DecoderOptions) -> (Vec<Call>, usize) {
        self.run_within(steps, options, Limits::default())
    }

    /// The same within other limits.
    pub(crate) fn run_within(
        &self,
        steps: &[Step],
        options: &DecoderOptions,
        limits: Limits,
    ) -> (Vec<Call>, usize) {
        let decoder = Decoder::new(options.clone());
        let mut sink = Calls::new(&decoder);
        let mut connection = Connection::new(limits);
        for step in steps {
            connection.push(step.direction, step.offset as u64, 0, &step.data, &mut sink);
        }
        connection.close(None, 0, &mut sink);
        (sink.calls, sink.peak)
    }
}

fn response(status: u16, headers: &Headers, body: &[u8], kind: Option<&str>) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} X\r\n").into_bytes();
    fields(&mut bytes, headers, kind);
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Header fields, with the length left out, and another media type if one is given (none at all if it is empty).
fn fields(bytes: &mut Vec<u8>, headers: &Headers, kind: Option<&str>) {
    for (name, value) in headers.iter() {
        let lower = name.to_ascii_lowercase();
        let left_out =
            matches!(lower.as_str(), "content-length" | "transfer-encoding" | "connection" | "upgrade")
                || kind.is_some() && lower == "content-type"
                || value.contains(['\r', '\n']);
        if !left_out {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    if let Some(kind) = kind.filter(|kind| !kind.is_empty()) {
        bytes.extend_from_slice(format!("content-type: {kind}\r\n").as_bytes());
    }
}
