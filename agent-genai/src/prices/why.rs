//! Why a model has no price, in words.

use super::lookup::{Place, bills_otherwise, is_plan, is_self_hosted, is_seller};
use super::table::{Provider, Snapshot};

/// Most names that are shown as near.
const NEAR: usize = 3;

/// The reason that no entry prices `model` at that place.
pub(super) fn unknown(snapshot: &Snapshot, place: Place<'_>, model: &str) -> String {
    let name = place.provider.to_lowercase();
    let host = place.host.map(str::to_lowercase);
    if host.as_deref().is_some_and(is_plan) {
        return "calls to this host are paid by a plan: their tokens have no price of their own".to_owned();
    }
    if host.as_deref().is_some_and(bills_otherwise) {
        return "this host bills in a currency of its own, at other prices than those in the tables"
            .to_owned();
    }
    if is_self_hosted(&name) {
        return format!("`{name}` runs on machines of one's own, which no price list knows");
    }
    let provider =
        host.as_deref().and_then(|host| snapshot.serving(host, place.path)).or_else(|| snapshot.named(&name));
    match provider {
        Some(provider) => {
            let count = provider.models.len() + provider.more.len();
            let near = near(provider, model);
            let near = if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) };
            format!(
                "the tables have {count} models of `{}`, and none of them is called so{near}",
                provider.id
            )
        }
        None if is_seller(&name) => {
            format!("`{name}` sells at prices of its own, which the tables do not have")
        }
        None => format!("the tables know no provider and no host `{}`", place.provider),
    }
}

/// Names of the provider's models that look like it.
fn near(provider: &Provider, model: &str) -> Vec<String> {
    let wanted = model.to_lowercase();
    let ids = provider.models.iter().chain(&provider.more).map(|model| model.id.as_str());
    let mut found: Vec<(usize, &str)> = ids
        .filter(|id| id.len() <= 100)
        .map(|id| (strsim::damerau_levenshtein(&wanted, &id.to_lowercase()), id))
        .filter(|(distance, id)| *distance <= id.len().min(wanted.len()).div_ceil(3))
        .collect();
    found.sort_unstable();
    found.dedup_by_key(|(_, id)| *id);
    found.into_iter().take(NEAR).map(|(_, id)| id.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(provider: &str, host: Option<&str>, model: &str) -> String {
        unknown(
            &Snapshot::embedded(),
            Place { provider, host, path: "/", home: "openai", upstream: None },
            model,
        )
    }

    #[test]
    fn each_reason_has_its_words() {
        let near = why("openai", None, "gpt-4o-mimi");
        assert!(near.contains("near: gpt-4o-mini"), "{near}");
        assert!(why("ollama", None, "llama3").contains("machines of one's own"));
        assert!(why("openai", Some("chatgpt.com"), "gpt-5").contains("paid by a plan"));
        assert!(why("pollinations", None, "openai").contains("prices of its own"));
        assert!(why("alibaba", Some("dashscope.aliyuncs.com"), "qwen-max").contains("currency"));
        assert!(why("nobody", None, "x").contains("know no provider"));
    }
}
