//! JSON arrays: any bytes, the same however they are cut; an array that is one gives its elements.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wire::Item;

fuzz_target!(|input: &[u8]| {
    let (sizes, body) = wire::sizes(input);
    let response = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", body].concat();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let whole = wire::exchange(request, &response, &[usize::MAX]);
    assert_eq!(wire::exchange(request, &response, &[1]), whole);
    assert_eq!(wire::exchange(request, &response, &sizes), whole);
    let told = &whole.0[&0];
    let Some(Item::Element(..)) = told.response_items.first() else { return };
    let Ok(Value::Array(all)) = serde_json::from_slice(body) else { return };
    assert_eq!(told.response_end.as_ref().expect("a response").undecodable, None);
    assert_eq!(told.response_items.len(), all.len());
    for (item, value) in told.response_items.iter().zip(&all) {
        let Item::Element(data, truncated) = item else { panic!("{item:?}") };
        assert!(*truncated || serde_json::from_slice::<Value>(data).as_ref().ok() == Some(value));
    }
});
