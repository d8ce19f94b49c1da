//! Ways to read a model's name: as providers, gateways and resource paths write it.
//!
//! General rules only; each gives one more text to look up, and those that lose nothing come first.

use super::table::Provider;

/// Providers whose model names may begin with the region that serves them.
const REGIONAL: &str = "aws";

/// What Bedrock writes before a model's name for the regions that may serve it.
const PROFILES: [&str; 11] = ["us", "eu", "apac", "jp", "au", "in", "ca", "sa", "me", "us-gov", "global"];

/// Ways that lose nothing: as it is, percent-decoded, without the path of the resource (`projects/…/models/`, an ARN), with a
/// compact date spelt out, without the provider's slug or the region.
pub(super) fn exact(model: &str, provider: &Provider) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |text: String| {
        if !text.is_empty() && !found.contains(&text) {
            found.push(text);
        }
    };
    let lower = decoded(model.trim()).to_lowercase();
    add(lower.clone());
    if let Some(rest) = lower.strip_prefix("arn:").and_then(|arn| arn.rsplit_once('/')).map(|(_, rest)| rest)
    {
        add(rest.to_owned());
    } else if let Some((path, rest)) = lower.rsplit_once("models/")
        && (path.is_empty() || path.ends_with('/'))
    {
        // Google's publishers are part of some names: `meta/llama-…`.
        if let Some((_, publisher)) = path.trim_end_matches('/').rsplit_once("publishers/") {
            add(format!("{publisher}/{rest}"));
        }
        add(rest.to_owned());
    }
    for text in found.clone() {
        if let Some((slug, rest)) = text.split_once('/')
            && provider.is_named(slug)
            && !found.contains(&rest.to_owned())
        {
            found.push(rest.to_owned());
        }
    }
    let dashed: Vec<String> = found.iter().filter_map(|text| dashed_date(text)).collect();
    found.extend(dashed);
    if provider.id == REGIONAL {
        let bare: Vec<String> =
            found.iter().filter_map(|text| profile(text)).map(|(_, rest)| rest.to_owned()).collect();
        found.extend(bare);
    }
    found
}

/// Without the date of a snapshot that the table does not list, or its version: the model's own price then holds.
pub(super) fn loose(model: &str, provider: &Provider) -> Vec<String> {
    exact(model, provider).iter().flat_map(|text| [undated(text), unversioned(text)]).flatten().collect()
}

/// The region of an inference profile and the model's own name.
pub(super) fn profile(text: &str) -> Option<(&'static str, &str)> {
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let (head, rest) = name.split_once('.')?;
    PROFILES.into_iter().find(|region| *region == head).map(|region| (region, rest))
}

/// Percent-decoded, as far as it is UTF-8: model names in paths have `%3A` for a colon and `%2F` for a slash.
pub(super) fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|_| *first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// `gpt-5.2-20251211` as `gpt-5.2-2025-12-11`: gateways write compact dates.
fn dashed_date(text: &str) -> Option<String> {
    let (head, date) = text.rsplit_once('-')?;
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    is_date(year, month, day).then(|| format!("{head}-{year}-{month}-{day}"))
}

/// The name before a date at its end, in any of the usual spellings.
fn undated(text: &str) -> Option<String> {
    for separator in ['-', '@'] {
        if let Some((head, date)) = text.rsplit_once(separator)
            && let (Some(year), Some(month), Some(day)) = (date.get(..4), date.get(4..6), date.get(6..))
            && is_date(year, month, day)
        {
            return Some(head.to_owned());
        }
    }
    let mut parts = text.rsplitn(4, '-');
    let (day, month, year, head) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    is_date(year, month, day).then(|| head.to_owned())
}

/// The name before Google's `@001` or `@default`.
fn unversioned(text: &str) -> Option<String> {
    let (head, version) = text.rsplit_once('@')?;
    let plain = version.bytes().all(|byte| byte.is_ascii_digit()) && (1..=3).contains(&version.len());
    (plain || version == "default" || version == "latest").then(|| head.to_owned())
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |text: &str, length: usize| {
        (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    number(year, 4).is_some_and(|year| (2000..2100).contains(&year))
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::table::Snapshot;

    #[test]
    fn dates_and_versions_are_read_in_every_usual_spelling() {
        assert_eq!(undated("claude-x@20250101").as_deref(), Some("claude-x"));
        assert_eq!(undated("gpt-4-0613"), None);
        assert_eq!(undated("a-2025-13-01"), None);
        assert_eq!(dashed_date("x-20251211").as_deref(), Some("x-2025-12-11"));
        assert_eq!(dashed_date("x-é0251211"), None);
        assert_eq!(unversioned("imagen-3.0@002").as_deref(), Some("imagen-3.0"));
        assert_eq!(unversioned("a@2025"), None);
    }

    #[test]
    fn resource_paths_and_percent_signs_are_taken_off() {
        let snapshot = Snapshot::embedded();
        let read = |provider: &str, model: &str| exact(model, snapshot.named(provider).unwrap());
        let arn =
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A012345678901%3Ainference-profile%2Fus.anthropic.x-v1%3A0";
        let names = read("aws", arn);
        assert!(names.contains(&"us.anthropic.x-v1:0".to_owned()), "{names:?}");
        assert!(names.contains(&"anthropic.x-v1:0".to_owned()), "{names:?}");
        let vertex = read("google", "projects/p/locations/l/publishers/meta/models/Llama-x");
        assert_eq!(vertex.get(1..), Some(["meta/llama-x".to_owned(), "llama-x".to_owned()].as_slice()));
        assert!(read("google", "models/gemini-x").contains(&"gemini-x".to_owned()));
        assert!(read("fireworks", "accounts/me/models/y").contains(&"y".to_owned()));
        assert_eq!(read("openai", "supermodels/x").len(), 1);
        assert_eq!(read("openai", "100%").first().map(String::as_str), Some("100%"));
        assert_eq!(read("openai", "a%ffb").first().map(String::as_str), Some("a%ffb"));
        assert_eq!(read("openai", "a%4").first().map(String::as_str), Some("a%4"));
    }

    #[test]
    fn a_region_is_taken_off_only_where_regions_are_written() {
        assert_eq!(profile("eu.amazon.nova-lite-v1:0"), Some(("eu", "amazon.nova-lite-v1:0")));
        assert_eq!(profile("anthropic.claude"), None);
        let snapshot = Snapshot::embedded();
        assert_eq!(exact("us.x", snapshot.named("openai").unwrap()), ["us.x"]);
    }
}
