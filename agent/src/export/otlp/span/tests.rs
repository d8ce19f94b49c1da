//! A Record and its span say the same.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use super::*;
use crate::export::fixture::record;

fn attribute(span: &Span, key: &str) -> Option<Any> {
    let mut found = span.attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next().and_then(|attribute| attribute.value.clone()).and_then(|value| value.value);
    assert!(found.next().is_none(), "{key} twice");
    value
}

#[test]
fn ids_times_kind_and_status_are_exact() {
    let span = span(&record()).unwrap();
    assert_eq!(
        span.trace_id,
        [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c]
    );
    assert_eq!(span.span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    assert_eq!(span.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    assert_eq!(span.start_time_unix_nano % 1_000_000_000, 1);
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_499_999_999);
    assert_eq!(span.kind, SpanKind::Client as i32);
    assert_eq!(span.name, "chat gpt-4o-mini");
    let status = span.status.unwrap();
    assert_eq!((status.code, status.message.as_str()), (OtlpStatusCode::Error as i32, "rate limited"));
    assert_eq!(span.events[0].time_unix_nano - span.start_time_unix_nano, 499_999_999);
    assert_eq!(span.links[0].span_id[0], 0xc7);
    assert_eq!(span.links[0].attributes[0].key, "why");
}

#[test]
fn attributes_are_typed_and_content_is_a_string() {
    let span = span(&record()).unwrap();
    assert_eq!(attribute(&span, "gen_ai.usage.input_tokens"), Some(Any::IntValue(812)));
    assert_eq!(attribute(&span, "gen_ai.request.temperature"), Some(Any::DoubleValue(1.0)));
    assert!(matches!(attribute(&span, "gen_ai.response.finish_reasons"), Some(Any::ArrayValue(_))));
    let Some(Any::StringValue(messages)) = attribute(&span, "gen_ai.input.messages") else {
        panic!("a string")
    };
    assert_eq!(serde_json::from_str::<Value>(&messages).unwrap()[0]["role"], "user");
    assert_eq!(attribute(&span, "absent"), None);
}

#[test]
fn cost_and_completeness_are_attributes_too() {
    let span = span(&record()).unwrap();
    assert_eq!(attribute(&span, "gen_ai.usage.cost"), Some(Any::DoubleValue(0.25)));
    assert_eq!(attribute(&span, "wirespan.cost.source"), Some(Any::StringValue("table".to_owned())));
    assert_eq!(attribute(&span, "wirespan.cost.input.quantity"), Some(Any::IntValue(812)));
    assert_eq!(attribute(&span, "wirespan.cost.input.usd"), Some(Any::DoubleValue(0.25)));
    assert_eq!(attribute(&span, "wirespan.cost.search.quantity"), Some(Any::IntValue(1)));
    assert_eq!(attribute(&span, "wirespan.cost.search.usd"), None, "an unknown price is not 0");
    assert_eq!(attribute(&span, "wirespan.capture.lost_bytes"), Some(Any::IntValue(5)));
    assert_eq!(attribute(&span, "wirespan.capture.truncated"), Some(Any::BoolValue(true)));
    assert_eq!(attribute(&span, "wirespan.capture.attached_mid_stream"), None);
    assert_eq!(attribute(&span, "wirespan.usage.source"), Some(Any::StringValue("reported".to_owned())));
}

#[test]
fn an_attribute_of_the_record_wins() {
    let mut record = record();
    record.attributes.insert("gen_ai.usage.cost".to_owned(), json!(9.5));
    assert_eq!(attribute(&span(&record).unwrap(), "gen_ai.usage.cost"), Some(Any::DoubleValue(9.5)));
}

#[test]
fn an_unknown_cost_has_no_attribute() {
    let mut record = record();
    record.cost.usd = None;
    record.cost.lines.clear();
    assert_eq!(attribute(&span(&record).unwrap(), "gen_ai.usage.cost"), None);
}

#[test]
fn what_otlp_cannot_say_is_refused() {
    let refused = |change: &dyn Fn(&mut Record)| {
        let mut record = record();
        change(&mut record);
        span(&record).unwrap_err().to_string()
    };
    assert!(refused(&|r| r.trace_id = "0".repeat(32)).contains("trace_id"));
    assert!(refused(&|r| r.span_id = "xyz".to_owned()).contains("span_id"));
    assert!(refused(&|r| r.parent_span_id = Some("é0f067aa0ba902b".to_owned())).contains("parent_span_id"));
    assert!(refused(&|r| r.start = "1969-01-01T00:00:00Z".to_owned()).contains("start"));
    assert!(refused(&|r| r.end = "yesterday".to_owned()).contains("end"));
    assert!(refused(&|r| r.kind = "client".to_owned()).contains("kind"));
}

#[test]
fn a_resource_always_has_a_service_name() {
    assert_eq!(resource(&Attributes::new()).attributes[0].key, "service.name");
    assert_eq!(resource(&record().resource).attributes.len(), 2);
}
