//! What a task says: progress on stderr, results on stdout.

use std::io::{self, Write};

/// Says what happens next, on stderr.
pub(crate) fn step(text: &str) {
    note(&format!("==> {text}"));
}

/// Says something on stderr. A closed stderr is no reason to stop.
pub(crate) fn note(text: &str) {
    let mut err = io::stderr().lock();
    let _closed = writeln!(err, "{text}");
}

/// Prints a line of the task's result on stdout.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
