//! OpenSSL and BoringSSL inside an executable without symbols. Their error macros leave behind the name of the source file, with which
//! it begins.

use std::collections::BTreeMap;

use crate::decode::Machine;
use crate::elf::{Elf, ElfError, Extent, SymbolTable};
use crate::functions::{Function, by_symbol};
use crate::sites::{Certainty, Findings, Site, Tracer};
use crate::structure::body::Body;
use crate::structure::functions::Functions;
use crate::structure::{boringssl, openssl, strings, xref};

/// What the name of the file that holds the reading and writing functions ends in: OpenSSL in C, BoringSSL and AWS-LC in C++.
const FILES: [&str; 2] = ["ssl/ssl_lib.c", "ssl/ssl_lib.cc"];
/// Most functions of that file that are looked at; it has some 400.
const MAX_BODIES: usize = 2048;

/// A function that was recognised, and how it is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `int f(SSL *, void *, int)`
    Read,
    /// `int f(SSL *, const void *, int)`
    Write,
    /// `int f(SSL *, void *, size_t, size_t *)`, also `SSL_read_ex`; and so on.
    ReadInternal,
    /// `int f(SSL *, const void *, size_t, size_t *)`
    WriteInternal,
    /// `int f(SSL *, const void *, size_t, uint64_t, size_t *)`
    WriteInternalWithFlags,
    /// `int f(SSL *)`
    Shutdown,
    /// Returns a new handle. The function that ends one leaves no text behind; a handle given out anew tells as well that the earlier
    /// connection under it is over.
    New,
}

impl Kind {
    /// `None`: one of the table that has symbols elsewhere is missing from it.
    fn function(self) -> Option<Function> {
        match self {
            Self::Read => by_symbol("SSL_read"),
            Self::Write => by_symbol("SSL_write"),
            Self::Shutdown => by_symbol("SSL_shutdown"),
            Self::ReadInternal => Some(crate::functions::SSL_READ_INTERNAL),
            Self::WriteInternal => Some(crate::functions::SSL_WRITE_INTERNAL),
            Self::WriteInternalWithFlags => Some(crate::functions::SSL_WRITE_INTERNAL_FLAGS),
            Self::New => Some(crate::functions::SSL_NEW),
        }
    }
}

/// The functions of one source file, and who calls them.
pub(crate) struct Unit<'a> {
    pub(crate) elf: &'a Elf<'a>,
    functions: Functions<'a>,
    /// Those that refer to the name of the file.
    pub(crate) bodies: Vec<Body>,
}

impl Unit<'_> {
    /// The functions that call, or end in a jump to, `target`.
    pub(crate) fn callers(&mut self, target: u64) -> Result<Vec<Body>, ElfError> {
        let places: Vec<_> = xref::callers(self.elf, &[target])?.iter().map(|call| call.at).collect();
        let mut bodies = bodies(self.elf, &mut self.functions, &places)?;
        bodies.retain(|body| body.calls(target) && body.extent.address != target);
        Ok(bodies)
    }
}

/// The functions that the places lie in, each once.
fn bodies(elf: &Elf<'_>, functions: &mut Functions<'_>, places: &[u64]) -> Result<Vec<Body>, ElfError> {
    let mut extents: BTreeMap<u64, Extent> = BTreeMap::new();
    for place in places {
        let known = extents.range(..=place).next_back();
        if known.is_some_and(|(start, extent)| place - start < extent.size) {
            continue;
        }
        if extents.len() < MAX_BODIES
            && let Some(extent) = functions.containing(*place)?
        {
            extents.insert(extent.address, extent);
        }
    }
    Ok(extents.into_values().filter_map(|extent| Body::read(elf, extent)).collect())
}

/// Finds the functions of an OpenSSL or BoringSSL that has no symbols.
pub(crate) fn find(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    // References and arguments are read from the instructions, of which only those of this machine are known here.
    if elf.machine() != Machine::X86_64 {
        return Ok(None);
    }
    let mut files = strings::places(elf, &FILES)?;
    if files.iter().all(Vec::is_empty) || has_symbols(elf)? {
        return Ok(None);
    }
    for place in files.iter_mut().flatten() {
        *place = strings::start(elf, *place);
    }
    let all: Vec<_> = files.concat();
    let places: Vec<_> = xref::to_data(elf, &all)?.iter().map(|reference| reference.at).collect();
    if places.is_empty() {
        return Ok(None);
    }
    let mut functions = Functions::of(elf);
    let bodies = bodies(elf, &mut functions, &places)?;
    let (in_c, in_cc): (Vec<_>, Vec<_>) =
        bodies.into_iter().partition(|body| files.first().is_some_and(|file| body.refers_to(file)));
    let mut unit = Unit { elf, functions, bodies: in_c };
    let mut recognised = openssl::recognise(&mut unit)?;
    unit.bodies = in_cc;
    recognised.append(&mut boringssl::recognise(&mut unit, &all)?);
    Ok(Some(sites(elf, &recognised)))
}

/// Whether the functions have names, so that nothing has to be guessed.
fn has_symbols(elf: &Elf<'_>) -> Result<bool, ElfError> {
    for table in [SymbolTable::Dynamic, SymbolTable::Full] {
        if !elf.named(table, &["SSL_write"])?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn sites(elf: &Elf<'_>, recognised: &[(Kind, Extent)]) -> Findings {
    let known: Vec<_> =
        recognised.iter().filter_map(|(kind, extent)| Some((kind.function()?, *extent))).collect();
    let mut tracer = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, extent) in &known {
        let at_returns = *function == crate::functions::SSL_NEW;
        // What is wanted of this one is what it returns: a place of its own for each RET.
        let traced =
            if at_returns { Function { leave: Some(function.entry), ..*function } } else { *function };
        match tracer.site(traced, Certainty::Candidate, extent, &known) {
            Ok(site) if at_returns => {
                let place = |entry| Site {
                    function: *function,
                    certainty: Certainty::Candidate,
                    entry,
                    returns: Vec::new(),
                };
                findings.sites.extend(site.returns.into_iter().map(place));
            }
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    findings
}
