//! The tables of `docs/differential.md`: one section a family, checked against what was just found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use super::compare::{Finding, Verdict};
use super::known::Known;
use super::reference::Reference;

/// Set to `1` to write the page instead of comparing with it.
const BLESS: &str = "WIRESPAN_BLESS";
/// Tests of one process write one file.
static TURN: Mutex<()> = Mutex::new(());

/// The section of a family, its heading first.
pub(crate) fn section(family: &str, reference: &Reference, findings: &[Finding], known: &Known) -> String {
    let versions: Vec<String> =
        reference.versions.iter().map(|(package, version)| format!("{package} {version}")).collect();
    let calls: Vec<&str> = reference.calls.iter().map(|call| call.call.as_str()).collect();
    let mut out = format!(
        "{}\n\n{}.\n\n{} calls: {}.\n\n",
        heading(family),
        versions.join(", "),
        calls.len(),
        calls.join("; ")
    );
    out.push_str(
        "| attribute | equal | only wirespan | only reference | differs | why |\n|---|--:|--:|--:|--:|---|\n",
    );
    let mut rows: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        rows.entry(&finding.attribute).or_default().push(finding);
    }
    for (attribute, findings) in rows {
        let count = |verdict| {
            let count = findings.iter().filter(|finding| finding.verdict == verdict).count();
            if count == 0 { String::new() } else { count.to_string() }
        };
        let cells = [
            format!("`{attribute}`"),
            count(Verdict::Equal),
            count(Verdict::OursOnly),
            count(Verdict::ReferenceOnly),
            count(Verdict::Differs),
            known.reasons(family, &findings).join(" "),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

fn heading(family: &str) -> String {
    format!("## `{family}`")
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differential.md")
}

/// Compares the section with the one in the page, or puts it there when asked to.
pub(crate) fn settle(family: &str, section: &str) -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let file = file();
    let page =
        std::fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
    let replaced = replace(&page, family, section);
    if replaced == page {
        return Ok(());
    }
    if std::env::var(BLESS).is_ok_and(|value| value == "1") {
        return std::fs::write(&file, replaced)
            .with_context(|| format!("could not write {}", file.display()));
    }
    bail!(
        "docs/differential.md is not what was found for {family}; look at the table above, then run with {BLESS}=1"
    );
}

/// The page with this section in place of the family's old one, or at the end.
fn replace(page: &str, family: &str, section: &str) -> String {
    let section = section.trim_end();
    let begin = format!("{}\n", heading(family));
    let Some(at) = page.find(&begin) else {
        return format!("{}\n\n{section}\n", page.trim_end());
    };
    let (before, rest) = page.split_at(at);
    match rest.split_at(begin.len()).1.find("\n## ") {
        Some(end) => format!("{before}{section}\n{}", rest.split_at(begin.len() + end).1),
        None => format!("{before}{section}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_where_it_stands() {
        let page = "# T\n\ntext\n\n## `a`\n\nold\n\n## `b`\n\nrest\n";
        assert_eq!(replace(page, "a", "## `a`\n\nnew\n"), "# T\n\ntext\n\n## `a`\n\nnew\n\n## `b`\n\nrest\n");
        assert_eq!(replace(page, "b", "## `b`\n\nnew\n"), "# T\n\ntext\n\n## `a`\n\nold\n\n## `b`\n\nnew\n");
        assert!(replace(page, "c", "## `c`\n\nnew\n").ends_with("rest\n\n## `c`\n\nnew\n"));
        let same = replace(page, "a", "## `a`\n\nold\n");
        assert_eq!(same, page, "the same section changes nothing");
    }
}
