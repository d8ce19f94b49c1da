//! Official SDKs, unmodified: every call becomes one span with the right facts, and the captured bodies are the server's, byte for byte.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::Exec;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, bodies, need, skip_if};

const MANY: &[&str] = &["--calls", "200", "--concurrency", "20"];

/// Captures the command and compares everything with what the stand-in saw.
fn captured_whole(standin: &Standin, command: &Command, calls: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let captured = Exec { record: Some(file.clone()), ..Exec::default() }.run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    ensure!(seen.len() == calls, "the server saw {} of {calls} calls", seen.len());
    ensure!(
        captured.records.len() == calls,
        "{} spans for {calls} calls\n{}",
        captured.records.len(),
        captured.run.stderr
    );
    agree::all(&captured.records, &seen)?;
    bodies::equal(&file, &seen)
}

fn python(api: &str, wishes: &str, more: &[&str]) -> Result<()> {
    let standin = Standin::start()?;
    let command = programs::python_sdk(&standin, api, wishes, &[MANY, more].concat())?;
    captured_whole(&standin, &command, 200).with_context(|| format!("python {api} {more:?}"))
}

fn node(api: &str, wishes: &str, more: &[&str]) -> Result<()> {
    let standin = Standin::start()?;
    let command = programs::node_sdk(&standin, api, wishes, &[MANY, more].concat())?;
    captured_whole(&standin, &command, 200).with_context(|| format!("node {api} {more:?}"))
}

#[test]
fn python_openai_sync() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("chat", "", &[])
}

#[test]
fn python_openai_async() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("chat", "gzip", &["--mode", "async"])
}

#[test]
fn python_openai_sync_streaming() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("chat", "split", &["--stream"])
}

#[test]
fn python_openai_async_streaming() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("chat", "", &["--mode", "async", "--stream", "--tool"])
}

#[test]
fn python_openai_responses() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("responses", "", &["--stream"])?;
    python("responses", "gzip", &["--mode", "async"])
}

#[test]
fn python_openai_embeddings() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("embeddings", "", &[])
}

#[test]
fn python_anthropic_sync() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("messages", "", &[])
}

#[test]
fn python_anthropic_async() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("messages", "", &["--mode", "async", "--tool"])
}

#[test]
fn python_anthropic_sync_streaming() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("messages", "gzip", &["--stream"])
}

#[test]
fn python_anthropic_async_streaming() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("messages", "", &["--mode", "async", "--stream"])
}

#[test]
fn node_openai() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    node("chat", "", &[])?;
    node("chat", "", &["--stream", "--tool"])
}

#[test]
fn node_openai_responses_and_embeddings() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    node("responses", "gzip", &["--stream"])?;
    node("embeddings", "", &[])
}

#[test]
fn node_anthropic() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    node("messages", "gzip", &[])?;
    node("messages", "", &["--stream"])
}

#[test]
fn curl() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Curl])?);
    let standin = Standin::start()?;
    let mut command = Command::new("sh");
    programs::trusting(&mut command, &standin);
    command.arg(programs::script("parallel.sh")).arg(standin.url("")).args(["200", "20"]);
    captured_whole(&standin, &command, 200)
}

#[test]
fn http_libraries_without_an_sdk() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let mut command = programs::command(Program::Python, &standin)?;
    command.arg(programs::script("libs.py")).arg(standin.url("")).arg("50");
    captured_whole(&standin, &command, 200)
}
