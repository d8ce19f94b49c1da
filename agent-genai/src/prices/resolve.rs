//! The prices that hold for one call: an entry's ordinary ones, changed by the way the call was made, and completed by the
//! fallback table.

use super::context::Context;
use super::entry::{Change, Model, Moment, Price, PriceSet, Variant};
use super::item::Item;
use super::table::Provider;

/// Which of a call's circumstances a variant is about: each is looked for on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tier,
    Region,
    Search,
}

impl Variant {
    fn kind(&self) -> Kind {
        let about = |keys: &[&str]| self.context.iter().any(|(key, _)| keys.contains(&key.as_str()));
        match () {
            () if about(&["service_tier", "processing", "speed"]) => Kind::Tier,
            () if about(&["region"]) => Kind::Region,
            () => Kind::Search,
        }
    }

    fn fits(&self, at: Moment, context: &Context) -> bool {
        self.when.holds(at) && self.context.iter().all(|(key, value)| context.has(key, value))
    }
}

/// The entry, what completes it, and whether its variants hold where the call was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'t> {
    pub(super) model: &'t Model,
    /// The fallback table's entry of the same model.
    pub(super) more: Option<&'t Model>,
    /// The provider that was called, for what it asks for any model.
    pub(super) seller: Option<&'t Provider>,
    /// The entry was lent by another provider: its variants do not hold.
    pub(super) lent: bool,
}

impl<'t> Layers<'t> {
    /// The fallback's entry, if it agrees with the first table's at that time.
    pub(super) fn completing(&self, at: Moment) -> Option<&'t Model> {
        let prices = self.model.standard(at);
        self.more.filter(|more| agree(&prices, &more.standard(at)))
    }

    /// Every variant that may count, the first table's first.
    pub(super) fn variants(&self, at: Moment) -> impl Iterator<Item = &'t Variant> {
        let own = Some(self.model).filter(|_| !self.lent);
        let lists = [own, self.completing(at)].into_iter().flatten().map(|model| model.variants.as_slice());
        lists.chain(self.seller.map(|seller| seller.variants.as_slice())).flatten()
    }

    /// The prices at that time for a call made in that way; `None` when neither entry says what its tier costs.
    pub(super) fn prices(&self, at: Moment, context: &Context) -> Option<PriceSet> {
        let mut prices = self.model.standard(at);
        let more = self.completing(at);
        let fees = self.seller.map(|seller| seller.fees.clone()).unwrap_or_default();
        for (item, price) in
            more.map(|more| more.standard(at)).unwrap_or_default().0.into_iter().chain(fees.0)
        {
            // Subsets of tokens are priced by their wholes where the first table does not name them: only units are missing.
            if !item.is_token() && prices.own(item).is_none() {
                prices.0.push((item, price));
            }
        }
        let own = Some(self.model).filter(|_| !self.lent);
        let lists = [own, more]
            .into_iter()
            .flatten()
            .map(|model| model.variants.as_slice())
            .chain(self.seller.map(|seller| seller.variants.as_slice()));
        let fitting = |kind: Kind| {
            lists.clone().map(|list| fitting(list, kind, at, context)).find(|found| !found.is_empty())
        };
        let by_search = fitting(Kind::Search).unwrap_or_default();
        let by_region = fitting(Kind::Region).unwrap_or_default();
        let by_tier = match context.tier {
            Some(_) => fitting(Kind::Tier)?,
            None => Vec::new(),
        };
        // A tier's prices in the prices of another region are nobody's.
        let replaces = |variants: &[&Variant]| variants.iter().any(|v| matches!(v.change, Change::Prices(_)));
        if replaces(&by_region) && replaces(&by_tier) {
            return None;
        }
        for list in [&by_search, &by_region, &by_tier] {
            // The first one that fits counts for each item, so it is laid on last.
            for variant in list.iter().rev() {
                if let Change::Prices(set) = &variant.change {
                    prices.overlay(set);
                }
            }
        }
        for variant in by_region.iter().chain(&by_tier) {
            if let Change::Times(factor) = variant.change {
                prices.multiply_tokens(factor);
            }
        }
        Some(prices)
    }
}

fn fitting<'v>(variants: &'v [Variant], kind: Kind, at: Moment, context: &Context) -> Vec<&'v Variant> {
    variants.iter().filter(|variant| variant.kind() == kind && variant.fits(at, context)).collect()
}

/// Whether two entries are of the same model at the same prices: only then may one complete the other.
fn agree(one: &PriceSet, other: &PriceSet) -> bool {
    let same = |one: Option<&Price>, other: Option<&Price>| match (one, other) {
        // Some tables say the last token below the bound, some the bound.
        (Some(Price::Tiered { base, tiers }), Some(Price::Tiered { base: base_too, tiers: tiers_too })) => {
            base == base_too
                && tiers.len() == tiers_too.len()
                && tiers.iter().zip(tiers_too.iter()).all(|(a, b)| a.0.abs_diff(b.0) <= 1 && a.1 == b.1)
        }
        (Some(Price::Flat(one)), None) | (None, Some(Price::Flat(one))) => one.is_zero(),
        (one, other) => one == other,
    };
    [Item::Input, Item::Output].into_iter().all(|item| same(one.own(item), other.own(item)))
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::{Value, json};

    use super::*;
    use crate::prices::parse;

    const AT: Moment = Moment { day: 20_000, minute: 0 };

    fn model(value: &Value) -> Model {
        parse::model(value, "test").unwrap()
    }

    fn input(model: &Model, more: Option<&Model>, context: &Context) -> Option<Decimal> {
        let prices = Layers { model, more, seller: None, lent: false }.prices(AT, context)?;
        prices.own(Item::Input).map(|price| price.at(0))
    }

    #[test]
    fn the_fallback_gives_tiers_and_units_only_where_both_agree() {
        let first = model(&json!({"id": "m", "match": "m", "prices": {"input": 2, "output": 8}}));
        let tier = Context::of_tier(Some("flex".to_owned()));
        let variants = json!([{"when": {"service_tier": "flex"}, "prices": {"input": 1, "output": 4}}]);
        let more = model(
            &json!({"id": "m", "match": "m", "prices": {"input": 2, "output": 8, "cache_read": 9, "web_searches": 10},
            "variants": variants}),
        );
        assert_eq!(input(&first, None, &tier), None);
        assert_eq!(input(&first, Some(&more), &tier), Some(Decimal::ONE));
        let prices = Layers { model: &first, more: Some(&more), seller: None, lent: false }
            .prices(AT, &Context::default())
            .unwrap();
        assert!(prices.own(Item::WebSearches).is_some() && prices.own(Item::CacheRead).is_none());
        let other = model(
            &json!({"id": "m", "match": "m", "prices": {"input": 3, "output": 8}, "variants": variants}),
        );
        assert_eq!(input(&first, Some(&other), &tier), None);
    }

    #[test]
    fn factors_multiply_tokens_and_join_with_tiers_but_prices_of_two_kinds_do_not() {
        let entry = |region: Value| {
            model(
                &json!({"id": "m", "match": "m", "prices": {"input": {"base": 10, "tiers": [{"above": 5, "price": 20}]}, "output": 8,
                "web_searches": 10}, "variants": [region, {"when": {"service_tier": "flex"}, "prices": {"input": 5}}]}),
            )
        };
        let mut context = Context::default();
        context.add("region", "us");
        let times = entry(json!({"when": {"region": "us"}, "times": 1.1}));
        assert_eq!(input(&times, None, &context), Some(Decimal::from(11)));
        let prices =
            Layers { model: &times, more: None, seller: None, lent: false }.prices(AT, &context).unwrap();
        assert_eq!(prices.own(Item::Input).unwrap().at(6), Decimal::from(22));
        assert_eq!(prices.own(Item::WebSearches).unwrap().at(0), Decimal::from(10));
        let mut both = Context::of_tier(Some("flex".to_owned()));
        both.add("region", "us");
        assert_eq!(input(&times, None, &both), Some(Decimal::new(55, 1)));
        let replaced = entry(json!({"when": {"region": "us"}, "prices": {"input": 12}}));
        assert_eq!(input(&replaced, None, &context), Some(Decimal::from(12)));
        assert_eq!(input(&replaced, None, &both), None);
    }
}
