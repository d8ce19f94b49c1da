//! A user's price override is read without a panic, and a table that was accepted prices any usage without one.
#![no_main]

use agent_genai::PriceTable;
use agent_genai::call::{Api, Call, Operation, Usage};
use agent_wire::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(table) = PriceTable::embedded().with_override(data) else { return };
    let mut numbers = data.chunks(8).map(|chunk| {
        chunk.iter().fold(0_u64, |number, byte| number.wrapping_mul(257).wrapping_add(u64::from(*byte)))
    });
    let mut number = || numbers.next();
    let usage = Usage {
        input: number(),
        output: number(),
        cache_read: number(),
        cache_write: number(),
        cache_write_5m: number(),
        cache_write_1h: number(),
        reasoning: number(),
        audio_input: number(),
        audio_output: number(),
        audio_cache_read: number(),
        image_input: number(),
        image_output: number(),
        web_searches: number(),
        ..Usage::default()
    };
    let text = String::from_utf8_lossy(data);
    let model: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect();
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    call.provider = "openai".to_owned();
    call.request.model = Some(model.clone());
    call.usage = usage;
    call.timing.start = number().unwrap_or(0);
    let cost = table.cost(&call);
    let sum = cost.lines.iter().map(|line| u128::try_from(line.quantity).unwrap()).sum::<u128>();
    assert!(sum <= u128::from(u64::MAX) * 4);
    let _explanation = table.explain("openai", &model, call.timing.start);
});
