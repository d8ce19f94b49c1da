//! Finds the places to probe in one ELF file.

use std::fs::File;

use crate::decode::{self, Machine, Scan};
use crate::elf::{Elf, ElfError, Extent, SymbolTable};
use crate::functions::{FUNCTIONS, Function};
use crate::go::by_go;
use crate::structure::eh_frame::Frames;
use crate::structure::{flow, linkage};

/// Longest function that is decoded, in bytes.
const MAX_FUNCTION: u64 = 256 << 10;
/// How far tail calls are followed.
const MAX_TAIL_CALLS: usize = 8;

/// How sure it is that a place belongs to the function it is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// By its name.
    Named,
    /// By the structure of the code: what passes through it has to look like plaintext, or its probes come off again.
    Candidate,
}

/// The places of one function, as offsets in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) function: Function,
    pub(crate) certainty: Certainty,
    pub(crate) entry: u64,
    pub(crate) returns: Vec<u64>,
}

/// What was found in one file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) sites: Vec<Site>,
    /// Functions that are there and cannot be probed, with the reason.
    pub(crate) problems: Vec<String>,
}

/// A way to find functions. It has to reject a file that holds nothing for it cheaply: every mapped file passes through all of them.
type Finder = fn(&Elf<'_>) -> Result<Option<Findings>, ElfError>;

/// The first of [`FINDERS`]: those that go by names.
const BY_NAME: usize = 3;

/// Every way, and what each is called in messages.
const FINDERS: &[(&str, Finder)] = &[
    ("symbols", by_symbols),
    ("the names of rustls", crate::rustls::by_names),
    ("Go's table of functions", by_go),
    ("the texts of error macros", crate::structure::static_ssl::find),
    ("the tables of rustls", crate::rustls::by_structure),
    ("the methods of NSS", crate::structure::nss::find),
    #[cfg(test)]
    ("marks", crate::verification::by_mark),
];

/// Finds the TLS functions of a file, in every way: one executable may hold several TLS libraries. `None`: it has none.
pub(crate) fn find(file: &File) -> Result<Option<Findings>, ElfError> {
    find_for(Machine::NATIVE, file)
}

/// Finds those that have a name, which takes a few milliseconds however large the file is.
pub(crate) fn find_named(file: &File) -> Result<Option<Findings>, ElfError> {
    Ok(find_by(&Elf::read_for(Machine::NATIVE, file)?, FINDERS.get(..BY_NAME).unwrap_or_default()))
}

/// Finds those of a file for `machine`.
pub(crate) fn find_for(machine: Machine, file: &File) -> Result<Option<Findings>, ElfError> {
    Ok(find_by(&Elf::read_for(machine, file)?, FINDERS))
}

fn find_by(elf: &Elf<'_>, finders: &[(&str, Finder)]) -> Option<Findings> {
    let mut all: Option<Findings> = None;
    for (name, finder) in finders {
        let found = finder(elf).unwrap_or_else(|error| {
            Some(Findings {
                problems: vec![format!("looking for TLS functions by {name}: {error}")],
                ..Findings::default()
            })
        });
        let Some(mut found) = found else { continue };
        let all = all.get_or_insert_default();
        // A function that an earlier, surer way has found is not taken again.
        found.sites.retain(|site| !all.sites.iter().any(|known| known.entry == site.entry));
        all.sites.append(&mut found.sites);
        all.problems.append(&mut found.problems);
    }
    all
}

/// By the tables of symbols.
fn by_symbols(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    for table in [SymbolTable::Dynamic, SymbolTable::Full] {
        let known = symbols(elf, table)?;
        if known.iter().any(|(function, _)| function.moves_bytes()) {
            return Ok(Some(findings(elf, &known)));
        }
    }
    Ok(None)
}

fn symbols(elf: &Elf<'_>, table: SymbolTable) -> Result<Vec<(Function, Extent)>, ElfError> {
    let mut known: Vec<(Function, Extent)> = Vec::new();
    for (index, extent) in elf.named(table, &FUNCTIONS.map(|function| function.symbol))? {
        let Some(function) = FUNCTIONS.get(index) else { continue };
        // One function under several versions of its name is one.
        if !known.iter().any(|(_, other)| other.address == extent.address) {
            known.push((*function, extent));
        }
    }
    Ok(known)
}

/// Every function, by address: for functions without a size, and for tail calls.
fn extents(elf: &Elf<'_>) -> Result<Vec<Extent>, ElfError> {
    let mut extents = Vec::new();
    for table in [SymbolTable::Dynamic, SymbolTable::Full] {
        elf.functions(table, |extent| extents.push(extent))?;
    }
    extents.sort_unstable();
    Ok(extents)
}

/// The size of the function that begins at `address`: its symbol's, else up to the next symbol.
fn size_at(extents: &[Extent], address: u64) -> Option<u64> {
    let from = extents.partition_point(|extent| extent.address < address);
    let here = extents.get(from..)?;
    let size = here.iter().take_while(|extent| extent.address == address).map(|extent| extent.size).max()?;
    if size > 0 {
        return Some(size);
    }
    here.iter().find(|extent| extent.address > address).map(|extent| extent.address - address)
}

fn findings(elf: &Elf<'_>, known: &[(Function, Extent)]) -> Findings {
    let mut finder = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, symbol) in known {
        match finder.site(*function, Certainty::Named, symbol, known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    findings
}

/// Follows the code of functions to their RETs.
pub(crate) struct Tracer<'a> {
    elf: &'a Elf<'a>,
    extents: Option<Vec<Extent>>,
    frames: Option<Frames>,
}

impl<'a> Tracer<'a> {
    pub(crate) fn new(elf: &'a Elf<'a>) -> Self {
        Self { elf, extents: None, frames: None }
    }

    /// The places of the function that begins at `symbol`. `known`: all functions that are probed in this file.
    ///
    /// # Errors
    /// In words, when it cannot be probed.
    pub(crate) fn site(
        &mut self,
        function: Function,
        certainty: Certainty,
        symbol: &Extent,
        known: &[(Function, Extent)],
    ) -> Result<Site, String> {
        let scan = self.scan(symbol.address, symbol.size)?;
        let elf = self.elf;
        let offset = |address: u64| {
            elf.file_offset(address)
                .ok_or_else(|| format!("address {address:#x} is in no executable segment"))
        };
        let entry = offset(symbol.address + scan.entry_skip)?;
        if function.leave.is_none() {
            return Ok(Site { function, certainty, entry, returns: Vec::new() });
        }
        let mut returns = scan.returns;
        let covered = self.follow(scan.leaves_to, &mut returns, known);
        if returns.is_empty() && !covered {
            return Err("no RET instruction was found in it".to_owned());
        }
        let returns = returns.into_iter().map(offset).collect::<Result<Vec<_>, _>>()?;
        Ok(Site { function, certainty, entry, returns })
    }

    /// Adds the RETs of the functions that this one ends in by a jump: at these the stack pointer is as it was at this one's entry. True:
    /// one of them is probed in its own right.
    fn follow(
        &mut self,
        mut targets: Vec<u64>,
        returns: &mut Vec<u64>,
        known: &[(Function, Extent)],
    ) -> bool {
        let mut covered = false;
        let mut seen = Vec::new();
        while let Some(target) = targets.pop() {
            let target = linkage::behind(self.elf, target).unwrap_or(target);
            if seen.contains(&target) || seen.len() >= MAX_TAIL_CALLS {
                continue;
            }
            seen.push(target);
            if known.iter().any(|(function, symbol)| function.leave.is_some() && symbol.address == target) {
                covered = true;
                continue;
            }
            if let Ok(scan) = self.scan(target, 0) {
                returns.extend(scan.returns);
                targets.extend(scan.leaves_to);
            }
        }
        returns.sort_unstable();
        returns.dedup();
        covered
    }

    fn scan(&mut self, address: u64, size: u64) -> Result<Scan, String> {
        let size = if size > 0 { size } else { self.size_at(address)? };
        if size > MAX_FUNCTION {
            return Err(format!("it is {size} bytes long, more than the {MAX_FUNCTION} that are decoded"));
        }
        let code = self.elf.code(address, size).map_err(|error| error.to_string())?;
        decode::scan(self.elf.machine(), &code, address).map_err(|error| error.to_string())
    }

    fn size_at(&mut self, address: u64) -> Result<u64, String> {
        let extents = match &mut self.extents {
            Some(extents) => extents,
            unread => unread.insert(extents(self.elf).map_err(|error| error.to_string())?),
        };
        if let Some(size) = size_at(extents, address) {
            return Ok(size);
        }
        // Functions of a library that are not exported have no symbols once it is stripped.
        let frames = self.frames.get_or_insert_with(|| Frames::read(self.elf));
        // They may be those of one part of the program only.
        let extent = frames.beginning_at(self.elf, address);
        extent
            .or_else(|| flow::extent(self.elf, address, |_| false))
            .map(|extent| extent.size)
            .ok_or_else(|| format!("the end of the function at {address:#x} is unknown"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Two RETs and a jump table; a tail call to a function that is probed; one to a function that is not; a function without an end of its
    /// own; one that never returns; and two that are only entered.
    const SOURCE: &str = r#"
        int SSL_read(void *s, void *b, int n) { switch (n) { case 1: return 7; case 2: return *(int *)b; case 3: return 9; case 4: return 11;
            case 5: return *(int *)s; case 6: return 2; default: return n > 100 ? *(char *)b : -1; } }
        __attribute__((noinline)) int SSL_write_ex2(void *s, const void *b, unsigned long n, unsigned long f, unsigned long *w) {
            __asm__ volatile("" ::: "memory"); *w = n; return f == 0; }
        int SSL_write_ex(void *s, const void *b, unsigned long n, unsigned long *w) { return SSL_write_ex2(s, b, n, 0, w); }
        __attribute__((noinline)) static int inner(void *s, const void *b, int n) { __asm__ volatile("" ::: "memory"); return n; }
        int SSL_write(void *s, const void *b, int n) { return inner(s, b, n); }
        int SSL_read_ex(void *s, void *b, unsigned long n, unsigned long *r) { for (;;) __asm__ volatile("pause"); }
        int SSL_shutdown(void *s) { for (;;) __asm__ volatile("pause"); }
        void SSL_free(void *s) {}
        int SSL_read_early_data(void *s) { return 0; }
    "#;

    /// OpenSSL is linked like this: calls between its functions do not go through the linkage table.
    const LINKED: [&str; 1] = ["-Wl,-Bsymbolic"];

    fn compile(directory: &Path, name: &str, source: &str, options: &[&str]) -> Option<PathBuf> {
        let (input, output) = (directory.join("source.c"), directory.join(name));
        std::fs::write(&input, source).unwrap();
        let made = Command::new("cc")
            .args(["-O2", "-fPIC", "-shared", "-o"])
            .args([&output, &input])
            .args(options)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no C compiler");
            return None;
        }
        Some(output)
    }

    fn found(path: &Path) -> Findings {
        find(&File::open(path).unwrap()).unwrap().unwrap()
    }

    fn site<'a>(findings: &'a Findings, symbol: &str) -> &'a Site {
        findings.sites.iter().find(|site| site.function.symbol == symbol).unwrap()
    }

    /// Every offset of a RET must hold one of its opcodes.
    fn are_returns(path: &Path, offsets: &[u64]) -> bool {
        let bytes = std::fs::read(path).unwrap();
        offsets.iter().all(|offset| matches!(bytes[usize::try_from(*offset).unwrap()], 0xc3 | 0xc2 | 0xf3))
    }

    #[test]
    fn entries_and_returns_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = compile(directory.path(), "whole.so", SOURCE, &LINKED) else { return };
        let findings = found(&path);
        assert!(site(&findings, "SSL_read").returns.len() > 1, "{findings:?}");
        assert!(findings.sites.iter().all(|site| are_returns(&path, &site.returns)));
        assert!(site(&findings, "SSL_free").returns.is_empty());
        assert!(site(&findings, "SSL_shutdown").returns.is_empty());
        assert!(
            findings.problems.iter().any(|problem| problem.starts_with("SSL_read_ex: no RET")),
            "{findings:?}"
        );
        assert_eq!(findings.problems.len(), 1);
        assert_eq!(findings.sites.len(), 6);
    }

    #[test]
    fn tail_calls_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = compile(directory.path(), "whole.so", SOURCE, &LINKED) else {
            return;
        };
        let findings = found(&path);
        // Its RET is that of the function behind the jump, known by the full table of symbols.
        let write = site(&findings, "SSL_write");
        assert!(!write.returns.is_empty() && are_returns(&path, &write.returns), "{findings:?}");
    }

    #[test]
    fn a_stripped_library_is_as_good() {
        let directory = tempfile::tempdir().unwrap();
        let (Some(whole), Some(stripped)) = (
            compile(directory.path(), "whole.so", SOURCE, &[]),
            compile(directory.path(), "stripped.so", SOURCE, &["-s"]),
        ) else {
            return;
        };
        assert_eq!(
            site(&found(&whole), "SSL_read").returns.len(),
            site(&found(&stripped), "SSL_read").returns.len()
        );
    }

    #[test]
    fn a_file_without_the_functions_is_none_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = compile(directory.path(), "plain.so", "int SSL_free(void *s) { return 0; }", &[])
        else {
            return;
        };
        assert_eq!(find(&File::open(path).unwrap()).unwrap(), None);
        assert!(matches!(find(&File::open("/proc/self/stat").unwrap()), Err(ElfError::Foreign)));
    }

    #[test]
    fn no_damage_makes_it_panic_or_probe_what_is_no_ret() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = compile(directory.path(), "whole.so", SOURCE, &[]) else { return };
        let whole = std::fs::read(&path).unwrap();
        let damaged = directory.path().join("damaged.so");
        proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(
            length in 0..=whole.len(),
            changes in proptest::collection::vec((0usize..4096, any::<u8>()), 0..8),
            near_end in any::<bool>(),
        )| {
            let mut bytes = whole[..if near_end { whole.len() } else { length }].to_vec();
            let count = bytes.len();
            for (place, value) in changes {
                // Headers are at both ends of the file.
                let place = if near_end { count.saturating_sub(1 + place) } else { place };
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = value;
                }
            }
            std::fs::write(&damaged, &bytes).unwrap();
            if let Ok(Some(findings)) = find(&File::open(&damaged).unwrap()) {
                for site in &findings.sites {
                    prop_assert!(site.returns.iter().all(|offset| *offset < count as u64));
                    prop_assert!(are_returns(&damaged, &site.returns));
                }
            }
        });
    }
}
