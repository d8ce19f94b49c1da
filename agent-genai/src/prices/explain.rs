//! Which entry a model is priced by, for people to read.

use rust_decimal::Decimal;
use serde::Serialize;

use super::entry::{Condition, Model, Moment, Price, PriceSet};
use super::item::Item;

/// The entry that prices a model at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// `override` or `table`.
    pub source: &'static str,
    /// Source and version of the table, as `genai-prices 0.2.3`; empty for an override.
    pub table: String,
    /// Provider whose entry it is; empty for an override that names none.
    pub provider: String,
    /// The entry's id.
    pub model: String,
    /// The rule that matched, as written in the table.
    pub matched: String,
    /// Since when these prices hold (days since 1970-01-01, UTC), when the entry says.
    pub since_day: Option<i64>,
    /// The prices, in the table's order.
    pub prices: Vec<ItemPrice>,
    /// Ways of being served that have other prices, as `service_tier=flex`, whether or not they hold at this time.
    pub variants: Vec<String>,
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

pub(super) fn explain(
    source: &'static str,
    table: &str,
    provider: &str,
    model: &Model,
    text: &str,
    at: Moment,
) -> Explanation {
    let globs = model.rules.find(text).unwrap_or_default();
    let dated = model.dated(at);
    Explanation {
        source,
        table: table.to_owned(),
        provider: provider.to_owned(),
        model: model.id.clone(),
        matched: globs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        since_day: dated.and_then(|dated| match dated.when {
            Condition::From(day) => Some(day),
            Condition::Always | Condition::Daily(..) => None,
        }),
        prices: dated.map(|dated| prices(&dated.prices)).unwrap_or_default(),
        variants: model.variants.iter().map(|variant| context(&variant.context)).collect(),
        also: model.also.clone(),
        from: model.source.clone(),
    }
}

fn context(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

fn prices(set: &PriceSet) -> Vec<ItemPrice> {
    Item::ALL.into_iter().filter_map(|item| Some(price(item, set.own(item)?))).collect()
}

fn price(item: Item, price: &Price) -> ItemPrice {
    let written = |value: Decimal| value.normalize();
    let (usd, tiers) = match price {
        Price::Flat(usd) => (written(*usd), Vec::new()),
        Price::Tiered { base, tiers } => {
            (written(*base), tiers.iter().map(|(above, usd)| (*above, written(*usd))).collect())
        }
    };
    ItemPrice { item: item.name(), unit: item.price_unit(), usd, tiers }
}
