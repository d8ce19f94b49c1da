//! The maps, and the constants that the loader sets before the programs are verified.

use agent_common::{
    ABI_VERSION, AgentIndex, COMMAND_BYTES, CallArgs, CallKey, Connection, ConnectionKey, CounterIndex,
    Listener, MAX_SITES, ProcessState, SiteCounts, Socket, SocketCall, SocketKey, VerdictEntry, Waiting,
};
use aya_ebpf::{
    macros::map,
    maps::{Array, CgroupArray, HashMap, LruHashMap, PerCpuArray, ProgramArray, RingBuf},
};

use crate::registers::KEPT;

/// Plaintext and the ends of connections. Drained by a timer. Sized by the loader.
#[map]
pub static DATA: RingBuf = RingBuf::with_byte_size(32 << 20, 0);

/// Process events. Wakes its reader.
#[map]
pub static CONTROL: RingBuf = RingBuf::with_byte_size(256 << 10, 0);

/// Processes in scope, by tgid.
#[map]
pub static PROCESSES: HashMap<u32, ProcessState> = HashMap::with_max_entries(32_768, 0);

/// Calls between their entry and their RET.
#[map]
pub static CALLS: HashMap<CallKey, CallArgs> = HashMap::with_max_entries(32_768, 0);

/// Connections. Sized by the loader.
#[map]
pub static CONNECTIONS: HashMap<ConnectionKey, Connection> = HashMap::with_max_entries(65_536, 0);

/// Decisions of user space on their way to a connection. Least recently used goes first: a lost one only means that more is copied.
#[map]
pub static VERDICTS: LruHashMap<ConnectionKey, VerdictEntry> = LruHashMap::with_max_entries(16_384, 0);

/// Threads inside `mmap` of a file as executable.
#[map]
pub static MAPPING: LruHashMap<u64, u8> = LruHashMap::with_max_entries(4096, 0);

/// Command names in scope, padded with zeros.
#[map]
pub static COMMANDS: HashMap<[u8; COMMAND_BYTES], u32> = HashMap::with_max_entries(256, 0);

/// Control groups in scope.
#[map]
pub static CGROUPS: CgroupArray = CgroupArray::with_max_entries(MAX_CGROUPS, 0);

/// What went through the places that have to prove themselves.
#[map]
pub static SITES: Array<SiteCounts> = Array::with_max_entries(MAX_SITES, 0);

/// Handles that came through such a place and did not begin like plaintext; `reserved` is the number of the place. A forgotten one is
/// counted again.
#[map]
pub static FOREIGN: LruHashMap<ConnectionKey, u8> = LruHashMap::with_max_entries(8192, 0);

/// rustls: the encrypter beside a decrypter, by process and decrypter. Below a page: how often none was found. Least recently used goes
/// first, and is found again.
#[map]
pub static ENCRYPTERS: LruHashMap<ConnectionKey, u64> = LruHashMap::with_max_entries(16_384, 0);

/// rustls: where the encrypter is looked for. What is found in it is read again from the process before it is believed, because the
/// program may be preempted by another on the same CPU.
#[map]
pub static SEARCH: PerCpuArray<Search> = PerCpuArray::with_max_entries(1, 0);

/// See [`CounterIndex`].
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(CounterIndex::COUNT, 0);

/// What user space tells all programs. See [`AgentIndex`].
#[map]
pub static AGENT: Array<u64> = Array::with_max_entries(AgentIndex::COUNT, 0);

/// Connected sockets of processes in scope. Sized by the loader.
#[map]
pub static SOCKETS: LruHashMap<SocketKey, Socket> = LruHashMap::with_max_entries(65_536, 0);

/// Bound sockets of processes in scope.
#[map]
pub static LISTENERS: LruHashMap<SocketKey, Listener> = LruHashMap::with_max_entries(8192, 0);

/// Ports of servers that speak HTTP without TLS.
#[map]
pub static PORTS: HashMap<u32, u32> = HashMap::with_max_entries(4096, 0);

/// System calls on sockets between their entry and their exit, by thread.
#[map]
pub static SOCKET_CALLS: LruHashMap<u64, SocketCall> = LruHashMap::with_max_entries(32_768, 0);

/// Threads that write to a TLS connection whose socket is not known yet.
#[map]
pub static WAITING: LruHashMap<u64, Waiting> = LruHashMap::with_max_entries(16_384, 0);

/// What was reported of ways past the probes, by process and kind.
#[map]
pub static BYPASSES: LruHashMap<u64, u64> = LruHashMap::with_max_entries(8192, 0);

/// Parents of the processes in scope that were made by `fork`.
#[map]
pub static PARENTS: LruHashMap<u32, u32> = LruHashMap::with_max_entries(32_768, 0);

/// Slot 0: the program that accounts the next piece of a vector.
#[map]
pub static NEXT_PIECE: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// See [`SEARCH`].
#[repr(C)]
pub struct Search {
    /// Words that may be the address of something around a record layer.
    pub candidates: [u64; CANDIDATES],
    /// Memory behind one of them.
    pub window: [u64; WINDOW],
}

/// Registers that are kept over a call, and words of the callers' frames.
pub const CANDIDATES: usize = KEPT + 58;
/// Words of memory that are looked through behind each.
pub const WINDOW: usize = 128;

/// Most control groups in scope.
pub const MAX_CGROUPS: u32 = 16;

macro_rules! setting {
    ($(#[$doc:meta])* $name:ident, $getter:ident, $type:ty, $default:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        static $name: $type = $default;

        $(#[$doc])*
        #[inline(always)]
        pub fn $getter() -> $type {
            // SAFETY: a read of an initialised static of a plain type. It is volatile because the loader changes the value after compilation.
            unsafe { core::ptr::read_volatile(&raw const $name) }
        }
    };
}

setting!(
    /// Bytes copied of one call at most.
    MAX_CALL_BYTES, max_call_bytes, u64, 32 << 20);
setting!(
    /// Nothing is copied once user space has shown no sign of life for so long, in nanoseconds. 0: it is never asked for one.
    WATCHDOG_NANOS, watchdog_nanos, u64, 0);
setting!(
    /// 1: every process is in scope.
    ALL_PROCESSES, all_processes, u32, 0);
setting!(
    /// 1: children of processes in scope are in scope.
    FOLLOW_CHILDREN, follow_children, u32, 1);
setting!(
    /// 1: the execs of processes out of scope are reported too, for user space to decide by executable.
    REPORT_EVERY_EXEC, report_every_exec, u32, 0);
setting!(
    /// Command names in `COMMANDS`.
    COMMAND_COUNT, command_count, u32, 0);
setting!(
    /// Control groups in `CGROUPS`.
    CGROUP_COUNT, cgroup_count, u32, 0);
setting!(
    /// 1: attachments carry a number (Linux 5.15), which tells the places apart that have to prove themselves.
    ATTACH_COOKIES, attach_cookies, u32, 0);
setting!(
    /// Offset of `pid` in the record of `task:task_newtask`.
    NEWTASK_PID_OFFSET, newtask_pid_offset, u32, 8);
setting!(
    /// Offset of `clone_flags` in the record of `task:task_newtask`.
    NEWTASK_FLAGS_OFFSET, newtask_flags_offset, u32, 32);
setting!(
    /// Offset of `group_dead` in the record of `sched:sched_process_exit`; 0 where the kernel has none.
    EXIT_GROUP_DEAD_OFFSET, exit_group_dead_offset, u32, 0);
setting!(
    /// Offset of `prot` in the record of `syscalls:sys_enter_mmap`.
    MMAP_PROT_OFFSET, mmap_prot_offset, u32, 32);
setting!(
    /// Offset of `fd` in the record of `syscalls:sys_enter_mmap`.
    MMAP_FD_OFFSET, mmap_fd_offset, u32, 48);
setting!(
    /// Offset of `ret` in the record of `syscalls:sys_exit_mmap`.
    MMAP_RET_OFFSET, mmap_ret_offset, u32, 16);

setting!(
    /// Offset of the first argument in the records of `syscalls:sys_enter_*`; the others follow in steps of eight bytes.
    SYSCALL_ARGS_OFFSET, syscall_args_offset, u32, 16);
setting!(
    /// Offset of `ret` in the records of `syscalls:sys_exit_*`.
    SYSCALL_RET_OFFSET, syscall_ret_offset, u32, 16);
setting!(
    /// 1: the sockets below TLS connections are looked for.
    FIND_PEERS, find_peers, u32, 0);
setting!(
    /// A [`PlainMode`](agent_common::PlainMode).
    PLAIN_MODE, plain_mode, u32, 0);

/// Lets user space refuse an object of another version.
#[unsafe(no_mangle)]
#[used]
static WIRESPAN_ABI_VERSION: u32 = ABI_VERSION;
