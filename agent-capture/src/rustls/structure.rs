//! Without symbols: by what a panic would say, and by tables of functions.
//!
//! Each cryptography provider of rustls makes boxed encrypters and decrypters in its files `tls12.rs` and `tls13.rs`: `encrypter` and
//! `decrypter` take a key, which may not fit, so they refer to a place in their source for the panic, and, just before, to the table of the
//! functions of what they make. That table is what the compiler makes of a trait: what drops the box (or nothing), its size, its alignment, and
//! the functions. `MessageDecrypter` has one, `MessageEncrypter` two. Other tables may be taken along: what passes through their functions
//! does not fit, and nothing is copied.

use std::collections::BTreeMap;

use memchr::{memchr_iter, memmem};

use crate::decode::Machine;
use crate::elf::{Elf, ElfError, Extent, Load};
use crate::functions::{Function, RUSTLS_DECRYPT, RUSTLS_ENCRYPT};
use crate::sites::{Certainty, Findings, Tracer};
use crate::structure::{pointers, xref};

/// What the paths of all files of providers have in common, and how those that are looked for go on.
const FOLDER: &str = "/src/crypto/";
const FILES: [&str; 4] = ["ring/tls12.rs", "ring/tls13.rs", "aws_lc_rs/tls12.rs", "aws_lc_rs/tls13.rs"];
/// The crate's name, which the path holds before that, with its version or without.
const CRATE: &[u8] = b"rustls";
/// How far before that it may stand.
const CRATE_WITHIN: usize = 48;
/// Longest path of a source file.
const MAX_PATH: u64 = 1024;
/// Bytes of code before a reference to the source in which the one to the table is.
const BEFORE: u64 = 256;
/// Least size of what holds a key and a nonce.
const LEAST_SIZE: u64 = 32;
const MOST_SIZE: u64 = 1 << 16;
const MOST_ALIGNMENT: u64 = 64;
/// Tables of one kind of protection lie next to each other.
const NEAR: u64 = 256;
const MAX_FILES: usize = 64;
const MAX_TABLES: usize = 256;

/// The table of one trait's functions for one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Table {
    dropping: u64,
    first: u64,
    has_second: bool,
}

pub(super) fn find(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    // References are read from instructions, of which only those of this machine are known here.
    if elf.machine() != Machine::X86_64 {
        return Ok(None);
    }
    let ends = path_ends(elf)?;
    if ends.is_empty() {
        return Ok(None);
    }
    let code: Vec<Load> = elf.loads().filter(|load| load.executable).collect();
    let is_code = |target: u64| code.iter().any(|load| target.wrapping_sub(load.address) < load.size);
    let in_path = |target: u64| ends.iter().any(|end| end.wrapping_sub(target).wrapping_sub(1) < MAX_PATH);
    let pointers = pointers::into(elf, |target| is_code(target) || in_path(target))?;
    let sources: Vec<u64> = pointers
        .iter()
        .filter(|(place, target)| is_source(elf, **place, **target, &ends))
        .map(|(place, _)| *place)
        .collect();
    let functions: BTreeMap<u64, u64> = pointers.into_iter().filter(|(_, target)| is_code(*target)).collect();
    let mut tables: BTreeMap<u64, Table> = BTreeMap::new();
    for reference in xref::to_data(elf, &sources)? {
        let begin = reference.at.saturating_sub(BEFORE);
        let Ok(before) = elf.code(begin, reference.at - begin) else { continue };
        for load in memchr_iter(0x8d, &before).filter_map(|at| xref::relative_load(begin, &before, at)) {
            if tables.len() < MAX_TABLES
                && let Some(table) = table(elf, &functions, load.target)
            {
                tables.insert(load.target, table);
            }
        }
    }
    if tables.is_empty() {
        return Ok(None);
    }
    Ok(Some(findings(elf, &tables)))
}

/// The addresses at which the paths of the providers' files end.
fn path_ends(elf: &Elf<'_>) -> Result<Vec<u64>, ElfError> {
    let finder = memmem::Finder::new(FOLDER);
    let mut ends = Vec::new();
    let fixed: Vec<Load> = elf.loads().filter(|load| !load.writable).collect();
    // Linkers put texts next to the code only when they are told to keep everything together.
    let apart = fixed.iter().any(|load| !load.executable);
    for load in fixed.iter().filter(|load| !apart || !load.executable) {
        elf.each_piece(load, 2 * CRATE_WITHIN as u64, |address, piece| {
            for at in finder.find_iter(piece) {
                let rest = piece.get(at + FOLDER.len()..).unwrap_or_default();
                let Some(file) = FILES.iter().find(|file| rest.starts_with(file.as_bytes())) else {
                    continue;
                };
                let place = address + at as u64;
                let before = piece.get(at.saturating_sub(CRATE_WITHIN)..at).unwrap_or_default();
                let end = place + (FOLDER.len() + file.len()) as u64;
                if ends.len() < MAX_FILES && !ends.contains(&end) && memmem::find(before, CRATE).is_some() {
                    ends.push(end);
                }
            }
        })?;
    }
    Ok(ends)
}

/// Whether the word at `place`, which points to `target`, begins a place in a source file: the path as address and length.
fn is_source(elf: &Elf<'_>, place: u64, target: u64, ends: &[u64]) -> bool {
    let near = |end: &&u64| end.wrapping_sub(target).wrapping_sub(1) < MAX_PATH;
    let mut ends = ends.iter().filter(near).peekable();
    ends.peek().is_some()
        && word(elf, place.wrapping_add(8)).is_some_and(|length| ends.any(|end| end - target == length))
}

/// The table at an address, if it is one of a type that can hold a key.
fn table(elf: &Elf<'_>, functions: &BTreeMap<u64, u64>, address: u64) -> Option<Table> {
    let at = |index: u64| address.checked_add(8 * index);
    let first = *functions.get(&at(3)?)?;
    let (size, alignment) = (word(elf, at(1)?)?, word(elf, at(2)?)?);
    let dropping = functions.get(&address).copied().unwrap_or_default();
    let nothing_to_drop = dropping == 0 && word(elf, address) == Some(0);
    let fits = (LEAST_SIZE..MOST_SIZE).contains(&size)
        && alignment.is_power_of_two()
        && alignment <= MOST_ALIGNMENT
        && size.is_multiple_of(alignment)
        && (dropping != 0 || nothing_to_drop)
        && !functions.contains_key(&at(1)?)
        && !functions.contains_key(&at(2)?);
    // What follows may be anything; only a second function can be an address in the code, or the first word of the next table.
    fits.then_some(Table { dropping, first, has_second: functions.contains_key(&at(4)?) })
}

fn word(elf: &Elf<'_>, address: u64) -> Option<u64> {
    elf.data(address, 8).ok()?.try_into().ok().map(u64::from_le_bytes)
}

/// What each table's first function may be. One without a second function is of a decrypter. One with two is of an encrypter when that of a
/// decrypter is beside it; else it may also be that of a decrypter before some other table.
fn roles(tables: &BTreeMap<u64, Table>) -> Vec<(Function, Extent)> {
    let mut known: Vec<(Function, Extent)> = Vec::new();
    let mut add = |function, table: &Table| {
        let extent = Extent { address: table.first, size: 0 };
        if !known.contains(&(function, extent)) {
            known.push((function, extent));
        }
    };
    for (place, table) in tables {
        let near = tables.range(place.saturating_sub(NEAR)..=place.saturating_add(NEAR));
        let mut beside = near.map(|(_, other)| other);
        let sure = beside.any(|other| !other.has_second && other.dropping == table.dropping);
        if !table.has_second || !sure {
            add(RUSTLS_DECRYPT, table);
        }
        if table.has_second {
            add(RUSTLS_ENCRYPT, table);
        }
    }
    // As by names: decrypters first.
    known.sort_by_key(|(function, _)| function.leave.is_none());
    known
}

fn findings(elf: &Elf<'_>, tables: &BTreeMap<u64, Table>) -> Findings {
    let known = roles(tables);
    let mut tracer = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, extent) in &known {
        match tracer.site(*function, Certainty::Candidate, extent, &known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What the compiler makes of a provider: two tables, the constructors with the place in the source for the panic; and another table that
    /// is nowhere near one.
    const SOURCE: &str = r#"
        typedef unsigned long word;
        struct source { const char *path; word length; unsigned line, column; };
        struct table { void *drop; word size, alignment; void *first, *second; };
        static const char path[] = "/registry/src/rustls-0.23.99/src/crypto/ring/tls13.rs";
        static const struct source place = { path, sizeof path - 1, 7, 9 };
        static int decrypt(word s, word n) { __asm__ volatile(""); return n > 3 ? (int)s : -2; }
        static int encrypt(word s, word n) { __asm__ volatile(""); return n > 4 ? (int)s : -3; }
        static int other(word s, word n) { __asm__ volatile(""); return n > 5 ? (int)s : -4; }
        static word length(word n) { return n + 17; }
        static const struct { struct table t; struct source s; } decrypter = { { 0, 560, 16, (void *)decrypt, (void *)&path }, { path, 1, 1, 1 } };
        static const struct table encrypter = { 0, 560, 16, (void *)encrypt, (void *)length };
        static const struct table unrelated = { 0, 64, 8, (void *)other, (void *)length };
        void panics(const struct source *);
        const void *new_decrypter(word n) { if (n != 32) { panics(&place); } return &decrypter; }
        const void *new_encrypter(word n) { if (n != 32) { panics(&place); } return &encrypter; }
        __asm__(".space 4096");
        __attribute__((section(".text.far"))) const void *new_unrelated(void) { return &unrelated; }
    "#;

    #[test]
    fn functions_are_found_by_the_tables_beside_places_in_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let (input, output) = (directory.path().join("source.c"), directory.path().join("stripped.so"));
        std::fs::write(&input, SOURCE).unwrap();
        let options = ["-O2", "-fPIC", "-shared", "-s", "-fcf-protection=none", "-o"];
        let made = Command::new("cc").args(options).args([&output, &input]).status();
        if !made.is_ok_and(|status| status.success()) || cfg!(not(target_arch = "x86_64")) {
            println!("skipped: no C compiler for x86-64");
            return;
        }
        let file = File::open(&output).unwrap();
        let findings = find(&Elf::read(&file).unwrap()).unwrap().unwrap();
        assert!(findings.problems.is_empty(), "{findings:?}");
        let found: Vec<_> = findings.sites.iter().map(|site| (site.function, site.certainty)).collect();
        assert_eq!(found, [(RUSTLS_DECRYPT, Certainty::Candidate), (RUSTLS_ENCRYPT, Certainty::Candidate)]);
        assert!(!findings.sites[0].returns.is_empty() && findings.sites[1].returns.is_empty());

        let whole = std::fs::read(&output).unwrap();
        proptest!(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() }, |(
            changes in proptest::collection::vec((0..whole.len(), any::<u8>()), 1..64),
        )| {
            let mut bytes = whole.clone();
            for (place, value) in changes {
                bytes[place] = value;
            }
            std::fs::write(&output, &bytes).unwrap();
            let file = File::open(&output).unwrap();
            if let Ok(elf) = Elf::read(&file) {
                // Whatever it finds or refuses.
                drop(find(&elf));
            }
        });
    }
}
