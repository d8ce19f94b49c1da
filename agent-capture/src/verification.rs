//! Candidates on the real kernel: a program with a function that moves plaintext and with ones that never do, all taken for `SSL_write`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::elf::{Elf, ElfError, SymbolTable};
use crate::functions::FUNCTIONS;
use crate::sites::{Certainty, Findings, Tracer};
use crate::{Capture, CaptureConfig, CaptureEvent, CaptureStats};

/// Symbols that the finder below takes for functions, and for which.
const MARKED: [(&str, &str); 4] = [
    ("candidate_write", "SSL_write"),
    ("decoy_of_many_handles", "SSL_write"),
    ("decoy_of_one_handle", "SSL_write"),
    ("candidate_free", "SSL_free"),
];

const SOURCE: &str = r#"
    #include <stdio.h>
    #define MOVES(name) __attribute__((noinline)) int name(void *s, const void *b, int n) { __asm__ volatile("" ::: "memory"); return n; }
    MOVES(candidate_write)
    MOVES(decoy_of_many_handles)
    MOVES(decoy_of_one_handle)
    __attribute__((noinline)) void candidate_free(void *s) { __asm__ volatile("" ::: "memory"); }
    int main(void) {
        static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", noise[64] = "\x17\x03\x03 no plaintext";
        char line[16];
        for (;;) {
            puts("ready"); fflush(stdout);
            if (!fgets(line, sizeof line, stdin)) return 0;
            for (long i = 0; line[0] == 'm' && i < 40; i++) decoy_of_many_handles((void *)(0x10000 + i * 64), noise, sizeof noise);
            for (long i = 0; line[0] == 'o' && i < 5000; i++) decoy_of_one_handle((void *)0x20000, noise, sizeof noise);
            for (long i = 0; line[0] == 'a' ? i < 5000 : line[0] == 'n' && i < 1; i++) candidate_write((void *)0x30000, noise, sizeof noise);
            if (line[0] == 'p') candidate_write((void *)0x40000, text, sizeof text - 1);
            if (line[0] == 'f') candidate_free((void *)0x40000);
        }
    }
"#;

/// Finds the marked functions, as a finder by structure finds functions without names.
pub(crate) fn by_mark(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    let found = elf.named(SymbolTable::Full, &MARKED.map(|(symbol, _)| symbol))?;
    let known: Vec<_> = found
        .into_iter()
        .map(|(index, extent)| {
            let function = FUNCTIONS.into_iter().find(|function| function.symbol == MARKED[index].1).unwrap();
            (function, extent)
        })
        .collect();
    let mut tracer = Tracer::new(elf);
    let mut findings = Findings::default();
    for (function, extent) in &known {
        match tracer.site(*function, Certainty::Candidate, extent, &known) {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(problem),
        }
    }
    Ok((!known.is_empty()).then_some(findings))
}

fn compile(directory: &Path) -> Option<PathBuf> {
    let (input, output) = (directory.join("marked.c"), directory.join("marked"));
    std::fs::write(&input, SOURCE).unwrap();
    let made = Command::new("cc").args(["-O1", "-o"]).args([&output, &input]).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no C compiler");
        return None;
    }
    Some(output)
}

/// The capture and the program, with everything that was handed over.
struct Trial {
    capture: Capture,
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    text: Vec<u8>,
    closed: usize,
    _directory: Option<tempfile::TempDir>,
    _turn: MutexGuard<'static, ()>,
}

/// One after the other: a capture takes in the children of this process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Trial {
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let program = compile(directory.path())?;
        Self::of(&program, &CaptureConfig::default(), Some(directory))
    }

    fn of(program: &Path, config: &CaptureConfig, directory: Option<tempfile::TempDir>) -> Option<Self> {
        if !crate::kernel::has_cookies() {
            println!("skipped: this kernel has no cookies (Linux 5.15), so candidates are not verified");
            return None;
        }
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let capture = match Capture::start(config) {
            Ok(capture) => capture,
            Err(error) => {
                let required = std::env::var_os("WIRESPAN_REQUIRE_BPF").is_some_and(|value| value == "1");
                assert!(!required, "WIRESPAN_REQUIRE_BPF is set, and the capture did not start: {error}");
                println!("skipped: {error}");
                return None;
            }
        };
        assert_eq!(capture.attach_files(vec![program.to_owned()]).unwrap(), 1);
        let guard = capture.inherit_from_self().unwrap();
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(guard);
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut trial =
            Self { capture, child, lines, text: Vec::new(), closed: 0, _directory: directory, _turn: turn };
        trial.wait();
        Some(trial)
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }

    /// Makes the program do one thing, and takes what comes of it.
    fn act(&mut self, what: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        self.wait();
        let Self { capture, text, closed, .. } = self;
        capture
            .drain(&mut |event| match event {
                CaptureEvent::Chunk(chunk) => text.extend(chunk.bytes),
                CaptureEvent::Closed { .. } => *closed += 1,
                _ => {}
            })
            .unwrap();
    }

    fn until(&self, what: &str, reached: impl Fn(&CaptureStats) -> bool) -> CaptureStats {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let stats = self.capture.stats();
            if reached(&stats) {
                return stats;
            }
            assert!(Instant::now() < deadline, "{what} did not happen: {stats:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn candidates_prove_themselves_or_lose_their_probes() {
    let Some(mut trial) = Trial::start() else { return };
    let begun = trial.capture.stats();
    assert_eq!((begun.candidates_open, begun.attached_objects), (3, 1));
    // Another protocol on one connection proves nothing either way.
    trial.act("n");
    trial.act("m");
    let stats = trial.until("refuting by handles", |stats| stats.candidates_refuted == 1);
    assert_eq!((stats.candidates_open, stats.candidates_confirmed), (2, 0));
    assert!(stats.attached_probes < begun.attached_probes);
    // What is refuted has no probes any more: nothing of it is seen.
    let skipped = stats.skipped_bytes;
    assert_eq!(skipped, 41 * 64);
    trial.act("p");
    trial.until("confirming", |stats| stats.candidates_confirmed == 1);
    trial.act("o");
    let stats = trial.until("refuting by calls", |stats| stats.candidates_refuted == 2);
    assert_eq!((stats.candidates_open, stats.chunks), (0, 1));
    assert_eq!(trial.text, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    // A confirmed place goes on, with what belongs to it.
    trial.act("p");
    assert_eq!((trial.text.len(), trial.closed), (56, 0));
    trial.act("f");
    assert_eq!(trial.closed, 1);
}

#[test]
fn a_file_whose_candidates_are_all_refuted_has_no_probes_left() {
    let Some(mut trial) = Trial::start() else { return };
    for what in ["m", "o", "a"] {
        trial.act(what);
    }
    let stats = trial.until("refuting all", |stats| stats.candidates_refuted == 3);
    assert_eq!((stats.attached_objects, stats.attached_probes), (0, 0));
    assert!(trial.text.is_empty());
}

#[test]
fn what_was_refuted_is_remembered_for_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compile(directory.path()) else { return };
    let cache = directory.path().join("cache");
    let config = || CaptureConfig { cache: Some(cache.clone()), ..CaptureConfig::default() };
    let Some(mut trial) = Trial::of(&program, &config(), None) else { return };
    for what in ["m", "o", "p"] {
        trial.act(what);
    }
    trial.until("judging", |stats| stats.candidates_open == 0);
    let kept = || {
        let entries = std::fs::read_dir(&cache).unwrap().flatten();
        let texts: String = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect();
        texts.matches("\nrefuted ").count() == 2
    };
    trial.until("keeping", |_| kept());
    drop(trial);
    let Some(mut trial) = Trial::of(&program, &config(), None) else { return };
    let begun = trial.capture.stats();
    assert_eq!((begun.candidates_open, begun.candidates_refuted), (1, 2));
    assert!(begun.known_objects > 0);
    trial.act("p");
    trial.until("confirming", |stats| stats.candidates_confirmed == 1);
    assert!(!trial.text.is_empty());
}

#[test]
fn the_finder_finds_what_is_marked() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compile(directory.path()) else { return };
    let file = File::open(program).unwrap();
    let findings = by_mark(&Elf::read(&file).unwrap()).unwrap().unwrap();
    assert_eq!(findings.sites.len(), MARKED.len(), "{findings:?}");
}
