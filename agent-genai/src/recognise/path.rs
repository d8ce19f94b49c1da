//! Request paths: how they are cleaned, and which row of which API they belong to.

use agent_wire::RequestHead;

use crate::codec::registry::SPECS;
use crate::codec::spec::{Row, Spec};
use crate::providers;

/// A row that matched.
pub(super) struct Match {
    pub(super) spec: &'static Spec,
    pub(super) row: &'static Row,
    pub(super) model: Option<String>,
}

/// Percent-decoded segments of a path, empty ones left out.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect()
}

/// The segments again, with encoded slashes taken for slashes.
pub(super) fn split_again(segments: &[String]) -> Vec<String> {
    segments.join("/").split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn percent_decoded(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, after) {
            (b'%', [high, low, tail @ ..]) => {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    out.push(high << 4 | low);
                    rest = tail;
                    continue;
                }
                out.push(byte);
            }
            _ => out.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The row that fits best: one of this host before one of any, then the longest.
pub(super) fn find(
    method: &str,
    head: &RequestHead,
    segments: &[String],
    takes: impl Fn(&Spec) -> bool,
) -> Option<Match> {
    let host = head.authority().map(providers::split_authority).map(|(host, _)| host.to_ascii_lowercase());
    let mut best: Option<((bool, usize, usize), Match)> = None;
    for spec in SPECS.iter().copied().filter(|spec| takes(spec)) {
        for row in spec.rows {
            if row.method != method || !at_host(row, host.as_deref()) {
                continue;
            }
            let Some(model) = fits(row.path, segments) else { continue };
            let literal = row.path.len() - 8 * row.path.matches('{').count().min(row.path.len() / 8);
            let rank = (!row.host.is_empty(), row.path.split('/').count(), literal);
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                best = Some((rank, Match { spec, row, model }));
            }
        }
    }
    best.map(|(_, found)| found)
}

fn at_host(row: &Row, host: Option<&str>) -> bool {
    row.host.is_empty() || host.is_some_and(|host| providers::matches(row.host, host))
}

/// Whether the end of the path is that of the pattern; inside, the model that the path names.
#[expect(clippy::option_option, reason = "whether it fits, and the model if it names one")]
fn fits(pattern: &str, segments: &[String]) -> Option<Option<String>> {
    let mut wanted = pattern.rsplit('/');
    let mut given = segments.iter().rev();
    let mut model = None;
    while let Some(want) = wanted.next() {
        let Some((before, after)) = want.split_once("{model..}") else {
            let named = segment(want, given.next()?)?;
            model = model.or(named);
            continue;
        };
        let rest: Vec<&str> = given.by_ref().map(String::as_str).collect();
        // The run of segments that names the model begins behind what the pattern has before it.
        let fixed: Vec<&str> = wanted.by_ref().collect();
        let lead: Vec<&str> = fixed.into_iter().rev().collect();
        let path: Vec<&str> = rest.into_iter().rev().collect();
        let start = (0..path.len()).rev().find(|at| {
            path.get(*at..at + lead.len()).is_some_and(|window| {
                window.iter().zip(&lead).all(|(given, want)| segment(want, given).is_some())
            })
        })?;
        let run = path.get(start + lead.len()..).filter(|run| !run.is_empty())?.join("/");
        let name = run.strip_prefix(before)?.strip_suffix(after)?;
        return (!name.is_empty()).then(|| Some(name.to_owned()));
    }
    Some(model)
}

/// Whether one segment is that of the pattern; inside, the model that it names.
#[expect(clippy::option_option, reason = "whether it fits, and the model if it names one")]
fn segment(want: &str, given: &str) -> Option<Option<String>> {
    for (hole, names) in [("{model}", true), ("*", false)] {
        if let Some((before, after)) = want.split_once(hole) {
            let inner = given.strip_prefix(before)?.strip_suffix(after)?;
            return (!inner.is_empty()).then(|| names.then(|| inner.to_owned()));
        }
    }
    (want == given).then_some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(pattern: &str, path: &str) -> Option<Option<String>> {
        fits(pattern, &segments(path))
    }

    #[test]
    fn ends_of_paths() {
        assert_eq!(model("chat/completions", "/openai/v1/chat/completions/"), Some(None));
        assert_eq!(model("chat/completions", "/v1/completions"), None);
        assert_eq!(model("responses/resp_*", "/v1/responses/resp_1"), Some(None));
        assert_eq!(model("responses/resp_*", "/v1/responses/resp_"), None);
        assert_eq!(
            model("models/{model}:generateContent", "/v1beta/models/gemini-2.5-pro:generateContent"),
            Some(Some("gemini-2.5-pro".to_owned()))
        );
        assert_eq!(
            model("model/{model}/converse", "/model/arn%3Aaws%3Abedrock%3Ap%2Fus.x/converse"),
            Some(Some("arn:aws:bedrock:p/us.x".to_owned()))
        );
        assert_eq!(
            model("ai/run/{model..}", "/client/v4/accounts/a/ai/run/@cf/meta/llama-3"),
            Some(Some("@cf/meta/llama-3".to_owned()))
        );
        assert_eq!(model("ai/run/{model..}", "/client/v4/accounts/a/ai/run"), None);
    }
}
