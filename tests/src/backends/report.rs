//! The text of `docs/backends.md`.

use super::Outcome;
use super::check::{Answer, Known};

const HEAD: &str = "# Real backends

`cargo xtask backends` installs the backends below from PyPI, starts each on loopback, makes the calls of `tests/clients/reference` under
`wirespan exec`, which exports their spans by OTLP, and reads them back through the backend's own API. Asked is what the backend itself made
of a span (its columns, its sums, its messages, its price), not the attributes it keeps as they came. The command fails when an answer
is not what was sent and not listed here, and when a listed one has become right.
";

/// The report: what was asked of whom, and each kind of no with its reason.
pub(super) fn render(outcomes: &[Outcome], known: &[Known]) -> String {
    let mut out = format!("{HEAD}\n| asked |");
    for outcome in outcomes {
        let way = outcome.way;
        out.push_str(&format!(" {} {}, {} |", way.kind.name(), outcome.version, way.protocol));
    }
    out.push_str("\n|---|");
    out.push_str(&"--:|".repeat(outcomes.len()));
    out.push('\n');
    out.push_str("| calls |");
    for outcome in outcomes {
        out.push_str(&format!(" {} |", outcome.calls));
    }
    out.push('\n');
    for question in questions(outcomes) {
        out.push_str(&format!("| {question} |"));
        for outcome in outcomes {
            let asked: Vec<&Answer> =
                outcome.answers.iter().map(|(_, answer)| answer).filter(|a| a.question == question).collect();
            let yes = asked.iter().filter(|answer| answer.is_yes()).count();
            out.push_str(&format!(" {yes}/{} |", asked.len()));
        }
        out.push('\n');
    }
    out.push_str("\nWhat does not read back as sent, and why:\n\n");
    for known in known {
        let calls =
            if known.calls.is_empty() { String::new() } else { format!(" (`{}`)", known.calls.join("`, `")) };
        out.push_str(&format!("- {}, {}{calls}: {}\n", known.backend, known.question, known.reason));
    }
    out
}

/// Each once, in the order in which they are asked.
fn questions(outcomes: &[Outcome]) -> Vec<&'static str> {
    let mut questions = Vec::new();
    for (_, answer) in outcomes.iter().flat_map(|outcome| &outcome.answers) {
        if !questions.contains(&answer.question) {
            questions.push(answer.question);
        }
    }
    questions
}
