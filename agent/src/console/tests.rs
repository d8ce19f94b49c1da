//! What the console prints, for hand-written Records and for arbitrary ones.

use agent_genai::Record;
use agent_genai::record::{Cost, CostSource, Status, StatusCode, UsageSource};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{fixture::record, *};

fn failed() -> Record {
    let mut record = record();
    record.status = Status { code: StatusCode::Error, message: "slow down".into() };
    record.attributes.insert("error.type".into(), json!("rate_limit_exceeded"));
    record.attributes.retain(|name, _| !name.starts_with("gen_ai.usage") && !name.contains("finish"));
    record.usage_source = UsageSource::Absent;
    record.cost = Cost { usd: None, source: CostSource::None, provider_usd: None, lines: vec![] };
    record.capture.lost_bytes = 7;
    record.capture.truncated = true;
    record.capture.complete = false;
    record
}

#[test]
fn the_compact_table() {
    let table = Table::new(Width::Compact, Style::plain(), TimeZone::UTC);
    let lines =
        [table.header(), table.line(&Row::new(&record())), table.line(&Row::new(&failed()))].join("\n");
    assert_eq!(
        lines,
        "\
TIME      SERVICE         CALL                            OUTCOME           IN (CACHED)     OUT       COST    TTFT    TOOK  FLAGS
13:04:05  shop            chat gpt-4o-mini                stop                812 (512)      25  $0.000137   400ms   1.25s
13:04:05  shop            chat gpt-4o-mini                rate_limit_ex…              -       -          -   400ms   1.25s  lost,truncated"
    );
}

#[test]
fn the_wide_table_has_ids_and_the_server() {
    let table = Table::new(Width::Wide, Style::plain(), TimeZone::UTC);
    let line = table.line(&Row::new(&record()));
    for part in ["13:04:05.123", "4242", "openai", "b7ad6b7169203331", "api.openai.com"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn colour_only_adds_escapes() {
    let plain_line = Table::new(Width::Compact, Style::plain(), TimeZone::UTC).line(&Row::new(&failed()));
    let mut colored = Table::new(Width::Compact, Style::colored(), TimeZone::UTC).line(&Row::new(&failed()));
    assert!(colored.contains("\u{1b}[31m"));
    for code in ["0", "1", "2", "31", "32", "33", "36"] {
        colored = colored.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(colored, plain_line);
}

#[test]
fn a_call_is_shown_whole() {
    let page = show(&record(), Style::plain());
    for part in [
        "chat gpt-4o-mini",
        "outcome       stop",
        "took          1.25s",
        "first chunk   after 400ms",
        "850ms of streaming, 29.4 tokens a second",
        "gen_ai.request.model",
        "cache_read.input_tokens",
        "input                        812 token    ×        $0.15 per million = $0.0001218",
        "total               $0.0001368",
        "    Hi·[31m there",
        "complete      yes",
        "service.name",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    assert!(!page.contains('\u{1b}'), "nothing from outside reaches the terminal as a control character");
    let failed = show(&failed(), Style::plain());
    assert!(
        failed.contains("rate_limit_exceeded: slow down") && failed.contains("total               unknown"),
        "{failed}"
    );
}

#[test]
fn the_closing_line_always_names_the_drops() {
    let mut summary = Summary::default();
    assert_eq!(summary.line(&Drops::default()), "0 calls · 0 tokens in, 0 out · $0 · no drops");
    summary.add(&record());
    summary.add(&failed());
    let drops = Drops { capture_bytes: 5, record_frames: 1, ..Drops::default() };
    assert_eq!(
        summary.line(&drops),
        "2 calls · 1 failed · 1 incomplete · 812 tokens in, 25 out · $0.000137 · 1 of unknown cost · \
         dropped: 5 bytes lost in capture, 1 frame not recorded"
    );
}

#[test]
fn filters_select() {
    let accepts = |filter: Filter| (filter.accepts(&record()), filter.accepts(&failed()));
    assert_eq!(accepts(Filter::default()), (true, true));
    assert_eq!(accepts(Filter { status: Some(StatusFilter::Error), ..Filter::default() }), (false, true));
    assert_eq!(accepts(Filter { model: Some("gpt-*".into()), ..Filter::default() }), (true, true));
    assert_eq!(accepts(Filter { model: Some("claude*".into()), ..Filter::default() }), (false, false));
    assert_eq!(accepts(Filter { min_cost: Some(Decimal::new(1, 4)), ..Filter::default() }), (true, false));
    assert_eq!(accepts(Filter { min_tokens: Some(838), ..Filter::default() }), (false, false));
    assert_eq!(accepts(Filter { finish_reason: Some("stop".into()), ..Filter::default() }), (true, false));
}

#[test]
fn numbers_are_short() {
    assert_eq!(
        [0.00085, 0.0124, 1.236, 65.0, 7265.0].map(duration),
        ["850µs", "12ms", "1.24s", "1m05s", "2h01m"]
    );
    assert_eq!([812, 12_345, 123_456, 4_100_000].map(count), ["812", "12.3k", "123k", "4.1M"]);
    let usd = |text: &str| dollars(text.parse().expect("a number"));
    assert_eq!(
        ["0", "0.00012345", "0.03125", "4.2", "123.456", "0.0000000001"].map(usd),
        ["$0", "$0.000123", "$0.0312", "$4.200", "$123.46", "<$0.000001"]
    );
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("(role|parts|type|content|.{0,6})", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn weird_records_never_panic(
        values in proptest::collection::vec(json_value(), 12),
        texts in proptest::collection::vec(".{0,60}", 6),
        usd in any::<Option<i64>>(),
        numbers in any::<[u64; 3]>(),
    ) {
        let mut record = record();
        let names = ["gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
            "gen_ai.response.finish_reasons", "gen_ai.response.time_to_first_chunk", "error.type", "gen_ai.input.messages",
            "gen_ai.output.messages", "gen_ai.usage.cache_read.input_tokens", "server.address", "x"];
        for (name, value) in names.iter().zip(values) {
            record.attributes.insert((*name).to_owned(), value);
        }
        let [start, end, service, span, kind, name] = texts.try_into().expect("six");
        record.resource.insert("service.name".into(), Value::from(service));
        (record.start, record.end, record.span_id, record.kind, record.name) = (start, end, span, kind, name);
        record.cost.usd = usd.map(|usd| Decimal::new(usd, 9));
        record.capture.lost_bytes = numbers[0];
        let mut summary = Summary::default();
        summary.add(&record);
        summary.add(&record);
        let closing = summary.line(&Drops { capture_bytes: numbers[1], ..Drops::default() });
        prop_assert!(!closing.contains('\n'));
        for width in [Width::Compact, Width::Wide] {
            let line = Table::new(width, Style::plain(), TimeZone::UTC).line(&Row::new(&record));
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let page = show(&record, Style::plain());
        prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        let _ = Filter { min_tokens: Some(numbers[2]), ..Filter::default() }.accepts(&record);
    }
}
