//! The reference OpenTelemetry instrumentations and wirespan on the very same calls, compared attribute by attribute.
//!
//! One unmodified Python process calls the stand-in through an official SDK; the reference instrumentation records it from
//! inside, `wirespan exec` from the kernel. Differences must be declared, with a reason, in `known.json`; a declared one that no
//! longer occurs fails too. `docs/differential.md` holds the tables; `WIRESPAN_BLESS=1` writes them.

mod compare;
mod flat;
mod known;
mod page;
mod reference;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use compare::Finding;
use reference::Reference;
use wirespan_tests::capture::Exec;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{need, skip_if};

/// Content with the descriptions and parameters of tools, as the reference records it.
const CONFIG: &str = "content:\n  enabled: true\n  tool_descriptions: true\n";

/// Makes the family's calls under both and returns what each recorded, wirespan's in the order of the calls.
fn both(family: &str) -> Result<(Reference, Vec<Record>)> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let (spans, config) = (folder.path().join("spans.jsonl"), folder.path().join("wirespan.yaml"));
    std::fs::write(&config, CONFIG).context("configuration")?;
    let mut command = programs::command(Program::Reference, &standin)?;
    command.arg(programs::script("reference/run.py")).arg(family);
    command.arg("--url").arg(standin.url("")).arg("--spans").arg(&spans);
    let exec = Exec { content: true, config: Some(config), ..Exec::default() };
    let captured = exec.run(&command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let mut records = captured.records;
    records.sort_by(|a, b| a.start.cmp(&b.start));
    Ok((Reference::read(&spans)?, records))
}

#[expect(clippy::print_stdout, reason = "the table is the result; `cargo xtask test` shows it")]
fn compared(family: &str) -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Reference])?);
    let (reference, records) = both(family)?;
    ensure!(
        records.len() == reference.calls.len(),
        "{} records for {} calls: {:?}",
        records.len(),
        reference.calls.len(),
        records.iter().map(|record| &record.name).collect::<Vec<_>>()
    );
    let known = known::Known::load()?;
    let mut findings: Vec<Finding> = Vec::new();
    for (call, record) in reference.calls.iter().zip(&records) {
        findings.extend(compare::call(call, record, &known.measured)?);
    }
    let section = page::section(family, &reference, &findings, &known);
    println!("{section}");
    known.check(family, &findings)?;
    page::settle(family, &section)
}

#[test]
fn openai() -> Result<()> {
    compared("openai")
}

#[test]
fn anthropic() -> Result<()> {
    compared("anthropic")
}

#[test]
fn google() -> Result<()> {
    compared("google")
}

#[test]
fn bedrock() -> Result<()> {
    compared("bedrock")
}
