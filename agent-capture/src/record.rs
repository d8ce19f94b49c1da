//! Parses the records of both rings.

use std::mem::offset_of;

use agent_common::{ControlEvent, ControlKind, HEADER_BYTES, INGRESS, PeerAddress, RecordHeader, RecordKind};

use crate::sockets::peer_of;
use crate::{Direction, Peer};

/// A record of the data ring.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) tgid: u32,
    pub(crate) handle: u64,
    pub(crate) generation: u64,
    pub(crate) ktime: u64,
    pub(crate) kind: Kind,
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chunk { direction: Direction, offset: u64, bytes: Vec<u8> },
    Shutdown,
    Closed { egress_end: u64, ingress_end: u64 },
    Peer(Peer),
}

/// A process event of the control ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: ControlKind,
    pub(crate) tgid: u32,
    pub(crate) detail: u32,
    pub(crate) in_scope: bool,
    pub(crate) ktime: u64,
}

/// A record that may be in two pieces.
#[derive(Clone, Copy)]
struct Pieces<'a>(&'a [u8], &'a [u8]);

impl Pieces<'_> {
    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = *self.byte(offset.checked_add(index)?)?;
        }
        Some(bytes)
    }

    fn byte(&self, offset: usize) -> Option<&u8> {
        match offset.checked_sub(self.0.len()) {
            None => self.0.get(offset),
            Some(offset) => self.1.get(offset),
        }
    }

    fn word(self, offset: usize) -> Option<u64> {
        self.array(offset).map(u64::from_ne_bytes)
    }

    fn half(self, offset: usize) -> Option<u32> {
        self.array(offset).map(u32::from_ne_bytes)
    }

    fn copy(self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let end = offset.checked_add(length)?;
        if end > self.0.len() + self.1.len() {
            return None;
        }
        let split = self.0.len();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(self.0.get(offset.min(split)..end.min(split))?);
        bytes.extend_from_slice(self.1.get(offset.saturating_sub(split)..end.saturating_sub(split))?);
        Some(bytes)
    }
}

impl Record {
    /// Parses a record of the data ring. `None`: it is not one (which would be a fault of this program).
    pub(crate) fn parse(head: &[u8], tail: &[u8]) -> Option<Self> {
        let pieces = Pieces(head, tail);
        let kind = *pieces.byte(offset_of!(RecordHeader, kind))?;
        let offset = pieces.word(offset_of!(RecordHeader, offset))?;
        let kind = if kind == RecordKind::Chunk as u8 {
            let length = usize::try_from(pieces.half(offset_of!(RecordHeader, length))?).ok()?;
            let direction = match *pieces.byte(offset_of!(RecordHeader, direction))? {
                INGRESS => Direction::Ingress,
                _ => Direction::Egress,
            };
            Kind::Chunk { direction, offset, bytes: pieces.copy(HEADER_BYTES, length)? }
        } else if kind == RecordKind::Shutdown as u8 {
            Kind::Shutdown
        } else if kind == RecordKind::Closed as u8 {
            Kind::Closed {
                egress_end: offset,
                ingress_end: pieces.word(offset_of!(RecordHeader, ingress_end))?,
            }
        } else if kind == RecordKind::Peer as u8 {
            let at = |field: usize| HEADER_BYTES + field;
            let number = |field| pieces.array(at(field)).map(u16::from_ne_bytes);
            Kind::Peer(peer_of(&PeerAddress {
                address: pieces.array(at(offset_of!(PeerAddress, address)))?,
                family: number(offset_of!(PeerAddress, family))?,
                port: number(offset_of!(PeerAddress, port))?,
                local_port: number(offset_of!(PeerAddress, local_port))?,
                reserved: 0,
            }))
        } else {
            return None;
        };
        Some(Self {
            tgid: pieces.half(offset_of!(RecordHeader, tgid))?,
            handle: pieces.word(offset_of!(RecordHeader, handle))?,
            generation: pieces.word(offset_of!(RecordHeader, generation))?,
            ktime: pieces.word(offset_of!(RecordHeader, ktime))?,
            kind,
        })
    }
}

impl Event {
    /// Parses a record of the control ring.
    pub(crate) fn parse(head: &[u8], tail: &[u8]) -> Option<Self> {
        let pieces = Pieces(head, tail);
        let kind = pieces.half(offset_of!(ControlEvent, kind))?;
        let kind = [
            ControlKind::Exec,
            ControlKind::Fork,
            ControlKind::Exit,
            ControlKind::Mapped,
            ControlKind::Found,
            ControlKind::Listener,
            ControlKind::IoUring,
            ControlKind::KernelTls,
        ]
        .into_iter()
        .find(|known| *known as u32 == kind)?;
        Some(Self {
            kind,
            tgid: pieces.half(offset_of!(ControlEvent, tgid))?,
            detail: pieces.half(offset_of!(ControlEvent, detail))?,
            in_scope: pieces.half(offset_of!(ControlEvent, in_scope))? != 0,
            ktime: pieces.word(offset_of!(ControlEvent, ktime))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(payload: &[u8], capacity: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + capacity];
        bytes[offset_of!(RecordHeader, kind)] = RecordKind::Chunk as u8;
        bytes[offset_of!(RecordHeader, direction)] = INGRESS;
        bytes[offset_of!(RecordHeader, length)..][..4]
            .copy_from_slice(&u32::try_from(payload.len()).unwrap().to_ne_bytes());
        bytes[offset_of!(RecordHeader, tgid)..][..4].copy_from_slice(&7u32.to_ne_bytes());
        bytes[offset_of!(RecordHeader, handle)..][..8].copy_from_slice(&0xabcdu64.to_ne_bytes());
        bytes[offset_of!(RecordHeader, generation)..][..8].copy_from_slice(&11u64.to_ne_bytes());
        bytes[offset_of!(RecordHeader, offset)..][..8].copy_from_slice(&1000u64.to_ne_bytes());
        bytes[offset_of!(RecordHeader, ktime)..][..8].copy_from_slice(&13u64.to_ne_bytes());
        bytes[HEADER_BYTES..][..payload.len()].copy_from_slice(payload);
        bytes
    }

    proptest! {
        #[test]
        fn a_record_is_the_same_wherever_it_wraps(payload in proptest::collection::vec(any::<u8>(), 1..96), cut in 0usize..152) {
            let bytes = chunk(&payload, 96);
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let kind = Kind::Chunk { direction: Direction::Ingress, offset: 1000, bytes: payload };
            let expected = Record { tgid: 7, handle: 0xabcd, generation: 11, ktime: 13, kind };
            prop_assert_eq!(Record::parse(head, tail), Some(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(head in proptest::collection::vec(any::<u8>(), 0..200), tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::parse(&head, &tail);
            let _ = Event::parse(&head, &tail);
        }
    }

    #[test]
    fn a_length_past_the_record_is_refused() {
        let mut bytes = chunk(b"GET / HTTP/1.1", 64);
        bytes[offset_of!(RecordHeader, length)..][..4].copy_from_slice(&65u32.to_ne_bytes());
        assert_eq!(Record::parse(&bytes, &[]), None);
    }
}
