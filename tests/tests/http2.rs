//! HTTP/2 over TLS between real programs: httpx, Node, curl, hyper and Go's net/http, captured from their start and joined in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wirespan_tests::capture::{self, Exec};
use wirespan_tests::process::{self, Running};
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::{Seen, Standin};
use wirespan_tests::{agree, need, skip_if};

/// Calls at the same time on one connection.
const MANY: usize = 50;

/// A program that makes chat completions over HTTP/2; with `wait` it begins with one after the other until that file exists.
fn client(
    program: Program,
    script: &str,
    standin: &Standin,
    url: &str,
    wait: Option<&Path>,
) -> Result<Command> {
    let mut command = programs::command(program, standin)?;
    command.arg(programs::script(script)).arg(url).arg(MANY.to_string()).args(wait);
    Ok(command)
}

fn httpx(standin: &Standin, url: &str, wait: Option<&Path>) -> Result<Command> {
    client(Program::Python, "http2.py", standin, url, wait)
}

fn node(standin: &Standin, url: &str, wait: Option<&Path>) -> Result<Command> {
    client(Program::Node, "http2.js", standin, url, wait)
}

fn id(record: &Record) -> &str {
    agree::text(record, "gen_ai.response.id")
}

/// The bytes of each body are among those of its messages, and little else is: heads, and nine bytes a frame.
fn sizes(records: &[Record], seen: &[Seen]) -> Result<()> {
    let by_id: BTreeMap<&str, &Record> = records.iter().map(|record| (id(record), record)).collect();
    for seen in seen {
        let Some(facts) = &seen.facts else { continue };
        let record = by_id.get(facts.id.as_str()).with_context(|| format!("no record of {facts:?}"))?;
        let (sent, got) = (&record.capture.request_bytes, &record.capture.response_bytes);
        let near = |bytes: u64, body: u64| (body + 1..body + 1_500).contains(&bytes);
        ensure!(near(*sent, seen.request.length), "{sent} bytes for a request of {}", seen.request.length);
        ensure!(near(*got, seen.response.length), "{got} bytes for a response of {}", seen.response.length);
    }
    Ok(())
}

/// Captured from the start, against the stand-in: every call is there with its facts and sizes.
fn captured_whole(standin: &Standin, command: &Command, calls: usize) -> Result<()> {
    let captured = Exec::default().run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    ensure!(seen.len() == calls, "the server saw {} of {calls} calls", seen.len());
    agree::all(&captured.records, &seen)?;
    sizes(&captured.records, &seen)
}

/// Attaches to `target` while `client` makes calls on a connection that is open already, then lets it make many at once. Gives the
/// records.
fn joined(client: &mut Running, target: u32, go: &Path) -> Result<Vec<Record>> {
    client.wait_for("its first calls", |stdout, stderr| (stdout.to_owned() + stderr).contains("call 3"))?;
    let mut tail = Command::new(need::wirespan()?);
    tail.args(["tail", "-o", "jsonl", "--pid", &target.to_string()]);
    let mut tail = process::start(&mut tail)?;
    tail.wait_for("a captured call", |stdout, _| stdout.contains('\n'))?;
    std::fs::write(go, "")?;
    client.wait_for("the end", |stdout, _| stdout.contains("\"ok\""))?;
    tail.wait_for("every call", |stdout, _| stdout.lines().count() > MANY)?;
    drop(tail.signal("INT"));
    let mut records = capture::captured(tail.wait()?)?.records;
    // The one call that was under way at the attach is not whole, and says so.
    let before = records.len();
    records.retain(|record| !record.capture.attached_mid_stream);
    ensure!(before - records.len() <= 1, "{} calls are not whole", before - records.len());
    Ok(records)
}

fn one_connection(stdout: &str) -> Result<()> {
    let last: Value = serde_json::from_str(stdout.lines().last().unwrap_or_default())?;
    let number = |key| last.get(key).and_then(Value::as_u64);
    ensure!(number("ok") == Some(MANY as u64) && number("connections") == Some(1), "{last}");
    Ok(())
}

/// Joined in the middle, against the stand-in: the last calls are all there, and all that is there is right.
fn captured_from_the_middle(make: fn(&Standin, &str, Option<&Path>) -> Result<Command>) -> Result<()> {
    let standin = Standin::start_http2()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let mut client = process::start(&mut make(&standin, &standin.url(""), Some(&go))?)?;
    let pid = client.pid();
    let records = joined(&mut client, pid, &go)?;
    one_connection(&client.wait()?.succeeded()?.stdout)?;
    let captured: BTreeSet<&str> = records.iter().map(id).collect();
    let seen = standin.seen();
    let is_captured =
        |seen: &Seen| seen.facts.as_ref().is_some_and(|facts| captured.contains(facts.id.as_str()));
    let missed = seen.iter().rev().take(MANY).filter(|seen| !is_captured(seen)).count();
    ensure!(missed == 0, "{missed} of the last {MANY} calls are missing");
    let seen: Vec<Seen> = seen.into_iter().filter(is_captured).collect();
    agree::all(&records, &seen)?;
    sizes(&records, &seen)
}

#[test]
fn httpx_over_http2() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    for wishes in ["", "gzip", "piece=100", "size=60000"] {
        let standin = Standin::start_http2()?;
        captured_whole(&standin, &httpx(&standin, &standin.url(wishes), None)?, MANY).context(wishes)?;
    }
    Ok(())
}

#[test]
fn node_over_http2() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    for wishes in ["", "piece=100", "size=60000"] {
        let standin = Standin::start_http2()?;
        captured_whole(&standin, &node(&standin, &standin.url(wishes), None)?, MANY).context(wishes)?;
    }
    Ok(())
}

/// curl with so many calls, on one connection, at the same time or one after the other.
fn curl(standin: &Standin, urls: &[String], parallel: bool) -> Result<Command> {
    let mut command = programs::command(Program::Curl, standin)?;
    command.args(["-sS", "--fail", "--http2", "-H", "content-type: application/json", "-d"]);
    command
        .arg(json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "curl"}]}).to_string());
    if parallel {
        command.args(["--parallel", "--parallel-max", "50"]);
    }
    for url in urls {
        command
            .args(["-o", "/dev/null", "-w", "call by %{http_version}\\n"])
            .arg(format!("{url}/v1/chat/completions"));
    }
    Ok(command)
}

#[test]
fn curl_over_http2() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Curl])?);
    for parallel in [false, true] {
        let standin = Standin::start_http2()?;
        let urls = vec![standin.url(""); MANY];
        captured_whole(&standin, &curl(&standin, &urls, parallel)?, MANY)?;
    }
    Ok(())
}

#[test]
fn httpx_joined_in_the_middle() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    captured_from_the_middle(httpx)
}

#[test]
fn node_joined_in_the_middle() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    captured_from_the_middle(node)
}

#[test]
fn curl_joined_in_the_middle() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Curl])?);
    // The second call is waited for while we attach, the others follow on the same connection.
    let standin = Standin::start_http2()?;
    let urls = [vec![standin.url("")], vec![standin.url("hold=1500"); 6]].concat();
    let client = process::start(&mut curl(&standin, &urls, false)?)?;
    let mut tail = Command::new(need::wirespan()?);
    tail.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]);
    let tail = process::start(&mut tail)?;
    let run = client.wait()?.succeeded()?;
    ensure!(run.stdout.lines().all(|line| line.ends_with("by 2")), "{}", run.stdout);
    // The process is gone, so it ends by itself; else it is told to.
    drop(tail.signal("INT"));
    let records = capture::captured(tail.wait()?)?.records;
    let seen = standin.seen();
    let captured: BTreeSet<&str> = records.iter().map(id).collect();
    let last: Vec<Seen> = seen.into_iter().rev().take(2).collect();
    for seen in &last {
        let id = seen.facts.as_ref().map(|facts| facts.id.as_str()).unwrap_or_default();
        ensure!(captured.contains(id), "the last calls are missing: {captured:?}");
    }
    let records: Vec<Record> = records
        .into_iter()
        .filter(|record| {
            last.iter().any(|seen| seen.facts.as_ref().is_some_and(|facts| facts.id == id(record)))
        })
        .collect();
    agree::all(&records, &last)
}

/// What the servers of `http2.go` and `http2_server.js` say of each call: the ids are their own, the rest is the same.
fn as_served(records: &[Record], prefix: &str, kind: &str, from_the_start: bool) -> Result<()> {
    let ids: BTreeSet<&str> = records.iter().map(id).collect();
    ensure!(ids.len() == records.len(), "the same call twice");
    let streamed =
        records.iter().filter(|record| record.attributes.get("gen_ai.request.stream") == Some(&json!(true)));
    ensure!(streamed.count() >= MANY / 2);
    for record in records {
        let is = |name: &str, value: Value| {
            let found = record.attributes.get(name);
            ensure!(found == Some(&value), "{name} is {found:?}");
            Ok(())
        };
        ensure!(id(record).starts_with(prefix) && record.kind == kind, "{} {}", id(record), record.kind);
        is("gen_ai.request.model", json!("gpt-4o-mini"))?;
        is("gen_ai.response.model", json!("gpt-4o-mini"))?;
        is("gen_ai.usage.output_tokens", json!(7))?;
        is("gen_ai.response.finish_reasons", json!(["stop"]))?;
        let input = record.attributes.get("gen_ai.usage.input_tokens").and_then(Value::as_u64);
        ensure!(input.is_some_and(|tokens| tokens > 0), "{input:?}");
        if from_the_start {
            is("server.address", json!("localhost"))?;
        }
        ensure!(record.capture.complete, "{:?}", record.capture);
        if !record.attributes.contains_key("gen_ai.request.stream") {
            ensure!((40_000..41_500).contains(&record.capture.response_bytes), "{:?}", record.capture);
        }
    }
    Ok(())
}

/// A server program; its port.
fn serving(command: &mut Command) -> Result<(Running, u16)> {
    let mut server = process::start(command)?;
    let port_of = |text: &str| text.lines().find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok());
    server.wait_for("its port", |stdout, stderr| port_of(stdout).or_else(|| port_of(stderr)).is_some())?;
    let port = port_of(&server.stdout()?).or(port_of(&server.stderr()?)).context("a port")?;
    Ok((server, port))
}

#[test]
fn clients_of_a_go_server() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Go, Program::Python, Program::Node, Program::Curl])?);
    let standin = Standin::start()?;
    let (certificate, key) = standin.identity();
    let mut go = Command::new(programs::find(Program::Go)?);
    let (_server, port) = serving(go.arg("serve").arg(certificate).arg(key))?;
    let url = format!("https://localhost:{port}");
    for make in [httpx, node] {
        let captured = Exec::default().run(&make(&standin, &url, None)?)?;
        ensure!(captured.run.status.success(), "{}", captured.run.stderr);
        ensure!(captured.records.len() == MANY, "{} records", captured.records.len());
        as_served(&captured.records, "chatcmpl-go-", "CLIENT", true)?;
        let folder = tempfile::tempdir()?;
        let flag = folder.path().join("go");
        let mut client = process::start(&mut make(&standin, &url, Some(&flag))?)?;
        let pid = client.pid();
        let records = joined(&mut client, pid, &flag)?;
        one_connection(&client.wait()?.succeeded()?.stdout)?;
        ensure!(records.len() >= MANY, "{} records", records.len());
        as_served(&records, "chatcmpl-go-", "CLIENT", false)?;
    }
    let captured = Exec::default().run(&curl(&standin, &vec![url; 5], true)?)?;
    ensure!(captured.records.len() == 5, "{} records\n{}", captured.records.len(), captured.run.stderr);
    Ok(())
}

#[test]
fn a_server_with_a_go_client() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Go, Program::Node])?);
    let standin = Standin::start()?;
    let (certificate, key) = standin.identity();
    let call = |port: u16, wait: Option<&Path>| -> Result<Command> {
        let mut go = Command::new(programs::find(Program::Go)?);
        go.arg("call").arg(format!("https://localhost:{port}")).arg(standin.authority());
        go.arg(MANY.to_string()).args(wait);
        Ok(go)
    };
    let mut command = Command::new(programs::find(Program::Node)?);
    command.arg(programs::script("http2_server.js")).arg(&certificate).arg(&key);
    // From the start.
    let (server, port) = serving(&mut Exec::default().command(&command)?)?;
    one_connection(&process::run(&mut call(port, None)?)?.succeeded()?.stdout)?;
    drop(server.signal("INT"));
    let run = server.wait()?;
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with('{')).collect();
    let records = capture::records(&lines.join("\n"))?;
    ensure!(records.len() == MANY, "{} records\n{}", records.len(), run.stderr);
    as_served(&records, "chatcmpl-node-", "SERVER", true)?;
    // In the middle of a connection.
    let (server, port) = serving(&mut command)?;
    let folder = tempfile::tempdir()?;
    let flag = folder.path().join("go");
    let mut client = process::start(&mut call(port, Some(&flag))?)?;
    let records = joined(&mut client, server.pid(), &flag)?;
    one_connection(&client.wait()?.succeeded()?.stdout)?;
    ensure!(records.len() >= MANY, "{} records", records.len());
    as_served(&records, "chatcmpl-node-", "SERVER", false)
}
