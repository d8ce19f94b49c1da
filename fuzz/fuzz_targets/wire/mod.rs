//! What the wire targets share: a sink that checks the promised order and writes everything down, and a connection fed in pieces.
#![allow(dead_code, reason = "every target uses its own part")]

use std::collections::BTreeMap;

use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, RequestHead,
    ResponseHead, Sink, WsKind,
};

/// One exchange as it was told, times left out and neighbouring data joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub request: Option<RequestHead>,
    pub request_items: Vec<Item>,
    pub request_end: Option<MessageEnd>,
    pub response: Option<ResponseHead>,
    pub response_items: Vec<Item>,
    pub response_end: Option<MessageEnd>,
    pub end: Option<ExchangeEnd>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    Data(Vec<u8>),
    Event(String, Vec<u8>, String, bool),
    Line(Vec<u8>, bool),
    Element(Vec<u8>, bool),
    /// Kind and payload of a message of an AWS event stream.
    Message(String, Vec<u8>, bool),
    /// Flag and size of a gRPC message.
    Grpc(bool, u64),
    Frame(WsKind, Vec<u8>, bool),
    Gap(u64),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes(pub BTreeMap<u64, Told>);

impl Notes {
    fn open(&mut self, id: ExchangeId) -> &mut Told {
        let told = self.0.get_mut(&id.0).expect("a request head comes first");
        assert!(told.end.is_none(), "nothing comes after the end");
        told
    }

    /// Everything that began has ended, in a state that makes sense.
    pub fn check_ended(&self) {
        for told in self.0.values() {
            let end = told.end.as_ref().expect("every exchange ends");
            assert!(told.request_end.is_some());
            assert_eq!(told.response.is_some(), told.response_end.is_some());
            assert_eq!(end.no_response, told.response.is_none());
        }
    }
}

fn add(items: &mut Vec<Item>, body: Body<'_>) -> Interest {
    match (items.last_mut(), body) {
        (Some(Item::Data(data)), Body::Data(more)) => data.extend_from_slice(more),
        (_, Body::Data(data)) => items.push(Item::Data(data.to_vec())),
        (_, Body::Event(event)) => {
            items.push(Item::Event(
                event.event.to_owned(),
                event.data.to_vec(),
                event.id.to_owned(),
                event.truncated,
            ));
        }
        (_, Body::Line { data, truncated }) => items.push(Item::Line(data.to_vec(), truncated)),
        (_, Body::Gap(bytes)) => items.push(Item::Gap(bytes)),
        (_, Body::Element { data, truncated }) => items.push(Item::Element(data.to_vec(), truncated)),
        (_, Body::Message(message)) => {
            let kind = format!(
                "{}/{}/{}/{}",
                message.message_type, message.kind, message.content_type, message.error
            );
            items.push(Item::Message(kind, message.payload.to_vec(), message.truncated));
        }
        (_, Body::Grpc { compressed, bytes }) => items.push(Item::Grpc(compressed, bytes)),
        (_, Body::Frame(message)) => {
            items.push(Item::Frame(message.kind, message.data.to_vec(), message.truncated));
        }
    }
    Interest::Full
}

impl Sink for Notes {
    fn request_head(&mut self, id: ExchangeId, head: RequestHead, _: u64) -> Interest {
        let told = Told { request: Some(head), ..Told::default() };
        assert!(self.0.insert(id.0, told).is_none(), "numbers are not used twice");
        Interest::Full
    }
    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, _: u64) -> Interest {
        let told = self.open(id);
        assert!(told.request_end.is_none());
        add(&mut told.request_items, body)
    }
    fn request_end(&mut self, id: ExchangeId, mut end: MessageEnd) {
        end.at = 0;
        assert!(self.open(id).request_end.replace(end).is_none());
    }
    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, _: u64) -> Interest {
        assert!(self.open(id).response.replace(head).is_none());
        Interest::Full
    }
    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, _: u64) -> Interest {
        let told = self.open(id);
        assert!(told.response.is_some() && told.response_end.is_none());
        add(&mut told.response_items, body)
    }
    fn response_end(&mut self, id: ExchangeId, mut end: MessageEnd) {
        end.at = 0;
        let told = self.open(id);
        assert!(told.response.is_some());
        assert!(told.response_end.replace(end).is_none());
    }
    fn exchange_end(&mut self, id: ExchangeId, mut end: ExchangeEnd) {
        end.at = 0;
        self.open(id).end = Some(end);
    }
}

/// Small, so that every bound is met.
pub fn limits() -> Limits {
    Limits { max_head: 2048, max_item: 300, max_pending: 3, max_decoded: 50_000 }
}

/// A client's connection: the request, then the response in pieces of the given sizes (repeated), then the close.
pub fn exchange(request: &[u8], response: &[u8], sizes: &[usize]) -> Notes {
    let mut connection = Connection::new(limits());
    let mut notes = Notes::default();
    connection.push(Direction::Egress, 0, 0, request, &mut notes);
    let (mut rest, mut offset) = (response, 0);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        connection.push(Direction::Ingress, offset, 0, piece, &mut notes);
        offset += piece.len() as u64;
        rest = after;
        // One brotli window, one inflate state or zstd context for each of four stages, and the buffers.
        assert!(connection.held_bytes() < 4 << 20, "{}", connection.held_bytes());
    }
    connection.close(None, 0, &mut notes);
    notes.check_ended();
    notes
}

/// Takes the first bytes of the input as piece sizes.
pub fn sizes(input: &[u8]) -> (Vec<usize>, &[u8]) {
    let (sizes, rest) = input.split_at(input.len().min(3));
    (sizes.iter().map(|size| usize::from(*size)).chain([1]).collect(), rest)
}
