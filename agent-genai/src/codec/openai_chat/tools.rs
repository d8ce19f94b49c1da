//! Tool calls of one choice, put together from fragments.

use serde_json::Value;

use crate::call::{Part, ToolCall};
use crate::codec::content::Budget;
use crate::codec::dialect::NO_IDS;
use crate::codec::json;

/// The calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Tools {
    calls: Vec<Partial>,
}

#[derive(Debug, Default)]
struct Partial {
    index: Option<u64>,
    id: Option<String>,
    kind: Option<String>,
    name: String,
    /// Arguments as text, in pieces.
    text: String,
    /// Arguments that came as an object (Mistral).
    object: Option<Value>,
    /// A piece of arguments has been seen, kept or not.
    begun: bool,
    /// Run by the provider: its whole object.
    executed: Option<Value>,
    legacy: bool,
}

impl Tools {
    /// Takes one element of `tool_calls`, whole or a fragment. Fragments belong together by `index`; where a server leaves
    /// that out, by `id`; without either, to the last call.
    pub(super) fn fragment(&mut self, fragment: &Value, content: bool, budget: &mut Budget) {
        let index = json::u64_at(fragment, &["index"]);
        let id = json::str_at(fragment, &["id"]).filter(|id| !NO_IDS.contains(id));
        let body =
            json::at(fragment, &["function"]).or_else(|| json::at(fragment, &["custom"])).unwrap_or(fragment);
        let name = json::str_at(body, &["name"]).unwrap_or_default();
        let kind = json::str_at(fragment, &["type"]).filter(|kind| !kind.is_empty());
        let arguments = body.get("arguments").or_else(|| body.get("input"));
        let says_nothing =
            id.is_none() && name.is_empty() && arguments.is_none_or(|text| text.is_null() || text == "");
        if says_nothing {
            return;
        }
        let Some(call) = self.place(index, id, name, budget) else { return };
        if call.id.is_none() {
            call.id = id.map(str::to_owned);
        }
        if call.kind.is_none() {
            call.kind = kind.map(str::to_owned);
        }
        // The name comes whole in the first fragment; a server that repeats it repeats all of it, one that cuts it sends the
        // rest before any argument.
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        } else if !name.is_empty() && name != call.name && !call.begun && budget.facts(name.len()) {
            call.name.push_str(name);
        }
        call.arguments(arguments, content, budget);
    }

    /// The call that a fragment belongs to, made when it starts one.
    fn place(
        &mut self,
        index: Option<u64>,
        id: Option<&str>,
        name: &str,
        budget: &mut Budget,
    ) -> Option<&mut Partial> {
        let found = match (index, id) {
            (Some(index), _) => self.calls.iter().rposition(|call| call.index == Some(index)),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id.as_deref() == Some(id)),
            (None, None) if name.is_empty() => self.calls.len().checked_sub(1),
            (None, None) => None,
        };
        let continues = found.filter(|found| {
            self.calls.get(*found).is_some_and(|call| {
                let other_id = id.zip(call.id.as_deref()).is_some_and(|(id, known)| id != known);
                let other_name = !name.is_empty() && !call.name.is_empty() && name != call.name && call.begun;
                // A new call has a name; ids alone are made anew with each fragment by some servers.
                !(other_id && !name.is_empty() || other_name)
            })
        });
        if continues.is_none() {
            if !budget.facts(size_of::<Partial>() + id.map_or(0, str::len) + name.len()) {
                return None;
            }
            self.calls.push(Partial { index, ..Partial::default() });
        }
        let at = continues.or_else(|| self.calls.len().checked_sub(1))?;
        self.calls.get_mut(at)
    }

    /// `function_call`, which tools replaced.
    pub(super) fn legacy(&mut self, fragment: &Value, content: bool, budget: &mut Budget) {
        // Servers that write out every member leave an empty one beside tool_calls.
        let filled = |key: &str| fragment.get(key).is_some_and(|value| !value.is_null() && value != "");
        if !filled("name") && !filled("arguments") {
            return;
        }
        if !self.calls.iter().any(|call| call.legacy) {
            if !budget.facts(size_of::<Partial>()) {
                return;
            }
            self.calls.push(Partial {
                legacy: true,
                kind: Some("function".to_owned()),
                ..Partial::default()
            });
        }
        if let Some(call) = self.calls.iter_mut().find(|call| call.legacy) {
            let name = json::str_at(fragment, &["name"]).unwrap_or_default();
            if !call.begun && budget.facts(name.len()) {
                call.name.push_str(name);
            }
            call.arguments(fragment.get("arguments"), content, budget);
        }
    }

    /// Groq's `executed_tools`: run by the provider, told whole, in streams once when begun and once when done.
    pub(super) fn executed(&mut self, tool: &Value, content: bool, budget: &mut Budget) {
        let index = json::u64_at(tool, &["index"]);
        let known = self.calls.iter_mut().find(|call| call.executed.is_some() && call.index == index);
        let kept = if content && budget.content(tool.to_string().len()) { tool.clone() } else { Value::Null };
        match known {
            Some(call) => call.executed = Some(kept),
            None => {
                let kind = json::str_at(tool, &["type"]).unwrap_or("executed_tool");
                if budget.facts(size_of::<Partial>() + kind.len()) {
                    self.calls.push(Partial {
                        index,
                        id: json::string_at(tool, &["id"]),
                        kind: Some(kind.to_owned()),
                        name: json::str_at(tool, &["name"]).unwrap_or(kind).to_owned(),
                        executed: Some(kept),
                        ..Partial::default()
                    });
                }
            }
        }
    }

    /// The calls, and their parts in the output message.
    pub(super) fn finish(self) -> (Vec<ToolCall>, Vec<Part>) {
        let mut calls = Vec::new();
        let mut parts = Vec::new();
        for call in self.calls {
            let server = call.executed;
            let made = ToolCall {
                id: call.id,
                name: call.name,
                kind: call.kind.unwrap_or_else(|| "function".to_owned()),
                arguments: call.object.or_else(|| json::arguments(&call.text)),
            };
            parts.push(match server {
                Some(object) => {
                    Part::ServerToolCall { id: made.id.clone(), name: made.name.clone(), call: object }
                }
                None => Part::ToolCall(made.clone()),
            });
            calls.push(made);
        }
        (calls, parts)
    }
}

/// The object with name and arguments: `function`, `custom`, or the call itself. A server that writes out every member
/// (Snowflake) leaves the other one empty.
pub(super) fn called(call: &Value) -> &Value {
    let named = |key: &str| json::at(call, &[key]).filter(|body| json::str_at(body, &["name"]).is_some());
    named("function")
        .or_else(|| named("custom"))
        .or_else(|| json::at(call, &["function"]))
        .or_else(|| json::at(call, &["custom"]))
        .unwrap_or(call)
}

impl Partial {
    fn arguments(&mut self, arguments: Option<&Value>, content: bool, budget: &mut Budget) {
        match arguments {
            Some(Value::String(piece)) => {
                self.begun |= !piece.is_empty();
                if content && budget.content(piece.len()) {
                    self.text.push_str(piece);
                }
            }
            None | Some(Value::Null) => {}
            Some(object) => {
                self.begun = true;
                if content && budget.content(object.to_string().len()) {
                    self.object = Some(object.clone());
                }
            }
        }
    }
}
