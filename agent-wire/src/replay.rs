//! Recorded exchanges through the same body decoders as captured ones.

use std::ops::ControlFlow;

use crate::body::BodyDecoder;
use crate::exchange::{
    Body, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, RequestHead, ResponseHead, Sink,
};

/// Feeds one recorded exchange to a sink, as exchange 0 at time 0. The bodies are as recorders keep them: transfer coding removed,
/// content coding still in place (or removed as well: that is noticed). Without a response the exchange ends with `no_response`.
pub fn replay(
    request: (&RequestHead, &[u8]),
    response: Option<(&ResponseHead, &[u8])>,
    limits: Limits,
    sink: &mut dyn Sink,
) {
    let id = ExchangeId(0);
    let (head, body) = request;
    let mut interest = sink.request_head(id, head.clone(), 0);
    let decoder = BodyDecoder::new(&head.headers, &[], false, &limits);
    let end = run(decoder, body, &mut interest, &mut |body| sink.request_body(id, body, 0));
    sink.request_end(id, end);
    if let Some((head, body)) = response {
        if sink.response_head(id, head.clone(), 0) == Interest::Skip {
            interest = Interest::Skip;
        }
        let decoder = BodyDecoder::new(&head.headers, &[], true, &limits);
        let end = run(decoder, body, &mut interest, &mut |body| sink.response_body(id, body, 0));
        sink.response_end(id, end);
    }
    sink.exchange_end(id, ExchangeEnd { no_response: response.is_none(), ..ExchangeEnd::default() });
}

fn run(
    mut decoder: BodyDecoder,
    body: &[u8],
    interest: &mut Interest,
    hand_on: &mut dyn FnMut(Body<'_>) -> Interest,
) -> MessageEnd {
    let wire_bytes = body.len() as u64;
    if *interest == Interest::Skip || body.is_empty() {
        return MessageEnd { wire_bytes, ..MessageEnd::default() };
    }
    let mut out = |body: Body<'_>| match hand_on(body) {
        Interest::Full => ControlFlow::Continue(()),
        Interest::Skip => ControlFlow::Break(()),
    };
    if decoder.feed(body, &mut out).is_break() || decoder.finish(false, &mut out).is_break() {
        *interest = Interest::Skip;
    }
    let undecodable = decoder.undecodable();
    MessageEnd { wire_bytes, decoded_bytes: decoder.decoded(), undecodable, ..MessageEnd::default() }
}
