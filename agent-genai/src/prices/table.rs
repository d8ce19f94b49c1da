//! The tables inside the binary, or in a file: providers, their names and hosts, and their models.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::entry::{Model, PriceSet, Variant};
use super::error::PriceError;
use super::parse::{self, FORMAT, Object};
use super::pattern::HostGlob;

/// Made by `cargo xtask prices` from the facts in genai-prices (MIT, Pydantic Services Inc.).
static SNAPSHOT: &[u8] = include_bytes!("../../data/prices.json");

/// What the first table lacks, made by the same command: see its own `source`.
static FALLBACK: &[u8] = include_bytes!("../../data/prices_fallback.json");

/// Parsed once: it completes every table that is read.
static SECOND: LazyLock<Snapshot> = LazyLock::new(|| Snapshot::from_slice(FALLBACK).unwrap_or_default());

static EMBEDDED: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    // A broken snapshot is caught by this crate's tests; a binary with one knows no price rather than no call.
    Arc::new(Snapshot::from_slice(SNAPSHOT).unwrap_or_default().completed())
});

/// One provider.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    pub(super) hosts: Vec<HostGlob>,
    pub(super) fallback: Vec<String>,
    /// What holds for every model that says nothing of its own.
    pub(super) variants: Vec<Variant>,
    /// What every model costs beside its tokens, unless it says something of its own.
    pub(super) fees: PriceSet,
    /// Reasoning is billed beside the reported output, which does not contain it.
    pub(super) reasoning_apart: bool,
    pub(super) models: Vec<Model>,
    /// Its models in the fallback table.
    pub(super) more: Vec<Model>,
}

impl Provider {
    /// Whether the name (in lower case) is its id or one of the names that mean it.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let same = |have: &str| have == name || have.replace('-', "_") == name.replace('-', "_");
        same(&self.id) || self.names.iter().any(|have| same(have))
    }
}

/// A whole table.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// Name and version of the source, as `genai-prices 0.2.3`.
    pub(super) source: String,
    /// Date of the snapshot, as written.
    pub(super) date: String,
    /// The same in days since 1970-01-01.
    pub(super) day: i64,
    pub(super) providers: Vec<Provider>,
    /// Source and date of the fallback table that completes it.
    pub(super) fallback: Option<String>,
}

impl Snapshot {
    pub(super) fn embedded() -> Arc<Self> {
        Arc::clone(&EMBEDDED)
    }

    /// With what the embedded fallback table knows besides.
    pub(super) fn completed(mut self) -> Self {
        let other = SECOND.clone();
        for provider in other.providers {
            match self.providers.iter_mut().find(|have| have.id == provider.id) {
                Some(have) => {
                    have.names.extend(provider.names);
                    have.hosts.extend(provider.hosts);
                    have.variants.extend(provider.variants);
                    have.fees.overlay(&provider.fees);
                    have.more = provider.models;
                }
                None => {
                    self.providers.push(Provider { models: Vec::new(), more: provider.models, ..provider });
                }
            }
        }
        self.fallback = Some(format!("{} ({})", other.source, other.date));
        self
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Result<Self, PriceError> {
        let value: Value = serde_json::from_slice(bytes)?;
        let object = Object::new(&value, "", &["format", "source", "date", "providers"])?;
        let format = object.need("format")?.as_u64();
        if format != Some(FORMAT) {
            return Err(PriceError::invalid("format", format!("this version reads format {FORMAT} only")));
        }
        let source = Object::new(object.need("source")?, "source", &["name", "version", "url", "license"])?;
        let date = parse::text(object.need("date")?, "date")?;
        let providers = object.list("providers")?.iter().enumerate();
        Ok(Self {
            source: format!(
                "{} {}",
                parse::text(source.need("name")?, "source.name")?,
                parse::text(source.need("version")?, "source.version")?
            ),
            date: date.to_owned(),
            day: parse::day(date, "date")?,
            fallback: None,
            providers: providers
                .map(|(n, value)| provider(value, &format!("providers[{n}]")))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The provider of that name or id, in lower case.
    pub(super) fn named(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.is_named(name))
    }

    /// The provider that serves that host (lower case, no port) and path.
    pub(super) fn serving(&self, host: &str, path: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.hosts.iter().any(|glob| glob.matches(host, path)))
    }
}

const PROVIDER_KEYS: &[&str] =
    &["id", "names", "hosts", "fallback", "variants", "fees", "reasoning_apart", "models"];

fn provider(value: &Value, path: &str) -> Result<Provider, PriceError> {
    let object = Object::new(value, path, PROVIDER_KEYS)?;
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let models = object.list("models")?.iter().enumerate();
    Ok(Provider {
        id: parse::text(object.need("id")?, &object.at("id"))?.to_owned(),
        names: owned(object.texts("names")?),
        hosts: object.texts("hosts")?.into_iter().map(HostGlob::new).collect(),
        fallback: owned(object.texts("fallback")?),
        variants: parse::variants(&object)?,
        fees: object
            .get("fees")
            .map_or_else(|| Ok(PriceSet::default()), |fees| parse::fees(fees, &object.at("fees")))?,
        reasoning_apart: object.get("reasoning_apart").and_then(Value::as_bool).unwrap_or(false),
        models: models
            .map(|(n, value)| parse::model(value, &format!("{path}.models[{n}]")))
            .collect::<Result<_, _>>()?,
        more: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_snapshot_is_whole() {
        let snapshot = Snapshot::from_slice(SNAPSHOT).unwrap();
        assert!(snapshot.source.starts_with("genai-prices "), "{}", snapshot.source);
        assert!(snapshot.providers.len() > 30);
        assert!(snapshot.providers.iter().map(|p| p.models.len()).sum::<usize>() > 1000);
        assert!(SNAPSHOT.len() < 1_500_000);
        for provider in &snapshot.providers {
            for other in &provider.fallback {
                assert!(snapshot.named(other).is_some(), "{} falls back to unknown {other}", provider.id);
            }
        }
    }

    #[test]
    fn the_fallback_table_is_whole_and_overlaps_no_name() {
        let fallback = Snapshot::from_slice(FALLBACK).unwrap();
        assert!(FALLBACK.len() < 400_000);
        let first = Snapshot::from_slice(SNAPSHOT).unwrap();
        for provider in &fallback.providers {
            assert!(provider.fallback.is_empty() || first.named(&provider.id).is_none(), "{}", provider.id);
            let more = !provider.variants.is_empty() || !provider.fees.0.is_empty();
            assert!(!provider.models.is_empty() || more, "{}", provider.id);
            if first.named(&provider.id).is_none() {
                assert!(!provider.hosts.is_empty(), "{} cannot be found", provider.id);
                assert!(provider.names.iter().all(|name| first.named(name).is_none()), "{}", provider.id);
            }
        }
        let whole = Snapshot::embedded();
        assert!(whole.fallback.as_deref().unwrap().starts_with("litellm "), "{:?}", whole.fallback);
    }

    #[test]
    fn another_format_is_refused() {
        let error = Snapshot::from_slice(br#"{"format": 2}"#).unwrap_err();
        assert_eq!(error.to_string(), "format: this version reads format 1 only");
    }
}
