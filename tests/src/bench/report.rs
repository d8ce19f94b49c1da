//! docs/benchmarks.md: one section a measurement, each replaced by itself.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const HEAD: &str = "# Benchmarks\n\nRatios on one machine, not absolutes: a probe costs many times more under nested \
virtualisation than on bare metal. Each section names the command that makes it.\n";

/// The text with this section replaced, or added at the end.
#[must_use]
pub fn with_section(text: &str, name: &str, body: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- end of {name} -->"));
    let section = format!("{begin}\n{}\n{end}", body.trim_end());
    let found = text.find(&begin).and_then(|from| {
        let to = text.get(from..)?.find(&end)? + from + end.len();
        Some((text.get(..from)?, text.get(to..)?))
    });
    match found {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{}\n\n{section}\n", text.trim_end()),
    }
}

/// Writes the section into the file.
///
/// # Errors
/// When the file cannot be read or written.
pub fn write(file: &Path, name: &str, body: &str) -> Result<()> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("could not read {}", file.display())),
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    }
    fs::write(file, with_section(&text, name, body))
        .with_context(|| format!("could not write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn sections_are_replaced_one_by_one() {
        let both = with_section(&with_section("# Head\n", "a", "one"), "b", "two");
        let changed = with_section(&both, "a", "three");
        assert_eq!(
            changed,
            "# Head\n\n<!-- a -->\nthree\n<!-- end of a -->\n\n<!-- b -->\ntwo\n<!-- end of b -->\n"
        );
    }
}
