//! The functions of a file without symbols: by its unwind tables, else by what is called.

use crate::elf::{Elf, ElfError, Extent};
use crate::structure::eh_frame::Frames;
use crate::structure::{flow, xref};

/// Addresses held at once before those that are there twice are dropped.
const BATCH: usize = 1 << 20;
/// Most different functions.
const MAX_FUNCTIONS: usize = 8 << 20;
/// How far before an address its function is looked for, in bytes and in functions.
const REACH: u64 = 64 << 10;
const TRIES: usize = 32;

/// Bytes of code that are decoded at most to tell where functions end: a file can be made so that none ever does.
const MAX_DECODED: u64 = 64 << 20;

/// The functions of a file.
pub(crate) struct Functions<'a> {
    elf: &'a Elf<'a>,
    frames: Frames,
    /// What is called; read when the unwind tables do not know a function: they may be those of one part of the program only. A few of
    /// these are none, because the bytes of a call also occur in other instructions.
    called: Option<Vec<u64>>,
    decoded: u64,
}

impl<'a> Functions<'a> {
    pub(crate) fn of(elf: &'a Elf<'a>) -> Self {
        Self { elf, frames: Frames::read(elf), called: None, decoded: 0 }
    }

    /// The function that an address lies in.
    ///
    /// # Errors
    /// When the code cannot be read.
    pub(crate) fn containing(&mut self, address: u64) -> Result<Option<Extent>, ElfError> {
        if let Some(extent) = self.frames.containing(self.elf, address) {
            return Ok(Some(extent));
        }
        let called = match &mut self.called {
            Some(called) => called,
            unread => unread.insert(called(self.elf)?),
        };
        let above = called.partition_point(|start| *start <= address);
        let near = called.get(above.saturating_sub(TRIES)..above).unwrap_or_default();
        // The nearest whose own code leads as far as the address: what is no function ends before, or cannot be decoded.
        for start in near.iter().rev().take_while(|start| address - **start < REACH) {
            if self.decoded > MAX_DECODED {
                break;
            }
            let extent = flow::extent(self.elf, *start, |address| called.binary_search(&address).is_ok());
            self.decoded += extent.map_or(flow::LONGEST, |extent| extent.size);
            if extent.is_some_and(|extent| address - start < extent.size) {
                return Ok(extent);
            }
        }
        Ok(None)
    }
}

/// Every address that is called directly.
fn called(elf: &Elf<'_>) -> Result<Vec<u64>, ElfError> {
    let mut known = Vec::new();
    let mut batch = Vec::new();
    xref::each_call(elf, |call| {
        batch.push(call.target);
        if batch.len() >= BATCH && known.len() < MAX_FUNCTIONS {
            merge(&mut known, &mut batch);
        }
        batch.truncate(BATCH);
    })?;
    merge(&mut known, &mut batch);
    Ok(known)
}

fn merge(known: &mut Vec<u64>, batch: &mut Vec<u64>) {
    known.append(batch);
    known.sort_unstable();
    known.dedup();
}
