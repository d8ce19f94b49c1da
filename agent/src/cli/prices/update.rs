//! `wirespan prices update`: takes a newer price table from a file or an address, and puts it where the daemon reads it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use agent_genai::PriceTable;
use anyhow::Context;
use clap::Args;

use crate::{cli::common, fetch, output::Output};

/// Where the table is put when nothing else is said.
const DEFAULT: &str = "/var/lib/wirespan/prices.json";

#[derive(Debug, Args)]
#[command(after_help = "\
The file has the form of agent-genai/data/prices.json. It is refused when it cannot be read, has no models, or is older than the \
built-in table or the one that is there. It is checked before anything is changed and replaced in one step. Name it in the \
configuration as `prices.table`; SIGHUP makes a running daemon read it.")]
pub(super) struct UpdateArgs {
    /// A file, or an https:// address
    #[arg(value_name = "FILE|URL")]
    source: String,
    /// Where to put it
    #[arg(long, value_name = "FILE", default_value = DEFAULT)]
    to: PathBuf,
    /// Authorities to trust for the address (PEM), instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

pub(super) fn update(args: &UpdateArgs, output: &mut Output) -> anyhow::Result<()> {
    let bytes = read(args)?;
    let new = PriceTable::from_table(&bytes).with_context(|| format!("{} is no price table", args.source))?;
    let present = present(&args.to)?;
    let built_in = PriceTable::embedded();
    for (older, name) in
        [(Some(&built_in), "the built-in table"), (present.as_ref(), "the table that is there")]
    {
        // Dates as 2026-11-23 sort as texts.
        if let Some(older) = older.filter(|older| new.date() < older.date()) {
            anyhow::bail!(
                "{} is of {}, older than {name} ({}): nothing is changed",
                args.source,
                new.date(),
                older.date()
            );
        }
    }
    replace(&args.to, &bytes).with_context(|| format!("cannot write {}", args.to.display()))?;
    output.line(&format!("{}: {} models, {}", args.to.display(), new.size(), new.version()))?;
    output
        .line(&format!("to use it, say `prices: {{table: {}}}` in the configuration", args.to.display()))?;
    Ok(())
}

fn read(args: &UpdateArgs) -> anyhow::Result<Vec<u8>> {
    if args.source.contains("://") {
        let get = fetch::get(&args.source, args.ca_file.as_deref(), common::MAX_TABLE);
        return common::runtime()?.block_on(get).with_context(|| format!("cannot fetch {}", args.source));
    }
    common::limited(Path::new(&args.source), common::MAX_TABLE)
}

/// The table that is there, if it can be read at all: a broken one is no reason to keep it.
fn present(path: &Path) -> anyhow::Result<Option<PriceTable>> {
    if !path.try_exists().with_context(|| format!("cannot look at {}", path.display()))? {
        return Ok(None);
    }
    Ok(PriceTable::from_table(&common::limited(path, common::MAX_TABLE)?).ok())
}

/// Writes beside the file and renames: a reader sees the old table or the new one, whole.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(name);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
