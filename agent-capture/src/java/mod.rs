//! Java: its TLS is Java itself, so that no function of a library shows plaintext. An agent inside the process does, where the user wants
//! one: `agent-java`.

mod attach;
mod directory;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::procfs::MappedFile;
use crate::shared::Shared;
use directory::Directory;

/// The agent, built by `cargo xtask java` from `agent-java/src`.
static JAR: &[u8] = include_bytes!("../../../agent-java/wirespan-agent.jar");

/// The variable that makes every JVM load an agent at its start.
const OPTIONS: &str = "JAVA_TOOL_OPTIONS";
/// Part of the jar's file name.
const NAME: &str = "wirespan-agent";

/// Virtual machines that are talked to at the same time.
const MAX_AT_ONCE: usize = 8;
/// Virtual machines remembered at most.
const MAX_KNOWN: usize = 16_384;

/// Writes the agent into a directory and returns the variable, with its value, that makes the JVMs of a command load it. `present` is the
/// value that the command would have without it.
///
/// # Errors
/// When the file cannot be written, or its path cannot be said in the variable.
pub fn command_variable(directory: &Path, present: Option<&OsStr>) -> io::Result<(&'static str, OsString)> {
    let name = Directory::open(directory)?.place(NAME, JAR)?;
    let path = directory.join(name);
    // The JVM splits the variable at white space and has no escape.
    if path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_whitespace) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{OPTIONS} cannot name {}: set TMPDIR to a path without white space", path.display()),
        ));
    }
    let mut value = present.map(OsStr::to_owned).unwrap_or_default();
    if !value.is_empty() {
        value.push(" ");
    }
    value.push("-javaagent:");
    value.push(path);
    Ok((OPTIONS, value))
}

/// Loads the agent into running virtual machines.
pub(crate) struct Loader {
    enabled: bool,
    /// Processes, with the place of the virtual machine in each: another program of the same process has another.
    known: HashSet<(u32, String)>,
    busy: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Loader {
    pub(crate) fn new(enabled: bool, shared: Arc<Shared>) -> Self {
        Self { enabled, known: HashSet::new(), busy: Arc::default(), shared }
    }

    /// Whether this mapping is a Java virtual machine that the agent should be loaded into.
    pub(crate) fn is_machine(&self, mapped: &MappedFile) -> bool {
        self.enabled && mapped.path.file_name() == Some(OsStr::new("libjvm.so"))
    }

    /// Loads the agent, in the background, unless that was done. A process in scope whose machine is met while too many others are being
    /// talked to gets its turn with its next mapping.
    pub(crate) fn meet(&mut self, pid: u32, mapped: &MappedFile) {
        let key = (pid, mapped.range.clone());
        if self.known.contains(&key) || self.busy.load(Ordering::Relaxed) >= MAX_AT_ONCE {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key);
        self.busy.fetch_add(1, Ordering::Relaxed);
        let busy = Arc::clone(&self.busy);
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new().name("wirespan-java".to_owned()).spawn(move || {
            match attach::load(pid, NAME, JAR) {
                Ok(true) => tracing::info!(pid, "the agent was loaded into a Java process"),
                Ok(false) => tracing::debug!(pid, "a Java process has the agent, or ended"),
                Err(error) => {
                    shared.attached.failed_objects.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        pid, %error,
                        "the agent could not be loaded into a Java process: its TLS calls are not captured. Start it with \
                         {OPTIONS}=-javaagent:PATH instead (`wirespan java-agent PATH` writes the file)"
                    );
                }
            }
            busy.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(error) = spawned {
            self.busy.fetch_sub(1, Ordering::Relaxed);
            self.shared.attached.failed_objects.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(pid, %error, "no thread could be started to load the agent into a Java process");
        }
    }
}

/// Writes the agent to a file.
///
/// # Errors
/// When it cannot be written.
pub fn write_agent(path: &Path) -> io::Result<()> {
    std::fs::write(path, JAR)
}

/// Whether the environment of a process loads the agent already.
fn loads_agent(environment: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|variable| {
        variable.starts_with(OPTIONS.as_bytes()) && memchr::memmem::find(variable, NAME.as_bytes()).is_some()
    })
}

/// `/proc/PID/NAME`
fn proc_path(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let (name, value) = command_variable(directory.path(), Some(OsStr::new("-Xmx64m"))).unwrap();
        let value = value.into_string().unwrap();
        assert_eq!(name, OPTIONS);
        assert!(value.starts_with("-Xmx64m -javaagent:"), "{value}");
        let path = value.split("-javaagent:").nth(1).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), JAR);
        // A second command uses the same file.
        assert!(command_variable(directory.path(), None).unwrap().1.to_str().unwrap().ends_with(path));
    }

    #[test]
    fn a_path_with_a_space_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let spaced = directory.path().join("with space");
        std::fs::create_dir(&spaced).unwrap();
        let error = command_variable(&spaced, None).unwrap_err();
        assert!(error.to_string().contains("white space"), "{error}");
    }

    #[test]
    fn an_environment_tells_whether_the_agent_comes_by_itself() {
        assert!(loads_agent(b"A=1\0JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:/tmp/wirespan-agent-1.jar\0"));
        assert!(!loads_agent(b"JAVA_TOOL_OPTIONS=-Xmx1g\0NAME=wirespan-agent\0"));
        assert!(!loads_agent(b""));
    }
}
