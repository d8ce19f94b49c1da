//! What the codecs' tests share: an empty call, a driver, and arbitrary JSON.

use agent_wire::Role;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Codec, CodecOptions};
use crate::call::{Api, Call, Operation};

/// Content on, with room for every test's content.
pub(crate) const CONTENT: CodecOptions = CodecOptions { content: true, max_content: 1 << 20 };
/// Content off.
pub(crate) const BARE: CodecOptions = CodecOptions { content: false, max_content: 1 << 20 };

/// A call of which nothing is known yet.
pub(crate) fn call(api: Api) -> Call {
    Call::new(api, Operation::Chat, Role::Client)
}

/// Folds a request.
pub(crate) fn request(codec: &mut dyn Codec, api: Api, body: &Value) -> Call {
    let mut call = call(api);
    codec.request(body, &mut call);
    codec.finish(&mut call);
    call
}

/// Folds an answer that is one JSON text.
pub(crate) fn response(codec: &mut dyn Codec, api: Api, status: u16, body: &Value) -> Call {
    let mut call = call(api);
    call.http.status = Some(status);
    codec.response(body, &mut call);
    codec.finish(&mut call);
    call
}

/// Folds a stream whose items name their events.
pub(crate) fn stream(codec: &mut dyn Codec, api: Api, items: &[Value]) -> Call {
    let mut call = call(api);
    call.http.status = Some(200);
    for item in items {
        codec.event(item.get("type").and_then(Value::as_str).unwrap_or(""), item, &mut call);
    }
    codec.finish(&mut call);
    assert!(codec.held_bytes() == 0, "the fold let go of everything");
    call
}

/// JSON of any shape, whose keys and words are those of `words` more often than not, so that a codec is led deep.
pub(crate) fn json_of(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let word = prop_oneof![4 => prop::sample::select(words).prop_map(str::to_owned), 1 => "\\PC{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((word.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}
