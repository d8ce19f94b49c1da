//! The matrix: every client against every way to be captured, each cell measured against the stand-in.

mod client;
mod container;
mod measure;
mod report;

use std::time::Instant;

use anyhow::Result;

pub use client::{CLIENTS, Client};
pub use report::table;

use crate::programs;

/// What is measured of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Calls one after the other, under `exec`: every one has its record, whole, with its facts.
    FirstByte,
    /// In the same run, the bodies that were captured are those that the server saw and sent.
    Bodies,
    /// 24 calls, 8 at a time: records and bodies.
    Concurrent,
    /// One call with 8 MB in each direction: record and bodies.
    Large,
    /// Attached while a call waits for its answer: every later call has its record, whole.
    Attach,
    /// In mount, pid and network namespaces of its own, on an overlay: records and bodies.
    Container,
}

impl Column {
    /// All, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::FirstByte, Self::Bodies, Self::Concurrent, Self::Large, Self::Attach, Self::Container];

    /// Its title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::FirstByte => "from the first byte",
            Self::Bodies => "bodies equal",
            Self::Concurrent => "concurrent calls",
            Self::Large => "8 MB bodies",
            Self::Attach => "attached while running",
            Self::Container => "in a container",
        }
    }
}

/// What came of one measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// It holds.
    Yes,
    /// It does not; why.
    No(String),
    /// It cannot be asked of this client; why.
    Inapplicable(String),
}

/// A client with its cells, in the order of [`Column::ALL`].
#[derive(Debug)]
pub struct Row {
    /// The client.
    pub client: &'static Client,
    /// Its version, as it says itself.
    pub version: String,
    /// One a column.
    pub cells: Vec<Cell>,
}

/// Measures these columns of a client; `each` is told of each cell with the seconds that it took.
///
/// # Errors
/// When the client is not installed, or nothing can be captured here at all.
pub fn measure(
    client: &'static Client,
    columns: &[Column],
    mut each: impl FnMut(Column, &Cell, u64),
) -> Result<Row> {
    programs::find(client.program)?;
    let mut cells = Vec::new();
    let mut few = None;
    for column in columns {
        let begun = Instant::now();
        let cell = match client.inapplicable(*column) {
            Some(reason) => Cell::Inapplicable(reason.to_owned()),
            None => match measure::column(client, *column, &mut few) {
                Ok(()) => Cell::Yes,
                Err(error) => Cell::No(report::reason(&error)),
            },
        };
        each(*column, &cell, begun.elapsed().as_secs());
        cells.push(cell);
    }
    Ok(Row { client, version: client.version(), cells })
}
