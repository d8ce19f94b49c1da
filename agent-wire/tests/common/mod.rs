//! A sink that writes everything down, and builders of conversations.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a failure is a failed test")]
#![expect(dead_code, reason = "every test file uses its own part")]

use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, Nanos, RequestHead,
    ResponseHead, Sink, WsKind,
};

/// What happened, without times and with neighbouring data pieces joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    Request(u64, RequestHead),
    RequestItem(u64, Item),
    RequestEnd(u64, MessageEnd),
    Response(u64, ResponseHead),
    ResponseItem(u64, Item),
    ResponseEnd(u64, MessageEnd),
    End(u64, ExchangeEnd),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Data(Vec<u8>),
    Event {
        event: String,
        data: Vec<u8>,
        id: String,
        truncated: bool,
    },
    Line(Vec<u8>, bool),
    Element(Vec<u8>, bool),
    /// Kind and payload of a message of an AWS event stream.
    Message(String, Vec<u8>, bool),
    Frame(WsKind, String, bool),
    Gap(u64),
    /// Any other kind, as its debug text.
    Other(String),
}

impl Item {
    fn new(body: Body<'_>) -> Self {
        match body {
            Body::Data(data) => Self::Data(data.to_vec()),
            Body::Event(event) => Self::Event {
                event: event.event.to_owned(),
                data: event.data.to_vec(),
                id: event.id.to_owned(),
                truncated: event.truncated,
            },
            Body::Line { data, truncated } => Self::Line(data.to_vec(), truncated),
            Body::Element { data, truncated } => Self::Element(data.to_vec(), truncated),
            Body::Message(message) => Self::Message(
                format!("{}/{}", message.message_type, message.kind),
                message.payload.to_vec(),
                message.truncated,
            ),
            Body::Frame(message) => Self::Frame(
                message.kind,
                String::from_utf8_lossy(message.data).into_owned(),
                message.truncated,
            ),
            Body::Gap(bytes) => Self::Gap(bytes),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// An exchange's number, what was told of its request and of its response, and its end.
pub(crate) type Told = (u64, Vec<Note>, Vec<Note>, Option<ExchangeEnd>);

/// Writes down and checks the order that `Sink` promises.
#[derive(Debug)]
pub(crate) struct Notes {
    pub notes: Vec<Note>,
    pub interest: Interest,
    /// Answer `Skip` after so many items.
    pub skip_after: usize,
}

impl Default for Notes {
    fn default() -> Self {
        Self { notes: Vec::new(), interest: Interest::Full, skip_after: usize::MAX }
    }
}

impl Notes {
    fn item(&mut self, response: bool, id: ExchangeId, body: Body<'_>) -> Interest {
        let item = Item::new(body);
        let joined = match (self.notes.last_mut(), &item) {
            (Some(Note::RequestItem(last, Item::Data(data))), Item::Data(more))
                if !response && *last == id.0 =>
            {
                data.extend_from_slice(more);
                true
            }
            (Some(Note::ResponseItem(last, Item::Data(data))), Item::Data(more))
                if response && *last == id.0 =>
            {
                data.extend_from_slice(more);
                true
            }
            _ => false,
        };
        if !joined {
            let note = if response { Note::ResponseItem(id.0, item) } else { Note::RequestItem(id.0, item) };
            self.notes.push(note);
        }
        self.skip_after = self.skip_after.saturating_sub(1);
        if self.skip_after == 0 { Interest::Skip } else { Interest::Full }
    }

    /// The notes of one side of each exchange in order, whatever the interleaving was.
    pub(crate) fn per_exchange(&self) -> Vec<Told> {
        let mut all: Vec<Told> = Vec::new();
        for note in &self.notes {
            let (id, response) = match note {
                Note::Request(id, _) | Note::RequestItem(id, _) | Note::RequestEnd(id, _) => {
                    (*id, Some(false))
                }
                Note::Response(id, _) | Note::ResponseItem(id, _) | Note::ResponseEnd(id, _) => {
                    (*id, Some(true))
                }
                Note::End(id, _) => (*id, None),
            };
            let place = match all.iter().position(|(known, ..)| *known == id) {
                Some(place) => place,
                None => {
                    assert!(matches!(note, Note::Request(..)), "begins with {note:?}");
                    all.push((id, Vec::new(), Vec::new(), None));
                    all.len() - 1
                }
            };
            let (_, requests, responses, end) = &mut all[place];
            assert!(end.is_none(), "{note:?} after the end");
            let side = if response == Some(true) { responses } else { requests };
            match (note, side.last_mut()) {
                (Note::End(_, ended), _) => *end = Some(ended.clone()),
                (Note::RequestItem(_, Item::Data(more)), Some(Note::RequestItem(_, Item::Data(data))))
                | (Note::ResponseItem(_, Item::Data(more)), Some(Note::ResponseItem(_, Item::Data(data)))) => {
                    data.extend_from_slice(more);
                }
                _ => side.push(note.clone()),
            }
        }
        for (id, requests, responses, end) in &all {
            assert!(matches!(requests.first(), Some(Note::Request(..))), "{id}: {requests:?}");
            assert!(matches!(requests.last(), Some(Note::RequestEnd(..))), "{id}: {requests:?}");
            assert!(
                responses.is_empty() || matches!(responses.first(), Some(Note::Response(..))),
                "{id}: {responses:?}"
            );
            assert!(
                responses.is_empty() || matches!(responses.last(), Some(Note::ResponseEnd(..))),
                "{id}: {responses:?}"
            );
            let end = end.as_ref().unwrap_or_else(|| panic!("{id} has no end"));
            assert_eq!(end.no_response, responses.is_empty(), "{id}");
        }
        all
    }

    /// The number and the end, if it has come, of each exchange so far.
    pub(crate) fn per_exchange_so_far(&self) -> Vec<(u64, Option<ExchangeEnd>)> {
        let mut all: Vec<(u64, Option<ExchangeEnd>)> = Vec::new();
        for note in &self.notes {
            match note {
                Note::Request(id, _) => all.push((*id, None)),
                Note::End(id, end) => all
                    .iter_mut()
                    .filter(|(of, _)| of == id)
                    .for_each(|(_, known)| *known = Some(end.clone())),
                _ => {}
            }
        }
        all
    }

    pub(crate) fn request(&self, id: u64) -> &RequestHead {
        self.find(|note| match note {
            Note::Request(of, head) if *of == id => Some(head),
            _ => None,
        })
    }

    pub(crate) fn request_end(&self, id: u64) -> &MessageEnd {
        self.find(|note| match note {
            Note::RequestEnd(of, end) if *of == id => Some(end),
            _ => None,
        })
    }

    pub(crate) fn response(&self, id: u64) -> &ResponseHead {
        self.find(|note| match note {
            Note::Response(of, head) if *of == id => Some(head),
            _ => None,
        })
    }

    pub(crate) fn response_end(&self, id: u64) -> &MessageEnd {
        self.find(|note| match note {
            Note::ResponseEnd(of, end) if *of == id => Some(end),
            _ => None,
        })
    }

    pub(crate) fn end(&self, id: u64) -> &ExchangeEnd {
        self.find(|note| match note {
            Note::End(of, end) if *of == id => Some(end),
            _ => None,
        })
    }

    pub(crate) fn request_items(&self, id: u64) -> Vec<Item> {
        let items = self.notes.iter().filter_map(|note| match note {
            Note::RequestItem(of, item) if *of == id => Some(item.clone()),
            _ => None,
        });
        items.collect()
    }

    pub(crate) fn response_items(&self, id: u64) -> Vec<Item> {
        let items = self.notes.iter().filter_map(|note| match note {
            Note::ResponseItem(of, item) if *of == id => Some(item.clone()),
            _ => None,
        });
        items.collect()
    }

    pub(crate) fn response_body(&self, id: u64) -> Vec<u8> {
        self.response_items(id)
            .into_iter()
            .flat_map(|item| if let Item::Data(data) = item { data } else { Vec::new() })
            .collect()
    }

    pub(crate) fn request_body(&self, id: u64) -> Vec<u8> {
        let items = self.notes.iter().filter_map(|note| match note {
            Note::RequestItem(of, Item::Data(data)) if *of == id => Some(data.clone()),
            _ => None,
        });
        items.flatten().collect()
    }

    pub(crate) fn exchanges(&self) -> usize {
        self.notes.iter().filter(|note| matches!(note, Note::Request(..))).count()
    }

    fn find<'a, T>(&'a self, pick: impl FnMut(&'a Note) -> Option<T>) -> T {
        self.notes.iter().find_map(pick).unwrap_or_else(|| panic!("not among {:#?}", self.notes))
    }
}

fn without_time(mut end: MessageEnd) -> MessageEnd {
    end.at = 0;
    end
}

impl Sink for Notes {
    fn request_head(&mut self, id: ExchangeId, head: RequestHead, _: Nanos) -> Interest {
        self.notes.push(Note::Request(id.0, head));
        self.interest
    }
    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.item(false, id, body)
    }
    fn request_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.notes.push(Note::RequestEnd(id.0, without_time(end)));
    }
    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, _: Nanos) -> Interest {
        self.notes.push(Note::Response(id.0, head));
        self.interest
    }
    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.item(true, id, body)
    }
    fn response_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.notes.push(Note::ResponseEnd(id.0, without_time(end)));
    }
    fn exchange_end(&mut self, id: ExchangeId, mut end: ExchangeEnd) {
        end.at = 0;
        self.notes.push(Note::End(id.0, end));
    }
}

/// A client's connection fed in order, which keeps the offsets.
pub(crate) struct Feed {
    pub connection: Connection,
    pub notes: Notes,
    offsets: [u64; 2],
    pub client: bool,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self { connection: Connection::new(limits), notes: Notes::default(), offsets: [0, 0], client: true }
    }

    fn direction(&self, response: bool) -> Direction {
        if response == self.client { Direction::Ingress } else { Direction::Egress }
    }

    pub(crate) fn send(&mut self, response: bool, data: impl AsRef<[u8]>) -> &mut Self {
        let direction = self.direction(response);
        let offset = &mut self.offsets[usize::from(response)];
        let at = *offset;
        *offset += data.as_ref().len() as u64;
        self.connection.push(direction, at, 7, data.as_ref(), &mut self.notes);
        self
    }

    pub(crate) fn request(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.send(false, data)
    }

    pub(crate) fn response(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.send(true, data)
    }

    /// Loses bytes of a direction.
    pub(crate) fn lose(&mut self, response: bool, bytes: u64) -> &mut Self {
        self.offsets[usize::from(response)] += bytes;
        self
    }

    pub(crate) fn half_close(&mut self, response: bool) -> &mut Self {
        let direction = self.direction(response);
        self.connection.half_close(direction, 8, &mut self.notes);
        self
    }

    pub(crate) fn close(&mut self) -> &mut Self {
        let [request, response] = self.offsets;
        let ends = if self.client { (request, response) } else { (response, request) };
        self.connection.close(Some(ends), 9, &mut self.notes);
        self
    }
}

pub(crate) fn post(body: &str) -> String {
    format!("POST /v1/chat HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in body.chunks(size.max(1)) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

/// One WebSocket frame of less than 126 bytes; `first` is its first byte.
pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or_default();
    let Some(key) = mask else { return [&[first, length], payload].concat() };
    let masked: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    [&[first, 0x80 | length], &key[..], &masked].concat()
}

/// One message of an AWS event stream.
pub(crate) fn event_message(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", kind), (":message-type", "event")] {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend_from_slice(name.as_bytes());
        headers.extend([7, 0, u8::try_from(value.len()).unwrap_or_default()]);
        headers.extend_from_slice(value.as_bytes());
    }
    let number = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
    let mut bytes = [number(16 + headers.len() + payload.len()), number(headers.len())].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}
