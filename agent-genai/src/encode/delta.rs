//! An answer in pieces, as a streaming server gives it, and the writer that puts the pieces into a form.

use super::loss::{Loss, Losses, NO_SUCH};
use super::{Form, anthropic, bedrock, gemini, openai_chat, parts, responses};
use crate::call::{Call, Part, Usage};

/// Most bytes of text in one piece when a whole answer is cut into pieces.
const PIECE: usize = 48;

/// One piece of an answer. Reasons and kinds are those of the normal form.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The answer begins.
    Start {
        /// Id of the response.
        id: Option<String>,
        /// Model that answers.
        model: Option<String>,
        /// Unix time in seconds.
        created: u64,
    },
    /// Text.
    Text {
        /// Which choice.
        choice: u64,
        /// The piece.
        text: String,
    },
    /// Reasoning.
    Reasoning {
        /// Which choice.
        choice: u64,
        /// The piece.
        text: String,
    },
    /// A tool call begins.
    Call {
        /// Which choice.
        choice: u64,
        /// Its id.
        id: Option<String>,
        /// Tool.
        name: String,
        /// A custom tool, which takes free text.
        custom: bool,
    },
    /// A piece of the arguments of the call that began last.
    Arguments {
        /// Which choice.
        choice: u64,
        /// JSON text, or free text of a custom tool.
        text: String,
    },
    /// A choice ends.
    Finish {
        /// Which choice.
        choice: u64,
        /// Why.
        reason: String,
    },
    /// Token counts of the whole answer.
    Usage(Box<Usage>),
    /// The answer ends.
    End,
}

/// Writes the pieces of one form.
pub(super) trait Writer: Send {
    /// One piece. What is written is the body of the answer, framing included.
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>);
}

/// Writes an answer in a form, piece by piece as they come.
pub struct StreamEncoder {
    writer: Box<dyn Writer>,
    losses: Losses,
}

impl std::fmt::Debug for StreamEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamEncoder").field("losses", &self.losses).finish_non_exhaustive()
    }
}

impl StreamEncoder {
    /// A writer of one answer.
    #[must_use]
    pub fn new(form: Form) -> Self {
        let writer: Box<dyn Writer> = match form {
            Form::OpenAiChat => Box::new(openai_chat::Stream::default()),
            Form::OpenAiResponses => Box::new(responses::Stream::default()),
            Form::Anthropic => Box::new(anthropic::Stream::default()),
            Form::Gemini => Box::new(gemini::Stream::default()),
            Form::BedrockConverse => Box::new(bedrock::Stream::default()),
        };
        Self { writer, losses: Losses::default() }
    }

    /// Writes one piece. The first is a [`Delta::Start`], the last a [`Delta::End`].
    pub fn push(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        self.writer.push(delta, &mut self.losses, out);
    }

    /// What could not be expressed so far.
    #[must_use]
    pub fn into_losses(self) -> Vec<Loss> {
        self.losses.into_list()
    }

    pub(super) fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}

/// Cuts a call in its normal form into pieces.
pub(super) fn of_call(call: &Call, losses: &mut Losses) -> Vec<Delta> {
    let response = &call.response;
    let created = call.timing.end / 1_000_000_000;
    let mut out = vec![Delta::Start { id: response.id.clone(), model: response.model.clone(), created }];
    for (choice, message) in (0..).zip(&response.messages) {
        for part in &message.parts {
            of_part(choice, part, &mut out, losses);
        }
        if let Some(reason) = &message.finish_reason {
            out.push(Delta::Finish { choice, reason: reason.clone() });
        }
    }
    if response.messages.is_empty()
        && let Some(reason) = response.finish_reasons.first()
    {
        out.push(Delta::Finish { choice: 0, reason: reason.clone() });
    }
    if call.usage.is_reported() {
        out.push(Delta::Usage(Box::new(call.usage.clone())));
    }
    out.push(Delta::End);
    out
}

fn of_part(choice: u64, part: &Part, out: &mut Vec<Delta>, losses: &mut Losses) {
    match part {
        Part::Text(text) => {
            out.extend(pieces(text).map(|text| Delta::Text { choice, text }));
        }
        Part::Reasoning(text) => {
            out.extend(pieces(text).map(|text| Delta::Reasoning { choice, text }));
        }
        Part::ToolCall(call) => {
            let custom = call.kind == "custom";
            out.push(Delta::Call { choice, id: call.id.clone(), name: call.name.clone(), custom });
            out.extend(pieces(&parts::arguments_text(call)).map(|text| Delta::Arguments { choice, text }));
        }
        other => losses.add(format!("{} in a streamed answer", parts::name(other)), NO_SUCH),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(PIECE);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece.to_owned())
    })
}
