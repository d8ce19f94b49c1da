//! The output of a streamed response, rebuilt from its items and deltas, for streams that never reach their end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::items::{self, Output};
use super::parts::refusal_part;
use crate::call::{Call, Part, ToolCall};
use crate::codec::content::{self, Budget};
use crate::codec::{CodecOptions, json};

/// What the stream said so far, by `output_index`.
pub(super) struct Rebuilt {
    content: bool,
    budget: Budget,
    slots: BTreeMap<u64, Slot>,
}

/// One output item.
#[derive(Default)]
struct Slot {
    call: Option<ToolCall>,
    awaits_client: bool,
    /// Parts of the finished item; they replace the pieces.
    parts: Option<Vec<Part>>,
    pieces: Vec<Piece>,
    arguments: String,
}

/// A run of text deltas of one kind and index.
struct Piece {
    kind: PieceKind,
    index: u64,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Text,
    Reasoning,
    Summary,
    Refusal,
}

/// What a piece, or an item's facts, cost beside their text.
const OVERHEAD: usize = 128;

impl Rebuilt {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, budget: Budget::new(options.max_content), slots: BTreeMap::new() }
    }

    /// Takes one event that carries no response object.
    pub(super) fn event(&mut self, kind: &str, data: &Value) {
        match kind {
            "response.output_item.added" => self.item(data, false),
            "response.output_item.done" => self.item(data, true),
            _ if !self.content => {}
            "response.output_text.delta" => self.delta(data, PieceKind::Text, "content_index"),
            "response.refusal.delta" => self.delta(data, PieceKind::Refusal, "content_index"),
            "response.reasoning_text.delta" | "response.reasoning.delta" => {
                self.delta(data, PieceKind::Reasoning, "content_index");
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_summary.delta" => {
                self.delta(data, PieceKind::Summary, "summary_index");
            }
            "response.output_text.done" => self.whole(data, PieceKind::Text, "content_index", "text"),
            "response.refusal.done" => self.whole(data, PieceKind::Refusal, "content_index", "refusal"),
            "response.reasoning_text.done" => self.whole(data, PieceKind::Reasoning, "content_index", "text"),
            "response.reasoning_summary_text.done" => {
                self.whole(data, PieceKind::Summary, "summary_index", "text");
            }
            "response.function_call_arguments.delta"
            | "response.mcp_call_arguments.delta"
            | "response.custom_tool_call_input.delta"
            | "response.code_interpreter_call_code.delta" => self.arguments(data, "delta", false),
            "response.function_call_arguments.done" | "response.mcp_call_arguments.done" => {
                self.arguments(data, "arguments", true);
            }
            "response.custom_tool_call_input.done" => self.arguments(data, "input", true),
            "response.code_interpreter_call_code.done" => self.arguments(data, "code", true),
            _ => {}
        }
    }

    /// The output so far; leaves nothing behind.
    pub(super) fn take(&mut self, call: &mut Call) -> Output {
        if self.budget.exceeded() {
            call.completeness.body_capped = true;
        }
        let slots = std::mem::take(&mut self.slots);
        self.budget = Budget::new(0);
        let mut output = Output::default();
        for slot in slots.into_values() {
            slot.add_to(self.content, &mut output);
        }
        output
    }

    pub(super) fn held(&self) -> usize {
        self.budget.held()
    }

    /// The slot that an event speaks of. Servers that leave the index out mean the newest item.
    fn slot(&mut self, data: &Value) -> Option<(&mut Slot, &mut Budget)> {
        let index = match json::u64_at(data, &["output_index"]) {
            Some(index) => index,
            None => self.slots.last_key_value().map_or(0, |(index, _)| *index),
        };
        if !self.slots.contains_key(&index) && !self.budget.facts(OVERHEAD) {
            return None;
        }
        Some((self.slots.entry(index).or_default(), &mut self.budget))
    }

    fn item(&mut self, data: &Value, done: bool) {
        let Some(item) = data.get("item").filter(|item| item.is_object()) else { return };
        let content = self.content;
        let Some((slot, budget)) = self.slot(data) else { return };
        let awaits_client = items::is_client_kind(item);
        if let Some(mut call) = items::tool_call(item, content && done) {
            if call.arguments.as_ref().is_some_and(|arguments| !budget.content(content::weight(arguments))) {
                call.arguments = None;
            }
            if budget.facts(facts_of(&call)) {
                slot.call = Some(call);
                slot.awaits_client = awaits_client;
            }
        }
        if !content || !done {
            return;
        }
        // The finished item has all that its deltas said.
        let pieces =
            slot.pieces.iter().fold(slot.arguments.len(), |sum, piece| sum.saturating_add(piece.cost()));
        if budget.exceeded() {
            return;
        }
        budget.release(pieces);
        slot.pieces = Vec::new();
        slot.arguments = String::new();
        if budget.content(content::weight(item)) {
            slot.parts = Some(items::item_parts(item));
        }
    }

    fn delta(&mut self, data: &Value, kind: PieceKind, index: &str) {
        let Some(text) = json::str_at(data, &["delta"]) else { return };
        let index = json::u64_at(data, &[index]).unwrap_or(0);
        let Some((slot, budget)) = self.slot(data) else { return };
        if slot.parts.is_some() {
            return;
        }
        if let Some(piece) = slot.piece(kind, index) {
            if budget.content(text.len()) {
                piece.text.push_str(text);
            }
        } else if budget.content(OVERHEAD.saturating_add(text.len())) {
            slot.pieces.push(Piece { kind, index, text: text.to_owned() });
        }
    }

    /// A piece given whole at its end: only for streams that were joined too late for its deltas.
    fn whole(&mut self, data: &Value, kind: PieceKind, index: &str, key: &str) {
        let Some(text) = json::str_at(data, &[key]) else { return };
        let index = json::u64_at(data, &[index]).unwrap_or(0);
        let Some((slot, budget)) = self.slot(data) else { return };
        if slot.parts.is_some() {
            return;
        }
        if let Some(piece) = slot.piece(kind, index) {
            let more = text.len().saturating_sub(piece.text.len());
            if more > 0 && budget.content(more) {
                piece.text = text.to_owned();
            }
        } else if budget.content(OVERHEAD.saturating_add(text.len())) {
            slot.pieces.push(Piece { kind, index, text: text.to_owned() });
        }
    }

    fn arguments(&mut self, data: &Value, key: &str, whole: bool) {
        let Some(text) = json::str_at(data, &[key]) else { return };
        let Some((slot, budget)) = self.slot(data) else { return };
        if whole {
            let more = text.len().saturating_sub(slot.arguments.len());
            if more > 0 && budget.content(more) {
                slot.arguments = text.to_owned();
            }
        } else if budget.content(text.len()) {
            slot.arguments.push_str(text);
        }
    }
}

impl Slot {
    fn piece(&mut self, kind: PieceKind, index: u64) -> Option<&mut Piece> {
        // The newest piece is almost always the one: look from the end.
        self.pieces.iter_mut().rev().find(|piece| piece.kind == kind && piece.index == index)
    }

    fn add_to(self, content: bool, output: &mut Output) {
        let mut parts = self.parts;
        if let Some(mut call) = self.call {
            if content && call.arguments.is_none() && !self.arguments.is_empty() {
                call.arguments = Some(match call.kind.as_str() {
                    "custom_tool_call" => Value::String(self.arguments),
                    "code_interpreter_call" => serde_json::json!({ "code": self.arguments }),
                    _ => json::arguments(&self.arguments).unwrap_or_default(),
                });
            }
            if content && parts.is_none() {
                parts = Some(vec![unfinished_call(&call, self.awaits_client)]);
            }
            output.awaits_client |= self.awaits_client;
            output.calls.push(call);
        }
        output.parts.extend(parts.unwrap_or_default());
        output
            .parts
            .extend(self.pieces.into_iter().filter(|piece| !piece.text.is_empty()).map(Piece::into_part));
    }
}

/// Bytes of a call's facts.
fn facts_of(call: &ToolCall) -> usize {
    let id = call.id.as_deref().map_or(0, str::len);
    id.saturating_add(call.name.len()).saturating_add(call.kind.len())
}

/// A call whose item never finished.
fn unfinished_call(call: &ToolCall, client: bool) -> Part {
    if client {
        return Part::ToolCall(call.clone());
    }
    let mut object = serde_json::Map::new();
    object.insert("type".to_owned(), Value::String(call.kind.clone()));
    if let Some(arguments) = &call.arguments {
        object.insert("arguments".to_owned(), arguments.clone());
    }
    Part::ServerToolCall { id: call.id.clone(), name: call.name.clone(), call: Value::Object(object) }
}

impl Piece {
    fn cost(&self) -> usize {
        OVERHEAD.saturating_add(self.text.len())
    }

    fn into_part(self) -> Part {
        match self.kind {
            PieceKind::Text => Part::Text(self.text),
            PieceKind::Reasoning | PieceKind::Summary => Part::Reasoning(self.text),
            PieceKind::Refusal => refusal_part(&self.text),
        }
    }
}
