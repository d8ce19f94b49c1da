//! Any bytes as an executable, as they are and as the code and texts of a well-formed one: looking for TLS functions ends, and what is
//! found lies in the file.
//!
//! The modules are included by path, because the capture crate cannot be built without the compiled kernel programs.
#![no_main]

use std::fs::File;
use std::io::{Seek as _, Write as _};

use libfuzzer_sys::fuzz_target;

macro_rules! modules {
    ($($name:ident = $path:literal),+) => {
        $(
            #[allow(dead_code, unused_imports, reason = "only the finders are used here")]
            #[path = $path]
            mod $name;
        )+
    };
}

modules! {
    arm64 = "../../agent-capture/src/arm64.rs",
    decode = "../../agent-capture/src/decode.rs",
    elf = "../../agent-capture/src/elf.rs",
    functions = "../../agent-capture/src/functions.rs",
    rustls = "../../agent-capture/src/rustls/mod.rs",
    sites = "../../agent-capture/src/sites.rs",
    structure = "../../agent-capture/src/structure/mod.rs",
    x86 = "../../agent-capture/src/x86.rs"
}

/// ELF header, three program headers, and the file name that error macros leave behind.
const FRONT: usize = 64 + 3 * 56 + 16;

/// An executable for x86-64 whose texts, code and unwind tables are all the same bytes.
fn executable(bytes: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    let mut put = |at: usize, value: &[u8]| file[at..at + value.len()].copy_from_slice(value);
    put(16, &2u16.to_le_bytes());
    put(18, &62u16.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &3u16.to_le_bytes());
    let size = (FRONT + bytes.len()) as u64;
    // Readable at 1 MiB, executable at 2 MiB, unwind tables behind the front.
    let unwind = (FRONT as u64, 0x10_0000 + FRONT as u64, bytes.len() as u64);
    for (kind, flags, (offset, address, size)) in
        [(1u32, 4u32, (0, 0x10_0000, size)), (1, 5, (0, 0x20_0000, size)), (0x6474_e550, 4, unwind)]
    {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, address, address, size, size, 1] {
            file.extend(u64::to_le_bytes(word));
        }
    }
    file.extend(b"ssl/ssl_lib.cc\0\0");
    file.extend(bytes);
    file
}

fn look(bytes: &[u8]) {
    let memory = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = File::from(memory);
    file.write_all(bytes).expect("memory takes everything");
    file.rewind().expect("memory can be rewound");
    let Ok(Some(findings)) = sites::find(&file) else { return };
    for site in &findings.sites {
        assert!(site.entry < bytes.len() as u64);
        assert!(site.returns.iter().all(|offset| *offset < bytes.len() as u64));
    }
}

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    look(&executable(bytes));
});
