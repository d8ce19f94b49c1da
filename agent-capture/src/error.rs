//! What can go wrong at the start, and what to do about it.

use std::io;
use std::path::PathBuf;

/// The capture could not start, or a request to it could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The process lacks privileges.
    #[error(
        "loading kernel programs was refused: {source}. Run as root, or with the capabilities BPF, PERFMON, SYS_PTRACE and \
         DAC_READ_SEARCH (`wirespan doctor` says what each is for, and whether this kernel wants more)"
    )]
    Privileges {
        /// The refusal.
        source: io::Error,
    },
    /// The kernel lacks something that there is no way around.
    #[error("this kernel has no {feature}: {detail}. wirespan needs Linux 5.10 or newer")]
    Kernel {
        /// What is missing.
        feature: &'static str,
        /// How that was found.
        detail: String,
    },
    /// tracefs is not there and could not be mounted.
    #[error("no trace file system at {path}: {detail}. As root: mount -t tracefs tracefs {path}")]
    Tracefs {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it could not be mounted.
        detail: String,
    },
    /// A tracepoint is missing or its format is not what is expected.
    #[error("tracepoint {tracepoint}: {detail}")]
    Tracepoint {
        /// Category and name.
        tracepoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// This process does not see the host's process ids.
    #[error(
        "this process is in a pid namespace of its own, so the process ids that the kernel reports are not those seen here. Run it in the \
         host's pid namespace (hostPID: true, or --pid=host)"
    )]
    PidNamespace,
    /// The kernel refused a program, or the object is broken.
    #[error("kernel program {program} could not be loaded: {detail}")]
    Program {
        /// Name of the program, or of the object.
        program: String,
        /// The kernel's words, with the end of the verifier's log.
        detail: String,
    },
    /// The embedded object is of another version.
    #[error(
        "the embedded kernel object does not fit this program ({detail}): rebuild both with `cargo xtask build`"
    )]
    ObjectVersion {
        /// What does not fit.
        detail: String,
    },
    /// A map could not be read or written.
    #[error("kernel map {map}: {detail}")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// The kernel's words.
        detail: String,
    },
    /// A setting cannot be carried out.
    #[error("capture setting {setting}: {detail}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// A system call failed.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// The failure.
        source: io::Error,
    },
}

impl CaptureError {
    pub(crate) fn system(action: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System { action: action.into(), source: source.into() }
    }
}

/// The whole chain of an error's causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
