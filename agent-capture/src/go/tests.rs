//! Against real programs of ours, where they are built: whole, stripped, without the headers that linkers need only, and damaged.

use std::fs::File;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// A Go program that the tests of the whole use: `cargo xtask setup --clients` builds them.
fn program(name: &str) -> Option<PathBuf> {
    let clients = std::env::var_os("WIRESPAN_CLIENTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients"), PathBuf::from);
    let path = clients.join("go").join(name);
    if !path.is_file() {
        println!("skipped: {} is not built: run `cargo xtask setup --clients`", path.display());
        return None;
    }
    Some(path)
}

fn found(path: &Path) -> Option<Findings> {
    by_go(&Elf::read(&File::open(path).unwrap()).unwrap()).unwrap()
}

fn check(path: &Path) -> Findings {
    let findings = found(path).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new(), "{}", path.display());
    let bytes = std::fs::read(path).unwrap();
    let byte = |offset: u64| bytes[usize::try_from(offset).unwrap()];
    let symbols: Vec<_> = findings.sites.iter().map(|site| site.function.symbol).collect();
    for needed in ["writeRecordLocked", "Read", "Close", "clientHandshake"] {
        assert!(symbols.iter().any(|symbol| symbol.ends_with(needed)), "{}: {symbols:?}", path.display());
    }
    for site in &findings.sites {
        assert_eq!(site.returns.is_empty(), site.function.leave.is_none());
        assert!(site.returns.iter().all(|offset| byte(*offset) == 0xc3), "{site:?}");
        // Behind a short or a long `jbe`.
        let short = byte(site.entry - 2) == 0x76;
        assert!(short || (byte(site.entry - 6), byte(site.entry - 5)) == (0x0f, 0x86), "{site:?}");
    }
    findings
}

/// Programs of other versions and forms, named by the environment, for runs by hand.
#[test]
fn other_programs_are_searched() {
    for path in std::env::var("WIRESPAN_GO_PROGRAMS").unwrap_or_default().split_whitespace() {
        let start = std::time::Instant::now();
        let findings = check(Path::new(path));
        println!("{path}: {} in {:?}", findings.sites.len(), start.elapsed());
    }
}

#[test]
fn neither_symbols_nor_sections_are_needed() {
    let (Some(whole), Some(stripped)) = (program("matrix"), program("matrix-stripped")) else { return };
    let sites = check(&whole).sites.len();
    assert_eq!(check(&stripped).sites.len(), sites);
    let mut bytes = std::fs::read(&stripped).unwrap();
    // Offset, size, number of section headers, and which of them holds their names.
    for field in [40..48, 58..60, 60..62, 62..64] {
        bytes[field].fill(0);
    }
    let directory = tempfile::tempdir().unwrap();
    let bare = directory.path().join("bare");
    std::fs::write(&bare, &bytes).unwrap();
    assert_eq!(check(&bare), check(&stripped));
}

#[test]
fn what_is_no_go_program_is_passed_by() {
    assert_eq!(found(Path::new("/bin/sh")), None);
}

#[test]
fn no_damage_makes_it_panic() {
    let Some(stripped) = program("matrix-stripped") else { return };
    let elf_file = File::open(&stripped).unwrap();
    let elf = Elf::read(&elf_file).unwrap();
    let table = elf.section(&table::SECTIONS).unwrap().unwrap();
    let table = elf.part(table.address, table.size).unwrap();
    let build = elf.section(&[".go.buildinfo"]).unwrap().unwrap();
    let build = elf.part(build.address, build.size).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let damaged = directory.path().join("damaged");
    std::fs::copy(&stripped, &damaged).unwrap();
    let file = File::options().read(true).write(true).open(&damaged).unwrap();
    let areas = [(0, 4096), (table.offset, 72), (table.offset, table.size), (build.offset, 64)];
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(
        changes in proptest::collection::vec((0usize..4, any::<u64>(), any::<u8>()), 1..64),
        length in proptest::option::of(any::<u64>()),
    )| {
        use std::os::unix::fs::FileExt as _;
        let mut old = Vec::new();
        for (area, place, value) in changes {
            let (start, size) = areas[area];
            let at = start + place % size;
            let mut before = [0];
            file.read_exact_at(&mut before, at).unwrap();
            old.push((at, before));
            file.write_all_at(&[value], at).unwrap();
        }
        let whole = file.metadata().unwrap().len();
        if let Some(length) = length {
            let shorter = directory.path().join("shorter");
            std::fs::copy(&damaged, &shorter).unwrap();
            let file = File::options().read(true).write(true).open(&shorter).unwrap();
            file.set_len(length % whole).unwrap();
            if let Ok(elf) = Elf::read(&file) { drop(by_go(&elf)); }
        }
        if let Ok(elf) = Elf::read(&file) { drop(by_go(&elf)); }
        for (at, before) in old.into_iter().rev() {
            file.write_all_at(&before, at).unwrap();
        }
    });
}

/// An executable without sections that holds a table of Go 1.16 and 1.17, with two functions.
fn with_old_table() -> Vec<u8> {
    const PLACE: u64 = 0x40_0000;
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let names = b"main.main\0crypto/tls.(*Conn).writeRecordLocked\0\0";
    let (begin, end) = (64, 64 + names.len() as u64);
    let mut table = vec![0xfa, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    table.extend(words(&[2, 0, begin, end, end, end, end]));
    table.extend(names);
    // Entries, the end of the last function, and behind them the descriptions that they lead to.
    table.extend(words(&[PLACE + 0x800, 40, PLACE + 0x900, 56, PLACE + 0xa00]));
    table.extend(words(&[PLACE + 0x800, 0, PLACE + 0x900, 10]));
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[PLACE, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    file.extend(words(&[0, PLACE, PLACE, 0x1000, 0x1000, 0x1000]));
    file.resize(0x200, 0);
    file.extend(table);
    file.resize(0x1000, 0);
    file
}

#[test]
fn the_table_of_the_first_versions_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old");
    std::fs::write(&path, with_old_table()).unwrap();
    let file = File::open(&path).unwrap();
    let elf = Elf::read(&file).unwrap();
    let table = Table::find(&elf).unwrap().unwrap();
    assert_eq!(table.packages(&elf).unwrap(), ["crypto/tls"]);
    let found = table.functions(&elf, &["crypto/tls.(*Conn).writeRecordLocked", "Locked"]).unwrap();
    let image = Image::new(&elf).unwrap();
    let start = table.text_start(&elf, &image).unwrap();
    let extents: Vec<_> =
        found.iter().map(|found| (found.name, start.extent(&image, found.function).unwrap())).collect();
    assert_eq!(extents, [(0, Extent { address: 0x40_0900, size: 0x100 })]);
}
