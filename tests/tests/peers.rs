//! The address of the other end of TLS connections, whatever the runtime does between the TLS library and the socket.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::Exec;
use wirespan_tests::plain::{self, of_kind, peer};
use wirespan_tests::programs::{self, Program, node_sdk, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{need, skip_if};

/// Every call of the command must name the stand-in as its peer.
fn all_named(standin: &Standin, command: &Command, calls: usize) -> Result<()> {
    let captured = Exec::default().run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    ensure!(captured.records.len() == calls, "{} calls: {}", captured.records.len(), captured.run.stderr);
    let expected = Some(("127.0.0.1", u64::from(standin.port())));
    for record in &captured.records {
        ensure!(peer(record) == expected, "{record:?}");
    }
    Ok(())
}

#[test]
fn a_socket_below_the_handle() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python, Program::Curl])?);
    let standin = Standin::start()?;
    all_named(&standin, &python_sdk(&standin, "chat", "", &["--calls", "3"])?, 3)?;
    let standin = Standin::start()?;
    let mut curl = programs::command(Program::Curl, &standin)?;
    curl.args(["-s", "--ipv4", &format!("{}/v1/chat/completions", standin.url(""))]);
    curl.args(["-H", "content-type: application/json", "-d", r#"{"model":"m","messages":[]}"#]);
    all_named(&standin, &curl, 1)
}

#[test]
fn records_in_memory_that_the_runtime_sends() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python, Program::Node])?);
    let standin = Standin::start()?;
    let many = ["--mode", "async", "--calls", "32", "--concurrency", "16"];
    all_named(&standin, &python_sdk(&standin, "chat", "", &many)?, 32)?;
    let standin = Standin::start()?;
    all_named(&standin, &node_sdk(&standin, "chat", "", &["--calls", "4", "--stream"])?, 4)
}

#[test]
fn both_ends_over_ipv6() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        println!("skipped: there is no IPv6 here");
        return Ok(());
    };
    let port = listener.local_addr()?.port();
    drop(listener);
    let standin = Standin::start()?;
    let (certificate, key) = standin.identity();
    let files = [&certificate, &key].map(|file| file.to_str().context("a path that is text"));
    let [certificate, key] = files;
    let arguments = ["--host", "::1", "--tls", certificate?, key?, "--connections", "3", "--asyncio"];
    let captured = Exec::default().run(&plain::command(port, &arguments)?)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let (clients, servers) = (of_kind(&captured.records, "CLIENT"), of_kind(&captured.records, "SERVER"));
    ensure!(clients.len() == 3 && servers.len() == 3, "{:?}", captured.records);
    ensure!(clients.iter().all(|record| peer(record) == Some(("::1", u64::from(port)))), "{clients:?}");
    ensure!(servers.iter().all(|record| peer(record).is_some_and(|(address, _)| address == "::1")));
    Ok(())
}
