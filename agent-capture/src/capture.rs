//! The capture as a whole.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_common::{CounterIndex, ProcessFlags, ProcessState};

use crate::abi::Abi;
use crate::attach::Attacher;
use crate::cache::Cache;
use crate::kernel::{Kernel, map_error};
use crate::linker::Libraries;
use crate::probes::Probes;
use crate::reader::Reader;
use crate::ring::Ring;
use crate::rules::Rules;
use crate::search::Searcher;
use crate::shared::{Message, Shared, monotonic};
use crate::sockets::Plain;
use crate::sweep::tracked;
use crate::verdicts::Verdicts;
use crate::watcher::{Command, Watcher, admit, admit_running};
use crate::{
    CaptureConfig, CaptureError, CaptureEvent, CaptureStats, ConnectionId, Verdict, command, preflight,
    procfs, tracefs,
};

/// A running capture. Probes stay attached until it is dropped.
pub struct Capture {
    shared: Arc<Shared>,
    reader: Reader,
    rules: Arc<Rules>,
    commands: Sender<Command>,
    watcher: Option<JoinHandle<()>>,
    refused: Vec<String>,
    multi_links: bool,
}

/// While it is held, children of this very process are in scope from their birth. See [`Capture::inherit_from_self`].
#[must_use = "children are in scope only while the guard is held"]
pub struct InheritGuard {
    shared: Arc<Shared>,
}

impl Drop for InheritGuard {
    fn drop(&mut self) {
        // It fails only if the entry is gone, which is what is wanted.
        let _ = self.shared.maps.processes().remove(&std::process::id());
    }
}

impl Capture {
    /// Loads the kernel programs, finds the processes in scope that run already, and attaches to them. Needs root, or the capabilities that
    /// [`preflight`](crate::preflight()) lists. Kernel type information (BTF) is not needed.
    ///
    /// # Errors
    /// When privileges or kernel features are missing, and when a setting cannot be carried out.
    pub fn start(config: &CaptureConfig) -> Result<Self, CaptureError> {
        if !preflight::sees_host_pids() {
            return Err(CaptureError::PidNamespace);
        }
        let tracefs = tracefs::find_or_mount()?;
        let Kernel { ebpf, multi, refused, cookies, maps, data, control } = Kernel::load(config, &tracefs)?;
        let multi_links = multi.is_some();
        let data = Ring::new(data)?;
        let control = Ring::new(control)?;
        let shared = Arc::new(Shared::new(maps, Plain::of(&config.plain_http, config.peers))?);
        let rules = Arc::new(Rules::of(&config.scope));
        let searcher = Searcher::start(config.cache.as_deref().and_then(open_cache), Arc::clone(&shared))
            .map_err(|error| CaptureError::system("starting the thread that searches files", error))?;
        let attacher =
            Attacher::new(Probes::new(ebpf, multi, cookies), searcher, Arc::clone(&shared), config.java);
        let (commands, receiver) = channel();
        let watcher =
            Watcher::new(Arc::clone(&shared), control, attacher, Arc::clone(&rules), receiver, config);
        let watcher = std::thread::Builder::new()
            .name("wirespan-watch".to_owned())
            .spawn(move || watcher.run())
            .map_err(|error| CaptureError::system("starting the thread that follows processes", error))?;
        let interval = Duration::from_millis(config.drain_interval_ms.into());
        let watchdog = Duration::from_millis(config.watchdog_ms.into());
        let reader = Reader::new(Arc::clone(&shared), data, interval, watchdog);
        let capture = Self { shared, reader, rules, commands, watcher: Some(watcher), refused, multi_links };
        let running = admit_running(&capture.shared, &capture.rules);
        capture.ask(|done| Command::Scan(running, done))?;
        Ok(capture)
    }

    /// Puts the children that this process makes while the guard is held into scope, from their birth.
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn inherit_from_self(&self) -> Result<InheritGuard, CaptureError> {
        let state = ProcessState { flags: ProcessFlags::INHERIT, reserved: 0, birth: monotonic() };
        self.shared
            .maps
            .processes()
            .insert(std::process::id(), Abi(state), 0)
            .map_err(|error| map_error("PROCESSES", &error))?;
        Ok(InheritGuard { shared: Arc::clone(&self.shared) })
    }

    /// Attaches to the files that a command is going to map: its executable, found as `execvp(3)` would with the given `PATH`, through
    /// `#!` lines and `env`; the libraries it is linked with; the system's libssl. Returns how many of them have probes now. Without this
    /// the first process of a kind may have done its first call before its library is found.
    ///
    /// # Errors
    /// When the capture has stopped.
    pub fn prepare(&self, program: &OsStr, path_variable: Option<&OsStr>) -> Result<usize, CaptureError> {
        self.attach_files(command::files(program, path_variable, &Libraries::of_system()))
    }

    /// Attaches to the system's libssl, for processes that are to come.
    ///
    /// # Errors
    /// When the capture has stopped.
    pub fn prepare_libraries(&self) -> Result<usize, CaptureError> {
        self.attach_files(Libraries::of_system().beginning_with("libssl.so"))
    }

    /// Attaches to these files, if they have TLS functions. Returns how many have probes now.
    ///
    /// # Errors
    /// When the capture has stopped.
    pub fn attach_files(&self, files: Vec<PathBuf>) -> Result<usize, CaptureError> {
        self.ask(|done| Command::Attach(files, done))
    }

    /// Puts a running process into scope and attaches to what it has mapped.
    ///
    /// # Errors
    /// When there is no such process, or the kernel's table of processes is full.
    pub fn add_pid(&self, pid: u32) -> Result<(), CaptureError> {
        let missing = || CaptureError::System {
            action: format!("looking at process {pid}"),
            source: std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such process"),
        };
        let info = procfs::info(pid).ok_or_else(missing)?;
        let ktime = monotonic();
        if !admit(&self.shared, pid, self.rules.full_flags(), ktime) {
            return Err(CaptureError::Map { map: "PROCESSES", detail: "it is full".to_owned() });
        }
        self.shared.send(Message::Process { info: Box::new(info), ktime });
        self.ask(|done| Command::Scan(vec![pid], done)).map(drop)
    }

    /// Takes a process out of scope. Its connections are closed, and [`CaptureEvent::Exited`] follows.
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn remove_pid(&self, pid: u32) -> Result<(), CaptureError> {
        let ktime = monotonic();
        // Kept with no flags, so that the rules do not bring it back.
        let state = ProcessState { flags: 0, reserved: 0, birth: ktime };
        let mut processes = self.shared.maps.processes();
        processes.insert(pid, Abi(state), 0).map_err(|error| map_error("PROCESSES", &error))?;
        drop(processes);
        self.shared.send(Message::Exited { pid, ktime });
        Ok(())
    }

    /// Hands over the events that there are, waiting up to `timeout` for the first. Returns their number.
    ///
    /// While data flow it does not sleep; when they stop it looks again after ever longer sleeps, up to the drain interval.
    pub fn poll(&mut self, timeout: Duration, sink: &mut dyn FnMut(CaptureEvent)) -> usize {
        self.reader.poll(timeout, sink)
    }

    /// Hands over everything that has happened before this call: for the end of a capture, after the observed command was waited for.
    ///
    /// # Errors
    /// When the capture has stopped.
    pub fn drain(&mut self, sink: &mut dyn FnMut(CaptureEvent)) -> Result<usize, CaptureError> {
        self.ask(Command::Sync)?;
        Ok(self.reader.drain(sink))
    }

    /// Whether probes are attached by multi-uprobe link (Linux 6.6), and not by perf event.
    #[must_use]
    pub fn has_multi_links(&self) -> bool {
        self.multi_links
    }

    /// Kernel programs that this kernel refused and that the capture does without, each with the kernel's words.
    #[must_use]
    pub fn refused_programs(&self) -> &[String] {
        &self.refused
    }

    /// A handle to set verdicts with, also from inside the sink of [`Self::poll`].
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        Verdicts { shared: Arc::clone(&self.shared) }
    }

    /// See [`Verdicts::set`].
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn set_verdict(
        &self,
        connection: &ConnectionId,
        verdict: Verdict,
        seen: u64,
    ) -> Result<bool, CaptureError> {
        self.verdicts().set(connection, verdict, seen)
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> CaptureStats {
        let counter = |index| self.shared.maps.counter(index);
        let attached = &self.shared.attached;
        CaptureStats {
            chunks: self.reader.chunks,
            bytes: self.reader.bytes,
            lost_ring_full_bytes: counter(CounterIndex::RingFullBytes),
            lost_ring_full_events: counter(CounterIndex::RingFullEvents),
            lost_call_bound_bytes: counter(CounterIndex::CallBoundBytes),
            lost_fault_bytes: counter(CounterIndex::FaultBytes),
            lost_table_full_bytes: counter(CounterIndex::TableFullBytes),
            lost_quiet_bytes: counter(CounterIndex::QuietBytes),
            shed_bytes: counter(CounterIndex::ShedBytes),
            shed_connections: counter(CounterIndex::ShedConnections),
            lost_unseen_bytes: counter(CounterIndex::UnseenBytes),
            io_uring_processes: self.shared.io_uring.load(Ordering::Relaxed),
            kernel_tls_processes: self.shared.kernel_tls.load(Ordering::Relaxed),
            skipped_bytes: counter(CounterIndex::SkippedBytes),
            lost_control_events: counter(CounterIndex::ControlEvents) + self.shared.lost_messages(),
            untracked_calls: counter(CounterIndex::CallsUntracked)
                + self.shared.evicted_calls.load(Ordering::Relaxed),
            tracked_connections: tracked(&self.shared),
            evicted_connections: self.shared.evicted_connections.load(Ordering::Relaxed),
            untracked_processes: counter(CounterIndex::ProcessesUntracked),
            attached_objects: attached.objects.load(Ordering::Relaxed),
            attached_probes: attached.probes.load(Ordering::Relaxed),
            failed_objects: attached.failed_objects.load(Ordering::Relaxed),
            known_objects: attached.known_objects.load(Ordering::Relaxed),
            late_objects: attached.late_objects.load(Ordering::Relaxed),
            candidates_open: attached.candidates_open.load(Ordering::Relaxed),
            candidates_confirmed: attached.candidates_confirmed.load(Ordering::Relaxed),
            candidates_refuted: attached.candidates_refuted.load(Ordering::Relaxed),
            processes: self.reader.processes() as u64,
        }
    }

    /// Sends a command to the watcher and waits until it is carried out.
    fn ask<R>(&self, command: impl FnOnce(SyncSender<R>) -> Command) -> Result<R, CaptureError> {
        let stopped = || CaptureError::System {
            action: "asking the thread that follows processes".to_owned(),
            source: std::io::Error::other("it has stopped"),
        };
        let (done, answer) = sync_channel(1);
        self.commands.send(command(done)).map_err(|_| stopped())?;
        self.shared.wake_watcher();
        answer.recv().map_err(|_| stopped())
    }
}

/// A capture without a cache works as well; it only searches again what was searched before.
fn open_cache(path: &Path) -> Option<Cache> {
    Cache::open(path)
        .inspect_err(|error| {
            tracing::warn!(path = %path.display(), error, "what is found in files is not kept for later runs");
        })
        .ok()
}

impl Drop for Capture {
    /// Detaches. The observed processes go on meanwhile.
    fn drop(&mut self) {
        // If it cannot be told, it has stopped already.
        let _ = self.commands.send(Command::Stop);
        self.shared.wake_watcher();
        if let Some(watcher) = self.watcher.take()
            && watcher.join().is_err()
        {
            tracing::error!("the thread that follows processes had panicked");
        }
    }
}
