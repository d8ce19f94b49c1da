//! The matrix's smaller form: clients of the ordinary set-up, in every column. `cargo xtask matrix` measures every client.

use anyhow::{Context, Result, ensure};
use wirespan_tests::matrix::{self, CLIENTS, Cell, Column};
use wirespan_tests::{need, skip_if};

fn every_column(name: &str) -> Result<()> {
    let client = CLIENTS.iter().find(|client| client.name == name).context("no such client")?;
    skip_if!(need::kernel_and(&[client.program])?);
    let row = matrix::measure(client, &Column::ALL, |_, _, _| {})?;
    let wrong: Vec<_> = Column::ALL.iter().zip(&row.cells).filter(|(_, cell)| **cell != Cell::Yes).collect();
    ensure!(wrong.is_empty(), "{name}: {wrong:?}");
    Ok(())
}

#[test]
fn cpython_requests() -> Result<()> {
    every_column("CPython requests")
}

#[test]
fn cpython_aiohttp() -> Result<()> {
    every_column("CPython aiohttp")
}

#[test]
fn node_fetch() -> Result<()> {
    every_column("Node fetch")
}

#[test]
fn curl_over_http2() -> Result<()> {
    every_column("curl")
}
