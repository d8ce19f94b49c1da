//! Recognises functions of BoringSSL and AWS-LC.
//!
//! Their error macro calls `ERR_put_error(lib, 0, reason, file, line)`. Reasons are part of the public header `ssl.h`. Which of them a
//! function reports, and whom it calls, tells it apart:
//!
//! - `SSL_write` reports that a handshake is missing or failed, and that a length is negative.
//! - `ssl_read_impl` reports the former two, and is called by `SSL_peek`, which `SSL_read` calls or contains. Of these, `SSL_read` alone
//!   takes what it returns out of the connection, so that it changes memory; `SSL_peek_ex` does so too, but for its fourth argument.
//! - `SSL_shutdown` calls it as well, and reports data that came after the shutdown.

use iced_x86::Register;

use crate::elf::{ElfError, Extent};
use crate::structure::body::Body;
use crate::structure::static_ssl::{Kind, Unit};

/// Functions like `SSL_peek` whose callers are looked for at most. There is one.
const MAX_PEEKS: usize = 4;

const BAD_LENGTH: u64 = 111;
const NULL_SSL_CTX: u64 = 185;
const SSL_CTX_HAS_NO_DEFAULT_SSL_VERSION: u64 = 214;
const SSL_HANDSHAKE_FAILURE: u64 = 215;
const UNINITIALIZED: u64 = 226;
const APPLICATION_DATA_ON_SHUTDOWN: u64 = 291;

/// Tells which reasons a function reports.
struct Reasons {
    register: Register,
}

impl Reasons {
    /// The reason is in the register of the argument before that of the file. Where that is not the third, the whole program was compiled
    /// at once, and arguments that are not used were left out.
    fn of(bodies: &[Body], files: &[u64]) -> Self {
        let shifted = [(Register::RDX, Register::RSI), (Register::RSI, Register::RDI)];
        let loads = |register| bodies.iter().filter(|body| body.loads(register, files)).count();
        let usual = (loads(Register::RCX), Register::RDX);
        let places = shifted.iter().map(|(file, reason)| (loads(*file), *reason));
        let register = places.fold(usual, |best, place| if place.0 > best.0 { place } else { best }).1;
        Self { register }
    }

    fn has(&self, body: &Body, reason: u64) -> bool {
        body.puts(self.register, reason)
    }
}

pub(crate) fn recognise(unit: &mut Unit<'_>, files: &[u64]) -> Result<Vec<(Kind, Extent)>, ElfError> {
    let reasons = Reasons::of(&unit.bodies, files);
    let reports = |body: &Body, reason| reasons.has(body, reason);
    let needs_handshake = |body: &&Body| reports(body, UNINITIALIZED) && reports(body, SSL_HANDSHAKE_FAILURE);
    let mut recognised = Vec::new();
    let mut inner = None;
    for body in unit.bodies.iter().filter(needs_handshake) {
        if reports(body, BAD_LENGTH) {
            recognised.push((Kind::Write, body.extent));
        } else {
            inner = inner.or(Some(body.extent));
        }
    }
    if let Some(inner) = inner {
        recognised.extend(readers(unit, &reasons, inner.address)?);
    }
    for body in &unit.bodies {
        if reports(body, UNINITIALIZED) && reports(body, APPLICATION_DATA_ON_SHUTDOWN) {
            recognised.push((Kind::Shutdown, body.extent));
        }
        // Also the function that makes a context reports that it was given none, but by another reason.
        if reports(body, NULL_SSL_CTX) && !reports(body, SSL_CTX_HAS_NO_DEFAULT_SSL_VERSION) {
            recognised.push((Kind::New, body.extent));
        }
    }
    Ok(recognised)
}

/// `SSL_read`, by the function that reads a record.
fn readers(unit: &mut Unit<'_>, reasons: &Reasons, inner: u64) -> Result<Vec<(Kind, Extent)>, ElfError> {
    let consumes = |body: &Body| body.stores && !body.takes_fourth;
    let mut peeks = unit.callers(inner)?;
    peeks.retain(|body| !reasons.has(body, APPLICATION_DATA_ON_SHUTDOWN));
    let mut readers: Vec<_> = peeks.iter().filter(|body| consumes(body)).map(|body| body.extent).collect();
    if readers.is_empty() {
        // `SSL_peek` is called rather than contained.
        for peek in peeks.iter().take(MAX_PEEKS) {
            let callers = unit.callers(peek.extent.address)?;
            // The program may call it too, with arguments of its own.
            let is_reader = |body: &&Body| consumes(body) && body.passes_on_to(peek.extent.address);
            readers.extend(callers.iter().filter(is_reader).map(|body| body.extent));
        }
    }
    Ok(readers.into_iter().map(|extent| (Kind::Read, extent)).collect())
}
