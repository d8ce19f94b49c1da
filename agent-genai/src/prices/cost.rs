//! The arithmetic: a call's usage, split into parts that do not overlap, times their prices.

use rust_decimal::Decimal;

use super::entry::PriceSet;
use super::item::{Item, Per};
use crate::call::{Api, Call, OperationKind, Usage, UsageUnits};
use crate::record::CostLine;

const MILLION: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Everything that a call consumed, with its price where it has one.
fn quantities(call: &Call, prices: Option<&PriceSet>) -> Vec<(Item, Decimal)> {
    let usage = &call.usage;
    let mut found: Vec<(Item, Decimal)> =
        parts(usage, prices).into_iter().map(|(item, quantity)| (item, Decimal::from(quantity))).collect();
    let priced = |item: Item| prices.is_some_and(|prices| prices.own(item).is_some());
    if matches!(call.api, Api::Gemini | Api::GeminiLive | Api::Interactions) && priced(Item::GroundedRequests)
    {
        // What this API reports are the queries of one grounded request.
        for (item, quantity) in found.iter_mut().filter(|(item, _)| *item == Item::WebSearches) {
            (*item, *quantity) = (Item::GroundedRequests, Decimal::ONE);
        }
    }
    let by_tokens = usage.is_reported() && (priced(Item::Input) || priced(Item::Output));
    for UsageUnits { unit, quantity } in &usage.units {
        let item = Item::of(*unit);
        // A model that is billed by tokens may count its images, seconds or pages as well: no bill of their own.
        if !priced(item) && by_tokens {
            continue;
        }
        match found.iter_mut().find(|(have, _)| *have == item) {
            // One request is assumed where none is counted.
            Some((Item::Requests, have)) => *have = *quantity,
            Some((_, have)) => *have = have.checked_add(*quantity).unwrap_or(Decimal::MAX),
            None => found.push((item, *quantity)),
        }
    }
    found
}

/// Parts of the usage that do not overlap; the wholes are listed when reported, their subsets when not empty.
///
/// Without prices every known subset has its own part. With prices, reasoning has one only when it has its own price:
/// ordinarily it is output like any other.
pub(super) fn parts(usage: &Usage, prices: Option<&PriceSet>) -> Vec<(Item, u64)> {
    // What is paid for may be less than what was read and written; the subsets are of the latter.
    if usage.billed_input.is_some() || usage.billed_output.is_some() {
        let billed = Usage {
            input: usage.billed_input,
            output: usage.billed_output,
            web_searches: usage.web_searches,
            units: usage.units.clone(),
            ..Usage::default()
        };
        return parts(&billed, prices);
    }
    let mut parts = Vec::new();
    input_parts(usage, &mut parts);
    output_parts(usage, prices, &mut parts);
    let priced = |item: Item| prices.is_some_and(|prices| prices.own(item).is_some());
    if let Some(searches) = usage.web_searches.filter(|n| *n > 0) {
        // Where each request has a fee, it is for the search.
        if priced(Item::WebSearches) || !priced(Item::Requests) {
            parts.push((Item::WebSearches, searches));
        }
    }
    if priced(Item::Requests) {
        parts.push((Item::Requests, 1));
    }
    parts
}

fn input_parts(usage: &Usage, parts: &mut Vec<(Item, u64)>) {
    let Some(total) = usage.input else { return };
    let some = |n: Option<u64>| n.unwrap_or(0);
    // Codecs hand over subsets that fit into their wholes; the bounds here keep the sum right whatever comes.
    let read = some(usage.cache_read).min(total);
    let write =
        some(usage.cache_write).max(some(usage.cache_write_5m).saturating_add(some(usage.cache_write_1h)));
    let write = write.min(total - read);
    let write_1h = some(usage.cache_write_1h).min(write);
    let write_5m = some(usage.cache_write_5m).min(write - write_1h);
    let uncached = total - read - write;

    // Where audio and cache overlap is reported by few; else no more overlap is taken than the sums force.
    let audio = some(usage.audio_input).min(total);
    let audio_read =
        usage.audio_cache_read.unwrap_or_else(|| audio.saturating_sub(uncached)).min(read).min(audio);
    let audio_plain = (audio - audio_read).min(uncached);
    let image = some(usage.image_input).min(total - audio);
    let image_plain = image.min(uncached - audio_plain);
    let image_read = (image - image_plain).min(read - audio_read);

    parts.push((Item::Input, uncached - audio_plain - image_plain));
    for (item, quantity) in [
        (Item::CacheRead, read - audio_read - image_read),
        (Item::CacheWrite, write - write_5m - write_1h),
        (Item::CacheWrite5m, write_5m),
        (Item::CacheWrite1h, write_1h),
        (Item::AudioInput, audio_plain),
        (Item::AudioCacheRead, audio_read),
        (Item::ImageInput, image_plain),
        (Item::ImageCacheRead, image_read),
    ] {
        if quantity > 0 {
            parts.push((item, quantity));
        }
    }
}

fn output_parts(usage: &Usage, prices: Option<&PriceSet>, parts: &mut Vec<(Item, u64)>) {
    let Some(total) = usage.output else { return };
    let mut rest = total;
    let mut take = |wanted: Option<u64>| {
        let taken = wanted.unwrap_or(0).min(rest);
        rest -= taken;
        taken
    };
    let audio = take(usage.audio_output);
    let image = take(usage.image_output);
    let own = prices.is_none_or(|prices| prices.own(Item::Reasoning).is_some());
    let reasoning = if own { take(usage.reasoning) } else { 0 };
    parts.push((Item::Output, rest));
    for (item, quantity) in
        [(Item::Reasoning, reasoning), (Item::AudioOutput, audio), (Item::ImageOutput, image)]
    {
        if quantity > 0 {
            parts.push((item, quantity));
        }
    }
}

/// The lines, and their sum if every part that counts has a price.
pub(super) fn lines(call: &Call, prices: Option<&PriceSet>) -> (Vec<CostLine>, Option<Decimal>) {
    let usage = &call.usage;
    let input_tokens = usage.input.unwrap_or(0);
    let price = |item: Item| Some(prices?.resolve(item)?.at(input_tokens));
    let per_million = |item: Item, price: Decimal| match item.per() {
        Per::Million => Some(price),
        per => price.checked_mul(MILLION)?.checked_div(per.units()),
    };
    let mut total = Some(Decimal::ZERO);
    let mut lines = Vec::new();
    for (item, quantity) in quantities(call, prices) {
        let written = price(item);
        let usd_per_million = written.and_then(|price| per_million(item, price));
        let usd = written
            .and_then(|price| price.checked_mul(quantity))
            .and_then(|product| product.checked_div(item.per().units()));
        total = match (total, usd) {
            (Some(sum), Some(usd)) => sum.checked_add(usd),
            // Nothing of what has no price costs nothing.
            (sum, None) if quantity.is_zero() && prices.is_some() => sum,
            _ => None,
        };
        let (item, unit) = (item.name().to_owned(), item.unit().to_owned());
        lines.push(CostLine { item, quantity, unit, usd_per_million, usd });
    }
    // An answer has both; what was not reported is not known to be nothing, unless it is free or not billed by tokens.
    let by_tokens = prices.is_none_or(|prices| {
        usage.is_reported() || [Item::Input, Item::Output].iter().any(|item| prices.own(*item).is_some())
    });
    let reported = [(Item::Input, usage.input), (Item::Output, usage.output)];
    if call.operation.kind() == OperationKind::Inference
        && by_tokens
        && reported.iter().any(|(item, count)| count.is_none() && price(*item) != Some(Decimal::ZERO))
    {
        total = None;
    }
    // Nothing counted is nothing known.
    total = total.filter(|_| !lines.is_empty());
    (lines, total)
}

/// Reasoning that is billed beside the output but not reported whole (a count larger than the output is cut to it).
pub(super) fn apart_line(tokens: u64) -> CostLine {
    CostLine {
        item: "reasoning_apart".to_owned(),
        quantity: Decimal::from(tokens),
        unit: "token".to_owned(),
        usd_per_million: None,
        usd: None,
    }
}

/// The line that says why a call has no price: the table has none for the tier that it was served in.
pub(super) fn tier_line(tier: &str) -> CostLine {
    CostLine {
        item: format!("service_tier:{tier}"),
        quantity: Decimal::ONE,
        unit: "request".to_owned(),
        usd_per_million: None,
        usd: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), (0_u64..50).prop_map(Some), any::<u64>().prop_map(Some)]
    }

    proptest! {
        #[test]
        fn parts_never_overlap_and_never_lose_a_token(
            wholes in [counts(), counts()],
            cache in [counts(), counts(), counts(), counts()],
            media in [counts(), counts(), counts(), counts(), counts(), counts()],
        ) {
            let usage = Usage {
                input: wholes[0], output: wholes[1],
                cache_read: cache[0], cache_write: cache[1], cache_write_5m: cache[2], cache_write_1h: cache[3],
                audio_input: media[0], audio_cache_read: media[1], image_input: media[2],
                reasoning: media[3], audio_output: media[4], image_output: media[5],
                ..Usage::default()
            };
            let outputs = [Item::Output, Item::Reasoning, Item::AudioOutput, Item::ImageOutput];
            let (out, input): (Vec<_>, Vec<_>) =
                parts(&usage, None).into_iter().partition(|(item, _)| outputs.contains(item));
            let sum = |list: &[(Item, u64)]| list.iter().map(|(_, n)| u128::from(*n)).sum::<u128>();
            prop_assert_eq!(sum(&input), u128::from(usage.input.unwrap_or(0)));
            prop_assert_eq!(sum(&out), u128::from(usage.output.unwrap_or(0)));
        }
    }
}
