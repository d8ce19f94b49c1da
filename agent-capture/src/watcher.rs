//! The thread that follows processes: reads the control ring, describes new processes, and attaches to what they map.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use agent_common::{ControlKind, ProcessFlags, ProcessState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::CaptureConfig;
use crate::abi::Abi;
use crate::attach::{Attacher, FileId, Outcome, Ticket};
use crate::java::Loader;
use crate::procfs::{self, MappedFile};
use crate::record::Event;
use crate::ring::{Next, Ring};
use crate::rules::Rules;
use crate::shared::{Message, Shared, monotonic, reset};
use crate::sweep::Sweeper;
use crate::unused::Unused;

/// How long a file without TLS functions is not looked at again under the same path.
const PLAIN_FOR: Duration = Duration::from_secs(30);
/// Mapped files remembered at most.
const MAX_MAPPED: usize = 16_384;
/// How often processes are looked at whose leader exited before its threads.
const LINGER: Duration = Duration::from_millis(20);
/// How often places that wait for proof are looked at.
const VERIFY: Duration = Duration::from_millis(500);
/// Longest sleep.
const IDLE: Duration = Duration::from_secs(1);

/// A mapped file as `/proc/PID/maps` names it: device, inode, path.
type MappingKey = (String, u64, PathBuf);

fn key_of(mapped: &MappedFile) -> MappingKey {
    (mapped.device.clone(), mapped.inode, mapped.path.clone())
}

/// A request to the watcher. Each is answered when it has been carried out.
pub(crate) enum Command {
    /// Attach to whatever these processes have mapped.
    Scan(Vec<u32>, SyncSender<usize>),
    /// Attach to these files. The answer is how many of them have probes.
    Attach(Vec<PathBuf>, SyncSender<usize>),
    /// Handle every event there is.
    Sync(SyncSender<()>),
    /// Detach and end.
    Stop,
}

/// The state of the thread.
pub(crate) struct Watcher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ring: Ring,
    pub(crate) attacher: Attacher,
    pub(crate) rules: Arc<Rules>,
    pub(crate) commands: Receiver<Command>,
    mapped: HashMap<MappingKey, (Outcome, Instant)>,
    /// Files that were asked for, not found at a process.
    prepared: HashSet<FileId>,
    unused: Unused,
    /// Processes whose leader exited, with the time of that.
    lingering: Vec<(u32, u64)>,
    to_scan: HashSet<u32>,
    sweeper: Sweeper,
    /// When the candidates were looked at.
    verified: Instant,
    java: Loader,
}

impl Watcher {
    pub(crate) fn new(
        shared: Arc<Shared>,
        ring: Ring,
        attacher: Attacher,
        rules: Arc<Rules>,
        commands: Receiver<Command>,
        config: &CaptureConfig,
    ) -> Self {
        let loader = Loader::new(config.java, Arc::clone(&shared));
        Self {
            shared,
            ring,
            attacher,
            rules,
            commands,
            mapped: HashMap::new(),
            prepared: HashSet::new(),
            unused: Unused::new(config.detach_unused),
            lingering: Vec::new(),
            to_scan: HashSet::new(),
            sweeper: Sweeper::new(config.max_connections),
            verified: Instant::now(),
            java: loader,
        }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        loop {
            self.wait();
            self.handle_events();
            if !self.handle_commands() {
                return;
            }
            self.bury_lingering();
            self.sweeper.sweep_if_due(&self.shared);
            self.verify_candidates();
            self.detach_unused();
        }
    }

    /// Looks at the candidates, now and then.
    fn verify_candidates(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.verified) < VERIFY {
            return;
        }
        self.verified = now;
        self.attacher.verify(&self.shared.attached);
    }

    fn wait(&self) {
        let longest = if self.lingering.is_empty() { IDLE } else { LINGER };
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(longest.subsec_nanos()) };
        let timeout = if longest == IDLE { Timespec { tv_sec: 1, tv_nsec: 0 } } else { timeout };
        let ring = self.ring.fd();
        let mut descriptors =
            [PollFd::new(&ring, PollFlags::IN), PollFd::new(self.shared.watcher(), PollFlags::IN)];
        // An interrupted wait is a short one.
        let _ = poll(&mut descriptors, Some(&timeout));
    }

    fn handle_events(&mut self) {
        loop {
            let event = self.ring.next(|next| match next {
                Next::Record(head, tail) => Some(Event::parse(head, tail)),
                Next::Busy | Next::Empty => None,
            });
            match event {
                Some(Some(event)) => self.handle(event),
                Some(None) => tracing::error!("a process event could not be parsed"),
                None => break,
            }
        }
        for pid in std::mem::take(&mut self.to_scan) {
            self.scan(pid, None);
        }
    }

    fn handle(&mut self, event: Event) {
        let Event { kind, tgid, detail, in_scope, ktime } = event;
        match kind {
            ControlKind::Exec if !in_scope => self.consider(tgid, ktime),
            ControlKind::Exec | ControlKind::Found => {
                self.announce(tgid, ktime);
                self.to_scan.insert(tgid);
                if kind == ControlKind::Found {
                    self.shared.plain.prefill(&self.shared.maps, tgid);
                }
            }
            ControlKind::Listener => self.shared.plain.resolve_listener(&self.shared.maps, tgid, detail),
            ControlKind::IoUring => {
                self.shared.io_uring.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    pid = tgid,
                    "a process uses io_uring: what it sends and receives by it without a TLS library is not seen"
                );
            }
            ControlKind::KernelTls => {
                self.shared.kernel_tls.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    pid = tgid,
                    "a process hands TLS to the kernel: what it sends and receives without a TLS library is not seen"
                );
            }
            ControlKind::Fork => self.announce(tgid, ktime),
            ControlKind::Mapped => {
                self.to_scan.insert(tgid);
            }
            ControlKind::Exit => {
                self.sweeper.note_exit();
                self.to_scan.remove(&tgid);
                if detail == 0 {
                    self.lingering.push((tgid, ktime));
                } else {
                    self.shared.send(Message::Exited { pid: tgid, ktime });
                }
            }
        }
    }

    /// A process out of scope runs a new program: perhaps one of the executables in scope.
    fn consider(&mut self, pid: u32, ktime: u64) {
        let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        if self.rules.matches_executable(pid, &executable)
            && admit(&self.shared, pid, self.rules.full_flags(), ktime)
        {
            self.announce(pid, ktime);
            self.to_scan.insert(pid);
        }
    }

    fn announce(&self, pid: u32, ktime: u64) {
        // A process that is gone already is described when, and if, its data come.
        if let Some(info) = procfs::info(pid) {
            self.shared.send(Message::Process { info: Box::new(info), ktime });
        }
    }

    fn handle_commands(&mut self) -> bool {
        reset(self.shared.watcher());
        self.attacher.attach_searched(&self.shared.attached);
        while let Ok(command) = self.commands.try_recv() {
            // A requester that does not wait any more needs no answer.
            match command {
                Command::Scan(pids, done) => {
                    let ticket = Ticket::new(done);
                    for pid in pids {
                        self.shared.plain.prefill(&self.shared.maps, pid);
                        self.scan(pid, Some(&ticket));
                    }
                }
                Command::Attach(files, done) => {
                    let ticket = Ticket::new(done);
                    for path in files {
                        self.attach_path(&path, &ticket);
                    }
                }
                Command::Sync(done) => {
                    self.handle_events();
                    self.bury_lingering();
                    let _ = done.send(());
                }
                Command::Stop => return false,
            }
        }
        true
    }

    fn attach_path(&mut self, path: &Path, ticket: &Arc<Ticket>) {
        let Ok(file) = File::open(path) else { return };
        let id = file.metadata().ok().map(|data| FileId::of(&data));
        if self.attacher.attach(file, path, Some(ticket), &self.shared.attached) != Outcome::Plain {
            self.prepared.extend(id);
        }
    }

    /// Attaches to what a process has mapped executable.
    fn scan(&mut self, pid: u32, ticket: Option<&Arc<Ticket>>) {
        let now = Instant::now();
        for mapped in procfs::executable_mappings(pid) {
            if self.java.is_machine(&mapped) {
                self.java.meet(pid, &mapped);
            }
            let key = key_of(&mapped);
            match self.mapped.get(&key) {
                Some((Outcome::Probed(id), _)) if self.is_current(pid, &mapped, *id) => continue,
                Some((Outcome::Plain, seen)) if now.duration_since(*seen) < PLAIN_FOR => continue,
                _ => {}
            }
            let Some(file) = self.open(pid, &mapped) else { continue };
            let outcome = self.attacher.attach(file, &mapped.path, ticket, &self.shared.attached);
            if outcome == Outcome::Searching {
                continue;
            }
            if self.mapped.len() >= MAX_MAPPED {
                self.mapped.clear();
            }
            self.mapped.insert(key, (outcome, now));
        }
    }

    /// Whether a mapped file is still what was probed. Where that cannot be seen, it is taken for it.
    fn is_current(&self, pid: u32, mapped: &MappedFile, id: FileId) -> bool {
        let data = fs::metadata(format!("/proc/{pid}/map_files/{}", mapped.range));
        data.map_or(true, |data| self.attacher.is_current(id, &data))
    }

    /// Takes the probes off files that no process in scope has mapped for a while: a file that was deleted cannot be freed before.
    fn detach_unused(&mut self) {
        if !self.unused.is_due() {
            return;
        }
        let attached: HashSet<FileId> =
            self.attacher.attached().filter(|id| !self.prepared.contains(id)).collect();
        let mut used = HashSet::new();
        if !attached.is_empty() {
            let pids: Vec<u32> = self.shared.maps.processes().keys().flatten().collect();
            for mapped in pids.into_iter().flat_map(procfs::executable_mappings) {
                if let Some((Outcome::Probed(id), _)) = self.mapped.get(&key_of(&mapped)) {
                    used.insert(*id);
                }
            }
        }
        for id in self.unused.look(&attached, &used) {
            self.attacher.forget(id, &self.shared.attached);
            self.mapped.retain(|_, (outcome, _)| *outcome != Outcome::Probed(id));
        }
    }

    /// Opens a mapped file, whatever mount namespace it is in, and even if it was deleted.
    fn open(&self, pid: u32, mapped: &MappedFile) -> Option<File> {
        let by_range = PathBuf::from(format!("/proc/{pid}/map_files/{}", mapped.range));
        let in_root = mapped.path.strip_prefix("/").unwrap_or(&mapped.path);
        let by_path = Path::new("/proc").join(pid.to_string()).join("root").join(in_root);
        let mut failures = Vec::new();
        // The executable can be had even if it was deleted, without any further capability.
        let executable = PathBuf::from(format!("/proc/{pid}/exe"));
        let is_executable = fs::metadata(&executable).is_ok_and(|data| data.ino() == mapped.inode);
        for path in [by_range, by_path].into_iter().chain(is_executable.then_some(executable)) {
            // Devices are mapped executable too, and opening one may do things.
            match fs::metadata(&path) {
                Ok(data) if !data.is_file() => return None,
                Ok(_) => {}
                Err(error) => {
                    failures.push(format!("{}: {error}", path.display()));
                    continue;
                }
            }
            match File::open(&path) {
                Ok(file) => return Some(file),
                Err(error) => failures.push(format!("{}: {error}", path.display())),
            }
        }
        if procfs::is_running(pid) {
            tracing::warn!(pid, file = %mapped.path.display(), tried = ?failures, "a mapped file could not be opened");
            self.shared.attached.failed_objects.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    /// Reports processes that have ended since their leaders exited.
    fn bury_lingering(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.lingering.retain(|(pid, ktime)| {
            if procfs::is_running(*pid) {
                return true;
            }
            dismiss(&shared, *pid, *ktime);
            shared.send(Message::Exited { pid: *pid, ktime: *ktime });
            false
        });
    }
}

/// Puts a process into the kernel's map unless it is there. False: the map is full.
pub(crate) fn admit(shared: &Shared, pid: u32, flags: u32, birth: u64) -> bool {
    /// `BPF_NOEXIST` of `linux/bpf.h`.
    const NO_EXIST: u64 = 1;
    let state = Abi(ProcessState { flags, reserved: 0, birth });
    let mut processes = shared.maps.processes();
    match processes.insert(pid, state, NO_EXIST) {
        Ok(()) => true,
        Err(_) => match processes.get(&pid, 0) {
            // It may have been there without being captured.
            Ok(Abi(known)) if known.flags & ProcessFlags::CAPTURE == 0 => {
                let flags = known.flags | flags;
                processes.insert(pid, Abi(ProcessState { flags, reserved: 0, birth }), 0).is_ok()
            }
            Ok(_) => true,
            Err(_) => {
                tracing::warn!(pid, "the table of processes is full: this one is not captured");
                false
            }
        },
    }
}

/// Takes a process out of the kernel's map unless its entry is newer than `until`.
pub(crate) fn dismiss(shared: &Shared, pid: u32, until: u64) {
    let mut processes = shared.maps.processes();
    if let Ok(Abi(state)) = processes.get(&pid, 0)
        && state.birth <= until
    {
        // The kernel side may have been first.
        let _ = processes.remove(&pid);
    }
}

/// Admits every process that is in scope now, and says which.
pub(crate) fn admit_running(shared: &Shared, rules: &Rules) -> Vec<u32> {
    let mut pids = Vec::new();
    for info in rules.running() {
        let ktime = monotonic();
        if admit(shared, info.pid, rules.full_flags(), ktime) {
            pids.push(info.pid);
            shared.send(Message::Process { info: Box::new(info), ktime });
        }
    }
    pids
}
