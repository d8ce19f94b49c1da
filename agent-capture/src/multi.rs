//! Uprobes by multi-uprobe link (Linux 6.6): any number of places of one file in one system call and one descriptor, taken off at once,
//! and without `CAP_SYS_ADMIN`, which uprobes by perf event need since the fix of CVE-2025-38466.
//!
//! The map library at hand cannot load a program for them, so the programs are relocated with its object parser against its maps, and loaded
//! here. Layouts: `union bpf_attr` of `linux/bpf.h`.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use aya::Ebpf;
use aya::maps::Map;
use aya_obj::Object;

use crate::CaptureError;
use crate::elf::terminated;
use crate::error::chain;
use crate::kernel::refusal;

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_TYPE_KPROBE: u32 = 2;
const BPF_TRACE_UPROBE_MULTI: u32 = 48;
/// Size of the verifier's log.
const LOG_BYTES: usize = 1 << 20;

/// The fields of `bpf_attr` that loading a program needs, up to the last one that is used.
#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
}

/// The fields of `bpf_attr` that a multi-uprobe link needs.
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    path: u64,
    offsets: u64,
    reference_counters: u64,
    cookies: u64,
    count: u32,
    multi_flags: u32,
    pid: u32,
    reserved: u32,
}

const _: () = {
    assert!(size_of::<ProgramLoad>() == 72);
    assert!(size_of::<LinkCreate>() == 64);
};

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let pointer: *const T = attributes;
    // SAFETY: the attributes are plain words of the size that is passed along, and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    match RawFd::try_from(result) {
        // SAFETY: both commands used here answer with a new descriptor, which is this caller's.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn address<T>(slice: &[T]) -> u64 {
    slice.as_ptr().addr() as u64
}

/// Programs loaded for multi-uprobe links, by name.
pub(crate) struct MultiPrograms {
    programs: HashMap<&'static str, OwnedFd>,
}

/// Threads that load programs, at most.
const MAX_LOADERS: usize = 8;

/// A program that the kernel refused, and its words.
pub(crate) type Refusal = (&'static str, CaptureError);

impl MultiPrograms {
    /// Loads the programs with these names; `None` when this kernel has no such links. The second part names the programs that the kernel
    /// refused.
    pub(crate) fn load(
        object: &[u8],
        ebpf: &Ebpf,
        names: &[&'static str],
    ) -> Result<Option<(Self, Vec<Refusal>)>, CaptureError> {
        let object = relocated(object, ebpf)?;
        // One program is enough to ask for the links.
        if let Some(Ok(program)) = names.first().map(|name| load(&object, name))
            && !is_supported(&program)
        {
            return Ok(None);
        }
        let mut programs = HashMap::new();
        let mut refused = Vec::new();
        for (name, loaded) in load_all(&object, names) {
            match loaded {
                Ok(program) => drop(programs.insert(name, program)),
                Err(error) => refused.push((name, error)),
            }
        }
        Ok(Some((Self { programs }, refused)))
    }

    /// Puts a program on offsets in a file. `path` names the file; `number` is what the program is to see.
    pub(crate) fn attach(
        &self,
        program: &str,
        path: &str,
        offsets: &[u64],
        number: u32,
    ) -> Result<OwnedFd, String> {
        let program =
            self.programs.get(program).ok_or_else(|| format!("program {program} was not loaded"))?;
        let path = CString::new(path).map_err(|error| error.to_string())?;
        link(program, &path, offsets, number)
            .map_err(|error| format!("creating a multi-uprobe link failed: {error}"))
    }
}

/// Whether this kernel has such links.
///
/// # Errors
/// When it would not load a program at all.
pub(crate) fn probe() -> io::Result<bool> {
    // r0 = 0; exit
    const RETURN: [u64; 2] = [0xb7, 0x95];
    let attributes = ProgramLoad {
        program_type: BPF_PROG_TYPE_KPROBE,
        instruction_count: 2,
        instructions: address(&RETURN),
        license: address(b"GPL\0"),
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: *b"wirespan_probe\0\0",
        interface: 0,
        expected_attach_type: BPF_TRACE_UPROBE_MULTI,
    };
    Ok(is_supported(&bpf(BPF_PROG_LOAD, &attributes)?))
}

/// The object with its instructions pointing to the maps that are in use.
fn relocated(bytes: &[u8], ebpf: &Ebpf) -> Result<Object, CaptureError> {
    let failed = |detail: String| CaptureError::Program { program: "object".to_owned(), detail };
    let mut object = Object::parse(bytes).map_err(|error| failed(chain(&error)))?;
    let texts: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let descriptors: HashMap<&str, RawFd> =
        ebpf.maps().filter_map(|(name, map)| Some((name, descriptor(map)?))).collect();
    let maps: Vec<_> = object.maps.drain().collect();
    let known =
        maps.iter().filter_map(|(name, map)| Some((name.as_str(), *descriptors.get(name.as_str())?, map)));
    object.relocate_maps(known, &texts).map_err(|error| failed(chain(&error)))?;
    object.relocate_calls(&texts).map_err(|error| failed(chain(&error)))?;
    Ok(object)
}

fn descriptor(map: &Map) -> Option<RawFd> {
    match map {
        Map::Array(data)
        | Map::CgroupArray(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::PerCpuLruHashMap(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data) => Some(data.fd().as_fd().as_raw_fd()),
        _ => None,
    }
}

/// Loads programs on every processor there is: the verifier takes a second for some of them.
fn load_all(object: &Object, names: &[&'static str]) -> Vec<(&'static str, Result<OwnedFd, CaptureError>)> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut loaded = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            loaded.push((*name, load(object, name)));
        }
        loaded
    };
    let others = available_parallelism().map_or(1, NonZero::get).min(MAX_LOADERS) - 1;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..others)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, worker).ok())
            .collect();
        let mut loaded = worker();
        loaded.extend(threads.into_iter().filter_map(|thread| thread.join().ok()).flatten());
        loaded
    })
}

fn load(object: &Object, name: &str) -> Result<OwnedFd, CaptureError> {
    let missing = || CaptureError::ObjectVersion { detail: format!("it has no program {name}") };
    let program = object.programs.get(name).ok_or_else(missing)?;
    let function = object.functions.get(&program.function_key()).ok_or_else(missing)?;
    let mut short = [0; 16];
    for (slot, byte) in short.iter_mut().take(15).zip(name.bytes()) {
        *slot = byte;
    }
    let mut attributes = ProgramLoad {
        program_type: BPF_PROG_TYPE_KPROBE,
        instruction_count: u32::try_from(function.instructions.len()).unwrap_or(u32::MAX),
        instructions: address(&function.instructions),
        license: address(program.license.as_bytes_with_nul()),
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: short,
        interface: 0,
        expected_attach_type: BPF_TRACE_UPROBE_MULTI,
    };
    match bpf(BPF_PROG_LOAD, &attributes) {
        Ok(loaded) => Ok(loaded),
        Err(first) => {
            let mut log = vec![0u8; LOG_BYTES];
            attributes.log_level = 1;
            attributes.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
            attributes.log = log.as_mut_ptr().addr() as u64;
            match bpf(BPF_PROG_LOAD, &attributes) {
                Ok(loaded) => Ok(loaded),
                Err(_) => Err(refusal(name, first, &terminated(&log))),
            }
        }
    }
}

fn link(program: &OwnedFd, path: &CStr, offsets: &[u64], number: u32) -> io::Result<OwnedFd> {
    let word = |descriptor: &OwnedFd| u32::try_from(descriptor.as_raw_fd()).unwrap_or(u32::MAX);
    let cookies = vec![u64::from(number); offsets.len()];
    let attributes = LinkCreate {
        program: word(program),
        target: 0,
        attach_type: BPF_TRACE_UPROBE_MULTI,
        flags: 0,
        path: address(path.to_bytes_with_nul()),
        offsets: address(offsets),
        reference_counters: 0,
        cookies: address(&cookies),
        count: u32::try_from(offsets.len()).unwrap_or(u32::MAX),
        multi_flags: 0,
        pid: 0,
        reserved: 0,
    };
    bpf(BPF_LINK_CREATE, &attributes)
}

/// A kernel that knows these links looks at the path, and says that a directory is no file to probe. Others do not know the attach type.
fn is_supported(program: &OwnedFd) -> bool {
    link(program, c"/", &[0], 0).is_err_and(|error| error.raw_os_error() == Some(libc::EBADF))
}
