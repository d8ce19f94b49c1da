//! A whole price table is read without a panic; one that was accepted finds any model, explains and lists it, and prices any
//! usage in any tier, region and unit.
#![no_main]

use agent_genai::PriceTable;
use agent_genai::call::{Api, Call, Operation, Unit, Usage, UsageUnits};
use agent_genai::prices::Circumstances;
use agent_wire::Role;
use libfuzzer_sys::fuzz_target;

const UNITS: [Unit; 4] = [Unit::Image, Unit::AudioSecond, Unit::SearchUnit, Unit::Request];

fuzz_target!(|data: &[u8]| {
    // What stands before the first line break says how the call was made; the rest is the table.
    let (said, text) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (String::from_utf8_lossy(&data[..end]).into_owned(), &data[end + 1..]),
        None => (String::new(), data),
    };
    let table = PriceTable::from_table(text).unwrap_or_else(|_| PriceTable::embedded());
    let words: Vec<&str> = said.split(' ').collect();
    let word = |n: usize| words.get(n).map(|word| (*word).to_owned());
    let number = |n: usize| {
        words
            .get(n)
            .map(|word| word.bytes().fold(0_u64, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b))))
    };
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    call.provider = word(0).unwrap_or_default();
    call.http.server_address = word(1);
    call.request.model = word(2);
    call.response.model = word(3);
    call.response.service_tier = word(4);
    call.response.region = word(5);
    call.response.search_context = word(6);
    call.response.upstream = word(7);
    call.usage = Usage {
        input: number(8),
        output: number(9),
        cache_read: number(10),
        web_searches: number(11),
        ..Usage::default()
    };
    call.timing.start = number(12).unwrap_or(0);
    call.usage.units = UNITS
        .iter()
        .filter_map(|unit| Some(UsageUnits { unit: *unit, quantity: number(13)?.into() }))
        .collect();
    let cost = table.cost(&call);
    if let Some(usd) = cost.usd {
        let sum = cost.lines.iter().filter_map(|line| line.usd).reduce(|sum, usd| sum + usd);
        assert_eq!(Some(usd), sum.map(|sum| sum.normalize()));
    }
    let _explained = table.explain_call(&call);
    let circumstances = Circumstances { tier: word(4), region: word(5), search_context: word(6) };
    let model = word(2).unwrap_or_default();
    if table.explain_as(&call.provider, &model, call.timing.start, &circumstances).is_none() {
        let _why = table.why_unknown(&call.provider, &model);
    }
    if text.len() < 4_096 && table.size() < 100 {
        let _listed = table.list(call.timing.start).count();
    }
});
