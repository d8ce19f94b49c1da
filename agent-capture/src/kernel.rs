//! Loads the kernel programs and hands out their maps.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent_common::{
    ABI_VERSION, AgentIndex, COMMAND_BYTES, CallArgs, CallKey, Connection, ConnectionKey, CounterIndex,
    Listener, MAX_CHUNK, MAX_CHUNKS, ProcessState, SiteCounts, Socket, SocketKey, VerdictEntry,
};
use aya::maps::{Array, CgroupArray, HashMap, Map, MapData, MapError, PerCpuArray};
use aya::programs::{ProgramError, ProgramType, TracePoint, UProbe};
use aya::sys::{BpfHelper, is_helper_supported};
use aya::{Ebpf, EbpfError, EbpfLoader};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use crate::abi::Abi;
use crate::error::chain;
use crate::functions::{JAVA, PROGRAMS, REQUIRED};
use crate::multi::MultiPrograms;
use crate::settings::Settings;
use crate::shared::monotonic;
use crate::tracefs::Format;
use crate::{CaptureConfig, CaptureError};

/// The compiled kernel programs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("WIRESPAN_BPF_OBJECT_PATH"));

/// The tracepoints, with programs of the same names.
const TRACEPOINTS: [(&str, &str); 5] = [
    ("task", "task_newtask"),
    ("sched", "sched_process_exec"),
    ("sched", "sched_process_exit"),
    ("syscalls", "sys_enter_mmap"),
    ("syscalls", "sys_exit_mmap"),
];

/// Offsets of tracepoint fields on this kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offsets {
    newtask_pid: u32,
    newtask_flags: u32,
    /// 0 where the kernel has no such field.
    exit_group_dead: u32,
    mmap_prot: u32,
    mmap_fd: u32,
    mmap_ret: u32,
    syscall_args: u32,
    syscall_ret: u32,
}

impl Offsets {
    /// Reads the formats of all tracepoints.
    pub(crate) fn read(tracefs: &Path) -> Result<Self, CaptureError> {
        let newtask = Format::read(tracefs, "task", "task_newtask")?;
        Format::read(tracefs, "sched", "sched_process_exec")?;
        let exit = Format::read(tracefs, "sched", "sched_process_exit")?;
        let enter = Format::read(tracefs, "syscalls", "sys_enter_mmap")?;
        let leave = Format::read(tracefs, "syscalls", "sys_exit_mmap")?;
        Ok(Self {
            newtask_pid: newtask.offset("pid", &[4])?,
            newtask_flags: newtask.offset("clone_flags", &[8])?,
            exit_group_dead: exit
                .field("group_dead")
                .filter(|field| field.size == 1)
                .map_or(0, |field| field.offset),
            mmap_prot: enter.offset("prot", &[8])?,
            mmap_fd: enter.offset("fd", &[8])?,
            mmap_ret: leave.offset("ret", &[8])?,
            syscall_args: crate::sockets::tracepoints::argument_offset(tracefs)?,
            syscall_ret: leave.offset("ret", &[8])?,
        })
    }
}

/// The maps that user space writes to or reads from while the capture runs.
pub(crate) struct Maps {
    processes: Mutex<HashMap<MapData, u32, Abi<ProcessState>>>,
    connections: Mutex<HashMap<MapData, Abi<ConnectionKey>, Abi<Connection>>>,
    calls: Mutex<HashMap<MapData, Abi<CallKey>, Abi<CallArgs>>>,
    verdicts: Mutex<HashMap<MapData, Abi<ConnectionKey>, Abi<VerdictEntry>>>,
    sites: Mutex<Array<MapData, Abi<SiteCounts>>>,
    sockets: Mutex<HashMap<MapData, Abi<SocketKey>, Abi<Socket>>>,
    listeners: Mutex<HashMap<MapData, Abi<SocketKey>, Abi<Listener>>>,
    ports: Mutex<HashMap<MapData, u32, u32>>,
    counters: PerCpuArray<MapData, u64>,
    agent: Mutex<Array<MapData, u64>>,
}

impl Maps {
    pub(crate) fn processes(&self) -> MutexGuard<'_, HashMap<MapData, u32, Abi<ProcessState>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connections(
        &self,
    ) -> MutexGuard<'_, HashMap<MapData, Abi<ConnectionKey>, Abi<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, HashMap<MapData, Abi<CallKey>, Abi<CallArgs>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn verdicts(&self) -> MutexGuard<'_, HashMap<MapData, Abi<ConnectionKey>, Abi<VerdictEntry>>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went through the place with this number.
    pub(crate) fn site(&self, number: u32) -> Option<SiteCounts> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.get(&number, 0).ok().map(|counts| counts.0)
    }

    /// Begins to count for this number anew.
    pub(crate) fn reset_site(&self, number: u32) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = sites.set(number, Abi(SiteCounts::default()), 0) {
            tracing::debug!(number, error = chain(&error), "a count could not be reset");
        }
    }

    /// Tells every kernel program something.
    pub(crate) fn tell(&self, index: AgentIndex, value: u64) -> Result<(), CaptureError> {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        agent.set(index as u32, value, 0).map_err(|error| map_error("AGENT", &error))
    }

    pub(crate) fn sockets(&self) -> MutexGuard<'_, HashMap<MapData, Abi<SocketKey>, Abi<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listeners(&self) -> MutexGuard<'_, HashMap<MapData, Abi<SocketKey>, Abi<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ports of servers without TLS.
    pub(crate) fn ports(&self) -> MutexGuard<'_, HashMap<MapData, u32, u32>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A counter, summed over the CPUs; 0 if the kernel would not tell.
    pub(crate) fn counter(&self, index: CounterIndex) -> u64 {
        self.counters.get(&(index as u32), 0).map_or(0, |values| values.iter().sum())
    }
}

/// The loaded programs and what belongs to them.
pub(crate) struct Kernel {
    /// Holds the programs; they are unloaded with it.
    pub(crate) ebpf: Ebpf,
    /// The uprobe programs, where they are attached by multi-uprobe link.
    pub(crate) multi: Option<MultiPrograms>,
    /// Programs that this kernel refused and that the capture goes on without, with the kernel's words.
    pub(crate) refused: Vec<String>,
    /// Whether attachments can carry a number (Linux 5.15).
    pub(crate) cookies: bool,
    /// Maps for both threads.
    pub(crate) maps: Maps,
    /// The ring of plaintext.
    pub(crate) data: MapData,
    /// The ring of process events.
    pub(crate) control: MapData,
}

impl Kernel {
    /// Loads and verifies every program, and attaches the tracepoints.
    pub(crate) fn load(config: &CaptureConfig, tracefs: &Path) -> Result<Self, CaptureError> {
        check_version()?;
        let offsets = Offsets::read(tracefs)?;
        let settings = Settings::of(config)?;
        let cookies = has_cookies();
        let mut ebpf = create(config, &settings, offsets, cookies)?;
        fill_rules(&mut ebpf, &settings)?;
        let (multi, mut refused) = load_probes(&mut ebpf, config)?;
        for (category, name) in TRACEPOINTS {
            let tracepoint: &mut TracePoint = program_mut(&mut ebpf, name)?;
            tracepoint.load().map_err(|error| program_error(name, &error))?;
            tracepoint.attach(category, name).map_err(|error| program_error(name, &error))?;
        }
        if let Err(error) = crate::sockets::tracepoints::attach(&mut ebpf, config, tracefs) {
            refused.extend(dispensable(vec![("plain HTTP", error)])?);
        }
        let maps = Maps {
            processes: Mutex::new(hash_map(&mut ebpf, "PROCESSES")?),
            connections: Mutex::new(hash_map(&mut ebpf, "CONNECTIONS")?),
            calls: Mutex::new(hash_map(&mut ebpf, "CALLS")?),
            verdicts: Mutex::new(hash_map(&mut ebpf, "VERDICTS")?),
            sites: Mutex::new(
                Array::try_from(take(&mut ebpf, "SITES")?).map_err(|error| map_error("SITES", &error))?,
            ),
            sockets: Mutex::new(hash_map(&mut ebpf, "SOCKETS")?),
            listeners: Mutex::new(hash_map(&mut ebpf, "LISTENERS")?),
            ports: Mutex::new(hash_map(&mut ebpf, "PORTS")?),
            counters: PerCpuArray::try_from(take(&mut ebpf, "COUNTERS")?)
                .map_err(|error| map_error("COUNTERS", &error))?,
            agent: Mutex::new(
                Array::try_from(take(&mut ebpf, "AGENT")?).map_err(|error| map_error("AGENT", &error))?,
            ),
        };
        maps.tell(AgentIndex::Heartbeat, monotonic())?;
        for port in &config.plain_http.ports {
            maps.ports().insert(u32::from(*port), 1, 0).map_err(|error| map_error("PORTS", &error))?;
        }
        let data = ring(&mut ebpf, "DATA")?;
        let control = ring(&mut ebpf, "CONTROL")?;
        Ok(Self { ebpf, multi, cookies, refused, maps, data, control })
    }
}

/// Loads the uprobe programs in the form in which this kernel attaches them. Also returns what was refused and can be done without.
fn load_probes(
    ebpf: &mut Ebpf,
    config: &CaptureConfig,
) -> Result<(Option<MultiPrograms>, Vec<String>), CaptureError> {
    let wanted: Vec<&'static str> =
        PROGRAMS.into_iter().filter(|program| config.java || *program != JAVA).collect();
    if !config.perf_events
        && let Some((multi, refused)) = MultiPrograms::load(OBJECT, ebpf, &wanted)?
    {
        return Ok((Some(multi), dispensable(refused)?));
    }
    let mut refused = Vec::new();
    for program in wanted {
        let probe: &mut UProbe = program_mut(ebpf, program)?;
        if let Err(error) = probe.load() {
            refused.push((program, program_error(program, &error)));
        }
    }
    Ok((None, dispensable(refused)?))
}

/// The refusals in words, unless one of them is the end.
fn dispensable(refused: Vec<(&'static str, CaptureError)>) -> Result<Vec<String>, CaptureError> {
    let mut words = Vec::new();
    for (program, error) in refused {
        if REQUIRED.contains(&program) || matches!(error, CaptureError::Privileges { .. }) {
            return Err(error);
        }
        tracing::warn!(program, %error, "the capture goes on without a kernel program");
        words.push(error.to_string());
    }
    Ok(words)
}

/// Whether attachments can carry a number.
pub(crate) fn has_cookies() -> bool {
    let helper = is_helper_supported(ProgramType::KProbe, BpfHelper::BPF_FUNC_get_attach_cookie);
    helper.unwrap_or(false) && aya::features().bpf_perf_link()
}

fn create(
    config: &CaptureConfig,
    settings: &Settings,
    offsets: Offsets,
    cookies: bool,
) -> Result<Ebpf, CaptureError> {
    let flag = u32::from;
    let follow = flag(config.scope.follow_children);
    let all = flag(config.scope.all);
    let plain_mode = crate::sockets::kernel_mode(config.plain_http.mode) as u32;
    let every_exec = flag(!config.scope.executables.is_empty());
    EbpfLoader::new()
        // Kernel type information is not needed: nothing here reads kernel structures.
        .btf(None)
        .map_max_entries("DATA", settings.ring_bytes)
        .map_max_entries("CONNECTIONS", settings.max_connections)
        .map_max_entries("SOCKETS", settings.max_connections)
        .override_global("MAX_CALL_BYTES", &settings.max_call_bytes, true)
        .override_global("WATCHDOG_NANOS", &settings.watchdog_nanos, true)
        .override_global("ALL_PROCESSES", &all, true)
        .override_global("FOLLOW_CHILDREN", &follow, true)
        .override_global("REPORT_EVERY_EXEC", &every_exec, true)
        .override_global("COMMAND_COUNT", &settings.command_count(), true)
        .override_global("CGROUP_COUNT", &settings.cgroup_count(), true)
        .override_global("ATTACH_COOKIES", &flag(cookies), true)
        .override_global("NEWTASK_PID_OFFSET", &offsets.newtask_pid, true)
        .override_global("NEWTASK_FLAGS_OFFSET", &offsets.newtask_flags, true)
        .override_global("EXIT_GROUP_DEAD_OFFSET", &offsets.exit_group_dead, true)
        .override_global("MMAP_PROT_OFFSET", &offsets.mmap_prot, true)
        .override_global("MMAP_FD_OFFSET", &offsets.mmap_fd, true)
        .override_global("MMAP_RET_OFFSET", &offsets.mmap_ret, true)
        .override_global("SYSCALL_ARGS_OFFSET", &offsets.syscall_args, true)
        .override_global("SYSCALL_RET_OFFSET", &offsets.syscall_ret, true)
        .override_global("PLAIN_MODE", &plain_mode, true)
        .override_global("FIND_PEERS", &flag(config.peers), true)
        .load(OBJECT)
        .map_err(|error| load_error(&error))
}

fn fill_rules(ebpf: &mut Ebpf, settings: &Settings) -> Result<(), CaptureError> {
    let mut commands: HashMap<_, [u8; COMMAND_BYTES], u32> =
        HashMap::try_from(map_mut(ebpf, "COMMANDS")?).map_err(|error| map_error("COMMANDS", &error))?;
    for command in &settings.commands {
        commands.insert(command, 1, 0).map_err(|error| map_error("COMMANDS", &error))?;
    }
    let mut cgroups =
        CgroupArray::try_from(map_mut(ebpf, "CGROUPS")?).map_err(|error| map_error("CGROUPS", &error))?;
    for (index, directory) in (0..).zip(&settings.cgroups) {
        cgroups.set(index, directory.as_raw_fd(), 0).map_err(|error| map_error("CGROUPS", &error))?;
    }
    Ok(())
}

/// The object must have been built from the same types as this program.
fn check_version() -> Result<(), CaptureError> {
    let failed = |detail: String| CaptureError::ObjectVersion { detail };
    let file = object::File::parse(OBJECT).map_err(|error| failed(error.to_string()))?;
    let symbol = file
        .symbols()
        .find(|symbol| symbol.name() == Ok("WIRESPAN_ABI_VERSION"))
        .ok_or_else(|| failed("it names no version".to_owned()))?;
    let version = symbol
        .section_index()
        .and_then(|index| file.section_by_index(index).ok())
        .and_then(|section| section.data_range(symbol.address(), 4).ok().flatten())
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_le_bytes);
    if version == Some(ABI_VERSION) {
        return Ok(());
    }
    Err(failed(format!("it is of version {version:?}, expected {ABI_VERSION}")))
}

pub(crate) fn program_mut<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, CaptureError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or_else(|| CaptureError::ObjectVersion { detail: format!("it has no program {name}") })?
        .try_into()
        .map_err(|error| program_error(name, &error))
}

pub(crate) fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Map, CaptureError> {
    ebpf.map_mut(name).ok_or_else(|| CaptureError::ObjectVersion { detail: format!("it has no map {name}") })
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, CaptureError> {
    ebpf.take_map(name).ok_or_else(|| CaptureError::ObjectVersion { detail: format!("it has no map {name}") })
}

fn hash_map<K: aya::Pod, V: aya::Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<HashMap<MapData, K, V>, CaptureError> {
    HashMap::try_from(take(ebpf, name)?).map_err(|error| map_error(name, &error))
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, CaptureError> {
    match take(ebpf, name)? {
        Map::RingBuf(data) => Ok(data),
        _ => Err(CaptureError::ObjectVersion { detail: format!("its map {name} is no ring buffer") }),
    }
}

/// A map operation failed.
pub(crate) fn map_error(map: &'static str, error: &MapError) -> CaptureError {
    CaptureError::Map { map, detail: chain(error) }
}

/// The system error at the bottom of a chain of causes.
fn system_error(error: &(dyn std::error::Error + 'static)) -> Option<io::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(code) = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(io::Error::from_raw_os_error(code));
        }
        next = cause.source();
    }
    None
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Option<CaptureError> {
    let source = system_error(error)?;
    matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES))
        .then_some(CaptureError::Privileges { source })
}

fn load_error(error: &EbpfError) -> CaptureError {
    if let Some(refused) = refused(error) {
        return refused;
    }
    if let EbpfError::MapError(MapError::CreateError { name, io_error }) = error
        && ["DATA", "CONTROL"].contains(&name.as_str())
        && io_error.raw_os_error() == Some(libc::EINVAL)
    {
        let detail = format!("creating the map {name} failed: {io_error}");
        return CaptureError::Kernel { feature: "BPF ring buffer", detail };
    }
    CaptureError::Program { program: "object".to_owned(), detail: chain(error) }
}

/// The kernel refused a program.
pub(crate) fn program_error(program: &str, error: &ProgramError) -> CaptureError {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        let copy = io_error
            .raw_os_error()
            .map_or_else(|| io::Error::other(io_error.to_string()), io::Error::from_raw_os_error);
        return refusal(program, copy, &verifier_log.to_string());
    }
    refused(error)
        .unwrap_or_else(|| CaptureError::Program { program: program.to_owned(), detail: chain(error) })
}

/// The kernel refused to load a program. A verifier's refusal is a matter of permission by its number too, but it comes with a log.
pub(crate) fn refusal(program: &str, error: io::Error, log: &str) -> CaptureError {
    let lines: Vec<_> = log.trim().lines().collect();
    if lines.is_empty() && matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)) {
        return CaptureError::Privileges { source: error };
    }
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
    CaptureError::Program {
        program: program.to_owned(),
        detail: format!("{error}\n{tail}").trim().to_owned(),
    }
}

/// Most bytes that the kernel programs can copy of one call.
pub(crate) const HARD_CALL_BOUND: u64 = MAX_CHUNK as u64 * MAX_CHUNKS as u64;
