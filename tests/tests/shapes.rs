//! Traffic of every shape: separate writes, long prompts, long streams, compression, errors, old TLS libraries, short-lived processes.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::{Captured, Exec};
use wirespan_tests::programs::{self, Program, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, bodies, need, skip_if};

/// Captures the command, which must succeed, and compares facts and bodies with what the stand-in saw.
fn captured_whole(standin: &Standin, command: &Command) -> Result<Captured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let captured = Exec { record: Some(file.clone()), ..Exec::default() }.run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    agree::all(&captured.records, &seen).with_context(|| captured.run.stderr.clone())?;
    bodies::equal(&file, &seen)?;
    Ok(captured)
}

#[test]
fn heads_and_bodies_in_separate_writes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // httpx writes head and body apart by itself; `split` and `piece` make the server do so, byte by byte.
    for wishes in ["split", "split/piece=1", "split/gzip/piece=3"] {
        let standin = Standin::start()?;
        captured_whole(&standin, &python_sdk(&standin, "chat", wishes, &["--calls", "3"])?)?;
        let standin = Standin::start()?;
        captured_whole(
            &standin,
            &python_sdk(&standin, "messages", wishes, &["--stream", "--mode", "async"])?,
        )?;
    }
    Ok(())
}

#[test]
fn a_prompt_of_300_kilobytes_is_whole() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let command = python_sdk(&standin, "chat", "", &["--calls", "5", "--prompt-bytes", "300000"])?;
    captured_whole(&standin, &command).map(drop)
}

#[test]
fn a_prompt_of_20_megabytes_is_whole() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    for mode in ["sync", "async"] {
        let standin = Standin::start()?;
        let command = python_sdk(&standin, "chat", "", &["--mode", mode, "--prompt-bytes", "20000000"])?;
        let captured = captured_whole(&standin, &command)?;
        let bytes = captured.records.first().map(|record| record.capture.request_bytes);
        ensure!(bytes.is_some_and(|bytes| bytes > 20_000_000), "{bytes:?} request bytes");
    }
    Ok(())
}

#[test]
fn a_stream_of_30_seconds_has_its_usage() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // Usage comes with the last event: 30 pauses of a second lie before it.
    let standin = Standin::start()?;
    let wishes = "gap=900/chunks=30";
    let command = python_sdk(&standin, "chat", wishes, &["--stream", "--calls", "4", "--concurrency", "4"])?;
    let captured = captured_whole(&standin, &command)?;
    for record in &captured.records {
        ensure!(record.attributes.contains_key("gen_ai.usage.output_tokens"), "{record:?}");
        let first = record.attributes.get("gen_ai.response.time_to_first_chunk").and_then(Value::as_f64);
        ensure!(first.is_some_and(|seconds| seconds > 0.0), "time to first chunk: {first:?}");
    }
    Ok(())
}

#[test]
fn errors_are_spans_too() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    for api in ["chat", "responses", "embeddings", "messages"] {
        for status in ["429", "500", "404"] {
            let standin = Standin::start()?;
            let wishes = format!("status={status}");
            let command = python_sdk(&standin, api, &wishes, &["--expect-error", status])?;
            let captured = captured_whole(&standin, &command).with_context(|| format!("{api} {status}"))?;
            let codes: Vec<_> = captured.records.iter().map(|record| record.status.code).collect();
            ensure!(codes == [agent_genai::record::StatusCode::Error], "{api} {status}: {codes:?}");
        }
    }
    Ok(())
}

#[test]
fn errors_inside_a_stream_are_seen() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    for (api, kind) in
        [("chat", "engine_overloaded"), ("messages", "overloaded_error"), ("responses", "server_error")]
    {
        let standin = Standin::start()?;
        // The Responses SDK hands the failure on as an event, the others raise.
        let expected = if api == "responses" { "ended early" } else { "verload" };
        let command = python_sdk(&standin, api, "break", &["--stream", "--expect-error", expected])?;
        let captured = Exec::default().run(&command)?;
        ensure!(captured.run.status.success(), "{}", captured.run.stderr);
        let kinds: Vec<&str> =
            captured.records.iter().map(|record| agree::text(record, "error.type")).collect();
        ensure!(kinds == [kind], "{api}: {kinds:?}");
    }
    Ok(())
}

#[test]
fn openssl_1_1_1_inside_a_node() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::NodeOpenSsl11])?);
    let standin = Standin::start()?;
    let mut command = programs::command(Program::NodeOpenSsl11, &standin)?;
    command.arg(programs::script("https.js")).arg(standin.url("")).arg("50");
    let captured = captured_whole(&standin, &command)?;
    ensure!(captured.records.len() == 50, "{} spans", captured.records.len());
    ensure!(captured.run.stderr.contains("1.1.1"), "not the runtime that was meant: {}", captured.run.stderr);
    Ok(())
}

#[test]
fn a_thousand_curl_processes_each_from_the_first_byte() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Curl])?);
    let standin = Standin::start()?;
    let mut command = Command::new("sh");
    programs::trusting(&mut command, &standin);
    command.arg(programs::script("batch.sh")).arg(standin.url("")).arg("1000");
    let captured = captured_whole(&standin, &command)?;
    ensure!(captured.records.len() == 1000, "{} spans", captured.records.len());
    let mid = captured.records.iter().filter(|record| record.capture.attached_mid_stream).count();
    ensure!(mid == 0, "{mid} captured from the middle");
    Ok(())
}

#[test]
fn content_only_when_asked_for_and_never_credentials() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    for content in [false, true] {
        let standin = Standin::start()?;
        let command = python_sdk(&standin, "messages", "", &["--tool"])?;
        let captured = Exec { content, ..Exec::default() }.run(&command)?;
        agree::all(&captured.records, &standin.seen())?;
        let printed = &captured.run.stdout;
        ensure!(!printed.contains("sk-ant-test-secret"), "the API key was printed: {printed}");
        ensure!(printed.contains("why is the sky blue") == content, "content {content}: {printed}");
    }
    Ok(())
}
