//! What a call costs: an embedded, dated price table, a user's override, and exact decimal arithmetic.
//!
//! The table is a snapshot (`data/prices.json`, its own versioned format) of the facts in
//! [genai-prices](https://github.com/pydantic/genai-prices) (MIT, Pydantic Services Inc.), made by `cargo xtask prices`; what it
//! lacks is in a fallback table (`data/prices_fallback.json`).
//! It lists providers with their names and hosts, and for each the models, in the order in which their rules are tried.
//! An unknown price is unknown, never 0: the quantities are listed and the sum is null.

mod ask;
mod context;
mod cost;
mod entry;
mod error;
mod explain;
mod item;
mod lookup;
mod names;
mod parse;
mod pattern;
mod resolve;
mod table;
mod why;

use std::sync::Arc;

use agent_wire::Nanos;
use serde_json::Value;

pub use self::context::Circumstances;
use self::context::Context;
use self::entry::{Moment, PriceSet};
pub use self::error::PriceError;
pub use self::explain::{Explanation, ItemPrice, Way};
use self::lookup::Place;
use self::parse::{Object, Override};
use self::resolve::Layers;
use self::table::Snapshot;
use crate::call::Call;
use crate::record::{Cost, CostSource};

/// 2020-01-01, before the first LLM API: an earlier time is no time at all (a replay without times).
const FIRST_DAY: i64 = 18_262;

/// Whether a name matches a pattern of the tables' kind (`*` any run, `#` a digit, `!` not), without regard to case.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    pattern::Glob::new(pattern).matches(&name.to_lowercase())
}

/// Prices of models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PriceTable {
    snapshot: Arc<Snapshot>,
    overrides: Arc<[Override]>,
}

/// The entry that prices a call, and whose it is.
enum Entry<'t> {
    Override(&'t Override, String),
    Table(lookup::Found<'t>),
}

impl PriceTable {
    /// The snapshot inside the binary, read once.
    #[must_use]
    pub fn embedded() -> Self {
        Self { snapshot: Snapshot::embedded(), overrides: Arc::new([]) }
    }

    /// A table of the same form as the embedded first one, in its place; what it lacks still comes from the embedded fallback.
    ///
    /// # Errors
    /// When the bytes are no such table, or one without any model.
    pub fn from_table(bytes: &[u8]) -> Result<Self, PriceError> {
        let snapshot = Snapshot::from_slice(bytes)?;
        if snapshot.providers.iter().all(|provider| provider.models.is_empty()) {
            return Err(PriceError::invalid("providers", "not a single model"));
        }
        Ok(Self { snapshot: Arc::new(snapshot.completed()), overrides: Arc::new([]) })
    }

    /// Date of the first table, as `2026-11-23`. Dates so written can be compared as texts.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.snapshot.date
    }

    /// How many models the first table has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.snapshot.providers.iter().map(|provider| provider.models.len()).sum()
    }

    /// This table with a user's prices before it; those of an earlier override are replaced.
    ///
    /// The bytes are JSON of the form
    /// `{"models": [{"match": "my-model*", "provider": "openai", "host": "llm.example", "prices": {"input": 0.5, "output": 2}}]}`.
    /// `match` is a pattern (`*` any run, `#` a digit, `!` not) or a list of which one must match; `provider` and `host` are
    /// optional restrictions; prices are US dollars per million tokens, `requests` and `web_searches` per thousand. A price
    /// may be `{"base": 1, "tiers": [{"above": 200000, "price": 2}]}`, and `prices` a list of
    /// `{"from": "2026-10-31", "prices": {…}}` or `{"utc": ["16:30", "00:30"], "prices": {…}}`, of which the last that
    /// holds counts. `variants` hold prices for calls served in another way:
    /// `[{"when": {"service_tier": "flex"}, "prices": {…}}]`. A subset without a price (say `cache_read`) costs what its
    /// whole costs; the entry is complete in itself and nothing is filled in from the snapshot.
    ///
    /// # Errors
    /// When the bytes are no JSON, have an unknown key, or a value that cannot be right.
    pub fn with_override(self, bytes: &[u8]) -> Result<Self, PriceError> {
        self.with_override_value(&serde_json::from_slice(bytes)?)
    }

    /// The same from a value that is already parsed (from YAML, say).
    ///
    /// # Errors
    /// When there is an unknown key or a value that cannot be right.
    pub fn with_override_value(self, value: &Value) -> Result<Self, PriceError> {
        let object = Object::new(value, "", &["models"])?;
        let models = object.list("models")?.iter().enumerate();
        let overrides = models
            .map(|(n, value)| parse::override_model(value, &format!("models[{n}]")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { snapshot: self.snapshot, overrides: overrides.into() })
    }

    /// Source, version and date of the tables, as `genai-prices 0.2.3 (2026-11-23), then litellm 1.110.2 (2026-11-24)`.
    #[must_use]
    pub fn version(&self) -> String {
        let then = self.snapshot.fallback.iter().map(|fallback| format!(", then {fallback}"));
        std::iter::once(self.first_version()).chain(then).collect()
    }

    fn first_version(&self) -> String {
        format!("{} ({})", self.snapshot.source, self.snapshot.date)
    }

    /// What the call cost, at the prices of its start (nanoseconds since 1970 UTC; an earlier time than any LLM API is taken
    /// for a replay without times, and priced as of the snapshot's date).
    ///
    /// A user's price wins; then the table; a cost that the provider reports stands beside it and counts when there is no
    /// price. Without any reported usage there is nothing to price.
    #[must_use]
    pub fn cost(&self, call: &Call) -> Cost {
        self.cost_at(call, call.timing.start)
    }

    /// [`Self::cost`] at the prices of another time.
    #[must_use]
    pub fn cost_at(&self, call: &Call, unix_nanos: Nanos) -> Cost {
        let provider_usd = call.usage.provider_usd;
        let reported = if provider_usd.is_some() { CostSource::Provider } else { CostSource::None };
        if !call.usage.is_reported() && call.usage.units.is_empty() {
            return Cost { usd: provider_usd, source: reported, provider_usd, lines: Vec::new() };
        }
        let at = self.moment(unix_nanos);
        let (place, models) = (Place::of(call), lookup::models(call));
        let entry = self.find(place, &models);
        let provider = entry.as_ref().map_or("", Entry::provider);
        let context = Context::of(&call.request, &call.response, place, provider, &models);
        let prices = entry.as_ref().map(|entry| entry.prices(at, &context));
        let unpriced_tier = matches!(prices, Some(None));
        let (mut lines, mut total) = cost::lines(call, prices.flatten().as_ref());
        let apart = matches!(&entry, Some(Entry::Table(found)) if found.seller.reasoning_apart);
        if let Some(reasoning) = call.usage.reasoning.filter(|tokens| apart && *tokens > 0) {
            lines.push(cost::apart_line(reasoning));
            total = None;
        }
        if let Some(tier) = context.tier.filter(|_| unpriced_tier) {
            lines.push(cost::tier_line(&tier));
        }
        let (usd, source) = match (total, entry) {
            (Some(total), Some(Entry::Override(..))) => (Some(total), CostSource::Override),
            (Some(total), Some(Entry::Table(_))) => (Some(total), CostSource::Table),
            _ => (provider_usd, reported),
        };
        Cost { usd: usd.map(|usd| usd.normalize()), source, provider_usd, lines }
    }

    fn moment(&self, unix_nanos: Nanos) -> Moment {
        let at = Moment::from_unix_nanos(unix_nanos);
        if at.day < FIRST_DAY { Moment { day: self.snapshot.day, minute: 0 } } else { at }
    }

    fn find(&self, place: Place<'_>, models: &[&str]) -> Option<Entry<'_>> {
        self.find_override(place, models).or_else(|| self.snapshot.find(place, models).map(Entry::Table))
    }

    fn find_override(&self, place: Place<'_>, models: &[&str]) -> Option<Entry<'_>> {
        let host = place.host.map(str::to_lowercase);
        let provider = place.provider.to_lowercase();
        let serving = host.as_deref().and_then(|host| self.snapshot.serving(host, place.path));
        self.overrides.iter().find_map(|entry| {
            let provider_fits = entry.provider.as_deref().is_none_or(|wanted| {
                wanted == provider
                    || serving.is_some_and(|found| found.is_named(wanted))
                    || self.snapshot.named(&provider).is_some_and(|found| found.is_named(wanted))
            });
            let host_fits = entry
                .host
                .as_ref()
                .is_none_or(|glob| host.as_deref().is_some_and(|host| glob.matches(host, place.path)));
            let text = models.iter().map(|model| model.trim().to_lowercase());
            let matched = text.into_iter().find(|text| entry.model.rules.find(text).is_some());
            matched.filter(|_| provider_fits && host_fits).map(|text| Entry::Override(entry, text))
        })
    }
}

impl Entry<'_> {
    /// Id of the provider whose prices these are; empty for an override.
    fn provider(&self) -> &str {
        match self {
            Self::Override(..) => "",
            Self::Table(found) => &found.provider.id,
        }
    }

    /// The prices for that time and way of serving; `None` when it says nothing about calls served in that tier.
    fn prices(&self, at: Moment, context: &Context) -> Option<PriceSet> {
        match self {
            // The user's price is the user's word, in every tier that has no price of its own.
            Self::Override(entry, _) => {
                let layers = Layers { model: &entry.model, more: None, seller: None, lent: false };
                Some(layers.prices(at, context).unwrap_or_else(|| entry.model.standard(at)))
            }
            Self::Table(found) => found.layers().prices(at, context),
        }
    }
}
