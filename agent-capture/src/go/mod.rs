//! Finds Go's crypto/tls, and forks of it, in executables and shared objects with or without symbols: the Go runtime keeps a table of all
//! functions with their names for its stack traces, which no strip removes.

mod build;
mod image;
mod table;
mod window;

use crate::decode;
use crate::elf::{Elf, ElfError, Extent};
use crate::functions::{Function, GO_FUNCTIONS, GO_PACKAGE};
use crate::sites::{Certainty, Findings, Site};
use build::Build;
use image::Image;
use table::{Found, Table};

/// Longest function that is decoded, in bytes.
const MAX_FUNCTION: u64 = 256 << 10;

/// The finder: `None` for what is no Go program, and for one without crypto/tls.
pub(crate) fn by_go(elf: &Elf<'_>) -> Result<Option<Findings>, ElfError> {
    let Some(build) = Build::find(elf)? else { return Ok(None) };
    let problem = |problem: String| Ok(Some(Findings { problems: vec![problem], ..Findings::default() }));
    if let Some(problem_of_version) = build.problem(elf.machine()) {
        // An old program without TLS is none of ours, but its table is not read: it is of another form.
        return problem(problem_of_version);
    }
    let image = Image::new(elf)?;
    let Some(table) = Table::find(elf)? else {
        return problem(format!("{build}, but its table of functions was not found"));
    };
    let packages = table.packages(elf)?;
    if packages.is_empty() {
        return Ok(None);
    }
    let mut findings = Findings::default();
    let mut wanted = Vec::new();
    for package in &packages {
        wanted.extend(GO_FUNCTIONS.map(|method| (method.symbol.replacen(GO_PACKAGE, package, 1), method)));
    }
    let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let found = table.functions(elf, &names)?;
    let base = table.text_start(elf, &image)?;
    for Found { name, function } in found {
        let Some((name, method)) = wanted.get(name) else { continue };
        let site = match base.extent(&image, function) {
            Ok(extent) => site(elf, *method, extent, &build),
            Err(error) => Err(error.to_string()),
        };
        match site {
            Ok(site) => findings.sites.push(site),
            Err(problem) => findings.problems.push(format!("{name}: {problem}")),
        }
    }
    Ok(Some(findings))
}

/// The places of a function. Its entry is probed behind the check of the stack's size: one that fails begins again.
fn site(elf: &Elf<'_>, function: Function, extent: Extent, build: &Build) -> Result<Site, String> {
    let Extent { address, size } = extent;
    if size > MAX_FUNCTION {
        return Err(format!("it is {size} bytes long, more than the {MAX_FUNCTION} that are decoded"));
    }
    let code = elf.code(address, size).map_err(|error| error.to_string())?;
    let offset = |address: u64| {
        elf.file_offset(address).ok_or_else(|| format!("address {address:#x} is in no executable segment"))
    };
    let entry = decode::behind_go_stack_check(elf.machine(), &code, address).ok_or_else(|| {
        format!(
            "it does not pass arguments in registers, as Go does from {} on ({build})",
            build::oldest(elf.machine())
        )
    })?;
    let mut returns = Vec::new();
    if function.leave.is_some() {
        returns = decode::scan(elf.machine(), &code, address).map_err(|error| error.to_string())?.returns;
        if returns.is_empty() {
            return Err("no RET instruction was found in it".to_owned());
        }
    }
    let returns = returns.into_iter().map(offset).collect::<Result<Vec<_>, _>>()?;
    Ok(Site { function, certainty: Certainty::Named, entry: offset(entry)?, returns })
}

#[cfg(test)]
mod tests;
