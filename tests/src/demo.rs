//! The demo: unmodified clients call the stand-in under `wirespan exec`; then one of the calls is shown whole.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};

use crate::programs::{self, Program};
use crate::standin::Standin;
use crate::{capture, process};

/// Runs the demo with this binary and these client programs; `content` shows messages too.
///
/// # Errors
/// When nothing could be captured.
pub fn run(wirespan: &Path, content: bool) -> Result<()> {
    let begun = Instant::now();
    let standin = Standin::start()?;
    let folder = tempfile::tempdir().context("temporary folder")?;
    let (script, missing) = script(&standin);
    for reason in missing {
        say(&format!("left out: {reason}"))?;
    }
    say(&format!(
        "The stand-in provider listens on {}; the clients are unmodified. Their calls:\n",
        standin.url("")
    ))?;
    let file = folder.path().join("capture.wspn");
    let mut exec = Command::new(wirespan);
    exec.arg("exec").arg("--record").arg(&file).args(["--", "sh", "-c"]).arg(&script);
    programs::trusting(&mut exec, &standin);
    programs::with_node_modules(&mut exec);
    let status = exec.status().with_context(|| format!("could not start {}", wirespan.display()))?;
    ensure!(
        status.success(),
        "`wirespan exec` ended with {status}; `{} doctor` may say why",
        wirespan.display()
    );

    // The capture file gives the same calls again, with no kernel.
    let mut decode = Command::new(wirespan);
    decode.args(["decode", "-o", "jsonl"]).arg(&file);
    if content {
        decode.arg("--content");
    }
    let decoded = process::run(&mut decode)?.succeeded().context("wirespan decode")?;
    let calls = capture::records(&decoded.stdout)?;
    let made = standin.seen().iter().filter(|seen| seen.facts.is_some()).count();
    ensure!(calls.len() == made, "{} calls were captured of {made} that were made", calls.len());
    let records = folder.path().join("calls.jsonl");
    std::fs::write(&records, &decoded.stdout).context("could not keep the calls")?;
    let call = most_telling(&calls).context("no call was captured")?;
    say(&format!("\nOne call whole (`wirespan show {}`):\n", call.span_id))?;
    let status =
        Command::new(wirespan).arg("show").arg(&call.span_id).arg("--input").arg(&records).status()?;
    ensure!(status.success(), "`wirespan show` ended with {status}");
    say(&format!("\n{made} calls made, {} captured, in {:.1} s.", calls.len(), begun.elapsed().as_secs_f64()))
}

/// A call with a tool, cached tokens and a stream says the most.
fn most_telling(calls: &[Record]) -> Option<&Record> {
    let score = |record: &&Record| {
        let has = |name: &str| usize::from(record.attributes.contains_key(name));
        has("gen_ai.response.time_to_first_chunk")
            + has("gen_ai.usage.cache_read.input_tokens")
            + record.cost.lines.len()
    };
    calls.iter().max_by_key(score)
}

/// What the demo runs, and what it leaves out because it is not installed.
fn script(standin: &Standin) -> (String, Vec<String>) {
    let python =
        |api: &str, more: &str| (Program::Python, "sdk.py", format!("{api} --url {}{more}", standin.url("")));
    let node =
        |api: &str, more: &str| (Program::Node, "sdk.mjs", format!("{api} --url {}{more}", standin.url("")));
    let runs = [
        python("chat", " --stream --calls 2"),
        python("chat", " --tool --mode async"),
        python("responses", " --stream"),
        python("embeddings", ""),
        python("messages", " --stream --mode async --calls 2 --concurrency 2"),
        (
            Program::Python,
            "sdk.py",
            format!("messages --url {} --expect-error 429", standin.url("status=429")),
        ),
        node("chat", " --stream"),
        node("messages", " --tool"),
        (Program::NodeOpenSsl11, "https.js", format!("{} 1", standin.url(""))),
    ];
    let mut lines = vec!["set -e".to_owned()];
    let mut missing = Vec::new();
    for (program, file, arguments) in runs {
        match programs::find(program) {
            Ok(found) => lines.push(format!(
                "'{}' '{}' {arguments}",
                found.display(),
                programs::script(file).display()
            )),
            Err(reason) if missing.contains(&format!("{reason:#}")) => {}
            Err(reason) => missing.push(format!("{reason:#}")),
        }
    }
    match programs::find(Program::Curl) {
        Ok(_) => lines.push(format!("'{}' '{}' 2", programs::script("batch.sh").display(), standin.url(""))),
        Err(reason) => missing.push(format!("{reason:#}")),
    }
    (lines.join("\n"), missing)
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("could not print")
}
