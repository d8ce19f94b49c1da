//! `usageMetadata` to the conventions' meaning.
//!
//! Thoughts are counted apart from the candidates, and what the provider's own tools put before the model apart from the prompt; both
//! are added: output = candidates + thoughts, input = prompt + tool use. The reported total decides where a server counts otherwise.
//! Zero counts are left out on the wire, as protocol buffers leave them out.

use serde_json::Value;

use super::names::{self, MODALITY};
use crate::call::Usage;
use crate::codec::usage::settle;

/// The newest counts of an answer. Streams repeat them, cumulative, as a whole: fields of different chunks do not belong together.
#[derive(Debug, Default)]
pub(in crate::codec) struct Counts {
    usage: Option<Usage>,
    /// They came with a total: what a chunk says without one is no complete count.
    whole: bool,
    /// The total has no room for any output.
    bare: bool,
}

impl Counts {
    /// Takes the `usageMetadata` of an answer or of one chunk.
    pub(in crate::codec) fn take(&mut self, metadata: &Value) {
        let whole = names::count(metadata, &["totalTokenCount"]).is_some();
        if self.whole && !whole {
            return;
        }
        if let Some(usage) = read(metadata) {
            self.bare = usage.output.is_none()
                && usage.input.is_some()
                && names::count(metadata, &["totalTokenCount"]) == usage.input;
            self.usage = Some(usage);
            self.whole = whole;
        }
    }

    /// The counts. `ended`: the end of the answer was seen. Then no count of candidates is none; before, it only has not come yet.
    pub(in crate::codec) fn into_usage(self, ended: bool) -> Option<Usage> {
        let mut usage = self.usage?;
        if ended && self.bare {
            usage.output = Some(0);
        }
        Some(usage)
    }
}

/// Reads `usageMetadata`; `None` when it holds no count.
pub(in crate::codec) fn read(metadata: &Value) -> Option<Usage> {
    let count = |key: &str| names::count(metadata, &[key]);
    let (prompt, tool) = (count("promptTokenCount"), count("toolUsePromptTokenCount"));
    // Live sessions speak of the response, generateContent of candidates.
    let candidates = count("candidatesTokenCount").or_else(|| count("responseTokenCount"));
    let thoughts = count("thoughtsTokenCount");
    let total = count("totalTokenCount");
    let (tool_apart, thoughts_apart) = apart(total, prompt, tool, candidates, thoughts);
    let input = if tool_apart { sum(prompt, tool) } else { prompt };
    let output = if thoughts_apart { sum(candidates, thoughts) } else { candidates };
    if input.is_none() && output.is_none() {
        return None;
    }
    let tokens = |lists: &[&str], modality: &str| {
        let entries = lists.iter().flat_map(|list| names::array(metadata, &[list]));
        let of = entries.filter(|entry| {
            let kind = names::get(entry, &["modality"]).and_then(|kind| names::word(kind, MODALITY));
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case(modality))
        });
        of.filter_map(|entry| names::count(entry, &["tokenCount"]))
            .fold(None, |so_far, n| sum(so_far, Some(n)))
    };
    // Embeddings spell the list in the singular.
    let lists = ["promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails"];
    let inputs = if tool_apart { &lists[..] } else { &lists[..2] };
    let outputs: &[&str] = &["candidatesTokensDetails", "responseTokensDetails"];
    let mut usage = Usage {
        input,
        output,
        cache_read: count("cachedContentTokenCount"),
        reasoning: thoughts,
        audio_input: tokens(inputs, "AUDIO"),
        audio_output: tokens(outputs, "AUDIO"),
        audio_cache_read: tokens(&["cacheTokensDetails"], "AUDIO"),
        image_cache_read: tokens(&["cacheTokensDetails"], "IMAGE"),
        text_cache_read: tokens(&["cacheTokensDetails"], "TEXT"),
        image_input: tokens(inputs, "IMAGE"),
        image_output: tokens(outputs, "IMAGE"),
        text_input: tokens(inputs, "TEXT"),
        text_output: tokens(outputs, "TEXT"),
        ..Usage::default()
    };
    settle(&mut usage);
    Some(usage)
}

/// Whether tool use is counted beside the prompt, and thoughts beside the candidates: as the API does, unless only another way makes the
/// reported total.
fn apart(
    total: Option<u64>,
    prompt: Option<u64>,
    tool: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
) -> (bool, bool) {
    let some = |count: Option<u64>| count.unwrap_or(0);
    let base = some(prompt).saturating_add(some(candidates));
    let fits = |(tool_apart, thoughts_apart): &(bool, bool)| {
        let tool = if *tool_apart { some(tool) } else { 0 };
        let thoughts = if *thoughts_apart { some(thoughts) } else { 0 };
        total == Some(base.saturating_add(tool).saturating_add(thoughts))
    };
    // Without candidates there is nothing that thoughts could be within.
    let ways = [(true, true), (false, true), (true, false), (false, false)];
    let ways = ways.into_iter().filter(|way| way.1 || candidates.is_some());
    ways.into_iter().find(fits).unwrap_or((true, true))
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn both(metadata: &Value) -> (Option<u64>, Option<u64>, Option<u64>) {
        let usage = read(metadata).unwrap_or_default();
        (usage.input, usage.output, usage.reasoning)
    }

    #[test]
    fn thoughts_and_tool_use_are_added() {
        let apart = json!({"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 4,
            "totalTokenCount": 22});
        assert_eq!(both(&apart), (Some(15), Some(7), Some(4)));
        let within = json!({"promptTokenCount": 10, "candidatesTokenCount": 7, "thoughtsTokenCount": 4, "totalTokenCount": 17});
        assert_eq!(both(&within), (Some(10), Some(7), Some(4)));
        let tools_within = json!({"promptTokenCount": 15, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 18});
        assert_eq!(both(&tools_within), (Some(15), Some(3), None));
    }

    #[test]
    fn counts_that_are_left_out() {
        assert_eq!(
            both(&json!({"promptTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 9})),
            (Some(5), Some(4), Some(4))
        );
        let bare = |ended: bool| {
            let mut counts = Counts::default();
            counts.take(&json!({"promptTokenCount": 5, "totalTokenCount": 5}));
            counts.into_usage(ended).map(|usage| (usage.input, usage.output))
        };
        assert_eq!((bare(true), bare(false)), (Some((Some(5), Some(0))), Some((Some(5), None))));
        assert_eq!(both(&json!({"promptTokenCount": 5})), (Some(5), None, None));
        assert_eq!(read(&json!({"trafficType": "ON_DEMAND"})), None);
    }

    #[test]
    fn modalities_in_either_form() {
        let usage = read(&json!({"promptTokenCount": 300, "cachedContentTokenCount": 20, "responseTokenCount": 9, "totalTokenCount": 309,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": 2, "tokenCount": 258}, {"modality": "AUDIO", "tokenCount": 40}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}, {"modality": "TEXT", "tokenCount": 5}],
            "responseTokensDetails": [{"modality": 4, "tokenCount": 9}]}))
        .unwrap();
        assert_eq!((usage.text_input, usage.image_input, usage.audio_input), (Some(2), Some(258), Some(40)));
        assert_eq!(
            (usage.audio_cache_read, usage.text_cache_read, usage.image_cache_read),
            (Some(15), Some(5), None)
        );
        assert_eq!((usage.audio_output, usage.text_output), (Some(9), None));
    }

    #[test]
    fn the_last_whole_counts_hold() {
        let mut counts = Counts::default();
        counts.take(&json!({"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35, "totalTokenCount": 65}));
        counts.take(&json!({"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": 165}));
        counts.take(&json!({"trafficType": "ON_DEMAND", "promptTokenCount": 1}));
        let usage = counts.into_usage(true).unwrap();
        assert_eq!((usage.input, usage.output), (Some(87), Some(78)));
    }
}
