//! The content blocks of a streamed message, put together from their deltas.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::blocks::{self, Output};
use crate::call::{Call, Part, ToolCall};
use crate::codec::content::{Budget, weight};
use crate::codec::{CodecOptions, json};

/// What the stream said so far, by block index.
pub(super) struct Blocks {
    content: bool,
    budget: Budget,
    blocks: BTreeMap<u64, Block>,
}

/// One content block.
#[derive(Default)]
struct Block {
    kind: Kind,
    call: Option<ToolCall>,
    /// Text, thinking, compaction summary or JSON of the input, by the block's kind.
    text: String,
    /// The part of a block that came whole, or the frame of a call that the provider runs.
    part: Option<Part>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The start was not seen: the deltas tell.
    #[default]
    Unknown,
    Text,
    Thinking,
    Call,
    Compaction,
    Whole,
}

/// What a block's facts cost beside their text.
const OVERHEAD: usize = 128;

impl Blocks {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, budget: Budget::new(options.max_content), blocks: BTreeMap::new() }
    }

    /// The index at which an event starts a block: the next one where a server leaves it out.
    pub(super) fn next_index(&self, data: &Value) -> u64 {
        let next = || self.blocks.last_key_value().map_or(0, |(index, _)| index.saturating_add(1));
        json::u64_at(data, &["index"]).unwrap_or_else(next)
    }

    /// The index that a delta names; a server that leaves it out means the newest block.
    pub(super) fn index_of(&self, data: &Value) -> u64 {
        json::u64_at(data, &["index"])
            .unwrap_or_else(|| self.blocks.last_key_value().map_or(0, |(index, _)| *index))
    }

    /// `content_block_start`.
    pub(super) fn start(&mut self, index: u64, block: &Value) {
        let kind = json::str_at(block, &["type"]).unwrap_or_default();
        let call = blocks::tool_call(block, false);
        let facts = call.as_ref().map_or(0, |call| {
            call.name
                .len()
                .saturating_add(call.kind.len())
                .saturating_add(call.id.as_deref().map_or(0, str::len))
        });
        if !self.budget.facts(facts.saturating_add(OVERHEAD)) {
            return;
        }
        let mut new = Block { call, ..Block::default() };
        new.kind = match kind {
            "text" => Kind::Text,
            "thinking" => Kind::Thinking,
            "compaction" => Kind::Compaction,
            _ if new.call.is_some() => Kind::Call,
            _ => Kind::Whole,
        };
        if self.content {
            let first = match new.kind {
                Kind::Text => json::str_at(block, &["text"]),
                Kind::Thinking => json::str_at(block, &["thinking"]),
                Kind::Compaction => json::str_at(block, &["content"]),
                _ => None,
            };
            if let Some(text) = first.filter(|text| self.budget.content(text.len())) {
                new.text.push_str(text);
            }
            match new.kind {
                // The input is `{}` here and comes in deltas; a server that sends it whole sends no deltas.
                Kind::Call if self.budget.content(weight(block)) => {
                    if let Some(call) = &mut new.call {
                        call.arguments = json::at(block, &["input"]).cloned();
                    }
                    new.part = blocks::part(block);
                }
                Kind::Whole if self.budget.content(weight(block)) => new.part = blocks::part(block),
                _ => {}
            }
        }
        self.blocks.insert(index, new);
    }

    /// `content_block_delta`. Signatures and citations are not kept.
    pub(super) fn delta(&mut self, index: u64, delta: &Value) {
        if !self.content {
            return;
        }
        let (kind, text) = match json::str_at(delta, &["type"]).unwrap_or_default() {
            "text_delta" => (Kind::Text, json::str_at(delta, &["text"])),
            "thinking_delta" => (Kind::Thinking, json::str_at(delta, &["thinking"])),
            "input_json_delta" => (Kind::Call, json::str_at(delta, &["partial_json"])),
            "compaction_delta" => (Kind::Compaction, json::str_at(delta, &["content"])),
            _ => return,
        };
        let Some(text) = text else { return };
        if !self.blocks.contains_key(&index) && !self.budget.facts(OVERHEAD) {
            return;
        }
        let block = self.blocks.entry(index).or_default();
        if block.kind == Kind::Unknown {
            block.kind = kind;
        }
        if block.kind == kind && self.budget.content(text.len()) {
            block.text.push_str(text);
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
        let part = match self.kind {
            Kind::Text | Kind::Unknown => (!self.text.is_empty()).then_some(Part::Text(self.text)),
            Kind::Thinking => (!self.text.is_empty()).then_some(Part::Reasoning(self.text)),
            Kind::Compaction => Some(Part::Generic {
                kind: "compaction".to_owned(),
                value: json!({"type": "compaction", "content": self.text}),
            }),
            Kind::Whole => self.part,
            Kind::Call => {
                // Without a start there is neither name nor id, and nothing to call.
                let Some(mut call) = self.call else { return };
                if content {
                    // An empty input stands for an object without members.
                    let streamed = json::arguments(&self.text).or_else(|| call.arguments.take());
                    call.arguments = Some(streamed.unwrap_or_else(|| json!({})));
                }
                let part = match self.part {
                    Some(Part::ServerToolCall { id, name, call: mut object }) => {
                        if let (Some(members), Some(input)) = (object.as_object_mut(), &call.arguments) {
                            members.insert("input".to_owned(), input.clone());
                        }
                        Some(Part::ServerToolCall { id, name, call: object })
                    }
                    Some(_) => Some(Part::ToolCall(call.clone())),
                    None => None,
                };
                output.calls.push(call);
                part
            }
        };
        if content {
            output.parts.extend(part);
        }
    }
}
