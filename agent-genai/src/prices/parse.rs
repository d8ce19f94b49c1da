//! Reads the price table's JSON: the embedded snapshot and the user's override share one form of a model.
//!
//! By hand rather than by derive, so that every error names its place in the file and the nearest valid key.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::entry::{Change, Condition, Dated, Model, Price, PriceSet, Variant};
use super::error::PriceError;
use super::item::Item;
use super::pattern::{Glob, HostGlob, Rules};

type Result<T> = std::result::Result<T, PriceError>;

/// Version of the snapshot's form.
pub(super) const FORMAT: u64 = 1;

const MODEL_KEYS: &[&str] = &["id", "match", "prices", "variants", "also", "source"];
const OVERRIDE_MODEL_KEYS: &[&str] = &["id", "match", "prices", "variants", "provider", "host", "source"];
const DATED_KEYS: &[&str] = &["from", "utc", "prices"];
const VARIANT_KEYS: &[&str] = &["when", "from", "utc", "prices", "times"];
const TIERED_KEYS: &[&str] = &["base", "tiers"];
const TIER_KEYS: &[&str] = &["above", "price"];
/// What prices may depend on, beside time and length: see `context.rs`.
const CONTEXT_KEYS: &[&str] = &["service_tier", "processing", "speed", "region", "search_context"];
const ITEM_KEYS: &[&str] = &[
    "input",
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "audio_cache_read",
    "image_input",
    "image_cache_read",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
    "requests",
    "web_searches",
    "grounded_requests",
    "search_units",
    "read_units",
    "images",
    "image_inputs",
    "audio_hours",
    "video_seconds",
    "characters",
    "pages",
];

/// One model of a user's override, with what restricts it.
#[derive(Debug, Clone)]
pub(super) struct Override {
    pub(super) model: Model,
    pub(super) provider: Option<String>,
    pub(super) host: Option<HostGlob>,
}

/// A JSON object with its place and its valid keys.
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    pub(super) path: String,
}

impl<'a> Object<'a> {
    pub(super) fn new(value: &'a Value, path: &str, valid: &'static [&'static str]) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| wrong(path, "an object", value))?;
        match map.keys().find(|key| !valid.contains(&key.as_str())) {
            Some(key) => Err(PriceError::unknown_key(place(path), key, valid)),
            None => Ok(Self { map, path: path.to_owned() }),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn need(&self, key: &str) -> Result<&'a Value> {
        self.get(key)
            .ok_or_else(|| PriceError::invalid(place(&self.path), format!("the key `{key}` is missing")))
    }

    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a [Value]> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(wrong(&self.at(key), "a list", other)),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.get(key).map(|value| text(value, &self.at(key))).transpose()
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'a str>> {
        let path = self.at(key);
        self.list(key)?.iter().enumerate().map(|(n, value)| text(value, &format!("{path}[{n}]"))).collect()
    }
}

pub(super) fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| wrong(path, "a text that is not empty", value))
}

/// The place for people: the whole file has no path.
fn place(path: &str) -> &str {
    if path.is_empty() { "the top level" } else { path }
}

fn wrong(path: &str, expected: &str, found: &Value) -> PriceError {
    let found = match found {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("{value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the text {value:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    PriceError::invalid(place(path), format!("expected {expected}, found {found}"))
}

/// A model of the snapshot.
pub(super) fn model(value: &Value, path: &str) -> Result<Model> {
    let object = Object::new(value, path, MODEL_KEYS)?;
    Ok(Model {
        id: text(object.need("id")?, &object.at("id"))?.to_owned(),
        rules: rules(object.need("match")?, &object.at("match"))?,
        dated: dated(object.need("prices")?, &object.at("prices"))?,
        variants: variants(&object)?,
        also: object.texts("also")?.into_iter().map(str::to_owned).collect(),
        source: object.text("source")?.map(str::to_owned),
    })
}

/// A model of a user's override.
pub(super) fn override_model(value: &Value, path: &str) -> Result<Override> {
    let object = Object::new(value, path, OVERRIDE_MODEL_KEYS)?;
    let rules = rules(object.need("match")?, &object.at("match"))?;
    let first =
        rules.0.first().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "));
    Ok(Override {
        model: Model {
            id: object.text("id")?.map(str::to_owned).or(first).unwrap_or_default(),
            dated: dated(object.need("prices")?, &object.at("prices"))?,
            variants: variants(&object)?,
            also: Vec::new(),
            source: object.text("source")?.map(str::to_owned),
            rules,
        },
        provider: object.text("provider")?.map(str::to_lowercase),
        host: object.text("host")?.map(HostGlob::new),
    })
}

fn rules(value: &Value, path: &str) -> Result<Rules> {
    let list = match value {
        Value::Array(list) if list.is_empty() => return Err(PriceError::invalid(path, "no pattern at all")),
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let rule = |(n, value): (usize, &Value)| match value {
        Value::Object(_) => {
            let object = Object::new(value, &format!("{path}[{n}]"), &["all"])?;
            Ok(object.texts("all")?.into_iter().map(Glob::new).collect())
        }
        other => Ok(vec![Glob::new(text(other, &format!("{path}[{n}]"))?)]),
    };
    Ok(Rules(list.iter().enumerate().map(rule).collect::<Result<_>>()?))
}

fn dated(value: &Value, path: &str) -> Result<Vec<Dated>> {
    match value {
        Value::Array(list) if list.is_empty() => Err(PriceError::invalid(path, "no prices at all")),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(n, value)| {
                let object = Object::new(value, &format!("{path}[{n}]"), DATED_KEYS)?;
                Ok(Dated {
                    when: condition(&object)?,
                    prices: price_set(object.need("prices")?, &object.at("prices"))?,
                })
            })
            .collect(),
        other => Ok(vec![Dated { when: Condition::Always, prices: price_set(other, path)? }]),
    }
}

pub(super) fn variants(object: &Object<'_>) -> Result<Vec<Variant>> {
    let path = object.at("variants");
    object
        .list("variants")?
        .iter()
        .enumerate()
        .map(|(n, value)| {
            let object = Object::new(value, &format!("{path}[{n}]"), VARIANT_KEYS)?;
            let when = Object::new(object.need("when")?, &object.at("when"), CONTEXT_KEYS)?;
            let mut context = Vec::new();
            for key in CONTEXT_KEYS {
                if let Some(value) = when.text(key)? {
                    context.push(((*key).to_owned(), value.to_lowercase()));
                }
            }
            if context.is_empty() {
                return Err(PriceError::invalid(&when.path, "no condition at all"));
            }
            let change = match (object.get("prices"), object.get("times")) {
                (Some(prices), None) => Change::Prices(price_set(prices, &object.at("prices"))?),
                (None, Some(times)) => Change::Times(factor(times, &object.at("times"))?),
                _ => return Err(PriceError::invalid(&object.path, "either `prices` or `times`")),
            };
            Ok(Variant { context, when: condition(&object)?, change })
        })
        .collect()
}

fn condition(object: &Object<'_>) -> Result<Condition> {
    match (object.get("from"), object.get("utc")) {
        (None, None) => Ok(Condition::Always),
        (Some(from), None) => Ok(Condition::From(day(text(from, &object.at("from"))?, &object.at("from"))?)),
        (None, Some(_)) => match object.texts("utc")?.as_slice() {
            [start, end] => {
                let path = object.at("utc");
                Ok(Condition::Daily(minute(start, &path)?, minute(end, &path)?))
            }
            _ => Err(PriceError::invalid(&object.at("utc"), "expected two times, as [\"00:30\", \"16:30\"]")),
        },
        _ => Err(PriceError::invalid(&object.path, "either `from` or `utc`, not both")),
    }
}

/// A date as days since 1970-01-01.
pub(super) fn day(text: &str, path: &str) -> Result<i64> {
    let date: Date = text
        .parse()
        .map_err(|_| PriceError::invalid(path, format!("expected a date as 2026-10-31, found {text:?}")))?;
    Ok(date.duration_since(Date::constant(1970, 1, 1)).as_secs().div_euclid(86_400))
}

fn minute(text: &str, path: &str) -> Result<u16> {
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    });
    parsed.ok_or_else(|| PriceError::invalid(path, format!("expected a time as 16:30 (UTC), found {text:?}")))
}

/// Prices of anything but tokens.
pub(super) fn fees(value: &Value, path: &str) -> Result<PriceSet> {
    let set = price_set(value, path)?;
    match set.0.iter().find(|(item, _)| item.is_token()) {
        Some((item, _)) => {
            Err(PriceError::invalid(path, format!("`{}` is no fee: tokens are priced by model", item.name())))
        }
        None => Ok(set),
    }
}

fn price_set(value: &Value, path: &str) -> Result<PriceSet> {
    let object = Object::new(value, path, ITEM_KEYS)?;
    let mut prices = Vec::new();
    for item in Item::ALL {
        if let Some(value) = object.get(item.name()) {
            prices.push((item, price(value, &object.at(item.name()))?));
        }
    }
    Ok(PriceSet(prices))
}

fn price(value: &Value, path: &str) -> Result<Price> {
    if !value.is_object() {
        return Ok(Price::Flat(amount(value, path)?));
    }
    let object = Object::new(value, path, TIERED_KEYS)?;
    let base = amount(object.need("base")?, &object.at("base"))?;
    let at = object.at("tiers");
    let mut tiers = Vec::new();
    for (n, value) in object.list("tiers")?.iter().enumerate() {
        let tier = Object::new(value, &format!("{at}[{n}]"), TIER_KEYS)?;
        let above = tier.need("above")?;
        let above = above.as_u64().ok_or_else(|| wrong(&tier.at("above"), "a number of tokens", above))?;
        tiers.push((above, amount(tier.need("price")?, &tier.at("price"))?));
    }
    tiers.sort_by_key(|(above, _)| *above);
    Ok(Price::Tiered { base, tiers: tiers.into() })
}

/// A price in US dollars. A JSON number is read by its shortest decimal form, which for up to 15 digits is exactly what was
/// written.
fn amount(value: &Value, path: &str) -> Result<Decimal> {
    // Bounded so that no product with any number of tokens can leave the range of a decimal.
    decimal(value, path, "US dollars", Decimal::from(1_000_000_u32))
}

/// What prices are multiplied by.
fn factor(value: &Value, path: &str) -> Result<Decimal> {
    decimal(value, path, "a factor", Decimal::from(100_u32))
}

fn decimal(value: &Value, path: &str, what: &str, most: Decimal) -> Result<Decimal> {
    let written = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => return Err(wrong(path, what, other)),
    };
    let parsed = written.parse::<Decimal>().ok().or_else(|| Decimal::from_scientific(&written).ok());
    parsed
        .filter(|price| !price.is_sign_negative() || price.is_zero())
        .filter(|price| *price <= most)
        .ok_or_else(|| {
            PriceError::invalid(path, format!("expected {what} from 0 to {most}, found {written:?}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_item_keys_is_the_items() {
        assert_eq!(ITEM_KEYS, Item::ALL.map(Item::name).as_slice());
    }
}
