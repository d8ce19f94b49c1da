//! `wirespan doctor`: what this host allows, and how to fix what it does not.

use agent_capture::{Check, CheckStatus, preflight};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    console::{ColorChoice, Style, plain},
    output::{Exit, Output},
};

#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 when capturing works, with or without warnings; 3 when it does not.")]
pub(super) struct DoctorArgs {
    /// How the findings are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: DoctorFormat,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DoctorFormat {
    /// For people
    Text,
    /// JSON
    Json,
}

pub(super) fn doctor(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let found = preflight();
    let mut output = Output::stdout();
    match args.output {
        DoctorFormat::Text => output.text(&page(&found.checks, Style::for_stdout(args.color)))?,
        DoctorFormat::Json => {
            let checks: Vec<_> = found
                .checks
                .iter()
                .map(|Check { name, status, detail, fix }| {
                    json!({ "name": name, "status": word(*status), "detail": detail, "fix": fix })
                })
                .collect();
            output.line(&json!({ "usable": found.usable(), "checks": checks }).to_string())?;
        }
    }
    output.flush()?;
    Ok(if found.usable() { Exit::Ok } else { Exit::Preflight })
}

fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warn",
        CheckStatus::Failed => "fail",
    }
}

fn page(checks: &[Check], style: Style) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for Check { name, status, detail, fix } in checks {
        let mark = match status {
            CheckStatus::Ok => style.green("ok  "),
            CheckStatus::Warning => style.yellow("warn"),
            CheckStatus::Failed => style.red("fail"),
        };
        out.push_str(&format!("{mark}  {name:<width$}  {}\n", plain(detail)));
        if !fix.is_empty() {
            out.push_str(&format!("      {:<width$}  {} {}\n", "", style.bold("fix:"), plain(fix)));
        }
    }
    let count = |wanted| checks.iter().filter(|check| check.status == wanted).count();
    let (failed, warnings) = (count(CheckStatus::Failed), count(CheckStatus::Warning));
    let verdict = match (failed, warnings) {
        (0, 0) => style.green("Capturing works here."),
        (0, _) => style.yellow(&format!("Capturing works here, with {warnings} warnings.")),
        _ => style.red(&format!("Capturing does not work here: {failed} checks failed.")),
    };
    out.push_str(&verdict);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_line_and_its_fix() {
        let checks = [
            Check { name: "kernel", status: CheckStatus::Ok, detail: "6.1".into(), fix: String::new() },
            Check {
                name: "privileges",
                status: CheckStatus::Failed,
                detail: "none".into(),
                fix: "run as root".into(),
            },
        ];
        assert_eq!(
            page(&checks, Style::plain()),
            "ok    kernel      6.1\nfail  privileges  none\n                  fix: run as root\n\
             Capturing does not work here: 1 checks failed.\n"
        );
        assert_eq!(page(&checks[..1], Style::plain()), "ok    kernel  6.1\nCapturing works here.\n");
    }
}
