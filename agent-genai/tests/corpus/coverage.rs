//! The coverage table: what was recorded, what was decoded, which facts agree, what has a price.

use std::fmt::Write as _;
use std::path::PathBuf;

use agent_genai::{Call, PriceTable};

/// One file of recordings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Exchanges recorded.
    pub(crate) exchanges: usize,
    /// Of these, calls.
    pub(crate) calls: usize,
    /// Calls decoded.
    pub(crate) decoded: usize,
    /// Facts checked.
    pub(crate) facts: usize,
    /// Facts that agree.
    pub(crate) agreed: usize,
    /// Calls that report something to be paid for.
    pub(crate) billable: usize,
    /// Of these, calls whose price is known.
    pub(crate) priced: usize,
}

impl Row {
    /// Adds another row.
    pub(crate) fn add(&mut self, other: Self) {
        self.exchanges += other.exchanges;
        self.calls += other.calls;
        self.decoded += other.decoded;
        self.facts += other.facts;
        self.agreed += other.agreed;
        self.billable += other.billable;
        self.priced += other.priced;
    }

    /// Counts what a call costs.
    pub(crate) fn price(&mut self, table: &PriceTable, call: &Call) {
        if !call.usage.is_reported() && call.usage.units.is_empty() {
            return;
        }
        self.billable += 1;
        self.priced += usize::from(table.cost(call).usd.is_some());
    }
}

/// The table as Markdown.
pub(crate) fn table(rows: &[(String, Row)]) -> String {
    let mut out = String::from(
        "| recordings | exchanges | calls | decoded | facts | agreeing | billable | priced |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut sum = Row::default();
    for (name, row) in rows {
        sum.add(*row);
        line(&mut out, &format!("`{name}`"), *row);
    }
    line(&mut out, "**all**", sum);
    out
}

fn line(out: &mut String, name: &str, row: Row) {
    let Row { exchanges, calls, decoded, facts, agreed, billable, priced } = row;
    let _ = writeln!(
        out,
        "| {name} | {exchanges} | {calls} | {decoded} | {facts} | {agreed} | {billable} | {priced} |"
    );
}

/// The page that keeps the table.
pub(crate) fn page(rows: &[(String, Row)], known: &[(&str, &str)]) -> String {
    let mut page = format!(
        "# Coverage of recorded traffic\n\n\
         Every recorded exchange goes through the decoder, and the call is compared with the facts recorded beside it: ids, models, finish reasons, \
         tool calls, token counts (after the sums that the conventions ask for), errors, texts. This page is written by the test itself \
         (`WIRESPAN_BLESS=1 cargo test -p agent-genai --test corpus` with `WIRESPAN_CORPUS` set), which fails when it no longer holds.\n\n\
         *calls*: exchanges that are calls; the others are management, or other traffic of the same programs, and must give nothing. \
         *billable*: calls that report tokens or other units; *priced*: those whose whole price is known.\n\n{}\n",
        table(rows)
    );
    page.push_str("## Disagreements\n\n");
    if known.is_empty() {
        page.push_str("None.\n");
    }
    for (what, reason) in known {
        let _ = writeln!(page, "- {what}: {reason}");
    }
    page
}

/// Where the page is kept.
pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/coverage.md")
}
