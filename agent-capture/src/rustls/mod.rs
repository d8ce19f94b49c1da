//! Finds the record protection of rustls: the functions of the traits `MessageEncrypter` and `MessageDecrypter`, of every provider and cipher.
//! They are called through tables, so every build has them as functions, whatever was inlined elsewhere.

mod names;
mod structure;

use crate::elf::{Elf, ElfError};
use crate::sites::Findings;

/// By the mangled names in the table of symbols.
pub(crate) fn by_names(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    names::find(elf)
}

/// By the structure of executables without symbols.
pub(crate) fn by_structure(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    structure::find(elf)
}
