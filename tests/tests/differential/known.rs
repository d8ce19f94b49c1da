//! Known differences: data, each with its reason.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::compare::{Finding, Verdict};

const FILE: &str = include_str!("known.json");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// Times that both measure.
    pub(crate) measured: Vec<Measured>,
    differences: Vec<Difference>,
}

/// A time that both measure, each at its own place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    pub(crate) attribute: String,
    pub(crate) reason: String,
}

/// A difference that is meant to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// Families it occurs in: in each of them.
    families: Vec<String>,
    /// Name; with `*` at its end everything that begins so.
    attribute: String,
    /// Any but equal, when left out.
    #[serde(default)]
    verdict: Option<Verdict>,
    /// Beginnings of the names of the calls it may occur in; any when left out.
    #[serde(default)]
    calls: Vec<String>,
    reason: String,
}

impl Difference {
    fn is(&self, family: &str, finding: &Finding) -> bool {
        let is_attribute = match self.attribute.strip_suffix('*') {
            Some(beginning) => finding.attribute.starts_with(beginning),
            None => finding.attribute == self.attribute,
        };
        is_attribute
            && finding.verdict != Verdict::Equal
            && self.verdict.is_none_or(|verdict| verdict == finding.verdict)
            && self.families.iter().any(|name| name == family)
            && (self.calls.is_empty()
                || self.calls.iter().any(|call| finding.call.starts_with(call.as_str())))
    }
}

impl Known {
    pub(crate) fn load() -> Result<Self> {
        Self::parse(FILE)
    }

    fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("known.json")
    }

    /// Reasons for the differences of this attribute, each once, in the order of the file.
    pub(crate) fn reasons(&self, family: &str, findings: &[&Finding]) -> Vec<&str> {
        let measured = self.measured.iter().filter(|measured| {
            findings.iter().any(|f| f.attribute == measured.attribute && f.verdict == Verdict::Equal)
        });
        let known = self.differences.iter().filter(|known| findings.iter().any(|f| known.is(family, f)));
        let mut reasons = Vec::new();
        for reason in measured.map(|m| m.reason.as_str()).chain(known.map(|d| d.reason.as_str())) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// Nothing differs that is not declared, and what is declared differs.
    pub(crate) fn check(&self, family: &str, findings: &[Finding]) -> Result<()> {
        let mut wrong = String::new();
        let mut used: BTreeSet<usize> = BTreeSet::new();
        for finding in findings.iter().filter(|finding| finding.verdict != Verdict::Equal) {
            let known: Vec<usize> = (0..self.differences.len())
                .filter(|at| self.differences.get(*at).is_some_and(|known| known.is(family, finding)))
                .collect();
            if known.is_empty() {
                let show = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
                writeln!(
                    wrong,
                    "undeclared: {} in `{}`: {:?}\n    ours:      {}\n    reference: {}",
                    finding.attribute,
                    finding.call,
                    finding.verdict,
                    show(&finding.ours).unwrap_or_default(),
                    show(&finding.theirs).unwrap_or_default()
                )?;
            }
            used.extend(known);
        }
        for (at, known) in self.differences.iter().enumerate() {
            if known.families.iter().any(|name| name == family) && !used.contains(&at) {
                writeln!(
                    wrong,
                    "declared, but no longer so: {} {:?} {:?} ({})",
                    known.attribute, known.verdict, known.calls, known.reason
                )?;
            }
        }
        if !wrong.is_empty() {
            bail!("{family}:\n{wrong}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known::parse(
            r#"{"measured": [], "differences": [{"families": ["x"], "attribute": "a", "verdict": "ours_only",
                "calls": ["chat"], "reason": "because"}]}"#,
        )
        .unwrap()
    }

    fn finding(call: &str, attribute: &str, verdict: Verdict) -> Finding {
        Finding { call: call.into(), attribute: attribute.into(), verdict, ours: None, theirs: None }
    }

    #[test]
    fn only_what_is_declared_may_differ_and_must() {
        let declared = finding("chat, stream", "a", Verdict::OursOnly);
        assert!(known().check("x", std::slice::from_ref(&declared)).is_ok());
        assert!(known().check("x", &[declared.clone(), finding("chat", "b", Verdict::Equal)]).is_ok());
        for undeclared in [
            finding("chat", "a", Verdict::Differs),
            finding("chat", "b", Verdict::OursOnly),
            finding("embeddings", "a", Verdict::OursOnly),
        ] {
            assert!(known().check("x", &[declared.clone(), undeclared]).is_err());
        }
        assert!(known().check("x", &[]).is_err(), "declared, but no longer so");
        assert!(known().check("y", &[]).is_ok(), "another family's");
    }
}
