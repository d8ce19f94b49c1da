//! Which entry of the table a call is priced by.
//!
//! The host names the provider before the provider's name does, because the name can be no more than the flavour of the
//! wire API (`openai` for every compatible server). Behind a host that nobody knows (a gateway, localhost) only the models
//! that cannot run just anywhere are taken to be what they say: see [`Snapshot::guesses`].

use std::sync::LazyLock;

use super::entry::Model;
use super::names::{exact, loose};
use super::pattern::Glob;
use super::resolve::Layers;
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

/// Sellers with bills of their own: where the table does not know them, the maker's price would be a wrong guess.
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

/// Hosts that bill in a currency of their own, at other prices than the same seller's in the table.
const OTHER_CURRENCY: &[&str] = &["dashscope.aliyuncs.com"];

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
    /// The server that a router handed the call to, if it says so.
    pub(super) upstream: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub(super) fn of(call: &'a Call) -> Self {
        let home = registry::spec(call.api).map_or("", |spec| spec.flavour);
        Self {
            provider: &call.provider,
            host: call.http.server_address.as_deref(),
            path: &call.http.path,
            home,
            upstream: call.response.upstream.as_deref(),
        }
    }
}

/// The models of a call, the one that answered first.
pub(super) fn models(call: &Call) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let answered = call.response.model.as_ref();
    let asked = call
        .request
        .model
        .as_ref()
        .filter(|asked| !answered.is_some_and(|answered| is_another(answered, asked)));
    for model in [answered, asked].into_iter().flatten() {
        if !model.is_empty() && !found.contains(&model.as_str()) {
            found.push(model);
        }
    }
    found
}

/// Whether a router had another maker's model answer: what was asked for then says nothing about the price.
fn is_another(answered: &str, asked: &str) -> bool {
    let parts = |name: &str| {
        let name = name.to_lowercase();
        name.split_once('/')
            .map_or_else(|| (None, name.clone()), |(slug, base)| (Some(slug.to_owned()), base.to_owned()))
    };
    let ((maker, base), (other, asked)) = (parts(answered), parts(asked));
    maker.is_some() && maker != other && base != asked && !base.starts_with(&asked)
}

/// What was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'t> {
    /// Whose table the entry is in.
    pub(super) provider: &'t Provider,
    pub(super) model: &'t Model,
    /// The entry was lent by another provider: prices for special tiers do not hold.
    pub(super) lent: bool,
    /// The entry is the fallback table's.
    pub(super) second: bool,
    /// What the fallback table says of the same model.
    pub(super) more: Option<&'t Model>,
    /// The provider that was called.
    pub(super) seller: &'t Provider,
}

impl<'t> Found<'t> {
    /// The entries that make the prices.
    pub(super) const fn layers(&self) -> Layers<'t> {
        Layers { model: self.model, more: self.more, seller: Some(self.seller), lent: self.lent }
    }
}

/// Hosts that send a call on to a server which the answer names, or the request behind the model's name (`model:groq`), and
/// what the table calls those.
const ROUTERS: &[(&str, &str)] = &[("router.huggingface.co", "huggingface_")];

impl Snapshot {
    /// The entry for the first of the models that has one.
    pub(super) fn find(&self, place: Place<'_>, models: &[&str]) -> Option<Found<'_>> {
        let routed = self.routed(place, models);
        let (known, guessed) = if routed.is_some() { (routed, false) } else { self.candidates(place) };
        let guessable: Vec<&str> = models.iter().copied().filter(|model| !anybody_serves(model)).collect();
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

    /// The server that a router says it sent the call to, else the one that it was told to.
    fn routed(&self, place: Place<'_>, models: &[&str]) -> Option<&Provider> {
        let host = place.host?;
        let (_, prefix) = ROUTERS.iter().find(|(router, _)| host.eq_ignore_ascii_case(router))?;
        let asked = models.iter().filter_map(|model| model.rsplit_once(':')).map(|(_, server)| server);
        let mut servers = place.upstream.into_iter().chain(asked);
        servers.find_map(|server| self.named(&format!("{prefix}{server}").to_lowercase()))
    }

    /// The provider that is certain, or whether it must be guessed.
    fn candidates(&self, place: Place<'_>) -> (Option<&Provider>, bool) {
        let host = place.host.map(str::to_lowercase);
        if let Some(provider) = host.as_deref().and_then(|host| self.serving(host, place.path)) {
            return (Some(provider), false);
        }
        if host.as_deref().is_some_and(|host| is_plan(host) || bills_otherwise(host)) {
            return (None, false);
        }
        let name = place.provider.to_lowercase();
        if is_self_hosted(&name) {
            return (None, false);
        }
        match self.named(&name) {
            // Without a host the name is all there is; with one that nobody knows, the flavour's name says nothing.
            Some(provider) if host.is_none() || !provider.is_named(place.home) => (Some(provider), false),
            None if is_seller(&name) => (None, false),
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
        let first = models.iter().find_map(|model| {
            let texts = readings(model, provider);
            let own = |list: &'s [Model], second| {
                let found = texts.iter().find_map(|text| in_list(list, text))?;
                Some((provider, found, false, second))
            };
            // A gateway of the fallback table has prices of its own, which come before those that it passes on.
            let gateway = provider.models.is_empty();
            let lent = || {
                let lenders = provider.fallback.iter().filter_map(|id| self.named(id));
                lenders.filter(|_| !gateway || !anybody_serves(model)).find_map(|owner| {
                    // As the gateway writes it, and as the lender does.
                    let mut texts = texts.clone();
                    texts.extend(readings(model, owner));
                    let found = texts.iter().find_map(|text| in_list(&owner.models, text))?;
                    Some((owner, found, true, false))
                })
            };
            let second = || own(&provider.more, true);
            let own = own(&provider.models, false);
            if gateway { own.or_else(second).or_else(lent) } else { own.or_else(lent).or_else(second) }
        });
        let (owner, model, lent, second) = first?;
        let more = (!second)
            .then(|| {
                let texts = models
                    .iter()
                    .flat_map(|model| exact(model, provider).into_iter().chain(loose(model, provider)));
                texts.into_iter().find_map(|text| in_list(&provider.more, &text))
            })
            .flatten();
        Some(Found { provider: owner, model, lent, second, more, seller: provider })
    }
}

/// Whether calls to that host (in lower case) are paid by a plan.
pub(super) fn is_plan(host: &str) -> bool {
    PLANS.contains(&host)
}

/// Whether that host (in lower case) bills in another currency than the table's.
pub(super) fn bills_otherwise(host: &str) -> bool {
    OTHER_CURRENCY.contains(&host)
}

/// Whether that provider (in lower case) is what people run themselves.
pub(super) fn is_self_hosted(name: &str) -> bool {
    SELF_HOSTED.contains(&name)
}

/// Whether that provider (in lower case) sells at prices of its own.
pub(super) fn is_seller(name: &str) -> bool {
    SELLERS.contains(&name)
}

/// Whether the name does not tell who serves the model.
fn anybody_serves(model: &str) -> bool {
    let model = model.to_lowercase();
    OPEN_WEIGHTS.iter().any(|glob| glob.matches(&model))
}

fn in_list<'m>(models: &'m [Model], text: &str) -> Option<&'m Model> {
    models.iter().find(|model| model.rules.find(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(provider: &str, host: Option<&str>, models: &[&str]) -> Option<(String, String, bool)> {
        let snapshot = Snapshot::embedded();
        let place = Place { provider, host, path: "/v1/chat/completions", home: "openai", upstream: None };
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
        assert!(id("alibaba", Some("dashscope-intl.aliyuncs.com"), &["qwen3-vl-plus"]).is_some());
        assert_eq!(id("alibaba", Some("dashscope.aliyuncs.com"), &["qwen3-vl-plus"]), None);
    }

    #[test]
    fn dates_that_the_table_does_not_list_are_left_out() {
        assert_eq!(id("openai", None, &["gpt-4o-mini-20240718"]), found("openai", "gpt-4o-mini", false));
        assert_eq!(id("openai", None, &["gpt-4.1-2031-01-31"]), found("openai", "gpt-4.1", false));
    }

    #[test]
    fn another_makers_answer_is_not_priced_by_what_was_asked_for() {
        assert!(is_another("x-ai/grok-4", "google/gemini-2.0-flash-exp:free"));
        assert!(is_another("moonshotai/kimi-k2", "gpt-4.1-mini"));
        assert!(!is_another("anthropic/claude-4.5-haiku-20251001", "anthropic/claude-haiku-4.5"));
        assert!(!is_another("openai/gpt-4o-2024-08-06", "gpt-4o"));
        assert!(!is_another("gpt-4o-2024-08-06", "deployment-1"));
    }

    #[test]
    fn a_router_names_the_server_behind_a_colon() {
        let hugging_face = Some("router.huggingface.co");
        let model = ["qwen/qwen3-32b", "Qwen/Qwen3-32B:groq"];
        assert_eq!(id("huggingface", hugging_face, &model).map(|f| f.0), Some("huggingface_groq".to_owned()));
        let place = Place {
            provider: "huggingface",
            host: hugging_face,
            path: "/v1/chat/completions",
            home: "openai",
            upstream: Some("Groq"),
        };
        assert!(Snapshot::embedded().find(place, &["Qwen/Qwen3-32B"]).is_some());
        assert_eq!(id("huggingface", hugging_face, &["Qwen/Qwen3-32B"]), None);
        assert_eq!(id("huggingface", hugging_face, &["Qwen/Qwen3-32B:nobody"]), None);
    }

    #[test]
    fn a_gateway_passes_on_the_prices_of_makers_whose_models_cost_the_same_everywhere() {
        let gateway = Some("ai-gateway.vercel.sh");
        assert!(id("vercel", gateway, &["anthropic/claude-3-haiku"]).is_some());
        assert_eq!(id("vercel", gateway, &["openai/gpt-4o-2024-08-06"]), found("openai", "gpt-4o", true));
        assert_eq!(id("vercel", gateway, &["google/gemma-3-4b-it"]), None);
    }

    #[test]
    fn the_fallback_table_comes_last_and_completes_the_first() {
        let snapshot = Snapshot::embedded();
        let find = |provider, model| {
            let place = Place { provider, host: None, path: "/", home: "openai", upstream: None };
            snapshot.find(place, &[model]).unwrap()
        };
        assert!(find("cohere", "rerank-v3.5").second);
        let completed = find("anthropic", "claude-opus-4-6");
        assert!(!completed.second && completed.more.is_some());
        assert!(find("anthropic", "claude-3-haiku-20240307").more.is_none());
    }
}
