//! Compares captured Records with what the stand-in answered.

use std::collections::HashMap;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::standin::{Facts, Seen};

/// Every exchange that is a call has exactly one Record, with its facts, whole.
///
/// # Errors
/// Names the first difference.
pub fn all(records: &[Record], seen: &[Seen]) -> Result<()> {
    let calls: Vec<&Facts> = seen.iter().filter_map(|seen| seen.facts.as_ref()).collect();
    let mut by_id: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in records {
        by_id.entry(text(record, "gen_ai.response.id")).or_default().push(record);
    }
    // Answers without an id (embeddings, errors) are told apart by number only.
    let mut nameless = by_id.remove("").unwrap_or_default();
    for facts in &calls {
        let record = if facts.id.is_empty() {
            let at = nameless.iter().position(|record| one(record, facts).is_ok()).with_context(|| {
                let first = nameless.first().map(|record| one(record, facts));
                format!("no record for {facts:?}; the first candidate: {first:?}")
            })?;
            nameless.swap_remove(at)
        } else {
            let same = by_id.remove(facts.id.as_str()).unwrap_or_default();
            ensure!(same.len() == 1, "{} records for {facts:?}", same.len());
            same.first().copied().context("one record")?
        };
        one(record, facts).with_context(|| format!("record of {facts:?}"))?;
    }
    ensure!(by_id.is_empty(), "records of calls that never happened: {:?}", by_id.keys());
    ensure!(nameless.is_empty(), "{} records of calls that never happened", nameless.len());
    Ok(())
}

/// One Record against the facts.
///
/// # Errors
/// Names the difference.
pub fn one(record: &Record, facts: &Facts) -> Result<()> {
    let same = |name: &str, wanted: Option<Value>| {
        let found = record.attributes.get(name);
        ensure!(found == wanted.as_ref(), "{name} is {found:?}, not {wanted:?}");
        Ok(())
    };
    same("gen_ai.operation.name", Some(facts.operation.as_str().into()))?;
    same("gen_ai.request.model", Some(facts.model.as_str().into()))?;
    ensure!(
        record.name == format!("{} {}", facts.operation, facts.model),
        "the span's name is {}",
        record.name
    );
    ensure!(record.kind == "CLIENT", "the span's kind is {}", record.kind);
    same("gen_ai.usage.input_tokens", facts.input.map(Value::from))?;
    same("gen_ai.usage.output_tokens", facts.output.map(Value::from))?;
    if facts.cached.is_some_and(|cached| cached > 0) {
        same("gen_ai.usage.cache_read.input_tokens", facts.cached.map(Value::from))?;
    }
    if let Some(finish) = &facts.finish {
        same("gen_ai.response.finish_reasons", Some(vec![finish.as_str()].into()))?;
    }
    same("error.type", facts.error.as_deref().map(Value::from))?;
    same("gen_ai.request.stream", facts.stream.then(|| true.into()))?;
    ensure!(record.capture.complete, "the capture is not complete: {:?}", record.capture);
    Ok(())
}

/// A text attribute; empty when absent.
#[must_use]
pub fn text<'a>(record: &'a Record, name: &str) -> &'a str {
    record.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::standin::Fingerprint;

    fn record(id: &str, output: u64) -> Record {
        serde_json::from_value(json!({
            "v": 1, "trace_id": "t", "span_id": "s", "parent_span_id": null, "name": "chat m", "kind": "CLIENT",
            "start": "", "end": "", "status": {"code": "UNSET"}, "resource": {},
            "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": id,
                "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": output},
            "usage_source": "reported", "cost": {"usd": null, "source": "none", "provider_usd": null, "lines": []},
            "capture": {"source": "uprobe", "complete": true, "request_bytes": 1, "response_bytes": 1, "lost_bytes": 0,
                "truncated": false, "attached_mid_stream": false},
            "inferred": false,
        }))
        .unwrap()
    }

    fn seen(id: &str) -> Seen {
        let facts = Facts {
            operation: "chat".into(),
            model: "m".into(),
            id: id.into(),
            input: Some(7),
            output: Some(3),
            ..Facts::default()
        };
        let body = Fingerprint::of(b"");
        Seen {
            number: 0,
            path: "/".into(),
            request: body.clone(),
            response: body,
            status: 200,
            facts: Some(facts),
        }
    }

    #[test]
    fn every_difference_is_found() {
        assert!(all(&[record("a", 3), record("b", 3)], &[seen("b"), seen("a")]).is_ok());
        assert!(all(&[record("a", 4)], &[seen("a")]).is_err(), "a wrong count");
        assert!(all(&[], &[seen("a")]).is_err(), "a missing record");
        assert!(all(&[record("a", 3), record("a", 3)], &[seen("a")]).is_err(), "a record twice");
        assert!(all(&[record("a", 3), record("b", 3)], &[seen("a")]).is_err(), "a record too many");
        assert!(all(&[record("", 3)], &[]).is_err(), "a nameless record too many");
        let mut incomplete = record("a", 3);
        incomplete.capture.complete = false;
        assert!(all(&[incomplete], &[seen("a")]).is_err(), "an incomplete record");
    }
}
