//! Recognises functions of OpenSSL from 1.1.1 on.
//!
//! From 3.0 on the error macros name the function that they are in (`ERR_set_debug(file, line, func)`), before that they give it a
//! number (`ERR_put_error(lib, func, reason, file, line)`): the numbers are part of the public header `sslerr.h`, and were never changed.
//!
//! The functions with `_internal` in their names are the ones that `SSL_read`, `SSL_read_ex` and the BIO of OpenSSL all end up in. Some
//! compilers let them end in a jump through the table of the protocol, so that no RET of theirs is known: then their callers are probed,
//! `SSL_read`, which has a name, and `SSL_read_ex`, which hands its arguments on as it got them.

use iced_x86::Register;

use crate::elf::{ElfError, Extent};
use crate::structure::body::Body;
use crate::structure::static_ssl::{Kind, Unit};
use crate::structure::strings;

/// Reason of an error that only a `ssl_write_internal` that takes flags reports (`sslerr.h` from 3.3 on).
const UNSUPPORTED_WRITE_FLAG: u64 = 412;
/// Functions of one name that are looked at. There is one, and copies of it inside of others.
const MAX_INNER: usize = 4;

/// What is looked for: name, and number in 1.1.1.
type Named = (&'static str, u64);
const READ: Named = ("SSL_read", 223);
const READ_INTERNAL: Named = ("ssl_read_internal", 523);
const WRITE: Named = ("SSL_write", 208);
const WRITE_INTERNAL: Named = ("ssl_write_internal", 524);
const SHUTDOWN: Named = ("SSL_shutdown", 224);
const NEW: Named = ("SSL_new", 186);
/// From 3.2 on it does the work of the one above.
const NEW_INNER: Named = ("ossl_ssl_connection_new_int", u64::MAX);
const ALL: [Named; 7] = [READ, READ_INTERNAL, WRITE, WRITE_INTERNAL, SHUTDOWN, NEW, NEW_INNER];

/// Tells which function a body is, or contains.
struct Names {
    places: Vec<Vec<u64>>,
}

impl Names {
    fn is(&self, body: &Body, wanted: Named) -> bool {
        // Only those before 3.0 have no names at all.
        if self.places.iter().all(Vec::is_empty) {
            return body.puts(Register::RSI, wanted.1);
        }
        let mut places = ALL.iter().zip(&self.places);
        places.any(|(name, places)| *name == wanted && body.refers_to(places))
    }
}

pub(crate) fn recognise(unit: &mut Unit<'_>) -> Result<Vec<(Kind, Extent)>, ElfError> {
    if unit.bodies.is_empty() {
        return Ok(Vec::new());
    }
    let names = Names { places: strings::places(unit.elf, &ALL.map(|(name, _)| name))? };
    let bodies = std::mem::take(&mut unit.bodies);
    let mut recognised = movers(unit, &names, &bodies, READ, READ_INTERNAL)?;
    recognised.append(&mut movers(unit, &names, &bodies, WRITE, WRITE_INTERNAL)?);
    for body in &bodies {
        if names.is(body, SHUTDOWN) {
            recognised.push((Kind::Shutdown, body.extent));
        }
        if names.is(body, NEW) || names.is(body, NEW_INNER) {
            recognised.push((Kind::New, body.extent));
        }
    }
    Ok(recognised)
}

/// The functions to probe of those that read, or of those that write.
fn movers(
    unit: &mut Unit<'_>,
    names: &Names,
    bodies: &[Body],
    outer: Named,
    inner: Named,
) -> Result<Vec<(Kind, Extent)>, ElfError> {
    let is_inner = |body: &&Body| names.is(body, inner) && !names.is(body, outer);
    let (mut found, mut probed) = (Vec::new(), Vec::new());
    for body in bodies.iter().filter(is_inner).take(MAX_INNER) {
        let flags = body.puts(Register::RSI, UNSUPPORTED_WRITE_FLAG);
        let kind = |behind_flags| match (outer == READ, behind_flags) {
            (true, _) => Kind::ReadInternal,
            (false, false) => Kind::WriteInternal,
            (false, true) => Kind::WriteInternalWithFlags,
        };
        if !body.jumps_away {
            found.push((kind(flags), body.extent));
            probed.push(body.extent.address);
            continue;
        }
        for caller in unit.callers(body.extent.address)? {
            if caller.passes_on_to(body.extent.address) && !names.is(&caller, outer) {
                // One without flags of its own has to move its fourth argument to the fifth.
                found.push((kind(flags && !caller.takes_fourth), caller.extent));
            }
        }
    }
    for body in bodies.iter().filter(|body| names.is(body, outer)) {
        if !probed.iter().any(|inner| body.calls(*inner)) {
            found.push((if outer == READ { Kind::Read } else { Kind::Write }, body.extent));
        }
    }
    Ok(found)
}
