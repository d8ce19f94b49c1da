//! Compares what the reference recorded of a call with what wirespan recorded of it.

use agent_genai::Record;
use agent_genai::record::StatusCode;
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::flat::{self, Flat};
use super::known::Measured;
use super::reference::{Call, Span};

/// One value of one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Name of the call.
    pub(crate) call: String,
    /// Attribute, or the place within it, without positions; `(…)` for what is no attribute.
    pub(crate) attribute: String,
    pub(crate) verdict: Verdict,
    /// What we say.
    pub(crate) ours: Option<Value>,
    /// What the reference says.
    pub(crate) theirs: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Equal,
    OursOnly,
    ReferenceOnly,
    Differs,
}

/// Everything that either says of the call.
pub(crate) fn call(call: &Call, record: &Record, measured: &[Measured]) -> Result<Vec<Finding>> {
    ensure!(call.spans.len() < 2, "the reference made {} spans of `{}`", call.spans.len(), call.call);
    let ours = ours(record);
    let theirs = call.spans.first().map(theirs).unwrap_or_default();
    let mut paths: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    let findings = paths.into_iter().map(|path| {
        let (ours, theirs) = (ours.get(path), theirs.get(path));
        let attribute = flat::general(path);
        let is_measured = measured.iter().any(|measured| measured.attribute == attribute);
        let verdict = match (ours, theirs) {
            (Some(_), None) => Verdict::OursOnly,
            (None, _) => Verdict::ReferenceOnly,
            (Some(ours), Some(theirs)) if is_measured && not_after(ours, theirs) => Verdict::Equal,
            (Some(ours), Some(theirs)) if ours == theirs => Verdict::Equal,
            (Some(_), Some(_)) => Verdict::Differs,
        };
        Finding { call: call.call.clone(), attribute, verdict, ours: ours.cloned(), theirs: theirs.cloned() }
    });
    Ok(findings.collect())
}

/// We see a byte before the SDK can: our time is a positive one that is not longer.
fn not_after(ours: &Value, theirs: &Value) -> bool {
    matches!((ours.as_f64(), theirs.as_f64()), (Some(ours), Some(theirs)) if ours > 0.0 && ours <= theirs)
}

fn ours(record: &Record) -> Flat {
    let mut out = Flat::new();
    out.insert("(span name)".to_owned(), json!(record.name));
    out.insert("(span kind)".to_owned(), json!(record.kind));
    let code = match record.status.code {
        StatusCode::Unset => "UNSET",
        StatusCode::Error => "ERROR",
    };
    status(&mut out, code, &record.status.message);
    for event in &record.events {
        out.insert(format!("(event {})", event.name), json!(true));
    }
    for (name, value) in &record.attributes {
        flat::attribute(&mut out, name, value);
    }
    out
}

fn theirs(span: &Span) -> Flat {
    let mut out = Flat::new();
    out.insert("(span name)".to_owned(), json!(span.name));
    out.insert("(span kind)".to_owned(), json!(span.kind));
    status(&mut out, &span.status.code, &span.status.message);
    for event in &span.events {
        out.insert(format!("(event {})", event.name), json!(true));
    }
    for (name, value) in &span.attributes {
        flat::attribute(&mut out, name, value);
    }
    out
}

fn status(out: &mut Flat, code: &str, message: &str) {
    out.insert("(status code)".to_owned(), json!(code));
    if !message.is_empty() {
        out.insert("(status message)".to_owned(), json!(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_time_is_never_longer_than_the_sdks() {
        assert!(not_after(&json!(0.5), &json!(0.6)));
        assert!(!not_after(&json!(0.7), &json!(0.6)));
        assert!(!not_after(&json!(0.0), &json!(0.6)));
        assert!(!not_after(&json!("0.1"), &json!(0.6)));
    }
}
