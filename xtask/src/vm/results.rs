//! Reads what the guest says: which kernel it is, and how each test came out.

use std::collections::BTreeMap;

use super::guest::{MARK, Step};

/// How a test came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What one kernel did.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// As `uname -r` and `-v` have it.
    pub(super) release: String,
    /// By name; a test of a step that never ended is failed.
    pub(super) tests: BTreeMap<String, Verdict>,
    /// Kernel programs that were loaded, with what the kernel says of each.
    pub(super) programs: BTreeMap<String, String>,
    /// What `wirespan doctor` found wrong.
    pub(super) warnings: Vec<String>,
}

impl Results {
    fn count(&self, wanted: impl Fn(&Verdict) -> bool) -> usize {
        self.tests.values().filter(|verdict| wanted(verdict)).count()
    }

    pub(super) fn passed(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::Passed)
    }

    pub(super) fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    pub(super) fn skipped(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    pub(super) fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }
}

/// Reads the lines of a guest that was to run `suite`.
pub(super) fn read(lines: &[String], suite: &[Step]) -> Results {
    let mut results = Results::default();
    let mut step = "";
    let mut ended = Vec::new();
    let mut shown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut showing: Option<String> = None;
    for line in lines {
        if let Some(mark) = line.strip_prefix(MARK) {
            let (word, rest) = mark.split_once(' ').unwrap_or((mark, ""));
            showing = None;
            match word {
                "kernel" => results.release = rest.to_owned(),
                "begin" => step = rest,
                "end" => ended.push(rest.to_owned()),
                _ => {}
            }
        } else if step == "doctor" {
            if let Some(warning) = warning(line) {
                results.warnings.push(warning.to_owned());
            }
        } else if let Some((name, verdict)) = verdict(line) {
            results.tests.insert(name.to_owned(), verdict);
        } else if let Some(name) =
            line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            showing = Some(name.to_owned());
        } else if ["successes:", "failures:"].contains(&line.as_str()) || line.starts_with("test result: ") {
            showing = None;
        } else if let Some(name) = &showing {
            shown.entry(name.clone()).or_default().push(line);
        }
    }
    for (name, lines) in &shown {
        explain(&mut results, name, lines);
    }
    for step in suite {
        let end = ended.iter().find_map(|end| end.strip_prefix(step.name)?.strip_prefix(' '));
        let reason = match end {
            None => "the machine ended before it did".to_owned(),
            // 101 is what a test program ends with whose tests failed: they tell themselves.
            Some("0") => continue,
            Some("101") if results.failed() > 0 => continue,
            Some(status) => format!("it ended with status {status}"),
        };
        results.tests.insert(format!("{} (all of it)", step.name), Verdict::Failed(reason));
    }
    results
}

/// A line of the test program's own: `test NAME ... ok`.
fn verdict(line: &str) -> Option<(&str, Verdict)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    match outcome.trim() {
        "ok" => Some((name, Verdict::Passed)),
        outcome if outcome.starts_with("ignored") => Some((
            name,
            Verdict::Skipped(outcome.trim_start_matches("ignored").trim_matches([',', ' ']).to_owned()),
        )),
        // Or cut off: what it says of itself comes later, if it does.
        _ => Some((name, Verdict::Failed("it did not end".to_owned()))),
    }
}

/// What `wirespan doctor` marks as wrong.
fn warning(line: &str) -> Option<&str> {
    let line = line.trim();
    ["warning", "failed"].iter().any(|word| line.split_whitespace().next() == Some(word)).then_some(line)
}

/// Adds what a test printed to what is known of it.
fn explain(results: &mut Results, name: &str, lines: &[&str]) {
    for line in lines {
        if let Some((program, said)) = line.strip_prefix("program: ").and_then(|rest| rest.split_once(' ')) {
            let mut key = program.to_owned();
            // The kernel cuts names after 15 bytes, so two may look alike.
            while results.programs.contains_key(&key) {
                key.push('+');
            }
            results.programs.insert(key, said.to_owned());
        }
    }
    let Some(verdict) = results.tests.get_mut(name) else { return };
    match verdict {
        Verdict::Passed => {
            if let Some(reason) = lines.iter().find_map(|line| line.strip_prefix("skipped: ")) {
                *verdict = Verdict::Skipped(reason.to_owned());
            }
        }
        Verdict::Failed(reason) => {
            let panic = lines.iter().position(|line| line.contains("panicked at"));
            let said: Vec<&str> = lines.iter().skip(panic.map_or(0, |at| at + 1)).copied().collect();
            let said: Vec<&str> = said.into_iter().filter(|line| !line.starts_with("note: ")).collect();
            *reason = said.join("\n").trim().to_owned();
        }
        Verdict::Skipped(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn tests_programs_and_reasons_are_told_apart() {
        let text = "@@ kernel 5.10.0 #1 SMP\n@@ begin capture\nrunning 3 tests\ntest a::b ... ok\ntest a::c ... ok\ntest d ... FAILED\n\n\
                    successes:\n\n---- a::b stdout ----\nprogram: leave uprobe 12 instructions\n\n---- a::c stdout ----\n\
                    skipped: node is not installed\n\nsuccesses:\n    a::b\n\nfailures:\n\n---- d stdout ----\n\n\
                    thread 'd' panicked at x.rs:1:2:\nassertion failed\nnote: run with\n\nfailures:\n    d\n\n\
                    test result: FAILED. 2 passed; 1 failed\n@@ end capture 101\n@@ done\n";
        let results = read(&lines(text), &[]);
        assert_eq!(results.release, "5.10.0 #1 SMP");
        assert_eq!((results.passed(), results.failed(), results.skipped()), (1, 1, 1));
        assert_eq!(results.tests["a::c"], Verdict::Skipped("node is not installed".to_owned()));
        assert_eq!(results.tests["d"], Verdict::Failed("assertion failed".to_owned()));
        assert_eq!(results.programs["leave"], "uprobe 12 instructions");
    }

    #[test]
    fn a_test_that_never_ended_is_failed() {
        let results =
            read(&lines("@@ begin capture\ntest a ... ok\ntest b ... \n@@ ended after 1 minutes"), &[]);
        assert_eq!((results.passed(), results.failed()), (1, 1));
    }
}
