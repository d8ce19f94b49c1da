//! An answer of the stand-in, and the parts that all its APIs share. Everything follows from the request.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::seen::{Facts, Fingerprint};
use super::wish::Wish;

/// What goes back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// Beside those that every answer has.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Entity of a whole answer, or its events in order.
    pub(super) entity: Entity,
    pub(super) facts: Option<Facts>,
}

#[derive(Debug)]
pub(super) enum Entity {
    /// Sent with a length.
    Whole(Bytes),
    /// Sent in chunks, each after the wished pause.
    Stream(Vec<Bytes>),
}

impl Answer {
    pub(super) fn json(value: &Value, facts: Option<Facts>) -> Self {
        let entity = Entity::Whole(Bytes::from(value.to_string()));
        Self { status: 200, content_type: "application/json", headers: Vec::new(), entity, facts }
    }

    pub(super) fn events(events: Vec<Bytes>, facts: Facts) -> Self {
        let entity = Entity::Stream(events);
        let content_type = "text/event-stream; charset=utf-8";
        Self { status: 200, content_type, headers: Vec::new(), entity, facts: Some(facts) }
    }

    pub(super) fn error(status: u16, body: &Value, facts: Option<Facts>) -> Self {
        Self { status, ..Self::json(body, facts) }
    }
}

/// The request that is answered.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) number: u64,
    pub(super) body: &'a Value,
    pub(super) bytes: &'a [u8],
    pub(super) wish: &'a Wish,
}

impl Question<'_> {
    pub(super) fn model(&self) -> String {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub(super) fn is_stream(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Unique and derived from the request.
    pub(super) fn id(&self, prefix: &str) -> String {
        let digest = Fingerprint::of(self.bytes).sha256;
        format!("{prefix}{:06}{}", self.number, digest.get(..18).unwrap_or_default())
    }

    /// A quarter of the request's bytes, as tokenisers go.
    pub(super) fn input_tokens(&self) -> u64 {
        8 + self.bytes.len() as u64 / 4
    }

    /// What of it came from a cache.
    pub(super) fn cached_tokens(&self) -> u64 {
        self.input_tokens() / 4
    }

    /// One a word.
    pub(super) fn output_tokens(&self) -> u64 {
        self.text().split(' ').count() as u64
    }

    /// The answer's text: words picked by the request's digest, or filler of the wished size.
    pub(super) fn text(&self) -> String {
        const WORDS: &[&str] = &[
            "the",
            "river",
            "carries",
            "letters",
            "past",
            "quiet",
            "towns",
            "and",
            "each",
            "bridge",
            "keeps",
            "one",
            "für",
            "später",
            "日本語",
            "naïve",
            "\"quoted\"",
            "back\\slash",
            "tab\tin",
            "emoji🙂",
        ];
        if let Some(size) = self.wish.size {
            let unit = "lorem ipsum dolor sit amet ";
            return unit.repeat(size / unit.len() + 1).get(..size).unwrap_or_default().trim_end().to_owned();
        }
        let digest = Fingerprint::of(self.bytes).sha256;
        let picks = digest.bytes().take(10 + self.bytes.len() % 20).enumerate();
        let words: Vec<&str> = picks
            .filter_map(|(at, byte)| WORDS.get((usize::from(byte) * 7 + at) % WORDS.len()))
            .copied()
            .collect();
        words.join(" ")
    }

    /// The text in as many pieces as wished, cut between characters.
    pub(super) fn text_chunks(&self) -> Vec<String> {
        let characters: Vec<char> = self.text().chars().collect();
        let length = characters.len().div_ceil(self.wish.chunks.max(1)).max(1);
        characters.chunks(length).map(|piece| piece.iter().collect()).collect()
    }

    /// The first offered tool, unless a tool's result was just handed in.
    pub(super) fn tool(&self) -> Option<String> {
        let tools = self.body.get("tools")?.as_array()?;
        if self.answers_a_tool() {
            return None;
        }
        let tool = tools.first()?;
        let name = tool.get("name").or_else(|| tool.get("function")?.get("name"))?;
        Some(name.as_str()?.to_owned())
    }

    fn answers_a_tool(&self) -> bool {
        let last = |key: &str| self.body.get(key).and_then(Value::as_array).and_then(|items| items.last());
        let is_result = |item: &Value| {
            item.get("role").is_some_and(|role| role == "tool")
                || item.get("type").is_some_and(|kind| kind == "function_call_output")
                || item.get("content").and_then(Value::as_array).is_some_and(|parts| {
                    parts.iter().any(|part| part.get("type").is_some_and(|kind| kind == "tool_result"))
                })
        };
        last("messages").is_some_and(is_result) || last("input").is_some_and(is_result)
    }

    pub(super) fn tool_arguments(&self) -> Value {
        json!({"query": format!("question {}", self.number), "limit": 3})
    }
}

/// The object with this member set.
pub(super) fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert(key.to_owned(), value);
    }
    object
}

/// A member that is a string, or nothing.
pub(super) fn text_of<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An event with a name and JSON data.
pub(super) fn named_event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// An event with JSON data only.
pub(super) fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// Cuts the entity into writes, each with the pause before it.
pub(super) fn paced(entity: Entity, wish: &Wish) -> Vec<(Duration, Bytes)> {
    // Any pause makes the server send what it has: the head, or the piece before.
    const SEPARATE: Duration = Duration::from_millis(1);
    let (pieces, gap) = match entity {
        Entity::Whole(bytes) => (vec![bytes], Duration::ZERO),
        Entity::Stream(events) => (events, wish.gap.max(SEPARATE)),
    };
    let mut paced = Vec::new();
    for mut piece in pieces {
        let mut pause = gap;
        if paced.is_empty() {
            pause = if wish.split { pause.max(SEPARATE) } else { Duration::ZERO };
        }
        if let Some(size) = wish.piece {
            while piece.len() > size {
                paced.push((pause, piece.split_to(size)));
                pause = SEPARATE;
            }
        }
        paced.push((pause, piece));
    }
    paced
}
