//! By mangled names. Both manglings of Rust end a function of a trait in the trait's path and the function's name.

use crate::elf::{Elf, ElfError, Extent, SymbolTable};
use crate::functions::{Function, RUSTLS_DECRYPT, RUSTLS_ENCRYPT};
use crate::sites::{Certainty, Findings, Tracer};

/// Parts of mangled names, and what they name. Legacy: `…MessageEncrypter$GT$7encrypt17h0123456789abcdefE`; v0 (RFC 2603):
/// `…16MessageEncrypter7encrypt`. A function that only shares the beginning of its name has another length before it.
const PARTS: [(&str, Function); 4] = [
    ("MessageEncrypter$GT$7encrypt17h", RUSTLS_ENCRYPT),
    ("MessageDecrypter$GT$7decrypt17h", RUSTLS_DECRYPT),
    ("16MessageEncrypter7encrypt", RUSTLS_ENCRYPT),
    ("16MessageDecrypter7decrypt", RUSTLS_DECRYPT),
];
/// Functions of one kind at most; a build with three providers has nine.
const MAX_FUNCTIONS: usize = 64;

pub(super) fn find(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    let mut known: Vec<(Function, Extent)> = Vec::new();
    for (part, extent) in elf.containing(SymbolTable::Full, &PARTS.map(|(part, _)| part))? {
        let Some((_, function)) = PARTS.get(part) else { continue };
        // Linkers fold functions of the same code.
        if known.len() < MAX_FUNCTIONS && !known.iter().any(|(_, other)| other.address == extent.address) {
            known.push((*function, extent));
        }
    }
    if known.is_empty() {
        return Ok(None);
    }
    // Decrypters first: a request that is seen while probes are put on must not wait for an answer that is not.
    known.sort_by_key(|(function, _)| function.leave.is_none());
    let mut tracer = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, extent) in &known {
        match tracer.site(*function, Certainty::Named, extent, &known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{}: {problem}", function.symbol)),
        }
    }
    Ok(Some(findings))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Both manglings, a function of another trait, and one whose name goes on.
    const SOURCE: &str = r#"
        #define NAMED(c, name) int c(void *s, int n) __asm__(name); int c(void *s, int n)
        NAMED(a, "_ZN90_$LT$rustls..A$u20$as$u20$rustls..crypto..cipher..MessageEncrypter$GT$7encrypt17h0123456789abcdefE") { return n; }
        NAMED(b, "_RNvXs_NtNtCs1_6rustls6crypto4ringNtB4_1ANtNtB8_6cipher16MessageDecrypter7decrypt") { return n > 3 ? *(int *)s : -n; }
        NAMED(c, "_ZN90_$LT$rustls..A$u20$as$u20$rustls..crypto..cipher..MessageEncrypter$GT$21encrypted_payload_len17h0123456789abcdefE") { return 2 * n; }
        NAMED(d, "_RNvXs_NtNtCs1_6rustls6crypto4ringNtB4_1ANtNtB8_6cipher15MessageVerifier6verify") { return 3 * n; }
    "#;

    #[test]
    fn both_manglings_are_read_and_no_damage_makes_it_panic() {
        let directory = tempfile::tempdir().unwrap();
        let (input, output) = (directory.path().join("source.c"), directory.path().join("named.so"));
        std::fs::write(&input, SOURCE).unwrap();
        let made =
            Command::new("cc").args(["-O2", "-fPIC", "-shared", "-o"]).args([&output, &input]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no C compiler");
            return;
        }
        let file = File::open(&output).unwrap();
        let findings = find(&Elf::read(&file).unwrap()).unwrap().unwrap();
        let found: Vec<_> = findings.sites.iter().map(|site| site.function).collect();
        assert_eq!(found, [RUSTLS_DECRYPT, RUSTLS_ENCRYPT], "{findings:?}");
        assert!(!findings.sites[0].returns.is_empty() && findings.sites[1].returns.is_empty());
        let whole = std::fs::read(&output).unwrap();
        proptest!(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() }, |(
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
