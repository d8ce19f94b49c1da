//! Finds the places to probe in one ELF file.

use std::fs::File;

use crate::elf::{Elf, ElfError, Symbol, SymbolTable, terminated};
use crate::functions::{FUNCTIONS, Function};
use crate::x86::{self, Scan};

/// Longest function that is decoded, in bytes.
const MAX_FUNCTION: u64 = 256 << 10;
/// How far tail calls are followed.
const MAX_TAIL_CALLS: usize = 8;

/// The places of one function, as offsets in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) function: Function,
    pub(crate) entry: u64,
    pub(crate) returns: Vec<u64>,
}

/// What was found in one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) sites: Vec<Site>,
    /// Functions that are there and cannot be probed, with the reason.
    pub(crate) problems: Vec<String>,
}

/// Finds the TLS functions of a file; `None`: it has none.
pub(crate) fn find(file: &File) -> Result<Option<Findings>, ElfError> {
    let elf = Elf::read(file)?;
    for table in [SymbolTable::Dynamic, SymbolTable::Full] {
        let known = symbols(&elf, table)?;
        if known.iter().any(|(function, _)| function.returns) {
            return Ok(Some(findings(&elf, &known)));
        }
    }
    Ok(None)
}

fn symbols(elf: &Elf<'_>, table: SymbolTable) -> Result<Vec<(Function, Symbol)>, ElfError> {
    let mut known: Vec<(Function, Symbol)> = Vec::new();
    elf.functions(table, |name, address, size| {
        if !name.starts_with(b"SSL_") {
            return;
        }
        let name = terminated(name);
        // A versioned symbol is written NAME@VERSION in the full table.
        let plain = name.split('@').next().unwrap_or_default();
        let function = FUNCTIONS.into_iter().find(|function| function.symbol == plain);
        if let Some(function) = function
            && !known.iter().any(|(_, symbol)| symbol.address == address)
        {
            known.push((function, Symbol { name, address, size }));
        }
    })?;
    Ok(known)
}

/// Start of every function, with its size: for functions without a size, and for tail calls.
fn extents(elf: &Elf<'_>) -> Result<Vec<(u64, u64)>, ElfError> {
    let mut extents = Vec::new();
    for table in [SymbolTable::Dynamic, SymbolTable::Full] {
        elf.functions(table, |_, address, size| extents.push((address, size)))?;
    }
    extents.sort_unstable();
    Ok(extents)
}

/// The size of the function that begins at `address`: its symbol's, else up to the next symbol.
fn size_at(extents: &[(u64, u64)], address: u64) -> Option<u64> {
    let from = extents.partition_point(|(start, _)| *start < address);
    let here = extents.get(from..)?;
    let own = here.iter().take_while(|(start, _)| *start == address);
    if let Some((_, size)) = own.clone().max_by_key(|(_, size)| *size).filter(|(_, size)| *size > 0) {
        return Some(*size);
    }
    own.clone().next()?;
    here.iter().find(|(start, _)| *start > address).map(|(start, _)| start - address)
}

fn findings(elf: &Elf<'_>, known: &[(Function, Symbol)]) -> Findings {
    let mut finder = Finder { elf, extents: None };
    let mut findings = Findings::default();
    for (function, symbol) in known {
        match finder.site(*function, symbol, known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    findings
}

struct Finder<'a> {
    elf: &'a Elf<'a>,
    extents: Option<Vec<(u64, u64)>>,
}

impl Finder<'_> {
    fn site(
        &mut self,
        function: Function,
        symbol: &Symbol,
        known: &[(Function, Symbol)],
    ) -> Result<Site, String> {
        let scan = self.scan(symbol.address, symbol.size)?;
        let elf = self.elf;
        let offset = |address: u64| {
            elf.file_offset(address)
                .ok_or_else(|| format!("address {address:#x} is in no executable segment"))
        };
        let entry = offset(symbol.address + scan.entry_skip)?;
        if !function.returns {
            return Ok(Site { function, entry, returns: Vec::new() });
        }
        let mut returns = scan.returns;
        let covered = self.follow(scan.leaves_to, &mut returns, known);
        if returns.is_empty() && !covered {
            return Err("no RET instruction was found in it".to_owned());
        }
        let returns = returns.into_iter().map(offset).collect::<Result<Vec<_>, _>>()?;
        Ok(Site { function, entry, returns })
    }

    /// Adds the RETs of the functions that this one ends in by a jump: at these the stack pointer is as it was at this one's entry. True:
    /// one of them is probed in its own right.
    fn follow(
        &mut self,
        mut targets: Vec<u64>,
        returns: &mut Vec<u64>,
        known: &[(Function, Symbol)],
    ) -> bool {
        let mut covered = false;
        let mut seen = Vec::new();
        while let Some(target) = targets.pop() {
            if seen.contains(&target) || seen.len() >= MAX_TAIL_CALLS {
                continue;
            }
            seen.push(target);
            if known.iter().any(|(function, symbol)| function.returns && symbol.address == target) {
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
        x86::scan(&code, address).map_err(|error| error.to_string())
    }

    fn size_at(&mut self, address: u64) -> Result<u64, String> {
        let extents = match &mut self.extents {
            Some(extents) => extents,
            unread => unread.insert(extents(self.elf).map_err(|error| error.to_string())?),
        };
        size_at(extents, address).ok_or_else(|| format!("the end of the function at {address:#x} is unknown"))
    }
}
