//! The end of an exchange: what failed, and what only the whole can tell.

use agent_wire::ExchangeEnd;

use super::Fold;
use crate::call::{Api, Operation, OperationKind};
use crate::codec::{error, registry};

impl Fold {
    pub(super) fn conclude(&mut self, end: &ExchangeEnd) {
        let open_ended = registry::spec(self.call.api).is_some_and(|spec| spec.open_ended);
        let inference = self.call.operation.kind() == OperationKind::Inference;
        let streamed = self.response.items > 0 && inference && !open_ended;
        let no_response = self.call.http.status.is_none();
        // An end that the capture lost is not the server's failure.
        let whole_view = self.call.completeness.lost_bytes == 0 && !end.attached_mid_stream;
        let cut = !no_response && self.response.end != Some(false);
        self.call.completeness.truncated |= cut || no_response;
        let call = &mut self.call;
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.finish(call);
            self.response.done |= codec.has_ended();
        }
        let ends_well = !call.response.finish_reasons.is_empty()
            && call.response.finish_reasons.iter().all(|reason| reason != "error");
        // A server may end a broken stream in good order: without the last event and without a reason it is broken all the same.
        let broken_off = streamed
            && !ends_well
            && (cut || !self.response.done)
            && call.response.status.as_deref().is_none_or(is_open_status);
        // An error told inside an item knows no status, the exchange does.
        if let (Some(error), Some(status @ 400..)) = (call.error.as_mut(), call.http.status)
            && error.kind == "_OTHER"
        {
            error.kind = status.to_string();
        }
        if call.error.is_none() {
            call.error = match call.http.status {
                Some(status) if status >= 400 => Some(error::own(&status.to_string(), "")),
                None if whole_view => {
                    Some(error::own("no_response", "the connection ended before a response came"))
                }
                Some(_) if streamed && broken_off && whole_view => {
                    Some(error::own("stream_truncated", "the stream ended before the answer did"))
                }
                Some(_) if !streamed && cut && whole_view => {
                    Some(error::own("response_truncated", "the response ended before the end of its body"))
                }
                _ => None,
            };
        }
        // The chat codec fills the slots of the choices that it has seen; a stream that ended before any had one slot at least.
        let ours = call.error.as_ref().is_some_and(|error| error.kind == "stream_truncated");
        let slot = broken_off && call.error.is_some() && (ours || call.api != Api::OpenAiChat);
        if slot && whole_view && call.response.finish_reasons.is_empty() {
            call.response.finish_reasons.push("error".to_owned());
            // The message that was cut short says so as well: some backends drop those without a reason.
            for message in &mut call.response.messages {
                message.finish_reason.get_or_insert_with(|| "error".to_owned());
            }
        }
        if streamed {
            call.request.stream = true;
        }
        if call.request.model.is_none() {
            let route = self.route.as_mut();
            call.request.model =
                route.and_then(|route| route.deployment.take().or_else(|| route.model.take()));
        }
        if call.request.conversation_id.is_none() && inference {
            call.request.conversation_id = self.session.take();
        }
        if call.usage.provider_usd.is_none() {
            call.usage.provider_usd = self.header_usd;
        }
        if call.operation == Operation::FetchResponse {
            // Its tokens were counted by the call that made the response.
            let usage = std::mem::take(&mut call.usage);
            if usage.is_reported() {
                call.fetched_usage = Some(Box::new(usage));
            }
            call.request.messages.clear();
        }
        if no_response {
            call.timing.end = call.timing.end.max(end.at);
        }
    }
}

/// States of a response that has not come to its end.
fn is_open_status(status: &str) -> bool {
    matches!(status, "in_progress" | "queued")
}
