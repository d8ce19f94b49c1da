//! Tests on libraries of an architecture that need not be this one: what is found in them is what a disassembler finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::decode::Machine;
use crate::elf::{Elf, SymbolTable};
use crate::sites::{self, Site};

/// Where `cargo xtask setup` puts Debian's libraries for arm64.
fn folder() -> PathBuf {
    let clients = std::env::var_os("WIRESPAN_CLIENTS").map(PathBuf::from);
    let clients = clients.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients"));
    clients.join("arm64/root/usr/lib/aarch64-linux-gnu")
}

fn library(beginning: &str) -> Option<PathBuf> {
    let listed = std::fs::read_dir(folder()).ok()?.flatten();
    let found = listed.map(|entry| entry.path()).find(|path| {
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
        named && path.symlink_metadata().is_ok_and(|meta| meta.is_file())
    });
    if found.is_none() {
        println!("skipped: there is no {beginning} for arm64: run `cargo xtask setup --clients`");
    }
    found
}

/// A disassembler that knows arm64, wherever this host has one.
fn disassembler() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let versions = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.extend(
        versions.filter(|path| path.to_string_lossy().contains("/llvm-")).map(|path| path.join("bin")),
    );
    let found = folders.into_iter().map(|folder| folder.join("llvm-objdump")).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: llvm-objdump is not installed");
    }
    found
}

/// Mnemonics by address.
fn disassembled(tool: &Path, library: &Path) -> BTreeMap<u64, String> {
    let output = Command::new(tool).args(["-d", "--no-show-raw-insn"]).arg(library).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| {
        let (address, rest) = line.split_once(':')?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        Some((address, rest.split_whitespace().next()?.to_owned()))
    });
    lines.collect()
}

/// The places found in a library, those of `wanted` checked.
fn checked(beginning: &str, wanted: &[&str]) -> Option<Vec<Site>> {
    let (library, tool) = (library(beginning)?, disassembler()?);
    let file = File::open(&library).unwrap();
    let elf = Elf::read_for(Machine::Aarch64, &file).unwrap();
    let findings = sites::find_for(Machine::Aarch64, &file).unwrap().unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    let code = disassembled(&tool, &library);
    let returns: BTreeSet<u64> = code
        .iter()
        .filter(|(_, mnemonic)| mnemonic.starts_with("ret"))
        .filter_map(|(address, _)| elf.file_offset(*address))
        .collect();
    assert!(returns.len() > 100, "the disassembler found {} RETs", returns.len());
    for name in wanted {
        let named = elf.named(SymbolTable::Dynamic, &[name]).unwrap();
        let extent = named[0].1;
        let site = findings.sites.iter().find(|site| site.function.symbol == *name).unwrap();
        let entry = elf.file_offset(extent.address).unwrap();
        assert!(site.entry == entry || site.entry == entry + 4 && code[&extent.address] == "bti", "{name}");
        let own: BTreeSet<u64> = returns.range(entry..entry + extent.size).copied().collect();
        let found: BTreeSet<u64> = site.returns.iter().copied().collect();
        assert!(found.is_subset(&returns), "{name}: a place that is no RET");
        let inside: BTreeSet<u64> = found.range(entry..entry + extent.size).copied().collect();
        assert_eq!(inside, own, "{name}");
        println!("{name}: entry {entry:#x}, RETs {found:x?}");
    }
    Some(findings.sites)
}

#[test]
fn openssl_for_arm64_is_read_as_a_disassembler_reads_it() {
    let functions = ["SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex"];
    let Some(sites) = checked("libssl.so", &functions) else { return };
    assert!(sites.iter().all(|site| site.function.leave.is_none() || !site.returns.is_empty()));
}

#[test]
fn gnutls_for_arm64_is_read_as_a_disassembler_reads_it() {
    let functions = ["gnutls_record_recv", "gnutls_record_send", "gnutls_record_send2"];
    let Some(sites) = checked("libgnutls.so", &functions) else { return };
    let returns = |name: &str| sites.iter().find(|site| site.function.symbol == name).unwrap().returns.len();
    // The first goes on in a function without a symbol, the second through the linkage table in the third.
    assert!(returns("gnutls_record_recv") > 1);
    assert_eq!(returns("gnutls_record_send"), 0);
    assert!(returns("gnutls_record_send2") > 0);
}

#[test]
fn a_file_of_another_machine_is_foreign() {
    let this = File::open("/proc/self/exe").unwrap();
    let other = match Machine::NATIVE {
        Machine::X86_64 => Machine::Aarch64,
        Machine::Aarch64 => Machine::X86_64,
    };
    assert!(Elf::read(&this).is_ok());
    assert!(Elf::read_for(other, &this).is_err());
}
