//! The content blocks of a streamed answer, put together from their deltas.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::blocks::{self, Output};
use crate::call::{Call, Part, ToolCall};
use crate::codec::content::{Budget, generic, weight};
use crate::codec::{CodecOptions, json, media};

/// What a block's facts cost beside their text.
const OVERHEAD: usize = 128;

/// What the stream said so far, by block index.
pub(super) struct Blocks {
    content: bool,
    budget: Budget,
    blocks: BTreeMap<u64, Block>,
}

/// One content block.
#[derive(Default)]
struct Block {
    call: Option<ToolCall>,
    /// The head of a tool's result, and its pieces.
    result: Option<Value>,
    pieces: Vec<Value>,
    reasoning: String,
    /// Text, or JSON of a call's input.
    text: String,
    other: Vec<Part>,
}

impl Blocks {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, budget: Budget::new(options.max_content), blocks: BTreeMap::new() }
    }

    /// The index that an event names; without one the newest block is meant.
    pub(super) fn index_of(&self, data: &Value) -> u64 {
        json::u64_at(data, &["contentBlockIndex"])
            .unwrap_or_else(|| self.blocks.last_key_value().map_or(0, |(index, _)| *index))
    }

    /// The block of that index, made if there is room for one more.
    fn block(&mut self, index: u64, facts: usize) -> Option<&mut Block> {
        if !self.blocks.contains_key(&index) && !self.budget.facts(facts.saturating_add(OVERHEAD)) {
            return None;
        }
        Some(self.blocks.entry(index).or_default())
    }

    /// `contentBlockStart`. Blocks of text and of reasoning have none.
    pub(super) fn start(&mut self, index: u64, start: &Value) {
        if let Some(tool) = json::at(start, &["toolUse"]) {
            let call = blocks::tool_call(tool, false);
            let facts = call.name.len() + call.kind.len() + call.id.as_deref().map_or(0, str::len);
            if let Some(block) = self.block(index, facts) {
                block.call = Some(call);
            }
        } else if let Some(result) = json::at(start, &["toolResult"]).filter(|_| self.content) {
            let size = weight(result);
            let head = result.clone();
            if self.budget.content(size)
                && let Some(block) = self.block(index, 0)
            {
                block.result = Some(head);
            }
        }
    }

    /// `contentBlockDelta`. Signatures, redacted reasoning and citations are not kept.
    pub(super) fn delta(&mut self, index: u64, delta: &Value) {
        if !self.content {
            return;
        }
        let text = json::str_at(delta, &["text"]).or_else(|| json::str_at(delta, &["toolUse", "input"]));
        let reasoning = json::str_at(delta, &["reasoningContent", "text"]);
        let pieces = json::array_at(delta, &["toolResult"]);
        let image = json::at(delta, &["image"]);
        let size = text.map_or(0, str::len)
            + reasoning.map_or(0, str::len)
            + pieces.iter().map(weight).sum::<usize>()
            + image.map_or(0, weight);
        if size == 0 || !self.budget.content(size) {
            return;
        }
        let Some(block) = self.block(index, 0) else { return };
        block.text.push_str(text.unwrap_or_default());
        block.reasoning.push_str(reasoning.unwrap_or_default());
        block.pieces.extend(pieces.iter().cloned());
        if let Some(image) = image {
            let mime = json::str_at(image, &["format"]).map(|format| format!("image/{format}"));
            let part = match json::str_at(image, &["source", "bytes"]) {
                Some(bytes) => media::blob(bytes, "image", mime.as_deref()),
                None => generic("image", image),
            };
            block.other.push(part);
        }
    }

    /// The content so far; leaves nothing behind.
    pub(super) fn take(&mut self, call: &mut Call) -> Output {
        if self.budget.exceeded() {
            call.completeness.body_capped = true;
        }
        self.budget = Budget::new(0);
        let mut output = Output::default();
        for block in std::mem::take(&mut self.blocks).into_values() {
            block.add_to(self.content, &mut output);
        }
        output
    }

    pub(super) fn held(&self) -> usize {
        self.budget.held()
    }
}

impl Block {
    fn add_to(self, content: bool, output: &mut Output) {
        if let Some(mut call) = self.call {
            if content {
                // No input stands for an object without members.
                call.arguments = Some(json::arguments(&self.text).unwrap_or_else(|| json!({})));
                output.parts.push(blocks::call_part(call.clone()));
            }
            output.calls.push(call);
            return;
        }
        if !content {
            return;
        }
        if let Some(mut result) = self.result {
            if let Some(members) = result.as_object_mut() {
                members.insert("content".to_owned(), Value::Array(self.pieces));
            }
            output.parts.push(blocks::tool_result(&result));
            return;
        }
        let filled = |text: String| (!text.is_empty()).then_some(text);
        output.parts.extend(filled(self.reasoning).map(Part::Reasoning));
        output.parts.extend(filled(self.text).map(Part::Text));
        output.parts.extend(self.other);
    }
}
