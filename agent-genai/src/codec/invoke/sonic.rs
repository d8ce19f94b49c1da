//! Speech to speech over a stream both ways (Nova Sonic): the server's events. What the client sends is signed message within message
//! and is not read.

use serde_json::Value;

use crate::call::{Call, Usage};
use crate::codec::answers::Answers;
use crate::codec::completions::said;
use crate::codec::usage::settle;
use crate::codec::{Codec, CodecOptions, error, json};

/// Longest of the user's words kept, in bytes, over a whole session.
const MAX_HEARD: usize = 64 << 10;

/// Folds one session into one call.
pub(super) struct Sonic {
    answers: Answers,
    usage: Usage,
    heard: String,
    reason: Option<String>,
    ended: bool,
    tools: u64,
    /// The text that comes is only a preview of what will be spoken.
    preview: bool,
}

impl Sonic {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self {
            answers: Answers::new(options),
            usage: Usage::default(),
            heard: String::new(),
            reason: None,
            ended: false,
            tools: 0,
            preview: false,
        }
    }

    /// `textOutput`: what the user was heard to say, or what the model says.
    fn text(&mut self, output: &Value) {
        let Some(text) =
            json::str_at(output, &["content"]).filter(|_| self.answers.content() && !self.preview)
        else {
            return;
        };
        if json::str_at(output, &["role"]) == Some("USER") {
            if self.heard.len().saturating_add(text.len()) < MAX_HEARD {
                if !self.heard.is_empty() {
                    self.heard.push('\n');
                }
                self.heard.push_str(text);
            }
        } else if let Some(mut slot) = self.answers.slot(0) {
            slot.text(Some(text));
        }
    }

    /// `usageEvent`: totals so far.
    fn count(&mut self, event: &Value) {
        let total = |side: &str, kind: &str| json::u64_at(event, &["details", "total", side, kind]);
        self.usage = Usage {
            input: json::u64_at(event, &["totalInputTokens"]),
            output: json::u64_at(event, &["totalOutputTokens"]),
            audio_input: total("input", "speechTokens"),
            text_input: total("input", "textTokens"),
            audio_output: total("output", "speechTokens"),
            text_output: total("output", "textTokens"),
            ..Usage::default()
        };
    }

    fn tool(&mut self, tool: &Value) {
        let call = serde_json::json!({"index": self.tools, "id": tool.get("toolUseId"), "type": "function",
            "function": {"name": tool.get("toolName"), "arguments": tool.get("content")}});
        self.tools = self.tools.saturating_add(1);
        if let Some(mut slot) = self.answers.slot(0) {
            slot.tool(&call);
        }
    }
}

impl Codec for Sonic {
    fn request(&mut self, _body: &Value, _call: &mut Call) {}

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let Some((kind, inner)) =
            json::at(data, &["event"]).and_then(Value::as_object).and_then(|one| one.iter().next())
        else {
            error::note_item(event, data, call);
            return;
        };
        if call.request.conversation_id.is_none() {
            call.request.conversation_id = json::string_at(inner, &["sessionId"]);
        }
        match kind.as_str() {
            "completionStart" => call.response.id = json::string_at(inner, &["completionId"]),
            "contentStart" => {
                let fields = json::str_at(inner, &["additionalModelFields"]).unwrap_or_default();
                self.preview = fields.contains("SPECULATIVE");
            }
            "textOutput" => self.text(inner),
            "toolUse" => self.tool(inner),
            "usageEvent" => self.count(inner),
            "completionEnd" => {
                self.ended = true;
                self.reason = json::string_at(inner, &["stopReason"]);
            }
            _ => {}
        }
    }

    fn finish(&mut self, call: &mut Call) {
        call.request.output_type.get_or_insert_with(|| "speech".to_owned());
        if let Some(mut slot) = self.answers.slot(0) {
            slot.reason(self.reason.as_deref());
        }
        self.answers.finish(call);
        let heard = std::mem::take(&mut self.heard);
        if !heard.is_empty() {
            call.request.messages = vec![said("user", &heard)];
        }
        call.usage = std::mem::take(&mut self.usage);
        settle(&mut call.usage);
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.heard.capacity()
    }
}
