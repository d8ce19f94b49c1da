//! Recognises functions of OpenSSL from 1.1.1 on.
//!
//! From 3.0 on the error macros name the function that they are in (`ERR_set_debug(file, line, func)`), before that they give it a
//! number (`ERR_put_error(lib, func, reason, file, line)`): the numbers are part of the public header `sslerr.h`, and were never changed.
//! The functions with `_internal` in their names are the ones that `SSL_read`, `SSL_read_ex` and the BIO of OpenSSL all end up in.

use iced_x86::Register;

use crate::elf::{ElfError, Extent};
use crate::structure::body::Body;
use crate::structure::static_ssl::{Kind, Unit};
use crate::structure::strings;

/// Reason of an error that only a `ssl_write_internal` that takes flags reports (`sslerr.h` from 3.3 on).
const UNSUPPORTED_WRITE_FLAG: u64 = 412;

/// What is looked for: name, number in 1.1.1, and what it is.
const FUNCTIONS: [(&str, u64, Kind); 5] = [
    ("ssl_read_internal", 523, Kind::ReadInternal),
    ("ssl_write_internal", 524, Kind::WriteInternal),
    ("SSL_shutdown", 224, Kind::Shutdown),
    ("SSL_new", 186, Kind::New),
    // From 3.2 on it does the work of the one above.
    ("ossl_ssl_connection_new_int", u64::MAX, Kind::New),
];

pub(crate) fn recognise(unit: &Unit<'_>) -> Result<Vec<(Kind, Extent)>, ElfError> {
    if unit.bodies.is_empty() {
        return Ok(Vec::new());
    }
    let names = strings::places(unit.elf, &FUNCTIONS.map(|(name, _, _)| name))?;
    // Only those before 3.0 have no names at all.
    let named = names.iter().any(|places| !places.is_empty());
    let mut recognised = Vec::new();
    for ((_, number, kind), places) in FUNCTIONS.iter().zip(&names) {
        let is_it = |body: &&Body| {
            if named { body.refers_to(places) } else { body.puts(Register::RSI, *number) }
        };
        for body in unit.bodies.iter().filter(is_it) {
            let kind = match kind {
                Kind::WriteInternal if body.puts(Register::RSI, UNSUPPORTED_WRITE_FLAG) => {
                    Kind::WriteInternalWithFlags
                }
                kind => *kind,
            };
            recognised.push((kind, body.extent));
        }
    }
    Ok(recognised)
}
