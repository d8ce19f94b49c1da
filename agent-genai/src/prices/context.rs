//! How a call was made, as far as prices depend on it: its service tier, the region that served it, the size of its search.

use crate::call::{Request, Response};

use super::lookup::Place;
use super::names;

/// Tiers that are the ordinary way to be served; anything else has a price of its own.
const STANDARD: &[&str] = &[
    "",
    "auto",
    "default",
    "standard",
    "standard_only",
    "on_demand",
    "unspecified",
    "traffic_type_unspecified",
];

/// How a call was made, for [`super::PriceTable::explain_as`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Service tier, as the provider names it: `flex`, `priority`, `batch`, `fast`.
    pub tier: Option<String>,
    /// Where it was served: `us`, `eu-west-1`, `regional`.
    pub region: Option<String>,
    /// How much was searched for it: `low`, `medium`, `high`.
    pub search_context: Option<String>,
}

/// What of a call's circumstances prices may depend on. The keys are those of a variant's `when`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The special tier that the call was served in, if any.
    pub(super) tier: Option<String>,
    pairs: Vec<(&'static str, String)>,
}

impl Context {
    /// Of a call to that place, priced by that provider.
    pub(super) fn of(
        request: &Request,
        response: &Response,
        place: Place<'_>,
        provider: &str,
        models: &[&str],
    ) -> Self {
        let tier = special_tier(request, response);
        let mut found = Self::of_tier(tier);
        let said = response.region.clone();
        for region in regions(provider, place.host, models).into_iter().chain(said) {
            found.add("region", &region);
        }
        if let Some(size) = &response.search_context {
            found.add("search_context", size);
        }
        found
    }

    /// One more circumstance.
    pub(super) fn add(&mut self, key: &'static str, value: &str) {
        self.pairs.push((key, value.to_lowercase()));
    }

    /// Of what a user says.
    pub(super) fn said(said: &Circumstances, place: Place<'_>, provider: &str, model: &str) -> Self {
        let response = Response {
            service_tier: said.tier.clone(),
            region: said.region.clone(),
            search_context: said.search_context.clone(),
            ..Response::default()
        };
        Self::of(&Request::default(), &response, place, provider, &[model])
    }

    /// Of a tier alone.
    pub(super) fn of_tier(tier: Option<String>) -> Self {
        let mut pairs = Vec::new();
        if let Some(tier) = &tier {
            match tier.as_str() {
                "batch" => pairs.push(("processing", "batch".to_owned())),
                "fast" => pairs.push(("speed", "fast".to_owned())),
                _ => {}
            }
            pairs.push(("service_tier", tier.clone()));
        }
        Self { tier, pairs }
    }

    /// Whether the call was made in that way.
    pub(super) fn has(&self, key: &str, value: &str) -> bool {
        self.pairs.iter().any(|(have, is)| *have == key && is == value)
    }
}

/// What the response says, else what the request asked for; a speed counts as a tier of that name.
fn special_tier(request: &Request, response: &Response) -> Option<String> {
    let said =
        |tier: &Option<String>| tier.as_deref().map(plain).filter(|tier| !tier.is_empty() && tier != "auto");
    let special = |tier: &String| !STANDARD.contains(&tier.as_str());
    let served = said(&response.service_tier).or_else(|| said(&request.service_tier));
    let speed = said(&response.speed).or_else(|| said(&request.speed));
    served.filter(special).or_else(|| speed.filter(special))
}

/// The provider's word in the table's: `ON_DEMAND_PRIORITY` and `SERVICE_TIER_PRIORITY` (Google) are `priority`.
fn plain(tier: &str) -> String {
    let tier = tier.trim().to_lowercase().replace('-', "_");
    let bare = tier.strip_prefix("on_demand_").or_else(|| tier.strip_prefix("service_tier_"));
    bare.map_or_else(|| tier.clone(), str::to_owned)
}

/// Where the call was served, in the words of that provider's prices: the region of the host or of the model's name.
fn regions(provider: &str, host: Option<&str>, models: &[&str]) -> Vec<String> {
    let host = host.unwrap_or_default().to_lowercase();
    match provider {
        // `us.anthropic.…` is served across regions; else the host names the region.
        "aws" => match models
            .iter()
            .find_map(|model| names::profile(&names::decoded(model).to_lowercase()).map(|(region, _)| region))
        {
            Some(region) => vec![region.to_owned()],
            None => host
                .split('.')
                .nth(1)
                .filter(|part| part.contains('-'))
                .map(str::to_owned)
                .into_iter()
                .collect(),
        },
        // `us.api.openai.com`: data residency.
        "openai" => {
            let region = host.strip_suffix(".api.openai.com").filter(|region| !region.contains('.'));
            region.map(str::to_owned).into_iter().collect()
        }
        // `us-east5-aiplatform.googleapis.com`, `aiplatform.eu.rep.googleapis.com`: not the global endpoint.
        "google" => {
            let place = host.strip_suffix("-aiplatform.googleapis.com").or_else(|| {
                host.strip_prefix("aiplatform.").and_then(|rest| rest.strip_suffix(".rep.googleapis.com"))
            });
            place.into_iter().flat_map(|place| [place.to_owned(), "regional".to_owned()]).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_special_tiers_count() {
        let tier = |asked: Option<&str>, speed: Option<&str>, served: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let request = Request { service_tier: owned(asked), speed: owned(speed), ..Request::default() };
            special_tier(&request, &Response { service_tier: owned(served), ..Response::default() })
        };
        assert_eq!(tier(Some("flex"), None, Some("default")), None);
        assert_eq!(tier(Some("auto"), None, None), None);
        assert_eq!(tier(Some("flex"), None, Some("auto")).as_deref(), Some("flex"));
        assert_eq!(tier(None, None, Some("Priority")).as_deref(), Some("priority"));
        assert_eq!(tier(None, Some("fast"), Some("standard")).as_deref(), Some("fast"));
        assert_eq!(tier(None, Some("standard"), None), None);
        assert_eq!(tier(None, None, Some("ON_DEMAND")), None);
        assert_eq!(tier(None, None, Some("ON_DEMAND_PRIORITY")).as_deref(), Some("priority"));
        assert_eq!(
            tier(None, None, Some("PROVISIONED_THROUGHPUT")).as_deref(),
            Some("provisioned_throughput")
        );
        let request = Request { speed: Some("fast".to_owned()), ..Request::default() };
        let response = Response { speed: Some("standard".to_owned()), ..Response::default() };
        assert_eq!(special_tier(&request, &response), None);
    }

    #[test]
    fn regions_are_read_from_hosts_and_names() {
        let of = |provider, host, model: &str| regions(provider, Some(host), &[model]).join(" ");
        assert_eq!(
            of("aws", "bedrock-runtime.eu-west-1.amazonaws.com", "amazon.nova-lite-v1:0"),
            "eu-west-1"
        );
        assert_eq!(of("aws", "bedrock-runtime.eu-west-1.amazonaws.com", "EU.amazon.nova-lite-v1:0"), "eu");
        assert_eq!(of("openai", "eu.api.openai.com", "gpt"), "eu");
        assert_eq!(of("openai", "api.openai.com", "gpt"), "");
        assert_eq!(of("google", "us-east5-aiplatform.googleapis.com", "x"), "us-east5 regional");
        assert_eq!(of("google", "aiplatform.eu.rep.googleapis.com", "x"), "eu regional");
        assert_eq!(of("google", "aiplatform.googleapis.com", "x"), "");
        assert_eq!(of("google", "generativelanguage.googleapis.com", "x"), "");
    }
}
