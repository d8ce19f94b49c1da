//! One turn of the model in a live session.

use agent_wire::Nanos;
use serde_json::{Value, json};

use crate::call::Call;
use crate::codec::content::Budget;
use crate::codec::gemini::usage::{self, Counts};
use crate::codec::gemini::{Candidate, Searches, names, tier};
use crate::codec::{CodecOptions, SessionMessage};

/// How a turn ended.
pub(super) enum Ended {
    /// `turnComplete`, with the provider's reason if it gives one.
    Turn(Option<String>),
    /// It waits for functions.
    Calls,
    /// Its end was not seen.
    Cut,
}

/// A turn under way.
pub(super) struct Turn {
    pub(super) call: Call,
    pub(super) interrupted: bool,
    candidate: Candidate,
    budget: Budget,
    counts: Counts,
    searches: Searches,
    asks: bool,
    last_item: Option<Nanos>,
}

impl Turn {
    pub(super) fn new(call: Call, options: CodecOptions) -> Self {
        Self {
            call,
            interrupted: false,
            candidate: Candidate::default(),
            budget: Budget::new(options.max_content),
            counts: Counts::default(),
            searches: Searches::default(),
            asks: false,
            last_item: None,
        }
    }

    /// One message of the server.
    pub(super) fn take(&mut self, message: &SessionMessage<'_>, content: bool) {
        self.time(message);
        let value = message.value;
        if let Some(said) = names::get(value, &["serverContent"]) {
            // Sound comes in many pieces and is not kept; its transcription is.
            let turn = names::get(said, &["modelTurn"]).map(silent);
            if let Some(turn) = turn {
                self.candidate.turn(&turn, content, &mut self.budget);
            }
            if let Some(text) = names::string(said, &["outputTranscription", "text"]).filter(|_| content) {
                self.candidate.text(&text, false, &mut self.budget);
            }
            if let Some(grounding) = names::get(said, &["groundingMetadata"]) {
                self.searches.take(grounding, &mut self.budget);
            }
        }
        for call in names::array(value, &["toolCall", "functionCalls"]) {
            self.asks = true;
            self.candidate.call(call, content, &mut self.budget);
        }
        if let Some(counts) = names::get(value, &["usageMetadata"]) {
            self.counts(counts);
        }
    }

    fn time(&mut self, message: &SessionMessage<'_>) {
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
        let bytes = &mut self.call.completeness.response_bytes;
        *bytes = bytes.saturating_add(message.bytes);
    }

    /// `usageMetadata`.
    pub(super) fn counts(&mut self, metadata: &Value) {
        self.counts.take(metadata);
        if let Some(tier) = tier(metadata) {
            self.call.response.service_tier = Some(tier);
        }
    }

    /// Whether it asks for functions.
    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    /// The call. This API has no finish reasons of its own beyond the end of the turn.
    pub(super) fn finish(self, how: Ended, content: bool) -> Call {
        let Self { mut call, interrupted, candidate, budget, counts, searches, asks, .. } = self;
        let ended = !matches!(how, Ended::Cut);
        let reason = match how {
            Ended::Turn(Some(reason)) => reason,
            _ if interrupted => "interrupted".to_owned(),
            Ended::Calls => "tool_calls".to_owned(),
            Ended::Turn(None) if asks => "tool_calls".to_owned(),
            Ended::Turn(None) => "stop".to_owned(),
            Ended::Cut => {
                call.completeness.truncated = true;
                "error".to_owned()
            }
        };
        let mut candidate = candidate;
        let mut facts = Budget::new(0);
        candidate.take(&json!({"finishReason": reason}), false, &mut facts);
        candidate.store(false, content, &mut call);
        call.usage = counts.into_usage(ended).unwrap_or_default();
        call.usage.web_searches = searches.count();
        call.completeness.body_capped |= budget.exceeded();
        call
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.budget.held() + size_of::<Self>()
    }
}

/// Counts that came behind the end of their turn.
pub(super) fn count(call: &mut Call, metadata: &Value) {
    if let Some(found) = usage::read(metadata) {
        let searches = call.usage.web_searches;
        call.usage = found;
        call.usage.web_searches = searches;
    }
}

/// The content without its sound.
fn silent(turn: &Value) -> Value {
    let sounds = |part: &&Value| {
        let mime = names::string(part, &["inlineData", "mimeType"]);
        !mime.is_some_and(|mime| mime.starts_with("audio/"))
    };
    json!({"parts": names::array(turn, &["parts"]).iter().filter(sounds).collect::<Vec<_>>()})
}
