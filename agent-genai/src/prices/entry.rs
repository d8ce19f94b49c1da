//! One model's prices: by date, by time of day, by service tier, by length of the input.

use rust_decimal::Decimal;

use super::item::Item;
use super::pattern::Rules;

/// Days from 1970-01-01 and minutes of the day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) day: i64,
    pub(super) minute: u16,
}

impl Moment {
    /// From nanoseconds since 1970-01-01 UTC.
    pub(super) fn from_unix_nanos(nanos: u64) -> Self {
        let seconds = nanos / 1_000_000_000;
        let minute = seconds % 86_400 / 60;
        Self {
            day: i64::try_from(seconds / 86_400).unwrap_or(i64::MAX),
            minute: u16::try_from(minute).unwrap_or(0),
        }
    }
}

/// A price in US dollars per million units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Price {
    /// The same for every call.
    Flat(Decimal),
    /// Above a number of input tokens another price holds, for *all* tokens of the call.
    Tiered {
        /// Up to the first bound.
        base: Decimal,
        /// (bound, price), bounds ascending.
        tiers: Box<[(u64, Decimal)]>,
    },
}

impl Price {
    /// The price for a call with that many input tokens in all.
    pub(super) fn at(&self, input_tokens: u64) -> Decimal {
        match self {
            Self::Flat(price) => *price,
            Self::Tiered { base, tiers } => {
                tiers.iter().rev().find(|(above, _)| input_tokens > *above).map_or(*base, |(_, price)| *price)
            }
        }
    }
}

/// Prices of some items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PriceSet(pub(super) Vec<(Item, Price)>);

impl PriceSet {
    /// The item's own price.
    pub(super) fn own(&self, item: Item) -> Option<&Price> {
        self.0.iter().find(|(have, _)| *have == item).map(|(_, price)| price)
    }

    /// The item's price, or that of the set its tokens fall back to.
    pub(super) fn resolve(&self, item: Item) -> Option<&Price> {
        self.own(item).or_else(|| item.fallbacks().iter().find_map(|other| self.own(*other)))
    }

    /// Takes over every price of `other`.
    pub(super) fn overlay(&mut self, other: &Self) {
        for (item, price) in &other.0 {
            self.0.retain(|(have, _)| have != item);
            self.0.push((*item, price.clone()));
        }
    }
}

/// When prices hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Always.
    Always,
    /// From that day on (days since 1970-01-01, UTC).
    From(i64),
    /// Every day from the first minute up to the second (UTC), which may lie on the next day.
    Daily(u16, u16),
}

impl Condition {
    pub(super) fn holds(self, at: Moment) -> bool {
        match self {
            Self::Always => true,
            Self::From(day) => at.day >= day,
            Self::Daily(start, end) if end < start => at.minute >= start || at.minute < end,
            Self::Daily(start, end) => start <= at.minute && at.minute < end,
        }
    }
}

/// Prices with the time at which they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) when: Condition,
    pub(super) prices: PriceSet,
}

/// Prices that replace some of the ordinary ones for calls made in a certain way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variant {
    /// `service_tier`, `processing` or `speed` and its value; all must agree.
    pub(super) context: Vec<(String, String)>,
    pub(super) when: Condition,
    pub(super) prices: PriceSet,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) rules: Rules,
    /// Of those that hold, the last counts; if none holds, the first.
    pub(super) dated: Vec<Dated>,
    /// For each item the first variant that fits counts.
    pub(super) variants: Vec<Variant>,
    /// Named only: what the model also bills and a call does not count.
    pub(super) also: Vec<String>,
}

impl Model {
    /// The entry that holds at that time.
    pub(super) fn dated(&self, at: Moment) -> Option<&Dated> {
        self.dated.iter().rev().find(|dated| dated.when.holds(at)).or_else(|| self.dated.first())
    }

    /// Ordinary prices at that time.
    pub(super) fn standard(&self, at: Moment) -> PriceSet {
        self.dated(at).map(|dated| dated.prices.clone()).unwrap_or_default()
    }

    /// Prices at that time for a call made in that way; `None` when the table says nothing about calls made so.
    pub(super) fn variant(&self, at: Moment, context: &[(&str, &str)]) -> Option<PriceSet> {
        let fitting = self.variants.iter().filter(|variant| {
            variant.when.holds(at)
                && variant
                    .context
                    .iter()
                    .all(|(key, value)| context.contains(&(key.as_str(), value.as_str())))
        });
        let mut prices = self.standard(at);
        let mut found = false;
        // The first one that fits counts, so it is laid on last.
        for variant in fitting.collect::<Vec<_>>().into_iter().rev() {
            prices.overlay(&variant.prices);
            found = true;
        }
        found.then_some(prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_is_chosen_by_all_input_tokens_and_begins_above_its_bound() {
        let price = Price::Tiered {
            base: Decimal::from(1),
            tiers: [(200_000, Decimal::from(2)), (500_000, Decimal::from(3))].into(),
        };
        assert_eq!(price.at(200_000), Decimal::from(1));
        assert_eq!(price.at(200_001), Decimal::from(2));
        assert_eq!(price.at(500_001), Decimal::from(3));
    }

    #[test]
    fn times_of_day_may_cross_midnight() {
        let night = Condition::Daily(16 * 60 + 30, 30);
        let at = |minute| Moment { day: 20_000, minute };
        assert!(night.holds(at(17 * 60)) && night.holds(at(29)));
        assert!(!night.holds(at(30)) && !night.holds(at(16 * 60)));
        assert!(Condition::From(20_000).holds(at(0)) && !Condition::From(20_001).holds(at(1439)));
    }

    #[test]
    fn unix_time_becomes_day_and_minute() {
        // 2026-10-12T13:45:59Z
        let at = Moment::from_unix_nanos(1_791_812_759_000_000_000);
        assert_eq!(at, Moment { day: 20_738, minute: 13 * 60 + 45 });
    }
}
