//! Which entry a model is priced by, for people to read.

use rust_decimal::Decimal;
use serde::Serialize;

use super::context::Context;
use super::entry::{Change, Condition, Model, Moment, Price, PriceSet, Variant};
use super::item::Item;
use super::resolve::Layers;

/// The entry that prices a model at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// `override` or `table`.
    pub source: &'static str,
    /// Source and version of the table, as `genai-prices 0.2.3`; empty for an override.
    pub table: String,
    /// The fallback table, when it adds units or ways of being served that the first one lacks.
    pub completed_by: Option<String>,
    /// Provider whose entry it is; empty for an override that names none.
    pub provider: String,
    /// The entry's id.
    pub model: String,
    /// The rule that matched, as written in the table; every rule in a list of models.
    pub matched: String,
    /// Since when these prices hold (days since 1970-01-01, UTC), when the entry says.
    pub since_day: Option<i64>,
    /// The prices, in the table's order; empty when none are known for calls made in the way asked for.
    pub prices: Vec<ItemPrice>,
    /// Ways of being served that have other prices, as `service_tier=flex`, whether or not they hold at this time.
    pub variants: Vec<String>,
    /// The same with what they cost.
    pub ways: Vec<Way>,
    /// What the model also bills, which a call does not count.
    pub also: Vec<String>,
    /// Where the entry is from, in words, when it is not from the table's own source.
    pub from: Option<String>,
}

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemPrice {
    /// Item.
    pub item: &'static str,
    /// What the price is for, as `USD per million tokens`.
    pub unit: &'static str,
    /// Price, or the price up to the first bound.
    pub usd: Decimal,
    /// (bound, price): above so many input tokens all tokens of the call have this price.
    pub tiers: Vec<(u64, Decimal)>,
}

/// What calls made in a certain way cost instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// As `service_tier=flex`.
    pub when: String,
    /// Since when (days since 1970-01-01, UTC), when the entry says.
    pub since_day: Option<i64>,
    /// The prices that replace ordinary ones.
    pub prices: Vec<ItemPrice>,
    /// What the prices of tokens are multiplied by.
    pub times: Option<Decimal>,
}

/// Whose entry it is.
pub(super) struct Origin {
    pub(super) source: &'static str,
    pub(super) table: String,
    pub(super) fallback: Option<String>,
    pub(super) provider: String,
}

pub(super) fn explain(
    origin: Origin,
    layers: Layers<'_>,
    matched: String,
    at: Moment,
    context: &Context,
) -> Explanation {
    let model = layers.model;
    let completing = layers.completing(at);
    Explanation {
        source: origin.source,
        table: origin.table,
        completed_by: origin.fallback.filter(|_| completing.is_some()),
        provider: origin.provider,
        model: model.id.clone(),
        matched,
        since_day: model.dated(at).and_then(|dated| since(dated.when)),
        prices: layers.prices(at, context).map(|set| prices(&set)).unwrap_or_default(),
        variants: model.variants.iter().map(|variant| context_words(&variant.context)).collect(),
        ways: layers.variants(at).map(way).collect(),
        also: model.also.clone(),
        from: model.source.clone(),
    }
}

/// The rule of the model that holds for the text.
pub(super) fn rule(model: &Model, text: &str) -> String {
    let globs = model.rules.find(text).unwrap_or_default();
    globs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Every rule of the model.
pub(super) fn rules(model: &Model) -> String {
    let rule = |all: &Vec<_>| all.iter().map(ToString::to_string).collect::<Vec<String>>().join(" and ");
    model.rules.0.iter().map(rule).collect::<Vec<_>>().join(", ")
}

fn way(variant: &Variant) -> Way {
    let (prices, times) = match &variant.change {
        Change::Prices(set) => (prices(set), None),
        Change::Times(factor) => (Vec::new(), Some(*factor)),
    };
    Way { when: context_words(&variant.context), since_day: since(variant.when), prices, times }
}

fn since(when: Condition) -> Option<i64> {
    match when {
        Condition::From(day) => Some(day),
        Condition::Always | Condition::Daily(..) => None,
    }
}

fn context_words(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

fn prices(set: &PriceSet) -> Vec<ItemPrice> {
    Item::ALL.into_iter().filter_map(|item| Some(price(item, set.own(item)?))).collect()
}

fn price(item: Item, price: &Price) -> ItemPrice {
    let (usd, tiers) = match price {
        Price::Flat(usd) => (usd.normalize(), Vec::new()),
        Price::Tiered { base, tiers } => {
            (base.normalize(), tiers.iter().map(|(above, usd)| (*above, usd.normalize())).collect())
        }
    };
    ItemPrice { item: item.name(), unit: item.price_unit(), usd, tiers }
}
