//! What is collected of the answers of one call: one slot a choice, shared by the codecs of text and chat.

use std::collections::BTreeMap;

use serde_json::Value;

use super::CodecOptions;
use super::content::Budget;
use super::openai_chat::Choice;
use crate::call::Call;

/// Most choices followed; the chat completions API allows 128.
const MAX_CHOICES: usize = 128;

/// The choices so far.
pub(crate) struct Answers {
    content: bool,
    choices: BTreeMap<u64, Choice>,
    budget: Budget,
}

/// One of them, to be added to.
pub(crate) struct Slot<'a> {
    content: bool,
    choice: &'a mut Choice,
    budget: &'a mut Budget,
}

impl Answers {
    /// None yet.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, choices: BTreeMap::new(), budget: Budget::new(options.max_content) }
    }

    /// Whether content is kept.
    pub(crate) fn content(&self) -> bool {
        self.content
    }

    /// The choice of this index, made when it is new. `None` past the limit.
    pub(crate) fn slot(&mut self, index: u64) -> Option<Slot<'_>> {
        if self.choices.len() >= MAX_CHOICES && !self.choices.contains_key(&index) {
            return None;
        }
        let choice = self.choices.entry(index).or_default();
        Some(Slot { content: self.content, choice, budget: &mut self.budget })
    }

    /// Puts the choices into the call, in their order.
    pub(crate) fn finish(&mut self, call: &mut Call) {
        let broken = call.error.is_some() || call.completeness.truncated;
        for choice in std::mem::take(&mut self.choices).into_values() {
            choice.store(broken, self.content, call);
        }
        if std::mem::replace(&mut self.budget, Budget::new(0)).exceeded() {
            call.completeness.body_capped = true;
        }
    }

    /// Bytes held, roughly.
    pub(crate) fn held_bytes(&self) -> usize {
        self.budget.held() + self.choices.len() * size_of::<Choice>()
    }
}

impl Slot<'_> {
    /// A message or a delta in the form of a chat completion.
    pub(crate) fn message(&mut self, message: &Value) {
        self.choice.fold(message, self.content, self.budget);
    }

    /// A tool call in the form of a chat completion, whole or a fragment.
    pub(crate) fn tool(&mut self, call: &Value) {
        self.choice.tool(call, self.content, self.budget);
    }

    /// A tool that the provider ran, in the form of Groq's `executed_tools`; those of one `index` are one.
    pub(crate) fn executed(&mut self, tool: &Value) {
        self.choice.executed(tool, self.content, self.budget);
    }

    /// A piece of text.
    pub(crate) fn text(&mut self, piece: Option<&str>) {
        if let Some(piece) = piece {
            self.choice.text(piece, self.content, self.budget);
        }
    }

    /// A piece of reasoning.
    pub(crate) fn reasoning(&mut self, piece: Option<&str>) {
        if let Some(piece) = piece {
            self.choice.reasoning(piece, self.content, self.budget);
        }
    }

    /// Why it ended, unless that is known.
    pub(crate) fn reason(&mut self, reason: Option<&str>) {
        self.choice.reason(reason.map(str::to_owned));
    }

    /// Why it ended, in the members of a chat completion.
    pub(crate) fn finish_reason(&mut self, choice: &Value) {
        self.choice.finish_reason(choice);
    }
}
