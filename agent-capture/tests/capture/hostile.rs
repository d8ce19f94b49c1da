//! Programs that misuse a TLS library. Whatever they do, the capture goes on, holds no more than before, and knows what it missed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use agent_capture::{Capture, CaptureConfig, CaptureStats};

use crate::harness::{Session, Stream, program};

/// The program and its library, built in a directory of their own.
struct Hostile {
    directory: tempfile::TempDir,
}

/// What came of one run.
struct Run {
    session: Session,
    status: ExitStatus,
    /// Bytes that its calls claimed to have moved.
    moved: u64,
}

impl Hostile {
    fn build() -> Option<Self> {
        let compiler = program("cc")?;
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capture");
        let build = |arguments: &[&str], from: &str, to: &str| {
            let mut command = Command::new(&compiler);
            command.args(["-O1", "-w"]).args(arguments).arg("-o").arg(directory.path().join(to));
            assert!(command.arg(source.join(from)).args(["-ldl"]).status().unwrap().success(), "{from}");
        };
        build(&["-shared", "-fPIC"], "hostile_ssl.c", "libssl.so.3");
        build(&[], "hostile.c", "hostile");
        Some(Self { directory })
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("libssl.so.3")
    }

    fn command(&self, mode: &str, times: u64) -> Command {
        let mut command = Command::new(self.directory.path().join("hostile"));
        command.arg(mode).arg(self.library()).arg(times.to_string());
        command
    }

    /// Runs it to its end under a capture.
    fn run(mode: &str, times: u64, config: &CaptureConfig) -> Option<Run> {
        let hostile = Self::build()?;
        let mut session = Session::start(config)?;
        assert_eq!(session.capture.attach_files(vec![hostile.library()]).unwrap(), 1);
        let child = session.spawn(&mut hostile.command(mode, times));
        let output = session.wait(child);
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let moved: Option<u64> = said.parse().ok();
        assert!(moved.is_some(), "{mode} said {said:?}: {}", output.status);
        Some(Run { session, status: output.status, moved: moved? })
    }
}

fn no_watchdog() -> CaptureConfig {
    CaptureConfig { watchdog_ms: 0, ..CaptureConfig::default() }
}

/// Everything that calls claimed to have moved is accounted for.
fn known(stats: &CaptureStats) -> u64 {
    stats.bytes + stats.lost_bytes() + stats.skipped_bytes
}

#[test]
fn a_buffer_that_changes_during_the_call_is_captured_as_it_is_at_the_end() {
    let Some(Run { session, status, moved }) = Hostile::run("scribble", 200, &no_watchdog()) else { return };
    assert!(status.success());
    assert_eq!(known(&session.stats()), moved);
}

#[test]
fn wild_pointers_and_lengths_are_counted_and_harm_nobody() {
    let Some(Run { session, status, moved }) = Hostile::run("wild", 1, &no_watchdog()) else { return };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(stats.bytes, 0, "{stats:?}");
    assert_eq!(known(&stats), moved, "{stats:?}");
    assert!(stats.untracked_calls > 0, "counts at wild addresses: {stats:?}");
}

#[test]
fn a_length_beyond_what_was_asked_for_reads_nothing_that_is_not_there() {
    let Some(Run { session, status, moved }) = Hostile::run("longer", 20, &no_watchdog()) else { return };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(known(&stats), moved, "{stats:?}");
    assert!(stats.lost_fault_bytes > 0, "{stats:?}");
    assert_eq!(stats.untracked_calls, 20, "{stats:?}");
}

#[test]
fn a_fork_within_a_call_makes_two_processes_with_their_own_streams() {
    let Some(Run { session, status, moved }) = Hostile::run("fork", 30, &no_watchdog()) else { return };
    assert!(status.success());
    let stats = session.stats();
    // Each child writes once, 23 bytes, and returns from no call of its parent.
    assert_eq!(known(&stats), moved + 30 * 23, "{stats:?}");
    assert_eq!(session.collected.streams.len(), 31);
}

#[test]
fn calls_left_by_longjmp_do_not_pile_up() {
    let Some(Run { session, status, moved }) = Hostile::run("longjmp", 2000, &no_watchdog()) else { return };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(known(&stats), moved, "{stats:?}");
    assert_eq!((stats.untracked_calls, stats.tracked_connections), (0, 0), "{stats:?}");
}

#[test]
fn a_library_that_is_unloaded_and_loaded_again_is_followed() {
    let Some(Run { session, status, moved }) = Hostile::run("unload", 50, &no_watchdog()) else { return };
    assert!(status.success());
    assert_eq!(session.stats().bytes, moved, "{:?}", session.stats());
    assert_eq!(session.stats().lost_bytes(), 0);
}

#[test]
fn a_process_killed_within_a_call_leaves_nothing_behind() {
    let Some(Run { session, status, moved }) = Hostile::run("die", 1, &no_watchdog()) else { return };
    assert!(!status.success());
    let stats = session.stats();
    assert_eq!(stats.bytes, moved, "{stats:?}");
    assert_eq!((stats.tracked_connections, stats.processes), (0, 0), "{stats:?}");
    assert!(session.collected.only().closed.is_some());
}

#[test]
fn a_head_without_an_end_is_captured_as_it_comes_and_nothing_grows() {
    let Some(Run { session, status, moved }) = Hostile::run("head", 500, &no_watchdog()) else { return };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(known(&stats), moved, "{stats:?}");
    assert_eq!(Stream::bytes(&session.collected.only().egress), stats.bytes);
}

#[test]
fn handles_that_are_freed_leave_the_table() {
    let Some(Run { session, status, moved }) = Hostile::run("handles", 200_000, &no_watchdog()) else {
        return;
    };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(known(&stats), moved, "{stats:?}");
    assert_eq!((stats.tracked_connections, stats.evicted_connections), (0, 0), "{stats:?}");
}

#[test]
fn handles_that_are_never_freed_do_not_fill_the_table() {
    let config = CaptureConfig { max_connections: 2000, ..no_watchdog() };
    let Some(Run { mut session, status, moved }) = Hostile::run("leak", 20_000, &config) else { return };
    assert!(status.success());
    let stats = session.stats();
    assert_eq!(known(&stats), moved, "{stats:?}");
    // The program is gone, and with the next sweep what it left behind.
    session.poll_until("an empty table", |session| session.stats().tracked_connections == 0);
}

#[test]
fn a_library_that_is_cut_short_is_no_reason_to_fail() {
    let Some(hostile) = Hostile::build() else { return };
    let Some(session) = Session::default() else { return };
    let whole = fs::read(hostile.library()).unwrap();
    let cut = |length: usize| {
        let path = hostile.directory.path().join(format!("libssl-{length}.so.3"));
        fs::write(&path, &whole[..length]).unwrap();
        path
    };
    let files: Vec<PathBuf> = (0..40).map(|part| cut(whole.len() * part / 40)).collect();
    let capture: &Capture = &session.capture;
    capture.attach_files(files).unwrap();
    assert_eq!(capture.attach_files(vec![hostile.library(), "/does/not/exist".into()]).unwrap(), 1);
}
