//! The places that wirespan probes in a TLS library, found anew: entry and every RET of its functions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Functions of OpenSSL with probes at entry and at every RET.
const BOTH: &[&str] = &["SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex", "SSL_write_ex2"];
/// Functions with a probe at entry only.
const ENTRY: &[&str] = &["SSL_shutdown", "SSL_free"];

/// The libssl that this program loads, by the dynamic linker's word.
///
/// # Errors
/// When the program loads none.
pub(super) fn libssl_of(python: &Path) -> Result<PathBuf> {
    let script = "import ssl\nprint(next(l.split()[-1] for l in open('/proc/self/maps') if 'libssl' in l))";
    let output = Command::new(python).args(["-c", script]).output().context("could not run Python")?;
    ensure!(
        output.status.success(),
        "this Python loads no libssl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Offsets in the file of the places in OpenSSL's functions, which it exports.
///
/// # Errors
/// When the file is no ELF with these functions.
pub(super) fn openssl(library: &Path) -> Result<Vec<u64>> {
    find(library, BOTH, ENTRY)
}

/// Offsets in the file of the places in these functions: entry and every RET, or the entry only.
///
/// # Errors
/// When the file is no ELF with these functions.
pub(super) fn find(path: &Path, both: &[&str], entry: &[&str]) -> Result<Vec<u64>> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let file =
        object::File::parse(bytes.as_slice()).with_context(|| format!("{} is no ELF", path.display()))?;
    let text = file.section_by_name(".text").context("no .text")?;
    let code = text.data().context(".text")?;
    let (start, _) = text.file_range().context("a .text without bytes")?;
    let offset = |address: u64| address - text.address() + start;
    let mut found = Vec::new();
    for symbol in file.dynamic_symbols().chain(file.symbols()) {
        let name = symbol.name().unwrap_or_default();
        let (both, entry) = (both.contains(&name), entry.contains(&name));
        if symbol.size() == 0 || !(both || entry) || found.contains(&offset(symbol.address())) {
            continue;
        }
        found.push(offset(symbol.address()));
        if !both {
            continue;
        }
        let from = usize::try_from(symbol.address() - text.address())?;
        let body =
            code.get(from..from + usize::try_from(symbol.size())?).context("a function outside .text")?;
        for instruction in Decoder::with_ip(64, body, symbol.address(), DecoderOptions::NONE) {
            if instruction.mnemonic() == Mnemonic::Ret {
                found.push(offset(instruction.ip()));
            }
        }
    }
    ensure!(!found.is_empty(), "{} has none of the functions", path.display());
    Ok(found)
}
