//! gRPC messages (PROTOCOL-HTTP2 of the gRPC project): a flag, a length u32 big endian, and so many bytes. Only sizes are told.

use std::ops::ControlFlow;

use crate::exchange::Body;
use crate::items::Out;

/// Bytes in front of a message: the compressed flag and the length.
const PREFIX: usize = 5;

/// Turns bytes into messages.
pub(crate) struct GrpcDecoder {
    place: Place,
    fault: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In front of a message, with so many bytes of its prefix.
    Prefix([u8; PREFIX], usize),
    Inside {
        compressed: bool,
        bytes: u32,
        left: u32,
    },
    /// Behind a fault: where the next message begins is unknown.
    Lost,
}

/// Where every message begins.
const BETWEEN: Place = Place::Prefix([0; PREFIX], 0);

impl GrpcDecoder {
    pub(crate) fn new() -> Self {
        Self { place: BETWEEN, fault: None }
    }

    /// Why nothing more is handed on.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        while !input.is_empty() {
            match &mut self.place {
                Place::Lost => break,
                Place::Prefix(prefix, filled) => {
                    let mut taken = 0;
                    for (to, from) in prefix.iter_mut().skip(*filled).zip(input) {
                        *to = *from;
                        taken += 1;
                    }
                    *filled += taken;
                    input = input.get(taken..).unwrap_or_default();
                    if *filled == PREFIX {
                        let [flag, length @ ..] = *prefix;
                        let bytes = u32::from_be_bytes(length);
                        match flag {
                            0 | 1 => self.place = Place::Inside { compressed: flag == 1, bytes, left: bytes },
                            flag => self.lose(format!("a message has the flag {flag}")),
                        }
                    }
                }
                Place::Inside { left, .. } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= u32::try_from(taken).unwrap_or(*left);
                    input = input.get(taken..).unwrap_or_default();
                }
            }
            self.end_message(out)?;
        }
        ControlFlow::Continue(())
    }

    /// So many bytes are missing here, just as many if `exact`. The length of a message is known whether or not all of it was seen.
    pub(crate) fn gap(&mut self, missing: u64, exact: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        match &mut self.place {
            Place::Inside { left, .. } if exact && missing <= u64::from(*left) => {
                *left -= u32::try_from(missing).unwrap_or(*left);
                return self.end_message(out);
            }
            Place::Lost => {}
            Place::Inside { .. } | Place::Prefix(..) => {
                self.lose(format!(
                    "{missing} bytes were lost, so that the place of the next message is unknown"
                ));
            }
        }
        ControlFlow::Continue(())
    }

    /// The body has ended, before its time if `cut`.
    pub(crate) fn finish(&mut self, cut: bool) {
        if !matches!(self.place, Place::Prefix(_, 0) | Place::Lost) && !cut {
            self.lose("the body ends inside a message".to_owned());
        }
    }

    /// Hands on the message that was being read if it is over.
    fn end_message(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let Place::Inside { compressed, bytes, left: 0 } = self.place else {
            return ControlFlow::Continue(());
        };
        self.place = BETWEEN;
        out(Body::Grpc { compressed, bytes: u64::from(bytes) })
    }

    fn lose(&mut self, why: String) {
        self.place = Place::Lost;
        self.fault.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flag: u8, length: u32) -> Vec<u8> {
        let payload = vec![b'x'; usize::try_from(length).unwrap()];
        [&[flag][..], &length.to_be_bytes(), &payload].concat()
    }

    fn take(sizes: &mut Vec<(bool, u64)>) -> impl FnMut(Body<'_>) -> ControlFlow<()> {
        |body: Body<'_>| {
            let Body::Grpc { compressed, bytes } = body else { panic!("no message: {body:?}") };
            sizes.push((compressed, bytes));
            ControlFlow::Continue(())
        }
    }

    fn run(pieces: &[&[u8]]) -> (Vec<(bool, u64)>, Option<String>) {
        let mut decoder = GrpcDecoder::new();
        let mut sizes = Vec::new();
        for piece in pieces {
            assert!(decoder.feed(piece, &mut take(&mut sizes)).is_continue());
        }
        decoder.finish(false);
        (sizes, decoder.fault().map(str::to_owned))
    }

    #[test]
    fn messages_wherever_they_are_cut() {
        let input = [message(0, 3), message(1, 300), message(0, 0), message(1, 1)].concat();
        let whole = (vec![(false, 3), (true, 300), (false, 0), (true, 1)], None);
        assert_eq!(run(&[&input]), whole);
        assert_eq!(run(&input.chunks(1).collect::<Vec<_>>()), whole);
        for at in 0..input.len() {
            assert_eq!(run(&[&input[..at], &input[at..]]), whole, "cut at {at}");
        }
        let (sizes, fault) = run(&[&input[..input.len() - 1]]);
        assert_eq!((sizes.len(), fault.as_deref()), (3, Some("the body ends inside a message")));
        let (sizes, fault) = run(&[&message(0, 3), b"<html>..."]);
        assert_eq!((sizes.len(), fault.as_deref()), (1, Some("a message has the flag 60")));
    }

    #[test]
    fn a_gap_inside_a_message_costs_nothing() {
        let stream = [message(0, 20), message(0, 20), message(0, 20)].concat();
        for from in 0..stream.len() {
            for lost in [1, 7, 20] {
                let Some(rest) = stream.get(from + lost..) else { continue };
                let mut decoder = GrpcDecoder::new();
                let mut sizes = Vec::new();
                let _ = decoder.feed(&stream[..from], &mut take(&mut sizes));
                let _ = decoder.gap(lost as u64, true, &mut take(&mut sizes));
                let _ = decoder.feed(rest, &mut take(&mut sizes));
                decoder.finish(false);
                let within = from % 25 >= PREFIX && from % 25 + lost <= 25;
                assert_eq!(sizes.len(), if within { 3 } else { from / 25 }, "{lost} bytes from {from}");
                assert_eq!(decoder.fault().is_none(), within, "{lost} bytes from {from}");
            }
        }
        let mut decoder = GrpcDecoder::new();
        let mut sizes = Vec::new();
        let _ = decoder.feed(&stream[..10], &mut take(&mut sizes));
        let _ = decoder.gap(3, false, &mut take(&mut sizes));
        let _ = decoder.feed(&stream[13..], &mut take(&mut sizes));
        assert!(sizes.is_empty() && decoder.fault().is_some(), "how much is missing is not known");
    }
}
