//! Sessions over a WebSocket whose answers are told as the events of the Responses API: OpenAI Realtime and the servers like it, and
//! Responses over a WebSocket.

pub(crate) mod realtime;
pub(crate) mod responses;

use agent_wire::Nanos;
use serde_json::Value;

use super::responses::Responses;
use super::{Codec, CodecOptions, SessionMessage};
use crate::call::Call;

/// Responses under way at once that are followed; one more ends the oldest.
const MAX_TURNS: usize = 16;

/// One response under way.
struct Turn {
    id: Option<String>,
    call: Call,
    codec: Responses,
    last_item: Option<Nanos>,
}

impl Turn {
    /// A response that began at `start`.
    fn new(template: &Call, options: CodecOptions, start: Nanos) -> Self {
        let mut call = template.clone();
        call.request.stream = true;
        call.timing.start = start;
        call.timing.request_end = Some(start);
        call.timing.end = start;
        call.completeness.request_bytes = 0;
        call.completeness.response_bytes = 0;
        Self { id: None, call, codec: Responses::new(options), last_item: None }
    }

    /// One event of it.
    fn event(&mut self, kind: &str, message: &SessionMessage<'_>, value: &Value) {
        let timing = &mut self.call.timing;
        match self.last_item {
            None => {
                timing.response_start = Some(message.at);
                timing.first_chunk = Some(message.at);
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "a gap of nanoseconds loses nothing that a histogram shows"
            )]
            Some(last) => timing.chunk_gaps.add(message.at.saturating_sub(last) as f64 / 1e9),
        }
        self.last_item = Some(message.at);
        timing.end = timing.end.max(message.at);
        self.call.completeness.response_bytes += message.bytes;
        // Sound is neither kept nor counted by the piece.
        if !kind.ends_with("audio.delta") {
            self.codec.event(kind, value, &mut self.call);
        }
    }

    /// It has ended; `cut`: before its end was seen.
    fn finish(mut self, cut: bool) -> Call {
        self.call.completeness.truncated |= cut;
        self.codec.finish(&mut self.call);
        if cut && self.call.error.is_none() && self.call.response.finish_reasons.is_empty() {
            self.call.response.finish_reasons.push("error".to_owned());
        }
        self.call
    }

    fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.codec.held_bytes()
    }
}
