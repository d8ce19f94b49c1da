//! The page of results: kernels, tests, kernel programs.

use std::collections::BTreeSet;

use super::kernels::Kernel;
use super::results::{Results, Verdict};

/// A kernel and what it did.
pub(super) struct Outcome {
    pub(super) kernel: Kernel,
    pub(super) results: Results,
}

/// The whole page.
pub(super) fn write(outcomes: &[(usize, Outcome)], refused: &[String]) -> String {
    let outcomes: Vec<&Outcome> = outcomes.iter().map(|(_, outcome)| outcome).collect();
    let outcomes = outcomes.as_slice();
    let mut page = String::from(
        "# Kernels\n\nWritten by `cargo xtask vmtest`, which boots Debian's own kernels (the `cloud` build of each suite, unchanged) under QEMU \
         with an initramfs of the capture suite and the programs it runs, and runs `wirespan doctor` and every test of \
         `agent-capture/tests/capture` in each as root with `WIRESPAN_REQUIRE_BPF=1`. The kernel programs are one object, \
         the same for all.\n\n\
         | Debian | package | kernel | passed | failed | skipped | programs loaded |\n|---|---|---|--:|--:|--:|--:|\n",
    );
    for Outcome { kernel, results } in outcomes {
        page += &format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            kernel.suite,
            kernel.package_version,
            results.release.split(' ').next().unwrap_or_default(),
            results.passed(),
            results.failed(),
            results.skipped(),
            results.programs.len(),
        );
    }
    for refused in refused {
        page += &format!("\nNot run: {refused}\n");
    }
    page += "\n## Tests\n\n";
    head(&mut page, "test", outcomes, "---");
    let names: BTreeSet<&String> = outcomes.iter().flat_map(|outcome| outcome.results.tests.keys()).collect();
    for name in names {
        row(&mut page, name, outcomes, |results| {
            match results.tests.get(name) {
                Some(Verdict::Passed) => "passed",
                Some(Verdict::Failed(_)) => "**failed**",
                Some(Verdict::Skipped(_)) => "skipped",
                None => "not run",
            }
            .to_owned()
        });
    }
    reasons(&mut page, outcomes);
    page += "\n## Kernel programs\n\nInstructions that the verifier walked through, where the kernel tells (5.16 and later); `loaded` \
             where it does not. The kernel cuts names after 15 bytes.\n\n";
    head(&mut page, "program", outcomes, "--:");
    let names: BTreeSet<&String> =
        outcomes.iter().flat_map(|outcome| outcome.results.programs.keys()).collect();
    for name in names {
        row(&mut page, name, outcomes, |results| {
            results.programs.get(name).cloned().unwrap_or_else(|| "**absent**".to_owned())
        });
    }
    page
}

fn head(page: &mut String, what: &str, outcomes: &[&Outcome], alignment: &str) {
    let suites: Vec<&str> = outcomes.iter().map(|outcome| outcome.kernel.suite).collect();
    *page += &format!(
        "| {what} | {} |\n|---{}|\n",
        suites.join(" | "),
        format!("|{alignment}").repeat(suites.len())
    );
}

fn row(page: &mut String, name: &str, outcomes: &[&Outcome], cell: impl Fn(&Results) -> String) {
    let cells: Vec<String> = outcomes.iter().map(|outcome| cell(&outcome.results)).collect();
    *page += &format!("| {} | {} |\n", name.replace('_', " "), cells.join(" | "));
}

/// Why tests failed or were skipped, and what the doctor said.
fn reasons(page: &mut String, outcomes: &[&Outcome]) {
    const LONGEST: usize = 24;
    for Outcome { kernel, results } in outcomes {
        for warning in &results.warnings {
            *page += &format!("\n{}: `wirespan doctor`: {warning}\n", kernel.suite);
        }
        for (name, verdict) in &results.tests {
            match verdict {
                Verdict::Passed => {}
                Verdict::Skipped(reason) => {
                    *page +=
                        &format!("\n{}: {} was skipped: {reason}\n", kernel.suite, name.replace('_', " "));
                }
                Verdict::Failed(reason) => {
                    let lines: Vec<&str> = reason.lines().collect();
                    let tail = lines.get(lines.len().saturating_sub(LONGEST)..).unwrap_or_default();
                    *page += &format!(
                        "\n{}: {} failed:\n\n```\n{}\n```\n",
                        kernel.suite,
                        name.replace('_', " "),
                        tail.join("\n")
                    );
                }
            }
        }
    }
}
