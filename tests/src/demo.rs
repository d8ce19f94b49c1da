//! The demo.
use std::path::Path;
/// Runs it.
///
/// # Errors
/// Never yet.
pub fn run(_: &Path, _: &Path, _: bool) -> anyhow::Result<()> {
    Ok(())
}
