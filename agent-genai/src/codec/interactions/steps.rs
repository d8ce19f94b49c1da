//! Steps of an interaction, whole or put together from their deltas.

use std::collections::BTreeMap;

use serde_json::Value;

use super::parts;
use crate::call::{Call, Part, ToolCall};
use crate::codec::content::{Budget, weight};
use crate::codec::{CodecOptions, json};

/// What a step's facts cost beside its content.
const OVERHEAD: usize = 128;

/// The steps so far, by index.
pub(super) struct Steps {
    content: bool,
    budget: Budget,
    steps: BTreeMap<u64, Step>,
}

#[derive(Default)]
struct Step {
    /// The step as it was begun, without content unless that is kept.
    begun: Value,
    call: Option<ToolCall>,
    text: String,
    thought: String,
    arguments: String,
    /// Media, and results of the provider's tools.
    other: Vec<Part>,
}

/// The answer in the canonical form.
#[derive(Default)]
pub(super) struct Output {
    pub(super) calls: Vec<ToolCall>,
    pub(super) parts: Vec<Part>,
}

impl Steps {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, budget: Budget::new(options.max_content), steps: BTreeMap::new() }
    }

    /// All steps at once; they replace what deltas made when a stream repeats them at its end.
    pub(super) fn whole(&mut self, items: &[Value]) {
        if !self.steps.is_empty() {
            return;
        }
        for (index, item) in (0..).zip(items) {
            self.start(Some(index), item);
        }
    }

    /// A step begins, or comes whole. What the user said before is no part of the answer.
    pub(super) fn start(&mut self, index: Option<u64>, item: &Value) {
        let index = index
            .unwrap_or_else(|| self.steps.last_key_value().map_or(0, |(last, _)| last.saturating_add(1)));
        let kind = json::str_at(item, &["type"]).unwrap_or_default();
        if matches!(kind, "user_input" | "function_result") {
            return;
        }
        let call = kind.ends_with("_call").then(|| parts::called(item, kind));
        let facts = call
            .as_ref()
            .map_or(0, |call| call.name.len() + call.kind.len() + call.id.as_ref().map_or(0, String::len));
        if !self.budget.facts(facts.saturating_add(OVERHEAD)) {
            return;
        }
        let kept = self.content && self.budget.content(weight(item));
        let begun = if kept { item.clone() } else { Value::Null };
        self.steps.insert(index, Step { begun, call, ..Step::default() });
    }

    /// One piece of a step.
    pub(super) fn delta(&mut self, index: Option<u64>, delta: &Value) {
        let index = index.unwrap_or_else(|| self.steps.last_key_value().map_or(0, |(last, _)| *last));
        let kind = json::str_at(delta, &["type"]).unwrap_or_default();
        if !self.steps.contains_key(&index) {
            if !self.budget.facts(OVERHEAD) {
                return;
            }
            self.steps.insert(index, Step::default());
        }
        let Some(step) = self.steps.get_mut(&index) else { return };
        // The first form of the API had whole calls in deltas.
        if step.call.is_none() && kind.ends_with("_call") {
            let call = parts::called(delta, kind);
            if self.budget.facts(call.name.len().saturating_add(OVERHEAD)) {
                step.call = Some(call);
            }
        }
        if !self.content {
            return;
        }
        let (into, piece) = match kind {
            "text" => (&mut step.text, json::str_at(delta, &["text"])),
            "thought_summary" => {
                let text =
                    json::str_at(delta, &["content", "text"]).or_else(|| json::str_at(delta, &["text"]));
                (&mut step.thought, text)
            }
            "arguments_delta" => (&mut step.arguments, json::str_at(delta, &["arguments"])),
            "thought_signature" | "text_annotation" => return,
            _ => {
                if self.budget.content(weight(delta)) {
                    match (&mut step.call, json::at(delta, &["arguments"])) {
                        (Some(call), Some(arguments)) => call.arguments = Some(arguments.clone()),
                        _ => step.other.extend(parts::step(delta)),
                    }
                }
                return;
            }
        };
        if let Some(piece) = piece.filter(|piece| self.budget.content(piece.len())) {
            into.push_str(piece);
        }
    }

    /// The answer; leaves nothing behind.
    pub(super) fn finish(&mut self, call: &mut Call) -> Output {
        call.completeness.body_capped |= self.budget.exceeded();
        self.budget = Budget::new(0);
        let mut output = Output::default();
        for step in std::mem::take(&mut self.steps).into_values() {
            step.store(self.content, &mut output);
        }
        output
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.budget.held() + self.steps.len() * size_of::<Step>()
    }
}

impl Step {
    fn store(self, content: bool, output: &mut Output) {
        let Self { begun, call, text, thought, arguments, other } = self;
        let mut parts = if content && !begun.is_null() { parts::step(&begun) } else { Vec::new() };
        if let Some(mut made) = call {
            let told = json::arguments(&arguments).or(made.arguments.take());
            let whole = parts.iter().find_map(|part| match part {
                Part::ToolCall(call) => call.arguments.clone(),
                _ => None,
            });
            made.arguments = told.or(whole);
            if content && made.kind == "function_call" {
                parts = vec![Part::ToolCall(made.clone())];
            }
            // The arguments of the provider's tools are in their parts.
            if made.kind != "function_call" {
                if parts.is_empty() && content {
                    let call = serde_json::json!({"type": made.kind, "arguments": made.arguments});
                    parts.push(Part::ServerToolCall { id: made.id.clone(), name: made.name.clone(), call });
                }
                made.arguments = None;
            }
            output.calls.push(made);
        }
        if !thought.is_empty() {
            parts.push(Part::Reasoning(thought));
        }
        if !text.is_empty() {
            match parts.last_mut() {
                Some(Part::Text(before)) => before.push_str(&text),
                _ => parts.push(Part::Text(text)),
            }
        }
        parts.extend(other);
        output.parts.extend(parts);
    }
}
