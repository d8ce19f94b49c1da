//! One model's prices: by date, by time of day, by length of the input, and by the way a call was served.

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

/// A price in US dollars, for as many units as the item's [`super::item::Per`] says.
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

    /// Multiplies the prices of tokens.
    pub(super) fn multiply_tokens(&mut self, factor: Decimal) {
        let times = |price: Decimal| price.checked_mul(factor).unwrap_or(price);
        for (_, price) in self.0.iter_mut().filter(|(item, _)| item.is_token()) {
            *price = match price {
                Price::Flat(price) => Price::Flat(times(*price)),
                Price::Tiered { base, tiers } => Price::Tiered {
                    base: times(*base),
                    tiers: tiers.iter().map(|(above, price)| (*above, times(*price))).collect(),
                },
            };
        }
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

/// What a variant does to the ordinary prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Replaces some.
    Prices(PriceSet),
    /// Multiplies those of tokens.
    Times(Decimal),
}

/// What calls made in a certain way cost instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variant {
    /// Keys (see [`super::parse`]) and values; all must agree.
    pub(super) context: Vec<(String, String)>,
    pub(super) when: Condition,
    pub(super) change: Change,
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
    /// Where the entry is from, in words, when it is not from the table's own source.
    pub(super) source: Option<String>,
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
