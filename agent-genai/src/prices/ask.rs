//! What people ask of the table: which entry prices a model and why, why none does, and what there is.

use agent_wire::Nanos;

use super::context::{Circumstances, Context};
use super::entry::Moment;
use super::explain::{self, Explanation};
use super::lookup::{self, Place};
use super::resolve::Layers;
use super::{Entry, PriceTable, names, why};
use crate::call::Call;

impl PriceTable {
    /// The entry that prices `model` of `provider` (a `gen_ai.provider.name`, an id of the table, or the host of its API) at
    /// that time, nanoseconds since 1970 UTC.
    #[must_use]
    pub fn explain(&self, provider: &str, model: &str, unix_nanos: Nanos) -> Option<Explanation> {
        self.explain_as(provider, model, unix_nanos, &Circumstances::default())
    }

    /// The same for calls made in that way; without prices when the entry does not say what such calls cost.
    #[must_use]
    pub fn explain_as(
        &self,
        provider: &str,
        model: &str,
        unix_nanos: Nanos,
        said: &Circumstances,
    ) -> Option<Explanation> {
        let place = self.place(provider);
        let found = self.find(place, &[model])?;
        let context = Context::said(said, place, found.provider(), model);
        Some(self.explained(&found, &[model], self.moment(unix_nanos), &context))
    }

    /// The id in the tables of a provider of that name.
    #[must_use]
    pub fn provider_id(&self, name: &str) -> Option<String> {
        self.snapshot.named(&name.to_lowercase()).map(|provider| provider.id.to_lowercase())
    }

    /// Why [`Self::explain`] finds nothing, in words.
    #[must_use]
    pub fn why_unknown(&self, provider: &str, model: &str) -> String {
        why::unknown(&self.snapshot, self.place(provider), model)
    }

    /// The entry that prices a call.
    #[must_use]
    pub fn explain_call(&self, call: &Call) -> Option<Explanation> {
        let (place, models) = (Place::of(call), lookup::models(call));
        let found = self.find(place, &models)?;
        let context = Context::of(&call.request, &call.response, place, found.provider(), &models);
        Some(self.explained(&found, &models, self.moment(call.timing.start), &context))
    }

    /// Every entry, in the order in which they are tried, with the prices of that time.
    pub fn list(&self, unix_nanos: Nanos) -> impl Iterator<Item = Explanation> {
        let at = self.moment(unix_nanos);
        let plain = move |origin, layers: Layers<'_>| {
            explain::explain(origin, layers, explain::rules(layers.model), at, &Context::default())
        };
        let ours = self.overrides.iter().map(move |entry| {
            let origin = explain::Origin {
                source: "override",
                table: String::new(),
                fallback: None,
                provider: entry.provider.clone().unwrap_or_default(),
            };
            plain(origin, Layers { model: &entry.model, more: None, seller: None, lent: false })
        });
        let listed = self.snapshot.providers.iter().flat_map(move |provider| {
            let first = provider.models.iter().map(|model| (model, false));
            let all = first.chain(provider.more.iter().map(|model| (model, true)));
            all.map(move |(model, second)| {
                let layers = Layers { model, more: None, seller: None, lent: false };
                plain(self.origin(&provider.id, second), layers)
            })
        });
        ours.chain(listed)
    }

    fn explained(&self, found: &Entry<'_>, models: &[&str], at: Moment, context: &Context) -> Explanation {
        match found {
            Entry::Override(found, text) => {
                let origin = explain::Origin {
                    source: "override",
                    table: String::new(),
                    fallback: None,
                    provider: found.provider.clone().unwrap_or_default(),
                };
                let layers = Layers { model: &found.model, more: None, seller: None, lent: false };
                explain::explain(origin, layers, explain::rule(&found.model, text), at, context)
            }
            Entry::Table(found) => {
                let readings = models.iter().flat_map(|model| {
                    names::exact(model, found.provider).into_iter().chain(names::loose(model, found.provider))
                });
                let text = readings.into_iter().find(|text| found.model.rules.find(text).is_some());
                let matched = explain::rule(found.model, &text.unwrap_or_default());
                let origin = self.origin(&found.provider.id, found.second);
                explain::explain(origin, found.layers(), matched, at, context)
            }
        }
    }

    fn origin(&self, provider: &str, second: bool) -> explain::Origin {
        let fallback = self.snapshot.fallback.clone();
        explain::Origin {
            source: "table",
            table: fallback.clone().filter(|_| second).unwrap_or_else(|| self.first_version()),
            fallback,
            provider: provider.to_owned(),
        }
    }

    /// A provider's name, or the host of its API.
    fn place<'p>(&self, provider: &'p str) -> Place<'p> {
        let host = provider.contains('.').then_some(provider).filter(|host| {
            lookup::is_plan(host)
                || lookup::bills_otherwise(host)
                || self.snapshot.serving(&host.to_lowercase(), "/").is_some()
        });
        Place { provider, host, path: "/", home: "openai", upstream: None }
    }
}
