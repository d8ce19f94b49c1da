//! NSS: the functions that read and write its TLS sockets.
//!
//! Programs call `PR_Read` and the like of NSPR, which jump through a table of methods: these have no RET that could be probed, and serve
//! files and plain sockets as well. NSS's own have no symbols. It keeps them in tables, one for plain sockets and one for TLS, as
//! `close(ss)`, `recv(ss, buffer, length, flags)`, `send(ss, buffer, length, flags)`, `read(ss, buffer, length)`,
//! `write(ss, buffer, length)` next to each other. In that for TLS alone `read` ends in `recv`, and `write` in `send`.

use std::collections::BTreeMap;

use crate::decode::Machine;
use crate::elf::{Elf, ElfError, Extent, SymbolTable};
use crate::functions::{Function, NSS_CLOSE, NSS_RECEIVE, NSS_SEND};
use crate::sites::{Certainty, Findings, Tracer};
use crate::structure::body::Body;
use crate::structure::eh_frame::Frames;
use crate::structure::{flow, pointers};

/// Longest `read` or `write`: they set an argument to zero and jump.
const MAX_STUB: u64 = 64;

/// Finds them in the library that exports `SSL_ImportFD`, which makes a socket speak TLS.
pub(crate) fn find(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    // What tells the tables apart is read from instructions, of which only those of this machine are known here.
    if elf.machine() != Machine::X86_64 || elf.named(SymbolTable::Dynamic, &["SSL_ImportFD"])?.is_empty() {
        return Ok(None);
    }
    let code: Vec<_> = elf.loads().filter(|load| load.executable).collect();
    let pointers =
        pointers::into(elf, |target| code.iter().any(|load| target.wrapping_sub(load.address) < load.size))?;
    let frames = Frames::read(elf);
    let extent =
        |address| frames.beginning_at(elf, address).or_else(|| flow::extent(elf, address, |_| false));
    let ends_in = |from: u64, to: u64| {
        let stub = extent(from).filter(|extent| extent.size <= MAX_STUB);
        stub.and_then(|extent| Body::read(elf, extent)).is_some_and(|body| body.calls(to))
    };
    let mut tables = five_in_a_row(&pointers)
        .filter(|[_, receive, send, read, write]| ends_in(*read, *receive) && ends_in(*write, *send));
    let (Some([close, receive, send, ..]), None) = (tables.next(), tables.next()) else {
        let problem = "the table of the functions of TLS sockets could not be told from others";
        return Ok(Some(Findings { problems: vec![problem.to_owned()], ..Findings::default() }));
    };
    let known: Vec<(Function, Extent)> = [(NSS_CLOSE, close), (NSS_RECEIVE, receive), (NSS_SEND, send)]
        .into_iter()
        .filter_map(|(function, address)| Some((function, extent(address)?)))
        .collect();
    let mut tracer = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, extent) in &known {
        match tracer.site(*function, Certainty::Candidate, extent, &known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    Ok(Some(findings))
}

/// What each five words point to that lie next to each other.
fn five_in_a_row(pointers: &BTreeMap<u64, u64>) -> impl Iterator<Item = [u64; 5]> {
    pointers.iter().filter_map(|(place, first)| {
        let next = |index: u64| pointers.get(&place.checked_add(8 * index)?).copied();
        Some([*first, next(1)?, next(2)?, next(3)?, next(4)?])
    })
}
