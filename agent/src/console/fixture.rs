//! A hand-written Record for the tests of this crate.

use agent_genai::Record;
use agent_genai::record::{Capture, Cost, CostLine, CostSource, Status, StatusCode, UsageSource};
use rust_decimal::Decimal;
use serde_json::json;

pub(crate) fn record() -> Record {
    let attributes = json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.stream": true, "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.4,
        "gen_ai.usage.input_tokens": 812, "gen_ai.usage.cache_read.input_tokens": 512, "gen_ai.usage.output_tokens": 25,
        "server.address": "api.openai.com", "server.port": 443,
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Hi\u{1b}[31m there"}]}]
    });
    Record {
        v: 1,
        exchange: None,
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        span_id: "b7ad6b7169203331".into(),
        parent_span_id: None,
        links: vec![],
        name: "chat gpt-4o-mini".into(),
        kind: "CLIENT".into(),
        start: "2026-11-23T13:04:05.123456789Z".into(),
        end: "2026-11-23T13:04:06.373456789Z".into(),
        status: Status { code: StatusCode::Unset, message: String::new() },
        resource: [("service.name".to_owned(), json!("shop")), ("process.pid".to_owned(), json!(4242))]
            .into(),
        attributes: serde_json::from_value(attributes).expect("an object"),
        events: vec![],
        usage_source: UsageSource::Reported,
        cost: Cost {
            usd: Some(Decimal::new(1368, 7)),
            source: CostSource::Table,
            provider_usd: None,
            lines: vec![CostLine {
                item: "input".into(),
                quantity: Decimal::from(812),
                unit: "token".into(),
                usd_per_million: Some(Decimal::new(15, 2)),
                usd: Some(Decimal::new(1218, 7)),
            }],
        },
        checks: vec![],
        capture: Capture {
            source: "uprobe".into(),
            complete: true,
            request_bytes: 2113,
            response_bytes: 9120,
            lost_bytes: 0,
            truncated: false,
            attached_mid_stream: false,
            undecodable: None,
        },
        inferred: false,
    }
}
