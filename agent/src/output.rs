//! Standard output for data and standard error for diagnostics. A reader that went away is no error.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

/// What a command ended with, as a process exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok,
    /// Something failed.
    Error,
    /// The command line makes no sense.
    Usage,
    /// This host does not allow what was asked for.
    Preflight,
    /// The status of the observed command.
    Code(u8),
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Preflight => 3,
            Self::Code(code) => code,
        }
    }
}

/// Writes data to standard output.
#[derive(Debug)]
pub struct Output<W: Write = BufWriter<Stdout>> {
    writer: W,
    closed: bool,
}

impl Output {
    /// Standard output, buffered.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(BufWriter::with_capacity(64 << 10, io::stdout()))
    }
}

impl<W: Write> Output<W> {
    /// Any writer.
    pub fn new(writer: W) -> Self {
        Self { writer, closed: false }
    }

    /// Writes a line. Nothing happens once the reader is gone.
    ///
    /// # Errors
    /// When writing fails for any other reason, such as a full disk.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        let result = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.write_all(b"\n"));
        self.check(result)
    }

    /// Writes text that ends its own lines.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        let result = self.writer.write_all(text.as_bytes());
        self.check(result)
    }

    /// Hands what is buffered to the system.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn flush(&mut self) -> io::Result<()> {
        let result = self.writer.flush();
        self.check(result)
    }

    /// Whether the reader has gone away.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn check(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// Writes a line to standard error. There is nobody left to tell if that fails.
pub fn diagnose(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone(ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from(self.0))
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
        let mut gone = Output::new(Gone(ErrorKind::BrokenPipe));
        assert!(gone.line("x").is_ok() && gone.flush().is_ok() && gone.is_closed());
        let mut full = Output::new(Gone(ErrorKind::StorageFull));
        assert!(full.line("x").is_err() && !full.is_closed());
    }
}
