//! One candidate of an answer, put together from one or many chunks.

use serde_json::Value;

use super::names::{self, FINISH};
use super::partial;
use super::parts::{self, Shape};
use crate::call::{Call, Message, Part, ToolCall};
use crate::codec::content::{Budget, weight};

/// What a part's facts cost beside its text.
const OVERHEAD: usize = 128;

/// What is known of one candidate.
#[derive(Debug, Default)]
pub(in crate::codec) struct Candidate {
    finish: Option<String>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Thought(String),
    Call {
        call: ToolCall,
        /// Its arguments are not at their end.
        open: bool,
    },
    /// A call that the provider runs, and its part when content is kept.
    Server(ToolCall, Option<Part>),
    Other(Part),
}

impl Candidate {
    /// Takes the candidate of one chunk.
    pub(in crate::codec) fn take(&mut self, candidate: &Value, content: bool, budget: &mut Budget) {
        if let Some(reason) =
            names::get(candidate, &["finishReason"]).and_then(|reason| names::word(reason, FINISH))
            && budget.facts(reason.len())
        {
            self.finish = Some(reason);
        }
        if let Some(turn) = names::get(candidate, &["content"]) {
            self.turn(turn, content, budget);
        }
    }

    /// Takes the parts of a content.
    pub(in crate::codec) fn turn(&mut self, turn: &Value, content: bool, budget: &mut Budget) {
        for part in names::array(turn, &["parts"]) {
            match parts::shape(part) {
                Shape::Text(text) if content => self.text(text, false, budget),
                Shape::Thought(text) if content => self.text(text, true, budget),
                Shape::Text(_) | Shape::Thought(_) => {}
                Shape::Call(call) => self.call(call, content, budget),
                Shape::Server(call, kind, name) => {
                    let id = names::string(call, &["id"]);
                    let facts = name.len() + id.as_deref().map_or(0, str::len);
                    if budget.facts(facts.saturating_add(OVERHEAD)) {
                        let kept = content && budget.content(weight(call));
                        let part = kept.then(|| parts::server_call(call, name.clone()));
                        let made = ToolCall { id, name, kind: kind.to_owned(), arguments: None };
                        self.pieces.push(Piece::Server(made, part));
                    }
                }
                Shape::Other if content && budget.content(weight(part)) => {
                    self.pieces.extend(parts::other(part).map(Piece::Other));
                }
                Shape::Other => {}
            }
        }
    }

    /// Text, joined to the piece before it when that is of the same kind.
    pub(in crate::codec) fn text(&mut self, text: &str, thought: bool, budget: &mut Budget) {
        if text.is_empty() || !budget.content(text.len()) {
            return;
        }
        match (self.pieces.last_mut(), thought) {
            (Some(Piece::Text(before)), false) | (Some(Piece::Thought(before)), true) => {
                before.push_str(text);
            }
            _ if !budget.facts(OVERHEAD) => {}
            (_, false) => self.pieces.push(Piece::Text(text.to_owned())),
            (_, true) => self.pieces.push(Piece::Thought(text.to_owned())),
        }
    }

    /// `functionCall`: whole as a rule; with streamed arguments the first names the function and the following bring pieces.
    pub(in crate::codec) fn call(&mut self, call: &Value, content: bool, budget: &mut Budget) {
        let named = parts::function(call);
        let continues = names::get(call, &["willContinue"]).and_then(Value::as_bool).unwrap_or(false);
        let last = self.pieces.iter_mut().rev().find_map(|piece| match piece {
            Piece::Call { call, open: true } => Some(call),
            _ => None,
        });
        let same = last.filter(|last| {
            named.name.is_empty() || named.id.is_some() && named.id == last.id && named.name == last.name
        });
        if let Some(last) = same {
            pieces_of(call, last, content, budget);
            if !continues {
                self.close();
            }
            return;
        }
        self.close();
        let facts = named.name.len() + named.id.as_deref().map_or(0, str::len);
        if named.name.is_empty() || !budget.facts(facts.saturating_add(OVERHEAD)) {
            return;
        }
        let mut made = named;
        let whole = names::get(call, &["args"]).filter(|args| content && budget.content(weight(args)));
        made.arguments = whole.cloned();
        pieces_of(call, &mut made, content, budget);
        self.pieces.push(Piece::Call { call: made, open: continues });
    }

    fn close(&mut self) {
        for piece in &mut self.pieces {
            if let Piece::Call { open, .. } = piece {
                *open = false;
            }
        }
    }

    /// Whether a reason for its end was given.
    pub(in crate::codec) fn has_ended(&self) -> bool {
        self.finish.is_some()
    }

    /// Puts the candidate into the call. `broken`: the answer failed or was cut, so that a missing reason is an error.
    pub(in crate::codec) fn store(self, broken: bool, content: bool, call: &mut Call) {
        let finish = self.finish.or_else(|| broken.then(|| "error".to_owned()));
        call.response.finish_reasons.extend(finish.clone());
        let mut parts = Vec::new();
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text)),
                Piece::Thought(text) => parts.push(Part::Reasoning(text)),
                Piece::Other(part) => parts.push(part),
                Piece::Call { call: made, .. } => {
                    parts.push(Part::ToolCall(made.clone()));
                    call.response.tool_calls.push(made);
                }
                Piece::Server(made, part) => {
                    call.response.tool_calls.push(made);
                    parts.extend(part);
                }
            }
        }
        if content {
            let role = "assistant".to_owned();
            call.response.messages.push(Message { role, parts, name: None, finish_reason: finish });
        }
    }
}

/// Puts `partialArgs` into the call.
fn pieces_of(call: &Value, into: &mut ToolCall, content: bool, budget: &mut Budget) {
    for piece in names::array(call, &["partialArgs"]) {
        if content && budget.content(weight(piece)) {
            partial::put(into.arguments.get_or_insert(Value::Null), piece);
        }
    }
}
