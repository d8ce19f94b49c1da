//! A push filter over JSON text: bytes cut anywhere in, a pruned JSON text of bounded size out.
//!
//! A prompt of 20 MB is mostly one string; parsing it into a tree to read `model` beside it would cost its size several
//! times over. The skimmer copies structure and short values, cuts long strings, counts what it leaves out of arrays, and
//! closes what was cut off, so that the codecs can parse the rest with an ordinary parser.
//!
//! What was left out is marked inside the output with the noncharacter U+FDD0, which no text for interchange contains
//! (Unicode 16, section 23.7): a cut string ends in `U+FDD0 n` (n = its full length in bytes), a shortened array ends in
//! an element `"U+FDD0 n"` (n = elements left out). [`text_len`] and [`array_len`] read them.

mod scan;
mod text;

use serde_json::Value;

pub use scan::Skimmer;

/// Starts a mark.
pub(crate) const MARK: char = '\u{FDD0}';
/// Longest key; a member with a longer one is left out.
const MAX_KEY: usize = 4096;
/// Longest number or literal; a longer number becomes null.
const MAX_BARE: usize = 512;
/// Deepest nesting kept; serde_json refuses 128.
const MAX_DEPTH: usize = 96;
/// Longest string, and most elements of an array, below a key of [`SkimLimits::thin`].
const THIN_STRING: usize = 64;
const THIN_ELEMENTS: u64 = 4;
/// Longest string once the budget is spent.
const OVER_STRING: usize = 256;
/// Deepest nesting once the budget is spent, and once the reserve is spent too.
const OVER_DEPTH: usize = 5;
const LAST_DEPTH: usize = 3;
/// Output after the reserve, for the members of [`SURVIVORS`] only; then nothing at all.
const LAST: usize = 64 << 10;
/// Members that hold counts which belong together.
const COUNTS: &[&str] = &["usage", "usageMetadata", "usage_metadata", "token_count", "billed_units"];
/// Members that a span needs; they are kept when hardly anything else is.
const SURVIVORS: &[&str] = &[
    "model",
    "id",
    "object",
    "type",
    "status",
    "stream",
    "usage",
    "error",
    "message",
    "code",
    "finish_reason",
    "stop_reason",
    "service_tier",
    "system_fingerprint",
    "incomplete_details",
];

/// Members that are bulk below the root (the schema of a tool) and the settings of a request at the root.
const SETTINGS: &[&str] = &["parameters"];

/// Bounds of one skim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkimLimits {
    /// Longest string kept whole, in bytes.
    pub max_string: usize,
    /// Most numbers kept of one array (embedding vectors, token ids).
    pub max_numbers: usize,
    /// Output size in bytes past which only short values near the root are kept.
    pub budget: usize,
    /// Output that short values may take beyond the budget, in bytes.
    pub reserve: usize,
    /// Members of the root whose values are only sampled: four elements an array, 64 bytes a string.
    pub thin: &'static [&'static str],
    /// Members left out wherever they stand; of [`SETTINGS`] below the root only.
    pub drop: &'static [&'static str],
}

impl SkimLimits {
    /// Largest possible output in bytes, for a given limit of the input's nesting.
    #[must_use]
    pub const fn max_output(&self) -> usize {
        // The last value that starts within a bound may overshoot it by one string, one key, and the closing brackets.
        self.budget + self.reserve + LAST + 2 * OVER_STRING + MAX_KEY + MAX_BARE + 64 * MAX_DEPTH
    }
}

/// How the text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// There was nothing but white space.
    Empty,
    /// One whole JSON value.
    Whole,
    /// The text stopped inside the value; what was open has been closed.
    Truncated,
    /// No JSON from this byte offset on; what was open has been closed.
    Invalid(u64),
}

/// What a skim gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skimmed {
    /// The pruned JSON text; empty when there was no value at all.
    pub json: Vec<u8>,
    /// How the input ended.
    pub ending: Ending,
    /// The budget was spent and values were left out for that reason.
    pub capped: bool,
}

impl Skimmed {
    /// The output as a tree. `None` when there was no value.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        if self.json.is_empty() {
            return None;
        }
        serde_json::from_slice(&self.json)
            .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(&self.json)))
            .ok()
    }
}

/// Length in bytes of the string as it was sent.
#[must_use]
pub fn text_len(text: &str) -> u64 {
    let marked = text.rsplit_once(MARK).and_then(|(_, count)| count.parse().ok());
    marked.unwrap_or(text.len() as u64)
}

/// The string without the mark; `true` when it had been cut.
#[must_use]
pub fn text_head(text: &str) -> (&str, bool) {
    match text.rsplit_once(MARK) {
        Some((head, count)) if count.parse::<u64>().is_ok() => (head, true),
        _ => (text, false),
    }
}

/// Number of elements of the array as it was sent.
#[must_use]
pub fn array_len(items: &[Value]) -> u64 {
    let left_out = items
        .last()
        .and_then(Value::as_str)
        .and_then(|last| last.strip_prefix(MARK))
        .and_then(|n| n.parse::<u64>().ok());
    match left_out {
        Some(left_out) => left_out.saturating_add(items.len() as u64 - 1),
        None => items.len() as u64,
    }
}

/// Takes the marks out of a tree, where they would stand beside kept content.
pub fn strip_marks(value: &mut Value) {
    match value {
        Value::String(text) => {
            let head = text_head(text);
            if head.1 {
                let length = head.0.len();
                text.truncate(length);
            }
        }
        Value::Array(items) => {
            if items.last().and_then(Value::as_str).is_some_and(|last| last.starts_with(MARK)) {
                items.pop();
            }
            items.iter_mut().for_each(strip_marks);
        }
        Value::Object(members) => members.values_mut().for_each(strip_marks),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
