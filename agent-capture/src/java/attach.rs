//! HotSpot's attach mechanism: a file `.attach_pidN` in the process's `/tmp` and a SIGQUIT make the virtual machine listen on the socket
//! `.java_pidN` beside it; a request there is its protocol version and four strings, each ended by a zero; the answer is text, a status
//! first. (JDK sources: `attachListener_linux.cpp`, `VirtualMachineImpl.java`; OpenJ9 has another mechanism.)

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::{loads_agent, proc_path};
use crate::procfs;

/// Longest wait for a virtual machine to handle signals, and again for it to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for the agent to be loaded.
const LOADING: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const MAX_ANSWER: u64 = 64 << 10;

/// Why the agent could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("{action}: {source}")]
    System { action: &'static str, source: io::Error },
    #[error("it does not handle SIGQUIT (perhaps it runs with -Xrs or -XX:+DisableAttachMechanism)")]
    Deaf,
    #[error("it does not listen although it was asked to (perhaps it runs with -XX:+DisableAttachMechanism)")]
    Silent,
    #[error("it answered: {0}")]
    Refused(String),
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> LoadError {
    move |source| LoadError::System { action, source }
}

/// Loads the agent into a virtual machine. False: it will come by itself, or the process has ended.
pub(super) fn load(pid: u32, stem: &str, jar: &[u8]) -> Result<bool, LoadError> {
    let environment = fs::read(proc_path(pid, "environ")).map_err(system("reading its environment"))?;
    if loads_agent(&environment) {
        return Ok(false);
    }
    let Some(identity) = Identity::read(pid) else { return Ok(false) };
    if !wait_for_handler(pid)? {
        return Ok(false);
    }
    let directory =
        Directory::open_in(&proc_path(pid, "root"), Path::new("/tmp")).map_err(system("opening its /tmp"))?;
    let name = directory.place(stem, jar).map_err(system("writing the agent to its /tmp"))?;
    let path = format!("/tmp/{name}");
    let begun = Instant::now();
    loop {
        let Some(connection) = connect(pid, &identity, &directory)? else { return Ok(false) };
        match ask(connection, &path) {
            Ok(()) => return Ok(true),
            // A machine listens before it can load anything: until its start is over it answers with an error of its own.
            Err(LoadError::Refused(_)) if begun.elapsed() < PATIENCE => std::thread::sleep(10 * PAUSE),
            Err(error) => return Err(error),
        }
    }
}

/// A connection to the virtual machine, which is made to listen if it does not yet. `None`: the process has ended.
fn connect(pid: u32, identity: &Identity, directory: &Directory) -> Result<Option<UnixStream>, LoadError> {
    let socket = format!(".java_pid{}", identity.inner_pid);
    match directory.connect(&socket) {
        Ok(connection) => Ok(Some(connection)),
        Err(_) => wake(pid, identity, directory, &socket),
    }
}

/// What is needed to know of the process.
struct Identity {
    inner_pid: u32,
    start_time: u64,
    owner: (u32, u32),
}

impl Identity {
    fn read(pid: u32) -> Option<Self> {
        let info = procfs::info(pid)?;
        let status = fs::read_to_string(proc_path(pid, "status")).ok()?;
        let group = field(&status, "Gid")?.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self { inner_pid: info.namespace_pid, start_time: info.start_time, owner: (info.uid, group) })
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// Whether a mask of signals, as `/proc/PID/status` writes it, has SIGQUIT.
fn has_quit(mask: &str) -> bool {
    const SIGQUIT: u32 = 3;
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> (SIGQUIT - 1) & 1 == 1)
}

/// A virtual machine that starts up has no handler yet, and the signal would end it. False: the process has ended.
fn wait_for_handler(pid: u32) -> Result<bool, LoadError> {
    let begun = Instant::now();
    loop {
        let Ok(status) = fs::read_to_string(proc_path(pid, "status")) else { return Ok(false) };
        if field(&status, "SigCgt").is_some_and(has_quit) {
            return Ok(true);
        }
        if !procfs::is_running(pid) {
            return Ok(false);
        }
        if begun.elapsed() > PATIENCE {
            return Err(LoadError::Deaf);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Makes the virtual machine listen.
fn wake(
    pid: u32,
    identity: &Identity,
    directory: &Directory,
    socket: &str,
) -> Result<Option<UnixStream>, LoadError> {
    let signpost = directory
        .signpost(format!(".attach_pid{}", identity.inner_pid), identity.owner)
        .map_err(system("writing .attach_pid to its /tmp"))?;
    // The signal goes to a descriptor of the process, and only if that is the process that was looked at.
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let Some(raw) = raw else { return Ok(None) };
    let process = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty());
    let Ok(process) = process else { return Ok(None) };
    if procfs::info(pid).is_none_or(|info| info.start_time != identity.start_time) {
        return Ok(None);
    }
    let begun = Instant::now();
    let mut signals = 0;
    while begun.elapsed() < PATIENCE {
        // Asked again a few times, as the JDK's own client does: the first signal is ignored while the machine starts up.
        if begun.elapsed() >= Duration::from_secs(2) * signals {
            signals += 1;
            match rustix::process::pidfd_send_signal(&process, rustix::process::Signal::QUIT) {
                Ok(()) => {}
                Err(rustix::io::Errno::SRCH) => return Ok(None),
                Err(error) => return Err(system("sending it SIGQUIT")(error.into())),
            }
        }
        std::thread::sleep(PAUSE);
        if let Ok(connection) = directory.connect(socket) {
            drop(signpost);
            return Ok(Some(connection));
        }
    }
    Err(LoadError::Silent)
}

/// Asks for the agent in the jar at `path`, a path of the process's own.
fn ask(mut connection: UnixStream, path: &str) -> Result<(), LoadError> {
    let action = "talking to its attach socket";
    connection.set_read_timeout(Some(LOADING)).map_err(system(action))?;
    connection.set_write_timeout(Some(LOADING)).map_err(system(action))?;
    let request = format!("1\0load\0instrument\0false\0{path}\0");
    connection.write_all(request.as_bytes()).map_err(system(action))?;
    let mut answer = Vec::new();
    connection.take(MAX_ANSWER).read_to_end(&mut answer).map_err(system(action))?;
    judge(&String::from_utf8_lossy(&answer))
}

/// The first line is the status of the request, the second the result of the agent: a number (JDK 8) or `return code: N`.
fn judge(answer: &str) -> Result<(), LoadError> {
    let mut lines = answer.lines();
    let status = lines.next().map(str::trim);
    let result = lines.next().map(|line| line.trim().trim_start_matches("return code:").trim());
    match (status, result) {
        (Some("0"), None | Some("" | "0")) => Ok(()),
        _ => Err(LoadError::Refused(answer.trim().replace('\n', "; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert!(judge("0\nreturn code: 0\n").is_ok());
        assert!(judge("0\n0\n").is_ok());
        assert!(judge("0").is_ok());
        for refused in ["", "100\n", "0\nreturn code: 102\n", "0\n101"] {
            assert!(matches!(judge(refused), Err(LoadError::Refused(_))), "{refused}");
        }
    }

    #[test]
    fn masks() {
        assert!(has_quit("\t0000000000000004"));
        assert!(has_quit("2000000181005ccf"));
        assert!(!has_quit("0000000000000002"));
        assert!(!has_quit("nonsense"));
    }

    #[test]
    fn a_process_that_does_not_handle_the_signal_is_left_alone() {
        // `sleep` would end by it. Its root's /tmp is not touched before the handler is seen.
        let status = fs::read_to_string("/proc/self/status").unwrap();
        assert!(!field(&status, "SigCgt").is_some_and(has_quit));
    }
}
