//! What is found in a stripped executable is what the symbols of the same executable name.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use crate::elf::{Elf, SymbolTable};
use crate::functions::{Function, SSL_NEW, by_symbol};
use crate::sites::{Certainty, Tracer, find};

const CALLER: &str = include_str!("caller.c");

/// Compiles a library as the given source file, with the caller. `None`: there is no compiler.
fn compile(directory: &Path, file: &str, source: &str, options: &[&str]) -> Option<PathBuf> {
    std::fs::create_dir_all(directory.join("ssl")).unwrap();
    std::fs::write(directory.join(file), source).unwrap();
    std::fs::write(directory.join("caller.c"), CALLER).unwrap();
    let output = directory.join("program");
    let mut command = Command::new("cc");
    command.current_dir(directory).args(["-O2", "-x", "c"]).args([file, "caller.c", "-o"]).arg(&output);
    if !command.args(options).status().is_ok_and(|status| status.success()) {
        println!("skipped: no C compiler, or it cannot {options:?}");
        return None;
    }
    Some(output)
}

fn offset(path: &Path, name: &str) -> u64 {
    let file = File::open(path).unwrap();
    let elf = Elf::read(&file).unwrap();
    let (_, extent) = elf.named(SymbolTable::Full, &[name]).unwrap()[0];
    let function = Function { symbol: "", entry: "", leave: None };
    Tracer::new(&elf).site(function, Certainty::Named, &extent, &[]).unwrap().entry
}

/// The programs and the places of what is found, but for the makers of handles.
fn found(path: &Path) -> BTreeSet<(&'static str, u64)> {
    let findings = find(&File::open(path).unwrap()).unwrap().unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    assert!(findings.sites.iter().all(|site| site.certainty == Certainty::Candidate));
    // What is found is kept between runs by the name.
    assert!(findings.sites.iter().all(|site| by_symbol(site.function.symbol) == Some(site.function)));
    let makers = findings.sites.iter().filter(|site| site.function == SSL_NEW);
    let bytes = std::fs::read(path).unwrap();
    assert!(makers.clone().count() > 0);
    assert!(makers.clone().all(|site| bytes[usize::try_from(site.entry).unwrap()] == 0xc3));
    let others = findings.sites.iter().filter(|site| site.function != SSL_NEW);
    others.map(|site| (site.function.entry, site.entry)).collect()
}

/// Each way to lay out an executable: at a fixed address or not, with unwind tables or without.
const LAYOUTS: [&[&str]; 4] = [
    &["-no-pie"],
    &["-pie", "-fPIE"],
    &["-no-pie", "-fno-pic", "-fno-asynchronous-unwind-tables", "-Wl,--no-eh-frame-hdr", "-static"],
    &["-pie", "-fPIE", "-fno-asynchronous-unwind-tables", "-Wl,--no-eh-frame-hdr"],
];

fn check(file: &str, source: &str, more: &[&str], expected: &[(&'static str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    for layout in LAYOUTS {
        let options = [layout, more].concat();
        let Some(whole) = compile(directory.path(), file, source, &options) else { return };
        let expected: BTreeSet<_> =
            expected.iter().map(|(program, name)| (*program, offset(&whole, name))).collect();
        let stripped = compile(directory.path(), file, source, &[&options, &["-s"][..]].concat()).unwrap();
        assert_eq!(found(&stripped), expected, "{options:?}");
    }
}

#[test]
fn boringssl_is_found_without_symbols() {
    let expected =
        [("enter_read", "SSL_read"), ("enter_write", "SSL_write"), ("enter_shutdown", "SSL_shutdown")];
    for apart in ["-DAPART", "-DTOGETHER"] {
        check("ssl/ssl_lib.cc", include_str!("boringssl.c"), &["-DBORINGSSL", apart], &expected);
    }
}

#[test]
fn openssl_is_found_without_symbols() {
    for (version, write) in
        [("-DOLD", "enter_write_ex"), ("-DNEW", "enter_write_ex"), ("-DFLAGS", "enter_write_ex2")]
    {
        let expected = [
            ("enter_read_ex", "ssl_read_internal"),
            (write, "ssl_write_internal"),
            ("enter_shutdown", "SSL_shutdown"),
        ];
        check("ssl/ssl_lib.c", include_str!("openssl.c"), &[version], &expected);
    }
}

#[test]
fn callers_are_probed_where_the_inner_functions_end_in_a_jump() {
    let mut expected = vec![
        ("enter_read", "SSL_read"),
        ("enter_read_ex", "SSL_read_ex"),
        ("enter_write", "SSL_write"),
        ("enter_write_ex", "SSL_write_ex"),
        ("enter_shutdown", "SSL_shutdown"),
    ];
    for version in ["-DOLD", "-DNEW", "-DFLAGS"] {
        if version == "-DFLAGS" {
            expected.push(("enter_write_ex2", "SSL_write_ex2"));
        }
        check("ssl/ssl_lib.c", include_str!("openssl.c"), &[version, "-DAWAY"], &expected);
    }
}

#[test]
fn the_systems_own_openssl_is_found_in_a_static_program() {
    const SOURCE: &str = r"
        #include <openssl/ssl.h>
        int main(int argc, char **argv) {
            SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
            char buffer[10];
            return SSL_write(ssl, argv[0], argc) + SSL_read(ssl, buffer, 10) + SSL_shutdown(ssl);
        }";
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.c"), SOURCE).unwrap();
    let build = |name: &str, options: &[&str]| {
        let output = directory.path().join(name);
        let mut command = Command::new("cc");
        command
            .args(["-O2", "-static"])
            .args(options)
            .arg(directory.path().join("main.c"))
            .arg("-o")
            .arg(&output);
        let made = command.args(["-lssl", "-lcrypto"]).output().is_ok_and(|made| made.status.success());
        made.then_some(output)
    };
    let (Some(whole), Some(stripped)) = (build("whole", &[]), build("stripped", &["-s"])) else {
        println!("skipped: no C compiler, or no static OpenSSL");
        return;
    };
    let found = found(&stripped);
    let at = |name| found.iter().filter(|(_, entry)| *entry == offset(&whole, name)).count();
    // Which of them is probed depends on how it was compiled.
    for (inner, outer) in [("ssl_read_internal", "SSL_read"), ("ssl_write_internal", "SSL_write")] {
        assert_eq!(at(inner) + at(outer), 1, "{found:x?}");
    }
    assert_eq!(at("SSL_shutdown"), 1, "{found:x?}");
}

#[test]
fn no_damage_makes_it_panic_or_probe_what_is_no_ret() {
    let directory = tempfile::tempdir().unwrap();
    let options = ["-DBORINGSSL", "-DAPART", "-s"];
    let Some(path) = compile(directory.path(), "ssl/ssl_lib.cc", include_str!("boringssl.c"), &options)
    else {
        return;
    };
    let whole = std::fs::read(&path).unwrap();
    let damaged = directory.path().join("damaged");
    // Headers, code, texts and unwind tables all lie before the sections that are left of a stripped file's end.
    proptest!(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() }, |(
        length in 0..=whole.len(),
        cut in any::<bool>(),
        changes in proptest::collection::vec((0..whole.len(), any::<u8>()), 0..24),
    )| {
        let mut bytes = whole[..if cut { length } else { whole.len() }].to_vec();
        for (place, value) in changes {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        std::fs::write(&damaged, &bytes).unwrap();
        if let Ok(Some(findings)) = find(&File::open(&damaged).unwrap()) {
            let is_return = |offset: &u64| {
                matches!(bytes.get(usize::try_from(*offset).unwrap()), Some(0xc3 | 0xc2 | 0xf3 | 0xf2))
            };
            for site in &findings.sites {
                prop_assert!(site.returns.iter().all(is_return));
            }
        }
    });
}
