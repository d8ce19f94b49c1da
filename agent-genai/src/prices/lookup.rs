//! Which entry of the table a call is priced by.
//!
//! The host names the provider before the provider's name does, because the name can be no more than the flavour of the
//! wire API (`openai` for every compatible server). Behind a host that nobody knows (a gateway, localhost) only the models
//! that cannot run just anywhere are taken to be what they say: see [`Snapshot::guesses`].

use std::sync::LazyLock;

use super::entry::Model;
use super::pattern::Glob;
use super::table::{Provider, Snapshot};
use crate::call::Call;
use crate::codec::registry;

/// Runtimes that people run themselves: what a call to them costs is in no price list.
const SELF_HOSTED: &[&str] = &[
    "ollama",
    "vllm",
    "llama.cpp",
    "llamacpp",
    "llama_cpp",
    "lmstudio",
    "lm_studio",
    "sglang",
    "tgi",
    "localai",
    "gpustack",
];

/// Sellers with bills of their own that the table does not know: the maker's price would be a wrong guess.
const SELLERS: &[&str] = &[
    "snowflake",
    "databricks",
    "github",
    "heroku",
    "pollinations",
    "huggingface",
    "nvidia",
    "ibm.watsonx.ai",
];

/// Hosts whose calls are paid by a plan: the tokens have no price of their own.
const PLANS: &[&str] = &["chatgpt.com"];

/// Makers of open models: as a slug (`mistral/…`) the name may say who made the model, not who serves it.
const AUTHORS: &[&str] =
    &["arcee", "cohere", "deepseek", "meta", "minimax", "mistral", "moonshotai", "zai", "zhipuai"];

/// Models that anybody can serve: their name does not tell whose price holds.
static OPEN_WEIGHTS: LazyLock<[Glob; 2]> = LazyLock::new(|| [Glob::new("*gpt-oss*"), Glob::new("*gemma*")]);

/// Providers whose models are served only by themselves and by those who resell them at the same price.
const HOMES: [&str; 3] = ["openai", "anthropic", "google"];

/// Where a call went, as far as prices are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// `gen_ai.provider.name`.
    pub(super) provider: &'a str,
    /// Host, if known.
    pub(super) host: Option<&'a str>,
    /// Path of the request.
    pub(super) path: &'a str,
    /// The provider that the wire API comes from.
    pub(super) home: &'static str,
}

impl<'a> Place<'a> {
    pub(super) fn of(call: &'a Call) -> Self {
        let home = registry::spec(call.api).map_or("", |spec| spec.flavour);
        Self {
            provider: &call.provider,
            host: call.http.server_address.as_deref(),
            path: &call.http.path,
            home,
        }
    }
}

/// The models of a call, the one that answered first.
pub(super) fn models(call: &Call) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for model in [&call.response.model, &call.request.model].into_iter().flatten() {
        if !model.is_empty() && !found.contains(&model.as_str()) {
            found.push(model);
        }
    }
    found
}

/// What was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'t> {
    /// Whose table the entry is in.
    pub(super) provider: &'t Provider,
    pub(super) model: &'t Model,
    /// The entry was lent by another provider: prices for special tiers do not hold.
    pub(super) lent: bool,
}

impl Snapshot {
    /// The entry for the first of the models that has one.
    pub(super) fn find(&self, place: Place<'_>, models: &[&str]) -> Option<Found<'_>> {
        let (known, guessed) = self.candidates(place);
        let guess_allowed =
            |model: &str| !OPEN_WEIGHTS.iter().any(|glob| glob.matches(&model.to_lowercase()));
        let guessable: Vec<&str> = models.iter().copied().filter(|model| guess_allowed(model)).collect();
        for readings in [exact as fn(&str, &Provider) -> Vec<String>, loose] {
            let certain = known.and_then(|provider| self.find_in(provider, models, readings));
            if certain.is_some() {
                return certain;
            }
            let guesses = self.guesses(guessed, place.home, &guessable);
            let found = guesses.into_iter().find_map(|provider| self.find_in(provider, &guessable, readings));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The provider that is certain, or whether it must be guessed.
    fn candidates(&self, place: Place<'_>) -> (Option<&Provider>, bool) {
        let host = place.host.map(str::to_lowercase);
        if let Some(provider) = host.as_deref().and_then(|host| self.serving(host, place.path)) {
            return (Some(provider), false);
        }
        if host.as_deref().is_some_and(|host| PLANS.contains(&host)) {
            return (None, false);
        }
        let name = place.provider.to_lowercase();
        if SELF_HOSTED.contains(&name.as_str()) {
            return (None, false);
        }
        match self.named(&name) {
            // Without a host the name is all there is; with one that nobody knows, the flavour's name says nothing.
            Some(provider) if host.is_none() || provider.id != place.home => (Some(provider), false),
            None if SELLERS.contains(&name.as_str()) => (None, false),
            _ => (None, true),
        }
    }

    /// Providers to try when nobody knows the host: the one that a slug names (`anthropic/claude-…`), the home of the wire
    /// API, then the others whose models are served nowhere else under the same name.
    fn guesses<'s>(&'s self, wanted: bool, home: &'s str, models: &[&str]) -> Vec<&'s Provider> {
        if !wanted {
            return Vec::new();
        }
        let slugs =
            models.iter().filter_map(|model| model.split_once('/')).map(|(slug, _)| slug.to_lowercase());
        let mut found: Vec<&Provider> = slugs.filter_map(|slug| self.named(&slug)).collect();
        found.retain(|provider| !AUTHORS.contains(&provider.id.as_str()));
        for id in std::iter::once(home).chain(HOMES) {
            found.extend(self.named(id));
        }
        found
    }

    fn find_in<'s>(
        &'s self,
        provider: &'s Provider,
        models: &[&str],
        readings: fn(&str, &Provider) -> Vec<String>,
    ) -> Option<Found<'s>> {
        let lenders = provider.fallback.iter().filter_map(|id| self.named(id));
        models.iter().flat_map(|model| readings(model, provider)).find_map(|text| {
            std::iter::once((provider, false)).chain(lenders.clone().map(|lender| (lender, true))).find_map(
                |(owner, lent)| {
                    let model = owner.models.iter().find(|model| model.rules.find(&text).is_some())?;
                    Some(Found { provider: owner, model, lent })
                },
            )
        })
    }
}

/// Ways to read a model's name that lose nothing: as it is, with a compact date spelt out, without the provider's slug or
/// the resource prefix of Google's APIs.
pub(super) fn exact(model: &str, provider: &Provider) -> Vec<String> {
    let lower = model.trim().to_lowercase();
    let mut found = vec![lower.clone()];
    if let Some((slug, rest)) = lower.split_once('/')
        && (provider.is_named(slug) || slug == "models")
    {
        found.push(rest.to_owned());
    }
    let dashed: Vec<String> = found.iter().filter_map(|text| dashed_date(text)).collect();
    found.extend(dashed);
    found
}

/// Without the date of a snapshot that the table does not list: the model's own price then holds.
pub(super) fn loose(model: &str, provider: &Provider) -> Vec<String> {
    exact(model, provider).iter().filter_map(|text| undated(text)).collect()
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

    fn id(provider: &str, host: Option<&str>, models: &[&str]) -> Option<(String, String, bool)> {
        let snapshot = Snapshot::embedded();
        let place = Place { provider, host, path: "/v1/chat/completions", home: "openai" };
        snapshot.find(place, models).map(|f| (f.provider.id.clone(), f.model.id.clone(), f.lent))
    }

    fn found(provider: &str, model: &str, lent: bool) -> Option<(String, String, bool)> {
        Some((provider.to_owned(), model.to_owned(), lent))
    }

    #[test]
    fn the_host_decides_before_the_name() {
        assert_eq!(
            id("openai", Some("api.groq.com"), &["llama-3.3-70b-versatile"]).map(|f| f.0),
            Some("groq".to_owned())
        );
        assert_eq!(
            id("openai", Some("api.openai.com"), &["gpt-4o-mini-2024-07-18"]),
            found("openai", "gpt-4o-mini", false)
        );
        assert_eq!(
            id("openai", Some("openrouter.ai"), &["openai/gpt-4o-mini"]).map(|f| f.0),
            Some("openrouter".to_owned())
        );
    }

    #[test]
    fn the_model_that_answered_comes_first() {
        assert_eq!(
            id("openai", None, &["gpt-4o-2024-05-13", "gpt-4o"]),
            found("openai", "gpt-4o-2024-05-13", false)
        );
        assert_eq!(
            id("azure.ai.openai", None, &["unheard-of", "gpt-4.1-mini"]),
            found("openai", "gpt-4.1-mini", true)
        );
    }

    #[test]
    fn an_unknown_host_is_priced_only_by_models_that_run_nowhere_else() {
        let gateway = Some("llm.corp.example");
        assert_eq!(id("openai", gateway, &["gpt-4o-mini"]), found("openai", "gpt-4o-mini", false));
        assert_eq!(
            id("litellm", gateway, &["anthropic/claude-3-haiku-20240307"]),
            found("anthropic", "claude-3-haiku", false)
        );
        assert_eq!(
            id("openai", gateway, &["claude-3-haiku-20240307"]),
            found("anthropic", "claude-3-haiku", false)
        );
        assert_eq!(id("openai", gateway, &["gpt-oss-20b"]), None);
        assert_eq!(id("openai", gateway, &["deepseek-chat"]), None);
        assert_eq!(id("vercel", gateway, &["deepseek/deepseek-chat"]), None);
        assert_eq!(id("snowflake", gateway, &["claude-3-haiku-20240307"]), None);
        assert_eq!(id("openai", Some("chatgpt.com"), &["gpt-5"]), None);
        assert_eq!(
            id("litellm", gateway, &["groq/llama-3.3-70b-versatile"]).map(|f| f.0),
            Some("groq".to_owned())
        );
        assert_eq!(id("ollama", Some("localhost"), &["gpt-4o-mini"]), None);
    }

    #[test]
    fn dates_are_read_in_every_usual_spelling() {
        assert_eq!(id("openai", None, &["gpt-4o-mini-20240718"]), found("openai", "gpt-4o-mini", false));
        assert_eq!(id("openai", None, &["gpt-4.1-2031-01-31"]), found("openai", "gpt-4.1", false));
        assert_eq!(undated("claude-x@20250101").as_deref(), Some("claude-x"));
        assert_eq!(undated("gpt-4-0613"), None);
        assert_eq!(undated("a-2025-13-01"), None);
        assert_eq!(dashed_date("x-20251211").as_deref(), Some("x-2025-12-11"));
        assert_eq!(dashed_date("x-é0251211"), None);
    }
}
